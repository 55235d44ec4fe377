//! Which events an endpoint asked for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Invalid;
use crate::news::PREFIX;

/// The longest event type, in bytes.
pub const MAX_EVENT_TYPE_BYTES: usize = 128;

/// An event's type: `order.created`. 1 to 128 of letters, digits, `_`, `-`, `.`, `:`, `/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct EventType(String);

impl EventType {
    /// The type as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is of what Hookpost tells of itself.
    pub fn is_operational(&self) -> bool {
        self.0.starts_with(PREFIX)
    }

    /// Whether a type may have this character in it.
    pub fn may_hold(letter: char) -> bool {
        u8::try_from(letter).is_ok_and(is_type_byte)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_type_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':' | b'/')
}

impl FromStr for EventType {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() || text.len() > MAX_EVENT_TYPE_BYTES || !text.bytes().all(is_type_byte) {
            return Err(Invalid::new(
                "event_type",
                "must be 1 to 128 letters, digits or any of `_ - . : /`, such as `order.created`",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for EventType {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<EventType> for String {
    fn from(value: EventType) -> Self {
        value.0
    }
}

/// What an endpoint subscribes to: a type, `*` for everything but what Hookpost tells of itself, or
/// `order.*` for all that begins with `order.`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub enum EventPattern {
    /// `*`
    All,
    /// `order.*`, kept with its last dot: `order.`
    Under(String),
    /// `order.created`
    Exactly(EventType),
}

impl EventPattern {
    /// Whether an event of this type is wanted.
    pub fn matches(&self, event_type: &EventType) -> bool {
        match self {
            Self::All => !event_type.is_operational(),
            Self::Under(prefix) => {
                event_type.0.len() > prefix.len() && event_type.0.starts_with(prefix.as_str())
            }
            Self::Exactly(wanted) => wanted == event_type,
        }
    }
}

impl EventPattern {
    /// Whether it is of what Hookpost tells of itself.
    pub fn is_operational(&self) -> bool {
        match self {
            Self::All => false,
            Self::Under(prefix) => prefix.starts_with(PREFIX),
            Self::Exactly(wanted) => wanted.is_operational(),
        }
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Under(prefix) => write!(f, "{prefix}*"),
            Self::Exactly(event_type) => event_type.fmt(f),
        }
    }
}

impl FromStr for EventPattern {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text == "*" {
            return Ok(Self::All);
        }
        let parsed = match text.strip_suffix(".*") {
            Some(stem) => stem
                .parse()
                .map(|stem: EventType| Self::Under(format!("{stem}."))),
            None => text.parse().map(Self::Exactly),
        };
        parsed.map_err(|_| {
            Invalid::new(
                "event_types",
                "each must be an event type such as `order.created`, `order.*`, or `*`",
            )
        })
    }
}

impl TryFrom<String> for EventPattern {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<EventPattern> for String {
    fn from(pattern: EventPattern) -> Self {
        pattern.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, event_type: &str) -> bool {
        let pattern: EventPattern = pattern.parse().unwrap();
        pattern.matches(&event_type.parse().unwrap())
    }

    #[test]
    fn a_pattern_matches_its_type_everything_or_all_below_a_stem() {
        assert!(matches("order.created", "order.created"));
        assert!(!matches("order.created", "order.created.v2"));
        assert!(matches("*", "anything"));
        assert!(matches("order.*", "order.created"));
        assert!(matches("order.*", "order.created.v2"));
        assert!(!matches("order.*", "order"));
        assert!(!matches("order.*", "orders.created"));
    }

    #[test]
    fn patterns_that_would_never_match_are_refused() {
        for bad in [
            "",
            "order*",
            "*.created",
            "order.*.x",
            ".*x",
            "a b",
            "ordér",
        ] {
            assert!(bad.parse::<EventPattern>().is_err(), "{bad:?}");
        }
    }

    /// What is nearly a pattern, and what is one.
    fn any_pattern() -> impl Strategy<Value = String> {
        prop_oneof![
            "(hookpost|[a-c]{1,3})([._:/-][a-c*]{0,2}){0,3}(\\.\\*|\\*|\\.)?",
            "\\*|\\.\\*|\\*\\*|\\*\\.\\*",
            ".{0,140}",
        ]
    }

    proptest! {
        #[test]
        fn a_pattern_prints_what_it_reads_and_matches_by_its_text(text in any_pattern(), event in "(hookpost|[a-c]{1,3})([._:/-][a-c]{1,2}){0,3}") {
            let Ok(pattern) = text.parse::<EventPattern>() else {
                return Ok(());
            };
            prop_assert_eq!(pattern.to_string(), text.clone());
            let event_type: EventType = event.parse().unwrap();
            let wanted = match text.strip_suffix('*') {
                Some("") => !event.starts_with("hookpost."),
                Some(stem) => event.starts_with(stem) && event != stem,
                None => event == text,
            };
            prop_assert_eq!(pattern.matches(&event_type), wanted);
        }
    }
}
