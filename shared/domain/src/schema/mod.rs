//! What the payloads of an event type have to look like: JSON Schema (2020-12), the part of it that
//! can be checked in bounded time with nothing but the text at hand.
//!
//! Guarantees: a schema with a keyword that would not be checked is refused, never half applied;
//! numbers are compared by their value, whatever their length; a check ends after a bounded number
//! of steps and a bounded depth, whatever schema and payload are.
//!
//! Checked are `type`, `enum`, `const`; `minimum`, `maximum`, `exclusiveMinimum`,
//! `exclusiveMaximum`, `multipleOf`; `minLength`, `maxLength`; `items`, `prefixItems`, `minItems`,
//! `maxItems`, `uniqueItems`; `properties`, `additionalProperties`, `propertyNames`, `required`,
//! `dependentRequired`, `minProperties`, `maxProperties`; `allOf`, `anyOf`, `oneOf`, `not`, `if`;
//! and `$ref` to `#` or `#/$defs/…`. There is no `pattern`: an engine for regular expressions is a
//! tenth of a function's size, and the time of some expressions is not bounded.

mod check;
mod compile;
mod sameness;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::Invalid;
use crate::json::{Decimal, Document};

/// The longest schema, in bytes of JSON.
pub const MAX_BYTES: usize = 32 * 1024;
/// How deep a schema may be nested.
pub const MAX_DEPTH: usize = 32;
/// Most schemas within a schema.
pub const MAX_SCHEMAS: usize = 1_000;
/// Most schemas that may lead to each other without going deeper into the payload.
const MAX_IN_PLACE: usize = 16;
/// Most faults of a payload that are told.
pub const MAX_FAULTS: usize = 10;

/// A schema: as it was written, compiled when it is first asked.
#[derive(Debug, Clone)]
pub struct Schema {
    source: Box<RawValue>,
    compiled: OnceLock<Result<Compiled, Invalid>>,
}

/// All schemas within one; the first is the whole.
type Compiled = Vec<Part>;
/// A schema's place among those it is compiled with.
type PartId = usize;

/// One schema: all of its rules have to hold.
#[derive(Debug, Clone, Default, PartialEq)]
struct Part {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq)]
enum Rule {
    /// `false`
    Never,
    Type(Vec<Type>),
    OneOfValues {
        /// Each in the one form that equal values share.
        values: Vec<String>,
        /// As they were written.
        shown: String,
    },
    Bound {
        bound: Bound,
        number: String,
    },
    MultipleOf {
        divisor: Decimal,
        shown: String,
    },
    Length(Count),
    Items(Count),
    Properties(Count),
    UniqueItems,
    List {
        first: Vec<PartId>,
        rest: Option<PartId>,
    },
    Object(Box<Fields>),
    AllOf(Vec<PartId>),
    AnyOf(Vec<PartId>),
    OneOf(Vec<PartId>),
    Not(PartId),
    If {
        test: PartId,
        then: Option<PartId>,
        otherwise: Option<PartId>,
    },
    Ref(PartId),
}

/// What is asked of the fields of an object.
#[derive(Debug, Clone, Default, PartialEq)]
struct Fields {
    properties: BTreeMap<String, PartId>,
    additional: Option<PartId>,
    names: Option<PartId>,
    required: Vec<String>,
    dependent: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Null,
    Boolean,
    Integer,
    Number,
    String,
    Array,
    Object,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    AtLeast,
    MoreThan,
    AtMost,
    LessThan,
}

/// How many of something there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Count {
    least: usize,
    most: usize,
}

impl Schema {
    /// A schema, after a check.
    ///
    /// # Errors
    /// The place that breaks a rule: `schema.properties.amount.pattern`.
    pub fn new(source: Box<RawValue>) -> Result<Self, Invalid> {
        let compiled = compile::compile(source.get())?;
        Ok(Self {
            source,
            compiled: OnceLock::from(Ok(compiled)),
        })
    }

    /// The schema as it was written.
    pub fn source(&self) -> &RawValue {
        &self.source
    }

    /// What of a payload does not fit, at most [`MAX_FAULTS`] of it, each under the name of its
    /// field: `data.lines[0].sku`. Nothing if it fits. A stored schema that this version cannot
    /// read (a newer one wrote it) lets everything through.
    pub fn faults(&self, data: &Document<'_>) -> Vec<Invalid> {
        let compiled = self
            .compiled
            .get_or_init(|| compile::compile(self.source.get()));
        match compiled {
            Ok(parts) => check::faults(parts, data),
            Err(_) => Vec::new(),
        }
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.source.get() == other.source.get()
    }
}

impl Serialize for Schema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.source.serialize(serializer)
    }
}

/// As it was stored: it was checked before.
impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self {
            source: Box::deserialize(deserializer)?,
            compiled: OnceLock::new(),
        })
    }
}

#[cfg(test)]
mod tests;
