use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::json::tests::any_json;

/// The example of the specification, section "Example".
fn example() -> Value {
    json!({
        "specversion": "1.0",
        "type": "com.github.pull_request.opened",
        "source": "https://github.com/cloudevents/spec/pull",
        "subject": "123",
        "id": "A234-1234-1234",
        "time": "2018-04-05T17:31:00Z",
        "comexampleextension1": "value",
        "comexampleothervalue": 5,
        "datacontenttype": "text/xml",
        "data": "<much wow=\"xml\"/>",
    })
}

fn read(event: &Value) -> Result<EventDraft, Invalid> {
    structured(&to_raw_value(event).unwrap())
}

fn payload_of(draft: &EventDraft) -> Value {
    serde_json::from_str(draft.payload.get()).unwrap()
}

fn context_of(draft: &EventDraft) -> Value {
    serde_json::from_str(draft.cloud_event.as_ref().unwrap().get()).unwrap()
}

fn with(name: &str, value: Value) -> Value {
    let mut event = example();
    event[name] = value;
    event
}

#[test]
fn every_attribute_of_an_event_is_kept() {
    let draft = read(&example()).unwrap();
    assert_eq!(draft.event_type, "com.github.pull_request.opened");
    assert_eq!(
        draft.id.as_deref(),
        Some("https://github.com/cloudevents/spec/pull A234-1234-1234")
    );
    assert_eq!(payload_of(&draft), "<much wow=\"xml\"/>");
    let mut attributes = example();
    attributes.as_object_mut().unwrap().remove("data");
    assert_eq!(context_of(&draft), attributes);
}

#[test]
fn both_ways_to_send_an_event_mean_the_same() {
    let headers = [
        ("host", Some("x")),
        ("ce-specversion", Some("1.0")),
        ("ce-type", Some("order.created")),
        ("ce-source", Some("/shop")),
        ("ce-id", Some("\"a \\\"b\\\" %E2%82%AC\"")),
        ("ce-partner", Some("7")),
    ];
    let body = br#"{"amount": 1.10}"#;
    let by_headers = binary(
        headers.into_iter(),
        Some("application/json; charset=utf-8"),
        body,
    )
    .unwrap();
    let whole = read(&json!({
        "specversion": "1.0", "type": "order.created", "source": "/shop", "id": "a \"b\" €",
        "partner": "7", "datacontenttype": "application/json; charset=utf-8", "data": 1,
    }))
    .unwrap();
    assert_eq!(by_headers.id, whole.id);
    assert_eq!(context_of(&by_headers), context_of(&whole));
    assert_eq!(by_headers.payload.get(), r#"{"amount": 1.10}"#);
}

#[test]
fn data_becomes_json_by_what_it_is_said_to_be() {
    let encoded = |content_type: Value, bytes: &[u8]| {
        let mut event = with("datacontenttype", content_type);
        event.as_object_mut().unwrap().remove("data");
        event["data_base64"] = json!(STANDARD.encode(bytes));
        read(&event).map(|draft| payload_of(&draft))
    };
    assert_eq!(
        encoded(json!("application/json"), b"[1]").unwrap(),
        json!([1])
    );
    assert_eq!(
        encoded(json!("application/vnd.x+json"), b"null").unwrap(),
        json!({})
    );
    assert_eq!(
        encoded(json!("text/plain"), "é".as_bytes()).unwrap(),
        json!("é")
    );
    assert_eq!(
        encoded(json!("text/plain"), b"\xff").unwrap(),
        json!({ "data_base64": "/w==" })
    );
    assert_eq!(
        encoded(json!("image/png"), b"1").unwrap(),
        json!({ "data_base64": "MQ==" })
    );
    assert_eq!(encoded(json!(null), b"{}").unwrap(), json!({}));
    assert_eq!(
        encoded(json!(null), b"\x00").unwrap(),
        json!({ "data_base64": "AA==" })
    );
    assert_eq!(
        encoded(json!("application/json"), b"x").unwrap_err().field,
        "data_base64"
    );
    assert_eq!(
        payload_of(&read(&with("data", json!(null))).unwrap()),
        json!({})
    );
}

#[test]
fn what_breaks_a_rule_is_refused_by_its_name() {
    for (name, value) in [
        ("specversion", json!("0.3")),
        ("specversion", json!(1.0)),
        ("id", json!("")),
        ("id", json!(null)),
        ("id", json!("a\u{0}")),
        ("id", json!("x".repeat(250))),
        ("source", json!("a b")),
        ("source", json!("é")),
        ("type", json!("a b")),
        ("subject", json!("")),
        ("time", json!("yesterday")),
        ("dataschema", json!("not a uri")),
        ("datacontenttype", json!("json")),
        ("data_base64", json!("AA==")),
        ("Extension", json!("x")),
        ("my_extension", json!("x")),
        ("extension", json!({ "a": 1 })),
        ("extension", json!("x".repeat(9000))),
    ] {
        let refused = read(&with(name, value.clone())).unwrap_err();
        assert_eq!(refused.field, name, "{name}: {value}");
    }
    let headers = [("ce-specversion", Some("1.0")), ("ce-id", Some("%FF"))];
    let refused = binary(headers.into_iter(), None, b"").unwrap_err();
    assert_eq!(refused.field, "ce-id");
    let refused = binary([("ce-id", Some("1"))].into_iter(), None, b"").unwrap_err();
    assert_eq!(refused.field, "ce-specversion");
    assert_eq!(read(&json!([])).unwrap_err().field, "body");
}

proptest! {
    #[test]
    fn data_keeps_its_bytes_whatever_it_is(data in any_json(), extension in "\\PC{0,20}") {
        let mut event = with("extension", json!(extension));
        event["data"] = data.clone();
        let draft = read(&event).unwrap();
        prop_assert_eq!(payload_of(&draft), if data.is_null() { json!({}) } else { data });
        prop_assert_eq!(&context_of(&draft)["extension"], &json!(extension));
        prop_assert!(draft.check(crate::Timestamp::default()).is_ok());
    }

    #[test]
    fn no_two_events_share_a_name(
        sources in proptest::collection::vec("[a-z/#]{1,4}", 2),
        ids in proptest::collection::vec("[a-z #]{1,4}", 2),
    ) {
        let name = |nth: usize| {
            let mut event = with("source", json!(sources[nth]));
            event["id"] = json!(ids[nth]);
            read(&event).unwrap().id
        };
        let same = sources[0] == sources[1] && ids[0] == ids[1];
        prop_assert_eq!(name(0) == name(1), same);
    }

    #[test]
    fn no_json_and_no_headers_panic(json in any_json(), value in "\\PC{0,20}", body in proptest::collection::vec(any::<u8>(), 0..40)) {
        let _ = read(&json);
        let headers = [("ce-specversion", Some("1.0")), ("ce-type", Some("a")), ("ce-source", Some("/")), ("ce-id", Some(value.as_str()))];
        let _ = binary(headers.into_iter(), Some(&value), &body);
    }
}
