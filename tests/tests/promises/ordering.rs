//! An endpoint that asked for order gets its events strictly in the order in which they were
//! accepted, each once the one before is over; what its line does at a dead letter is its choice.

use std::time::Duration;

use futures::future::join_all;
use hookpost_tests::{Accepted, Endpoint, EndpointBuilder, System, Tenant, wait};
use serde_json::{Value, json};

fn ordered<'a>(tenant: &'a Tenant<'a>, behaviour: &str) -> EndpointBuilder<'a> {
    tenant
        .endpoint(behaviour)
        .with("ordered", json!(true))
        .with("retry", json!({ "delays": ["0s", "1s", "1s"] }))
        .with("breaker", json!({ "failures": 1000 }))
}

async fn publish(tenant: &Tenant<'_>, count: usize) -> Vec<Accepted> {
    let mut events = Vec::new();
    for nth in 0..count {
        events.push(
            tenant
                .publish("order.created", &json!({ "nth": nth }))
                .await,
        );
    }
    events
}

async fn are_delivered(tenant: &Tenant<'_>, endpoint: &Endpoint<'_>, events: &[Accepted]) {
    for event in events {
        let id = endpoint.delivery_of(&event.id);
        tenant.delivery_is(&id, "delivered").await;
    }
}

/// The events in the order in which the endpoint first accepted them.
async fn accepted(endpoint: &Endpoint<'_>) -> Vec<String> {
    let mut seen = Vec::new();
    for request in endpoint.received().await {
        let id = request.header("webhook-id").to_owned();
        if request.status == Some(200) && !seen.contains(&id) {
            seen.push(id);
        }
    }
    seen
}

fn ids(events: &[Accepted]) -> Vec<String> {
    events.iter().map(|event| event.id.clone()).collect()
}

async fn replay(tenant: &Tenant<'_>, delivery: &str) {
    let path = format!("/dead-letters/{delivery}/replay");
    tenant.post(&path, &json!({})).await.expect(202);
}

/// Waits until a delivery is a dead letter that can be replayed.
async fn is_dead(tenant: &Tenant<'_>, delivery: &str) {
    tenant.delivery_is(delivery, "dead").await;
}

#[tokio::test]
async fn order_holds_under_retries_and_many_publishers_across_instances() {
    let tenant = Tenant::new();
    // Each event is refused once, so that everything behind it could overtake it.
    let flaky = ordered(&tenant, "/flaky?fail=1").create().await;
    let quick = ordered(&tenant, "/success").create().await;
    let free = tenant.endpoint("/success").create().await;
    let mut events = publish(&tenant, 4).await;
    // What is under way at once has no order among itself, but stands behind what was answered.
    let batch: Vec<Value> = (0..3)
        .map(|nth| json!({ "event_type": "order.created", "payload": { "of_batch": nth } }))
        .collect();
    let answer = tenant
        .post("/events/batch", &json!({ "events": batch }))
        .await
        .expect(202);
    let results = answer["results"].as_array().unwrap();
    events.extend(results.iter().map(Accepted::read));
    let crowd = join_all((0..10).map(|nth| {
        let tenant = &tenant;
        async move {
            tenant
                .publish("order.created", &json!({ "of_crowd": nth }))
                .await
        }
    }));
    let crowd = crowd.await;
    let last = publish(&tenant, 2).await;
    for endpoint in [&flaky, &quick, &free] {
        for part in [&events, &crowd, &last] {
            are_delivered(&tenant, endpoint, part).await;
        }
    }
    for endpoint in [&flaky, &quick] {
        let seen = accepted(endpoint).await;
        assert_eq!(seen[..events.len()], ids(&events));
        let (mut amid, mut crowd) = (seen[events.len()..seen.len() - 2].to_vec(), ids(&crowd));
        amid.sort();
        crowd.sort();
        assert_eq!(amid, crowd);
        assert_eq!(seen[seen.len() - 2..], ids(&last));
    }
    // Both lines had the crowd in an order of their own; each was kept while its first was retried.
    let requests = flaky.received().await;
    for pair in requests.chunks(2) {
        assert_eq!(pair[0].header("webhook-id"), pair[1].header("webhook-id"));
    }
}

#[tokio::test]
async fn a_line_that_skips_goes_on_after_a_dead_letter_and_takes_its_replay() {
    let tenant = Tenant::new();
    let endpoint = ordered(&tenant, "/switch").with("retry", json!({ "max_attempts": 1 }));
    let endpoint = endpoint.create().await;
    assert_eq!(endpoint.created["ordered"], true);
    assert_eq!(endpoint.created["on_dead_letter"], "skip");
    endpoint.switch(503).await;
    let dead = tenant.publish("order.created", &json!({})).await;
    is_dead(&tenant, dead.delivery()).await;
    endpoint.switch(200).await;
    let next = publish(&tenant, 2).await;
    are_delivered(&tenant, &endpoint, &next).await;
    replay(&tenant, dead.delivery()).await;
    tenant.delivery_is(dead.delivery(), "delivered").await;
    let mut all = ids(&next);
    all.push(dead.id.clone());
    assert_eq!(accepted(&endpoint).await, all);
}

#[tokio::test]
async fn a_line_that_blocks_stands_until_its_dead_letter_is_replayed_or_resolved() {
    let tenant = Tenant::new();
    let endpoint = ordered(&tenant, "/switch")
        .with("on_dead_letter", json!("block"))
        .with("retry", json!({ "max_attempts": 1 }))
        .create()
        .await;
    endpoint.switch(503).await;
    let dead = tenant.publish("order.created", &json!({})).await;
    let waiting = publish(&tenant, 3).await;
    is_dead(&tenant, dead.delivery()).await;
    endpoint.switch(200).await;
    tenant.sweep().await;
    let shown = tenant.delivery(waiting[1].delivery()).await;
    assert_eq!(shown["status"], "pending");
    assert_eq!(shown["waiting_for"], dead.delivery());
    assert_eq!(
        tenant.delivery(dead.delivery()).await["waiting_for"],
        Value::Null
    );
    let line = endpoint.health().await["line"].clone();
    assert_eq!(line["blocked"], true, "{line:#}");
    assert_eq!(line["first"], dead.delivery());
    assert_eq!(
        (&line["waiting"], &line["first_status"]),
        (&json!(4), &json!("dead"))
    );
    // What waits can be called off like everything else.
    let cancel = format!("/deliveries/{}/cancel", waiting[1].delivery());
    tenant.post(&cancel, &json!({})).await.expect(200);
    endpoint.receives(1).await;
    replay(&tenant, dead.delivery()).await;
    for event in [&dead, &waiting[0], &waiting[2]] {
        tenant.delivery_is(event.delivery(), "delivered").await;
    }
    let in_order = [&dead, &waiting[0], &waiting[2]].map(|event| event.id.clone());
    assert_eq!(accepted(&endpoint).await, in_order);
    // Another one is dealt with by a person.
    endpoint.switch(503).await;
    let second = tenant.publish("order.created", &json!({})).await;
    let behind = tenant.publish("order.created", &json!({})).await;
    is_dead(&tenant, second.delivery()).await;
    endpoint.switch(200).await;
    let resolve = format!("/dead-letters/{}/resolve", second.delivery());
    tenant
        .post(&resolve, &json!({ "note": "by hand" }))
        .await
        .expect(200);
    tenant.delivery_is(behind.delivery(), "delivered").await;
    assert_eq!(tenant.delivery(second.delivery()).await["status"], "dead");
    let empty = endpoint.health().await["line"].clone();
    assert_eq!(
        (&empty["waiting"], &empty["first"]),
        (&json!(0), &Value::Null)
    );
}

#[tokio::test]
async fn a_pause_and_a_change_of_mind_lose_nothing() {
    let tenant = Tenant::new();
    let endpoint = ordered(&tenant, "/success").create().await;
    endpoint.change(&json!({ "paused": true })).await;
    // Every function has noticed by then: each remembers an endpoint for two seconds.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let held = publish(&tenant, 3).await;
    tenant.delivery_is(held[0].delivery(), "held").await;
    let shown = tenant.delivery(held[2].delivery()).await;
    assert_eq!(shown["waiting_for"], held[0].delivery());
    endpoint.change(&json!({ "paused": false })).await;
    are_delivered(&tenant, &endpoint, &held).await;
    assert_eq!(accepted(&endpoint).await, ids(&held));
    // Without order, and with it again.
    let changed = endpoint.change(&json!({ "ordered": false })).await;
    assert_eq!(changed["on_dead_letter"], Value::Null);
    let free = publish(&tenant, 3).await;
    are_delivered(&tenant, &endpoint, &free).await;
    endpoint
        .change(&json!({ "ordered": true, "on_dead_letter": "block" }))
        .await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let again = publish(&tenant, 3).await;
    are_delivered(&tenant, &endpoint, &again).await;
    let seen = accepted(&endpoint).await;
    assert_eq!(seen[seen.len() - 3..], ids(&again));
    // A test event, and one for later, stand in line too.
    let test = format!("/endpoints/{}/test", endpoint.id);
    let test = tenant.post(&test, &json!({})).await.expect(202);
    tenant
        .delivery_is(test["delivery_id"].as_str().unwrap(), "delivered")
        .await;
    let later = wait::epoch_ms() / 1000 + 2;
    let body = json!({ "event_type": "order.created", "payload": {}, "deliver_at": later });
    let later = Accepted::read(&tenant.post("/events", &body).await.expect(202));
    let now = tenant.publish("order.created", &json!({})).await;
    tenant.delivery_is(now.delivery(), "delivered").await;
    tenant.delivery_is(later.delivery(), "delivered").await;
    let seen = accepted(&endpoint).await;
    assert_eq!(seen[seen.len() - 2..], [now.id, later.id]);
}

#[tokio::test]
async fn what_waits_for_a_deleted_endpoint_is_called_off() {
    let tenant = Tenant::new();
    let endpoint = ordered(&tenant, "/fail")
        .with("retry", json!({ "delays": ["0s", "1s", "1s", "1s", "1s"] }))
        .create()
        .await;
    let events = publish(&tenant, 3).await;
    let tried = |delivery: &Value| delivery["attempts"] != 0;
    tenant
        .delivery_where(events[0].delivery(), "tried", tried)
        .await;
    let path = format!("/endpoints/{}", endpoint.id);
    tenant.delete(&path).await.expect(204);
    for event in &events {
        tenant.delivery_is(event.delivery(), "cancelled").await;
    }
}

#[tokio::test]
async fn a_deployment_without_order_says_so() {
    let system = System::start_with(&[("Ordered", "off")], &[]);
    let tenant = Tenant::on(&system);
    let draft = json!({ "url": "https://example.com/", "event_types": ["*"], "ordered": true });
    let refused = tenant.post("/endpoints", &draft).await;
    refused.refuses(422, "ordered");
    assert!(refused.text().contains("Ordered=on"), "{}", refused.text());
    let endpoint = tenant.endpoint("/success").create().await;
    tenant
        .patch(
            &format!("/endpoints/{}", endpoint.id),
            &json!({ "ordered": true }),
        )
        .await
        .refuses(422, "ordered");
    let event = tenant.publish("order.created", &json!({})).await;
    tenant.all_delivered(&event).await;
}
