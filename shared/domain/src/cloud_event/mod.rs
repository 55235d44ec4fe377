//! CloudEvents 1.0 as events of ours: <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>.
//!
//! | CloudEvents | here |
//! | --- | --- |
//! | `type` | the event's type |
//! | `data` | the payload as it was written; `{}` if there is none |
//! | `data_base64`, or a body that is not JSON | JSON by its content type: the payload; text: a string; else `{"data_base64": "…"}` |
//! | `source` and `id` | the caller's own id, `<source> <id>`: together they name one event |
//! | everything else, extensions too | kept as it was written, and passed on to the endpoints |
//!
//! Guarantees: nothing of an event that is taken is left out; what breaks a rule is refused by the
//! name of its attribute.

mod attributes;

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::{RawValue, to_raw_value};

use crate::Invalid;
use crate::event::EventDraft;
use crate::json::{Document, Json, Kind};
use attributes::{Attribute, Attributes};

/// The media type of one event, all of it in JSON.
pub const STRUCTURED: &str = "application/cloudevents+json";
/// The media type of a list of events in JSON.
pub const BATCH: &str = "application/cloudevents-batch+json";
/// What the headers of an event begin with, whose body is its data.
pub const HEADER_PREFIX: &str = "ce-";

/// An event, all of it in JSON.
///
/// # Errors
/// The attribute that breaks its rule.
pub fn structured(json: &RawValue) -> Result<EventDraft, Invalid> {
    let document = Document::of(json);
    let root = document.root();
    if root.kind() != Kind::Object {
        let rule = "must be a CloudEvent: an object of its attributes";
        return Err(Invalid::new("body", rule));
    }
    let mut fields: BTreeMap<Cow<'_, str>, Json<'_>> = root
        .fields()
        .filter_map(|(name, value)| Some((name.text()?, value)))
        .filter(|(_, value)| value.kind() != Kind::Null)
        .collect();
    let data = fields.remove("data");
    let encoded = fields.remove("data_base64");
    let mut attributes = Attributes::named("");
    for (name, value) in fields {
        attributes.add(&name, attribute(&name, value)?);
    }
    let payload = match (data, encoded) {
        (Some(_), Some(_)) => {
            return Err(Invalid::new("data_base64", "must not be beside `data`"));
        }
        (Some(data), None) => raw(data.raw()),
        (None, Some(encoded)) => {
            let text = encoded.text().map(|text| STANDARD.decode(text.as_ref()));
            let Some(Ok(bytes)) = text else {
                return Err(Invalid::new("data_base64", "must be text in base64"));
            };
            payload(&bytes, attributes.text("datacontenttype")?, "data_base64")?
        }
        (None, None) => raw("{}"),
    };
    attributes.draft(payload)
}

/// An event whose attributes are headers and whose data is the body.
///
/// # Errors
/// The header, or `data`, that breaks its rule.
pub fn binary<'h>(
    headers: impl Iterator<Item = (&'h str, Option<&'h str>)>,
    content_type: Option<&str>,
    body: &[u8],
) -> Result<EventDraft, Invalid> {
    let mut attributes = Attributes::named(HEADER_PREFIX);
    for (header, value) in headers {
        let Some(name) = header.strip_prefix(HEADER_PREFIX) else {
            continue;
        };
        if name == "datacontenttype" {
            let rule = "is said by the header `Content-Type`";
            return Err(Invalid::new(header.to_owned(), rule));
        }
        attributes.add_header(name, value)?;
    }
    if let Some(content_type) = content_type {
        attributes.add("datacontenttype", Attribute::Text(content_type.to_owned()));
    }
    let payload = if body.is_empty() {
        raw("{}")
    } else {
        payload(body, content_type, "data")?
    };
    attributes.draft(payload)
}

fn attribute(name: &str, value: Json<'_>) -> Result<Attribute, Invalid> {
    match value.kind() {
        Kind::String => Ok(Attribute::Text(
            value.text().unwrap_or_default().into_owned(),
        )),
        Kind::Bool | Kind::Number => Ok(Attribute::Other(value.raw().to_owned())),
        Kind::Null | Kind::Array | Kind::Object | Kind::Deep => {
            let rule = "must be text, a number or a boolean";
            Err(Invalid::new(name.escape_debug().to_string(), rule))
        }
    }
}

/// JSON that is known to be some.
fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap_or_default()
}

/// Data that came as bytes, as JSON.
fn payload(
    bytes: &[u8],
    content_type: Option<&str>,
    field: &'static str,
) -> Result<Box<RawValue>, Invalid> {
    let json = || serde_json::from_slice::<Box<RawValue>>(bytes).ok();
    let encoded = || to_raw_value(&BTreeMap::from([("data_base64", STANDARD.encode(bytes))]));
    let found = match content_type.map(media_type) {
        Some(media) if media.ends_with("/json") || media.ends_with("+json") => {
            let rule = "must be JSON, as its content type says";
            return json()
                .map(|json| {
                    if json.get() == "null" {
                        raw("{}")
                    } else {
                        json
                    }
                })
                .ok_or_else(|| Invalid::new(field, rule));
        }
        Some(media) if media.starts_with("text/") || media.ends_with("xml") => {
            std::str::from_utf8(bytes).ok().map(to_raw_value)
        }
        Some(_) => None,
        // It is JSON, if nothing is said and it can be.
        None => json().filter(|json| json.get() != "null").map(Ok),
    };
    Ok(found.unwrap_or_else(encoded).unwrap_or_default())
}

/// A content type without its parameters.
pub fn media_type(content_type: &str) -> String {
    let media = content_type.split(';').next().unwrap_or_default();
    media.trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
