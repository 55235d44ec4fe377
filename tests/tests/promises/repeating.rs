//! A message that comes twice, late or early does no harm: the delivery's record is the authority.

use std::time::UNIX_EPOCH;

use futures::future::join_all;
use hookpost_tests::{Call, Endpoint, Received, Tenant, wait};
use serde_json::{Value, json};

/// A time so long ago that a message of it has its delivery's record read first.
const LONG_AGO: &str = "2026-01-01T00:00:00.000Z";

/// A delivery once its record tells of all requests that its endpoint got for it.
async fn told(tenant: &Tenant<'_>, endpoint: &Endpoint<'_>, id: &str) -> Value {
    wait::until("the record tells of every request", || async {
        let requests = endpoint.received().await;
        let its = |r: &&Received| id.starts_with(r.header("webhook-id"));
        let delivery = tenant.delivery(id).await;
        let log = delivery["attempt_log"].as_array().unwrap().len();
        let came = requests.iter().filter(its).count();
        if log == came && delivery["attempts"] == came {
            Ok(delivery)
        } else {
            Err(format!("{came} requests, {delivery:#}"))
        }
    })
    .await
}

/// Sends an event after what was sent before, and waits until it has arrived.
async fn fence(tenant: &Tenant<'_>) {
    let fence = tenant.publish("fence", &json!({})).await;
    for delivery in &fence.deliveries {
        tenant.delivery_is(&delivery.id, "delivered").await;
    }
}

#[tokio::test]
async fn a_message_that_comes_twice_makes_at_most_one_more_request_each_time() {
    let tenant = Tenant::new();
    let fences = tenant.endpoint("/success").event_types(&["fence"]);
    fences.create().await;
    let well = tenant.endpoint("/success").event_types(&["well"]);
    let well = well.create().await;
    let ill = tenant
        .endpoint("/status/500")
        .event_types(&["ill"])
        .with("retry", json!({ "delays": ["0s", "1s", "1s"] }))
        .create()
        .await;
    for (endpoint, event_type, status) in [(&well, "well", "delivered"), (&ill, "ill", "dead")] {
        let event = tenant.publish(event_type, &json!({})).await;
        let id = event.delivery();
        let copy = tenant.carrier(id).await;
        let copies = (0..5).map(|_| async {
            tenant.send("DeliveryQueue", &copy.to_string()).await;
        });
        join_all(copies).await;
        tenant.delivery_is(id, status).await;
        fence(&tenant).await;
        let settled = told(&tenant, endpoint, id).await;
        assert_eq!(settled["status"], status, "{settled:#}");
        let most = if status == "delivered" { 1 } else { 3 } + 5;
        assert!(endpoint.received().await.len() <= most);
        for attempt in settled["attempt_log"].as_array().unwrap() {
            assert_eq!(attempt["cycle"], 0);
        }

        // Long after the end of it, one that says that it may not be the first is not even sent.
        let mut late = copy.clone();
        late["sent_at"] = json!(LONG_AGO);
        let mut again = copy;
        again["resend"] = json!(true);
        for message in [late, again] {
            tenant.send("DeliveryQueue", &message.to_string()).await;
        }
        fence(&tenant).await;
        let after = told(&tenant, endpoint, id).await;
        assert_eq!(after["attempt_log"], settled["attempt_log"]);
        assert_eq!(after["status"], status);
    }
}

#[tokio::test]
async fn a_message_of_an_older_cycle_or_release_is_dropped() {
    let tenant = Tenant::new();
    tenant
        .endpoint("/success")
        .event_types(&["fence"])
        .create()
        .await;
    let endpoint = tenant
        .endpoint("/switch")
        .event_types(&["order"])
        .with("retry", json!({ "delays": ["0s", "3s"] }))
        .with("paused", json!(true))
        .create()
        .await;
    endpoint.switch(503).await;
    let event = tenant.publish("order", &json!({})).await;
    let id = event.delivery();
    tenant.delivery_is(id, "held").await;
    let mut first = tenant.carrier(id).await;
    first["sent_at"] = json!(LONG_AGO);
    let first = first.to_string();
    tenant.send("DeliveryQueue", &first).await;
    fence(&tenant).await;
    endpoint.receives(0).await;

    // Released, it waits for its second attempt, and the message from before the release comes.
    endpoint.change(&json!({ "paused": false })).await;
    tenant.delivery_is(id, "retrying").await;
    for _ in 0..3 {
        tenant.send("DeliveryQueue", &first).await;
    }
    let dead = tenant.delivery_is(id, "dead").await;
    assert_eq!(dead["attempts"], 2);
    fence(&tenant).await;
    endpoint.receives(2).await;

    // Replayed, it waits again, and messages of the cycle before come.
    let path = format!("/api/v1/dead-letters/{id}/replay");
    tenant.call(Call::new("POST", path)).await.expect(202);
    let retrying = |d: &Value| d["cycle"] == 1 && d["status"] == "retrying";
    tenant.delivery_where(id, "retrying again", retrying).await;
    for release in [0, 1, 7] {
        let mut older: Value = serde_json::from_str(&first).unwrap();
        older["release"] = json!(release);
        tenant.send("DeliveryQueue", &older.to_string()).await;
    }
    endpoint.switch(200).await;
    let delivered = tenant.delivery_is(id, "delivered").await;
    assert_eq!(
        (&delivered["cycle"], &delivered["attempts"]),
        (&json!(1), &json!(2))
    );
    fence(&tenant).await;
    endpoint.receives(4).await;
    assert_eq!(tenant.delivery(id).await, delivered);
}

#[tokio::test]
async fn a_message_that_comes_early_waits() {
    let tenant = Tenant::new();
    tenant
        .endpoint("/success")
        .event_types(&["fence"])
        .create()
        .await;
    let endpoint = tenant
        .endpoint("/switch")
        .event_types(&["order"])
        .with("retry", json!({ "delays": ["0s", "4s"], "jitter": false }))
        .create()
        .await;
    endpoint.switch(503).await;
    let event = tenant.publish("order", &json!({})).await;
    let retrying = tenant.delivery_is(event.delivery(), "retrying").await;
    endpoint.switch(200).await;
    let mut copy = tenant.carrier(event.delivery()).await;
    copy["sent_at"] = json!(LONG_AGO);
    for _ in 0..3 {
        tenant.send("DeliveryQueue", &copy.to_string()).await;
    }
    fence(&tenant).await;
    endpoint.receives(1).await;
    assert_eq!(tenant.delivery(event.delivery()).await, retrying);

    tenant.delivery_is(event.delivery(), "delivered").await;
    told(&tenant, &endpoint, event.delivery()).await;
    let due = retrying["next_attempt_at"].as_str().unwrap();
    let due = humantime::parse_rfc3339(due).unwrap();
    let due_ms = due.duration_since(UNIX_EPOCH).unwrap().as_millis();
    let received = endpoint.received().await;
    assert!(received.len() <= 1 + 4, "{received:#?}");
    for request in &received[1..] {
        assert!(u128::from(request.at_ms) >= due_ms, "{request:#?}");
    }
}
