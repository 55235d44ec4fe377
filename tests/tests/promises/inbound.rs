//! Somebody else's webhooks are taken in where their signature holds, once, and reach endpoints
//! byte for byte.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use hookpost_tests::{Answer, Call, Endpoint, Tenant, wait};
use serde_json::{Value, json};
use sha2::Sha256;
use standardwebhooks::Webhook;

const SECRET: &str = "It's a Secret to Everybody";

/// Makes a source, and gives the answer.
async fn source(tenant: &Tenant<'_>, draft: Value) -> Value {
    tenant.post("/sources", &draft).await.expect(201)
}

/// What somebody without a key sends to a source.
async fn send(
    tenant: &Tenant<'_>,
    source: &Value,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut call = Call::new("POST", source["path"].as_str().unwrap());
    for (name, value) in headers {
        call = call.header(name, value);
    }
    let call = call.body(body.to_vec());
    tenant.client().call(tenant.system().url("api"), call).await
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        use std::fmt::Write;
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

fn github(body: &[u8]) -> String {
    format!("sha256={}", hex(&mac(SECRET.as_bytes(), &[body])))
}

fn now() -> u64 {
    wait::epoch_ms() / 1000
}

async fn one_received(endpoint: &Endpoint<'_>) -> hookpost_tests::Received {
    endpoint.receives(1).await.remove(0)
}

#[tokio::test]
async fn a_webhook_of_github_goes_on_byte_for_byte_and_once() {
    let tenant = Tenant::new();
    let wants = json!({ "data": { "action": ["opened"] } });
    let endpoint = tenant
        .endpoint("/success")
        .event_types(&["github.*"])
        .with("filter", wants)
        .create()
        .await;
    let made = source(
        &tenant,
        json!({
            "name": "our repositories", "kind": { "type": "github" }, "secret": SECRET,
            "forward_headers": ["X-GitHub-Event"],
        }),
    )
    .await;
    assert_eq!(made.get("secret"), None);
    // Blanks, order and numbers as no library would write them.
    let body = br#"{ "number": 1.10,  "action":"opened", "z": 1, "a": 2 }"#;
    let signature = github(body);
    let headers = |id: &'static str| {
        [
            ("content-type", "application/json; charset=utf-8".to_owned()),
            ("x-github-event", "pull_request".to_owned()),
            ("x-github-delivery", id.to_owned()),
            ("x-hub-signature-256", signature.clone()),
        ]
    };
    let sent = |id: &'static str| {
        let (tenant, made) = (&tenant, &made);
        let headers = headers(id);
        async move {
            let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
            send(tenant, made, &headers, body).await.expect(202)
        }
    };
    let first = sent("1").await;
    let again = sent("1").await;
    assert_eq!(first, again);
    assert_eq!(first.as_object().unwrap().len(), 1, "{first}");
    let got = one_received(&endpoint).await;
    assert_eq!(got.body.as_bytes(), body);
    assert_eq!(got.signature, "verified");
    assert_eq!(
        got.header("content-type"),
        "application/json; charset=utf-8"
    );
    assert_eq!(got.header("x-webhook-event"), "github.pull_request");
    assert_eq!(got.header("x-github-event"), "pull_request");
    let path = format!("/events/{}", first["id"].as_str().unwrap());
    let shown = tenant.get(&path).await.expect(200);
    assert_eq!(shown["cloud_event"]["id"], "1");
    assert_eq!(shown["cloud_event"]["source"], made["path"]);
    sent("2").await;
    endpoint.receives(2).await;
}

#[tokio::test]
async fn a_body_that_is_no_json_goes_on_as_it_is() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let kind = json!({
        "type": "hmac", "signature_header": "X-Shopify-Hmac-Sha256", "encoding": "base64",
        "id_header": "X-Id",
    });
    let made = source(
        &tenant,
        json!({ "kind": kind, "secret": SECRET, "event_type": { "header": "X-Topic", "prefix": "shop." } }),
    )
    .await;
    let large: Vec<u8> = b"a=%C3%BC&b=1\n".repeat(6_000);
    for (id, body) in [("1", &b" a=1&b=%20 \n"[..]), ("2", &large)] {
        let signature = STANDARD.encode(mac(SECRET.as_bytes(), &[body]));
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-shopify-hmac-sha256", signature.as_str()),
            ("x-topic", "orders/create"),
            ("x-id", id),
        ];
        send(&tenant, &made, &headers, body).await.expect(202);
    }
    let got = endpoint.receives(2).await;
    for request in &got {
        let expected = if request.body.len() > 100 {
            &large[..]
        } else {
            b" a=1&b=%20 \n"
        };
        assert_eq!(request.body.as_bytes(), expected);
        assert_eq!(request.signature, "verified");
        assert_eq!(request.header("x-webhook-event"), "shop.orders/create");
        let content_type = request.header("content-type");
        assert_eq!(content_type, "application/x-www-form-urlencoded");
    }
}

#[tokio::test]
async fn standard_webhooks_and_stripe_are_known_and_only_while_they_are_fresh() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let made = source(&tenant, json!({ "kind": { "type": "standard_webhooks" } })).await;
    let signer = Webhook::new(made["secret"].as_str().unwrap()).unwrap();
    let body = br#"{"type":"user.created"}"#;
    let at = |seconds: u64| {
        let time = i64::try_from(seconds).unwrap();
        (
            seconds.to_string(),
            signer.sign("msg_1", time, body).unwrap(),
        )
    };
    for (seconds, status) in [(now(), 202), (now() - 1000, 401), (now() + 1000, 401)] {
        let (time, signature) = at(seconds);
        let headers = [
            ("webhook-id", "msg_1"),
            ("webhook-timestamp", time.as_str()),
            ("webhook-signature", signature.as_str()),
        ];
        let answer = send(&tenant, &made, &headers, body).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    let stripe = json!({ "kind": { "type": "stripe" }, "secret": "whsec_stripes-are-not-base64" });
    tenant
        .post("/sources", &stripe)
        .await
        .refuses(422, "secret");
    let stripe = json!({ "kind": { "type": "stripe" }, "secret": SECRET });
    let made = source(&tenant, stripe).await;
    let body = br#"{"id":"evt_1","type":"charge.failed"}"#;
    let time = now().to_string();
    let v1 = hex(&mac(SECRET.as_bytes(), &[time.as_bytes(), b".", body]));
    let header = format!("t={time},v1=00,v1={v1}");
    for _ in 0..2 {
        let headers = [("stripe-signature", header.as_str())];
        send(&tenant, &made, &headers, body).await.expect(202);
    }
    let got = endpoint.receives(2).await;
    let mut types: Vec<_> = got
        .iter()
        .map(|one| one.header("x-webhook-event"))
        .collect();
    types.sort_unstable();
    assert_eq!(types, ["stripe.charge.failed", "user.created"]);
}

#[tokio::test]
async fn what_is_not_signed_is_refused_without_a_reason() {
    let tenant = Tenant::new();
    let made = source(
        &tenant,
        json!({ "kind": { "type": "github" }, "secret": SECRET }),
    )
    .await;
    let good = github(b"{}");
    let mut told = Vec::new();
    for headers in [
        vec![],
        vec![("x-hub-signature-256", "sha256=00")],
        vec![("x-hub-signature-256", good.as_str())],
        vec![("authorization", "Bearer x")],
    ] {
        let answer = send(&tenant, &made, &headers, b"{\"forged\":true}").await;
        answer.problem(401);
        told.push(answer.text().to_owned());
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(tenant.stored_events().await.is_empty());
    let large = vec![b'x'; 300_000];
    send(&tenant, &made, &[], &large).await.problem(413);
    let wrong = Call::new("GET", made["path"].as_str().unwrap());
    let api = tenant.system().url("api");
    tenant.client().call(api, wrong).await.problem(405);
    for path in ["/in/x", "/in/src_00000000000000000000000000000000"] {
        let nowhere = Call::new("POST", path);
        tenant.client().call(api, nowhere).await.problem(404);
    }
}

#[tokio::test]
async fn sources_are_made_changed_listed_and_deleted_and_keep_their_secrets() {
    let (tenant, other) = (Tenant::new(), Tenant::new());
    let made = source(
        &tenant,
        json!({ "kind": { "type": "github" }, "secret": SECRET }),
    )
    .await;
    let path = format!("/sources/{}", made["id"].as_str().unwrap());
    assert_eq!(tenant.get(&path).await.expect(200), made);
    other.get(&path).await.problem(404);
    other.delete(&path).await.problem(404);
    other
        .patch(&path, &json!({ "name": "x" }))
        .await
        .problem(404);
    let list = tenant.get("/sources").await.expect(200);
    assert_eq!(list["data"], json!([made]));
    // The new secret is believed at once by whoever has not met the source.
    let change = json!({ "name": "ours", "secrets": ["another secret", SECRET] });
    let changed = tenant.patch(&path, &change).await.expect(200);
    assert_eq!(changed["name"], "ours");
    assert!(!changed.to_string().contains("another secret"));
    let signature = github(b"{}");
    let headers = [("x-hub-signature-256", signature.as_str())];
    send(&tenant, &made, &headers, b"{}").await.expect(202);
    for (draft, field) in [
        (json!({}), "kind"),
        (
            json!({ "kind": { "type": "github" }, "event_type": {} }),
            "event_type",
        ),
        (
            json!({ "kind": { "type": "github" }, "forward_headers": ["host"] }),
            "forward_headers",
        ),
    ] {
        tenant.post("/sources", &draft).await.refuses(422, field);
    }
    let items = tenant.items_in("SettingsTable").await;
    assert!(!items.contains(SECRET) && !items.contains("another secret"));
    tenant.delete(&path).await.expect(204);
    tenant.get(&path).await.problem(404);
    let list = tenant.get("/sources").await.expect(200);
    assert_eq!(list["data"], json!([]));
}
