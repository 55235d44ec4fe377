//! Hookpost tells of disabled endpoints, breakers, dead letters and replays to endpoints that ask
//! for it by name, to no others, and never of a failure to tell.

use hookpost_tests::{Endpoint, System, Tenant, wait};
use serde_json::{Value, json};

/// What an endpoint was told, as type and details, without what it is not about.
async fn told(endpoint: &Endpoint<'_>, kind: &str) -> Vec<Value> {
    let got = endpoint.received().await;
    let bodies = got.iter().map(hookpost_tests::Received::json);
    let of_kind = bodies.filter(|body| body["event"] == kind);
    of_kind.map(|body| body["data"].clone()).collect()
}

/// The first that it is told of this kind.
async fn is_told(endpoint: &Endpoint<'_>, kind: &str) -> Value {
    wait::until(kind, || async {
        let all = told(endpoint, kind).await;
        all.first().cloned().ok_or_else(|| "nothing".to_owned())
    })
    .await
}

/// Dead letters that it is told of, once they are so many.
async fn is_told_of_dead(endpoint: &Endpoint<'_>, count: u64) -> Vec<Value> {
    wait::until("dead letters", || async {
        let all = told(endpoint, "hookpost.dead_letter").await;
        let sum: u64 = all.iter().map(|one| one["count"].as_u64().unwrap()).sum();
        if sum == count {
            Ok(all)
        } else {
            Err(format!("{all:?}"))
        }
    })
    .await
}

/// A process believes for five seconds that nobody listens, if it looked just before.
async fn all_know_who_listens() {
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
}

async fn failing<'a>(tenant: &'a Tenant<'a>, event_types: &[&str]) -> Endpoint<'a> {
    let once = json!({ "max_attempts": 1 });
    let endpoint = tenant.endpoint("/fail").event_types(event_types);
    let endpoint = endpoint.with("retry", once);
    // Its breaker stays out of it.
    let endpoint = endpoint.with("breaker", json!({ "failures": 1000 }));
    endpoint.create().await
}

#[tokio::test]
async fn an_endpoint_that_was_disabled_is_told_to_who_asks_and_to_no_other() {
    let tenant = Tenant::new();
    let asks = tenant
        .endpoint("/success")
        .event_types(&["hookpost.*"])
        .create()
        .await;
    let everything = tenant.endpoint("/success").create().await;
    let gone = tenant
        .endpoint("/gone")
        .event_types(&["order.created"])
        .create()
        .await;
    tenant.publish("order.created", &json!({})).await;
    let news = is_told(&asks, "hookpost.endpoint.disabled").await;
    assert_eq!(
        (&news["endpoint_id"], &news["reason"], &news["tenant"]),
        (&json!(gone.id), &json!("gone"), &json!(tenant.id))
    );
    let by_hand = everything.id.clone();
    let path = format!("/endpoints/{by_hand}/disable");
    tenant.post(&path, &json!({})).await.expect(200);
    wait::until("both are told", || async {
        let all = told(&asks, "hookpost.endpoint.disabled").await;
        let ids: Vec<_> = all.iter().map(|one| one["endpoint_id"].clone()).collect();
        if ids.contains(&json!(by_hand)) {
            Ok(())
        } else {
            Err(format!("{ids:?}"))
        }
    })
    .await;
    let got = everything.received().await;
    assert_eq!(got.len(), 1, "{got:?}");
    assert_eq!(got[0].json()["event"], "order.created");
    assert_eq!(told(&asks, "hookpost.endpoint.disabled").await.len(), 2);
}

#[tokio::test]
async fn a_breaker_that_opens_and_closes_is_told() {
    let tenant = Tenant::new();
    let asks = tenant
        .endpoint("/success")
        .event_types(&["hookpost.breaker.*"])
        .create()
        .await;
    let endpoint = tenant.endpoint("/success").create().await;
    let path = |what: &str| format!("/endpoints/{}/breaker/{what}", endpoint.id);
    tenant.post(&path("open"), &json!({})).await.expect(200);
    let opened = is_told(&asks, "hookpost.breaker.opened").await;
    assert_eq!(
        (&opened["endpoint_id"], &opened["by_hand"]),
        (&json!(endpoint.id), &json!(true))
    );
    tenant.post(&path("close"), &json!({})).await.expect(200);
    let closed = is_told(&asks, "hookpost.breaker.closed").await;
    assert_eq!(closed["opened_at"], opened["opened_at"]);
    // Whatever it is looked at again. What is delivered twice is one event all the same.
    tenant.sweep().await;
    let got = asks.received().await;
    let ids: std::collections::BTreeSet<_> =
        got.iter().map(|one| &one.headers["webhook-id"]).collect();
    assert_eq!(ids.len(), 2, "{got:?}");
}

#[tokio::test]
async fn dead_letters_are_told_with_their_number_and_a_replay_once_it_is_done() {
    let tenant = Tenant::new();
    let asks = tenant
        .endpoint("/success")
        .event_types(&["hookpost.*"])
        .create()
        .await;
    let fails = failing(&tenant, &["order.*"]).await;
    all_know_who_listens().await;
    for _ in 0..4 {
        tenant.publish("order.created", &json!({})).await;
    }
    let dead = is_told_of_dead(&asks, 4).await;
    assert_eq!(dead[0]["endpoint_id"], json!(fails.id));
    assert_eq!(dead[0]["last"]["event_type"], "order.created");
    assert!(dead[0]["last"]["failure_reason"].is_string(), "{dead:?}");
    let order = json!({ "filter": { "all": true } });
    let job = tenant.post("/replays", &order).await.expect(202);
    let done = is_told(&asks, "hookpost.replay.finished").await;
    assert_eq!((&done["id"], &done["replayed"]), (&job["id"], &json!(4)));
    is_told_of_dead(&asks, 8).await;
    let dry = json!({ "filter": { "all": true }, "dry_run": true });
    tenant.post("/replays", &dry).await.expect(202);
    tenant.sweep().await;
    assert_eq!(told(&asks, "hookpost.replay.finished").await.len(), 1);
}

#[tokio::test]
async fn a_failure_to_tell_is_not_told() {
    let tenant = Tenant::new();
    let asks = failing(&tenant, &["hookpost.*", "order.*"]).await;
    let fails = failing(&tenant, &["order.*"]).await;
    all_know_who_listens().await;
    tenant.publish("order.created", &json!({})).await;
    // Of the order that failed here as well nothing is told, nor of the news of the other's.
    wait::until("the news has failed", || async {
        let got = asks.received().await;
        if got.len() == 2 {
            Ok(())
        } else {
            Err(format!("{got:?}"))
        }
    })
    .await;
    let news = told(&asks, "hookpost.dead_letter").await;
    assert_eq!(news[0]["endpoint_id"], json!(fails.id));
    let dead = tenant.stored_events().await.len();
    assert_eq!(dead, 2);
    wait::until("both are dead letters", || async {
        let list = tenant.get("/dead-letters").await.expect(200);
        let all = list["data"].as_array().unwrap().len();
        if all == 3 {
            Ok(())
        } else {
            Err(all.to_string())
        }
    })
    .await;
    for _ in 0..3 {
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        tenant.sweep().await;
    }
    assert_eq!(tenant.stored_events().await.len(), 2);
}

#[tokio::test]
async fn nobody_else_posts_such_events() {
    let tenant = Tenant::new();
    let event = json!({ "event_type": "hookpost.dead_letter", "payload": {} });
    tenant
        .post("/events", &event)
        .await
        .refuses(422, "event_type");
    let batch = json!({ "events": [event] });
    let answer = tenant.post("/events/batch", &batch).await.expect(422);
    assert_eq!(answer["rejected"], 1);
    let direct = json!({
        "url": format!("{}/success", tenant.system().url("receiver")),
        "event_type": "hookpost.dead_letter", "payload": {},
    });
    tenant
        .post("/deliveries", &direct)
        .await
        .refuses(422, "event_type");
}

#[tokio::test]
async fn the_operators_tenant_is_told_of_all_others() {
    let system = System::start_with(&[("OperationsTenant", "ops")], &[]);
    let (ops, tenant) = (Tenant::on(&system).called("ops"), Tenant::on(&system));
    let asks = ops
        .endpoint("/success")
        .event_types(&["hookpost.*"])
        .create()
        .await;
    failing(&tenant, &["order.*"]).await;
    all_know_who_listens().await;
    tenant.publish("order.created", &json!({})).await;
    let dead = is_told_of_dead(&asks, 1).await;
    assert_eq!(dead[0]["tenant"], json!(tenant.id));
    assert_eq!(tenant.stored_events().await.len(), 1);
}
