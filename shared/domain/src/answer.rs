//! What an endpoint's answer means: by its status, and by what its body says where the endpoint has
//! rules about that.
//!
//! Guarantees: an answer that no rule speaks of means what HTTP says; the first rule that fits
//! decides; only the head of a body is looked at, and looking costs no more than its length times
//! the number of rules.

use std::cell::OnceCell;
use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::Invalid;
use crate::delivery::{AttemptResult, DeadReason, FailureKind, clip};

/// Bytes of an answer's body that rules see.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// Rules that one endpoint may have.
const MAX_RULES: usize = 20;
/// Entries in one list of statuses.
const MAX_STATUSES: usize = 50;
/// Bytes of a text that a body is searched for, and of a pointer into it.
const MAX_NEEDLE_BYTES: usize = 256;
/// What an endpoint answers that wants nothing more.
const GONE: u16 = 410;

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
    const fn range(self) -> (u16, u16) {
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

/// What an answer that a rule fits means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// A failure that the retry policy deals with.
    Retry,
    /// A failure that no retry mends.
    Fail,
    /// A success.
    Succeed,
}

/// A rule about answers: the first of an endpoint's that fits decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ResponseRule {
    /// All of it has to hold.
    pub when: Condition,
    /// What the answer then means.
    pub then: Meaning,
}

/// What has to hold of an answer: everything that is given.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Condition {
    /// Its status is one of these.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "one_or_more"
    )]
    pub status: Option<Vec<StatusPattern>>,
    /// This text is in the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_contains: Option<String>,
    /// The body is JSON, and says this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_json: Option<JsonCondition>,
}

/// What a body that is JSON has to say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct JsonCondition {
    /// Where to look: a JSON pointer (RFC 6901) such as `/result/ok`; empty for the whole.
    pub pointer: String,
    /// What has to be there; anything but `null` if this is not given.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "even_null"
    )]
    pub equals: Option<Value>,
}

fn one_or_more<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<StatusPattern>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMore {
        One(StatusPattern),
        More(Vec<StatusPattern>),
    }
    Ok(Some(match OneOrMore::deserialize(deserializer)? {
        OneOrMore::One(pattern) => vec![pattern],
        OneOrMore::More(patterns) => patterns,
    }))
}

/// `null` is a value to compare with.
fn even_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Everything that an endpoint says about its answers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules<'a> {
    /// Statuses that are retried, whatever class of `no_retry_statuses` they are in; 410 among
    /// them is a failure like any other.
    pub retry_statuses: &'a [StatusPattern],
    /// Statuses that no retry mends.
    pub no_retry_statuses: &'a [StatusPattern],
    /// What comes before both.
    pub response_rules: &'a [ResponseRule],
}

/// An answer, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The result, as the endpoint means it.
    pub result: AttemptResult,
    /// Why this failure is the last one whatever the retry policy says, if it is.
    pub ends: Option<DeadReason>,
}

impl Judged {
    /// Whether the endpoint wants nothing more.
    pub const fn is_gone(&self) -> bool {
        matches!(self.ends, Some(DeadReason::Gone))
    }
}

impl Rules<'_> {
    /// Whether the body has to be read to judge by these.
    pub fn look_into_bodies(&self) -> bool {
        self.response_rules
            .iter()
            .any(|rule| rule.when.body_contains.is_some() || rule.when.body_json.is_some())
    }

    /// What the answer means; `body` is its head, and `result` what HTTP says.
    pub fn judge(&self, result: AttemptResult, body: &[u8]) -> Judged {
        let status = match &result {
            AttemptResult::Accepted(status)
            | AttemptResult::Failed {
                kind: FailureKind::Http(status),
                ..
            } => *status,
            AttemptResult::Failed { .. } => return Judged { result, ends: None },
        };
        let body = Body::new(body);
        let fits = |(_, rule): &(usize, &ResponseRule)| rule.when.holds(status, &body);
        let Some((place, rule)) = (1..).zip(self.response_rules).find(fits) else {
            let ends = match &result {
                AttemptResult::Accepted(_) => None,
                AttemptResult::Failed { .. } => self.ends(status),
            };
            return Judged { result, ends };
        };
        let failed = |result| match result {
            AttemptResult::Accepted(_) => AttemptResult::Failed {
                kind: FailureKind::Http(status),
                detail: format!("a failure by the endpoint's response rule {place}"),
                response: clip(body.bytes),
            },
            AttemptResult::Failed { .. } => result,
        };
        match rule.then {
            Meaning::Succeed => Judged {
                result: AttemptResult::Accepted(status),
                ends: None,
            },
            Meaning::Retry => Judged {
                result: failed(result),
                ends: None,
            },
            Meaning::Fail => Judged {
                result: failed(result),
                ends: Some(DeadReason::NotRetried),
            },
        }
    }

    /// Why a failure with this status is the last one, if it is. A code counts before a class.
    fn ends(&self, status: u16) -> Option<DeadReason> {
        let code = StatusPattern::Code(status);
        let class = StatusPattern::Class(status / 100);
        if self.retry_statuses.contains(&code) {
            None
        } else if status == GONE {
            Some(DeadReason::Gone)
        } else if self.no_retry_statuses.contains(&code) {
            Some(DeadReason::NotRetried)
        } else if self.retry_statuses.contains(&class) {
            None
        } else {
            self.no_retry_statuses
                .contains(&class)
                .then_some(DeadReason::NotRetried)
        }
    }
}

/// The head of a body, read as JSON once if at all.
struct Body<'a> {
    bytes: &'a [u8],
    json: OnceCell<Option<Value>>,
}

impl<'a> Body<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes: bytes.get(..MAX_BODY_BYTES).unwrap_or(bytes),
            json: OnceCell::new(),
        }
    }

    fn contains(&self, text: &str) -> bool {
        self.bytes
            .windows(text.len().max(1))
            .any(|window| window == text.as_bytes())
    }

    fn json(&self) -> Option<&Value> {
        self.json
            .get_or_init(|| serde_json::from_slice(self.bytes).ok())
            .as_ref()
    }
}

impl Condition {
    fn holds(&self, status: u16, body: &Body<'_>) -> bool {
        let meant = |patterns: &Vec<StatusPattern>| patterns.iter().any(|p| p.means(status));
        self.status.as_ref().is_none_or(meant)
            && self
                .body_contains
                .as_ref()
                .is_none_or(|text| body.contains(text))
            && self
                .body_json
                .as_ref()
                .is_none_or(|json| body.json().is_some_and(|body| json.holds(body)))
    }
}

impl JsonCondition {
    fn holds(&self, body: &Value) -> bool {
        let Some(found) = body.pointer(&self.pointer) else {
            return false;
        };
        self.equals
            .as_ref()
            .map_or(!found.is_null(), |wanted| is_same(found, wanted))
    }
}

/// Whether two JSON values are the same; `1` and `1.0` are.
#[expect(clippy::float_cmp, reason = "the same number is meant, not a near one")]
fn is_same(one: &Value, other: &Value) -> bool {
    one == other
        || one
            .as_f64()
            .zip(other.as_f64())
            .is_some_and(|(a, b)| a == b)
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

/// Checks an endpoint's rules.
///
/// # Errors
/// The first that is empty, too long, or can never fit.
pub fn check_rules(rules: &[ResponseRule]) -> Result<(), Invalid> {
    if rules.len() > MAX_RULES {
        return Err(Invalid::new("response_rules", "must be at most 20"));
    }
    for (place, rule) in rules.iter().enumerate() {
        let refuse = |field: &str, text: &'static str| {
            let field = format!("response_rules[{place}].when{field}");
            Err(Invalid::new(field, text))
        };
        let when = &rule.when;
        if when.status.is_none() && when.body_contains.is_none() && when.body_json.is_none() {
            return refuse(
                "",
                "must have at least one of `status`, `body_contains` and `body_json`",
            );
        }
        if let Some(statuses) = &when.status {
            let holds = |pattern: &StatusPattern| {
                let (first, last) = pattern.range();
                first >= 200 && last <= 599
            };
            if statuses.is_empty() || statuses.len() > MAX_STATUSES || !statuses.iter().all(holds) {
                return refuse(
                    ".status",
                    "must be 1 to 50 codes from 200 to 599, or `2xx` to `5xx`",
                );
            }
        }
        let fits = |text: &String| (1..=MAX_NEEDLE_BYTES).contains(&text.len());
        if !when.body_contains.as_ref().is_none_or(fits) {
            return refuse(".body_contains", "must be 1 to 256 bytes of text");
        }
        if let Some(json) = &when.body_json {
            let pointer = &json.pointer;
            if pointer.len() > MAX_NEEDLE_BYTES || !(pointer.is_empty() || pointer.starts_with('/'))
            {
                return refuse(
                    ".body_json.pointer",
                    "must be a JSON pointer of at most 256 bytes, such as `/result/ok`",
                );
            }
            let plain = |value: &Value| match value {
                Value::Null | Value::Bool(_) | Value::Number(_) => true,
                Value::String(text) => text.len() <= MAX_NEEDLE_BYTES,
                Value::Array(_) | Value::Object(_) => false,
            };
            if !json.equals.as_ref().is_none_or(plain) {
                return refuse(
                    ".body_json.equals",
                    "must be null, true, false, a number, or at most 256 bytes of text",
                );
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rules(json: &str) -> Vec<ResponseRule> {
        let rules: Vec<ResponseRule> = serde_json::from_str(json).unwrap();
        check_rules(&rules).unwrap();
        rules
    }

    fn statuses(json: &str) -> Vec<StatusPattern> {
        serde_json::from_str(json).unwrap()
    }

    fn http(status: u16) -> AttemptResult {
        if (200..300).contains(&status) {
            return AttemptResult::Accepted(status);
        }
        AttemptResult::Failed {
            kind: FailureKind::Http(status),
            detail: "reason".to_owned(),
            response: "answer".to_owned(),
        }
    }

    fn judge(response_rules: &[ResponseRule], status: u16, body: &str) -> Judged {
        let rules = Rules {
            response_rules,
            ..Rules::default()
        };
        rules.judge(http(status), body.as_bytes())
    }

    #[test]
    fn a_2xx_whose_body_says_no_is_a_failure_to_be_retried() {
        let rules = rules(
            r#"[{"when":{"status":"2xx","body_json":{"pointer":"/ok","equals":false}},"then":"retry"}]"#,
        );
        let judged = judge(&rules, 200, r#"{"ok": false, "why": "busy"}"#);
        assert_eq!(judged.ends, None);
        let AttemptResult::Failed {
            kind,
            detail,
            response,
        } = judged.result
        else {
            panic!("accepted")
        };
        assert_eq!(kind, FailureKind::Http(200));
        assert!(detail.contains("rule 1"), "{detail}");
        assert!(response.contains("busy"));
        for body in [r#"{"ok":true}"#, "{}", "not json", ""] {
            assert_eq!(judge(&rules, 200, body).result, http(200), "{body}");
        }
        assert_eq!(judge(&rules, 503, r#"{"ok":false}"#).result, http(503));
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let rules = rules(
            r#"[{"when":{"status":[409],"body_contains":"already"},"then":"succeed"},
                {"when":{"status":"4xx"},"then":"fail"},
                {"when":{"body_json":{"pointer":"/error"}},"then":"retry"}]"#,
        );
        let judged = judge(&rules, 409, "it was processed already");
        assert_eq!(judged.result, AttemptResult::Accepted(409));
        let judged = judge(&rules, 409, "no");
        assert_eq!(
            (judged.result, judged.ends),
            (http(409), Some(DeadReason::NotRetried))
        );
        assert!(matches!(
            judge(&rules, 200, r#"{"error":{"code":7}}"#).result,
            AttemptResult::Failed { .. }
        ));
        assert_eq!(judge(&rules, 200, r#"{"error":null}"#).result, http(200));
    }

    #[test]
    fn null_and_numbers_are_compared_as_json_means_them() {
        for (equals, body, fits) in [
            ("null", "null", true),
            ("null", "false", false),
            ("1", "1.0", true),
            ("1", "2", false),
            (r#""1""#, "1", false),
            ("true", "true", true),
        ] {
            let rules = rules(&format!(
                r#"[{{"when":{{"body_json":{{"pointer":"","equals":{equals}}}}},"then":"fail"}}]"#
            ));
            let judged = judge(&rules, 200, body);
            assert_eq!(judged.ends.is_some(), fits, "{equals} {body}");
        }
    }

    #[test]
    fn a_code_counts_before_a_class() {
        let ends = |retry: &str, no_retry: &str, status| {
            let (retry, no_retry) = (statuses(retry), statuses(no_retry));
            let rules = Rules {
                retry_statuses: &retry,
                no_retry_statuses: &no_retry,
                ..Rules::default()
            };
            rules.judge(http(status), b"").ends
        };
        let not_retried = Some(DeadReason::NotRetried);
        assert_eq!(ends("[]", "[]", 404), None);
        assert_eq!(ends("[]", "[404]", 404), not_retried);
        assert_eq!(ends("[429]", r#"["4xx"]"#, 429), None);
        assert_eq!(ends("[429]", r#"["4xx"]"#, 404), not_retried);
        assert_eq!(ends("[429]", r#"["4xx"]"#, 500), None);
        assert_eq!(ends(r#"["4xx"]"#, "[404]", 404), not_retried);
        assert_eq!(ends("[]", "[]", 410), Some(DeadReason::Gone));
        assert_eq!(ends(r#"["4xx"]"#, "[]", 410), Some(DeadReason::Gone));
        assert_eq!(ends("[410]", "[]", 410), None);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for (json, field) in [
            (r#"[{"when":{},"then":"retry"}]"#, "response_rules[0].when"),
            (
                r#"[{"when":{"status":[]},"then":"retry"}]"#,
                "response_rules[0].when.status",
            ),
            (
                r#"[{"when":{"status":99},"then":"retry"}]"#,
                "response_rules[0].when.status",
            ),
            (
                r#"[{"when":{"body_contains":""},"then":"retry"}]"#,
                "response_rules[0].when.body_contains",
            ),
            (
                r#"[{"when":{"body_json":{"pointer":"ok"}},"then":"retry"}]"#,
                "response_rules[0].when.body_json.pointer",
            ),
            (
                r#"[{"when":{"body_json":{"pointer":"/ok","equals":[]}},"then":"retry"}]"#,
                "response_rules[0].when.body_json.equals",
            ),
        ] {
            let rules: Vec<ResponseRule> = serde_json::from_str(json).unwrap();
            assert_eq!(check_rules(&rules).unwrap_err().field, field, "{json}");
        }
        let same = statuses(r#"["4xx"]"#);
        assert!(check_no_contradiction(&same, &same).is_err());
        assert!(check_no_contradiction(&statuses("[404]"), &same).is_ok());
        assert!(serde_json::from_str::<StatusPattern>(r#""404""#).is_err());
    }

    #[test]
    fn rules_read_as_they_are_written() {
        let written = r#"[{"when":{"status":["2xx",404],"body_contains":"a","body_json":{"pointer":"/a","equals":null}},"then":"succeed"}]"#;
        assert_eq!(serde_json::to_string(&rules(written)).unwrap(), written);
    }

    fn any_rule() -> impl Strategy<Value = ResponseRule> {
        let pattern = prop_oneof![
            (200..600u16).prop_map(StatusPattern::Code),
            (2..6u16).prop_map(StatusPattern::Class)
        ];
        let meaning = prop_oneof![
            Just(Meaning::Retry),
            Just(Meaning::Fail),
            Just(Meaning::Succeed)
        ];
        let status = proptest::option::of(proptest::collection::vec(pattern, 1..4));
        let contains = proptest::option::of("[a-c]{1,3}");
        let json = proptest::option::of("(/[a-c]){0,2}");
        (status, contains, json, meaning).prop_map(|(status, body_contains, pointer, then)| {
            let body_json = pointer.map(|pointer| JsonCondition {
                pointer,
                equals: None,
            });
            let when = Condition {
                status,
                body_contains,
                body_json,
            };
            ResponseRule { when, then }
        })
    }

    proptest! {
        #[test]
        fn only_failures_end_a_delivery_and_the_status_stays_what_it_was(
            rules in proptest::collection::vec(any_rule(), 0..5),
            status in 200..600u16,
            body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let rules = Rules { response_rules: &rules, ..Rules::default() };
            let judged = rules.judge(http(status), &body);
            match judged.result {
                AttemptResult::Accepted(code) => {
                    prop_assert_eq!(code, status);
                    prop_assert_eq!(judged.ends, None);
                }
                AttemptResult::Failed { kind, .. } => prop_assert_eq!(kind, FailureKind::Http(status)),
            }
        }

        #[test]
        fn what_no_rule_speaks_of_means_what_http_says(status in 200..600u16, body in ".{0,100}") {
            let judged = judge(&[], status, &body);
            prop_assert_eq!(judged.result, http(status));
            prop_assert_eq!(judged.ends, (status == 410).then_some(DeadReason::Gone));
        }

        #[test]
        fn what_got_no_answer_is_judged_by_no_rule(rules in proptest::collection::vec(any_rule(), 0..5)) {
            let failed = AttemptResult::Failed {
                kind: FailureKind::Timeout,
                detail: String::new(),
                response: String::new(),
            };
            let rules = Rules { response_rules: &rules, ..Rules::default() };
            let judged = rules.judge(failed.clone(), b"");
            prop_assert_eq!(judged, Judged { result: failed, ends: None });
        }

        #[test]
        fn only_the_head_of_a_body_is_looked_at(surplus in 0..64usize) {
            let text = format!("{}needle", "x".repeat(MAX_BODY_BYTES - 6 + surplus));
            let rules = rules(r#"[{"when":{"body_contains":"needle"},"then":"fail"}]"#);
            prop_assert_eq!(judge(&rules, 200, &text).ends.is_some(), surplus == 0);
        }
    }
}
