//! Endpoints as callers write them.

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
