//! What the API answers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The most of an answer that is no problem document that is kept as its detail, in characters.
const MAX_DETAIL: usize = 500;

/// An event that was accepted: it will be delivered, or end as a dead letter, for every endpoint
/// that it matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Accepted {
    /// The event's id; receivers get it as `webhook-id`.
    pub id: String,
    /// Its type.
    pub event_type: String,
    /// Whose it is.
    pub tenant: String,
    /// When it was accepted, in RFC 3339.
    pub timestamp: String,
    /// The id that you gave it.
    #[serde(default)]
    pub alias: Option<String>,
    /// Whether it had been accepted before.
    #[serde(default)]
    pub duplicate: bool,
    /// How many endpoints it matched.
    pub delivery_count: usize,
    /// Its deliveries. An answer to a large batch leaves them out of some events.
    #[serde(default)]
    pub deliveries: Vec<AcceptedDelivery>,
}

/// One of the deliveries of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AcceptedDelivery {
    /// Its id.
    pub id: String,
    /// The endpoint that it goes to.
    pub endpoint_id: String,
}

/// Why a call was refused: problem details (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Problem {
    /// The stable name of the kind of problem, such as `urn:hookpost:problem:invalid`;
    /// `about:blank` for what a gateway on the way answered.
    #[serde(rename = "type", default = "blank")]
    pub kind: String,
    /// The kind of problem, for people.
    #[serde(default)]
    pub title: String,
    /// The HTTP status.
    #[serde(default)]
    pub status: u16,
    /// What is wrong, for people.
    #[serde(default)]
    pub detail: String,
    /// The fields that break a rule.
    #[serde(default)]
    pub errors: Vec<FieldError>,
}

/// A field that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FieldError {
    /// The field.
    pub field: String,
    /// Its rule.
    pub rule: String,
}

fn blank() -> String {
    "about:blank".to_owned()
}

impl Problem {
    /// A problem of a kind (`invalid`, `conflict`, ...), for tests of how it is dealt with.
    pub fn new(status: u16, kind: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:hookpost:problem:{kind}"),
            title: kind.to_owned(),
            status,
            detail: detail.into(),
            errors: Vec::new(),
        }
    }

    /// The last part of its type: `invalid`, `conflict`, `too-large`, ...
    pub fn name(&self) -> &str {
        self.kind.rsplit(':').next().unwrap_or_default()
    }

    /// What an answer with this status says, whoever wrote it.
    pub(crate) fn read(status: u16, body: &[u8]) -> Self {
        if let Ok(problem) = serde_json::from_slice::<Self>(body)
            && (!problem.detail.is_empty() || !problem.title.is_empty())
        {
            return Self { status, ..problem };
        }
        let text = String::from_utf8_lossy(body);
        Self {
            kind: blank(),
            title: "not an answer of this API's own".to_owned(),
            status,
            detail: text.trim().chars().take(MAX_DETAIL).collect(),
            errors: Vec::new(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.name(), self.status, self.detail)
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_document_is_read_as_it_is() {
        let body = br#"{"type":"urn:hookpost:problem:invalid","title":"A field is not valid",
            "status":422,"detail":"event_type is wrong","errors":[{"field":"event_type","rule":"r"}]}"#;
        let problem = Problem::read(422, body);
        assert_eq!(problem.name(), "invalid");
        assert_eq!(problem.errors.first().unwrap().field, "event_type");
        assert_eq!(problem.to_string(), "invalid (422): event_type is wrong");
    }

    #[test]
    fn what_others_answer_becomes_a_problem_too() {
        for body in [
            &br#"{"message":"Too Many Requests"}"#[..],
            b"<html>",
            b"",
            b"\xff[]",
        ] {
            let problem = Problem::read(429, body);
            assert_eq!((problem.status, problem.name()), (429, "blank"));
        }
        let long = "x".repeat(1_000_000);
        assert_eq!(Problem::read(502, long.as_bytes()).detail.len(), MAX_DETAIL);
    }
}
