//! How deliveries are found: the cheapest way there is for a filter.
//!
//! What was delivered at its first attempt is in no index, as that would double its price. So each
//! filter has its own way: through the records of one event or one endpoint, through the sparse
//! index by status, or through the events themselves.

use super::{DeliveryFilter, RESOLVED, StatusName};
use crate::action::Action;
use crate::{DeliveryId, EndpointId, EventId};

/// A way to find deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// These, by their ids.
    Ids,
    /// One event, and the records to each of its endpoints. What has no record is pending.
    Event(EventId),
    /// The records of one endpoint, shard by shard.
    Endpoint(EndpointId),
    /// The index by status, under one name.
    Index(&'static str),
    /// The tenant's events, and the records to each of their endpoints.
    Events,
}

impl DeliveryFilter {
    /// The way for a list of what the filter means.
    pub fn way(&self) -> Way {
        if let Some(event) = self.event_id {
            return Way::Event(event);
        }
        if let Some(name) = self.index_name() {
            return Way::Index(name);
        }
        match (&self.endpoint_id, self.status) {
            // An endpoint's records know nothing of what has none.
            (_, Some(StatusName::Pending)) | (None, _) => Way::Events,
            (Some(endpoint), _) => Way::Endpoint(endpoint.clone()),
        }
    }
}

/// A part of a job: deliveries that are found in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// How they are found.
    pub way: Way,
    /// The only ones that count among those, so that no two passes count the same.
    pub only: Only,
}

/// Which deliveries of a pass count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    /// All.
    Any,
    /// Those that are delivered: the others are found by their status.
    Delivered,
    /// Those that have no record: the others are found by their status.
    Unwritten,
}

/// The parts of a job: where everything is that `filter` means and `action` can be done to, each
/// in one of them.
pub fn passes(action: Action, filter: &DeliveryFilter) -> Vec<Pass> {
    let any = |way| Pass {
        way,
        only: Only::Any,
    };
    if !filter.delivery_ids.is_empty() {
        return vec![any(Way::Ids)];
    }
    if let Some(event) = filter.event_id {
        return vec![any(Way::Event(event))];
    }
    let statuses = action.statuses();
    let is_wanted = |status: &StatusName| match (filter.status, filter.resolved) {
        (_, Some(_)) => *status == StatusName::Dead,
        (Some(wanted), None) => *status == wanted,
        (None, None) => true,
    };
    let mut passes = Vec::new();
    for status in statuses.iter().copied().filter(is_wanted) {
        match status {
            StatusName::Delivered => {
                let way = filter
                    .endpoint_id
                    .clone()
                    .map_or(Way::Events, Way::Endpoint);
                passes.push(Pass {
                    way,
                    only: Only::Delivered,
                });
            }
            StatusName::Dead => {
                if filter.resolved != Some(true) {
                    passes.push(any(Way::Index(status.as_str())));
                }
                let also_resolved = action == Action::Delete && filter.status.is_none();
                if filter.resolved == Some(true) || (also_resolved && filter.resolved.is_none()) {
                    passes.push(any(Way::Index(RESOLVED)));
                }
            }
            StatusName::Pending => {
                passes.push(any(Way::Index(status.as_str())));
                // There is nothing to do for one whose first message is on its way but to call it
                // off.
                if action == Action::Cancel {
                    passes.push(Pass {
                        way: Way::Events,
                        only: Only::Unwritten,
                    });
                }
            }
            StatusName::Retrying
            | StatusName::Parked
            | StatusName::Held
            | StatusName::Cancelled => passes.push(any(Way::Index(status.as_str()))),
        }
    }
    passes
}

/// An event's deliveries, in the order of its endpoints, but for those up to `after`; none, if it
/// names an endpoint that the event did not match.
pub fn rest_of(
    event: EventId,
    endpoints: &[EndpointId],
    after: Option<&DeliveryId>,
) -> Vec<DeliveryId> {
    let begun = after.filter(|after| after.event == event);
    let skip = begun.map_or(0, |after| {
        let place = endpoints.iter().position(|id| *id == after.endpoint);
        place.map_or(endpoints.len(), |place| place + 1)
    });
    let rest = endpoints.iter().skip(skip);
    rest.map(|endpoint| DeliveryId {
        event,
        endpoint: endpoint.clone(),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use serde_json::json;

    fn filter(json: serde_json::Value) -> DeliveryFilter {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_list_goes_the_cheapest_way() {
        let event = "01978f3c-7a00-7000-8000-000000000001";
        let endpoint = || Way::Endpoint("ep_1".parse().unwrap());
        for (asked, way) in [
            (json!({}), Way::Events),
            (json!({"q": "x"}), Way::Events),
            (json!({"status": "delivered"}), Way::Events),
            (
                json!({"status": "pending", "endpoint_id": "ep_1"}),
                Way::Events,
            ),
            (json!({"endpoint_id": "ep_1"}), endpoint()),
            (
                json!({"endpoint_id": "ep_1", "status": "delivered"}),
                endpoint(),
            ),
            (
                json!({"endpoint_id": "ep_1", "status": "held"}),
                Way::Index("held"),
            ),
            (json!({"status": "failed"}), Way::Index("dead")),
            (json!({"resolved": true}), Way::Index("resolved")),
            (json!({"resolved": false}), Way::Index("dead")),
            (
                json!({"event_id": event, "status": "dead", "endpoint_id": "ep_1"}),
                Way::Event(event.parse().unwrap()),
            ),
        ] {
            assert_eq!(filter(asked.clone()).way(), way, "{asked}");
        }
    }

    fn names(action: Action, asked: serde_json::Value) -> Vec<String> {
        let name = |pass: Pass| match (pass.way, pass.only) {
            (Way::Index(name), _) => name.to_owned(),
            (way, Only::Any) => format!("{way:?}"),
            (way, only) => format!("{way:?} {only:?}"),
        };
        passes(action, &filter(asked))
            .into_iter()
            .map(name)
            .collect()
    }

    #[test]
    fn a_job_finds_everything_it_can_do_something_about_once() {
        let all = || json!({"all": true});
        assert_eq!(names(Action::Replay, all()), ["dead"]);
        assert_eq!(
            names(Action::Replay, json!({"resolved": true})),
            ["resolved"]
        );
        assert_eq!(names(Action::Resolve, all()), ["dead"]);
        // What is replayed is pending, and would be met again if those came later.
        assert_eq!(
            names(Action::Retry, all()),
            ["pending", "retrying", "parked", "held", "dead"]
        );
        assert_eq!(
            names(Action::Cancel, all()),
            ["pending", "Events Unwritten", "retrying", "parked", "held"]
        );
        assert_eq!(
            names(Action::Delete, all()),
            ["dead", "resolved", "cancelled", "Events Delivered"]
        );
        assert_eq!(names(Action::Delete, json!({"status": "dead"})), ["dead"]);
        assert_eq!(
            names(
                Action::Delete,
                json!({"status": "delivered", "endpoint_id": "ep_1"})
            ),
            ["Endpoint(EndpointId(\"ep_1\")) Delivered"]
        );
        assert!(names(Action::Cancel, json!({"status": "dead"})).is_empty());
    }

    #[test]
    fn an_event_is_gone_on_with_where_it_was_left() {
        let event = EventId::generate(Timestamp::from_millis(1), [1; 10]);
        let other = EventId::generate(Timestamp::from_millis(2), [1; 10]);
        let endpoints: Vec<EndpointId> = ["c", "a", "b"].map(|id| id.parse().unwrap()).to_vec();
        let rest = |event: EventId, endpoint: &str| {
            let after = DeliveryId {
                event,
                endpoint: endpoint.parse().unwrap(),
            };
            let ids = rest_of(self::event(), &endpoints, Some(&after));
            ids.iter()
                .map(|id| id.endpoint.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(rest(event, "c"), ["a", "b"]);
        assert_eq!(rest(event, "b"), Vec::<String>::new());
        assert_eq!(rest(event, "-"), Vec::<String>::new());
        assert_eq!(rest(other, "c"), ["c", "a", "b"]);
    }

    fn event() -> EventId {
        EventId::generate(Timestamp::from_millis(1), [1; 10])
    }
}
