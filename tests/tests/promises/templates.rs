//! A template shapes the body that an endpoint gets, and what is signed is what it shaped.

use hookpost_tests::{Call, Tenant};
use serde_json::{Value, json};

fn template() -> Value {
    json!({
        "text": "{{event}} for {{data.customer.name | default: 'somebody' | upper}}",
        "order": "{{data.id}}",
        "team": "{{endpoint.metadata.team | default: 'none'}}",
        "total": "{{data.total}}",
        "lines": { "$each": "data.lines", "as": "line", "do": "{{line.qty}} x {{line.sku}}" },
        "gift": { "$if": "data.gift", "then": true },
    })
}

#[tokio::test]
async fn the_body_is_what_the_template_makes_signed_and_numbers_as_they_were_posted() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/success")
        .with("template", template())
        .with("metadata", json!({ "team": "billing" }))
        .create()
        .await;
    assert_eq!(endpoint.created["template"], template());
    let event = r#"{"event_type":"order.paid","payload":
        {"id":12345678901234567890123,"total":1.10,"lines":[{"sku":"a","qty":2}]}}"#;
    let call = Call::new("POST", "/api/v1/events").body(event);
    tenant.call(call).await.expect(202);
    let received = endpoint.receives(1).await;
    assert_eq!(received[0].signature, "verified");
    assert_eq!(received[0].header("content-type"), "application/json");
    let body = received[0].json();
    assert_eq!(body["text"], "order.paid for SOMEBODY");
    assert_eq!(body["lines"], json!(["2 x a"]));
    assert_eq!(body["team"], "billing");
    let path = format!("/endpoints/{}/preview", endpoint.id);
    let input = json!({ "payload": { "id": 1, "total": 1 } });
    let preview = tenant.post(&path, &input).await.expect(200);
    let shown = preview["body"].as_str().unwrap();
    assert!(shown.contains(r#""team":"billing""#), "{shown}");
    assert!(body.get("gift").is_none());
    let text = &received[0].body;
    assert!(
        text.contains(r#""order":12345678901234567890123"#),
        "{text}"
    );
    assert!(text.contains(r#""total":1.10"#), "{text}");
}

#[tokio::test]
async fn what_a_template_lacks_is_a_dead_letter_at_once_that_is_replayed_when_mended() {
    let tenant = Tenant::new();
    let needs = json!({ "name": "{{data.customer.name}}" });
    let endpoint = tenant
        .endpoint("/success")
        .with("template", needs)
        .create()
        .await;
    let event = tenant.publish("order.paid", &json!({ "id": 1 })).await;
    let dead = tenant.delivery_is(event.delivery(), "dead").await;
    assert_eq!(dead["reason"], "template");
    assert_eq!(dead["attempts"], 1);
    assert_eq!(dead["attempt_log"][0]["error"]["kind"], "template");
    let detail = dead["attempt_log"][0]["error"]["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("template.name: this event has no `data.customer.name`"),
        "{detail}"
    );
    assert_eq!(endpoint.received().await.len(), 0);
    assert_eq!(endpoint.health().await["consecutive_failures"], 0);
    let changed = endpoint.change(&json!({ "template": null })).await;
    assert_eq!(changed["template"], Value::Null);
    let filter =
        json!({ "filter": { "endpoint_id": endpoint.id, "failure": "template" }, "dry_run": true });
    hookpost_tests::wait::until("the dead letter is listed", || async {
        let counted = tenant.post("/replays", &filter).await.json();
        if counted.to_string().contains(":1") {
            Ok(())
        } else {
            Err(format!("{counted:#}"))
        }
    })
    .await;
    // Functions notice a change within two seconds; until then a replay ends as before.
    hookpost_tests::wait::until("the replayed delivery", || async {
        let delivery = tenant.delivery(event.delivery()).await;
        if delivery["status"] == "delivered" {
            return Ok(());
        }
        if delivery["status"] == "dead" {
            let path = format!("/dead-letters/{}/replay", event.delivery());
            tenant.post(&path, &json!({})).await;
        }
        Err(format!("{delivery:#}"))
    })
    .await;
}

#[tokio::test]
async fn a_preview_is_the_request_that_is_sent_with_secrets_masked() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/success")
        .with("template", template())
        .with("headers", json!({ "X-Api-Key": "hush" }))
        .create()
        .await;
    let payload = json!({ "id": 7, "total": 2, "customer": { "name": "Ann" } });
    let event = tenant.publish("order.paid", &payload).await;
    let sent = &endpoint.receives(1).await[0];
    let path = format!("/endpoints/{}/preview", endpoint.id);
    let shown = tenant
        .post(&path, &json!({ "event_id": event.id }))
        .await
        .expect(200);
    assert_eq!(shown["body"], sent.body);
    assert_eq!(shown["headers"]["webhook-id"], event.id);
    assert_eq!(
        shown["headers"]["x-webhook-signature"],
        sent.header("x-webhook-signature")
    );
    assert_eq!(shown["headers"]["x-api-key"], "***");
    assert_eq!(sent.header("x-api-key"), "hush");
    // Another template, tried out on a payload of one's own.
    let tried =
        json!({ "event_type": "a", "payload": { "n": 1 }, "template": { "n": "{{data.n}}" } });
    let shown = tenant.post(&path, &tried).await.expect(200);
    assert_eq!(shown["body"], r#"{"n":1}"#);
    let plain = tenant
        .post(&path, &json!({ "template": null }))
        .await
        .expect(200);
    assert!(
        plain["body"]
            .as_str()
            .unwrap()
            .contains(r#""event":"example.event""#)
    );
    let missing = json!({ "template": { "n": "{{data.nothing}}" } });
    tenant
        .post(&path, &missing)
        .await
        .refuses(422, "template.n");
    let unknown = json!({ "event_id": "01a1fdfa-4600-75b8-9b11-545f20f923f3" });
    tenant.post(&path, &unknown).await.refuses(422, "event_id");
    let other = Tenant::new();
    other.post(&path, &json!({})).await.problem(404);
    assert_eq!(endpoint.received().await.len(), 1);
}

#[tokio::test]
async fn a_malformed_template_is_refused_by_its_place() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let path = format!("/endpoints/{}", endpoint.id);
    for (template, place) in [
        (json!({ "a": ["{{data.x"] }), "template.a[0]"),
        (json!({ "a": "{{data.x | shout}}" }), "template.a"),
        (json!({ "a": "{{endpoint.secret}}" }), "template.a"),
    ] {
        let change = json!({ "template": template });
        tenant.patch(&path, &change).await.refuses(422, place);
    }
}
