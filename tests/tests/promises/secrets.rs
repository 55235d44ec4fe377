//! Secrets at rest: nothing of them is stored or logged in plain, and what is stored opens again.

use hookpost_tests::{System, Tenant, wait};
use serde_json::{Value, json};

const PASSWORD: &str = "correct horse battery staple";
const HEADER: &str = "header-value-of-nobody-else";
const KEY: &str = "whsec_bm9ib2R5IGVsc2UgaGFzIHRoaXMgc2VjcmV0IDE=";

fn encoded(text: &str) -> String {
    use base64::Engine;

    base64::engine::general_purpose::STANDARD.encode(text)
}

/// All items of a table, as they are stored.
async fn items(tenant: &Tenant<'_>, table: &str) -> Vec<Value> {
    let mut input = json!({
        "TableName": tenant.system().table_name(table),
        "ConsistentRead": true,
    });
    let mut items = Vec::new();
    loop {
        let mut page = tenant.dynamodb("Scan", &input).await;
        items.extend(page["Items"].as_array().unwrap().iter().cloned());
        if page["LastEvaluatedKey"].is_null() {
            return items;
        }
        input["ExclusiveStartKey"] = page["LastEvaluatedKey"].take();
    }
}

#[tokio::test]
async fn no_secret_is_stored_or_logged_or_shown_again() {
    let tenant = Tenant::new();
    let with_secrets = |behaviour: &str| {
        tenant
            .endpoint(behaviour)
            .with("secret", json!(KEY))
            .with("headers", json!({ "X-Api-Key": HEADER }))
            .with(
                "auth",
                json!({ "type": "basic", "username": "me", "password": PASSWORD }),
            )
            .with("retry", json!({ "delays": ["0s"] }))
    };
    let good = with_secrets("/success").create().await;
    let bad = with_secrets("/fail").create().await;
    let event = tenant.publish("order.created", &json!({ "n": 1 })).await;
    let [received] = &good.receives(1).await[..] else {
        panic!("one request");
    };
    assert_eq!(received.signature, "verified");
    assert_eq!(received.header("x-api-key"), HEADER);
    let basic = format!("Basic {}", encoded(&format!("me:{PASSWORD}")));
    assert_eq!(received.header("authorization"), basic);
    tenant
        .delivery_is(&bad.delivery_of(&event.id), "dead")
        .await;
    good.change(&json!({ "headers": { "X-Api-Key": HEADER, "X-Other": "1" } }))
        .await;

    let raw = KEY.trim_start_matches("whsec_");
    let decoded = "nobody else has this secret 1";
    let plain = [raw, decoded, PASSWORD, HEADER];
    let look_for = |text: &str, place: &str| {
        for secret in plain {
            assert!(!text.contains(secret), "{secret} is in {place}");
            assert!(!text.contains(&encoded(secret)), "{secret} is in {place}");
        }
    };
    for table in ["EndpointsTable", "SettingsTable", "KeysTable"] {
        for item in items(&tenant, table).await {
            look_for(&item.to_string(), table);
        }
    }
    let log = std::fs::read_to_string(tenant.system().log()).unwrap();
    look_for(&log, "the log");
    let shown = good.shown().await;
    assert_eq!(shown["auth"]["username"], "me");
    assert_eq!(shown["headers"]["X-Api-Key"], "***");
    look_for(&shown.to_string(), "the endpoint");
    let list = tenant.get("/endpoints").await.expect(200);
    look_for(&list.to_string(), "the list");
}

#[tokio::test]
async fn kms_is_asked_by_few_and_seldom_and_while_it_refuses_nothing_is_lost_or_sent_unsigned() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("secrets-{}", std::process::id()));
    let data = folder.to_str().unwrap();
    let first = System::start_with(&[], &["--data", data]);
    let tenant = Tenant::on(&first);
    let endpoint = tenant.endpoint("/success").create().await;
    for n in 1..=20 {
        tenant.publish("order.created", &json!({ "n": n })).await;
    }
    for received in endpoint.receives(20).await {
        assert_eq!(received.signature, "verified");
    }
    tenant.sweep().await;
    let stats = tenant.stats().await;
    let mut asked = Vec::new();
    for row in stats["kms"].as_array().unwrap() {
        let caller = row["caller"].as_str().unwrap();
        let calls = row["calls"].as_u64().unwrap();
        let processes = stats["functions"][caller]["spawns"].as_u64().unwrap();
        assert!(calls <= processes, "{row:#} by {processes} processes");
        asked.push((caller, row["operation"].as_str().unwrap()));
    }
    let expected = [
        ("AdminFunction", "GenerateDataKey"),
        ("DeliveryFunction", "Decrypt"),
    ];
    assert_eq!(asked, expected);
    let (id, path, secret) = (
        tenant.id.clone(),
        endpoint.path.clone(),
        endpoint.secret.clone(),
    );
    // The endpoint goes on where it went.
    let receiver = first.url("receiver").to_owned();
    drop(first);

    let second = System::start_again(&[], data, &receiver);
    let mut tenant = Tenant::on(&second);
    tenant.id = id;
    let key = second.key_arn("SecretsKey");
    tenant.kms("DisableKey", &json!({ "KeyId": key })).await;
    tenant.tell_secret(&path, &secret).await;
    let _event = tenant.publish("order.created", &json!({ "n": 21 })).await;
    wait::until("it is told why nothing is delivered", || async {
        let log = std::fs::read_to_string(second.log()).unwrap();
        if log.contains("DisabledException") {
            Ok(())
        } else {
            Err("not yet".to_owned())
        }
    })
    .await;
    assert!(tenant.received_at(&path).await.is_empty());
    tenant.kms("EnableKey", &json!({ "KeyId": key })).await;
    wait::until("it is delivered", || async {
        match tenant.received_at(&path).await.as_slice() {
            [one] if one.signature == "verified" => Ok(()),
            others => Err(format!("{others:#?}")),
        }
    })
    .await;
    drop(second);
    std::fs::remove_dir_all(folder).unwrap();
}
