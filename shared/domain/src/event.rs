//! An event as a caller posts it, and as it is kept.

mod outline;

use std::cell::OnceCell;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json::Document;
use crate::matching::EventType;
use crate::news;
use crate::schedule::DeliverAt;
use crate::trace::TraceParent;
use crate::{EndpointId, EventId, Invalid, TenantId, Timestamp};

pub use outline::{Bucket, EventOutline, hour_of};

/// The largest payload, in bytes of JSON.
pub const MAX_PAYLOAD_BYTES: usize = 256 * 1024;
/// Payloads up to this many bytes travel in the queue message; larger ones are read back from the
/// event.
pub const MAX_INLINE_BYTES: usize = 32 * 1024;
/// Most events in one batch call.
pub const MAX_BATCH: usize = 100;
/// Most bytes in one batch call.
pub const MAX_BATCH_BYTES: usize = 2_621_440;

/// The body of `POST /api/v1/events`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventDraft {
    /// The caller's own id: kept as an alias, and serves as idempotency key.
    #[serde(default)]
    pub id: Option<String>,
    /// The type.
    #[serde(alias = "type", alias = "event")]
    pub event_type: String,
    /// Any JSON.
    #[serde(alias = "data")]
    pub payload: Box<RawValue>,
    /// Whose event, for callers that speak for all tenants.
    #[serde(default)]
    pub tenant: Option<TenantId>,
    /// The key that the `Idempotency-Key` header is for a single event: in a batch each can have
    /// its own.
    #[serde(default)]
    pub idempotency_key: Option<String>,
    /// When it is to go out; at once without it.
    #[serde(default)]
    pub deliver_at: Option<DeliverAt>,
    /// The attributes of the CloudEvent that it was posted as.
    #[serde(skip)]
    pub cloud_event: Option<Box<RawValue>>,
}

/// An event that was accepted.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its type.
    pub event_type: EventType,
    /// The JSON that the caller posted.
    pub payload: Box<RawValue>,
    /// The caller's own id.
    pub alias: Option<String>,
    /// The endpoints that it matched when it was accepted.
    pub endpoints: Vec<EndpointId>,
    /// When it is to go out, if that was later than it was accepted.
    pub deliver_at: Option<Timestamp>,
    /// The attributes of the CloudEvent that it was posted as: everything but its data, as a JSON
    /// object.
    pub cloud_event: Option<Box<RawValue>>,
    /// The trace that its caller gave it.
    pub traceparent: Option<TraceParent>,
}

impl Event {
    /// When it was accepted.
    pub fn accepted_at(&self) -> Timestamp {
        self.id.time()
    }

    /// The trace that it belongs to: its own, if it was given none.
    pub fn trace(&self) -> TraceParent {
        self.traceparent
            .unwrap_or_else(|| TraceParent::of_event(self.id))
    }

    /// When its deliveries begin: what they may take, and what it is kept for, counts from here.
    pub fn due(&self) -> Timestamp {
        self.deliver_at.unwrap_or_else(|| self.accepted_at())
    }
}

impl EventDraft {
    /// Checks type, payload size, alias and schedule.
    ///
    /// # Errors
    /// The first field that breaks its rule.
    pub fn check(self, now: Timestamp) -> Result<CheckedDraft, Invalid> {
        news::check_posted(&self.event_type)?;
        self.check_own(now)
    }

    /// Checks that callers' events may be of a type.
    ///
    /// # Errors
    /// They may not.
    pub(crate) fn check_type(event_type: &str) -> Result<EventType, Invalid> {
        news::check_posted(event_type)?;
        event_type.parse()
    }

    /// The same for an event of Hookpost's own, with a type that callers may not use.
    ///
    /// # Errors
    /// The first field that breaks its rule.
    pub fn check_own(self, now: Timestamp) -> Result<CheckedDraft, Invalid> {
        let event_type = self.event_type.parse()?;
        if self.payload.get().len() > MAX_PAYLOAD_BYTES {
            return Err(Invalid::new(
                "payload",
                "must be at most 262144 bytes (256 KiB) of JSON",
            ));
        }
        if self.payload.get() == "null" {
            return Err(Invalid::new(
                "payload",
                "must not be null; send {} for an event without data",
            ));
        }
        let alias_holds = |alias: &String| {
            (1..=255).contains(&alias.len()) && !alias.chars().any(char::is_control)
        };
        if !self.id.as_ref().is_none_or(alias_holds) {
            return Err(Invalid::new("id", "must be 1 to 255 bytes of text"));
        }
        let key_holds = |key: &String| {
            (1..=255).contains(&key.len()) && key.bytes().all(|b| (0x20..0x7f).contains(&b))
        };
        if !self.idempotency_key.as_ref().is_none_or(key_holds) {
            let rule = "must be 1 to 255 printable ASCII characters";
            return Err(Invalid::new("idempotency_key", rule));
        }
        Ok(CheckedDraft {
            event_type,
            payload: storable(self.payload),
            alias: self.id,
            tenant: self.tenant,
            idempotency_key: self.idempotency_key,
            deliver_at: self.deliver_at.map(|at| at.check(now)).transpose()?,
            cloud_event: self.cloud_event.map(storable),
        })
    }
}

/// An event draft whose fields hold their rules.
#[derive(Debug, Clone)]
pub struct CheckedDraft {
    /// The type.
    pub event_type: EventType,
    /// Any JSON.
    pub payload: Box<RawValue>,
    /// The caller's own id.
    pub alias: Option<String>,
    /// Whose event.
    pub tenant: Option<TenantId>,
    /// The event's own idempotency key.
    pub idempotency_key: Option<String>,
    /// When it is to go out, as it was asked for: in the past it means now.
    pub deliver_at: Option<Timestamp>,
    /// The attributes of the CloudEvent that it was posted as.
    pub cloud_event: Option<Box<RawValue>>,
}

/// A payload that is looked into at most once, and only if anybody asks.
#[derive(Debug)]
pub struct Payload<'p> {
    json: &'p RawValue,
    document: OnceCell<Document<'p>>,
}

impl<'p> Payload<'p> {
    /// The payload, unread.
    pub fn new(json: &'p RawValue) -> Self {
        Self {
            json,
            document: OnceCell::new(),
        }
    }

    /// What is in it.
    pub fn document(&self) -> &Document<'p> {
        self.document.get_or_init(|| Document::of(self.json))
    }
}

/// SQS refuses bodies with U+FFFE or U+FFFF, which JSON allows raw inside strings (and nowhere
/// else): write those two as escapes.
pub(crate) fn storable(payload: Box<RawValue>) -> Box<RawValue> {
    if !payload.get().contains(['\u{fffe}', '\u{ffff}']) {
        return payload;
    }
    let escaped = payload
        .get()
        .replace('\u{fffe}', "\\ufffe")
        .replace('\u{ffff}', "\\uffff");
    RawValue::from_string(escaped).unwrap_or(payload)
}

impl CheckedDraft {
    /// A hash of type, payload and schedule, to tell a repeat from another event under the same key.
    pub fn fingerprint(&self) -> String {
        use base64::Engine;
        use sha2::Digest;
        let mut hash = sha2::Sha256::new();
        hash.update(self.event_type.as_str());
        hash.update([0]);
        hash.update(self.payload.get());
        if let Some(at) = self.deliver_at {
            // No JSON holds a zero byte.
            hash.update([0]);
            hash.update(at.as_millis().to_be_bytes());
        }
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(hash.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_sqs_refuses_are_escaped_and_nothing_else_changes() {
        let raw =
            RawValue::from_string("{\"a\": \"x\u{ffff}\u{fffe}\", \"n\": 1.0}".into()).unwrap();
        assert_eq!(storable(raw).get(), r#"{"a": "x\uffff\ufffe", "n": 1.0}"#);
        let raw = RawValue::from_string("{ \"n\" : 1.10 }".into()).unwrap();
        assert_eq!(storable(raw).get(), "{ \"n\" : 1.10 }");
    }

    #[test]
    fn a_payload_one_byte_too_large_is_refused() {
        let check = |bytes: usize| {
            let text = format!("\"{}\"", "x".repeat(bytes - 2));
            let draft = EventDraft {
                id: None,
                event_type: "a".into(),
                payload: RawValue::from_string(text).unwrap(),
                tenant: None,
                idempotency_key: None,
                deliver_at: None,
                cloud_event: None,
            };
            draft
                .check(Timestamp::default())
                .map_err(|invalid| invalid.field)
        };
        assert!(check(MAX_PAYLOAD_BYTES).is_ok());
        assert_eq!(check(MAX_PAYLOAD_BYTES + 1).unwrap_err(), "payload");
    }
}
