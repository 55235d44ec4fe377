//! API keys: made, shown once, listed, bound, and ended.

use hookpost_tests::{Call, Tenant, wait};
use serde_json::{Value, json};

use super::{holder, make_key, owner, system, time_in};

#[tokio::test]
async fn a_key_is_shown_once_and_known_again_by_its_ends() {
    let owner = owner();
    let more = json!({
        "networks": ["127.0.0.0/8", "2001:db8::/32"], "requests_per_second": 50,
        "expires_at": "2099-01-01T00:00:00Z",
    });
    let (key, made) = make_key(&owner, &["read", "publish"], &more).await;
    let id = made["id"].as_str().unwrap();
    assert!(key.starts_with(&format!("{id}_")), "{made:#}");
    assert!(key.ends_with(made["last4"].as_str().unwrap()));
    assert_eq!(made["tenant"], owner.id);
    assert_eq!(made["scopes"], json!(["publish", "read"]));
    assert_eq!(made["status"], "active");
    assert_eq!(made["created_by"], "deploy-key");
    let mut shown = made.clone();
    shown.as_object_mut().unwrap().remove("key");
    assert_eq!(
        owner.get(&format!("/api-keys/{id}")).await.expect(200),
        shown
    );
    let listed = owner.get("/api-keys").await.expect(200);
    assert_eq!(listed["data"], json!([shown]));
    // Neither the key nor its secret part is kept anywhere.
    let secret = key.rsplit('_').next().unwrap();
    for table in ["KeysTable", "SettingsTable"] {
        let kept = owner.items_in(table).await;
        assert!(kept.contains(id), "{table} does not hold {id}");
        assert!(!kept.contains(secret), "{table} holds a secret");
    }
    let caller = Tenant::on(system()).called(&owner.id).with_key(&key);
    caller.get("/endpoints").await.expect(200);
    caller.get("/api-keys").await.problem(403);
}

#[tokio::test]
async fn keys_are_listed_newest_first_in_pages_and_by_prefix() {
    let owner = owner();
    let mut ids = Vec::new();
    for _ in 0..5 {
        let (_, made) = make_key(&owner, &["read"], &json!({})).await;
        ids.insert(0, made["id"].as_str().unwrap().to_owned());
        wait::for_the_next_millisecond();
    }
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = owner
            .get(&format!("/api-keys?limit=2{after}"))
            .await
            .expect(200);
        let data = page["data"].as_array().unwrap();
        seen.extend(
            data.iter()
                .map(|key| key["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        after = format!("&after={next}");
    }
    assert_eq!(seen, ids);
    let one = owner
        .get(&format!("/api-keys?prefix={}", ids[2]))
        .await
        .expect(200);
    assert_eq!(one["data"].as_array().unwrap().len(), 1);
    assert_eq!(one["data"][0]["id"], ids[2]);
    owner
        .get("/api-keys?after=nonsense")
        .await
        .refuses(422, "after");
    owner.get("/api-keys?limit=0").await.refuses(422, "limit");
}

#[tokio::test]
async fn a_revoked_key_opens_nothing_and_stays_listed() {
    let owner = owner();
    let (unused, made) = make_key(&owner, &["read"], &json!({})).await;
    let (used, also_made) = make_key(&owner, &["read"], &json!({})).await;
    let with = |key: &str| Tenant::on(system()).called(&owner.id).with_key(key);
    let used = with(&used);
    used.get("/endpoints").await.expect(200);
    for key in [&made, &also_made] {
        let path = format!("/api-keys/{}", key["id"].as_str().unwrap());
        for _ in 0..2 {
            owner.delete(&path).await.expect(204);
        }
        let shown = owner.get(&path).await.expect(200);
        assert_eq!(shown["status"], "revoked");
        assert!(shown["revoked_at"].is_string());
    }
    with(&unused).get("/endpoints").await.problem(401);
    // One that a function knows works for a few seconds more.
    wait::until("a revoked key to be refused", || async {
        match used.get("/endpoints").await.status {
            401 => Ok(()),
            status => Err(status.to_string()),
        }
    })
    .await;
    let listed = owner.get("/api-keys").await.expect(200);
    assert_eq!(listed["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_key_that_expires_opens_nothing_after_that() {
    let owner = owner();
    let soon = time_in(std::time::Duration::from_millis(1500));
    let (key, made) = make_key(&owner, &["read"], &json!({ "expires_at": soon })).await;
    let caller = Tenant::on(system()).called(&owner.id).with_key(&key);
    caller.get("/endpoints").await.expect(200);
    wait::until("an expired key to be refused", || async {
        match caller.get("/endpoints").await.status {
            401 => Ok(()),
            status => Err(status.to_string()),
        }
    })
    .await;
    let shown = owner
        .get(&format!("/api-keys/{}", made["id"].as_str().unwrap()))
        .await;
    assert_eq!(shown.expect(200)["status"], "expired");
}

#[tokio::test]
async fn a_key_that_cannot_be_is_refused_with_the_field() {
    let owner = owner();
    let with = |field: &str, value: Value| {
        let mut body = json!({ "scopes": ["read"] });
        body[field] = value;
        body
    };
    for (body, field) in [
        (json!({}), "scopes"),
        (with("scopes", json!([])), "scopes"),
        (with("scopes", json!(["root"])), "scopes[0]"),
        (with("networks", json!(["10.0.0.0/33"])), "networks[0]"),
        (with("networks", json!(vec!["::1"; 101])), "networks"),
        (with("requests_per_second", json!(0)), "requests_per_second"),
        (
            with("requests_per_second", json!(10_001)),
            "requests_per_second",
        ),
        (
            with("expires_at", json!("2020-01-01T00:00:00Z")),
            "expires_at",
        ),
        (with("expires_at", json!("tomorrow")), "expires_at"),
        (with("name", json!("x".repeat(101))), "name"),
        (with("tenant", json!("a#b")), "tenant"),
        (with("secret", json!("x")), "secret"),
        (
            json!({ "scopes": ["read"], "all_tenants": true, "tenant": "x" }),
            "tenant",
        ),
    ] {
        owner.post("/api-keys", &body).await.refuses(422, field);
    }
    for id in ["x", "hk_0123456789ab", "hk_"] {
        owner.get(&format!("/api-keys/{id}")).await.problem(404);
        owner.delete(&format!("/api-keys/{id}")).await.problem(404);
    }
}

#[tokio::test]
async fn a_key_of_one_tenant_makes_keys_for_that_tenant_only() {
    let (owner, other) = (owner(), owner());
    let admin = holder(&owner, &["admin"]).await;
    let (_, made) = make_key(&admin, &["publish"], &json!({})).await;
    assert_eq!(made["tenant"], owner.id);
    assert!(made["created_by"].as_str().unwrap().starts_with("key:hk_"));
    for body in [
        json!({ "scopes": ["read"], "tenant": other.id }),
        json!({ "scopes": ["read"], "all_tenants": true }),
    ] {
        admin.post("/api-keys", &body).await.problem(403);
    }
    admin.get("/api-keys?all_tenants=true").await.problem(403);
    let (_, foreign) = make_key(&other, &["read"], &json!({})).await;
    let foreign = format!("/api-keys/{}", foreign["id"].as_str().unwrap());
    admin.get(&foreign).await.problem(404);
    admin.delete(&foreign).await.problem(404);
    other.get(&foreign).await.expect(200);
}

#[tokio::test]
async fn a_key_for_all_tenants_speaks_for_the_one_that_is_named() {
    let owner = owner();
    let body = json!({ "scopes": ["publish", "read"], "all_tenants": true });
    let made = owner.post("/api-keys", &body).await.expect(201);
    assert_eq!(made["tenant"], Value::Null);
    let key = made["key"].as_str().unwrap();
    let caller = Tenant::on(system()).with_key(key);
    let event = caller.publish("order.created", &json!({})).await;
    let path = format!("/events/{}", event.id);
    assert_eq!(caller.get(&path).await.expect(200)["tenant"], caller.id);
    let named = json!({ "event_type": "a", "payload": {}, "tenant": owner.id });
    let accepted = caller.post("/events", &named).await.expect(202);
    assert_eq!(accepted["tenant"], owner.id);
    let call = Call::new("GET", "/api/v1/endpoints").header("x-api-key", key);
    caller
        .client()
        .call(system().url("api"), call)
        .await
        .expect(200);
    let path = format!("/api-keys/{}", made["id"].as_str().unwrap());
    let listed = owner
        .get("/api-keys?all_tenants=true&limit=200")
        .await
        .expect(200);
    let listed = listed["data"].as_array().unwrap();
    assert!(listed.iter().any(|key| key["id"] == made["id"]));
    owner.delete(&path).await.expect(204);
}

#[tokio::test]
async fn in_graphql_keys_and_the_audit_log_are_for_admins_too() {
    let owner = owner();
    let (key, made) = make_key(&owner, &["manage", "read"], &json!({})).await;
    let ask = "{ apiKeys { data { id } } auditLog { data { actor } } }";
    let ask = Call::new("POST", "/graphql").json(&json!({ "query": ask }));
    let manager = Tenant::on(system()).called(&owner.id).with_key(&key);
    for asked in [
        ask.clone(),
        Call::new("POST", "/graphql").json(&json!({ "query":
            "mutation { createApiKey(input: { name: \"more\", scopes: [\"admin\"] }) { key } }" })),
    ] {
        let answer = manager.call(asked).await.expect(200);
        let errors = answer["errors"].as_array().unwrap();
        assert!(
            errors
                .iter()
                .all(|error| error["extensions"]["status"] == 403),
            "{answer:#}"
        );
    }
    let answer = owner.call(ask).await.expect(200);
    assert_eq!(answer["data"]["apiKeys"]["data"][0]["id"], made["id"]);
    let actor = answer["data"]["auditLog"]["data"][0]["actor"].as_str();
    assert!(actor.unwrap().ends_with(made["id"].as_str().unwrap()));
}
