//! A paused endpoint gets nothing and loses nothing; a disabled one's deliveries are dead letters
//! that say so, and can be replayed.

use std::time::Duration;

use futures::future::join_all;
use hookpost_tests::{Accepted, Endpoint, Tenant, wait};
use serde_json::{Value, json};

/// Every function has noticed a change by then: each remembers an endpoint for two seconds.
const NOTICED: Duration = Duration::from_secs(3);

/// Pauses an endpoint, and publishes until every function must have noticed. The events that were
/// still delivered, and those that are held.
async fn pause(tenant: &Tenant<'_>, endpoint: &Endpoint<'_>) -> (Vec<Accepted>, Vec<Accepted>) {
    let paused = endpoint.change(&json!({ "paused": true })).await;
    assert_eq!(paused["state"], "paused");
    let noticed = wait::now() + NOTICED;
    let (mut delivered, mut held) = (Vec::new(), Vec::new());
    while wait::now() < noticed {
        let event = tenant.publish("order.created", &json!({})).await;
        let id = endpoint.delivery_of(&event.id);
        let settled = |d: &Value| d["status"] == "held" || d["status"] == "delivered";
        let delivery = tenant.delivery_where(&id, "held", settled).await;
        if delivery["status"] == "delivered" {
            delivered.push(event);
        } else {
            assert_eq!(delivery["reason"], "endpoint_paused");
            assert_eq!(delivery["attempts"], 0);
            held.push(event);
        }
        tokio::time::sleep(10 * wait::POLL).await;
    }
    (delivered, held)
}

#[tokio::test]
async fn a_paused_endpoint_gets_nothing_and_then_everything() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let awake = tenant.endpoint("/success").create().await;
    let before = tenant.publish("order.created", &json!({})).await;
    tenant.all_delivered(&before).await;
    let (early, mut held) = pause(&tenant, &endpoint).await;
    let already = 1 + early.len();

    for nth in 0..10 {
        held.push(tenant.publish("order.created", &json!(nth)).await);
    }
    for event in &held {
        let id = endpoint.delivery_of(&event.id);
        tenant.delivery_is(&id, "held").await;
    }
    // The other endpoint does not wait, and sweeps let nothing of the paused one go.
    for event in &held {
        let id = awake.delivery_of(&event.id);
        tenant.delivery_is(&id, "delivered").await;
    }
    tenant.sweep().await;
    for event in &held {
        let delivery = tenant.delivery(&endpoint.delivery_of(&event.id)).await;
        assert_eq!(delivery["status"], "held");
        assert_eq!(delivery["next_attempt_at"], Value::Null);
    }
    endpoint.receives(already).await;

    let resumed = endpoint.change(&json!({ "paused": false })).await;
    assert_eq!(resumed["state"], "active");
    // Several sweeps at once let nothing go twice.
    join_all((0..3).map(|_| tenant.sweep())).await;
    for event in &held {
        let id = endpoint.delivery_of(&event.id);
        let delivery = tenant.delivery_is(&id, "delivered").await;
        assert_eq!(
            (&delivery["attempts"], &delivery["cycle"]),
            (&json!(1), &json!(0))
        );
    }
    let received = endpoint.receives(already + held.len()).await;
    let mut ids: Vec<&str> = received[already..]
        .iter()
        .map(|request| request.header("webhook-id"))
        .collect();
    ids.sort_unstable();
    let mut expected: Vec<&str> = held.iter().map(|event| event.id.as_str()).collect();
    expected.sort_unstable();
    assert_eq!(ids, expected, "each exactly once");
}

#[tokio::test]
async fn a_retry_is_held_too_and_goes_on_where_it_was() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/switch")
        .with("retry", json!({ "delays": ["0s", "3s", "1s"] }))
        .create()
        .await;
    endpoint.switch(503).await;
    let event = tenant.publish("order.created", &json!({})).await;
    tenant.delivery_is(event.delivery(), "retrying").await;
    endpoint.change(&json!({ "paused": true })).await;
    let held = tenant.delivery_is(event.delivery(), "held").await;
    assert_eq!(held["reason"], "endpoint_paused");
    assert_eq!(held["attempts"], endpoint.received().await.len());
    assert!(held["attempts"].as_u64().unwrap() < 3);

    endpoint.switch(200).await;
    endpoint.change(&json!({ "paused": false })).await;
    let delivered = tenant.delivery_is(event.delivery(), "delivered").await;
    let attempts = held["attempts"].as_u64().unwrap() + 1;
    assert_eq!(delivered["attempts"], attempts);
    assert_eq!(delivered["cycle"], 0);
}

#[tokio::test]
async fn what_is_held_for_an_endpoint_that_is_deleted_ends_cancelled() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/success")
        .with("paused", json!(true))
        .create()
        .await;
    let event = tenant.publish("order.created", &json!({})).await;
    tenant.delivery_is(event.delivery(), "held").await;
    let path = format!("/endpoints/{}", endpoint.id);
    assert_eq!(tenant.delete(&path).await.status, 204);
    let delivery = tenant.delivery_is(event.delivery(), "cancelled").await;
    assert_eq!(delivery["attempts"], 0);
    endpoint.receives(0).await;
    let path = format!("/dead-letters/{}", event.delivery());
    tenant.get(&path).await.problem(404);
}

#[tokio::test]
async fn a_disabled_endpoints_deliveries_are_dead_letters_and_can_be_replayed() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/switch")
        .with("retry", json!({ "delays": ["0s", "3s", "3s", "3s"] }))
        .create()
        .await;
    endpoint.switch(503).await;
    let queued = tenant.publish("order.created", &json!({ "a": 1 })).await;
    tenant.delivery_is(queued.delivery(), "retrying").await;
    let disabled = endpoint.change(&json!({ "active": false })).await;
    assert_eq!(disabled["state"], "disabled");
    let dead = tenant.delivery_is(queued.delivery(), "dead").await;
    assert_eq!(dead["reason"], "endpoint_disabled");
    let requests = endpoint.received().await.len();
    assert_eq!(dead["attempts"], requests);
    assert!(requests < 4, "it was not attempted to the end");

    // What comes while it is disabled is not lost either.
    let later = tenant.publish("order.created", &json!({ "b": 2 })).await;
    let id = endpoint.delivery_of(&later.id);
    assert_eq!(later.deliveries.len(), 1, "a disabled endpoint matches");
    let skipped = tenant.delivery_is(&id, "dead").await;
    assert_eq!(skipped["reason"], "endpoint_disabled");
    assert_eq!(skipped["attempts"], 0);
    for id in [queued.delivery(), &id] {
        let letter = tenant.get(&format!("/dead-letters/{id}")).await.expect(200);
        let reason = letter["failure_reason"].as_str().unwrap();
        assert!(reason.contains("disabled"), "{reason}");
    }
    endpoint.receives(requests).await;

    // Replayed too early it is a dead letter again.
    let skipped = json!({ "filter": { "failure": "endpoint_disabled" } });
    let job = tenant.post("/replays", &skipped).await.expect(202);
    assert_eq!(job["replayed"], 2, "{job:#}");
    for id in [queued.delivery(), &id] {
        let again = |d: &Value| d["cycle"] == 1 && d["reason"] == "endpoint_disabled";
        tenant.delivery_where(id, "dead again", again).await;
    }
    endpoint.receives(requests).await;

    endpoint.switch(200).await;
    let enabled = endpoint.change(&json!({ "active": true })).await;
    assert_eq!(enabled["state"], "active");
    // Functions notice within seconds: what they still skip is replayed once more.
    wait::until("all are delivered", || async {
        tenant.post("/replays", &skipped).await.expect(202);
        let mut left = 0;
        for id in [queued.delivery(), &id] {
            let settled = |d: &Value| d["status"] == "dead" || d["status"] == "delivered";
            let delivery = tenant.delivery_where(id, "settled", settled).await;
            left += usize::from(delivery["status"] == "dead");
        }
        if left == 0 {
            Ok(())
        } else {
            Err(format!("{left} are dead"))
        }
    })
    .await;
    let received = endpoint.receives(requests + 2).await;
    assert!(received[requests..].iter().all(|r| r.status == Some(200)));
}
