//! A delivery to a URL that is not registered goes the way of all events: signed, once, retried,
//! and replayed when it is dead.

use futures::future::join_all;
use hookpost_tests::{Call, Tenant, wait};
use serde_json::{Value, json};

/// A place on the receiver that no other test uses.
fn place(tenant: &Tenant<'_>, behaviour: &str) -> (String, String) {
    let path = format!("{behaviour}/{}", tenant.unique_name());
    (format!("{}{path}", tenant.system().url("receiver")), path)
}

async fn post(tenant: &Tenant<'_>, key: &str, body: &Value) -> hookpost_tests::Answer {
    let call = Call::new("POST", "/api/v1/deliveries").json(body);
    tenant.call(call.header("idempotency-key", key)).await
}

#[tokio::test]
async fn it_is_signed_and_its_endpoint_is_in_no_list_and_gets_no_events() {
    let tenant = Tenant::new();
    let secret = "a secret of the caller's own";
    let (url, path) = place(&tenant, "/success");
    tenant.tell_secret(&path, secret).await;
    let body = json!({
        "url": url, "event_type": "user.created", "payload": { "user_id": 123 },
        "secret": secret, "headers": { "X-Partner": "hush" }, "max_attempts": 3,
    });
    let answer = tenant.post("/deliveries", &body).await;
    let begun = answer.expect(202);
    let id = begun["id"].as_str().unwrap();
    assert_eq!(
        answer.header("location"),
        format!("/api/v1/deliveries/{id}")
    );
    assert_eq!(begun["duplicate"], false);
    let shown = tenant.delivery_is(id, "delivered").await;
    assert_eq!(shown["endpoint_id"], begun["endpoint_id"]);
    let received = tenant.received_at(&path).await;
    let [one] = received.as_slice() else {
        panic!("{received:#?}");
    };
    assert_eq!(one.signature, "verified");
    assert_eq!(one.header("x-partner"), "hush");
    assert_eq!(one.header("webhook-id"), begun["event_id"]);
    let sent = one.json();
    assert_eq!(sent["event"], "user.created");
    assert_eq!(sent["data"], json!({ "user_id": 123 }));

    let list = tenant.get("/endpoints").await.expect(200);
    assert_eq!(list["data"], json!([]));
    let event = tenant.publish("user.created", &json!({})).await;
    assert_eq!(event.deliveries, []);
    let endpoint = format!("/endpoints/{}", begun["endpoint_id"].as_str().unwrap());
    let endpoint_shown = tenant.get(&endpoint).await.expect(200);
    assert_eq!(endpoint_shown["managed_by"], "delivery");
    assert_eq!(endpoint_shown["headers"]["X-Partner"], "***");
    let change = json!({ "name": "mine" });
    tenant.patch(&endpoint, &change).await.problem(409);
    Tenant::new().get(&endpoint).await.problem(404);
    // The same place again is the same endpoint; another setting makes another.
    let again = tenant.post("/deliveries", &body).await.expect(202);
    assert_eq!(again["endpoint_id"], begun["endpoint_id"]);
    assert_ne!(again["id"], begun["id"]);
    let mut other = body.clone();
    other["max_attempts"] = json!(4);
    let other = tenant.post("/deliveries", &other).await.expect(202);
    assert_ne!(other["endpoint_id"], begun["endpoint_id"]);
}

#[tokio::test]
async fn the_same_key_delivers_once_and_another_delivery_under_it_is_refused() {
    let tenant = Tenant::new();
    let (url, path) = place(&tenant, "/success");
    let body = json!({ "url": url, "data": { "n": 1 } });
    let answers = join_all((0..4).map(|_| post(&tenant, "order-1", &body))).await;
    let ids: Vec<Value> = answers
        .into_iter()
        .map(|answer| answer.expect(202)["id"].take())
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    tenant
        .delivery_is(ids[0].as_str().unwrap(), "delivered")
        .await;
    let late = post(&tenant, "order-1", &body).await.expect(202);
    assert_eq!((&late["id"], &late["duplicate"]), (&ids[0], &json!(true)));
    assert_eq!(tenant.received_at(&path).await.len(), 1);
    for (field, value) in [
        ("url", json!("https://example.com/")),
        ("data", json!(2)),
        ("timeout", json!(5)),
    ] {
        let mut other = body.clone();
        other[field] = value;
        let refused = post(&tenant, "order-1", &other).await;
        refused.refuses(409, "Idempotency-Key");
    }
    // Events have keys of their own.
    let event = json!({ "event_type": "order.created", "payload": { "n": 1 } });
    let call = Call::new("POST", "/api/v1/events").json(&event);
    let answer = tenant.call(call.header("idempotency-key", "order-1")).await;
    answer.expect(202);
}

#[tokio::test]
async fn bad_input_is_told_by_field_and_delivers_nothing() {
    let tenant = Tenant::new();
    for (change, status, field) in [
        (json!({ "url": null }), 422, "url"),
        (json!({ "url": "http://example.com/" }), 422, "url"),
        (json!({ "url": "https://169.254.169.254/" }), 422, "url"),
        (json!({ "payload": null }), 422, "payload"),
        (json!({ "event_type": "a b" }), 422, "event_type"),
        (json!({ "secret": "x" }), 422, "secret"),
        (json!({ "headers": { "Host": "x" } }), 422, "headers.Host"),
        (json!({ "max_attempts": 0 }), 422, "retry.max_attempts"),
        (json!({ "timeout": 31 }), 422, "timeout_seconds"),
        (json!({ "wrong": 1 }), 422, "wrong"),
        (json!({ "payload": "x".repeat(256 * 1024) }), 413, "payload"),
    ] {
        let mut body = json!({ "url": "https://example.com/", "payload": {} });
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        let answer = tenant.post("/deliveries", &body).await;
        answer.refuses(status, field);
    }
    let list = tenant.get("/deliveries").await.expect(200);
    assert_eq!(list["data"], json!([]));
}

#[tokio::test]
async fn a_dead_one_is_replayed_and_a_receiver_that_is_gone_is_heard() {
    let tenant = Tenant::new();
    let (url, path) = place(&tenant, "/switch");
    let switch = path.trim_start_matches('/').to_owned();
    let answers = async |status: u16| {
        tenant.steer(&switch, &json!({ "status": status })).await;
    };
    answers(500).await;
    let body = json!({ "url": url, "payload": {}, "retry": { "delays": ["0s"] } });
    let begun = tenant.post("/deliveries", &body).await.expect(202);
    let id = begun["id"].as_str().unwrap();
    tenant.delivery_is(id, "dead").await;
    answers(200).await;
    let replay = format!("/dead-letters/{id}/replay");
    tenant.post(&replay, &json!({})).await.expect(202);
    tenant.delivery_is(id, "delivered").await;
    answers(410).await;
    let gone = tenant.post("/deliveries", &body).await.expect(202);
    tenant
        .delivery_is(gone["id"].as_str().unwrap(), "dead")
        .await;
    let endpoint = format!("/endpoints/{}", begun["endpoint_id"].as_str().unwrap());
    wait::until("it is disabled", || async {
        let shown = tenant.get(&endpoint).await.expect(200);
        if shown["disabled_by"] == "gone" {
            Ok(())
        } else {
            Err(format!("{shown:#}"))
        }
    })
    .await;
    let enable = format!("{endpoint}/enable");
    tenant.post(&enable, &json!({})).await.expect(200);
    tenant.delete(&endpoint).await.expect(204);
    tenant.get(&endpoint).await.problem(404);
}

#[tokio::test]
async fn in_strict_mode_a_type_that_is_named_is_one_that_is_told_of_and_fits() {
    let tenant = Tenant::new();
    let (url, path) = place(&tenant, "/success");
    let schema = json!({ "schema": { "type": "object", "required": ["user_id"] } });
    let put = Call::new("PUT", "/api/v1/event-types/user.created").json(&schema);
    tenant.call(put).await.expect(201);
    let strict = json!({ "strict_event_types": true });
    tenant.patch("/settings", &strict).await.expect(200);
    let body = |event_type: &str, payload: Value| json!({ "url": url, "event_type": event_type, "payload": payload });
    let unknown = body("user.deleted", json!({}));
    let refused = tenant.post("/deliveries", &unknown).await;
    refused.refuses(422, "event_type");
    let misfit = body("user.created", json!({}));
    let refused = post(&tenant, "key", &misfit).await;
    refused.refuses(422, "data.user_id");
    // What was refused under a key has not used it up.
    let mended = body("user.created", json!({ "user_id": 1 }));
    let taken = post(&tenant, "key", &mended).await.expect(202);
    let without_type = json!({ "url": url, "payload": {} });
    let other = tenant.post("/deliveries", &without_type).await.expect(202);
    for begun in [taken, other] {
        tenant
            .delivery_is(begun["id"].as_str().unwrap(), "delivered")
            .await;
    }
    assert_eq!(tenant.received_at(&path).await.len(), 2);
}
