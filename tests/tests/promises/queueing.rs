//! What lies in the delivery queue when an event is answered with 202: a
//! message a delivery, readable by whoever opens it in the console.

use std::collections::BTreeMap;
use std::path::Path;

use hookpost_tests::{Accepted, Call, Message, System, Tenant};
use serde_json::{Value, json};

const KIB: usize = 1024;
/// Nothing listens there: what is in the queue stays in it.
const NOWHERE: &str = "delivery=http://127.0.0.1:1";

/// All messages of the delivery queue.
async fn waiting(tenant: &Tenant<'_>) -> Vec<Message> {
    let mut all = Vec::new();
    loop {
        let received = tenant.receive("DeliveryQueue", 600).await;
        if received.is_empty() {
            return all;
        }
        all.extend(received);
    }
}

async fn post(tenant: &Tenant<'_>, call: Call) -> Value {
    tenant.call(call).await.expect(202)
}

#[tokio::test]
async fn every_delivery_has_its_message_before_the_answer_is_given() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = folder.join(format!("queueing-{}", std::process::id()));
    let data = folder.to_str().unwrap();
    let system = System::start_with(&[], &["--data", data, "--external", NOWHERE]);
    let tenant = Tenant::on(&system);
    let one = tenant.endpoint("/success").create().await;
    let other = tenant.endpoint("/success").create().await;

    the_message_tells_all(&tenant, [&one.id, &other.id]).await;
    a_large_payload_is_pointed_to(&tenant).await;
    a_batch_has_a_message_for_each(&tenant).await;
    a_repeat_sends_nothing(&tenant).await;

    drop(system);
    std::fs::remove_dir_all(&folder).unwrap();
}

async fn the_message_tells_all(tenant: &Tenant<'_>, endpoints: [&str; 2]) {
    let payload = r#"{"total":1.10}"#;
    let body = format!(r#"{{"event_type":"order.created","payload":{payload}}}"#);
    let accepted = post(tenant, Call::new("POST", "/api/v1/events").body(body)).await;
    let event = Accepted::read(&accepted);
    let mut messages = BTreeMap::new();
    for message in waiting(tenant).await {
        assert!(message.body.contains(payload), "{}", message.body);
        let json = message.json();
        let endpoint = json["endpoint_id"].as_str().unwrap().to_owned();
        // Fair queues: who has many messages waiting does not delay the others.
        assert_eq!(message.attributes["MessageGroupId"], endpoint);
        messages.insert(endpoint, json);
    }
    assert_eq!(messages.len(), 2);
    for endpoint in endpoints {
        let message = &messages[endpoint];
        assert_eq!(message["v"], 1);
        assert_eq!(message["delivery_id"], format!("{}_{endpoint}", event.id));
        assert_eq!(message["tenant"], tenant.id.as_str());
        assert_eq!(message["event_id"], event.id.as_str());
        assert_eq!(message["event_type"], "order.created");
        assert_eq!(message["timestamp"], accepted["timestamp"]);
        assert_eq!(message["cycle"], 0);
        assert_eq!(message["release"], 0);
    }
}

async fn a_large_payload_is_pointed_to(tenant: &Tenant<'_>) {
    for (size, inline) in [(32 * KIB, true), (32 * KIB + 1, false), (256 * KIB, false)] {
        let payload = "x".repeat(size - 2);
        let event = tenant.publish("order.created", &json!(payload)).await;
        for message in waiting(tenant).await {
            let json = message.json();
            assert_eq!(json["event_id"], event.id.as_str());
            assert_eq!(json["payload"] == payload.as_str(), inline, "{size} bytes");
            assert!(inline || message.body.len() < KIB, "{}", message.body);
        }
    }
}

async fn a_batch_has_a_message_for_each(tenant: &Tenant<'_>) {
    let event = |n: u32| json!({ "event_type": "order.created", "payload": n });
    let body = json!({ "events": (0..100).map(event).collect::<Vec<_>>() });
    let call = Call::new("POST", "/api/v1/events/batch");
    let answer = post(tenant, call.json(&body)).await;
    let results = answer["results"].as_array().unwrap().iter();
    let mut promised: Vec<String> = results
        .flat_map(|result| Accepted::read(result).deliveries)
        .map(|delivery| delivery.id)
        .collect();
    let messages = waiting(tenant).await;
    let id = |message: &Message| message.json()["delivery_id"].as_str().unwrap().to_owned();
    let mut sent: Vec<String> = messages.iter().map(id).collect();
    promised.sort();
    sent.sort();
    assert_eq!(sent.len(), 200);
    assert_eq!(sent, promised);
}

async fn a_repeat_sends_nothing(tenant: &Tenant<'_>) {
    let body = json!({ "event_type": "order.created", "payload": {} });
    let call = Call::new("POST", "/api/v1/events").header("idempotency-key", "k");
    let call = call.json(&body);
    let first = Accepted::read(&post(tenant, call.clone()).await);
    assert_eq!(waiting(tenant).await.len(), 2);
    assert_eq!(Accepted::read(&post(tenant, call).await), first);
    assert_eq!(waiting(tenant).await.len(), 0);
}
