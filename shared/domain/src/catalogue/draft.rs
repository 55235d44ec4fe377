//! The catalogue as a caller writes it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Example, PolicyRule, Rules, TypeEntry};
use crate::endpoint::RetryInput;
use crate::json::Document;
use crate::matching::{EventPattern, EventType};
use crate::schema::Schema;
use crate::{Invalid, Timestamp};

/// The longest example, in bytes of JSON.
const MAX_EXAMPLE_BYTES: usize = 32 * 1024;
/// Most patterns of a retry policy.
const MAX_PATTERNS: usize = 50;
/// Most event types in one import: what is written in one step.
const MAX_IMPORTED: usize = 90;

/// An event type, to be told of or told of anew.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct EventTypeDraft {
    /// Its name, such as `order.created`.
    #[serde(alias = "event_type")]
    pub name: Option<String>,
    /// When it happens, and what it means.
    description: String,
    /// What it is shown with.
    #[serde(alias = "category", alias = "group_name")]
    group: String,
    /// A JSON Schema (2020-12) that its payloads have to fit in strict mode.
    #[cfg_attr(feature = "schema", schemars(with = "Option<JsonObjectOrBool>"))]
    #[serde(alias = "json_schema")]
    schema: Option<Box<RawValue>>,
    /// A payload, that fits the schema.
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Value>"))]
    example: Option<Box<RawValue>>,
    /// When its failed deliveries are tried again, unless their endpoint says otherwise.
    #[serde(alias = "retry_policy")]
    retry: Option<RetryInput>,
    /// Whether nobody should begin to use it.
    deprecated: bool,
}

/// A schema may be `true` or `false` too.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only the shape is asked for")]
enum JsonObjectOrBool {
    Object(serde_json::Map<String, serde_json::Value>),
    Bool(bool),
}

/// Several event types and retry policies at once: all of them are taken, or none.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ImportDraft {
    /// Event types: those that are known already are told of anew.
    pub event_types: Vec<EventTypeDraft>,
    /// Retry policies by their names.
    #[serde(alias = "event_retry_policies")]
    pub retry_policies: BTreeMap<String, RetryPolicyDraft>,
}

/// What an import tells of.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    /// Event types, each once.
    pub types: Vec<TypeEntry>,
    /// Retry policies and their names.
    pub policies: Vec<(String, PolicyRule)>,
}

/// A retry policy for event types.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RetryPolicyDraft {
    /// The types that it is for: types, `order.*`, `*`.
    #[serde(alias = "event_types")]
    events: Vec<String>,
    /// When failed deliveries are tried again.
    #[serde(alias = "retry_policy")]
    retry: RetryInput,
}

/// What a tenant may set for all of its events; what is left out stays as it is.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct SettingsDraft {
    /// Whether only events of known types that fit their schema are taken.
    #[serde(alias = "strict")]
    strict_event_types: Option<bool>,
    /// Whether anybody may read the catalogue, at `/catalogue/{tenant}`.
    public_catalogue: Option<bool>,
}

impl EventTypeDraft {
    /// The entry that is meant.
    ///
    /// # Errors
    /// The first field that breaks its rule.
    pub fn check(self, now: Timestamp) -> Result<TypeEntry, Invalid> {
        let Some(name) = self.name else {
            let rule = "is required: the event type, such as `order.created`";
            return Err(Invalid::new("name", rule));
        };
        let name: EventType = name.parse().map_err(|invalid: Invalid| Invalid {
            field: "name".into(),
            ..invalid
        })?;
        let text = |field: &'static str, text: String, most: usize| {
            if text.chars().count() > most {
                return Err(Invalid::new(
                    field,
                    format!("must be at most {most} characters"),
                ));
            }
            Ok(text)
        };
        let schema = self.schema.map(Schema::new).transpose()?;
        let example = self
            .example
            .map(|example| checked_example(example, schema.as_ref()))
            .transpose()?;
        Ok(TypeEntry {
            name,
            description: text("description", self.description, 2000)?,
            group: text("group", self.group, 100)?,
            schema,
            example,
            retry: self.retry.map(|retry| retry.policy(None)).transpose()?,
            deprecated: self.deprecated,
            created_at: now,
            updated_at: now,
        })
    }
}

fn checked_example(json: Box<RawValue>, schema: Option<&Schema>) -> Result<Example, Invalid> {
    if json.get().len() > MAX_EXAMPLE_BYTES {
        return Err(Invalid::new(
            "example",
            "must be at most 32768 bytes of JSON",
        ));
    }
    let faults = schema.map(|schema| schema.faults(&Document::of(&json)));
    if let Some(fault) = faults.unwrap_or_default().into_iter().next() {
        let place = fault.field.strip_prefix("data").unwrap_or_default();
        let rule = format!("does not fit the schema: {}", fault.rule);
        return Err(Invalid::new(format!("example{place}"), rule));
    }
    Ok(Example(json))
}

impl ImportDraft {
    /// The entries and policies that are meant.
    ///
    /// # Errors
    /// The first field that breaks its rule, with its place.
    pub fn check(self, now: Timestamp) -> Result<Import, Invalid> {
        if self.event_types.is_empty() && self.retry_policies.is_empty() {
            let rule = "must list event types, or there must be `retry_policies`";
            return Err(Invalid::new("event_types", rule));
        }
        if self.event_types.len() > MAX_IMPORTED {
            return Err(Invalid::new("event_types", "must list at most 90 at once"));
        }
        let within = |place: String, invalid: Invalid| Invalid {
            field: format!("{place}.{}", invalid.field).into(),
            ..invalid
        };
        let mut entries: Vec<TypeEntry> = Vec::new();
        for (nth, draft) in self.event_types.into_iter().enumerate() {
            let place = format!("event_types[{nth}]");
            let entry = draft
                .check(now)
                .map_err(|invalid| within(place.clone(), invalid))?;
            if entries.iter().any(|other| other.name == entry.name) {
                let invalid = Invalid::new("name", "is in the list already");
                return Err(within(place, invalid));
            }
            entries.push(entry);
        }
        let policies = self.retry_policies.into_iter().map(|(name, draft)| {
            let place = format!("retry_policies.{}", name.escape_debug());
            let policy = draft
                .check(&name)
                .map_err(|invalid| within(place, invalid))?;
            Ok((name, policy))
        });
        Ok(Import {
            types: entries,
            policies: policies.collect::<Result<_, Invalid>>()?,
        })
    }
}

impl RetryPolicyDraft {
    /// The policy that is meant.
    ///
    /// # Errors
    /// The first field that breaks its rule.
    pub fn check(self, name: &str) -> Result<PolicyRule, Invalid> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
            let rule = "must be 1 to 64 letters, digits, `_`, `-` or `.`";
            return Err(Invalid::new("name", rule));
        }
        if self.events.is_empty() || self.events.len() > MAX_PATTERNS {
            let rule = "must list 1 to 50 event types or patterns, such as `payment.*`";
            return Err(Invalid::new("events", rule));
        }
        let pattern = |(nth, text): (usize, &String)| {
            text.parse().map_err(|invalid: Invalid| Invalid {
                field: format!("events[{nth}]").into(),
                ..invalid
            })
        };
        let events: Vec<EventPattern> = self
            .events
            .iter()
            .enumerate()
            .map(pattern)
            .collect::<Result<_, _>>()?;
        Ok(PolicyRule {
            events,
            retry: self.retry.policy(None)?,
        })
    }
}

impl SettingsDraft {
    /// `rules` with what the draft names changed.
    pub fn change(&self, rules: &Rules) -> Rules {
        let mut next = rules.next();
        next.strict = self.strict_event_types.unwrap_or(rules.strict);
        next.public = self.public_catalogue.unwrap_or(rules.public);
        next
    }
}
