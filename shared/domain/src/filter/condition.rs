//! What one value can be asked.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::access::Network;
use crate::json::{Json, Kind, compare_numbers};

/// A condition on a value that is neither list nor object, or on there being none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    Value(Test),
    Numeric(Vec<(Comparison, String)>),
    Cidr(Network),
    Exists(bool),
    /// None of these holds.
    AnythingBut(Vec<Test>),
}

/// A condition that can also be turned around.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Test {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    EqualsIgnoreCase(String),
    Prefix { text: String, ignore_case: bool },
    Suffix { text: String, ignore_case: bool },
    Wildcard(Wildcard),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Less,
    AtMost,
    More,
    AtLeast,
}

/// Text in which `*` stands for any text: the pieces between the stars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wildcard {
    pub(super) first: String,
    /// Empty: there is no star, and the whole has to be `first`.
    pub(super) rest: Vec<String>,
}

impl Comparison {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Less => ordering.is_lt(),
            Self::AtMost => ordering.is_le(),
            Self::More => ordering.is_gt(),
            Self::AtLeast => ordering.is_ge(),
        }
    }
}

impl Condition {
    /// Whether it holds for a value. (Whether there is none is asked elsewhere.)
    pub(super) fn holds(&self, value: Json<'_>) -> bool {
        match self {
            Self::Value(test) => test.holds(value),
            Self::Numeric(bounds) => {
                let within = |(comparison, bound): &(Comparison, String)| {
                    comparison.holds(compare_numbers(value.raw(), bound))
                };
                value.kind() == Kind::Number && bounds.iter().all(within)
            }
            Self::Cidr(network) => value
                .text()
                .and_then(|text| text.parse().ok())
                .is_some_and(|address| network.contains(address)),
            Self::Exists(wanted) => *wanted,
            Self::AnythingBut(tests) => !tests.iter().any(|test| test.holds(value)),
        }
    }
}

impl Test {
    fn holds(&self, value: Json<'_>) -> bool {
        let text = || value.text().unwrap_or_default();
        match (self, value.kind()) {
            (Self::Null, Kind::Null) => true,
            (Self::Bool(wanted), Kind::Bool) => (value.raw() == "true") == *wanted,
            (Self::Number(wanted), Kind::Number) => compare_numbers(value.raw(), wanted).is_eq(),
            (Self::Text(wanted), Kind::String) => value.is_text(wanted),
            (Self::EqualsIgnoreCase(wanted), Kind::String) => lower(&text()).eq(lower(wanted)),
            (
                Self::Prefix {
                    text: wanted,
                    ignore_case,
                },
                Kind::String,
            ) => {
                if *ignore_case {
                    begins(lower(&text()), lower(wanted))
                } else {
                    text().starts_with(wanted.as_str())
                }
            }
            (
                Self::Suffix {
                    text: wanted,
                    ignore_case,
                },
                Kind::String,
            ) => {
                if *ignore_case {
                    begins(lower(&text()).rev(), lower(wanted).rev())
                } else {
                    text().ends_with(wanted.as_str())
                }
            }
            (Self::Wildcard(wildcard), Kind::String) => wildcard.matches(&text()),
            (
                _,
                Kind::Null
                | Kind::Bool
                | Kind::Number
                | Kind::String
                | Kind::Array
                | Kind::Object
                | Kind::Deep,
            ) => false,
        }
    }
}

impl Wildcard {
    /// The pieces in their order, the first at the beginning and the last at the end. The earliest
    /// place of each leaves most room for the others, so that no other has to be tried.
    fn matches(&self, text: &str) -> bool {
        let Some((last, between)) = self.rest.split_last() else {
            return text == self.first;
        };
        let Some(mut rest) = text.strip_prefix(self.first.as_str()) else {
            return false;
        };
        for piece in between {
            let Some((_, after)) = rest.split_once(piece.as_str()) else {
                return false;
            };
            rest = after;
        }
        rest.ends_with(last.as_str())
    }
}

fn lower(text: &str) -> impl DoubleEndedIterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

fn begins(mut text: impl Iterator<Item = char>, mut with: impl Iterator<Item = char>) -> bool {
    with.all(|c| text.next() == Some(c))
}

/// What a condition found, cut to what a person reads.
pub(super) fn shown(raw: &str) -> Cow<'_, str> {
    const MAX_SHOWN: usize = 120;
    match raw.char_indices().nth(MAX_SHOWN) {
        None => Cow::Borrowed(raw),
        Some((end, _)) => Cow::Owned(format!("{}…", raw.get(..end).unwrap_or_default())),
    }
}
