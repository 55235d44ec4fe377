//! Answers of the API, and what they have to look like.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

/// An answer that has come in whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Method and URL of the call.
    pub about: String,
    /// The status.
    pub status: u16,
    headers: HeaderMap,
    body: Bytes,
}

/// Problem details, after a check that all that is promised is there.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The stable name of the kind of problem.
    pub kind: String,
    /// What is wrong.
    pub detail: String,
    /// The fields that break a rule.
    pub fields: Vec<String>,
    /// The whole of it.
    pub json: Value,
}

impl Answer {
    pub(crate) fn new(about: String, status: StatusCode, headers: HeaderMap, body: Bytes) -> Self {
        Self {
            about,
            status: status.as_u16(),
            headers,
            body,
        }
    }

    /// A header's value, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}: no JSON ({error}): {}", self.about, self.text()))
    }

    /// The JSON of an answer that has to have this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.about, self.text());
        if self.body.is_empty() {
            return Value::Null;
        }
        assert_eq!(
            self.header("content-type"),
            "application/json",
            "{}",
            self.about
        );
        self.json()
    }

    /// The problem details of an answer that has to be a refusal with this status.
    #[track_caller]
    pub fn problem(&self, status: u16) -> Problem {
        assert_eq!(self.status, status, "{}: {}", self.about, self.text());
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{}",
            self.about
        );
        Problem::check(&self.json(), status)
    }

    /// The problem details of an answer that has to refuse this field.
    #[track_caller]
    pub fn refuses(&self, status: u16, field: &str) -> Problem {
        let problem = self.problem(status);
        assert!(
            problem.fields.iter().any(|named| named == field),
            "{}: `{field}` is not named by {:#}",
            self.about,
            problem.json
        );
        problem
    }
}

impl Problem {
    /// Holds JSON against what is promised of problem details (RFC 9457).
    #[track_caller]
    pub fn check(json: &Value, status: u16) -> Self {
        let text = |name: &str| {
            let text = json[name].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "a problem without `{name}`: {json:#}");
            text.to_owned()
        };
        text("title");
        assert_eq!(json["status"], status, "{json:#}");
        let errors = json["errors"].as_array().map_or(&[][..], Vec::as_slice);
        let fields = errors.iter().map(|error| {
            let rule = error["rule"].as_str().unwrap_or_default();
            assert!(!rule.is_empty(), "an error without `rule`: {json:#}");
            let field = error["field"].as_str().unwrap_or_default();
            assert!(!field.is_empty(), "an error without `field`: {json:#}");
            field.to_owned()
        });
        Self {
            kind: text("type"),
            detail: text("detail"),
            fields: fields.collect(),
            json: json.clone(),
        }
    }
}
