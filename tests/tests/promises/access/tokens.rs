//! Tokens: for a page that a tenant's own people see.

use hookpost_tests::Tenant;
use serde_json::json;

use super::{holder, owner, system};

#[tokio::test]
async fn a_token_reads_its_tenant_and_nothing_else() {
    let (owner, other) = (owner(), owner());
    let manager = holder(&owner, &["manage", "publish"]).await;
    let event = manager.publish("order.created", &json!({})).await;
    let made = manager.post("/tokens", &json!({})).await.expect(201);
    assert_eq!(made["tenant"], owner.id);
    assert_eq!(made["scopes"], json!(["read"]));
    let token = made["token"].as_str().unwrap();
    let page = Tenant::on(system()).called(&owner.id).with_key(token);
    page.get(&format!("/events/{}", event.id)).await.expect(200);
    page.get("/endpoints").await.expect(200);
    let body = json!({ "event_type": "a", "payload": {} });
    page.post("/events", &body).await.problem(403);
    page.post("/endpoints", &json!({ "url": "https://example.com" }))
        .await
        .problem(403);
    page.post("/tokens", &json!({})).await.problem(403);
    page.get("/audit").await.problem(403);
    page.get("/api-keys").await.problem(403);
    let stranger = Tenant::on(system()).called(&other.id).with_key(token);
    stranger.get("/endpoints").await.problem(403);
}

#[tokio::test]
async fn a_token_that_was_changed_is_none() {
    let owner = owner();
    let made = owner.post("/tokens", &json!({})).await.expect(201);
    let token = made["token"].as_str().unwrap();
    let (body, signature) = token.split_once('.').unwrap();
    for changed in [
        format!("{body}."),
        body.to_owned(),
        format!("{body}.{}", signature.chars().rev().collect::<String>()),
        format!("{}A.{signature}", &body[..body.len() - 1]),
        format!("{token}x"),
        "ht_.".to_owned(),
    ] {
        let caller = Tenant::on(system()).called(&owner.id).with_key(&changed);
        caller.get("/endpoints").await.problem(401);
    }
}

#[tokio::test]
async fn a_token_that_cannot_be_is_refused_with_the_field() {
    let (owner, other) = (owner(), owner());
    for (body, field) in [
        (json!({ "expires_in_seconds": 59 }), "expires_in_seconds"),
        (
            json!({ "expires_in_seconds": 86_401 }),
            "expires_in_seconds",
        ),
        (json!({ "scopes": ["manage"] }), "scopes"),
        (json!({ "scopes": ["read", "admin"] }), "scopes"),
        (json!({ "scopes": [] }), "scopes"),
        (json!({ "tenant": "a b" }), "tenant"),
    ] {
        owner.post("/tokens", &body).await.refuses(422, field);
    }
    let manager = holder(&owner, &["manage"]).await;
    let body = json!({ "tenant": other.id });
    manager.post("/tokens", &body).await.problem(403);
    let body = json!({ "expires_in_seconds": 60, "scopes": ["read"] });
    manager.post("/tokens", &body).await.expect(201);
}
