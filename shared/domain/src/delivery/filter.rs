//! Which deliveries are meant: of a list, an export, or a job.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Attempt, AttemptResult, Delivery, RESOLVED, Status};
use crate::matching::EventType;
use crate::{DeliveryId, EndpointId, EventId, Invalid, Timestamp};

/// Most deliveries that can be named one by one.
pub const MAX_IDS: usize = 100;
/// The longest text that failures are searched for, in bytes.
const MAX_TEXT_BYTES: usize = 256;

/// A status as the API names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub enum StatusName {
    /// Accepted, and not attempted yet.
    Pending,
    /// Attempted, and to be attempted again.
    Retrying,
    /// Waits in the table for its time.
    Parked,
    /// Waits behind an open breaker or a pause.
    Held,
    /// Accepted by the endpoint.
    Delivered,
    /// Given up, and nobody has dealt with it.
    Dead,
    /// Called off.
    Cancelled,
}

impl StatusName {
    /// Every status that can be asked for.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Retrying,
        Self::Parked,
        Self::Held,
        Self::Delivered,
        Self::Dead,
        Self::Cancelled,
    ];

    /// The name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Retrying => "retrying",
            Self::Parked => "parked",
            Self::Held => "held",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for StatusName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for StatusName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text == "failed" {
            return Ok(Self::Dead);
        }
        let named = |status: &Self| status.as_str() == text;
        Self::ALL.into_iter().find(named).ok_or_else(|| {
            Invalid::new(
                "status",
                "must be one of pending, retrying, parked, held, delivered, dead, cancelled",
            )
        })
    }
}

impl TryFrom<String> for StatusName {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<StatusName> for String {
    fn from(status: StatusName) -> Self {
        status.as_str().to_owned()
    }
}

/// Which deliveries are meant. Everything that is given must hold; a job wants `all` said if
/// nothing is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeliveryFilter {
    /// Every one of the tenant.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// These.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub delivery_ids: Vec<DeliveryId>,
    /// Those of one event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<EventId>,
    /// Those to one endpoint.
    #[serde(skip_serializing_if = "Option::is_none", alias = "subscriber_id")]
    pub endpoint_id: Option<EndpointId>,
    /// Those of events of one type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<EventType>,
    /// Those that stand so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusName>,
    /// Dead letters that somebody has dealt with, or those that nobody has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved: Option<bool>,
    /// Those whose last failure was of this kind (`timeout`, `http_503`, `http_5xx`), or that were
    /// given up for this reason (`expired`, `endpoint_disabled`).
    #[serde(
        skip_serializing_if = "Option::is_none",
        alias = "failure_kind",
        alias = "failure_reason"
    )]
    pub failure: Option<String>,
    /// Those with a failure that has this text in its words or in the answer, in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Those of events accepted at or after this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Those of events accepted before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
}

impl DeliveryFilter {
    fn is_narrowed(&self) -> bool {
        !self.delivery_ids.is_empty()
            || self.event_id.is_some()
            || self.endpoint_id.is_some()
            || self.event_type.is_some()
            || self.status.is_some()
            || self.resolved.is_some()
            || self.failure.is_some()
            || self.q.is_some()
            || self.from.is_some()
            || self.to.is_some()
    }

    /// Checks that a job's filter says which deliveries are meant, and that it can mean any.
    ///
    /// # Errors
    /// An empty filter, contradictions, too many ids.
    pub fn check(&self) -> Result<(), Invalid> {
        let narrowed = self.is_narrowed();
        if !narrowed && !self.all {
            return Err(Invalid::new(
                "filter",
                "must say which dead letters, or other deliveries, are meant; {\"all\": true} for every one",
            ));
        }
        if narrowed && self.all {
            return Err(Invalid::new(
                "filter.all",
                "must not be mixed with other conditions",
            ));
        }
        self.check_values().map_err(|invalid| Invalid {
            field: format!("filter.{}", invalid.field).into(),
            ..invalid
        })
    }

    /// Checks what is given.
    ///
    /// # Errors
    /// Contradictions, too many ids, too long a text.
    pub fn check_values(&self) -> Result<(), Invalid> {
        if self.delivery_ids.len() > MAX_IDS {
            return Err(Invalid::new(
                "delivery_ids",
                "must name at most 100 deliveries",
            ));
        }
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from >= to
        {
            return Err(Invalid::new("to", "must be later than `from`"));
        }
        if self.resolved.is_some() && !matches!(self.status, None | Some(StatusName::Dead)) {
            return Err(Invalid::new(
                "resolved",
                "is said of dead letters only: leave `status` out, or make it `dead`",
            ));
        }
        for (name, text) in [("q", &self.q), ("failure", &self.failure)] {
            if text
                .as_ref()
                .is_some_and(|text| text.is_empty() || text.len() > MAX_TEXT_BYTES)
            {
                return Err(Invalid::new(name, "must be 1 to 256 bytes"));
            }
        }
        Ok(())
    }

    /// The name in the index by status under which everything is that the filter can mean, if one
    /// name is enough and everything is indexed.
    pub(super) fn index_name(&self) -> Option<&'static str> {
        match (self.status, self.resolved) {
            (_, Some(true)) => Some(RESOLVED),
            (_, Some(false)) => Some(StatusName::Dead.as_str()),
            // What has no record yet is in no index, and neither is what was delivered.
            (None | Some(StatusName::Pending | StatusName::Delivered), None) => None,
            (Some(status), None) => Some(status.as_str()),
        }
    }

    /// Whether this delivery is meant.
    pub fn matches(&self, delivery: &Delivery) -> bool {
        self.could_match(&delivery.id)
            && self
                .event_type
                .as_ref()
                .is_none_or(|wanted| *wanted == delivery.event_type)
            && self.has_status(delivery)
            && self
                .failure
                .as_ref()
                .is_none_or(|name| failed_so(delivery, name))
            && self.q.as_ref().is_none_or(|text| tells_of(delivery, text))
    }

    /// Whether this delivery is meant, as far as its id tells.
    pub fn could_match(&self, id: &DeliveryId) -> bool {
        let accepted = id.event.time();
        (self.delivery_ids.is_empty() || self.delivery_ids.contains(id))
            && self.event_id.is_none_or(|event| event == id.event)
            && self
                .endpoint_id
                .as_ref()
                .is_none_or(|wanted| *wanted == id.endpoint)
            && self.from.is_none_or(|from| accepted >= from)
            && self.to.is_none_or(|to| accepted < to)
    }

    fn has_status(&self, delivery: &Delivery) -> bool {
        if matches!(delivery.status, Status::Deleted { .. }) {
            return false;
        }
        let is_dead = matches!(delivery.status, Status::Dead { .. });
        let is_resolved = delivery.resolution.is_some();
        if let Some(resolved) = self.resolved {
            return is_dead && is_resolved == resolved;
        }
        // Asked for by its status, a dead letter is one that still needs somebody.
        self.status.is_none_or(|status| {
            status.as_str() == delivery.status_name() && !(is_dead && is_resolved)
        })
    }
}

/// Whether its last failure, or the reason why it was given up, has this name.
fn failed_so(delivery: &Delivery, name: &str) -> bool {
    let given_up_so =
        matches!(delivery.status, Status::Dead { reason, .. } if reason.as_str() == name);
    given_up_so
        || delivery
            .last_failure()
            .and_then(Attempt::failure)
            .is_some_and(|kind| kind.is_named(name))
}

/// Whether the words of any of its failures have this text in them.
fn tells_of(delivery: &Delivery, text: &str) -> bool {
    let text = text.to_lowercase();
    let has = |words: &str| words.to_lowercase().contains(&text);
    has(&delivery.failure_reason())
        || delivery.log.iter().any(|attempt| match &attempt.result {
            AttemptResult::Accepted(_) => false,
            AttemptResult::Failed { kind, response, .. } => {
                has(&attempt.describe()) || has(&kind.to_string()) || has(response)
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TenantId;
    use crate::delivery::{DeadReason, FailureKind, Resolution};

    const NOW: Timestamp = Timestamp::from_millis(1_795_262_400_000);

    fn delivery() -> Delivery {
        let id = DeliveryId {
            event: EventId::generate(NOW, [1; 10]),
            endpoint: "ep_1".parse().unwrap(),
        };
        Delivery::new(id, TenantId::default(), "order.created".parse().unwrap())
    }

    fn failed() -> Delivery {
        delivery().with_attempt(Attempt {
            number: 0,
            cycle: 0,
            at: NOW,
            latency_ms: 1,
            result: AttemptResult::Failed {
                kind: FailureKind::Http(503),
                detail: "Service Unavailable".to_owned(),
                response: "try the Blue one".to_owned(),
            },
        })
    }

    fn filter(json: serde_json::Value) -> DeliveryFilter {
        serde_json::from_value(json).unwrap()
    }

    fn resolution() -> Resolution {
        Resolution {
            at: NOW,
            by: String::new(),
            note: String::new(),
        }
    }

    #[test]
    fn a_failure_is_found_by_its_name_and_by_its_words() {
        let dead = failed().dead(DeadReason::AttemptsExhausted, NOW);
        for meant in [
            serde_json::json!({"failure": "http_5xx"}),
            serde_json::json!({"failure_kind": "attempts_exhausted"}),
            serde_json::json!({"q": "UNAVAILABLE"}),
            serde_json::json!({"q": "blue"}),
            serde_json::json!({"q": "http_503", "subscriber_id": "ep_1"}),
            serde_json::json!({"status": "failed"}),
            serde_json::json!({"resolved": false}),
        ] {
            assert!(filter(meant.clone()).matches(&dead), "{meant}");
        }
        for not_meant in [
            serde_json::json!({"failure": "timeout"}),
            serde_json::json!({"q": "red"}),
            serde_json::json!({"endpoint_id": "ep_2"}),
            serde_json::json!({"status": "retrying"}),
            serde_json::json!({"resolved": true}),
            serde_json::json!({"to": NOW}),
            serde_json::json!({"event_type": "order"}),
        ] {
            assert!(!filter(not_meant.clone()).matches(&dead), "{not_meant}");
        }
    }

    #[test]
    fn what_is_resolved_is_found_by_that_and_what_is_deleted_by_nothing() {
        let resolved = failed().dead(DeadReason::Gone, NOW).resolved(resolution());
        assert!(filter(serde_json::json!({"resolved": true})).matches(&resolved));
        assert!(filter(serde_json::json!({"event_type": "order.created"})).matches(&resolved));
        assert!(!filter(serde_json::json!({"status": "dead"})).matches(&resolved));
        let forgotten = resolved.deleted(NOW);
        assert!(!DeliveryFilter::default().matches(&forgotten));
        assert!(!filter(serde_json::json!({"resolved": true})).matches(&forgotten));
    }

    #[test]
    fn a_job_says_whom_it_means() {
        assert!(filter(serde_json::json!({})).check().is_err());
        assert!(filter(serde_json::json!({"all": true})).check().is_ok());
        for (bad, field) in [
            (serde_json::json!({"all": true, "q": "x"}), "filter.all"),
            (serde_json::json!({"q": ""}), "filter.q"),
            (serde_json::json!({"from": NOW, "to": NOW}), "filter.to"),
            (
                serde_json::json!({"status": "parked", "resolved": true}),
                "filter.resolved",
            ),
        ] {
            assert_eq!(filter(bad).check().unwrap_err().field, field);
        }
    }
}
