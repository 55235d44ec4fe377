//! The console's "Start DLQ redrive" works without a word of explanation: what it sends home is
//! attempted afresh, unless something newer has happened to it.

use std::time::Duration;

use hookpost_tests::{Call, Endpoint, System, Tenant, wait};
use serde_json::{Value, json};

/// A message that SQS dates so much later than Hookpost did has been redriven; one that is redriven
/// sooner is taken for one that was just sent.
const TOLERANCE: Duration = Duration::from_secs(6);

/// Waits until so many messages have come to the dead-letter queue, and are old enough.
async fn buried(tenant: &Tenant<'_>, count: usize) {
    wait::until(&format!("{count} messages are dead"), || async {
        let attribute = "ApproximateNumberOfMessages";
        let found = tenant.queue_attribute("DeadLetterQueue", attribute).await;
        if found == count.to_string() {
            Ok(())
        } else {
            Err(format!("{found} so far"))
        }
    })
    .await;
    tokio::time::sleep(TOLERANCE).await;
}

async fn in_cycle(tenant: &Tenant<'_>, id: &str, cycle: u64, status: &str) -> Value {
    let what = format!("{status} in cycle {cycle}");
    let is = |delivery: &Value| delivery["cycle"] == cycle && delivery["status"] == status;
    tenant.delivery_where(id, &what, is).await
}

async fn replay(tenant: &Tenant<'_>, id: &str) {
    let path = format!("/api/v1/dead-letters/{id}/replay");
    tenant.call(Call::new("POST", path)).await.expect(202);
}

/// An endpoint that refuses everything twice a cycle, and its only delivery.
async fn dead<'a>(tenant: &'a Tenant<'a>, event_type: &str) -> (Endpoint<'a>, String) {
    let endpoint = tenant
        .endpoint("/switch")
        .event_types(&[event_type])
        .with("retry", json!({ "delays": ["0s", "1s"] }))
        .with("breaker", json!({ "failures": 1000 }))
        .create()
        .await;
    endpoint.switch(503).await;
    let event = tenant.publish(event_type, &json!({})).await;
    in_cycle(tenant, event.delivery(), 0, "dead").await;
    let id = event.delivery().to_owned();
    (endpoint, id)
}

#[tokio::test]
async fn a_redrive_starts_afresh_what_nothing_newer_has_happened_to() {
    let system = System::start_with(&[], &[]);
    let tenant = Tenant::on(&system);
    let (mended, mended_id) = dead(&tenant, "mended").await;
    let (broken, broken_id) = dead(&tenant, "broken").await;
    let (replayed, replayed_id) = dead(&tenant, "replayed").await;
    let (dead_twice, dead_twice_id) = dead(&tenant, "dead.twice").await;
    let (deleted, deleted_id) = dead(&tenant, "deleted").await;
    let (disabled, disabled_id) = dead(&tenant, "disabled").await;
    let poison = format!("poison of {}", tenant.id);
    tenant.send("DeliveryQueue", &poison).await;
    // Two are replayed through the API first: their messages in the queue are of an older cycle.
    replayed.switch(200).await;
    replay(&tenant, &replayed_id).await;
    in_cycle(&tenant, &replayed_id, 1, "delivered").await;
    replay(&tenant, &dead_twice_id).await;
    in_cycle(&tenant, &dead_twice_id, 1, "dead").await;
    let path = format!("/endpoints/{}", deleted.id);
    assert_eq!(tenant.delete(&path).await.status, 204);
    disabled.change(&json!({ "active": false })).await;
    mended.switch(200).await;
    buried(&tenant, 8).await;

    assert_eq!(tenant.redrive().await, 8);
    let delivered = in_cycle(&tenant, &mended_id, 1, "delivered").await;
    assert_eq!(delivered["attempts"], 1, "a fresh cycle");
    in_cycle(&tenant, &broken_id, 1, "dead").await;
    in_cycle(&tenant, &dead_twice_id, 2, "dead").await;
    in_cycle(&tenant, &deleted_id, 1, "cancelled").await;
    // Again dead are the broken one, the one that was dead twice, the poison, and what goes to an
    // endpoint that is disabled: that is not even begun.
    buried(&tenant, 4).await;
    in_cycle(&tenant, &disabled_id, 0, "dead").await;
    disabled.receives(2).await;
    mended.receives(2 + 1).await;
    broken.receives(2 + 2).await;
    replayed.receives(2 + 1).await;
    dead_twice.receives(2 + 2 + 2).await;
    deleted.receives(2).await;
    let unchanged = in_cycle(&tenant, &replayed_id, 1, "delivered").await;

    // Once more, and the broken one has been mended meanwhile, the disabled one enabled.
    broken.switch(200).await;
    disabled.switch(200).await;
    disabled.change(&json!({ "active": true })).await;
    assert_eq!(tenant.redrive().await, 4);
    in_cycle(&tenant, &disabled_id, 1, "delivered").await;
    in_cycle(&tenant, &broken_id, 2, "delivered").await;
    in_cycle(&tenant, &dead_twice_id, 3, "dead").await;
    buried(&tenant, 2).await;
    broken.receives(2 + 2 + 1).await;
    dead_twice.receives(2 + 2 + 2 + 2).await;

    let messages = tenant.receive("DeadLetterQueue", 60).await;
    let exhausted = tenant.queue_attribute("ExhaustedQueue", "QueueArn").await;
    let mut bodies = Vec::new();
    for message in &messages {
        assert_eq!(message.attributes["DeadLetterQueueSourceArn"], exhausted);
        bodies.push(message.json());
    }
    let letter = bodies.iter().find(|b| b["delivery_id"] == dead_twice_id);
    let letter = letter.expect("the one that always fails");
    assert_eq!(
        (&letter["cycle"], &letter["attempts"]),
        (&json!(3), &json!(2))
    );
    let raw = bodies.iter().find(|body| body["poison"] == json!(poison));
    assert!(raw.is_some(), "as raw as it came, once more: {bodies:#?}");

    mended.receives(2 + 1).await;
    replayed.receives(2 + 1).await;
    assert_eq!(tenant.delivery(&replayed_id).await, unchanged);
    disabled.receives(2 + 1).await;
    for endpoint in [mended, broken, replayed, dead_twice] {
        for request in endpoint.received().await {
            let id = endpoint.delivery_of(request.header("webhook-id"));
            let known = [&mended_id, &broken_id, &replayed_id, &dead_twice_id];
            assert!(known.contains(&&id), "the same webhook in every cycle");
        }
    }
}
