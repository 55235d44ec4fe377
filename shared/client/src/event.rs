//! What is published.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::world;

/// The last second that RFC 3339 can write, 9999-12-31T23:59:59Z.
const LATEST: Duration = Duration::from_secs(253_402_300_799);

/// An event. One value is one event: published again, because it is not known whether the first
/// time got through, it is sent to nobody twice.
#[derive(Debug, Clone)]
pub struct Event {
    kind: String,
    payload: Box<RawValue>,
    id: Option<String>,
    tenant: Option<String>,
    deliver_at: Option<SystemTime>,
    key: Key,
}

/// What tells a repeat from a new event.
#[derive(Debug, Clone)]
enum Key {
    Made(String),
    Given(String),
}

/// An event as it is posted.
#[derive(Debug, Serialize)]
pub(crate) struct Posted<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    event_type: &'a str,
    payload: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deliver_at: Option<String>,
    /// In a batch only: a single event has a header for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
}

impl Event {
    /// An event of a type such as `order.created`, with anything that becomes JSON as its payload.
    ///
    /// # Errors
    /// The payload does not become JSON, like a map whose keys are no text.
    pub fn new(
        event_type: impl Into<String>,
        payload: &(impl Serialize + ?Sized),
    ) -> Result<Self, serde_json::Error> {
        Ok(Self {
            kind: event_type.into(),
            payload: serde_json::value::to_raw_value(payload)?,
            id: None,
            tenant: None,
            deliver_at: None,
            key: Key::Made(world::unique_key()),
        })
    }

    /// With an id of your own: it is kept with the event, and is what tells a repeat from a new
    /// event, across processes too.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// With a key of your own in place of the one that is made for each event: 1 to 255 printable
    /// ASCII characters.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.key = Key::Given(key.into());
        self
    }

    /// For this tenant, with a key that may speak for all.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// Not to be delivered before this time, at most 365 days ahead.
    #[must_use]
    pub fn deliver_at(mut self, time: SystemTime) -> Self {
        self.deliver_at = Some(time);
        self
    }

    /// Its type.
    pub fn event_type(&self) -> &str {
        &self.kind
    }

    /// Its payload, as it is sent.
    pub fn payload(&self) -> &RawValue {
        &self.payload
    }

    /// The key that it is sent with. An event with an id of its own needs none.
    pub(crate) fn key(&self) -> Option<&str> {
        match (&self.key, &self.id) {
            (Key::Given(key), _) | (Key::Made(key), None) => Some(key),
            (Key::Made(_), Some(_)) => None,
        }
    }

    pub(crate) fn own_id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    pub(crate) fn own_tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    pub(crate) fn due(&self) -> Option<SystemTime> {
        self.deliver_at
    }

    /// The body of a call of its own.
    pub(crate) fn posted(&self) -> Posted<'_> {
        Posted {
            id: self.id.as_deref(),
            event_type: &self.kind,
            payload: &self.payload,
            tenant: self.tenant.as_deref(),
            deliver_at: self.deliver_at.map(rfc3339),
            idempotency_key: None,
        }
    }

    /// Its place in the body of a batch.
    pub(crate) fn posted_in_batch(&self) -> Posted<'_> {
        Posted {
            idempotency_key: self.key(),
            ..self.posted()
        }
    }
}

/// In UTC. What lies outside of what can be written is cut to it.
fn rfc3339(time: SystemTime) -> String {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    humantime::format_rfc3339_millis(SystemTime::UNIX_EPOCH + since.min(LATEST)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event() -> Event {
        Event::new("order.created", &json!({ "n": 1 })).unwrap()
    }

    #[test]
    fn only_what_is_set_is_posted() {
        let posted = |event: &Event| serde_json::to_value(event.posted()).unwrap();
        let bare = json!({ "event_type": "order.created", "payload": { "n": 1 } });
        assert_eq!(posted(&event()), bare);
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_262_400_123);
        let full = event().id("o-1").tenant("acme").deliver_at(at);
        let full = posted(&full);
        assert_eq!(full["deliver_at"], "2026-11-21T12:00:00.123Z");
        assert_eq!(
            (&full["id"], &full["tenant"]),
            (&json!("o-1"), &json!("acme"))
        );
    }

    #[test]
    fn the_key_is_the_same_for_copies_and_another_for_each_event() {
        let one = event();
        assert_eq!(one.key(), one.clone().tenant("acme").key());
        assert_ne!(one.key(), event().key());
        let key = one.key().unwrap();
        assert!(key.len() <= 255 && key.bytes().all(|b| b.is_ascii_graphic()));
    }

    #[test]
    fn an_id_of_ones_own_is_the_key_unless_one_is_given() {
        assert_eq!(event().id("o-1").key(), None);
        assert_eq!(event().id("o-1").idempotency_key("k").key(), Some("k"));
        assert_eq!(event().idempotency_key("k").id("o-1").key(), Some("k"));
    }

    #[test]
    fn no_time_is_too_early_or_too_late_to_write() {
        let (early, late) = (Duration::from_secs(5), LATEST + Duration::from_secs(5));
        assert_eq!(
            rfc3339(SystemTime::UNIX_EPOCH - early),
            "1970-01-01T00:00:00.000Z"
        );
        assert_eq!(
            rfc3339(SystemTime::UNIX_EPOCH + late),
            "9999-12-31T23:59:59.000Z"
        );
    }
}
