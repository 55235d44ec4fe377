//! Every path has its methods and its names, and a call that leads nowhere says so.

use std::collections::BTreeSet;

use hookpost_tests::{Call, Tenant};
use serde_json::json;

#[tokio::test]
async fn an_unknown_path_is_not_found() {
    let tenant = Tenant::new();
    for path in [
        "/api",
        "/api/v1",
        "/api/v2/events",
        "/api/v1/unicorns",
        "/favicon.ico",
    ] {
        tenant.call(Call::new("GET", path)).await.problem(404);
    }
    for path in ["/api/v1/unicorns", "/api/v1/endpoints/x/unicorns"] {
        tenant.call(Call::new("POST", path)).await.problem(404);
    }
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_told_with_those_it_has() {
    let tenant = Tenant::new();
    let mut wrong = Vec::new();
    for (method, path, allowed) in [
        ("DELETE", "/endpoints", &["GET", "POST"][..]),
        ("POST", "/endpoints/ep_1", &["GET", "PATCH", "DELETE"]),
        ("POST", "/endpoints/ep_1/health", &["GET"]),
        ("PUT", "/events", &["POST"]),
        ("DELETE", "/events", &["POST"]),
        ("PUT", "/events/batch", &["POST"]),
        (
            "PUT",
            "/events/01a1fdfa-4600-75b8-9b11-545f20f923f3",
            &["GET", "DELETE"],
        ),
        ("PUT", "/deliveries/x", &["GET", "DELETE"]),
        ("GET", "/deliveries/x/retry", &["POST"]),
        ("PUT", "/jobs", &["GET", "POST"]),
        ("POST", "/dead-letters", &["GET"]),
        ("PUT", "/dead-letters/x", &["GET"]),
        ("GET", "/dead-letters/x/replay", &["POST"]),
        ("DELETE", "/replays", &["POST"]),
        ("DELETE", "/replays/x", &["GET"]),
        ("POST", "/health", &["GET"]),
    ] {
        let call = Call::new(method, format!("/api/v1{path}"));
        let answer = tenant.call(call).await;
        let allow: BTreeSet<_> = answer.header("allow").split(", ").collect();
        let wanted: BTreeSet<_> = allowed.iter().copied().collect();
        if answer.status != 405 || !allow.is_superset(&wanted) || allow.contains(method) {
            wrong.push(format!("{method} {path}: {} {allow:?}", answer.status));
        } else {
            answer.problem(405);
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[tokio::test]
async fn health_answers() {
    let tenant = Tenant::new();
    for path in ["/health", "/api/v1/health"] {
        let health = tenant.call(Call::new("GET", path)).await.expect(200);
        assert_eq!(health["status"], "ok");
        assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    }
}

#[tokio::test]
async fn the_names_that_others_have_for_endpoints_work() {
    let tenant = Tenant::new();
    let body = json!({
        "url": "https://example.com/webhook",
        "secret": "your-secret-key",
        "events": ["user.created", "order.updated"],
        "max_retries": 5,
        "timeout": 30,
    });
    let created = tenant.post("/webhooks", &body).await.expect(201);
    assert_eq!(created["event_types"], body["events"]);
    assert_eq!(created["retry"]["max_attempts"], 5);
    assert_eq!(created["timeout_seconds"], 30);
    let id = created["id"].as_str().unwrap();
    for path in ["webhooks", "subscribers", "endpoints"] {
        tenant.get(&format!("/{path}/{id}")).await.expect(200);
    }
    let body = json!({
        "name": "My App", "endpoint_url": "https://example.com/x", "event_types": ["order.created"],
    });
    let created = tenant.post("/subscribers", &body).await.expect(201);
    assert_eq!(created["url"], "https://example.com/x");
    tenant.get("/dlq").await.expect(200);
}
