//! Rules on what an answer's body says: what they are, whether one fits, and whether it can.

use std::cell::OnceCell;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::status::{MAX_STATUSES, StatusPattern};
use crate::Invalid;

/// Bytes of an answer's body that rules see.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// Rules that one endpoint may have.
const MAX_RULES: usize = 20;
/// Bytes of a text that a body is searched for, and of a pointer into it.
const MAX_NEEDLE_BYTES: usize = 256;

/// What an answer that a rule fits means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// A failure that the retry policy deals with.
    Retry,
    /// A failure that no retry mends.
    Fail,
    /// A success.
    Succeed,
}

/// A rule about answers: the first of an endpoint's that fits decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ResponseRule {
    /// All of it has to hold.
    pub when: Condition,
    /// What the answer then means.
    pub then: Meaning,
}

/// What has to hold of an answer: everything that is given.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Condition {
    /// Its status is one of these.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "one_or_more"
    )]
    pub status: Option<Vec<StatusPattern>>,
    /// This text is in the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_contains: Option<String>,
    /// The body is JSON, and says this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_json: Option<JsonCondition>,
}

/// What a body that is JSON has to say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct JsonCondition {
    /// Where to look: a JSON pointer (RFC 6901) such as `/result/ok`; empty for the whole.
    pub pointer: String,
    /// What has to be there; anything but `null` if this is not given.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "even_null"
    )]
    pub equals: Option<Value>,
}

fn one_or_more<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<StatusPattern>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMore {
        One(StatusPattern),
        More(Vec<StatusPattern>),
    }
    Ok(Some(match OneOrMore::deserialize(deserializer)? {
        OneOrMore::One(pattern) => vec![pattern],
        OneOrMore::More(patterns) => patterns,
    }))
}

/// `null` is a value to compare with.
fn even_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// The head of a body, read as JSON once if at all.
pub(super) struct Body<'a> {
    pub(super) bytes: &'a [u8],
    json: OnceCell<Option<Value>>,
}

impl<'a> Body<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes: bytes.get(..MAX_BODY_BYTES).unwrap_or(bytes),
            json: OnceCell::new(),
        }
    }

    fn contains(&self, text: &str) -> bool {
        self.bytes
            .windows(text.len().max(1))
            .any(|window| window == text.as_bytes())
    }

    fn json(&self) -> Option<&Value> {
        self.json
            .get_or_init(|| serde_json::from_slice(self.bytes).ok())
            .as_ref()
    }
}

impl Condition {
    pub(super) fn holds(&self, status: u16, body: &Body<'_>) -> bool {
        let meant = |patterns: &Vec<StatusPattern>| patterns.iter().any(|p| p.means(status));
        self.status.as_ref().is_none_or(meant)
            && self
                .body_contains
                .as_ref()
                .is_none_or(|text| body.contains(text))
            && self
                .body_json
                .as_ref()
                .is_none_or(|json| body.json().is_some_and(|body| json.holds(body)))
    }
}

impl JsonCondition {
    fn holds(&self, body: &Value) -> bool {
        let Some(found) = body.pointer(&self.pointer) else {
            return false;
        };
        self.equals
            .as_ref()
            .map_or(!found.is_null(), |wanted| is_same(found, wanted))
    }
}

/// Whether two JSON values are the same; `1` and `1.0` are.
#[expect(clippy::float_cmp, reason = "the same number is meant, not a near one")]
fn is_same(one: &Value, other: &Value) -> bool {
    one == other
        || one
            .as_f64()
            .zip(other.as_f64())
            .is_some_and(|(a, b)| a == b)
}

/// Checks an endpoint's rules.
///
/// # Errors
/// The first that is empty, too long, or can never fit.
pub fn check_rules(rules: &[ResponseRule]) -> Result<(), Invalid> {
    if rules.len() > MAX_RULES {
        return Err(Invalid::new("response_rules", "must be at most 20"));
    }
    for (place, rule) in rules.iter().enumerate() {
        let refuse = |field: &str, text: &'static str| {
            let field = format!("response_rules[{place}].when{field}");
            Err(Invalid::new(field, text))
        };
        let when = &rule.when;
        if when.status.is_none() && when.body_contains.is_none() && when.body_json.is_none() {
            return refuse(
                "",
                "must have at least one of `status`, `body_contains` and `body_json`",
            );
        }
        if let Some(statuses) = &when.status {
            let holds = |pattern: &StatusPattern| {
                let (first, last) = pattern.range();
                first >= 200 && last <= 599
            };
            if statuses.is_empty() || statuses.len() > MAX_STATUSES || !statuses.iter().all(holds) {
                return refuse(
                    ".status",
                    "must be 1 to 50 codes from 200 to 599, or `2xx` to `5xx`",
                );
            }
        }
        let fits = |text: &String| (1..=MAX_NEEDLE_BYTES).contains(&text.len());
        if !when.body_contains.as_ref().is_none_or(fits) {
            return refuse(".body_contains", "must be 1 to 256 bytes of text");
        }
        if let Some(json) = &when.body_json {
            let pointer = &json.pointer;
            if pointer.len() > MAX_NEEDLE_BYTES || !(pointer.is_empty() || pointer.starts_with('/'))
            {
                return refuse(
                    ".body_json.pointer",
                    "must be a JSON pointer of at most 256 bytes, such as `/result/ok`",
                );
            }
            let plain = |value: &Value| match value {
                Value::Null | Value::Bool(_) | Value::Number(_) => true,
                Value::String(text) => text.len() <= MAX_NEEDLE_BYTES,
                Value::Array(_) | Value::Object(_) => false,
            };
            if !json.equals.as_ref().is_none_or(plain) {
                return refuse(
                    ".body_json.equals",
                    "must be null, true, false, a number, or at most 256 bytes of text",
                );
            }
        }
    }
    Ok(())
}
