//! What a webhook was besides its body, kept with the event so that endpoints get it as it was.
//!
//! It is an attribute among those of a CloudEvent, and an object, which no caller can post one to
//! be.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::event::storable;

/// How a body is kept and sent on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raw {
    /// Whether the payload is the body's bytes in base64; otherwise it is the body itself, which
    /// is JSON.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub base64: bool,
    /// Headers that go with it, its content type among them.
    pub headers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Attributes {
    hookpostraw: Raw,
}

impl Raw {
    /// What the attributes of an event say of it, if it came as somebody's webhook.
    pub fn of(attributes: &RawValue) -> Option<Self> {
        let read: Result<Attributes, _> = serde_json::from_str(attributes.get());
        read.ok().map(|attributes| attributes.hookpostraw)
    }

    /// A body as a payload, and whether that is in base64: JSON that a payload keeps to the byte
    /// is the payload itself, for filters and templates to look into.
    pub fn payload(body: &[u8]) -> (Box<RawValue>, bool) {
        let json: Option<Box<RawValue>> = serde_json::from_slice(body).ok();
        let kept = json.map(storable);
        if let Some(json) =
            kept.filter(|json| json.get().as_bytes() == body && json.get() != "null")
        {
            return (json, false);
        }
        let text = format!("\"{}\"", STANDARD.encode(body));
        (RawValue::from_string(text).unwrap_or_default(), true)
    }

    /// The body that a payload was made of.
    pub fn body(&self, payload: &RawValue) -> Vec<u8> {
        if !self.base64 {
            return payload.get().as_bytes().to_vec();
        }
        let text = payload.get().trim_matches('"');
        // It was encoded here.
        STANDARD.decode(text).unwrap_or_default()
    }
}
