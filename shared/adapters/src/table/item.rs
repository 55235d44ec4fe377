//! Attributes in and out of items.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

/// An item of a table.
pub type Item = HashMap<String, AttributeValue>;

pub(crate) fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub(crate) fn n(number: impl Into<u64>) -> AttributeValue {
    AttributeValue::N(number.into().to_string())
}

/// Reads attributes; what is missing or of another type is told by name.
pub(crate) trait Read {
    fn text(&self, name: &str) -> Result<&str, String>;
    fn number(&self, name: &str) -> Result<u64, String>;
    fn maybe_text(&self, name: &str) -> Option<&str>;
    fn maybe_number(&self, name: &str) -> Option<u64>;
    fn small(&self, name: &str) -> Result<u32, String>;
}

impl Read for Item {
    fn text(&self, name: &str) -> Result<&str, String> {
        self.maybe_text(name)
            .ok_or_else(|| format!("it has no text {name}"))
    }

    fn number(&self, name: &str) -> Result<u64, String> {
        self.maybe_number(name)
            .ok_or_else(|| format!("it has no number {name}"))
    }

    fn maybe_text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_s().ok().map(String::as_str)
    }

    fn maybe_number(&self, name: &str) -> Option<u64> {
        self.get(name)?.as_n().ok()?.parse().ok()
    }

    fn small(&self, name: &str) -> Result<u32, String> {
        u32::try_from(self.number(name)?).map_err(|_| format!("its {name} is too large"))
    }
}
