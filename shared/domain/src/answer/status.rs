//! Statuses and classes of them, as endpoints list them.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Invalid;

/// Entries in one list of statuses.
pub(super) const MAX_STATUSES: usize = 50;

/// A status code, or a class of them: `404`, `"4xx"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusPattern {
    /// One code.
    Code(u16),
    /// All codes that begin with this digit.
    Class(u16),
}

impl StatusPattern {
    /// Whether `status` is meant.
    pub const fn means(self, status: u16) -> bool {
        match self {
            Self::Code(code) => code == status,
            Self::Class(class) => class == status / 100,
        }
    }

    /// The first and the last code that it means.
    pub(super) const fn range(self) -> (u16, u16) {
        match self {
            Self::Code(code) => (code, code),
            Self::Class(class) => (class * 100, class * 100 + 99),
        }
    }
}

impl Serialize for StatusPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Code(code) => serializer.serialize_u16(*code),
            Self::Class(class) => serializer.collect_str(&format_args!("{class}xx")),
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for StatusPattern {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StatusPattern".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A status code, or a class of them",
            "anyOf": [
                { "type": "integer", "minimum": 200, "maximum": 599 },
                { "type": "string", "enum": ["2xx", "3xx", "4xx", "5xx"] },
            ],
        })
    }
}

impl<'de> Deserialize<'de> for StatusPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = StatusPattern;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a status code such as 404 or a class such as \"4xx\"")
            }

            fn visit_u64<E: de::Error>(self, code: u64) -> Result<StatusPattern, E> {
                let code = u16::try_from(code).unwrap_or(u16::MAX);
                Ok(StatusPattern::Code(code))
            }

            fn visit_str<E: de::Error>(self, class: &str) -> Result<StatusPattern, E> {
                match class {
                    "2xx" => Ok(StatusPattern::Class(2)),
                    "3xx" => Ok(StatusPattern::Class(3)),
                    "4xx" => Ok(StatusPattern::Class(4)),
                    "5xx" => Ok(StatusPattern::Class(5)),
                    _ => Err(E::invalid_value(de::Unexpected::Str(class), &self)),
                }
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// Checks a list of statuses of failures, as field `field`.
///
/// # Errors
/// Too many, or one that is no failure.
pub fn check_statuses(field: &'static str, statuses: &[StatusPattern]) -> Result<(), Invalid> {
    let holds = |pattern: &StatusPattern| {
        let (first, last) = pattern.range();
        first >= 300 && last <= 599
    };
    if statuses.len() > MAX_STATUSES || !statuses.iter().all(holds) {
        return Err(Invalid::new(
            field,
            "must be at most 50 codes from 300 to 599, or `3xx`, `4xx`, `5xx`",
        ));
    }
    Ok(())
}

/// Checks that no status is to be retried and not to be.
///
/// # Errors
/// One is in both lists.
pub fn check_no_contradiction(
    retry: &[StatusPattern],
    no_retry: &[StatusPattern],
) -> Result<(), Invalid> {
    if retry.iter().any(|pattern| no_retry.contains(pattern)) {
        return Err(Invalid::new(
            "retry_statuses",
            "must not list what `no_retry_statuses` lists too",
        ));
    }
    Ok(())
}
