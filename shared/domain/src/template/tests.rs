use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const DATA: &str = r#"{"id":12345678901234567890123,"total":1.10,"name":"Ann \"A\" Ö","none":null,
    "at":"2026-11-21T12:00:00.5Z","tags":["a","b"],"odd key":7,
    "lines":[{"sku":"x","qty":1},{"sku":"y","qty":2,"gift":true}]}"#;

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

fn render(template: &str, data: &str) -> Result<String, Unrendered> {
    let about = raw(
        r#"{"id":"evt","event":"order.paid","timestamp":"t","tenant":"acme","endpoint":{"id":"ep","name":"CRM"}}"#,
    );
    let template = Template::new(raw(template)).unwrap();
    let body = template.render(&about, &raw(data))?;
    Ok(String::from_utf8(body).unwrap())
}

fn rendered(template: &str) -> String {
    render(template, DATA).unwrap()
}

#[test]
fn a_string_that_is_one_expression_is_the_value_to_the_byte() {
    assert_eq!(
        rendered(
            r#"{"id": "{{data.id}}", "total":"{{ data.total }}", "all": ["{{data.tags}}", true]}"#
        ),
        r#"{"id":12345678901234567890123,"total":1.10,"all":[["a","b"],true]}"#
    );
    assert_eq!(rendered(r#""{{data}}""#), DATA);
    assert_eq!(
        rendered(r#""{{data["odd key"]}}""#.replace(r#"["odd key"]"#, "['odd key']").as_str()),
        "7"
    );
    assert_eq!(
        rendered(r#"{ "as" : [ "it", 1.0 ] }"#),
        r#"{ "as" : [ "it", 1.0 ] }"#
    );
}

#[test]
fn in_longer_text_values_are_written_out() {
    assert_eq!(
        rendered(
            r#"{"text": "{{event}} by {{data.name}}: {{data.total}} {{data.lines[1].sku}} {{data.tags}}"}"#
        ),
        r#"{"text":"order.paid by Ann \"A\" Ö: 1.10 y [\"a\",\"b\"]"}"#
    );
    assert_eq!(
        rendered(r#""{{'{{'}}{{tenant}} {{endpoint.name}} {{id}}""#),
        r#""{{acme CRM evt""#
    );
}

#[test]
fn filters_make_other_values_of_values() {
    for (expression, made) in [
        ("data.name | upper", r#""ANN \"A\" Ö""#),
        ("data.name | lower | upper | length", "9"),
        ("data.lines | length", "2"),
        ("data.tags | json", r#""[\"a\",\"b\"]""#),
        ("data.tags | join: ', '", r#""a, b""#),
        ("data.nothing | default: 'n/a' | upper", r#""N/A""#),
        ("data.none | default: 0", "0"),
        ("data.none", "null"),
        ("data.total | default: 0", "1.10"),
        (
            "data.at | date: '%d.%m.%Y %H:%M:%S.%L'",
            r#""21.11.2026 12:00:00.500""#,
        ),
        (
            "data.lines[0].qty | date: '%F %T'",
            r#""1970-01-01 00:00:01""#,
        ),
        ("1795262400123 | date: '%s'", r#""1795262400""#),
    ] {
        assert_eq!(
            rendered(&json!(format!("{{{{{expression}}}}}")).to_string()),
            made,
            "{expression}"
        );
    }
}

#[test]
fn choices_and_lists_follow_the_event() {
    let choice = r#"{"a":{"$if":"data.total","then":1,"else":2},"b":{"$if":"data.nothing","then":1},"c":{"$if":"{{data.none}}","then":1,"else":{"$if":"data.tags[1]","then":"{{data.tags[1]}}"}}}"#;
    assert_eq!(rendered(choice), r#"{"a":1,"c":"b"}"#);
    let list = r#"{"$each":"data.lines","as":"line","do":{"sku":"{{line.sku}}","n":"{{line.qty}} of {{data.total}}","gift":{"$if":"line.gift","then":true}}}"#;
    assert_eq!(
        rendered(list),
        r#"[{"sku":"x","n":"1 of 1.10"},{"sku":"y","n":"2 of 1.10","gift":true}]"#
    );
    assert_eq!(
        rendered(r#"{"$each":"data.nothing","do":"{{item}}"}"#),
        "[]"
    );
    assert_eq!(
        rendered(r#"{"$each":"data.lines","do":{"$if":"item.gift","then":"{{item.sku}}"}}"#),
        r#"["y"]"#
    );
}

#[test]
fn what_an_event_lacks_is_told_with_its_place() {
    let told = |template: &str| render(template, DATA).unwrap_err().to_string();
    let missing = told(r#"{"blocks":[{"text":"Hi {{data.customer.name}}"}]}"#);
    assert!(
        missing.starts_with("template.blocks[0].text: this event has no `data.customer.name`"),
        "{missing}"
    );
    assert!(
        told(r#"{"a":"{{data.name | date: '%Y'}}"}"#)
            .starts_with("template.a: `data.name | date: '%Y'` is no time")
    );
    assert!(told(r#"{"$each":"data.total","do":1}"#).starts_with("template.$each"));
    assert!(told(r#""{{data.total | join: ','}}""#).contains("is no list"));
}

#[test]
fn rendering_is_bounded_in_size_and_steps() {
    let many = format!("{{\"list\":[{}0]}}", "0,".repeat(50_000));
    let squared =
        r#"{"$each":"data.list","as":"a","do":{"$each":"data.list","as":"b","do":"{{a}}"}}"#;
    assert!(render(squared, &many).is_err());
    let nothing = r#"{"$each":"data.list","as":"a","do":{"$if":"data.list | length | upper | nothing","then":1}}"#;
    let nothing = nothing.replace(" | nothing", " | lower");
    assert!(render(&nothing, &many).unwrap_err().why.contains("steps"));
    let large = format!("{{\"text\":\"{}\"}}", "x".repeat(200_000));
    assert!(render(r#"["{{data}}","{{data}}"]"#, &large).is_ok());
    assert!(
        render(r#"["{{data}}","{{data}}","{{data}}"]"#, &large)
            .unwrap_err()
            .why
            .contains("512 KiB")
    );
}

#[test]
fn a_malformed_template_is_refused_by_its_place() {
    for (bad, place) in [
        (r#"{"a":"{{"}"#, "template.a"),
        (r#"{"a":["x","{{data.x"]}"#, "template.a[1]"),
        (r#"{"a":"{{data.x}"}"#, "template.a"),
        (r#"{"a":"{{data..x}}"}"#, "template.a"),
        (r#"{"a":"{{data[x]}}"}"#, "template.a"),
        (r#"{"a":"{{data.x | shout}}"}"#, "template.a"),
        (r#"{"a":"{{data.x | default}}"}"#, "template.a"),
        (r#"{"a":"{{data.x | upper: 1}}"}"#, "template.a"),
        (r#"{"a":"{{payload.x}}"}"#, "template.a"),
        (r#"{"a":"{{endpoint.secret}}"}"#, "template.a"),
        (r#"{"a":"{{id.x}}"}"#, "template.a"),
        (r#"{"{{id}}":1}"#, "template.{{id}}"),
        (r#"{"$for":1}"#, "template.$for"),
        (r#"{"a":{"$if":"data.x"}}"#, "template.a.then"),
        (r#"{"a":{"$if":"","then":1}}"#, "template.a.$if"),
        (
            r#"{"a":{"$if":"data.x","then":1,"otherwise":2}}"#,
            "template.a.otherwise",
        ),
        (r#"{"$each":"data.x","as":"data","do":1}"#, "template.as"),
        (r#"{"$each":"data.x","as":"y","do":"{{z}}"}"#, "template.do"),
    ] {
        let invalid = Template::new(raw(bad)).unwrap_err();
        assert_eq!(invalid.field, place, "{bad}: {}", invalid.rule);
    }
    let long = format!("\"{}\"", "x".repeat(MAX_BYTES));
    assert_eq!(Template::new(raw(&long)).unwrap_err().field, "template");
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    assert!(
        Template::new(raw(&deep))
            .unwrap_err()
            .rule
            .contains("deeper")
    );
}

fn any_template() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[a-z {}|.\\[\\]'\"0-9:]{0,12}".prop_map(|text| json!(text)),
        prop_oneof![
            Just("data"),
            Just("data.a | json"),
            Just("item"),
            Just("data[0] | default: ''"),
            Just("id"),
            Just("data.b.c | upper"),
            Just("data | length"),
            Just("data.a | join: '\"'"),
        ]
        .prop_flat_map(|inner| ("[a\"\\\\\n]{0,3}", Just(inner))
            .prop_map(|(before, inner)| json!(format!("{before}{{{{{inner}}}}}")))),
        Just(json!(1.5)),
    ];
    text.prop_recursive(4, 30, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-c\"]{0,2}", inner.clone(), 0..4)
                .prop_map(|map| map.into_iter().collect::<Value>()),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| json!({ "$if": "data.a", "then": a, "else": b })),
            inner.prop_map(|a| json!({ "$each": "data", "do": a })),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_rendered_is_always_json(template in any_template(), data in crate::json::tests::any_json()) {
        if let Ok(template) = Template::new(raw(&template.to_string())) {
            let about = raw(r#"{"id":"evt"}"#);
            if let Ok(body) = template.render(&about, &raw(&data.to_string())) {
                prop_assert!(serde_json::from_slice::<Value>(&body).is_ok(), "{:?}", String::from_utf8(body));
            }
        }
    }

    #[test]
    fn no_expression_panics(text in "[a-z{}|.\\[\\]'\"0-9: \\\\é]{0,40}") {
        let _ = Template::new(raw(&json!(format!("{{{{{text}")).to_string()));
        let _ = compile::compile(&text);
    }
}
