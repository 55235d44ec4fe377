//! Where keys are required, nothing is done without one.

use hookpost_tests::{Call, System, Tenant};
use serde_json::json;

use super::{KEY, sha256};

#[tokio::test]
async fn every_call_needs_the_key() {
    let hash = sha256(KEY);
    let system = System::start_with(&[("Auth", "required"), ("AdminKeySha256", &hash)], &[]);
    let stranger = Tenant::on(&system);
    let event = json!({ "event_type": "order.created", "payload": {} });
    let calls = [
        Call::new("POST", "/api/v1/events").json(&event),
        Call::new("POST", "/api/v1/events").body("{"),
        Call::new("POST", "/api/v1/events/batch").json(&json!({ "events": [event] })),
        Call::new("GET", "/api/v1/events/x"),
        Call::new("GET", "/api/v1/endpoints"),
        Call::new("POST", "/api/v1/endpoints").json(&json!({})),
        Call::new("GET", "/api/v1/endpoints/x"),
        Call::new("PATCH", "/api/v1/endpoints/x").json(&json!({})),
        Call::new("DELETE", "/api/v1/endpoints/x"),
        Call::new("GET", "/api/v1/endpoints/x/health"),
        Call::new("GET", "/api/v1/webhooks"),
        Call::new("GET", "/api/v1/deliveries/x"),
        Call::new("GET", "/api/v1/dead-letters"),
        Call::new("GET", "/api/v1/dead-letters/x"),
        Call::new("POST", "/api/v1/dead-letters/x/replay"),
        Call::new("POST", "/api/v1/replays").json(&json!({ "filter": { "all": true } })),
        Call::new("GET", "/api/v1/replays/x"),
        Call::new("GET", "/api/v1/unicorns"),
    ];
    let hash_as_key = format!("Bearer {hash}");
    let near = format!("Bearer {KEY}x");
    let wrong = [
        None,
        Some(("authorization", "Bearer wrong")),
        Some(("authorization", "Bearer")),
        Some(("authorization", "Bearer ")),
        Some(("authorization", near.as_str())),
        Some(("authorization", hash_as_key.as_str())),
        Some(("authorization", "Basic YW4tYWRtaW4ta2V5LWZvci10ZXN0cw==")),
        Some(("x-api-key", "")),
        Some(("x-api-key", "wrong")),
    ];
    for call in calls {
        for header in wrong {
            let mut call = call.clone();
            if let Some((name, value)) = header {
                call = call.header(name, value);
            }
            let answer = stranger.call(call).await;
            answer.problem(401);
            assert_eq!(answer.header("www-authenticate"), "Bearer", "{header:?}");
        }
    }
    // Whether it is up, anybody may ask.
    for path in ["/health", "/api/v1/health"] {
        stranger.call(Call::new("GET", path)).await.expect(200);
    }
    for table in ["EndpointsTable", "EventsTable", "KeysTable"] {
        assert_eq!(stranger.keys_in(table).await, Vec::<String>::new());
    }
    // Many were refused, and few are noted: the log is no way to fill a table.
    let settings = stranger.items_in("SettingsTable").await;
    let noted = settings.matches("audit#*#").count();
    assert!((1..=200).contains(&noted), "{noted}");
    assert!(!settings.contains(&stranger.id));

    let owner = Tenant::on(&system).with_key(KEY);
    let endpoint = owner.endpoint("/success").create().await;
    let event = owner.publish("order.created", &json!({})).await;
    owner.all_delivered(&event).await;
    assert_eq!(endpoint.receives(1).await[0].signature, "verified");
    for (name, value) in [
        ("x-api-key", KEY.to_owned()),
        ("authorization", format!("bearer {KEY}")),
        ("authorization", format!("BEARER  {KEY}")),
    ] {
        let call = Call::new("GET", "/api/v1/endpoints").header(name, value);
        stranger.call(call).await.expect(200);
    }
}

/// Reads the key as the deployer does.
async fn key_of_the_deployment(tenant: &Tenant<'_>) -> String {
    let secret = tenant.system().secret_arn("AdminKey");
    let wanted = json!({ "SecretId": secret });
    let answer = tenant
        .aws("secretsmanager", "secretsmanager.GetSecretValue", &wanted)
        .await;
    answer["SecretString"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_key_that_was_made_at_deploy_opens_and_nothing_else_does() {
    let system = System::start_with(&[("Auth", "required")], &[]);
    let tenant = Tenant::on(&system);
    let key = key_of_the_deployment(&tenant).await;
    assert_eq!(key.len(), 48);
    for (name, value) in [
        ("x-api-key", String::new()),
        ("x-api-key", KEY.to_owned()),
        ("authorization", format!("Bearer {}", sha256(""))),
        ("authorization", format!("Bearer {}", sha256(&key))),
        ("authorization", format!("Bearer {key}x")),
    ] {
        let call = Call::new("GET", "/api/v1/endpoints").header(name, value);
        tenant.call(call).await.problem(401);
    }
    let owner = Tenant::on(&system).with_key(&key);
    owner.get("/endpoints").await.expect(200);
    owner.publish("order.created", &json!({})).await;
    let order = json!({ "filter": { "all": true }, "dry_run": true });
    owner.post("/replays", &order).await.expect(202);
}
