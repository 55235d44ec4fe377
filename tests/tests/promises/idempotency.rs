//! The same key twice is one event: one answer, and nothing is sent again.

use std::collections::BTreeSet;

use futures::future::join_all;
use hookpost_tests::{Accepted, Answer, Call, Endpoint, Problem, Tenant};
use serde_json::{Value, json};

fn order(n: u32) -> Value {
    json!({ "event_type": "order.created", "payload": { "n": n } })
}

async fn post_with_key(tenant: &Tenant<'_>, key: impl AsRef<[u8]>, body: &Value) -> Answer {
    let call = Call::new("POST", "/api/v1/events").header("Idempotency-Key", key);
    tenant.call(call.json(body)).await
}

/// How often an event came, once all that was sent before is through.
async fn times(tenant: &Tenant<'_>, endpoint: &Endpoint<'_>, event: &Accepted) -> usize {
    tenant.delivery_is(event.delivery(), "delivered").await;
    for _ in 0..2 {
        let fence = tenant.publish("fence", &json!({})).await;
        tenant.all_delivered(&fence).await;
    }
    let received = endpoint.received().await;
    let same = received
        .iter()
        .filter(|r| r.header("webhook-id") == event.id);
    same.count()
}

#[tokio::test]
async fn the_same_key_gets_the_same_answer_and_nothing_is_sent_twice() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let first = post_with_key(&tenant, "order-1", &order(1)).await;
    let first = Accepted::read(&first.expect(202));
    let at_once = post_with_key(&tenant, "order-1", &order(1)).await;
    assert_eq!(Accepted::read(&at_once.expect(202)), first);
    assert_eq!(times(&tenant, &endpoint, &first).await, 1);
    let later = post_with_key(&tenant, "order-1", &order(1)).await;
    assert_eq!(Accepted::read(&later.expect(202)), first);
    assert_eq!(times(&tenant, &endpoint, &first).await, 1);
    let delivery = tenant.delivery(first.delivery()).await;
    assert_eq!(delivery["attempts"], 1);
}

#[tokio::test]
async fn a_repeat_is_answered_for_the_endpoints_that_the_first_found() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let first = post_with_key(&tenant, "k", &order(1)).await.expect(202);
    let first = Accepted::read(&first);
    let late = tenant.endpoint("/success").create().await;
    let again = post_with_key(&tenant, "k", &order(1)).await.expect(202);
    assert_eq!(Accepted::read(&again), first);
    assert_eq!(times(&tenant, &endpoint, &first).await, 1);
    let received = late.received().await;
    assert!(received.iter().all(|r| r.header("webhook-id") != first.id));
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let first = post_with_key(&tenant, "k", &order(1)).await.expect(202);
    let first = Accepted::read(&first);
    let before = tenant.stored_events().await;
    let other_type = json!({ "event_type": "order.paid", "payload": { "n": 1 } });
    for body in [order(2), other_type] {
        post_with_key(&tenant, "k", &body).await.problem(409);
    }
    assert_eq!(tenant.stored_events().await, before);
    assert_eq!(times(&tenant, &endpoint, &first).await, 1);
    // The refusals have not taken the key from the first.
    let again = post_with_key(&tenant, "k", &order(1)).await.expect(202);
    assert_eq!(Accepted::read(&again), first);
}

#[tokio::test]
async fn without_a_key_or_with_another_there_are_two_events() {
    let tenant = Tenant::new();
    let mut ids = BTreeSet::new();
    for _ in 0..2 {
        let answer = tenant.post("/events", &order(1)).await;
        ids.insert(Accepted::read(&answer.expect(202)).id);
    }
    for key in ["a", "b", "A", "a "] {
        let answer = post_with_key(&tenant, key.trim_end(), &order(1)).await;
        ids.insert(Accepted::read(&answer.expect(202)).id);
    }
    // White space around a header's value is none of it.
    assert_eq!(ids.len(), 5);
}

#[tokio::test]
async fn a_key_is_a_tenants_own() {
    let (one, other) = (Tenant::new(), Tenant::new());
    let first = post_with_key(&one, "k", &order(1)).await.expect(202);
    let second = post_with_key(&other, "k", &order(2)).await.expect(202);
    assert_ne!(first["id"], second["id"]);
}

#[tokio::test]
async fn the_callers_own_id_is_kept_and_serves_as_key() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let own = |n: u32| {
        let mut body = order(n);
        body["id"] = json!("evt-2026/1 é");
        body
    };
    let first = tenant.post("/events", &own(1)).await.expect(202);
    assert_eq!(first["alias"], "evt-2026/1 é");
    let first = Accepted::read(&first);
    let again = tenant.post("/events", &own(1)).await.expect(202);
    assert_eq!(Accepted::read(&again), first);
    tenant.post("/events", &own(2)).await.problem(409);
    assert_eq!(times(&tenant, &endpoint, &first).await, 1);
    let shown = tenant.get(&format!("/events/{}", first.id)).await;
    assert_eq!(shown.expect(200)["alias"], "evt-2026/1 é");
    // An own id and a key of the same text are two things.
    let by_key = post_with_key(&tenant, "k", &order(1)).await.expect(202);
    let mut body = order(1);
    body["id"] = json!("k");
    let by_id = tenant.post("/events", &body).await.expect(202);
    assert_ne!(by_key["id"], by_id["id"]);
}

#[tokio::test]
async fn twins_at_the_same_moment_are_one_event() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    for round in 0..3 {
        let key = format!("twins-{round}");
        let body = order(round);
        let calls = (0..12).map(|_| post_with_key(&tenant, &key, &body));
        let answers = join_all(calls).await;
        let events: Vec<_> = answers
            .iter()
            .map(|answer| Accepted::read(&answer.expect(202)))
            .collect();
        let first = &events[0];
        assert!(events.iter().all(|event| event == first), "{events:#?}");
        assert_eq!(times(&tenant, &endpoint, first).await, 1);
    }
}

#[tokio::test]
async fn of_different_bodies_at_the_same_moment_one_is_accepted() {
    let tenant = Tenant::new();
    let bodies: Vec<_> = (0..8).map(order).collect();
    let calls = bodies.iter().map(|body| post_with_key(&tenant, "k", body));
    let answers = join_all(calls).await;
    let accepted: Vec<_> = answers.iter().filter(|a| a.status == 202).collect();
    assert_eq!(accepted.len(), 1, "{answers:#?}");
    for refused in answers.iter().filter(|answer| answer.status != 202) {
        refused.problem(409);
    }
    assert_eq!(
        tenant.stored_events().await,
        [accepted[0].json()["id"].as_str().unwrap()]
    );
}

#[tokio::test]
async fn twins_in_a_batch_are_one_event() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let own = |id: &str, n: u32| {
        let mut body = order(n);
        body["id"] = json!(id);
        body
    };
    // Who comes first is no matter of luck: several rounds.
    for round in 0..5 {
        let (a, b) = (format!("a{round}"), format!("b{round}"));
        let batch = json!({ "events": [own(&a, 1), own(&b, 1), own(&a, 1), own(&a, 2)] });
        let answer = tenant.post("/events/batch", &batch).await.expect(202);
        let result = |index: usize| &answer["results"][index];
        let first = Accepted::read(result(0));
        assert_eq!(Accepted::read(result(2)), first);
        assert_ne!(Accepted::read(result(1)), first);
        assert_eq!(result(3)["status"], 409);
        Problem::check(&result(3)["problem"], 409);
        let again = tenant.post("/events/batch", &batch).await.expect(202);
        for index in 0..3 {
            let event = Accepted::read(&again["results"][index]);
            assert_eq!(event, Accepted::read(result(index)));
        }
        let alone = tenant.post("/events", &own(&a, 1)).await.expect(202);
        assert_eq!(Accepted::read(&alone), first);
        assert_eq!(times(&tenant, &endpoint, &first).await, 1);
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_one_is_refused() {
    let tenant = Tenant::new();
    let before = tenant.stored_events().await;
    let long = "k".repeat(256);
    for key in ["", long.as_str()] {
        let answer = post_with_key(&tenant, key, &order(1)).await;
        answer.refuses(422, "Idempotency-Key");
    }
    assert_eq!(tenant.stored_events().await, before);
    let longest = "k".repeat(255);
    post_with_key(&tenant, longest, &order(1)).await.expect(202);
}

/// A key that is taken for none would send twice what is posted twice.
#[tokio::test]
async fn a_key_beyond_ascii_is_refused_or_works() {
    let tenant = Tenant::new();
    let first = post_with_key(&tenant, "bestellung-ü", &order(1)).await;
    let again = post_with_key(&tenant, "bestellung-ü", &order(1)).await;
    if first.status == 202 {
        assert_eq!(first.json()["id"], again.json()["id"]);
    } else {
        first.refuses(422, "Idempotency-Key");
    }
}
