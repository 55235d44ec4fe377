//! What an operation is given, and what it shows.

use hookpost_adapters::api::{self, Problem};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// By the same rules as a body over HTTP.
pub(crate) fn read<T: DeserializeOwned>(given: Map<String, Value>) -> Result<T, Problem> {
    api::parse_object(Value::Object(given).to_string().as_bytes())
}

/// The fields of the argument `input`.
pub(crate) fn input<T: DeserializeOwned>(mut given: Map<String, Value>) -> Result<T, Problem> {
    match given.remove("input") {
        Some(Value::Object(fields)) => read(fields),
        _ => read(Map::new()),
    }
}

/// A payload may be JSON that is no value here, such as `1e999`.
pub(crate) fn shown(view: &impl Serialize) -> Result<Value, Problem> {
    serde_json::to_value(view).map_err(|_| {
        Problem::bad_request("the payload is no JSON that GraphQL can hold: read it at /api/v1")
    })
}
