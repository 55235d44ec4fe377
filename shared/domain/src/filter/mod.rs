//! Which payloads an endpoint asked for: EventBridge's event patterns, over `data`.
//!
//! All fields of a pattern have to hold, and of each field's conditions any one. A list in the
//! payload holds what any of its elements holds; the fields of a nested pattern have to hold in the
//! same element. Numbers are compared by their value, whatever their length. A pattern is bounded
//! in size, depth and conditions, and looks at each value of a payload at most once a condition.

mod compile;
mod condition;
mod evaluate;

use std::sync::OnceLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::Invalid;
use crate::json::Document;
use condition::Condition;

pub use evaluate::Unmet;

/// The longest filter, in bytes of JSON.
pub const MAX_BYTES: usize = 4096;
/// How deep a filter may be nested.
pub const MAX_DEPTH: usize = 16;
/// Most conditions in a filter.
pub const MAX_CONDITIONS: usize = 100;

/// A filter: the pattern as it was written, compiled when it is first asked.
#[derive(Debug, Clone)]
pub struct Filter {
    source: Box<RawValue>,
    compiled: OnceLock<Result<Compiled, Invalid>>,
}

/// A compiled filter.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Compiled {
    pattern: Pattern,
    /// How many of its leaves may be absent.
    absences: usize,
}

/// A pattern: everything in it has to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    fields: Vec<Field>,
    /// Of each of these, one pattern has to hold.
    alternatives: Vec<Vec<Pattern>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    name: String,
    wants: Wants,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Wants {
    Nested(Pattern),
    AnyOf(Leaf),
}

/// The conditions on one field.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Leaf {
    /// The field's way from the top of the event.
    path: Vec<String>,
    conditions: Vec<Condition>,
    /// Which of the leaves that may be absent it is.
    absence: Option<usize>,
    /// The conditions as they were written.
    source: String,
}

impl Filter {
    /// A filter, after a check.
    ///
    /// # Errors
    /// The place that breaks a rule: `filter.data.amount[0].numeric`.
    pub fn new(source: Box<RawValue>) -> Result<Self, Invalid> {
        let compiled = compile::compile(source.get())?;
        Ok(Self {
            source,
            compiled: OnceLock::from(Ok(compiled)),
        })
    }

    /// The pattern as it was written.
    pub fn source(&self) -> &RawValue {
        &self.source
    }

    fn compiled(&self) -> Option<&Compiled> {
        let compiled = self
            .compiled
            .get_or_init(|| compile::compile(self.source.get()));
        compiled.as_ref().ok()
    }

    /// Whether an event with this payload is wanted. A stored filter that this version cannot read
    /// (a newer one wrote it) lets everything through: an event too many is better than one lost.
    pub fn matches(&self, data: &Document<'_>) -> bool {
        self.compiled()
            .is_none_or(|compiled| evaluate::holds(compiled, data))
    }

    /// What of it does not hold for this payload; nothing if it matches.
    pub fn unmet(&self, data: &Document<'_>) -> Vec<Unmet> {
        self.compiled()
            .map(|compiled| evaluate::unmet(compiled, data))
            .unwrap_or_default()
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.source.get() == other.source.get()
    }
}

impl Serialize for Filter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.source.serialize(serializer)
    }
}

/// As it was stored: it was checked before.
impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self {
            source: Box::deserialize(deserializer)?,
            compiled: OnceLock::new(),
        })
    }
}

#[cfg(test)]
mod tests;
