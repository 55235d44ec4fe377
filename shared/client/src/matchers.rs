//! What a payload has to look like, for the assertions of [`FakeLog`](crate::FakeLog).
//!
//! [`PayloadMatcher`] is for matchers of your own; any `Fn(&Value) -> bool` is one.

use serde_json::Value;

/// Judges payloads.
pub trait PayloadMatcher {
    /// Why `payload` is not what is looked for; none if it is.
    fn mismatch(&self, payload: &Value) -> Option<String>;
}

impl<F: Fn(&Value) -> bool> PayloadMatcher for F {
    fn mismatch(&self, payload: &Value) -> Option<String> {
        (!self(payload)).then(|| "does not satisfy the condition".to_owned())
    }
}

/// Payloads that have at least these fields, at any depth. Lists have to be the same.
pub fn contains(wanted: Value) -> impl PayloadMatcher {
    Contains(wanted)
}

/// Payloads that are this very JSON.
pub fn equals(wanted: Value) -> impl PayloadMatcher {
    Equals(wanted)
}

/// Payloads with this value at a JSON pointer such as `/items/0/sku`.
pub fn at(pointer: &str, wanted: impl Into<Value>) -> impl PayloadMatcher {
    At(pointer.to_owned(), wanted.into())
}

struct Contains(Value);
struct Equals(Value);
struct At(String, Value);

impl PayloadMatcher for Contains {
    fn mismatch(&self, payload: &Value) -> Option<String> {
        lacks(&self.0, payload, "payload")
    }
}

impl PayloadMatcher for Equals {
    fn mismatch(&self, payload: &Value) -> Option<String> {
        (*payload != self.0).then(|| format!("is not {}", self.0))
    }
}

impl PayloadMatcher for At {
    fn mismatch(&self, payload: &Value) -> Option<String> {
        let Self(pointer, wanted) = self;
        match payload.pointer(pointer) {
            Some(found) if found == wanted => None,
            Some(found) => Some(format!("{pointer} is {found}, not {wanted}")),
            None => Some(format!("{pointer} is missing")),
        }
    }
}

/// The first thing of `wanted` that `found` lacks.
fn lacks(wanted: &Value, found: &Value, place: &str) -> Option<String> {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => wanted.iter().find_map(|(name, value)| {
            let place = format!("{place}.{name}");
            match found.get(name) {
                Some(found) => lacks(value, found, &place),
                None => Some(format!("{place} is missing")),
            }
        }),
        _ => (wanted != found).then(|| format!("{place} is {found}, not {wanted}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn contains_asks_for_no_more_than_it_names() {
        let payload = json!({ "order": { "id": "1", "amount": 2 }, "tags": ["a"] });
        let why = |wanted: Value| contains(wanted).mismatch(&payload);
        assert_eq!(why(json!({})), None);
        assert_eq!(why(json!({ "order": { "id": "1" }, "tags": ["a"] })), None);
        let told = why(json!({ "order": { "id": "2" } })).unwrap();
        assert_eq!(told, r#"payload.order.id is "1", not "2""#);
        assert_eq!(why(json!({ "sum": 1 })).unwrap(), "payload.sum is missing");
        assert!(why(json!({ "tags": [] })).is_some());
        assert!(why(json!(1)).is_some());
    }

    #[test]
    fn the_others_say_what_they_miss() {
        let payload = json!({ "items": [{ "sku": "x" }] });
        assert_eq!(at("/items/0/sku", "x").mismatch(&payload), None);
        let told = at("/items/0/sku", "y").mismatch(&payload).unwrap();
        assert_eq!(told, r#"/items/0/sku is "x", not "y""#);
        assert!(at("/items/1", 1).mismatch(&payload).is_some());
        assert_eq!(equals(payload.clone()).mismatch(&payload), None);
        assert!(equals(json!({})).mismatch(&payload).is_some());
        assert_eq!((|p: &Value| p["items"].is_array()).mismatch(&payload), None);
    }
}
