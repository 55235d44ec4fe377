//! Which dead letters are replayed.

use serde::{Deserialize, Serialize};

use crate::delivery::{Delivery, Status};
use crate::matching::EventType;
use crate::{DeliveryId, EndpointId, Invalid, Timestamp};

/// Most deliveries that can be named one by one.
pub const MAX_IDS: usize = 100;

/// Which dead letters are meant. Everything that is given must hold; `all` must be said if nothing
/// is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReplayFilter {
    /// Every dead letter of the tenant.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// These.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub delivery_ids: Vec<DeliveryId>,
    /// Those of one endpoint.
    #[serde(skip_serializing_if = "Option::is_none", alias = "subscriber_id")]
    pub endpoint_id: Option<EndpointId>,
    /// Those of events of one type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<EventType>,
    /// Those whose last failure was of this kind (`timeout`, `http_503`, `http_5xx`), or that were
    /// given up for this reason (`expired`, `endpoint_disabled`).
    #[serde(skip_serializing_if = "Option::is_none", alias = "failure_kind")]
    pub failure: Option<String>,
    /// Those of events accepted at or after this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Those of events accepted before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
}

impl ReplayFilter {
    /// Checks that the filter says which dead letters are meant.
    ///
    /// # Errors
    /// An empty filter, contradictions, too many ids.
    pub fn check(&self) -> Result<(), Invalid> {
        let narrowed = !self.delivery_ids.is_empty()
            || self.endpoint_id.is_some()
            || self.event_type.is_some()
            || self.failure.is_some()
            || self.from.is_some()
            || self.to.is_some();
        if !narrowed && !self.all {
            return Err(Invalid::new(
                "filter",
                "must say which dead letters are meant; {\"all\": true} for every one",
            ));
        }
        if narrowed && self.all {
            return Err(Invalid::new(
                "filter.all",
                "must not be mixed with other conditions",
            ));
        }
        if self.delivery_ids.len() > MAX_IDS {
            return Err(Invalid::new(
                "filter.delivery_ids",
                "must name at most 100 deliveries",
            ));
        }
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from >= to
        {
            return Err(Invalid::new("filter.to", "must be later than `from`"));
        }
        Ok(())
    }

    /// Whether this delivery is a dead letter, given up no later than `before`, that is meant. What
    /// dies again of a replay is not replayed by the same one.
    pub fn matches(&self, delivery: &Delivery, before: Timestamp) -> bool {
        let Status::Dead { reason, at } = delivery.status else {
            return false;
        };
        let accepted = delivery.id.event.time();
        let failed_so = |name: &String| {
            name == reason.as_str()
                || delivery
                    .last_failure()
                    .and_then(crate::delivery::Attempt::failure)
                    .is_some_and(|kind| kind.is_named(name))
        };
        at <= before
            && (self.delivery_ids.is_empty() || self.delivery_ids.contains(&delivery.id))
            && self
                .endpoint_id
                .as_ref()
                .is_none_or(|id| *id == delivery.id.endpoint)
            && self
                .event_type
                .as_ref()
                .is_none_or(|wanted| *wanted == delivery.event_type)
            && self.failure.as_ref().is_none_or(failed_so)
            && self.from.is_none_or(|from| accepted >= from)
            && self.to.is_none_or(|to| accepted < to)
    }
}
