//! A message that cannot be delivered ends in the dead-letter queue by way of `exhausted`, soon,
//! with its reason and its raw body, and delays no other.

use std::time::Duration;

use hookpost_tests::{Message, Tenant, wait};
use serde_json::{Value, json};

use super::graveyard::{buried, buried_delivery, is_buried, system};

/// As long as anything that is `soon` may take, on a machine that runs all tests at once.
const SOON: Duration = Duration::from_secs(10);

async fn comes_from_exhausted(tenant: &Tenant<'_>, message: &Message) {
    let exhausted = tenant.queue_attribute("ExhaustedQueue", "QueueArn").await;
    assert_eq!(message.attributes["DeadLetterQueueSourceArn"], exhausted);
}

#[tokio::test]
async fn what_cannot_be_read_ends_in_the_dead_letter_queue_soon_and_delays_no_other() {
    let tenant = Tenant::on(system());
    let endpoint = tenant.endpoint("/success").create().await;
    let first = tenant.publish("order.created", &json!({})).await;
    tenant.all_delivered(&first).await;
    // Blanks and order show that the body is kept as it was.
    let range = |event: &str, from: u32, to: u32| {
        let tenant = &tenant.id;
        format!(
            r#"{{ "tenant":"{tenant}", "to":{to}, "from":{from}, "fan_out":"{event}", "v":1 }}"#
        )
    };
    let unknown = first.id.replace(&first.id[24..], "000000000000");
    let bodies = [
        format!("not JSON: {}", tenant.id),
        format!("{{\"v\": 1, \"cut off\": \"{}", tenant.id),
        format!("[\"{}\"]", tenant.id),
        format!("\"{}\"", tenant.id),
        format!(r#"{{"v":2, "delivery_id":"{}"}}"#, tenant.id),
        format!(r#"{{"v":1, "delivery_id":"{}"}}"#, tenant.id),
        range(&first.id, 0, 99),
        range(&first.id, 1, 0),
        range(&unknown, 0, 1),
        range("no-id", 0, 1),
    ];

    let sent_at = wait::now();
    let mut events = Vec::new();
    for body in &bodies {
        tenant.send("DeliveryQueue", body).await;
        for nth in 0..3 {
            events.push(tenant.publish("order.created", &json!(nth)).await);
        }
    }
    for event in &events {
        tenant.all_delivered(event).await;
    }
    let took = wait::now() - sent_at;
    assert!(took < SOON, "the good ones took {took:?}");
    endpoint.receives(events.len() + 1).await;

    for body in &bodies {
        let is_it = |buried: &Value| buried["poison"] == json!(body);
        let message = buried(&tenant, body, is_it).await;
        comes_from_exhausted(&tenant, &message).await;
        let reason = message.json()["failure_reason"].clone();
        assert!(reason.as_str().is_some_and(|r| !r.is_empty()), "{body}");
        if body.starts_with(r#"{"v":2"#) {
            assert!(reason.as_str().unwrap().contains("version 2"), "{reason}");
        }
    }
    let took = wait::now() - sent_at;
    assert!(took < SOON, "it took {took:?} to the dead-letter queue");
}

#[tokio::test]
async fn a_message_whose_event_is_missing_ends_in_the_dead_letter_queue() {
    let tenant = Tenant::on(system());
    let endpoint = tenant.endpoint("/success").create().await;
    let event = tenant.publish("order.created", &json!({})).await;
    tenant.all_delivered(&event).await;
    let mut carrier = tenant.carrier(event.delivery()).await;
    let missing = event.id.replace(&event.id[24..], "00000000000f");
    let id = endpoint.delivery_of(&missing);
    carrier["event_id"] = json!(missing);
    carrier["delivery_id"] = json!(id);
    tenant.send("DeliveryQueue", &carrier.to_string()).await;

    let message = buried_delivery(&tenant, &id).await;
    comes_from_exhausted(&tenant, &message).await;
    let body = message.json();
    let reason = body["failure_reason"].as_str().unwrap();
    assert!(reason.contains("event"), "{reason}");
    // All that the message said is still there to be read.
    for field in [
        "tenant",
        "endpoint_id",
        "event_id",
        "event_type",
        "delivery_id",
    ] {
        assert_eq!(body[field], carrier[field], "{body:#}");
    }
    endpoint.receives(1).await;
}

#[tokio::test]
async fn a_message_for_a_deleted_endpoint_ends_cancelled() {
    let tenant = Tenant::on(system());
    let endpoint = tenant
        .endpoint("/status/500")
        .with("retry", json!({ "delays": ["0s", "3s", "1s", "1s", "1s"] }))
        .create()
        .await;
    let event = tenant.publish("order.created", &json!({})).await;
    let id = event.delivery();
    tenant.delivery_is(id, "retrying").await;
    let path = format!("/endpoints/{}", endpoint.id);
    assert_eq!(tenant.delete(&path).await.status, 204);

    // The endpoint is remembered for seconds; by the next attempt but one nobody does.
    let delivery = tenant.delivery_is(id, "cancelled").await;
    assert!(delivery["attempts"].as_u64().unwrap() < 5);
    let requests = endpoint.received().await.len();
    assert_eq!(json!(requests), delivery["attempts"]);

    let mut again = tenant.carrier(id).await;
    again["resend"] = json!(true);
    tenant.send("DeliveryQueue", &again.to_string()).await;
    let poison = format!("after {id}");
    tenant.send("DeliveryQueue", &poison).await;
    let is_it = |body: &Value| body["poison"] == json!(poison);
    buried(&tenant, &poison, is_it).await;
    assert!(!is_buried(id));
    assert_eq!(tenant.delivery(id).await, delivery);
    assert_eq!(endpoint.received().await.len(), requests);
    tenant
        .get(&format!("/dead-letters/{id}"))
        .await
        .problem(404);
}
