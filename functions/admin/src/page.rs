//! Lists in pages.

use hookpost_adapters::api::{Call, Problem};
use hookpost_domain::Invalid;
use serde::Serialize;

/// Items a page has unless the caller says otherwise.
const DEFAULT_LIMIT: usize = 50;
/// Most items a page may have.
const MAX_LIMIT: usize = 200;

/// A page of a list.
#[derive(Debug, Serialize)]
pub(crate) struct Page<T> {
    pub(crate) data: Vec<T>,
    /// What to pass as `after` for the next page; `null` if this is the last.
    pub(crate) next: Option<String>,
}

/// The `limit` of a call.
pub(crate) fn limit(call: &Call) -> Result<usize, Problem> {
    let Some(text) = call.query("limit") else {
        return Ok(DEFAULT_LIMIT);
    };
    match text.parse() {
        Ok(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
        Ok(_) | Err(_) => Err(Problem::invalid(&Invalid::new(
            "limit",
            "must be between 1 and 200",
        ))),
    }
}
