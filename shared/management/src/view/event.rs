//! Events.

use hookpost_domain::delivery::Delivery;
use hookpost_domain::event::Event;
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
    /// The payload, passed through as it was posted: what is legal JSON need not fit a number or a
    /// depth that others can hold.
    #[schemars(with = "serde_json::Value")]
    pub payload: Box<RawValue>,
    /// Where its deliveries stand.
    pub deliveries: Vec<DeliverySummary>,
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

impl EventView {
    /// An event with its deliveries.
    pub fn of(event: Event, deliveries: &[Delivery]) -> Self {
        Self {
            id: event.id,
            timestamp: event.accepted_at(),
            alias: event.alias,
            tenant: event.tenant,
            event_type: event.event_type,
            payload: event.payload,
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
            };
            let shown = serde_json::to_string(&EventView::of(event, &[])).unwrap();
            assert!(
                shown.contains(&format!("\"payload\":{payload},")),
                "{shown}"
            );
        }
    }
}
