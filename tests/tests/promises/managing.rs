//! Endpoints are made, read, changed and deleted, and nothing of one tenant is
//! seen by another.

use std::collections::BTreeSet;

use futures::future::join_all;
use hookpost_tests::{System, Tenant, wait};
use serde_json::{Value, json};

#[tokio::test]
async fn an_endpoint_is_made_with_defaults_and_shows_its_secret_once() {
    let tenant = Tenant::new();
    let body = json!({ "url": "https://example.com/hook?x=1", "event_types": ["order.*"] });
    let answer = tenant.post("/endpoints", &body).await;
    let created = answer.expect(201);
    let id = created["id"].as_str().unwrap();
    assert_eq!(answer.header("location"), format!("/api/v1/endpoints/{id}"));
    let secret = created["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_"));
    assert_eq!(created["url"], "https://example.com/hook?x=1");
    assert_eq!(created["event_types"], json!(["order.*"]));
    assert_eq!(created["tenant"], tenant.id.as_str());
    assert_eq!(
        (&created["state"], &created["active"]),
        (&json!("active"), &json!(true))
    );
    let retry = &created["retry"];
    assert_eq!(retry["initial_delay"], 1.0);
    assert_eq!(retry["multiplier"], 2.0);
    assert_eq!(retry["max_delay"], 300.0);
    assert_eq!(retry["max_attempts"], 5);
    assert_eq!(retry["jitter"], 0.25);
    assert_eq!(created["timeout_seconds"], 15);
    assert_eq!(created["rate_limit_per_second"], Value::Null);
    assert_eq!(
        created["breaker"],
        json!({ "failures": 5, "pause_seconds": 30 })
    );
    assert_eq!(created["created_at"], created["updated_at"]);

    let path = format!("/endpoints/{id}");
    let shown = tenant.get(&path).await;
    let mut without_secret = created.clone();
    without_secret.as_object_mut().unwrap().remove("secret");
    assert_eq!(shown.expect(200), without_secret);
    let listed = tenant.get("/endpoints").await;
    assert_eq!(listed.expect(200)["data"], json!([without_secret]));
    let changed = tenant.patch(&path, &json!({ "name": "a" })).await;
    changed.expect(200);
    for answer in [shown, listed, changed] {
        assert!(!answer.text().contains(secret), "{}", answer.about);
        assert!(!answer.text().contains(&secret[6..]), "{}", answer.about);
    }
}

#[tokio::test]
async fn every_field_of_an_endpoint_is_kept() {
    let tenant = Tenant::new();
    let fields = json!({
        "url": "https://example.com/hook",
        "event_types": ["order.*", "user.created", "*"],
        "name": "Order desk",
        "description": "Ünïcode, too",
        "secret": "your-secret-key",
        "auth": { "type": "basic", "username": "user", "password": "hidden-password" },
        "headers": { "X-Api-Key": "hidden-key" },
        "retry": { "delays": ["0s", "5s", "30m", "2h"], "jitter": 0.1 },
        "no_retry_statuses": [404, 422],
        "timeout_seconds": 30,
        "rate_limit_per_second": 20,
        "max_in_flight": 10,
        "breaker": { "failures": 10, "pause_seconds": 60 },
    });
    let created = tenant.post("/endpoints", &fields).await.expect(201);
    let path = format!("/endpoints/{}", created["id"].as_str().unwrap());
    let answer = tenant.get(&path).await;
    let shown = answer.expect(200);
    for field in [
        "url",
        "event_types",
        "name",
        "description",
        "no_retry_statuses",
        "timeout_seconds",
        "rate_limit_per_second",
        "max_in_flight",
        "breaker",
    ] {
        assert_eq!(shown[field], fields[field], "{field}");
    }
    assert_eq!(shown["retry"]["delays"], json!([0.0, 5.0, 1800.0, 7200.0]));
    assert_eq!(shown["retry"]["max_attempts"], 4);
    assert_eq!(
        shown["auth"],
        json!({ "type": "basic", "username": "user" })
    );
    // A header's value may be a key: it is shown like one.
    assert_eq!(created["headers"], fields["headers"]);
    assert_eq!(shown["headers"], json!({ "X-Api-Key": "***" }));
    for secret in ["hidden-password", "your-secret-key", "hidden-key"] {
        assert!(!answer.text().contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_change_touches_what_it_names_and_null_takes_away() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/success")
        .with("name", json!("first"))
        .with("rate_limit_per_second", json!(5))
        .with("timeout_seconds", json!(3))
        .with("retry", json!("standard"))
        .with("auth", json!({ "username": "a", "password": "b" }))
        .with("headers", json!({ "X-A": "1", "X-B": "2" }))
        .create()
        .await;
    let first = endpoint.shown().await;
    assert_eq!(first["retry"]["max_attempts"], 10);

    let changed = endpoint.change(&json!({ "name": "second" })).await;
    let mut expected = first.clone();
    expected["name"] = json!("second");
    expected["updated_at"] = changed["updated_at"].clone();
    assert_eq!(changed, expected);
    assert!(changed["updated_at"].as_str() >= first["updated_at"].as_str());
    assert_eq!(endpoint.shown().await, changed);

    let nulls = json!({
        "rate_limit_per_second": null, "timeout_seconds": null, "retry": null, "auth": null,
    });
    let changed = endpoint.change(&nulls).await;
    assert_eq!(changed["rate_limit_per_second"], Value::Null);
    assert_eq!(changed["timeout_seconds"], 15);
    assert_eq!(changed["retry"]["max_attempts"], 5);
    assert_eq!(changed["auth"], Value::Null);
    assert_eq!(changed["name"], "second");

    // A list or a map is replaced as a whole.
    let headers = json!({ "headers": { "X-C": "3" }, "event_types": ["a"] });
    let changed = endpoint.change(&headers).await;
    assert_eq!(changed["headers"], json!({ "X-C": "***" }));
    assert_eq!(changed["event_types"], headers["event_types"]);
    let nothing = endpoint.change(&json!({})).await;
    assert_eq!(nothing["event_types"], json!(["a"]));
}

#[tokio::test]
async fn what_was_shown_can_be_sent_back_and_changes_nothing() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/success")
        .with("headers", json!({ "X-Api-Key": "the-key", "X-Old": "1" }))
        .create()
        .await;
    let mut headers = endpoint.shown().await["headers"].clone();
    headers["X-New"] = json!("2");
    headers.as_object_mut().unwrap().remove("X-Old");
    endpoint.change(&json!({ "headers": headers })).await;
    tenant.publish("order.created", &json!({})).await;
    let received = &endpoint.receives(1).await[0];
    assert_eq!(received.header("x-api-key"), "the-key");
    assert_eq!(received.header("x-new"), "2");
    assert!(!received.headers.contains_key("x-old"));
}

#[tokio::test]
async fn concurrent_changes_do_not_undo_each_other() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let changes = [
        json!({ "name": "n" }),
        json!({ "description": "d" }),
        json!({ "rate_limit_per_second": 7 }),
        json!({ "timeout_seconds": 9 }),
    ];
    let path = format!("/endpoints/{}", endpoint.id);
    let calls = changes.iter().map(|change| tenant.patch(&path, change));
    for answer in join_all(calls).await {
        answer.expect(200);
    }
    let shown = endpoint.shown().await;
    for change in &changes {
        for (name, value) in change.as_object().unwrap() {
            assert_eq!(shown[name], *value, "{shown:#}");
        }
    }
}

#[tokio::test]
async fn a_disabled_endpoint_shows_it_and_comes_back() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let disabled = endpoint.change(&json!({ "active": false })).await;
    assert_eq!(disabled["state"], "disabled");
    assert_eq!(disabled["disabled_by"], "operator");
    let active = endpoint.change(&json!({ "active": true })).await;
    assert_eq!(
        (&active["state"], &active["disabled_by"]),
        (&json!("active"), &Value::Null)
    );
    let paused = endpoint.change(&json!({ "paused": true })).await;
    assert_eq!(
        (&paused["state"], &paused["active"]),
        (&json!("paused"), &json!(false))
    );
    let active = endpoint.change(&json!({ "paused": false })).await;
    assert_eq!(active["state"], "active");
    let health = endpoint.health().await;
    assert_eq!(health["breaker"]["state"], "closed");
    assert_eq!(health["consecutive_failures"], 0);
}

#[tokio::test]
async fn a_deleted_endpoint_is_gone() {
    let tenant = Tenant::new();
    let kept = tenant.endpoint("/success").create().await;
    let deleted = tenant.endpoint("/success").create().await;
    let path = format!("/endpoints/{}", deleted.id);
    let answer = tenant.delete(&path).await;
    assert_eq!((answer.status, answer.text()), (204, ""));
    tenant.get(&path).await.problem(404);
    tenant.get(&format!("{path}/health")).await.problem(404);
    tenant
        .patch(&path, &json!({ "name": "a" }))
        .await
        .problem(404);
    tenant.delete(&path).await.problem(404);
    let listed = tenant.get("/endpoints").await.expect(200);
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    let event = tenant.publish("order.created", &json!({})).await;
    assert_eq!(event.deliveries[0].endpoint_id, kept.id);
    assert_eq!(event.deliveries.len(), 1);
    tenant.all_delivered(&event).await;
    assert_eq!(deleted.received().await.len(), 0);
}

#[tokio::test]
async fn a_change_reaches_the_next_events_within_seconds() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/success")
        .event_types(&["a"])
        .create()
        .await;
    let event = tenant.publish("a", &json!({})).await;
    assert_eq!(event.deliveries.len(), 1);
    endpoint.change(&json!({ "event_types": ["b"] })).await;
    wait::until("the new event types count", || async {
        let (a, b) = (
            tenant.publish("a", &json!({})).await,
            tenant.publish("b", &json!({})).await,
        );
        match (a.deliveries.len(), b.deliveries.len()) {
            (0, 1) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

#[tokio::test]
async fn endpoints_are_listed_in_pages_newest_first() {
    let tenant = Tenant::new();
    assert_eq!(
        tenant.get("/endpoints").await.expect(200),
        json!({ "data": [], "next": null })
    );
    let mut made = Vec::new();
    for _ in 0..7 {
        made.push(tenant.endpoint("/success").create().await.id);
    }
    made.reverse();
    for limit in [1, 3, 7, 200] {
        let mut seen = Vec::new();
        let mut path = format!("/endpoints?limit={limit}");
        loop {
            let page = tenant.get(&path).await.expect(200);
            let data = page["data"].as_array().unwrap();
            assert!(data.len() <= limit && !data.is_empty());
            seen.extend(data.iter().map(|e| e["id"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => path = format!("/endpoints?limit={limit}&after={next}"),
                None => break,
            }
        }
        let distinct: BTreeSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), 7, "limit {limit}: {seen:?}");
        assert_eq!(seen, made, "limit {limit}");
    }
}

#[tokio::test]
async fn what_is_another_tenants_is_not_there() {
    let (owner, other) = (Tenant::new(), Tenant::new());
    let endpoint = owner.endpoint("/gone").create().await;
    let event = owner.publish("order.created", &json!({})).await;
    let delivery = owner.delivery_is(event.delivery(), "dead").await;
    let id = delivery["id"].as_str().unwrap();
    for path in [
        format!("/endpoints/{}", endpoint.id),
        format!("/endpoints/{}/health", endpoint.id),
        format!("/events/{}", event.id),
        format!("/deliveries/{id}"),
        format!("/dead-letters/{id}"),
    ] {
        other.get(&path).await.problem(404);
        owner.get(&path).await.expect(200);
    }
    let path = format!("/endpoints/{}", endpoint.id);
    other
        .patch(&path, &json!({ "name": "a" }))
        .await
        .problem(404);
    other.delete(&path).await.problem(404);
    let path = format!("/dead-letters/{id}/replay");
    other.post(&path, &json!({})).await.problem(404);
    for list in ["/endpoints", "/dead-letters"] {
        let listed = other.get(list).await.expect(200);
        assert_eq!(listed["data"], json!([]), "{list}");
    }
    let event = other.publish("order.created", &json!({})).await;
    assert_eq!(event.deliveries, []);
    assert_eq!(owner.delivery(id).await, delivery);
    assert_eq!(endpoint.shown().await["disabled_by"], "gone");
}

#[tokio::test]
async fn a_tenant_has_no_more_endpoints_than_the_deployment_allows() {
    let system = System::start_with(&[("MaxEndpoints", "2")], &[]);
    let (tenant, other) = (Tenant::on(&system), Tenant::on(&system));
    let first = tenant.endpoint("/success").create().await;
    tenant.endpoint("/success").create().await;
    let body = json!({ "url": "https://example.com/", "event_types": ["*"] });
    tenant
        .post("/endpoints", &body)
        .await
        .refuses(422, "endpoints");
    other.endpoint("/success").create().await;
    tenant.delete(&format!("/endpoints/{}", first.id)).await;
    tenant.post("/endpoints", &body).await.expect(201);
    // Whoever comes at once with others gets no more either.
    let crowd = Tenant::on(&system);
    let answers = join_all((0..6).map(|_| crowd.post("/endpoints", &body))).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(made, 2);
    for answer in answers.into_iter().filter(|answer| answer.status != 201) {
        answer.refuses(422, "endpoints");
    }
    let list = crowd.get("/endpoints").await.expect(200);
    assert_eq!(list["data"].as_array().unwrap().len(), 2);
}
