//! CloudEvents 1.0 are taken in both of their forms and in batches, keep all of their attributes,
//! and are delivered once however often they are sent.

use hookpost_tests::{Accepted, Answer, Call, Problem, Tenant};
use serde_json::{Value, json};

const STRUCTURED: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";

async fn post(tenant: &Tenant<'_>, path: &str, media: &str, body: &Value) -> Answer {
    let call = Call::new("POST", format!("/api/v1{path}"));
    let call = call.header("content-type", media).body(body.to_string());
    tenant.call(call).await
}

fn event(id: &str) -> Value {
    json!({
        "specversion": "1.0",
        "id": id,
        "source": "/shop/1",
        "type": "com.example.order.created",
        "subject": "ORD-001",
        "time": "2026-11-21T12:00:00+01:00",
        "datacontenttype": "application/json",
        "traceparent": "00-1-2-01",
        "data": { "order_id": "ORD-001", "amount": 42.5 },
    })
}

fn without_data(mut event: Value) -> Value {
    event.as_object_mut().unwrap().remove("data");
    event
}

#[tokio::test]
async fn a_structured_event_is_delivered_with_its_attributes_and_only_once() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/success")
        .event_types(&["com.example.*"])
        .with(
            "filter",
            json!({ "data": { "amount": [{ "numeric": [">", 40] }] } }),
        )
        .create()
        .await;
    let media = "application/cloudevents+json; charset=utf-8";
    let answer = post(&tenant, "/events", media, &event("1"))
        .await
        .expect(202);
    assert_eq!(answer["event_type"], "com.example.order.created");
    assert_eq!(answer["alias"], "/shop/1 1");
    let accepted = Accepted::read(&answer);
    tenant.all_delivered(&accepted).await;
    let again = post(&tenant, "/events", STRUCTURED, &event("1"))
        .await
        .expect(202);
    assert_eq!(
        (&again["id"], &again["duplicate"]),
        (&answer["id"], &json!(true))
    );
    let mut other = event("1");
    other["data"] = json!({});
    post(&tenant, "/events", STRUCTURED, &other)
        .await
        .refuses(409, "id");
    // The id is another's where the source is.
    let mut elsewhere = event("1");
    elsewhere["source"] = json!("/shop/2");
    post(&tenant, "/events", STRUCTURED, &elsewhere)
        .await
        .expect(202);

    let got = endpoint.receives(2).await;
    assert_eq!(got[0].signature, "verified");
    let body = got[0].json();
    assert_eq!(body["event"], "com.example.order.created");
    assert_eq!(body["data"], event("1")["data"]);
    assert_eq!(body["cloudevent"], without_data(event("1")));
    let shown = tenant
        .get(&format!("/events/{}", accepted.id))
        .await
        .expect(200);
    assert_eq!(shown["cloud_event"], without_data(event("1")));
    let status = tenant
        .get("/status?event_id=%2Fshop%2F1%201")
        .await
        .expect(200);
    assert_eq!(status["event_id"], answer["id"]);
}

#[tokio::test]
async fn a_binary_event_has_its_attributes_in_headers_and_its_data_as_the_body() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let call = |id: &str| {
        Call::new("POST", "/api/v1/events")
            .header("ce-specversion", "1.0")
            .header("ce-type", "user.renamed")
            .header("ce-source", "/people")
            .header("ce-id", id)
            .header("ce-subject", "J%C3%BCrgen")
    };
    let json = call("1").body(r#"{"n": 1.10}"#);
    tenant.call(json).await.expect(202);
    let text = call("2").header("content-type", "text/plain").body("plain");
    tenant.call(text).await.expect(202);
    let image = call("3")
        .header("content-type", "image/png")
        .body(&b"\x89PNG\xff"[..]);
    tenant.call(image).await.expect(202);
    let got = endpoint.receives(3).await;
    let of = |id: &str| {
        let is = |body: &Value| body["cloudevent"]["id"] == id;
        got.iter()
            .map(hookpost_tests::Received::json)
            .find(is)
            .unwrap()
    };
    assert_eq!(of("1")["cloudevent"]["subject"], "Jürgen");
    assert!(
        got.iter()
            .any(|request| request.body.contains(r#""data":{"n": 1.10}"#))
    );
    assert_eq!(of("2")["data"], "plain");
    assert_eq!(of("2")["cloudevent"]["datacontenttype"], "text/plain");
    assert_eq!(of("3")["data"], json!({ "data_base64": "iVBOR/8=" }));
}

#[tokio::test]
async fn a_large_event_keeps_its_attributes() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let mut large = event("1");
    large["data"] = json!("x".repeat(40_000));
    post(&tenant, "/events", STRUCTURED, &large)
        .await
        .expect(202);
    let got = endpoint.receives(1).await;
    assert_eq!(got[0].json()["cloudevent"], without_data(event("1")));
}

#[tokio::test]
async fn of_a_batch_each_event_is_answered_for_itself() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let mut bad = event("2");
    bad["time"] = json!("noon");
    let batch = json!([event("1"), bad, event("1"), event("3")]);
    let answer = post(&tenant, "/events/batch", BATCH, &batch)
        .await
        .expect(202);
    assert_eq!(
        (&answer["accepted"], &answer["rejected"]),
        (&json!(3), &json!(1))
    );
    let problem = Problem::check(&answer["results"][1]["problem"], 422);
    assert_eq!(problem.fields, ["[1].time"]);
    assert_eq!(answer["results"][2]["duplicate"], true);
    endpoint.receives(2).await;
    post(&tenant, "/events/batch", BATCH, &json!([]))
        .await
        .refuses(422, "body");
}

#[tokio::test]
async fn what_is_no_cloud_event_is_refused_by_the_name_of_its_attribute() {
    let tenant = Tenant::new();
    for (name, value) in [
        ("specversion", json!("0.3")),
        ("id", json!("")),
        ("source", json!(null)),
        ("type", json!("a b")),
        ("time", json!("noon")),
        ("datacontenttype", json!(1)),
        ("Extension", json!("x")),
        ("extension", json!([])),
        ("data_base64", json!("AA==")),
    ] {
        let mut bad = event("1");
        bad[name] = value;
        post(&tenant, "/events", STRUCTURED, &bad)
            .await
            .refuses(422, name);
    }
    let call = Call::new("POST", "/api/v1/events")
        .header("ce-type", "a")
        .body("{}");
    tenant.call(call).await.refuses(422, "ce-specversion");
    let mut large = event("1");
    large["data"] = json!("x".repeat(300_000));
    post(&tenant, "/events", STRUCTURED, &large)
        .await
        .refuses(413, "data");
    let broken = Call::new("POST", "/api/v1/events")
        .header("content-type", STRUCTURED)
        .body("{");
    tenant.call(broken).await.problem(400);
    for (path, media) in [
        ("/events", BATCH),
        ("/events/batch", STRUCTURED),
        ("/events", "application/cloudevents+avro"),
    ] {
        post(&tenant, path, media, &event("1")).await.problem(415);
    }
}

#[tokio::test]
async fn in_strict_mode_the_data_has_to_fit_its_type() {
    let tenant = Tenant::new();
    let schema = json!({ "name": "com.example.order.created", "schema": {
        "properties": { "amount": { "maximum": 40 } },
    } });
    tenant.post("/event-types", &schema).await.expect(201);
    let strict = json!({ "strict_event_types": true });
    tenant.patch("/settings", &strict).await.expect(200);
    post(&tenant, "/events", STRUCTURED, &event("1"))
        .await
        .refuses(422, "data.amount");
}
