//! A payload arrives as it was posted, to the byte, whatever its size.

use hookpost_tests::{Accepted, Call, Endpoint, Received, Tenant};
use serde_json::{Value, json};

const KIB: usize = 1024;

async fn post(tenant: &Tenant<'_>, payload: &str) -> Accepted {
    let body = format!(r#"{{"event_type":"order.created","payload":{payload}}}"#);
    let call = Call::new("POST", "/api/v1/events").body(body);
    Accepted::read(&tenant.call(call).await.expect(202))
}

async fn sent(tenant: &Tenant<'_>, endpoint: &Endpoint<'_>, event: &Accepted) -> Received {
    tenant.delivery_is(event.delivery(), "delivered").await;
    let received = endpoint.received().await;
    let mut of_event = received
        .into_iter()
        .filter(|received| received.header("webhook-id") == event.id);
    let first = of_event.next().unwrap();
    assert_eq!(first.signature, "verified");
    first
}

/// The text of `data`, which comes last in the body.
fn data(received: &Received) -> &str {
    let (_, data) = received.body.split_once(r#","data":"#).unwrap();
    data.strip_suffix('}').unwrap()
}

#[tokio::test]
async fn a_payload_arrives_byte_for_byte() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    for payload in [
        "{}",
        "[]",
        "0",
        "true",
        r#""text""#,
        r#"{ "spaces" : [ 1 ,2, 3 ] }"#,
        "{\n\t\"lines\": [\r\n1]\n}",
        r#"{"n":[1.0,1.10,-0,-0.0,1e5,1E+5,0.1e-7]}"#,
        r#"{"n":[12345678901234567890,123456789012345678901234567890,1e400]}"#,
        r#"{"n":0.12345678901234567890123456789}"#,
        r#"{"b":1,"a":2,"b":3}"#,
        r#"{"escapes":"\u00e9\/\"\\\b\f\n\r\t\u0000\u001f"}"#,
        r#"{"text":"é ü 漢字 🪝 \ud83e\ude9d"}"#,
        "{\"text\":\"\u{7f}\u{80}\u{2028}\u{2029}\u{feff}\u{fdd0}\u{fffd}\u{1fffe}\u{10ffff}\"}",
        r#"{"escaped":"\uffff\ufffe"}"#,
    ] {
        let event = post(&tenant, payload).await;
        let received = sent(&tenant, &endpoint, &event).await;
        assert_eq!(data(&received), payload);
    }
}

#[tokio::test]
async fn characters_that_sqs_refuses_arrive() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let event = post(&tenant, "{\"\u{ffff}\":\"a\u{fffe}b\", \"n\": 1.0}").await;
    let received = sent(&tenant, &endpoint, &event).await;
    assert_eq!(
        received.data(),
        json!({ "\u{ffff}": "a\u{fffe}b", "n": 1.0 })
    );
    assert!(
        data(&received).ends_with("\"n\": 1.0}"),
        "{}",
        received.body
    );
}

#[tokio::test]
async fn an_event_is_shown_with_its_payload_as_it_was_posted() {
    let tenant = Tenant::new();
    for payload in [
        r#"{"n":[1.10,12345678901234567890123,1e400,-0.0]}"#,
        r#"{"b":1,"a":2,"b":3}"#,
        &format!("{}1{}", "[".repeat(500), "]".repeat(500)),
    ] {
        let event = post(&tenant, payload).await;
        let answer = tenant.get(&format!("/events/{}", event.id)).await;
        assert_eq!(answer.status, 200, "{payload}: {}", answer.text());
        assert!(answer.text().contains(payload), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_deeply_nested_payload_arrives() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let payload = format!("{}1{}", "[".repeat(2000), "]".repeat(2000));
    let event = post(&tenant, &payload).await;
    let received = sent(&tenant, &endpoint, &event).await;
    assert_eq!(data(&received), payload);
}

/// 32 KiB travel in the message, more by pointer; 256 KiB are the most.
#[tokio::test]
async fn a_payload_of_any_size_up_to_256_kib_arrives_intact() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    for size in [32 * KIB - 1, 32 * KIB, 32 * KIB + 1, 100 * KIB, 256 * KIB] {
        let payload = format!("\"{}\"", "x".repeat(size - 2));
        let event = post(&tenant, &payload).await;
        let received = sent(&tenant, &endpoint, &event).await;
        assert!(data(&received) == payload, "{size} bytes");
    }
}

/// Every byte of it doubles when JSON is put into JSON: in the function's
/// event and in the queue's message.
#[tokio::test]
async fn a_payload_full_of_escapes_arrives_intact() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    for size in [32 * KIB, 256 * KIB] {
        let payload = format!("\"{}\"", r#"\""#.repeat(size / 2 - 1));
        assert_eq!(payload.len(), size);
        let event = post(&tenant, &payload).await;
        let received = sent(&tenant, &endpoint, &event).await;
        assert!(data(&received) == payload, "{size} bytes");
    }
    // Three bytes each in UTF-8, and no more than that by any count.
    let payload = format!("\"{}\"", "漢".repeat(256 * KIB / 3 - 1));
    let event = post(&tenant, &payload).await;
    let received = sent(&tenant, &endpoint, &event).await;
    assert!(data(&received) == payload);
}

#[tokio::test]
async fn a_batch_of_two_and_a_half_mib_is_accepted_and_no_more() {
    const LIMIT: usize = 2_621_440;
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let payload = format!("\"{}\"", r"\\".repeat(125 * KIB));
    let event = format!(r#"{{"event_type":"order.created","payload":{payload}}}"#);
    let mut body = format!(r#"{{"events":[{event}{}]}}"#, format!(",{event}").repeat(9));
    body.push_str(&"\n".repeat(LIMIT - body.len()));
    let post = |body: String| tenant.call(Call::new("POST", "/api/v1/events/batch").body(body));

    let before = tenant.stored_events().await;
    post(format!("{body}\n")).await.refuses(413, "body");
    assert_eq!(tenant.stored_events().await, before);

    let answer = post(body).await.expect(202);
    assert_eq!(answer["accepted"], 10);
    for received in endpoint.receives(10).await {
        assert!(data(&received) == payload);
    }
    for result in answer["results"].as_array().map_or(&[][..], Vec::as_slice) {
        tenant.all_delivered(&Accepted::read(result)).await;
    }
}

#[tokio::test]
async fn the_names_that_others_have_for_the_fields_are_understood() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    for body in [
        json!({ "event": "user.created", "data": { "user_id": "12345" } }),
        json!({ "type": "user.created", "payload": { "user_id": "12345" } }),
    ] {
        let event = Accepted::read(&tenant.post("/events", &body).await.expect(202));
        let received = sent(&tenant, &endpoint, &event).await;
        assert_eq!(received.json()["event"], "user.created");
        assert_eq!(received.data(), json!({ "user_id": "12345" }));
    }
}

#[tokio::test]
async fn nothing_of_a_payload_gets_into_the_logs() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/success?token=hidden-in-query")
        .create()
        .await;
    let secret = format!("hidden-in-payload-{}", tenant.id);
    let event = tenant
        .publish("order.created", &json!({ "card": secret }))
        .await;
    let received = sent(&tenant, &endpoint, &event).await;
    assert_eq!(received.data(), json!({ "card": secret }));
    let bad = json!({ "event_type": "not a type", "payload": { "card": secret } });
    let problem = tenant.post("/events", &bad).await.problem(422);
    assert_ne!(problem.json, Value::Null);
    let logs = std::fs::read_to_string(tenant.system().log()).unwrap();
    for hidden in [secret.as_str(), &endpoint.secret, "hidden-in-query"] {
        assert!(!logs.contains(hidden), "{hidden} is in the logs");
    }
}
