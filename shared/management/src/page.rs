//! Lists in pages.

use hookpost_adapters::api::Problem;
use hookpost_domain::{DeliveryId, EventId, Invalid, Timestamp};
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

/// A page of what was looked for without an index that knows it: it may be short, or empty, though
/// there is more.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "FoundOf{T}")]
pub struct Found<T> {
    /// What was found.
    pub data: Vec<T>,
    /// What to pass as `after` to go on; `null` if everything has been looked at.
    pub next: Option<String>,
    /// How many were looked at for it.
    pub scanned: usize,
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

/// Reads a place in a list of deliveries.
pub(crate) fn read_place(text: &str) -> Result<DeliveryId, Problem> {
    let last = EventId::floor(Timestamp::from_millis(u64::MAX));
    text.parse()
        .ok()
        .filter(|id: &DeliveryId| id.event <= last)
        .ok_or_else(unknown_place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_no_page_could_have_ended_at_is_refused() {
        let event = EventId::generate(Timestamp::from_millis(5), [1; 10]);
        let place = format!("{event}_a");
        assert_eq!(read_place(&place).unwrap().to_string(), place);
        for bad in ["", "x", "ffffffff-ffff-7fff-8fff-ffffffffffff_a"] {
            assert!(read_place(bad).is_err(), "{bad}");
        }
    }
}
