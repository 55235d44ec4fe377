//! One request that was made, and what came of it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Bytes of a failed attempt's answer that are kept.
pub const MAX_RESPONSE_BYTES: usize = 256;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its number within its cycle, from 1.
    #[serde(rename = "n")]
    pub number: u32,
    /// The run through the retry schedule that it belongs to.
    #[serde(rename = "c", default, skip_serializing_if = "is_zero")]
    pub cycle: u32,
    /// When it began, in milliseconds since the epoch.
    #[serde(rename = "t", with = "millis")]
    pub at: Timestamp,
    /// How long it took.
    #[serde(rename = "ms")]
    pub latency_ms: u32,
    /// What came of it.
    #[serde(rename = "r")]
    pub result: AttemptResult,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttemptResult {
    /// A 2xx answer.
    #[serde(rename = "ok")]
    Accepted(u16),
    /// Anything else.
    #[serde(rename = "no")]
    Failed {
        /// Of which kind.
        #[serde(rename = "k")]
        kind: FailureKind,
        /// In words.
        #[serde(rename = "d", default, skip_serializing_if = "String::is_empty")]
        detail: String,
        /// How the answer began, if there was one.
        #[serde(rename = "b", default, skip_serializing_if = "String::is_empty")]
        response: String,
    },
}

/// Why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum FailureKind {
    /// An answer that is not 2xx.
    Http(u16),
    /// No answer in time.
    Timeout,
    /// The name does not resolve.
    Dns,
    /// The name or address is one that no webhook may go to.
    RefusedAddress,
    /// No connection.
    Connect,
    /// A connection, but no trust in it.
    Tls,
    /// The connection broke.
    Reset,
    /// An answer that is not HTTP.
    Protocol,
    /// No request: the endpoint's template needs what the event does not have.
    Template,
}

impl FailureKind {
    /// Whether it is of the kind that `name` names: `timeout`, `http_503`, or a class such as
    /// `http_5xx`.
    pub fn is_named(self, name: &str) -> bool {
        match self {
            Self::Http(status) if name.ends_with("xx") => {
                name == format!("http_{}xx", status / 100)
            }
            Self::Http(_)
            | Self::Timeout
            | Self::Dns
            | Self::RefusedAddress
            | Self::Connect
            | Self::Tls
            | Self::Reset
            | Self::Protocol
            | Self::Template => name == self.to_string(),
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Http(status) => return write!(f, "http_{status}"),
            Self::Timeout => "timeout",
            Self::Dns => "dns",
            Self::RefusedAddress => "refused_address",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Reset => "reset",
            Self::Protocol => "protocol",
            Self::Template => "template",
        };
        f.write_str(name)
    }
}

impl FromStr for FailureKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("no failure is named {text}");
        Ok(match text {
            "timeout" => Self::Timeout,
            "dns" => Self::Dns,
            "refused_address" => Self::RefusedAddress,
            "connect" => Self::Connect,
            "tls" => Self::Tls,
            "reset" => Self::Reset,
            "protocol" => Self::Protocol,
            "template" => Self::Template,
            _ => {
                let status = text.strip_prefix("http_").ok_or_else(unknown)?;
                Self::Http(status.parse().map_err(|_| unknown())?)
            }
        })
    }
}

impl TryFrom<String> for FailureKind {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<FailureKind> for String {
    fn from(kind: FailureKind) -> Self {
        kind.to_string()
    }
}

impl Attempt {
    /// The kind of its failure, if it failed.
    pub const fn failure(&self) -> Option<FailureKind> {
        match self.result {
            AttemptResult::Accepted(_) => None,
            AttemptResult::Failed { kind, .. } => Some(kind),
        }
    }

    /// The status of the answer, if there was one.
    pub const fn status_code(&self) -> Option<u16> {
        match self.result {
            AttemptResult::Accepted(status)
            | AttemptResult::Failed {
                kind: FailureKind::Http(status),
                ..
            } => Some(status),
            AttemptResult::Failed { .. } => None,
        }
    }

    /// What came of it, in words: `HTTP 503: Service Unavailable`.
    pub fn describe(&self) -> String {
        match &self.result {
            AttemptResult::Accepted(status) => format!("HTTP {status}"),
            AttemptResult::Failed {
                kind: FailureKind::Http(status),
                detail,
                ..
            } => {
                format!("HTTP {status}: {detail}")
            }
            AttemptResult::Failed {
                kind: FailureKind::Template,
                detail,
                ..
            } => detail.clone(),
            AttemptResult::Failed { kind, detail, .. } => format!("{kind}: {detail}"),
        }
    }
}

/// What SQS refuses in a message, or nobody wants in a log.
fn is_unfit(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// At most [`MAX_RESPONSE_BYTES`] bytes of a text about a failure, without what SQS refuses.
pub fn clip_text(text: &str) -> String {
    let mut kept = String::with_capacity(text.len().min(MAX_RESPONSE_BYTES));
    for c in text.chars() {
        let c = if is_unfit(c) {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        };
        if kept.len() + c.len_utf8() > MAX_RESPONSE_BYTES {
            break;
        }
        kept.push(c);
    }
    kept
}

/// The beginning of an answer that is worth keeping: at most [`MAX_RESPONSE_BYTES`] bytes of text,
/// control characters and broken UTF-8 replaced.
pub fn clip(body: &[u8]) -> String {
    let head = body.get(..MAX_RESPONSE_BYTES).unwrap_or(body);
    clip_text(&String::from_utf8_lossy(head))
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
const fn is_zero(n: &u32) -> bool {
    *n == 0
}

mod millis {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::Timestamp;

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde asks for a reference"
    )]
    pub(super) fn serialize<S: Serializer>(
        at: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(at.as_millis())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Timestamp, D::Error> {
        u64::deserialize(deserializer).map(Timestamp::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_answer_is_kept_longer_than_its_bound(body in proptest::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert!(clip(&body).len() <= MAX_RESPONSE_BYTES);
        }

        #[test]
        fn what_is_kept_of_an_answer_can_be_sent(text in "[\u{0}-\u{20}a\u{fffd}-\u{ffff}]{0,300}") {
            prop_assert!(!clip(text.as_bytes()).chars().any(is_unfit));
        }
    }

    #[test]
    fn a_failure_is_found_by_its_name_and_by_its_class() {
        assert!(FailureKind::Http(503).is_named("http_503"));
        assert!(FailureKind::Http(503).is_named("http_5xx"));
        assert!(!FailureKind::Http(503).is_named("http_4xx"));
        assert!(FailureKind::Timeout.is_named("timeout"));
        for kind in [
            FailureKind::Http(429),
            FailureKind::Tls,
            FailureKind::RefusedAddress,
        ] {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
    }
}
