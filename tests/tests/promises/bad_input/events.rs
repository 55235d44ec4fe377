//! Events and batches of them.

use hookpost_tests::{Call, Tenant};
use serde_json::{Value, json};

use super::{cases, mistake, post_raw, written};

const BAD_EVENTS: &str = r#"
    {} -> event_type
    {"payload":{}} -> event_type
    {"event_type":"a"} -> payload
    {"event_type":"a","payload":null} -> payload
    {"event_type":7,"payload":{}} -> event_type
    {"event_type":null,"payload":{}} -> event_type
    {"event_type":["a"],"payload":{}} -> event_type
    {"event_type":"","payload":{}} -> event_type
    {"event_type":"a b","payload":{}} -> event_type
    {"event_type":" a","payload":{}} -> event_type
    {"event_type":"a#b","payload":{}} -> event_type
    {"event_type":"a\nb","payload":{}} -> event_type
    {"event_type":"a\u0000","payload":{}} -> event_type
    {"event_type":"ordér","payload":{}} -> event_type
    {"event_type":"order.*","payload":{}} -> event_type
    {"event_type":"*","payload":{}} -> event_type
    {"event_type":"a","payload":{},"id":7} -> id
    {"event_type":"a","payload":{},"id":""} -> id
    {"event_type":"a","payload":{},"id":"a\nb"} -> id
    {"event_type":"a","payload":{},"tenant":7} -> tenant
    {"event_type":"a","payload":{},"tenant":"a#b"} -> tenant
    {"event_type":"a","payload":{},"payloads":{}} -> payloads
    {"event_type":"a","payload":{},"event":"b"} -> event_type
"#;

fn bad_events() -> Vec<(Value, &'static str)> {
    let mut cases = cases(BAD_EVENTS);
    let text = |length: usize| "x".repeat(length);
    let long_type = json!({ "event_type": text(129), "payload": {} });
    let long_id = json!({ "event_type": "a", "payload": {}, "id": text(256) });
    cases.extend([(long_type, "event_type"), (long_id, "id")]);
    cases
}

#[tokio::test]
async fn a_bad_event_is_refused_by_its_field_and_not_written() {
    let tenant = Tenant::new();
    let before = written(&tenant).await;
    let mut mistakes = Vec::new();
    for (body, field) in bad_events() {
        let answer = tenant.post("/events", &body).await;
        let mistake = mistake(&answer, field);
        mistakes.extend(mistake.map(|mistake| format!("{body}: {mistake}")));
    }
    assert_eq!(mistakes, Vec::<String>::new());
    let twice = r#"{"event_type":"a","event_type":"b","payload":{}}"#;
    let answer = post_raw(&tenant, "/events", twice).await;
    answer.refuses(422, "event_type");
    assert_eq!(written(&tenant).await, before);
}

#[tokio::test]
async fn bad_events_of_a_batch_are_named_and_the_good_one_is_accepted() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let cases = bad_events();
    let mut events: Vec<Value> = cases.iter().map(|(body, _)| body.clone()).collect();
    events.push(json!({ "event_type": "good", "payload": {} }));
    let batch = json!({ "events": events });
    let answer = tenant.post("/events/batch", &batch).await.expect(202);
    assert_eq!(answer["accepted"], 1);
    for (index, (body, field)) in cases.iter().enumerate() {
        let problem = &answer["results"][index]["problem"];
        let named = &problem["errors"][0]["field"];
        assert_eq!(*named, format!("events[{index}].{field}"), "{body}");
    }
    assert_eq!(answer["results"][cases.len()]["status"], 202);
    assert_eq!(endpoint.receives(1).await[0].json()["event"], "good");
    assert_eq!(tenant.stored_events().await.len(), 1);
}

#[tokio::test]
async fn a_batch_that_is_no_batch_is_refused() {
    const BAD_BATCHES: &str = r#"
        {} -> events
        {"events":7} -> events
        {"events":{}} -> events
        {"events":null} -> events
        {"events":[]} -> events
        {"events":[],"more":1} -> more
    "#;
    let tenant = Tenant::new();
    for (body, field) in cases(BAD_BATCHES) {
        let answer = tenant.post("/events/batch", &body).await;
        answer.refuses(422, field);
    }
    // Without a good event in it, it is refused as a whole.
    let events = json!({ "events": [{ "event_type": "a b", "payload": 1 }] });
    let answer = tenant.post("/events/batch", &events).await;
    assert_eq!(answer.status, 422);
    let problem = &answer.json()["results"][0]["problem"];
    assert_eq!(problem["errors"][0]["field"], "events[0].event_type");
    assert_eq!(tenant.stored_events().await.len(), 0);
    // What is not even an object is one bad event, and no bad batch.
    let events = json!({ "events": [7, null, "a", [], { "event_type": "a", "payload": 1 }] });
    let answer = tenant.post("/events/batch", &events).await.expect(202);
    assert_eq!(answer["accepted"], 1);
    for index in 0..4 {
        let status = answer["results"][index]["status"].as_u64().unwrap();
        assert!((400..500).contains(&status), "{answer:#}");
    }
}

#[tokio::test]
async fn a_duplicate_id_is_refused_by_its_name() {
    let tenant = Tenant::new();
    let event = |n: u32| json!({ "id": "evt-1", "event_type": "a", "payload": { "n": n } });
    tenant.post("/events", &event(1)).await.expect(202);
    tenant.post("/events", &event(2)).await.refuses(409, "id");
    let call = Call::new("POST", "/api/v1/events").header("idempotency-key", "k");
    let event = |n: u32| json!({ "event_type": "a", "payload": { "n": n } });
    tenant.call(call.clone().json(&event(1))).await.expect(202);
    let answer = tenant.call(call.json(&event(2))).await;
    answer.refuses(409, "Idempotency-Key");
    assert_eq!(tenant.stored_events().await.len(), 2);
}
