//! The request that an endpoint gets, and how it can tell that it is ours.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use hookpost_tests::{Received, Tenant, hex, wait};
use serde_json::{Value, json};
use sha2::Sha256;
use standardwebhooks::Webhook;

const PAYLOAD: &str = r#"{"order_id":"ord_1","total":1.10,"text":"é"}"#;

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// The key of the standard form: the bytes behind `whsec_`, or the text itself.
fn standard_key(secret: &str) -> Vec<u8> {
    match secret.strip_prefix("whsec_") {
        Some(encoded) => STANDARD.decode(encoded).unwrap(),
        None => secret.as_bytes().to_vec(),
    }
}

/// Both forms, by hand and by the standard's own library.
fn verify(received: &Received, secret: &str) {
    let id = received.header("webhook-id");
    let timestamp = received.header("webhook-timestamp");
    let content = format!("{id}.{timestamp}.{}", received.body);
    let standard = hmac(&standard_key(secret), content.as_bytes());
    assert_eq!(
        received.header("webhook-signature"),
        format!("v1,{}", STANDARD.encode(standard))
    );
    let plain = hmac(secret.as_bytes(), received.body.as_bytes());
    assert_eq!(
        received.header("x-webhook-signature"),
        format!("sha256={}", hex(&plain))
    );
    let mut headers = http::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, received.header(name).parse().unwrap());
    }
    let webhook = Webhook::from_bytes(standard_key(secret)).unwrap();
    webhook.verify(received.body.as_bytes(), &headers).unwrap();
    assert!(webhook.verify(b"{}", &headers).is_err());
    assert_eq!(received.signature, "verified");
}

#[tokio::test]
async fn the_request_is_the_documented_one() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let call = hookpost_tests::Call::new("POST", "/api/v1/events");
    let body = format!(r#"{{"event_type":"order.created","payload":{PAYLOAD}}}"#);
    let accepted = tenant.call(call.body(body)).await.expect(202);
    let id = accepted["id"].as_str().unwrap();
    let timestamp = accepted["timestamp"].as_str().unwrap();

    let received = &endpoint.receives(1).await[0];
    assert_eq!(received.method, "POST");
    assert_eq!(
        received.body,
        format!(
            r#"{{"id":"{id}","event":"order.created","timestamp":"{timestamp}","data":{PAYLOAD}}}"#
        )
    );
    let mut headers = received.headers.clone();
    let mut take = |name: &str| headers.remove(name).unwrap_or_default();
    assert_eq!(take("host"), tenant.system().authority("receiver"));
    assert_eq!(take("content-length"), received.body.len().to_string());
    assert_eq!(take("content-type"), "application/json");
    assert_eq!(
        take("user-agent"),
        format!("Hookpost/{}", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(take("webhook-id"), id);
    assert_eq!(take("x-webhook-id"), id);
    assert_eq!(take("x-webhook-event"), "order.created");
    assert_eq!(take("x-webhook-timestamp"), timestamp);
    let attempted_s: u64 = take("webhook-timestamp").parse().unwrap();
    let got_s = received.at_ms / 1_000;
    assert!(
        (got_s - 2..=got_s).contains(&attempted_s),
        "{attempted_s} is not {got_s}"
    );
    let trace = take("traceparent");
    assert!(
        trace.starts_with(&format!("00-{}-", id.replace('-', ""))),
        "{trace}"
    );
    take("webhook-signature");
    take("x-webhook-signature");
    take("accept");
    take("accept-encoding");
    assert_eq!(headers, BTreeMap::new(), "these are not documented");
    verify(received, &endpoint.secret);
}

#[tokio::test]
async fn a_secret_is_generated_for_each_endpoint() {
    let tenant = Tenant::new();
    let one = tenant.endpoint("/success").create().await;
    let other = tenant.endpoint("/success").create().await;
    assert_ne!(one.secret, other.secret);
    let event = tenant.publish("order.created", &json!({})).await;
    tenant.all_delivered(&event).await;
    for endpoint in [one, other] {
        let encoded = endpoint.secret.strip_prefix("whsec_").unwrap();
        assert!((24..=64).contains(&STANDARD.decode(encoded).unwrap().len()));
        verify(&endpoint.receives(1).await[0], &endpoint.secret);
    }
}

#[tokio::test]
async fn any_secret_that_is_brought_along_signs() {
    let tenant = Tenant::new();
    let mut endpoints = Vec::new();
    for secret in [
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "your-secret-key",
        "a secret with spaces, and = / + signs",
    ] {
        let endpoint = tenant.endpoint("/success").with("secret", json!(secret));
        endpoints.push((endpoint.create().await, secret));
    }
    let event = tenant.publish("order.created", &json!({ "n": 1 })).await;
    tenant.all_delivered(&event).await;
    for (endpoint, secret) in endpoints {
        verify(&endpoint.receives(1).await[0], secret);
    }
}

#[tokio::test]
async fn every_attempt_has_the_same_id_and_body_and_its_own_time() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/flaky?fail=2")
        .with(
            "retry",
            json!({ "delays": ["0s", "1s", "1s"], "jitter": false }),
        )
        .create()
        .await;
    let event = tenant.publish("order.created", &json!({ "n": 1 })).await;
    let delivery = tenant.delivery_is(event.delivery(), "delivered").await;
    assert_eq!(delivery["attempts"], 3);
    let received = endpoint.receives(3).await;
    let mut earlier = 0;
    for attempt in &received {
        verify(attempt, &endpoint.secret);
        assert_eq!(attempt.body, received[0].body);
        for name in ["webhook-id", "x-webhook-id", "x-webhook-timestamp"] {
            assert_eq!(attempt.header(name), received[0].header(name));
        }
        assert_eq!(attempt.header("webhook-id"), event.id);
        let at: u64 = attempt.header("webhook-timestamp").parse().unwrap();
        assert!(at > earlier, "{at} is not after {earlier}");
        assert!(at <= wait::epoch_ms() / 1_000);
        earlier = at;
    }
}

#[tokio::test]
async fn an_endpoints_own_headers_go_along() {
    let tenant = Tenant::new();
    let headers = json!({
        "X-Api-Version": "2",
        "x-lower": "a, b; c=\"d\"",
        "User-Agent": "Servio-Webhook/1.0",
        "Cookie": "",
    });
    let endpoint = tenant.endpoint("/success").with("headers", headers);
    let endpoint = endpoint.create().await;
    tenant.publish("order.created", &json!({})).await;
    let received = &endpoint.receives(1).await[0];
    assert_eq!(received.header("x-api-version"), "2");
    assert_eq!(received.header("x-lower"), "a, b; c=\"d\"");
    assert_eq!(received.header("user-agent"), "Servio-Webhook/1.0");
    assert_eq!(received.header("cookie"), "");
    verify(received, &endpoint.secret);
}

#[tokio::test]
async fn basic_auth_goes_along() {
    let tenant = Tenant::new();
    let auth = |username: &str, password: &str| json!({ "type": "basic", "username": username, "password": password });
    let mut endpoints = Vec::new();
    for (username, password) in [("user", "pass"), ("", "p:w"), ("ü", "🔑 x")] {
        let endpoint = tenant
            .endpoint("/success")
            .with("auth", auth(username, password))
            .create()
            .await;
        endpoints.push((endpoint, format!("{username}:{password}")));
    }
    let event = tenant.publish("order.created", &json!({})).await;
    tenant.all_delivered(&event).await;
    for (endpoint, pair) in endpoints {
        let received = &endpoint.receives(1).await[0];
        let wanted = format!("Basic {}", STANDARD.encode(pair));
        assert_eq!(received.header("authorization"), wanted);
        verify(received, &endpoint.secret);
    }
}

#[tokio::test]
async fn the_query_of_an_endpoints_url_goes_along() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success?token=a%2Fb&x=1").create().await;
    tenant.publish("order.created", &json!({})).await;
    assert_eq!(endpoint.receives(1).await[0].query, "token=a%2Fb&x=1");
}

#[tokio::test]
async fn a_changed_secret_signs_what_is_sent_from_then_on() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let changed = endpoint
        .change(&json!({ "secret": "the-second-secret" }))
        .await;
    assert_eq!(changed["secret"], Value::Null, "it is not shown again");
    tenant
        .tell_secret(&endpoint.path, "the-second-secret")
        .await;
    tenant.publish("order.created", &json!({})).await;
    verify(&endpoint.receives(1).await[0], "the-second-secret");
}
