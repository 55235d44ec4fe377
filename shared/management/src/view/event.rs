//! Events.

use hookpost_domain::delivery::Delivery;
use hookpost_domain::event::Event;
use hookpost_domain::event::EventOutline;
use hookpost_domain::matching::EventType;
use hookpost_domain::{DeliveryId, EndpointId, EventId, TenantId, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

/// An event with where its deliveries stand.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Event")]
pub struct EventView {
    /// Its id.
    pub id: EventId,
    /// The caller's own id.
    pub alias: Option<String>,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its type.
    pub event_type: EventType,
    /// When it was accepted.
    pub timestamp: Timestamp,
    /// When it goes out, if that is later than it was accepted.
    pub deliver_at: Option<Timestamp>,
    /// The payload, passed through as it was posted: what is legal JSON need not fit a number or a
    /// depth that others can hold.
    #[schemars(with = "serde_json::Value")]
    pub payload: Box<RawValue>,
    /// The attributes of the CloudEvent that it was posted as.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub cloud_event: Option<Box<RawValue>>,
    /// Where its deliveries stand.
    pub deliveries: Vec<DeliverySummary>,
}

/// An event in a list: without its payload, and with the number of its deliveries only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "EventInList")]
pub struct EventSummary {
    /// Its id.
    pub id: EventId,
    /// The caller's own id.
    pub alias: Option<String>,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its type.
    pub event_type: EventType,
    /// When it was accepted.
    pub timestamp: Timestamp,
    /// When it goes out, if that is later than it was accepted.
    pub deliver_at: Option<Timestamp>,
    /// How many endpoints it matched.
    pub delivery_count: usize,
}

/// What came of calling an event's deliveries off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "EventCancelled")]
pub struct CancelledView {
    /// The event.
    pub id: EventId,
    /// Deliveries that were called off, now or before.
    pub cancelled: usize,
    /// Deliveries that had ended otherwise already, and stay so.
    pub finished: usize,
}

impl From<EventOutline> for EventSummary {
    fn from(outline: EventOutline) -> Self {
        Self {
            id: outline.id,
            alias: outline.alias,
            tenant: outline.tenant,
            event_type: outline.event_type,
            timestamp: outline.id.time(),
            deliver_at: outline.deliver_at,
            delivery_count: outline.endpoints.len(),
        }
    }
}

impl From<Event> for EventSummary {
    fn from(event: Event) -> Self {
        Self {
            id: event.id,
            timestamp: event.accepted_at(),
            alias: event.alias,
            tenant: event.tenant,
            event_type: event.event_type,
            deliver_at: event.deliver_at,
            delivery_count: event.endpoints.len(),
        }
    }
}

/// Where a delivery stands.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DeliverySummary {
    /// Which delivery.
    pub id: DeliveryId,
    /// To which endpoint.
    pub endpoint_id: EndpointId,
    /// Where it stands.
    pub status: &'static str,
    /// Attempts in this cycle.
    pub attempts: u32,
    /// When the last one began.
    pub last_attempt_at: Option<Timestamp>,
}

/// Where an event stands, over all of its deliveries.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "EventStatus")]
pub struct EventStatusView {
    /// Which event.
    pub event_id: EventId,
    /// `delivered` only if all are; `pending` or `retrying` while any is under way; else `dead` if
    /// any is, or `cancelled`; `unmatched` if no endpoint wanted it.
    pub status: &'static str,
    /// Attempts of all of them, in their cycles.
    pub attempts: u32,
    /// When the last of any began.
    pub last_attempt: Option<Timestamp>,
    /// Each of them.
    pub deliveries: Vec<DeliverySummary>,
}

impl EventStatusView {
    /// An event's status from its deliveries.
    pub fn of(event_id: EventId, deliveries: &[Delivery]) -> Self {
        Self {
            event_id,
            status: together(deliveries),
            attempts: deliveries.iter().map(|delivery| delivery.attempts).sum(),
            last_attempt: deliveries
                .iter()
                .filter_map(|delivery| Some(delivery.log.last()?.at))
                .max(),
            deliveries: deliveries.iter().map(DeliverySummary::of).collect(),
        }
    }
}

/// The status of many deliveries as one.
fn together(deliveries: &[Delivery]) -> &'static str {
    let any = |name: &str| {
        deliveries
            .iter()
            .any(|delivery| delivery.status_name() == name)
    };
    let is_under_way = deliveries.iter().any(|delivery| !delivery.is_final());
    if deliveries.is_empty() {
        "unmatched"
    } else if is_under_way && deliveries.iter().all(|delivery| delivery.log.is_empty()) {
        "pending"
    } else if is_under_way {
        "retrying"
    } else if any("dead") {
        "dead"
    } else if any("cancelled") {
        "cancelled"
    } else {
        // What was deleted was over, and is not told of.
        "delivered"
    }
}

impl EventView {
    /// An event with its deliveries.
    pub fn of(event: Event, deliveries: &[Delivery]) -> Self {
        Self {
            id: event.id,
            timestamp: event.accepted_at(),
            deliver_at: event.deliver_at,
            alias: event.alias,
            tenant: event.tenant,
            event_type: event.event_type,
            payload: event.payload,
            cloud_event: event.cloud_event,
            deliveries: deliveries.iter().map(DeliverySummary::of).collect(),
        }
    }
}

impl DeliverySummary {
    /// A delivery in short.
    pub fn of(delivery: &Delivery) -> Self {
        Self {
            id: delivery.id.clone(),
            endpoint_id: delivery.id.endpoint.clone(),
            status: delivery.status_name(),
            attempts: delivery.attempts,
            last_attempt_at: delivery.log.last().map(|attempt| attempt.at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_delivered_when_all_of_its_deliveries_are() {
        use hookpost_domain::delivery::{Attempt, AttemptResult, DeadReason};
        let now = Timestamp::from_millis(1);
        let event = EventId::generate(now, [1; 10]);
        let fresh = |endpoint: &str| {
            let endpoint = endpoint.parse().unwrap();
            let id = DeliveryId { event, endpoint };
            Delivery::new(id, TenantId::default(), "a".parse().unwrap())
        };
        let tried = fresh("a").with_attempt(Attempt {
            number: 0,
            cycle: 0,
            at: now,
            latency_ms: 1,
            result: AttemptResult::Accepted(200),
        });
        let done = tried.delivered(now);
        let dead = fresh("b").dead(DeadReason::Expired, now);
        for (deliveries, status) in [
            (vec![], "unmatched"),
            (vec![fresh("a"), fresh("b")], "pending"),
            (vec![done.clone(), fresh("b")], "retrying"),
            (vec![done.clone(), dead.clone()], "dead"),
            (vec![done.clone(), fresh("b").cancelled(now)], "cancelled"),
            (vec![done.clone(), done.clone()], "delivered"),
        ] {
            let shown = EventStatusView::of(event, &deliveries);
            assert_eq!(shown.status, status);
        }
        let shown = EventStatusView::of(event, &[done, dead]);
        assert_eq!((shown.attempts, shown.last_attempt), (1, Some(now)));
    }

    #[test]
    fn an_event_shows_its_payload_byte_by_byte() {
        let nested = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for payload in [
            "1e999",
            "{\"a\": 1.10,\"b\":12345678901234567890123}",
            &nested,
        ] {
            let event = Event {
                id: EventId::generate(Timestamp::from_millis(1), [1; 10]),
                tenant: TenantId::default(),
                event_type: "a".parse().unwrap(),
                payload: RawValue::from_string(payload.to_owned()).unwrap(),
                alias: None,
                endpoints: Vec::new(),
                deliver_at: None,
                cloud_event: None,
                traceparent: None,
            };
            let shown = serde_json::to_string(&EventView::of(event, &[])).unwrap();
            assert!(
                shown.contains(&format!("\"payload\":{payload},")),
                "{shown}"
            );
        }
    }
}
