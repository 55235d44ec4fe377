use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn raw(json: &Value) -> Box<RawValue> {
    RawValue::from_string(json.to_string()).unwrap()
}

fn filter(over_data: &Value) -> Filter {
    Filter::new(raw(&json!({ "data": over_data }))).unwrap()
}

fn matches(over_data: &Value, data: &str) -> bool {
    let data = RawValue::from_string(data.to_owned()).unwrap();
    let document = Document::of(&data);
    let filter = filter(over_data);
    let matched = filter.matches(&document);
    assert_eq!(
        filter.unmet(&document).is_empty(),
        matched,
        "{over_data} {data}"
    );
    matched
}

/// Whether `{"a": [condition]}` holds for `{"a": value}`.
fn holds(condition: &Value, value: &str) -> bool {
    matches(&json!({ "a": [condition] }), &format!("{{\"a\":{value}}}"))
}

fn refused(filter: &Value) -> Invalid {
    Filter::new(raw(filter)).unwrap_err()
}

#[test]
fn each_operator_does_what_eventbridge_documents() {
    let held = |condition: Value, yes: &[&str], no: &[&str]| {
        for value in yes {
            assert!(holds(&condition, value), "{condition} {value}");
        }
        for value in no {
            assert!(!holds(&condition, value), "{condition} {value}");
        }
    };
    held(
        json!("x"),
        &["\"x\"", r#""\u0078""#],
        &["\"X\"", "1", "null", "{}"],
    );
    held(json!(""), &["\"\""], &["null", "\" \""]);
    held(json!(null), &["null"], &["\"null\"", "0", "false"]);
    held(json!(true), &["true"], &["false", "\"true\"", "1"]);
    held(
        json!(300),
        &["300", "300.0", "3.0e2"],
        &["\"300\"", "301", "-300"],
    );
    held(
        json!({"prefix": "ab"}),
        &["\"abc\"", "\"ab\""],
        &["\"a\"", "\"xab\"", "1"],
    );
    held(
        json!({"prefix": {"equals-ignore-case": "EVENTb"}}),
        &["\"eventBridge\""],
        &["\"event\"", "\"myeventb\""],
    );
    held(json!({"prefix": ""}), &["\"\"", "\"x\""], &["1", "null"]);
    held(
        json!({"suffix": ".png"}),
        &["\"a.png\""],
        &["\"a.PNG\"", "\"png\""],
    );
    held(
        json!({"suffix": {"equals-ignore-case": ".PNG"}}),
        &["\"a.png\"", "\"a.pNg\""],
        &["\"a.pn\""],
    );
    held(
        json!({"equals-ignore-case": "Älice"}),
        &["\"äLICE\""],
        &["\"alice\"", "1"],
    );
    held(
        json!({"anything-but": "x"}),
        &["\"y\"", "1", "null"],
        &["\"x\"", "{}", "[]"],
    );
    held(json!({"anything-but": 1}), &["2", "\"1\""], &["1", "1.0"]);
    held(
        json!({"anything-but": ["x", "y"]}),
        &["\"z\""],
        &["\"x\"", "\"y\""],
    );
    held(
        json!({"anything-but": {"prefix": "in"}}),
        &["\"on\"", "5"],
        &["\"init\""],
    );
    held(
        json!({"anything-but": {"suffix": ["a", "b"]}}),
        &["\"c\""],
        &["\"xa\"", "\"b\""],
    );
    held(
        json!({"anything-but": {"wildcard": "*/lib/*"}}),
        &["\"/bin/\""],
        &["\"/lib/x\""],
    );
    held(
        json!({"anything-but": {"equals-ignore-case": "init"}}),
        &["\"x\""],
        &["\"INIT\""],
    );
    held(
        json!({"numeric": ["=", 301.8]}),
        &["301.80", "3.018e2"],
        &["\"301.8\"", "301"],
    );
    held(
        json!({"numeric": [">", 0, "<=", 5]}),
        &["5", "0.1"],
        &["0", "5.01", "-1", "\"3\""],
    );
    held(json!({"numeric": ["<", 10]}), &["9.99", "-1e9"], &["10"]);
    held(
        json!({"exists": true}),
        &["1", "null", "\"\"", "[1]"],
        &["{}", "{\"b\":1}", "[]"],
    );
    held(
        json!({"exists": false}),
        &["{\"b\":1}", "[]"],
        &["1", "null"],
    );
    held(
        json!({"cidr": "10.0.0.0/8"}),
        &["\"10.1.2.3\""],
        &["\"11.0.0.1\"", "\"x\"", "10"],
    );
    held(json!({"cidr": "0.0.0.0/0"}), &["\"9.9.9.9\""], &["\"::1\""]);
    held(
        json!({"cidr": "2001:db8::/32"}),
        &["\"2001:db8:1::1\""],
        &["\"2001:db9::1\""],
    );
    held(
        json!({"wildcard": "a*b*c"}),
        &["\"abc\"", "\"aXbXbc\"", "\"abbcc\""],
        &["\"ab\"", "\"acb\"", "\"abcx\""],
    );
    held(
        json!({"wildcard": "aba*aba"}),
        &["\"abaaba\""],
        &["\"aba\"", "\"ababa\""],
    );
    held(json!({"wildcard": r"\*\\"}), &[r#""*\\""#], &["\"x\""]);
}

#[test]
fn fields_are_all_wanted_and_conditions_and_elements_any() {
    let paid = json!({ "status": ["paid", "shipped"], "total": [{ "numeric": [">", 100] }] });
    assert!(matches(
        &paid,
        r#"{"status":"paid","total":100.01,"more":1}"#
    ));
    assert!(!matches(&paid, r#"{"status":"paid","total":100}"#));
    assert!(!matches(&paid, r#"{"total":500}"#));
    assert!(matches(
        &json!({ "tags": ["b"] }),
        r#"{"tags":["a",["b"]]}"#
    ));
    assert!(!matches(&json!({ "tags": ["b"] }), r#"{"tags":[]}"#));
    // In a list of objects, one element has to meet all of it.
    let line = json!({ "lines": { "sku": ["a"], "qty": [2] } });
    assert!(matches(
        &line,
        r#"{"lines":[{"sku":"a","qty":1},{"sku":"a","qty":2}]}"#
    ));
    assert!(!matches(
        &line,
        r#"{"lines":[{"sku":"a","qty":1},{"sku":"b","qty":2}]}"#
    ));
    assert!(matches(&json!(["x"]), "\"x\""));
}

#[test]
fn alternatives_hold_if_one_does_beside_all_the_rest() {
    let either = json!({
        "a": [1],
        "$or": [{ "b": [2] }, { "c": { "$or": [{ "d": [3] }, { "e": [{ "exists": false }], "f": [4] }] } }],
    });
    assert!(matches(&either, r#"{"a":1,"b":2}"#));
    assert!(matches(&either, r#"{"a":1,"c":{"d":3}}"#));
    assert!(matches(&either, r#"{"a":1,"c":{"f":4}}"#));
    assert!(!matches(&either, r#"{"a":1,"c":{"f":4,"e":0}}"#));
    assert!(!matches(&either, r#"{"b":2}"#));
}

#[test]
fn absent_is_what_no_element_has() {
    let gone = json!({ "lines": { "gift": [{ "exists": false }] } });
    assert!(matches(&gone, "{}"));
    assert!(matches(&gone, r#"{"lines":[{"sku":1},{"sku":2}]}"#));
    assert!(!matches(&gone, r#"{"lines":[{"sku":1},{"gift":2}]}"#));
    assert!(matches(
        &json!({ "a": [{ "exists": false }, 1] }),
        r#"{"a":1}"#
    ));
}

#[test]
fn what_is_unmet_is_told_with_what_was_there() {
    let wanted =
        filter(&json!({ "status": ["paid"], "order": { "total": [{ "numeric": [">", 100] }] } }));
    let data =
        RawValue::from_string(r#"{"status":"open","order":{"total":99.50}}"#.into()).unwrap();
    let told: Vec<_> = wanted
        .unmet(&Document::of(&data))
        .into_iter()
        .map(|unmet| (unmet.path, unmet.wants, unmet.found))
        .collect();
    let expect = |path: &str, wants: &str, found: &str| {
        (path.to_owned(), wants.to_owned(), found.to_owned())
    };
    assert_eq!(
        told,
        [
            expect("data.order.total", r#"[{"numeric":[">",100]}]"#, "99.50"),
            expect("data.status", r#"["paid"]"#, r#""open""#),
        ]
    );
}

#[test]
fn a_malformed_filter_is_refused_by_its_place() {
    for (bad, place) in [
        (json!([]), "filter"),
        (json!({}), "filter"),
        (json!({ "amount": [1] }), "filter.amount"),
        (json!({ "data": {} }), "filter.data"),
        (json!({ "data": 1 }), "filter.data"),
        (json!({ "data": { "a": "x" } }), "filter.data.a"),
        (json!({ "data": { "a": [] } }), "filter.data.a"),
        (json!({ "data": { "a": [[1]] } }), "filter.data.a[0]"),
        (json!({ "data": { "a": [1, {}] } }), "filter.data.a[1]"),
        (
            json!({ "data": { "a": [{ "like": "x" }] } }),
            "filter.data.a[0].like",
        ),
        (
            json!({ "data": { "a": [{ "prefix": "x", "suffix": "y" }] } }),
            "filter.data.a[0]",
        ),
        (
            json!({ "data": { "a": [{ "prefix": 1 }] } }),
            "filter.data.a[0].prefix",
        ),
        (
            json!({ "data": { "a": [{ "prefix": { "x": "y" } }] } }),
            "filter.data.a[0].prefix",
        ),
        (
            json!({ "data": { "a": [{ "exists": "yes" }] } }),
            "filter.data.a[0].exists",
        ),
        (
            json!({ "data": { "a": [{ "cidr": "10.0.0.0/33" }] } }),
            "filter.data.a[0].cidr",
        ),
        (
            json!({ "data": { "a": [{ "wildcard": "**" }] } }),
            "filter.data.a[0].wildcard",
        ),
        (
            json!({ "data": { "a": [{ "wildcard": "\\x" }] } }),
            "filter.data.a[0].wildcard",
        ),
        (
            json!({ "data": { "amount": [{ "numeric": [">"] }] } }),
            "filter.data.amount[0].numeric",
        ),
        (
            json!({ "data": { "a": [{ "numeric": [">", "5"] }] } }),
            "filter.data.a[0].numeric",
        ),
        (
            json!({ "data": { "a": [{ "numeric": [">", 5, "<", 5] }] } }),
            "filter.data.a[0].numeric",
        ),
        (
            json!({ "data": { "a": [{ "numeric": [">", 5, ">", 6] }] } }),
            "filter.data.a[0].numeric",
        ),
        (
            json!({ "data": { "a": [{ "numeric": [] }] } }),
            "filter.data.a[0].numeric",
        ),
        (
            json!({ "data": { "a": [{ "anything-but": [] }] } }),
            "filter.data.a[0].anything-but",
        ),
        (
            json!({ "data": { "a": [{ "anything-but": [[1]] }] } }),
            "filter.data.a[0].anything-but[0]",
        ),
        (
            json!({ "data": { "a": [{ "anything-but": { "prefix": [1] } }] } }),
            "filter.data.a[0].anything-but.prefix[0]",
        ),
        (json!({ "$or": [{ "data": [1] }] }), "filter.$or"),
        (
            json!({ "data": { "$or": [{ "a": [1] }, { "b": 1 }] } }),
            "filter.data.$or[1].b",
        ),
    ] {
        let invalid = refused(&bad);
        assert_eq!(invalid.field, place, "{bad}: {}", invalid.rule);
    }
    let twice = RawValue::from_string(r#"{"data":{"a":[1],"a":[2]}}"#.into()).unwrap();
    assert_eq!(Filter::new(twice).unwrap_err().field, "filter.data.a");
}

#[test]
fn a_filter_is_bounded_in_size_depth_and_conditions() {
    let long = json!({ "data": { "a": ["x".repeat(MAX_BYTES)] } });
    assert_eq!(refused(&long).field, "filter");
    let mut deep = json!([1]);
    for _ in 0..=MAX_DEPTH {
        deep = json!({ "a": deep });
    }
    assert!(refused(&json!({ "data": deep })).rule.contains("deeper"));
    let many = |count: usize| json!({ "data": { "a": vec![1; count] } });
    assert!(Filter::new(raw(&many(MAX_CONDITIONS))).is_ok());
    assert_eq!(
        refused(&many(MAX_CONDITIONS + 1)).field,
        "filter.data.a[100]"
    );
}

#[test]
fn a_stored_filter_that_cannot_be_read_loses_no_event() {
    let newer: Filter = serde_json::from_str(r#"{"data":{"a":[{"like":"x"}]}}"#).unwrap();
    let data = RawValue::from_string("{}".into()).unwrap();
    assert!(newer.matches(&Document::of(&data)));
    assert_eq!(serde_json::to_string(&newer).unwrap(), newer.source().get());
}

fn any_leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3i64..3).prop_map(Value::from),
        (-6i32..6).prop_map(|halves| json!(f64::from(halves) / 2.0)),
        "[abAB]{0,2}".prop_map(Value::from),
    ]
}

fn any_pattern() -> impl Strategy<Value = Value> {
    let word = "[ab*\\\\]{0,3}";
    let operator = prop_oneof![
        Just("prefix"),
        Just("suffix"),
        Just("wildcard"),
        Just("equals-ignore-case"),
        Just("anything-but"),
        Just("numeric"),
        Just("exists"),
        Just("cidr"),
        Just("$or"),
        Just("data"),
        Just("a"),
    ];
    let leaf = prop_oneof![
        any_leaf(),
        word.prop_map(Value::from),
        Just(json!([">", 1])),
        Just(json!([">", 1, "<", 2])),
        Just(json!("10.0.0.0/8")),
    ];
    let inner = leaf.prop_recursive(5, 30, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((operator.clone(), inner), 0..4).prop_map(|fields| {
                fields
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value))
                    .collect()
            }),
        ]
    });
    inner.prop_map(|inner| json!({ "data": inner }))
}

proptest! {
    #[test]
    fn anything_but_is_the_opposite_of_equal_on_what_is_there(wanted in any_leaf(), value in any_leaf()) {
        let value = value.to_string();
        prop_assert_ne!(holds(&wanted, &value), holds(&json!({ "anything-but": wanted }), &value));
    }

    #[test]
    fn exists_is_the_opposite_of_absent(value in proptest::option::of(crate::json::tests::any_json())) {
        let data = value.map_or_else(|| "{}".to_owned(), |value| format!("{{\"a\":{value}}}"));
        let exists = |wanted: bool| matches(&json!({ "a": [{ "exists": wanted }] }), &data);
        prop_assert_ne!(exists(true), exists(false));
    }

    #[test]
    fn the_order_of_fields_and_conditions_never_matters(fields in proptest::collection::btree_map("[a-d]", proptest::collection::vec(any_leaf(), 1..3), 1..4), data in crate::json::tests::any_json()) {
        let object = |fields: Vec<(&String, Vec<&Value>)>| {
            let fields: Vec<_> = fields.iter().map(|(name, any)| format!("{name:?}:{}", json!(any))).collect();
            RawValue::from_string(format!("{{\"data\":{{{}}}}}", fields.join(","))).unwrap()
        };
        let there = object(fields.iter().map(|(name, any)| (name, any.iter().collect())).collect());
        let back = object(fields.iter().rev().map(|(name, any)| (name, any.iter().rev().collect())).collect());
        let data = raw(&data);
        let document = Document::of(&data);
        let answer = |source| Filter::new(source).unwrap().matches(&document);
        prop_assert_eq!(answer(there), answer(back));
    }

    #[test]
    fn no_pattern_and_no_payload_panics(pattern in any_pattern(), data in crate::json::tests::any_json()) {
        if let Ok(filter) = Filter::new(raw(&pattern)) {
            let data = raw(&data);
            let document = Document::of(&data);
            prop_assert_eq!(filter.matches(&document), filter.unmet(&document).is_empty());
        }
    }

    #[test]
    fn no_text_panics(text in "[{}\\[\\]\":,a$or0-9*\\\\ .-]{0,60}") {
        let _ = compile::compile(&text);
    }
}
