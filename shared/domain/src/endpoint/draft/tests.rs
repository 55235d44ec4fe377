//! Endpoints as callers write them.

use proptest::prelude::*;

use super::*;
use crate::retry::Backoff;

fn create(json: &str) -> Result<Endpoint, String> {
    let draft: EndpointDraft = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let id = EndpointId::generate(Timestamp::default(), [1; 10]);
    let secret = Secret::generate([1; 32]);
    draft
        .create(
            id,
            TenantId::default(),
            secret,
            &AllowedTargets::default(),
            Timestamp::default(),
        )
        .map_err(|invalid| invalid.field.into_owned())
}

#[test]
fn the_calls_of_the_wished_for_documents_are_understood() {
    let one = create(
        r#"{"url":"https://example.com/webhook","secret":"your-secret-key",
            "events":["user.created","order.updated"],"max_retries":5,"timeout":30}"#,
    )
    .unwrap();
    assert_eq!(one.timeout(), std::time::Duration::from_secs(30));
    assert_eq!(one.retry.unwrap().max_attempts(), 5);
    let basic = create(
        r#"{"url":"https://example.com/endpoint","events":["order.created"],
            "auth":{"type":"basic","username":"user","password":"pass"}}"#,
    )
    .unwrap();
    assert_eq!(basic.auth.unwrap().username, "user");
    let subscriber = create(
        r#"{"name":"My App","endpoint_url":"https://a.example/x","event_types":["order.created"]}"#,
    );
    assert_eq!(subscriber.unwrap().name, "My App");
}

#[test]
fn retry_is_a_preset_a_list_or_numbers() {
    let retry = |retry: &str| {
        let json = format!(r#"{{"url":"https://a.example/","event_types":["*"],"retry":{retry}}}"#);
        create(&json).map(|endpoint| endpoint.retry.unwrap())
    };
    assert_eq!(retry(r#""standard""#).unwrap().max_attempts(), 10);
    let delays = retry(r#"{"delays":["0s","5m",7200]}"#).unwrap();
    assert_eq!(*delays.backoff(), Backoff::Delays(vec![0.0, 300.0, 7200.0]));
    let numbers = retry(r#"{"initial_delay":0.5,"max_delay":600,"max_attempts":8}"#).unwrap();
    assert_eq!(numbers.max_attempts(), 8);
    for (bad, field) in [
        (r#""often""#, "retry.preset"),
        (r#"{"delays":[]}"#, "retry.delays"),
        (r#"{"delays":["soon"]}"#, "retry.delays"),
        (r#"{"initial_delay":-1}"#, "retry.initial_delay"),
        (r#"{"multiplier":0}"#, "retry.multiplier"),
        (r#"{"max_attempts":0}"#, "retry.max_attempts"),
        (r#"{"jitter":2}"#, "retry.jitter"),
    ] {
        assert_eq!(retry(bad).unwrap_err(), field, "{bad}");
    }
}

#[test]
fn a_change_touches_only_what_it_names() {
    let first = create(
        r#"{"url":"https://a.example/","event_types":["*"],"name":"a","rate_limit_per_second":5}"#,
    )
    .unwrap();
    let draft: EndpointDraft =
        serde_json::from_str(r#"{"rate_limit_per_second":null,"active":false}"#).unwrap();
    let next = draft
        .change(&first, &AllowedTargets::default(), Timestamp::default())
        .unwrap();
    assert_eq!(next.rate_limit_per_second, None);
    assert_eq!(next.state, EndpointState::Disabled(DisabledBy::Operator));
    assert_eq!((next.name.as_str(), next.version), ("a", first.version + 1));
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    for (json, field) in [
        ("{}", "url"),
        (r#"{"url":"https://a.example/"}"#, "event_types"),
        (r#"{"url":"http://a.example/","event_types":["*"]}"#, "url"),
        (
            r#"{"url":"https://a.example/","event_types":[]}"#,
            "event_types",
        ),
        (
            r#"{"url":"https://a.example/","event_types":["*"],"timeout":0}"#,
            "timeout_seconds",
        ),
        (
            r#"{"url":"https://a.example/","event_types":["*"],"headers":{"Host":"x"}}"#,
            "headers.Host",
        ),
        (
            r#"{"url":"https://a.example/","event_types":["*"],"rate_limit":0}"#,
            "rate_limit_per_second",
        ),
    ] {
        assert_eq!(create(json).unwrap_err(), field, "{json}");
    }
}

#[test]
fn order_is_asked_for_with_what_is_done_at_a_dead_letter() {
    let asked = |more: &str| {
        let json = format!(r#"{{"url":"https://a.example/","event_types":["*"]{more}}}"#);
        create(&json).map(|endpoint| endpoint.ordered)
    };
    assert_eq!(asked(""), Ok(None));
    let skip = Some(OnDeadLetter::Skip);
    assert_eq!(asked(r#","ordered":true"#), Ok(skip));
    let block = r#","ordered":true,"on_dead_letter":"block""#;
    assert_eq!(asked(block), Ok(Some(OnDeadLetter::Block)));
    let alone = r#","on_dead_letter":"block""#;
    assert_eq!(asked(alone), Err("on_dead_letter".to_owned()));
    let json = r#"{"url":"https://a.example/","event_types":["*"],"ordered":true,"on_dead_letter":"block"}"#;
    let blocking = create(json).unwrap();
    for (change, then) in [
        (r#"{"name":"b"}"#, Some(OnDeadLetter::Block)),
        (r#"{"ordered":true}"#, Some(OnDeadLetter::Block)),
        (r#"{"on_dead_letter":"skip"}"#, skip),
        (r#"{"ordered":false}"#, None),
    ] {
        let draft: EndpointDraft = serde_json::from_str(change).unwrap();
        let next = draft.change(&blocking, &AllowedTargets::default(), Timestamp::default());
        assert_eq!(next.unwrap().ordered, then, "{change}");
    }
}

/// The names of all fields, and some of their parts', so that what is made up is nearly a draft.
const NAMES: [&str; 30] = [
    "url",
    "endpoint_url",
    "name",
    "description",
    "metadata",
    "event_types",
    "events",
    "filter",
    "template",
    "secret",
    "signing",
    "auth",
    "headers",
    "retry",
    "retry_policy",
    "max_retries",
    "retry_statuses",
    "no_retry_statuses",
    "response_rules",
    "timeout",
    "timeout_seconds",
    "rate_limit",
    "rate_limit_per_second",
    "breaker",
    "active",
    "paused",
    "delays",
    "type",
    "initial_delay",
    "nonsense",
];

/// Values that some field takes, near misses, and anything.
fn any_value() -> impl Strategy<Value = serde_json::Value> {
    let known = proptest::sample::select(vec![
        r#""https://example.com/hook""#,
        r#""https://127.1/""#,
        r#"["order.*", "*"]"#,
        r#"["*.x"]"#,
        r#""whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw""#,
        r#""whsk_x""#,
        r#""ed25519""#,
        "1e308",
        "-0.0",
        "1e-320",
        "18446744073709551616",
        r#"{"type":"basic","username":"u","password":"p"}"#,
        r#"{"x-a":"b\r\nc"}"#,
        r#"{"Host":"x"}"#,
        r#"{"delays":[0,1e300,"5m"]}"#,
        r#""standard""#,
        r#"{"initial_delay":1e300,"multiplier":1e300,"max_delay":1e-300}"#,
        r#"{"max_attempts":50}"#,
        r#"[408,"4xx",99999]"#,
        r#"{"data":{"a":[{"numeric":[">",1]}]}}"#,
        r#"{"a":"{{data.b | upper}}"}"#,
        r#"{"failures":0}"#,
        r#"{"failures":5,"pause":"30s"}"#,
        "30",
        "0",
        "true",
        "null",
        "{}",
        "[]",
    ]);
    prop_oneof![
        3 => known.prop_map(|text| serde_json::from_str(text).unwrap_or_default()),
        1 => crate::json::tests::any_json().prop_map(|json| serde_json::from_str(&json.to_string()).unwrap()),
    ]
}

proptest! {
    #[test]
    fn no_draft_panics_and_what_it_makes_can_be_stored_and_used(
        fields in proptest::collection::btree_map(proptest::sample::select(&NAMES[..]), any_value(), 0..8),
        roll in 0.0..1.0_f64,
    ) {
        let mut fields = fields;
        fields.entry("url").or_insert_with(|| "https://example.com/".into());
        fields.entry("event_types").or_insert_with(|| serde_json::json!(["*"]));
        let text = serde_json::to_string(&fields).unwrap();
        if let Ok(endpoint) = create(&text) {
            let stored = serde_json::to_string(&endpoint).unwrap();
            let read: Endpoint = serde_json::from_str(&stored).unwrap();
            prop_assert_eq!(&stored, &serde_json::to_string(&read).unwrap());
            let seconds = endpoint.timeout().as_secs_f64();
            prop_assert!((1.0..=30.0).contains(&seconds), "{}", seconds);
            for attempt in 0..60 {
                if let Some(retry) = &endpoint.retry {
                    let wait = retry.delay_before(attempt, roll);
                    prop_assert!(wait.is_none_or(|wait| wait <= retry.longest()), "{:?}", wait);
                }
            }
        }
    }
}
