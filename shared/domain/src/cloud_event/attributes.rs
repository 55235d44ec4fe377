//! The context attributes of a CloudEvent.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::value::{RawValue, to_raw_value};
use url::Url;

use super::raw;
use crate::event::EventDraft;
use crate::matching::EventType;
use crate::{Invalid, Timestamp};

/// Most bytes of all attributes: they travel with every message.
const MAX_BYTES: usize = 8 * 1024;
/// Most bytes of what names the event: source, a space, and id.
const MAX_ALIAS_BYTES: usize = 255;

/// The value of an attribute.
#[derive(Debug, Clone)]
pub(super) enum Attribute {
    Text(String),
    /// A number or a boolean, as JSON.
    Other(String),
}

impl Attribute {
    fn json(&self) -> Box<RawValue> {
        match self {
            Self::Text(text) => to_raw_value(text).unwrap_or_default(),
            Self::Other(json) => raw(json),
        }
    }
}

/// Attributes by their names.
#[derive(Debug)]
pub(super) struct Attributes {
    /// What stands before the names, where the caller wrote them.
    prefix: &'static str,
    values: BTreeMap<String, Attribute>,
}

impl Attributes {
    pub(super) const fn named(prefix: &'static str) -> Self {
        Self {
            prefix,
            values: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, name: &str, value: Attribute) {
        self.values.insert(name.to_owned(), value);
    }

    /// A header is ASCII: what is not is percent-encoded; what is quoted is meant without quotes.
    pub(super) fn add_header(&mut self, name: &str, value: Option<&str>) -> Result<(), Invalid> {
        let read = || {
            let value = value?;
            let inner = value
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'));
            let plain = inner.map_or_else(|| value.to_owned(), unquoted);
            let decoded = percent_decode_str(&plain).decode_utf8().ok()?;
            Some(decoded.into_owned())
        };
        let Some(text) = read() else {
            return self.refuse(
                name,
                "must be ASCII, and percent-encoded UTF-8 where it is not",
            );
        };
        self.add(name, Attribute::Text(text));
        Ok(())
    }

    fn refuse<T>(&self, name: &str, rule: &'static str) -> Result<T, Invalid> {
        let field = format!("{}{}", self.prefix, name.escape_debug());
        Err(Invalid::new(field, rule))
    }

    /// An attribute that has to be text, if it is there.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Invalid> {
        match self.values.get(name) {
            None => Ok(None),
            Some(Attribute::Text(text)) if text.is_empty() => {
                self.refuse(name, "must not be empty")
            }
            Some(Attribute::Text(text)) => Ok(Some(text)),
            Some(Attribute::Other(_)) => self.refuse(name, "must be text"),
        }
    }

    fn required(&self, name: &str) -> Result<&str, Invalid> {
        match self.text(name)? {
            Some(text) => Ok(text),
            None => self.refuse(name, "is required of a CloudEvent"),
        }
    }

    fn optional(
        &self,
        name: &str,
        holds: impl Fn(&str) -> bool,
        rule: &'static str,
    ) -> Result<(), Invalid> {
        match self.text(name)? {
            Some(text) if !holds(text) => self.refuse(name, rule),
            Some(_) | None => Ok(()),
        }
    }

    /// The event that they are of.
    pub(super) fn draft(self, payload: Box<RawValue>) -> Result<EventDraft, Invalid> {
        if self.required("specversion")? != "1.0" {
            return self.refuse("specversion", "must be `1.0`");
        }
        let id = self.required("id")?;
        if id.chars().any(char::is_control) {
            return self.refuse("id", "must not have control characters");
        }
        let source = self.required("source")?;
        if !is_uri_reference(source) {
            let rule = "must be a URI or a reference, such as `/shop` or `https://shop.example`";
            return self.refuse("source", rule);
        }
        let event_type = self.required("type")?;
        if event_type.parse::<EventType>().is_err() {
            let rule = "must be 1 to 128 letters, digits or any of `_ - . : /`";
            return self.refuse("type", rule);
        }
        let alias = format!("{source} {id}");
        if alias.len() > MAX_ALIAS_BYTES {
            return self.refuse("id", "and `source` must have at most 254 bytes together");
        }
        self.optional("subject", |_| true, "")?;
        let is_time = |text: &str| text.parse::<Timestamp>().is_ok();
        let rule = "must be a time of RFC 3339, such as `2026-11-21T12:00:00Z`";
        self.optional("time", is_time, rule)?;
        let is_absolute = |text: &str| Url::parse(text).is_ok();
        self.optional("dataschema", is_absolute, "must be an absolute URI")?;
        let rule = "must be a media type, such as `application/json`";
        self.optional("datacontenttype", is_media_type, rule)?;
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        if let Some(odd) = self
            .values
            .keys()
            .find(|name| !name.bytes().all(plain) || name.is_empty())
        {
            return self.refuse(
                odd,
                "is no attribute's name: those are lower-case letters and digits",
            );
        }
        let json: BTreeMap<&String, Box<RawValue>> = self
            .values
            .iter()
            .map(|(name, value)| (name, value.json()))
            .collect();
        let longest = json.iter().max_by_key(|(_, value)| value.get().len());
        let context = to_raw_value(&json).unwrap_or_default();
        if let (Some((longest, _)), true) = (longest, context.get().len() > MAX_BYTES) {
            return self.refuse(
                longest,
                "is too long: all attributes have at most 8 KiB together",
            );
        }
        Ok(EventDraft {
            id: Some(alias.clone()),
            event_type: event_type.to_owned(),
            payload,
            tenant: None,
            idempotency_key: None,
            deliver_at: None,
            cloud_event: Some(context),
        })
    }
}

/// The text of a quoted string (RFC 9110, 5.6.4).
fn unquoted(inner: &str) -> String {
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        text.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    text
}

/// By its characters (RFC 3986): no URI has others, and a space least of all, which separates it
/// from the id.
fn is_uri_reference(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&b))
}

fn is_media_type(text: &str) -> bool {
    let token = |part: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"!#$&-^_.+*'".contains(&b);
        !part.is_empty() && part.bytes().all(plain)
    };
    let media = text.split(';').next().unwrap_or_default().trim();
    media
        .split_once('/')
        .is_some_and(|(kind, sub)| token(kind) && token(sub))
}
