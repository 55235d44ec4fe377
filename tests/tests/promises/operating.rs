//! What an operator does to an endpoint: enable, disable, pause, resume, test it, look at its
//! health, open and close its breaker by hand.

use hookpost_tests::{Endpoint, System, Tenant, wait};
use serde_json::{Value, json};

async fn act(tenant: &Tenant<'_>, endpoint: &Endpoint<'_>, action: &str) -> Value {
    let path = format!("/endpoints/{}/{action}", endpoint.id);
    tenant.post(&path, &json!({})).await.expect(200)
}

#[tokio::test]
async fn states_are_set_by_calls_that_can_be_repeated() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    for (action, state) in [
        ("enable", "active"),
        ("resume", "active"),
        ("pause", "paused"),
        ("enable", "paused"),
        ("resume", "active"),
        ("disable", "disabled"),
        ("enable", "active"),
    ] {
        let shown = act(&tenant, &endpoint, action).await;
        assert_eq!(shown["state"], state, "{action}");
        assert_eq!(
            act(&tenant, &endpoint, action).await,
            shown,
            "{action} again"
        );
    }
    act(&tenant, &endpoint, "disable").await;
    for action in ["pause", "resume"] {
        let path = format!("/endpoints/{}/{action}", endpoint.id);
        tenant.post(&path, &json!({})).await.problem(409);
    }
    let other = Tenant::new();
    for action in [
        "enable",
        "disable",
        "pause",
        "resume",
        "test",
        "breaker/open",
        "breaker/close",
    ] {
        let path = format!("/endpoints/{}/{action}", endpoint.id);
        other.post(&path, &json!({})).await.problem(404);
    }
}

#[tokio::test]
async fn what_comes_for_a_disabled_endpoint_is_skipped_and_can_be_replayed() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/success")
        .with("active", json!(false))
        .create()
        .await;
    let event = tenant.publish("order.created", &json!({})).await;
    let skipped = tenant.delivery_is(event.delivery(), "dead").await;
    assert_eq!(
        (&skipped["reason"], &skipped["attempts"]),
        (&json!("endpoint_disabled"), &json!(0))
    );
    endpoint.receives(0).await;
}

#[tokio::test]
async fn a_test_event_goes_to_its_endpoint_only_and_is_an_event_like_any_other() {
    let tenant = Tenant::new();
    let tested = tenant
        .endpoint("/success")
        .event_types(&["order.created"])
        .create()
        .await;
    let other = tenant.endpoint("/success").create().await;
    let path = format!("/endpoints/{}/test", tested.id);
    let payload = json!({ "payload": { "a": 1 } });
    let sent = tenant.post(&path, &payload).await.expect(202);
    assert_eq!(sent["event_type"], "hookpost.test");
    let id = sent["delivery_id"].as_str().unwrap();
    tenant.delivery_is(id, "delivered").await;
    let received = &tested.receives(1).await[0];
    assert_eq!(received.header("x-webhook-event"), "hookpost.test");
    assert_eq!(
        received.header("webhook-id"),
        sent["event_id"].as_str().unwrap()
    );
    let event = sent["event_id"].as_str().unwrap();
    let event = tenant.get(&format!("/events/{event}")).await.expect(200);
    assert_eq!(event["payload"], payload["payload"]);
    assert_eq!(event["deliveries"].as_array().unwrap().len(), 1);
    other.receives(0).await;
    tenant
        .post(&path, &json!({ "payload": null }))
        .await
        .expect(202);
    tenant
        .post(&path, &json!({ "type": "a" }))
        .await
        .problem(422);
}

#[tokio::test]
async fn health_tells_of_successes_and_failures() {
    // Counts are written at once only after a quiet time: a system of its own has it.
    let arguments = ["--max-instances", "1"];
    let system = System::start_with(&[("DeliveryConcurrency", "2")], &arguments);
    let tenant = Tenant::on(&system);
    let endpoint = tenant
        .endpoint("/switch")
        .with("retry", json!({ "delays": ["0s"] }))
        .create()
        .await;
    let before = endpoint.health().await;
    assert_eq!(before["success_rate"], Value::Null);
    assert_eq!(before["last_success_at"], Value::Null);
    for (status, end) in [
        (200, "delivered"),
        (200, "delivered"),
        (200, "delivered"),
        (500, "dead"),
    ] {
        endpoint.switch(status).await;
        let event = tenant.publish("order.created", &json!({})).await;
        tenant.delivery_is(event.delivery(), end).await;
    }
    let health = wait::until("all four are counted", || async {
        let health = endpoint.health().await;
        let counted = &health["last_hour"];
        if counted["delivered"] == 3 && counted["failed_attempts"] == 1 {
            Ok(health)
        } else {
            Err(format!("{health:#}"))
        }
    })
    .await;
    assert_eq!(health["success_rate"], 0.75, "{health:#}");
    assert_eq!(health["consecutive_failures"], 1);
    assert!(health["last_failure_at"].as_str() > health["last_success_at"].as_str());
}

#[tokio::test]
async fn a_breaker_opened_by_hand_holds_and_one_closed_lets_go() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let path = format!("/endpoints/{}/breaker", endpoint.id);
    let open = format!("{path}/open");
    for (body, field) in [
        (json!({ "for_seconds": 0 }), "for_seconds"),
        (json!({ "for_seconds": 86401 }), "for_seconds"),
        (json!({ "seconds": 1 }), "seconds"),
    ] {
        let problem = tenant.post(&open, &body).await.problem(422);
        assert!(format!("{problem:?}").contains(field), "{problem:?}");
    }
    let opened = tenant
        .post(&open, &json!({ "for_seconds": 3600 }))
        .await
        .expect(200);
    assert_eq!(opened["breaker"]["state"], "open");
    assert_eq!(opened["breaker"]["opened_by_hand"], true);
    // Nothing knew the endpoint before, so nothing acts on an older health.
    let event = tenant.publish("order.created", &json!({})).await;
    let held = tenant.delivery_is(event.delivery(), "held").await;
    assert_eq!(held["reason"], "breaker_open");
    tenant.sweep().await;
    endpoint.receives(0).await;

    let closed = tenant.post(&format!("{path}/close"), &json!({})).await;
    assert_eq!(closed.expect(200)["breaker"]["state"], "closed");
    tenant.sweep().await;
    tenant.delivery_is(event.delivery(), "delivered").await;
    endpoint.receives(1).await;
}

#[tokio::test]
async fn what_waits_to_be_the_probe_goes_within_seconds_when_the_breaker_is_closed_by_hand() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let path = format!("/endpoints/{}/breaker", endpoint.id);
    let ten_minutes = json!({ "for_seconds": 600 });
    tenant
        .post(&format!("{path}/open"), &ten_minutes)
        .await
        .expect(200);
    let event = tenant.publish("order.created", &json!({})).await;
    let waits = |d: &Value| d["next_attempt_at"].as_str() > d["created_at"].as_str();
    tenant
        .delivery_where(event.delivery(), "waits to probe", waits)
        .await;
    tenant
        .post(&format!("{path}/close"), &json!({}))
        .await
        .expect(200);
    tenant.delivery_is(event.delivery(), "delivered").await;
    endpoint.receives(1).await;
}

#[tokio::test]
async fn lists_can_be_narrowed_by_state_text_and_metadata() {
    let tenant = Tenant::new();
    let billing = tenant
        .endpoint("/success")
        .with("name", json!("Billing Desk"))
        .with("metadata", json!({ "team": "billing", "tier": "1" }))
        .create()
        .await;
    let paused = tenant
        .endpoint("/success")
        .with("paused", json!(true))
        .with("metadata", json!({ "team": "orders" }))
        .create()
        .await;
    assert_eq!(billing.shown().await["metadata"]["team"], "billing");
    for (query, expected) in [
        ("state=paused", vec![&paused.id]),
        ("state=active", vec![&billing.id]),
        ("text=billing%20desk", vec![&billing.id]),
        ("text=/SUCCESS/", vec![&paused.id, &billing.id]),
        ("metadata=team:billing", vec![&billing.id]),
        ("metadata=team", vec![&paused.id, &billing.id]),
        ("metadata=team:none", vec![]),
        ("state=active&metadata=team:orders", vec![]),
    ] {
        let listed = tenant.get(&format!("/endpoints?{query}")).await.expect(200);
        let ids: Vec<&str> = listed["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|endpoint| endpoint["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids, expected, "{query}");
    }
    tenant.get("/endpoints?state=asleep").await.problem(422);
}
