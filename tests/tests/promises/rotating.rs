//! Another secret in the place of the one that signs, and signatures that anybody can check.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookpost_tests::{Received, Tenant};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Value, json};
use standardwebhooks::Webhook;

fn headers(received: &Received) -> http::HeaderMap {
    let mut headers = http::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, received.header(name).parse().unwrap());
    }
    headers
}

fn stock_library_accepts(received: &Received, secret: &str) -> bool {
    let webhook = Webhook::new(secret).unwrap();
    webhook
        .verify(received.body.as_bytes(), &headers(received))
        .is_ok()
}

/// Whether one of its `v1a` signatures is of this key.
fn public_key_accepts(received: &Received, key: &str) -> bool {
    let key = STANDARD.decode(key.strip_prefix("whpk_").unwrap()).unwrap();
    let content = format!(
        "{}.{}.{}",
        received.header("webhook-id"),
        received.header("webhook-timestamp"),
        received.body
    );
    let mut signatures = received
        .header("webhook-signature")
        .split(' ')
        .filter_map(|one| one.strip_prefix("v1a,"));
    signatures.any(|signature| {
        let signature = STANDARD.decode(signature).unwrap();
        UnparsedPublicKey::new(&ED25519, &key)
            .verify(content.as_bytes(), &signature)
            .is_ok()
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test]
async fn old_and_new_secret_sign_while_the_overlap_lasts_and_a_rotation_can_be_repeated() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let path = format!("/endpoints/{}/rotate-secret", endpoint.id);
    let lost = tenant.post(&path, &json!({})).await.expect(200);
    let again = tenant.post(&path, &json!({})).await.expect(200);
    let secrets = [
        &endpoint.secret,
        text(&lost["secret"]),
        text(&again["secret"]),
    ];
    assert_eq!(again["signing_keys"].as_array().unwrap().len(), 3);
    assert!(endpoint.shown().await["secret"].is_null());
    tenant.publish("a", &json!({})).await;
    let received = endpoint.receives(1).await;
    for secret in secrets {
        assert!(stock_library_accepts(&received[0], secret), "{secret}");
    }
    // At once: nothing but the new one signs.
    let own =
        json!({ "secret": "whsec_bm9ib2R5IGVsc2UgaGFzIHRoaXMgc2VjcmV0IDI=", "overlap_seconds": 0 });
    let last = tenant.post(&path, &own).await.expect(200);
    assert_eq!(last["secret"], own["secret"]);
    let repeated = tenant.post(&path, &own).await.expect(200);
    assert_eq!(repeated["signing_keys"], last["signing_keys"]);
    // Functions notice a change within two seconds.
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    tenant.publish("b", &json!({})).await;
    let received = endpoint.receives(2).await;
    let signature = received[1].header("webhook-signature");
    assert_eq!(signature.split(' ').count(), 1, "{signature}");
    assert!(stock_library_accepts(&received[1], text(&own["secret"])));
}

#[tokio::test]
async fn an_ed25519_signature_is_checked_with_the_public_key_that_anybody_may_read() {
    let tenant = Tenant::new();
    let fields = json!({
        "url": format!("{}/success/{}", tenant.system().url("receiver"), tenant.unique_name()),
        "event_types": ["*"],
        "signing": "ed25519",
    });
    let made = tenant.post("/endpoints", &fields).await.expect(201);
    assert!(text(&made["secret"]).starts_with("whsk_"));
    let shown = tenant
        .get(&format!("/endpoints/{}", text(&made["id"])))
        .await
        .expect(200);
    assert!(shown["secret"].is_null());
    let public_key = text(&shown["signing_keys"][0]["public_key"]);
    let event = tenant.publish("a", &json!({})).await;
    tenant.delivery_is(event.delivery(), "delivered").await;
    let receiver = tenant.system().url("receiver");
    let path = text(&fields["url"]).strip_prefix(receiver).unwrap();
    let received = tenant.received_at(path).await;
    assert!(public_key_accepts(&received[0], public_key));
    assert!(!received[0].headers.contains_key("x-webhook-signature"));
}

#[tokio::test]
async fn what_cannot_sign_is_refused_by_its_field() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let path = format!("/endpoints/{}/rotate-secret", endpoint.id);
    for (body, field) in [
        (json!({ "secret": "short" }), "secret"),
        (json!({ "secret": "whsk_AAAA" }), "secret"),
        (
            json!({ "secret": "long enough", "signing": "ed25519" }),
            "signing",
        ),
        (json!({ "overlap_seconds": 604_801 }), "overlap_seconds"),
    ] {
        tenant.post(&path, &body).await.refuses(422, field);
    }
    let other = Tenant::new();
    other.post(&path, &json!({})).await.problem(404);
    let change = json!({ "signing": "ed25519" });
    let path = format!("/endpoints/{}", endpoint.id);
    tenant.patch(&path, &change).await.refuses(422, "signing");
}

#[tokio::test]
async fn a_place_in_a_list_is_good_for_that_list_and_its_tenant_alone() {
    let tenant = Tenant::new();
    for _ in 0..3 {
        tenant.endpoint("/success").create().await;
    }
    let page = tenant.get("/endpoints?limit=2").await.expect(200);
    let next = text(&page["next"]);
    assert!(!next.contains("ep_"), "{next}");
    let rest = tenant
        .get(&format!("/endpoints?limit=2&after={next}"))
        .await
        .expect(200);
    assert_eq!(rest["data"].as_array().unwrap().len(), 1);
    let other = Tenant::new();
    let mut changed = next.to_owned();
    let last = if changed.pop() == Some('A') { 'B' } else { 'A' };
    changed.insert(0, last);
    for (whose, path) in [
        (&other, format!("/endpoints?after={next}")),
        (&tenant, format!("/dead-letters?after={next}")),
        (&tenant, format!("/endpoints?after={changed}")),
        (&tenant, format!("/endpoints?after={next}{next}")),
        (&tenant, "/endpoints?after=".to_owned()),
        (&tenant, "/endpoints?after=%00%F0%9F%A6%80".to_owned()),
    ] {
        whose.get(&path).await.refuses(422, "after");
    }
}
