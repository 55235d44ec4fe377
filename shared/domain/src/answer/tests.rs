//! What answers mean.

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
