//! Lists in pages.

use hookpost_adapters::api::Problem;
use hookpost_domain::Invalid;
use schemars::JsonSchema;
use serde::Serialize;

/// Items a page has unless the caller says otherwise.
const DEFAULT_LIMIT: usize = 50;
/// Most items a page may have.
pub const MAX_LIMIT: usize = 200;

/// A page of a list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub struct Page<T> {
    /// The items.
    pub data: Vec<T>,
    /// What to pass as `after` for the next page; `null` if this is the last.
    pub next: Option<String>,
}

/// How many items a page is to have.
///
/// # Errors
/// 422 for what is not between 1 and 200.
pub fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    let limit = asked.unwrap_or(DEFAULT_LIMIT);
    if (1..=MAX_LIMIT).contains(&limit) {
        return Ok(limit);
    }
    let rule = "must be between 1 and 200";
    Err(Problem::invalid(&Invalid::new("limit", rule)))
}

/// What is wrong with an `after` that no page has named.
pub(crate) fn unknown_place() -> Problem {
    let rule = "must be the `next` of a page before";
    Problem::invalid(&Invalid::new("after", rule))
}
