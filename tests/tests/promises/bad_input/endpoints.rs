//! Endpoints, made and changed.

use hookpost_tests::Tenant;
use serde_json::{Value, json};

use super::{cases, mistake, written};

const BAD_FIELDS: &str = r#"
    {"url":7} -> url
    {"url":["https://example.com/"]} -> url
    {"event_types":"order.created"} -> event_types
    {"event_types":[]} -> event_types
    {"event_types":[7]} -> event_types[0]
    {"event_types":[""]} -> event_types
    {"event_types":["a b"]} -> event_types
    {"event_types":["ordér"]} -> event_types
    {"event_types":["order*"]} -> event_types
    {"event_types":["*.created"]} -> event_types
    {"event_types":["good","order.*.x"]} -> event_types
    {"name":7} -> name
    {"secret":""} -> secret
    {"secret":"short"} -> secret
    {"secret":"whsec_"} -> secret
    {"secret":"whsec_!!!!"} -> secret
    {"secret":"whsec_AAAA"} -> secret
    {"secret":"with\nline breaks"} -> secret
    {"timeout_seconds":0} -> timeout_seconds
    {"timeout_seconds":31} -> timeout_seconds
    {"timeout_seconds":-1} -> timeout_seconds
    {"timeout_seconds":"15"} -> timeout_seconds
    {"rate_limit_per_second":0} -> rate_limit_per_second
    {"rate_limit_per_second":-1} -> rate_limit_per_second
    {"rate_limit_per_second":1.5} -> rate_limit_per_second
    {"rate_limit_per_second":100001} -> rate_limit_per_second
    {"max_in_flight":0} -> max_in_flight
    {"max_in_flight":1001} -> max_in_flight
    {"no_retry_statuses":[200]} -> no_retry_statuses
    {"no_retry_statuses":[99]} -> no_retry_statuses
    {"no_retry_statuses":["404"]} -> no_retry_statuses[0]
    {"no_retry_statuses":404} -> no_retry_statuses
    {"breaker":{"failures":0}} -> breaker.failures
    {"breaker":{"pause_seconds":0}} -> breaker.pause_seconds
    {"breaker":{"pause_seconds":901}} -> breaker.pause_seconds
    {"breaker":{"fuse":1}} -> breaker.fuse
    {"auth":{"type":"digest","username":"a","password":"b"}} -> auth.type
    {"auth":{"username":"a"}} -> auth.password
    {"auth":{"username":"a:b","password":"c"}} -> auth.username
    {"auth":{"username":"a\r\n","password":"c"}} -> auth.username
    {"auth":{"username":"a","password":"c\r\nX: y"}} -> auth.password
    {"auth":"a:b"} -> auth
    {"active":"yes"} -> active
    {"paused":1} -> paused
    {"urls":[]} -> urls
    {"id":"ep_mine"} -> id
"#;

const BAD_RETRIES: &str = r#"
    {"max_retries":0} -> retry.max_attempts
    {"max_retries":51} -> retry.max_attempts
    {"max_retries":-1} -> max_retries
    {"retry":"often"} -> retry.preset
    {"retry":7} -> retry
    {"retry":[1,2]} -> retry
    {"retry":{"preset":"often"}} -> retry.preset
    {"retry":{"attempts":5}} -> retry.attempts
    {"retry":{"max_attempts":0}} -> retry.max_attempts
    {"retry":{"max_attempts":51}} -> retry.max_attempts
    {"retry":{"max_attempts":-1}} -> retry.max_attempts
    {"retry":{"max_attempts":"5"}} -> retry.max_attempts
    {"retry":{"initial_delay":-1}} -> retry.initial_delay
    {"retry":{"initial_delay":1e12}} -> retry.initial_delay
    {"retry":{"initial_delay":"soon"}} -> retry.initial_delay
    {"retry":{"initial_delay":10,"max_delay":5}} -> retry.max_delay
    {"retry":{"max_delay":1e9}} -> retry.max_delay
    {"retry":{"multiplier":0}} -> retry.multiplier
    {"retry":{"multiplier":0.5}} -> retry.multiplier
    {"retry":{"multiplier":-2}} -> retry.multiplier
    {"retry":{"multiplier":1e300}} -> retry.multiplier
    {"retry":{"multiplier":"2"}} -> retry.multiplier
    {"retry":{"jitter":-0.1}} -> retry.jitter
    {"retry":{"jitter":1.1}} -> retry.jitter
    {"retry":{"delays":[]}} -> retry.delays
    {"retry":{"delays":[-1]}} -> retry.delays
    {"retry":{"delays":[0,"later"]}} -> retry.delays
    {"retry":{"delays":[901]}} -> retry.delays
    {"retry":{"delays":[0,1e10]}} -> retry.delays
    {"retry":{"delays":[0],"multiplier":2}} -> retry.delays
"#;

/// Header names and values that would smuggle a header or forge one of ours.
const BAD_HEADERS: &str = r#"
    {"headers":{"Host":"x"}} -> headers.Host
    {"headers":{"host":"x"}} -> headers.host
    {"headers":{"Content-Length":"0"}} -> headers.Content-Length
    {"headers":{"content-length":"0"}} -> headers.content-length
    {"headers":{"Transfer-Encoding":"chunked"}} -> headers.Transfer-Encoding
    {"headers":{"Content-Type":"text/html"}} -> headers.Content-Type
    {"headers":{"Connection":"close"}} -> headers.Connection
    {"headers":{"Upgrade":"h2c"}} -> headers.Upgrade
    {"headers":{"webhook-id":"x"}} -> headers.webhook-id
    {"headers":{"Webhook-Signature":"v1,x"}} -> headers.Webhook-Signature
    {"headers":{"webhook-anything":"x"}} -> headers.webhook-anything
    {"headers":{"X-Webhook-Signature":"x"}} -> headers.X-Webhook-Signature
    {"headers":{"X-WEBHOOK-ID":"x"}} -> headers.X-WEBHOOK-ID
    {"headers":{"X A":"x"}} -> headers.X A
    {"headers":{"X-A:":"x"}} -> headers.X-A:
    {"headers":{"X-A\r\nHost":"x"}} -> headers.X-A\r\nHost
    {"headers":{"X-A\n":"x"}} -> headers.X-A\n
    {"headers":{"X-É":"x"}} -> headers.X-É
    {"headers":{"X-A":"a\r\nHost: b"}} -> headers.X-A
    {"headers":{"X-A":"a\nb"}} -> headers.X-A
    {"headers":{"X-A":"a\rb"}} -> headers.X-A
    {"headers":{"X-A":"a\u0000b"}} -> headers.X-A
    {"headers":{"X-A":"é"}} -> headers.X-A
    {"headers":{"X-A":7}} -> headers.X-A
    {"headers":["X-A"]} -> headers
"#;

/// What is too much of something that would be good.
fn excesses() -> Vec<(Value, &'static str)> {
    let text = |length: usize| "x".repeat(length);
    let many: serde_json::Map<_, _> = (0..21).map(|n| (format!("X-{n}"), json!("v"))).collect();
    let auth = json!({ "username": text(257), "password": "c" });
    vec![
        (json!({ "name": text(201) }), "name"),
        (json!({ "description": text(2001) }), "description"),
        (json!({ "event_types": [text(129)] }), "event_types"),
        (json!({ "event_types": vec!["a"; 101] }), "event_types"),
        (json!({ "secret": text(257) }), "secret"),
        (json!({ "auth": auth }), "auth.username"),
        (
            json!({ "retry": { "delays": vec![1; 51] } }),
            "retry.delays",
        ),
        (json!({ "headers": many }), "headers"),
        (json!({ "headers": { "X-A": text(1025) } }), "headers.X-A"),
        (json!({ "headers": { "": "x" } }), "headers."),
        (json!({ "headers": { " ": "x" } }), "headers. "),
    ]
}

async fn are_refused_and_not_written(bad: Vec<(Value, &'static str)>) {
    let tenant = Tenant::new();
    let kept = tenant.endpoint("/success").create().await;
    let path = format!("/endpoints/{}", kept.id);
    let shown = kept.shown().await;
    let before = written(&tenant).await;
    let mut mistakes = Vec::new();
    for (fields, field) in bad {
        let mut body = json!({ "url": "https://example.com/", "event_types": ["*"] });
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        for answer in [
            tenant.post("/endpoints", &body).await,
            tenant.patch(&path, &fields).await,
        ] {
            let mistake = mistake(&answer, field);
            mistakes.extend(mistake.map(|mistake| format!("{} {fields}: {mistake}", answer.about)));
        }
    }
    assert_eq!(mistakes, Vec::<String>::new());
    assert_eq!(written(&tenant).await, before);
    assert_eq!(kept.shown().await, shown);
}

#[tokio::test]
async fn a_bad_field_is_named() {
    are_refused_and_not_written(cases(BAD_FIELDS)).await;
    are_refused_and_not_written(excesses()).await;
}

#[tokio::test]
async fn a_bad_retry_policy_is_named_by_its_number() {
    are_refused_and_not_written(cases(BAD_RETRIES)).await;
}

#[tokio::test]
async fn a_header_that_would_smuggle_is_named() {
    are_refused_and_not_written(cases(BAD_HEADERS)).await;
}

#[tokio::test]
async fn a_missing_field_is_named() {
    let tenant = Tenant::new();
    for (body, field) in [
        (json!({}), "url"),
        (json!({ "url": "https://example.com/" }), "event_types"),
        (json!({ "event_types": ["*"] }), "url"),
    ] {
        tenant.post("/endpoints", &body).await.refuses(422, field);
    }
    assert_eq!(tenant.keys_in("EndpointsTable").await, Vec::<String>::new());
}
