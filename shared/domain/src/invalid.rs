//! What is wrong with an input, in words that the caller can act on.

use std::borrow::Cow;

/// A value that breaks a rule. The API turns it into a problem document with the field's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {rule}")]
pub struct Invalid {
    /// The field, as the caller wrote it: `retry.max_attempts`.
    pub field: Cow<'static, str>,
    /// The rule and what would be right: `must be between 1 and 50`.
    pub rule: Cow<'static, str>,
}

impl Invalid {
    /// `field` breaks `rule`.
    pub fn new(field: impl Into<Cow<'static, str>>, rule: impl Into<Cow<'static, str>>) -> Self {
        Self {
            field: field.into(),
            rule: rule.into(),
        }
    }
}
