//! What shapes the body for an endpoint: JSON in which strings hold `{{expressions}}`.
//!
//! A string that is one expression and nothing else becomes the value itself, byte by byte as it
//! was posted (`1.10` stays `1.10`); in longer text a value is written out. `{"$if", "then",
//! "else"}` chooses, `{"$each", "as", "do"}` makes a list of a list. There is nothing else: no
//! loop that is not over the payload, no call, no way out. What is rendered is JSON whatever the
//! payload holds, and rendering ends within [`MAX_STEPS`] and [`MAX_OUTPUT_BYTES`].

mod compile;
mod expression;
mod render;

use std::sync::OnceLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::Invalid;
use expression::Expression;

/// The longest template, in bytes of JSON.
pub const MAX_BYTES: usize = 16 * 1024;
/// How deep a template may be nested.
pub const MAX_DEPTH: usize = 32;
/// The longest body that a template may make.
pub const MAX_OUTPUT_BYTES: usize = 512 * 1024;
/// Most steps that rendering may take: pieces written, and fields looked at to find a value.
pub const MAX_STEPS: u32 = 1_000_000;

/// A template: as it was written, compiled when it is first rendered.
#[derive(Debug, Clone)]
pub struct Template {
    source: Box<RawValue>,
    compiled: OnceLock<Result<Piece, Invalid>>,
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// JSON without expressions, as it is.
    Plain(String),
    /// One expression: the value itself.
    Value(Expression),
    /// Text with expressions in it.
    Text(Vec<Part>),
    List(Vec<Piece>),
    /// Names as JSON writes them, quotes included.
    Object(Vec<(String, Piece)>),
    If {
        test: Expression,
        then: Box<Piece>,
        otherwise: Option<Box<Piece>>,
    },
    Each {
        list: Expression,
        name: String,
        make: Box<Piece>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Plain(String),
    Value(Expression),
}

/// Why a template cannot be rendered for an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template{at}: {why}")]
pub struct Unrendered {
    /// Where in the template: `.blocks[0].text`.
    pub at: String,
    /// What is wrong there.
    pub why: String,
}

impl Unrendered {
    fn new(why: impl Into<String>) -> Self {
        Self {
            at: String::new(),
            why: why.into(),
        }
    }

    fn within(self, place: &str) -> Self {
        Self {
            at: format!("{place}{}", self.at),
            ..self
        }
    }
}

impl Template {
    /// A template, after a check.
    ///
    /// # Errors
    /// The place that breaks a rule: `template.blocks[0].text`.
    pub fn new(source: Box<RawValue>) -> Result<Self, Invalid> {
        let piece = compile::compile(source.get())?;
        Ok(Self {
            source,
            compiled: OnceLock::from(Ok(piece)),
        })
    }

    /// The template as it was written.
    pub fn source(&self) -> &RawValue {
        &self.source
    }

    /// The body for an event: `about` holds what a template can name besides `data`, as JSON.
    ///
    /// # Errors
    /// What the event lacks, or that the body gets too large.
    pub fn render(&self, about: &RawValue, data: &RawValue) -> Result<Vec<u8>, Unrendered> {
        let compiled = self
            .compiled
            .get_or_init(|| compile::compile(self.source.get()));
        match compiled {
            Ok(piece) => render::render(piece, about, data),
            Err(invalid) => Err(Unrendered::new(format!(
                "this version cannot read it: {invalid}"
            ))),
        }
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.source.get() == other.source.get()
    }
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.source.serialize(serializer)
    }
}

/// As it was stored: it was checked before.
impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self {
            source: Box::deserialize(deserializer)?,
            compiled: OnceLock::new(),
        })
    }
}

#[cfg(test)]
mod tests;
