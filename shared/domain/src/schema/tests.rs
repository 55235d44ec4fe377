use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::json::tests::any_json;

fn schema(source: &Value) -> Result<Schema, Invalid> {
    Schema::new(serde_json::value::to_raw_value(source).unwrap())
}

fn faults_of(schema: &Schema, payload: &str) -> Vec<(String, String)> {
    let raw = RawValue::from_string(payload.to_owned()).unwrap();
    let faults = schema.faults(&Document::of(&raw));
    let pair = |fault: Invalid| (fault.field.into_owned(), fault.rule.into_owned());
    faults.into_iter().map(pair).collect()
}

fn fits(source: &Value, payload: &Value) -> bool {
    faults_of(&schema(source).unwrap(), &payload.to_string()).is_empty()
}

fn fields_of(source: &Value, payload: &Value) -> Vec<String> {
    let faults = faults_of(&schema(source).unwrap(), &payload.to_string());
    faults.into_iter().map(|(field, _)| field).collect()
}

/// A schema that says everything there is to say of a value.
fn schema_of(value: &Value) -> Value {
    match value {
        Value::Object(fields) => json!({
            "type": "object",
            "properties": fields.iter().map(|(name, value)| (name.clone(), schema_of(value))).collect::<Value>(),
            "required": fields.keys().collect::<Vec<_>>(),
            "additionalProperties": false,
        }),
        Value::Array(items) => json!({
            "type": "array",
            "prefixItems": if items.is_empty() { json!([true]) } else { items.iter().map(schema_of).collect() },
            "items": false,
            "minItems": items.len(),
            "maxItems": items.len(),
        }),
        Value::String(text) => {
            json!({ "type": "string", "minLength": text.chars().count(), "const": text })
        }
        Value::Number(number) => json!({ "type": "number", "minimum": number, "maximum": number }),
        Value::Bool(_) => json!({ "type": "boolean", "enum": [value] }),
        Value::Null => json!({ "type": "null" }),
    }
}

/// Equal as JSON Schema has it: numbers by their value.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a == b,
            // Halves of 32 bits are exact.
            (Some(whole), None) | (None, Some(whole)) => {
                let half = a.as_i64().map_or(a, |_| b).as_f64().unwrap();
                format!("{half}") == whole.to_string()
            }
            (None, None) => a.as_f64() == b.as_f64(),
        },
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let has = |(name, a): (&String, &Value)| b.get(name).is_some_and(|b| same(a, b));
            a.len() == b.len() && a.iter().all(has)
        }
        _ => one == other,
    }
}

/// Schemas that mean something, nested.
fn any_schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        prop_oneof![
            Just("null"),
            Just("boolean"),
            Just("integer"),
            Just("number"),
            Just("string"),
            Just("array"),
            Just("object")
        ]
        .prop_map(|kind| json!({ "type": kind })),
        any_json().prop_map(|value| json!({ "const": value })),
        (-5i64..5).prop_map(|n| json!({ "minimum": n })),
        (0usize..3).prop_map(|n| json!({ "maxItems": n, "maxLength": n, "maxProperties": n })),
        Just(json!({ "uniqueItems": true })),
        Just(json!({ "required": ["a"] })),
    ];
    leaf.prop_recursive(3, 20, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| json!({ "not": one })),
            proptest::collection::vec(inner.clone(), 1..4).prop_map(|all| json!({ "anyOf": all })),
            proptest::collection::vec(inner.clone(), 1..4).prop_map(|all| json!({ "oneOf": all })),
            proptest::collection::vec(inner.clone(), 1..4).prop_map(|all| json!({ "allOf": all })),
            inner.clone().prop_map(|one| json!({ "items": one })),
            inner
                .clone()
                .prop_map(|one| json!({ "properties": { "a": one } })),
            (inner.clone(), inner.clone(), inner).prop_map(
                |(a, b, c)| json!({ "additionalProperties": a, "if": b, "then": c, "else": false })
            ),
        ]
    })
}

proptest! {
    #[test]
    fn a_value_fits_what_is_said_of_it_and_only_it_does(value in any_json(), other in any_json()) {
        let described = schema(&schema_of(&value));
        // Of long values more can be said than a schema may hold.
        prop_assume!(described.is_ok());
        let described = described.unwrap();
        prop_assert_eq!(faults_of(&described, &value.to_string()), []);
        prop_assert_eq!(faults_of(&described, &other.to_string()).is_empty(), same(&value, &other));
    }

    #[test]
    fn a_constant_is_equal_to_itself_however_it_is_written(value in any_json(), other in any_json()) {
        let constant = json!({ "const": value });
        let pretty = format!("{value:#}");
        prop_assert_eq!(faults_of(&schema(&constant).unwrap(), &pretty), []);
        prop_assert_eq!(fits(&constant, &other), same(&value, &other));
    }

    #[test]
    fn either_a_schema_holds_or_its_opposite(source in any_schema(), value in any_json()) {
        let holds = fits(&source, &value);
        prop_assert_eq!(fits(&json!({ "not": source }), &value), !holds);
        prop_assert_eq!(fits(&json!({ "allOf": [source] }), &value), holds);
        prop_assert_eq!(fits(&json!({ "oneOf": [source] }), &value), holds);
        prop_assert_eq!(fits(&json!({ "anyOf": [source, false] }), &value), holds);
        prop_assert_eq!(fits(&json!({ "$ref": "#/$defs/s", "$defs": { "s": source } }), &value), holds);
    }

    #[test]
    fn no_json_is_a_schema_that_panics(source in any_json(), value in any_json()) {
        if let Ok(compiled) = schema(&source) {
            let _ = faults_of(&compiled, &value.to_string());
        }
    }
}

#[test]
fn each_keyword_asks_what_it_says() {
    let table = [
        (json!({ "type": "integer" }), json!(3.0), json!(3.5)),
        (json!({ "type": ["string", "null"] }), json!(null), json!(1)),
        (json!({ "enum": ["a", 1] }), json!(1.0), json!("b")),
        (json!({ "minimum": 1 }), json!(1), json!(0.99)),
        (json!({ "exclusiveMinimum": 1 }), json!(1.01), json!(1)),
        (json!({ "maximum": 1 }), json!(1), json!(1.01)),
        (json!({ "exclusiveMaximum": 1 }), json!(0.99), json!(1)),
        (json!({ "multipleOf": 0.01 }), json!(19.99), json!(19.995)),
        (json!({ "minLength": 2 }), json!("äö"), json!("ä")),
        (json!({ "maxLength": 2 }), json!("äö"), json!("äöü")),
        (json!({ "minItems": 1 }), json!([0]), json!([])),
        (json!({ "maxItems": 1 }), json!([0]), json!([0, 0])),
        (
            json!({ "uniqueItems": true }),
            json!([1, "1", [1]]),
            json!([1, 1.0]),
        ),
        (
            json!({ "items": { "type": "number" } }),
            json!([1]),
            json!([1, "1"]),
        ),
        (
            json!({ "prefixItems": [{ "type": "number" }], "items": false }),
            json!([1]),
            json!([1, 2]),
        ),
        (
            json!({ "required": ["a"] }),
            json!({ "a": null }),
            json!({}),
        ),
        (
            json!({ "properties": { "a": { "type": "string" } } }),
            json!({ "b": 1 }),
            json!({ "a": 1 }),
        ),
        (
            json!({ "properties": { "a": true }, "additionalProperties": false }),
            json!({ "a": 1 }),
            json!({ "b": 1 }),
        ),
        (
            json!({ "propertyNames": { "maxLength": 1 } }),
            json!({ "a": 1 }),
            json!({ "ab": 1 }),
        ),
        (
            json!({ "minProperties": 1, "maxProperties": 1 }),
            json!({ "a": 1 }),
            json!({}),
        ),
        (
            json!({ "dependentRequired": { "card": ["name"] } }),
            json!({ "name": 1 }),
            json!({ "card": 1 }),
        ),
        (
            json!({ "if": { "required": ["a"] }, "then": { "required": ["b"] }, "else": { "required": ["c"] } }),
            json!({ "a": 1, "b": 1 }),
            json!({ "a": 1, "c": 1 }),
        ),
        (
            json!({ "oneOf": [{ "type": "number" }, { "minimum": 5 }] }),
            json!(4),
            json!(5),
        ),
        (json!({ "not": { "type": "null" } }), json!(0), json!(null)),
        (
            json!({ "format": "email", "x-owner": "team" }),
            json!("no address"),
            json!(null),
        ),
    ];
    for (source, good, bad) in table {
        assert!(fits(&source, &good), "{source} {good}");
        let only_annotations = source.get("format").is_some();
        assert_eq!(fits(&source, &bad), only_annotations, "{source} {bad}");
    }
}

#[test]
fn each_fault_is_told_under_the_name_of_its_field() {
    let source = json!({
        "type": "object",
        "required": ["order_id", "lines"],
        "properties": {
            "order_id": { "type": "string" },
            "lines": { "type": "array", "items": { "$ref": "#/$defs/line" } },
        },
        "$defs": { "line": { "required": ["sku"], "properties": { "sku": { "minLength": 3 } } } },
    });
    let payload = json!({ "order_id": 1, "lines": [{ "sku": "abc" }, { "sku": "a" }, {}] });
    assert_eq!(
        fields_of(&source, &payload),
        ["data.lines[1].sku", "data.lines[2].sku", "data.order_id"]
    );
    assert_eq!(fields_of(&source, &json!([])), ["data"]);
    assert_eq!(
        fields_of(&source, &json!({})),
        ["data.order_id", "data.lines"]
    );
    let many = json!({ "items": false });
    assert_eq!(fields_of(&many, &json!(vec![0; 50])).len(), MAX_FAULTS);
}

#[test]
fn what_would_not_be_checked_is_refused_by_its_place() {
    let field = |source: Value| schema(&source).unwrap_err().field.into_owned();
    let within = |inner: Value| json!({ "properties": { "a": inner } });
    assert_eq!(
        field(within(json!({ "pattern": "^a" }))),
        "schema.properties.a.pattern"
    );
    assert_eq!(field(json!({ "contains": {} })), "schema.contains");
    assert_eq!(
        field(json!({ "unevaluatedProperties": false })),
        "schema.unevaluatedProperties"
    );
    assert_eq!(field(json!({ "requierd": ["a"] })), "schema.requierd");
    assert_eq!(
        field(json!({ "$schema": "http://json-schema.org/draft-04/schema#" })),
        "schema.$schema"
    );
    assert_eq!(
        field(json!({ "allOf": [{ "type": "text" }] })),
        "schema.allOf[0].type"
    );
    assert_eq!(
        field(json!({ "$ref": "https://example.com/s" })),
        "schema.$ref"
    );
    assert_eq!(field(json!({ "$ref": "#/$defs/none" })), "schema.$ref");
    assert_eq!(field(json!({ "minLength": -1 })), "schema.minLength");
    assert_eq!(
        field(json!({ "minItems": 2, "maxItems": 1 })),
        "schema.maxItems"
    );
    assert_eq!(field(json!({ "multipleOf": 0 })), "schema.multipleOf");
    assert_eq!(field(json!({ "then": {} })), "schema");
    assert_eq!(field(json!([])), "schema");
    assert_eq!(field(json!({ "items": [{}] })), "schema.items");
}

#[test]
fn a_schema_is_bounded_in_size_depth_and_circles() {
    let mut deep = json!({});
    for _ in 0..=MAX_DEPTH {
        deep = json!({ "items": deep });
    }
    assert!(schema(&deep).unwrap_err().rule.contains("32 levels"));
    let long = json!({ "title": "x".repeat(MAX_BYTES) });
    assert!(schema(&long).is_err());
    let wide = json!({ "allOf": vec![json!({}); MAX_SCHEMAS] });
    assert!(schema(&wide).unwrap_err().rule.contains("1000"));
    assert!(schema(&json!({ "$ref": "#" })).is_err());
    let circle = json!({ "$ref": "#/$defs/a", "$defs": {
        "a": { "anyOf": [{ "$ref": "#/$defs/b" }] },
        "b": { "not": { "$ref": "#/$defs/a" } },
    } });
    assert!(schema(&circle).is_err());
}

#[test]
fn a_tree_may_hold_itself() {
    let tree = json!({
        "type": "object",
        "properties": { "children": { "type": "array", "items": { "$ref": "#" } } },
        "additionalProperties": false,
    });
    assert!(fits(
        &tree,
        &json!({ "children": [{ "children": [] }, {}] })
    ));
    assert_eq!(
        fields_of(
            &tree,
            &json!({ "children": [{ "children": [{ "x": 1 }] }] })
        ),
        ["data.children[0].children[0].x"]
    );
}

#[test]
fn a_check_that_would_never_end_is_given_up() {
    // Each level is looked at twice: 2^60 times in all.
    let branch = json!({ "properties": { "a": { "$ref": "#" }, "b": false } });
    let doubling = schema(&json!({ "anyOf": [branch, branch] })).unwrap();
    let payload = format!("{}0{}", "{\"b\":0,\"a\":".repeat(60), "}".repeat(60));
    let faults = faults_of(&doubling, &payload);
    assert_eq!(faults.len(), 1);
    assert!(faults[0].1.contains("too many steps"), "{faults:?}");
}

#[test]
fn what_is_nested_too_deep_to_see_does_not_fit() {
    let tree = json!({ "items": { "$ref": "#" }, "type": "array" });
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let faults = faults_of(&schema(&tree).unwrap(), &deep);
    assert!(faults[0].1.contains("nested too deep"), "{faults:?}");
    assert!(fits(&json!(true), &serde_json::from_str(&deep).unwrap()));
}

#[test]
fn a_stored_schema_reads_back_as_it_was() {
    let source = r#"{ "type": "object", "title": "1.10" }"#;
    let stored: Schema = serde_json::from_str(source).unwrap();
    assert_eq!(serde_json::to_string(&stored).unwrap(), source);
    assert_eq!(faults_of(&stored, "[]").len(), 1);
}
