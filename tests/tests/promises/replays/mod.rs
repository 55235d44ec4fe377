//! Dead letters go back: one, or many by a filter, counted first if so wished, at the pace that is
//! asked for, in a fresh cycle; and nothing that is not dead ever does.

mod filters;
mod groups;
mod pace;

use hookpost_tests::{Answer, Call, EndpointBuilder, Tenant, wait};
use serde_json::{Value, json};

/// An endpoint that gives up at the first failure, and whose breaker stays out of it.
fn dying<'a>(tenant: &'a Tenant<'a>, behaviour: &str) -> EndpointBuilder<'a> {
    tenant
        .endpoint(behaviour)
        .with("retry", json!({ "max_attempts": 1 }))
        .with("breaker", json!({ "failures": 1000 }))
}

/// Orders a replay, and gives the answer.
async fn order(tenant: &Tenant<'_>, replay: &Value) -> Value {
    let answer = tenant.post("/replays", replay).await;
    let job = answer.expect(202);
    let id = job["id"].as_str().unwrap();
    assert_eq!(answer.header("location"), format!("/api/v1/replays/{id}"));
    job
}

/// Orders a replay, and gives it once it is finished.
async fn replay(tenant: &Tenant<'_>, replay: &Value) -> Value {
    let job = order(tenant, replay).await;
    let path = format!("/replays/{}", job["id"].as_str().unwrap());
    wait::until("the replay is finished", || async {
        let job = tenant.get(&path).await.expect(200);
        if job["status"] == "finished" {
            Ok(job)
        } else {
            Err(format!("{job:#}"))
        }
    })
    .await
}

async fn replay_one(tenant: &Tenant<'_>, id: &str) -> Answer {
    let path = format!("/api/v1/dead-letters/{id}/replay");
    tenant.call(Call::new("POST", path)).await
}

#[tokio::test]
async fn one_dead_letter_is_replayed_as_the_same_webhook_in_a_fresh_cycle() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/switch")
        .with("retry", json!({ "delays": ["0s", "1s"] }))
        .with("breaker", json!({ "failures": 1000 }))
        .create()
        .await;
    endpoint.switch(503).await;
    let event = tenant.publish("order.created", &json!({ "a": 1 })).await;
    let id = event.delivery();
    tenant.delivery_is(id, "dead").await;

    let replayed = replay_one(&tenant, id).await;
    assert_eq!(replayed.expect(202)["delivery_id"], id);
    let location = format!("/api/v1/deliveries/{id}");
    assert_eq!(replayed.header("location"), location);
    // It has its whole schedule before it again.
    let again = |cycle: u64| move |d: &Value| d["cycle"] == cycle && d["status"] == "dead";
    let dead = tenant.delivery_where(id, "dead again", again(1)).await;
    assert_eq!(dead["attempts"], 2);
    assert_eq!(endpoint.receives(4).await.len(), 4);

    endpoint.switch(200).await;
    replay_one(&tenant, id).await.expect(202);
    let delivered = tenant.delivery_is(id, "delivered").await;
    assert_eq!(delivered["cycle"], 2);
    assert_eq!(delivered["attempts"], 1);
    let log: Vec<(u64, u64)> = delivered["attempt_log"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| {
            let number = |name: &str| attempt[name].as_u64().unwrap();
            (number("cycle"), number("number"))
        })
        .collect();
    assert_eq!(log, [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1)]);
    for request in endpoint.receives(5).await {
        assert_eq!(request.header("webhook-id"), event.id);
        assert_eq!(request.header("x-webhook-id"), event.id);
        assert_eq!(request.json()["id"], event.id);
        assert_eq!(request.data(), json!({ "a": 1 }));
        assert_eq!(request.signature, "verified");
    }
}

#[tokio::test]
async fn what_is_not_dead_is_not_replayed() {
    let tenant = Tenant::new();
    let alive = tenant.endpoint("/success").create().await;
    let waiting = tenant
        .endpoint("/fail")
        .with("retry", json!({ "delays": ["0s", "10m"] }))
        .create()
        .await;
    let dead = dying(&tenant, "/switch").create().await;
    dead.switch(503).await;
    let event = tenant.publish("order.created", &json!({})).await;
    let (alive, waiting, dead) = (
        alive.delivery_of(&event.id),
        waiting.delivery_of(&event.id),
        (dead.delivery_of(&event.id), dead),
    );
    let delivered = tenant.delivery_is(&alive, "delivered").await;
    let retrying = tenant.delivery_is(&waiting, "retrying").await;
    tenant.delivery_is(&dead.0, "dead").await;

    for id in [&alive, &waiting] {
        replay_one(&tenant, id).await.problem(409);
    }
    let unknown = dead.0.replace("ep_", "ep_x");
    for id in [&unknown, "nonsense"] {
        replay_one(&tenant, id).await.problem(404);
    }
    let other = Tenant::new();
    replay_one(&other, &dead.0).await.problem(404);

    let named = json!({ "filter": { "delivery_ids": [alive, waiting, unknown] } });
    let job = replay(&tenant, &named).await;
    assert_eq!((&job["matched"], &job["replayed"]), (&json!(0), &json!(0)));
    let all = json!({ "filter": { "all": true } });
    assert_eq!(replay(&other, &all).await["matched"], 0);

    dead.1.switch(200).await;
    let job = replay(&tenant, &all).await;
    assert_eq!((&job["matched"], &job["replayed"]), (&json!(1), &json!(1)));
    tenant.delivery_is(&dead.0, "delivered").await;
    // Delivered by a replay it is as final as any.
    replay_one(&tenant, &dead.0).await.problem(409);
    assert_eq!(replay(&tenant, &all).await["matched"], 0);
    dead.1.receives(2).await;
    assert_eq!(tenant.delivery(&alive).await, delivered);
    assert_eq!(tenant.delivery(&waiting).await, retrying);
}

#[tokio::test]
async fn a_replay_that_does_not_say_what_it_means_is_refused() {
    let tenant = Tenant::new();
    let endpoint = dying(&tenant, "/fail").create().await;
    let event = tenant.publish("order.created", &json!({})).await;
    let dead = tenant.delivery_is(event.delivery(), "dead").await;
    let many: Vec<String> = (0..101)
        .map(|nth| format!("{}{nth}", event.delivery()))
        .collect();
    for (body, field) in [
        (json!({}), "filter"),
        (json!({ "filter": {} }), "filter"),
        (json!({ "filter": { "all": false } }), "filter"),
        (
            json!({ "filter": { "all": true, "event_type": "a" } }),
            "filter.all",
        ),
        (
            json!({ "filter": { "delivery_ids": many } }),
            "filter.delivery_ids",
        ),
        (
            json!({ "filter": { "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z" } }),
            "filter.to",
        ),
        (json!({ "filter": { "from": "yesterday" } }), "filter.from"),
        (json!({ "filter": { "all": "yes" } }), "filter.all"),
        (
            json!({ "filter": { "endpoint_id": "a#b" } }),
            "filter.endpoint_id",
        ),
        (
            json!({ "filter": { "event_type": "no type" } }),
            "filter.event_type",
        ),
        (
            json!({ "filter": { "everything": true } }),
            "filter.everything",
        ),
        (
            json!({ "filter": { "all": true }, "rate_per_second": 0 }),
            "rate_per_second",
        ),
        (
            json!({ "filter": { "all": true }, "rate_per_second": 10001 }),
            "rate_per_second",
        ),
        (
            json!({ "filter": { "all": true }, "rate_per_second": "fast" }),
            "rate_per_second",
        ),
        (json!({ "filter": { "all": true }, "dry": true }), "dry"),
    ] {
        tenant.post("/replays", &body).await.refuses(422, field);
    }
    for body in ["", "{", "[]", "null"] {
        let call = Call::new("POST", "/api/v1/replays").body(body);
        tenant.call(call).await.problem(400);
    }
    assert_eq!(tenant.delivery(event.delivery()).await, dead);
    endpoint.receives(1).await;
}
