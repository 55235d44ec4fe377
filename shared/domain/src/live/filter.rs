//! What a watcher wants to see.

use serde::{Deserialize, Serialize};

use super::{Outcome, Shown};
use crate::matching::EventPattern;
use crate::{EndpointId, Invalid};

/// Most endpoints, and most patterns, in one filter: who watches is one small item.
const MAX_NAMED: usize = 10;

/// Of each part any one has to hold; a part that names nothing holds always.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LiveFilter {
    /// Attempts at these endpoints.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub endpoint_ids: Vec<EndpointId>,
    /// Of events of these types: `order.created`, `order.*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub event_types: Vec<EventPattern>,
    /// That came to this.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<Outcome>,
}

impl LiveFilter {
    /// A filter that is small enough to be kept.
    ///
    /// # Errors
    /// Too much is named.
    pub fn bounded(self) -> Result<Self, Invalid> {
        let lengths = [
            ("filter.endpoint_ids", self.endpoint_ids.len()),
            ("filter.event_types", self.event_types.len()),
            ("filter.outcomes", self.outcomes.len()),
        ];
        match lengths.into_iter().find(|(_, length)| *length > MAX_NAMED) {
            Some((field, _)) => Err(Invalid::new(field, "must be at most 10")),
            None => Ok(self),
        }
    }

    /// Whether an attempt is wanted.
    pub fn passes(&self, shown: &Shown) -> bool {
        let endpoint = &shown.endpoint_id;
        let event_type = &shown.event_type;
        (self.endpoint_ids.is_empty() || self.endpoint_ids.contains(endpoint))
            && (self.event_types.is_empty()
                || self
                    .event_types
                    .iter()
                    .any(|wanted| wanted.matches(event_type)))
            && (self.outcomes.is_empty() || self.outcomes.contains(&shown.outcome))
    }
}
