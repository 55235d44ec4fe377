//! A tenant tells of its event types; they are shown, to receivers too, and what is said of them
//! holds for its events: when failed deliveries are tried again, and in strict mode which events
//! are taken at all.

use std::time::Duration;

use hookpost_tests::{Answer, Call, Problem, Tenant};
use serde_json::{Value, json};

async fn put(tenant: &Tenant<'_>, path: &str, body: &Value) -> Answer {
    let call = Call::new("PUT", format!("/api/v1{path}")).json(body);
    tenant.call(call).await
}

/// Every instance has asked for the rules again: each does once a second.
async fn noticed() {
    tokio::time::sleep(Duration::from_millis(1100)).await;
}

fn order_created() -> Value {
    json!({
        "description": "An order was placed.",
        "group": "Orders",
        "schema": {
            "type": "object",
            "required": ["order_id", "amount"],
            "properties": {
                "order_id": { "type": "string", "minLength": 1 },
                "amount": { "type": "number", "exclusiveMinimum": 0, "multipleOf": 0.01 },
                "lines": { "type": "array", "items": { "$ref": "#/$defs/line" } },
            },
            "$defs": { "line": {
                "type": "object", "required": ["sku"], "properties": { "sku": { "type": "string" } },
            } },
        },
        "example": { "order_id": "ORD-001", "amount": 42.00 },
    })
}

#[tokio::test]
async fn event_types_are_told_of_shown_changed_and_forgotten() {
    let tenant = Tenant::new();
    let made = put(&tenant, "/event-types/order.created", &order_created())
        .await
        .expect(201);
    assert_eq!(made["schema"], order_created()["schema"]);
    assert_eq!(made["retry"], Value::Null);
    let again = tenant
        .post("/event-types", &json!({ "name": "order.created" }))
        .await;
    again.refuses(409, "name");
    let slashed = tenant
        .post(
            "/event-types",
            &json!({ "name": "com.example/user:created" }),
        )
        .await;
    slashed.expect(201);
    let shown = tenant.get("/event-types/order.created").await.expect(200);
    assert_eq!(shown, made);
    for path in ["com.example/user:created", "com.example%2Fuser%3Acreated"] {
        tenant
            .get(&format!("/event-types/{path}"))
            .await
            .expect(200);
    }

    let changed = put(
        &tenant,
        "/event-types/order.created",
        &json!({ "deprecated": true }),
    )
    .await
    .expect(200);
    assert_eq!(changed["created_at"], made["created_at"]);
    assert_eq!(
        changed["schema"],
        Value::Null,
        "what is put is all there is"
    );
    let names = |page: &Value| -> Vec<String> {
        let names = page["data"].as_array().unwrap().iter();
        names
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = tenant.get("/event-types?limit=1").await.expect(200);
    assert_eq!(names(&first), ["com.example/user:created"]);
    let next = first["next"].as_str().unwrap();
    let second = tenant
        .get(&format!("/event-types?limit=1&after={next}"))
        .await;
    let second = second.expect(200);
    assert_eq!(names(&second), ["order.created"]);
    assert_eq!(second["next"], Value::Null);

    tenant
        .delete("/event-types/order.created")
        .await
        .expect(204);
    tenant
        .delete("/event-types/order.created")
        .await
        .problem(404);
    tenant.get("/event-types/order.created").await.problem(404);
    let other = Tenant::new();
    other
        .get("/event-types/com.example/user:created")
        .await
        .problem(404);
}

#[tokio::test]
async fn an_event_type_that_cannot_be_is_refused_by_its_field() {
    let tenant = Tenant::new();
    for (body, field) in [
        (json!({}), "name"),
        (json!({ "name": "a b" }), "name"),
        (
            json!({ "name": "a", "schema": { "pattern": "^x" } }),
            "schema.pattern",
        ),
        (
            json!({ "name": "a", "schema": { "requierd": [] } }),
            "schema.requierd",
        ),
        (
            json!({ "name": "a", "schema": { "type": "number" }, "example": "x" }),
            "example",
        ),
        (json!({ "name": "a", "retry": "often" }), "retry.preset"),
        (json!({ "name": "a", "colour": "red" }), "colour"),
    ] {
        tenant.post("/event-types", &body).await.refuses(422, field);
    }
    put(&tenant, "/event-types/a", &json!({ "name": "b" }))
        .await
        .refuses(422, "name");
    let policy = json!({ "events": ["order*"], "retry": "quick" });
    put(&tenant, "/retry-policies/p", &policy)
        .await
        .refuses(422, "events[0]");
    tenant
        .get("/event-types?after=x")
        .await
        .refuses(422, "after");
}

/// Seed 001's predefined event types, and its `config/retry.yaml`.
#[tokio::test]
async fn a_whole_catalogue_is_imported_or_nothing_of_it() {
    let tenant = Tenant::new();
    let predefined = [
        "user.created",
        "user.updated",
        "user.deleted",
        "order.created",
        "order.updated",
        "order.cancelled",
        "payment.success",
        "payment.failed",
    ];
    let mut import = json!({
        "event_types": predefined.map(|name| json!({ "name": name })),
        "event_retry_policies": { "critical": {
            "events": ["payment.success", "payment.failed"],
            "retry_policy": { "initial_delay": 0.5, "max_delay": 600.0, "max_attempts": 8 },
        } },
    });
    let bad = {
        let mut bad = import.clone();
        bad["event_types"][3]["schema"] = json!({ "type": "text" });
        bad
    };
    let refused = tenant.patch("/event-types", &bad).await;
    refused.refuses(422, "event_types[3].schema.type");
    let none = tenant.get("/event-types").await.expect(200);
    assert_eq!(none["data"], json!([]));
    let done = tenant.patch("/event-types", &import).await.expect(200);
    assert_eq!(
        done,
        json!({ "created": 8, "changed": 0, "retry_policies": 1 })
    );
    import["event_types"][0] = json!({ "name": "user.renamed" });
    let done = tenant.patch("/event-types", &import).await.expect(200);
    assert_eq!(
        done,
        json!({ "created": 1, "changed": 7, "retry_policies": 1 })
    );
    let all = tenant.get("/event-types?limit=200").await.expect(200);
    assert_eq!(all["data"].as_array().unwrap().len(), 9);
    let policy = tenant.get("/retry-policies/critical").await.expect(200);
    assert_eq!(policy["retry"]["max_attempts"], 8);
    tenant.delete("/retry-policies/critical").await.expect(204);
    tenant.get("/retry-policies/critical").await.problem(404);
}

#[tokio::test]
async fn changes_at_once_do_not_undo_each_other() {
    let tenant = Tenant::new();
    let path = |nth: u32| format!("/event-types/type.{nth}");
    let paths: Vec<String> = (0..4).map(path).collect();
    let body = json!({});
    let (a, b, c, d) = tokio::join!(
        put(&tenant, &paths[0], &body),
        put(&tenant, &paths[1], &body),
        put(&tenant, &paths[2], &body),
        put(&tenant, &paths[3], &body),
    );
    for answer in [a, b, c, d] {
        answer.expect(201);
    }
    let all = tenant.get("/event-types").await.expect(200);
    assert_eq!(all["data"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_failed_delivery_is_tried_again_as_endpoint_type_pattern_or_deployment_say() {
    let tenant = Tenant::new();
    let policy = |attempts: usize| json!({ "delays": vec!["0s"; attempts] });
    let body = json!({ "events": ["order.*"], "retry": policy(3) });
    put(&tenant, "/retry-policies/orders", &body)
        .await
        .expect(201);
    let body = json!({ "retry": policy(2) });
    put(&tenant, "/event-types/order.paid", &body)
        .await
        .expect(201);
    let plain = tenant.endpoint("/fail").create().await;
    let own = tenant
        .endpoint("/fail")
        .with("retry", policy(1))
        .create()
        .await;
    for (event_type, attempts) in [("order.paid", 2), ("order.created", 3)] {
        let event = tenant.publish(event_type, &json!({})).await;
        for (endpoint, attempts) in [(&plain, attempts), (&own, 1)] {
            let id = endpoint.delivery_of(&event.id);
            let delivery = tenant.delivery_is(&id, "dead").await;
            assert_eq!(
                delivery["attempts"], attempts,
                "{event_type} {}",
                endpoint.id
            );
        }
    }
}

#[tokio::test]
async fn the_catalogue_page_tells_receivers_what_comes() {
    let tenant = Tenant::new();
    put(&tenant, "/event-types/order.created", &order_created())
        .await
        .expect(201);
    let page = tenant.get("/catalogue").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(
        page.header("content-security-policy")
            .starts_with("default-src 'none'")
    );
    for told in [
        "order.created",
        "An order was placed.",
        "Orders",
        "ORD-001",
        "amount",
    ] {
        assert!(page.text().contains(told), "{told}: {}", page.text());
    }
    assert!(!page.text().contains("<script"));

    // Without a key it is there only once the tenant has said so.
    let path = format!("/catalogue/{}", tenant.id);
    let public = || {
        tenant
            .client()
            .call(tenant.system().url("api"), Call::new("GET", &path))
    };
    public().await.problem(404);
    let settings = tenant
        .patch("/settings", &json!({ "public_catalogue": true }))
        .await;
    assert_eq!(settings.expect(200)["strict_event_types"], false);
    let open = public().await;
    assert_eq!((open.status, open.text()), (200, page.text()));
    tenant
        .patch("/settings", &json!({ "public_catalogue": false }))
        .await
        .expect(200);
    public().await.problem(404);
}

#[tokio::test]
async fn in_strict_mode_only_what_is_told_of_and_fits_is_taken() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    put(&tenant, "/event-types/order.created", &order_created())
        .await
        .expect(201);
    put(&tenant, "/event-types/order.deleted", &json!({}))
        .await
        .expect(201);
    let good = json!({ "order_id": "1", "amount": 10.5, "lines": [{ "sku": "a" }] });
    let event =
        |event_type: &str, payload: &Value| json!({ "event_type": event_type, "payload": payload });
    let bad = json!({ "amount": 0.005, "lines": [{ "sku": "a" }, { "sku": 1 }] });
    tenant.publish("order.created", &bad).await;
    tenant.publish("unknown", &bad).await;

    let on = tenant
        .patch("/settings", &json!({ "strict_event_types": true }))
        .await;
    assert_eq!(on.expect(200)["strict_event_types"], true);
    noticed().await;
    let unknown = tenant.post("/events", &event("unknown", &bad)).await;
    unknown.refuses(422, "event_type");
    let refused = tenant.post("/events", &event("order.created", &bad)).await;
    let problem = refused.refuses(422, "data.lines[1].sku");
    assert!(
        problem.fields.contains(&"data.order_id".to_owned()),
        "{problem:?}"
    );
    assert!(
        problem.fields.contains(&"data.amount".to_owned()),
        "{problem:?}"
    );
    tenant.publish("order.created", &good).await;
    tenant.publish("order.deleted", &json!([1])).await;
    let batch = json!({ "events": [
        event("order.created", &good), event("order.created", &bad), event("unknown", &good),
    ] });
    let answer = tenant.post("/events/batch", &batch).await.expect(202);
    let status = |nth: usize| answer["results"][nth]["status"].clone();
    assert_eq!([status(0), status(1), status(2)], [202, 422, 422]);
    let problem = Problem::check(&answer["results"][1]["problem"], 422);
    assert!(
        problem.fields.contains(&"events[1].data.amount".to_owned()),
        "{problem:?}"
    );

    // What was refused under a key has not used it up, and what was accepted stays accepted.
    let keyed = |payload: &Value| {
        let body = event("order.created", payload).to_string();
        tenant.call(
            Call::new("POST", "/api/v1/events")
                .header("idempotency-key", "k")
                .body(body),
        )
    };
    keyed(&bad).await.problem(422);
    let accepted = keyed(&good).await.expect(202);
    tenant
        .delete("/event-types/order.created")
        .await
        .expect(204);
    noticed().await;
    tenant
        .post("/events", &event("order.created", &good))
        .await
        .refuses(422, "event_type");
    let repeated = keyed(&good).await.expect(202);
    assert_eq!(
        (&repeated["id"], &repeated["duplicate"]),
        (&accepted["id"], &json!(true))
    );
    // Tests of an endpoint are no events of the tenant's.
    tenant
        .post(&format!("/endpoints/{}/test", endpoint.id), &json!({}))
        .await
        .expect(202);
}
