//! Who plays, and what happens: the endpoints and the events of the demonstration.

use serde_json::{Value, json};

use super::api::Status;

/// Endpoints of the demonstration are told by this beginning of their name.
pub(super) const NAME_PREFIX: &str = "Demo: ";
/// The endpoint that is down, and up again for the replay.
pub(super) const REPAIRED: &str = "accounting";

/// An endpoint, and its part in the play.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) name: &'static str,
    /// What it does, for the audience.
    pub(super) part: &'static str,
    /// On the receiver.
    pub(super) path: String,
    pub(super) query: Option<&'static str>,
    /// The status that its switch is set to, where its path is one.
    pub(super) switch: Option<u16>,
    pub(super) event_types: &'static [&'static str],
    pub(super) retry: Option<Value>,
    /// How its deliveries have to end.
    pub(super) ends: Status,
    /// Known once it is registered.
    pub(super) id: String,
}

impl Endpoint {
    pub(super) fn asks_for(&self, event_type: &str) -> bool {
        self.event_types
            .iter()
            .any(|wanted| match wanted.strip_suffix('*') {
                Some(beginning) => event_type.starts_with(beginning),
                None => event_type == *wanted,
            })
    }
}

/// An event of the play.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) event_type: &'static str,
    payload: &'static str,
}

impl Event {
    pub(super) fn payload(&self) -> Value {
        // Its own text, and tested.
        serde_json::from_str(self.payload).unwrap_or_default()
    }
}

pub(super) const EVENTS: &[Event] = &[
    Event {
        event_type: "order.created",
        payload: r#"{"order_id":"ord_1042","customer_id":"cus_77","total":129.90,"currency":"EUR"}"#,
    },
    Event {
        event_type: "order.paid",
        payload: r#"{"order_id":"ord_1042","method":"card","amount":129.90,"currency":"EUR"}"#,
    },
    Event {
        event_type: "customer.updated",
        payload: r#"{"customer_id":"cus_77","changed":["address"]}"#,
    },
];

/// The endpoints of one run.
pub(super) fn cast(run: &str) -> Vec<Endpoint> {
    vec![
        Endpoint {
            name: "shop",
            part: "accepts everything",
            path: format!("/success/{run}-shop"),
            query: None,
            switch: None,
            event_types: &["order.*", "customer.*"],
            retry: None,
            ends: Status::Delivered,
            id: String::new(),
        },
        Endpoint {
            name: "warehouse",
            part: "fails twice, then accepts",
            path: format!("/flaky/{run}-warehouse"),
            query: Some("fail=2"),
            switch: None,
            event_types: &["order.created"],
            retry: None,
            ends: Status::Delivered,
            id: String::new(),
        },
        Endpoint {
            name: REPAIRED,
            part: "is down, and given up after three attempts",
            path: format!("/switch/{run}-accounting"),
            query: None,
            switch: Some(503),
            event_types: &["order.paid"],
            retry: Some(json!({ "delays": ["0s", "1s", "1s"] })),
            ends: Status::Delivered,
            id: String::new(),
        },
        Endpoint {
            name: "old-partner",
            part: "has gone for good: 410",
            path: format!("/gone/{run}-old-partner"),
            query: None,
            switch: None,
            event_types: &["order.created"],
            retry: None,
            ends: Status::Dead,
            id: String::new(),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_a_payload_and_an_audience() {
        let endpoints = cast("run");
        for event in EVENTS {
            assert!(event.payload().is_object(), "{}", event.event_type);
            let asks = |endpoint: &Endpoint| endpoint.asks_for(event.event_type);
            assert!(endpoints.iter().any(asks), "{}", event.event_type);
        }
    }
}
