//! The API as an `OpenAPI` 3.1 document, made from the table of routes and the types that are read
//! and written: <https://spec.openapis.org/oas/v3.1.1>.

mod access;
mod catalogue;
mod describe;
mod elsewhere;
mod sources;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use crate::routes::{Access, ROUTES, Route};
use describe::{Content, Described};

/// What every call may be answered beside what it says itself.
const PROBLEMS: [(u16, &str); 4] = [
    (404, "There is no such thing, or not for this caller"),
    (422, "A field is not valid"),
    (429, "Too many calls: `Retry-After` says when to try again"),
    (503, "A service this depends on did not answer"),
];

/// The document as text. It is made once.
pub(crate) fn text() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| document().to_string())
}

/// The document.
pub(crate) fn document() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    let mut generator = settings.into_generator();
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for route in documented() {
        let described = describe::describe(route.op, &mut generator);
        let operation = operation(route, described, &mut generator);
        paths
            .entry(shown_path(route))
            .or_default()
            .insert(route.method.to_ascii_lowercase(), operation);
    }
    let mut schemas = generator.take_definitions(true);
    schemas.insert("Problem".to_owned(), problem());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Hookpost",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Webhook delivery in your own AWS account. Errors are problem details \
                (RFC 9457) with a stable `type`. Lists come in pages: pass a page's `next` as `after`.",
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "bearer": [] }, { "apiKey": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer" },
                "apiKey": { "type": "apiKey", "in": "header", "name": "X-Api-Key" },
            },
        },
    })
}

/// The routes that are in the document: what a call does is told once, under the first method.
pub(crate) fn documented() -> impl Iterator<Item = &'static Route> {
    let mut seen = std::collections::HashSet::new();
    ROUTES.iter().filter(move |route| seen.insert(route.op))
}

/// The path that a route has in the document.
pub(crate) fn shown_path(route: &Route) -> String {
    match route.access {
        Access::Open => route.path.to_owned(),
        Access::Needs(_) => format!("/api/v1{}", route.path),
    }
}

fn operation(route: &Route, described: Described, generator: &mut SchemaGenerator) -> Value {
    let mut parameters: Vec<Value> = route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    if let Some(query) = described.query {
        parameters.extend(query_parameters(&query, generator));
    }
    parameters.extend(described.parameters);
    parameters.extend(described.headers.iter().map(|(name, text)| {
        json!({ "name": name, "in": "header", "description": text, "schema": { "type": "string" } })
    }));
    let mut responses = Map::new();
    for (status, text, content) in described.answers {
        answer(&mut responses, status, text, content);
    }
    let needs = match route.access {
        Access::Open => None,
        Access::Needs(scope) => Some(scope),
    };
    let mut problems: Vec<(u16, &str)> = described.problems.to_vec();
    if needs.is_some() {
        problems.extend(PROBLEMS);
        problems.extend([
            (401, "A valid API key is needed"),
            (403, "This key may not do this"),
        ]);
    }
    if described.body.is_some() {
        problems.push((400, "The body cannot be read"));
        problems.push((413, "The body is too large"));
        problems.push((415, "The body is of a type that is not read here"));
    }
    for (status, text) in problems {
        let problem = json!({ "$ref": "#/components/schemas/Problem" });
        let content = Some(("application/problem+json", problem));
        answer(&mut responses, status, text, content);
    }
    let mut operation = json!({
        "operationId": described.id,
        "summary": described.summary,
        "tags": [described.tag],
        "responses": responses,
    });
    let Some(fields) = operation.as_object_mut() else {
        return operation;
    };
    if !parameters.is_empty() {
        fields.insert("parameters".to_owned(), json!(parameters));
    }
    if let Some(body) = described.body {
        let bodies = std::iter::once(("application/json", body)).chain(described.other_bodies);
        let content: Map<String, Value> = bodies
            .map(|(media, schema)| (media.to_owned(), json!({ "schema": schema })))
            .collect();
        fields.insert(
            "requestBody".to_owned(),
            json!({ "required": !described.body_optional, "content": content }),
        );
    }
    match needs {
        None => {
            fields.insert("security".to_owned(), json!([]));
        }
        Some(scope) => {
            let text = format!("Needs the scope `{scope}`.");
            fields.insert("description".to_owned(), json!(text));
        }
    }
    operation
}

/// Adds an answer, or one more form of it.
fn answer(responses: &mut Map<String, Value>, status: u16, text: &str, content: Content) {
    let answer = responses
        .entry(status.to_string())
        .or_insert_with(|| json!({ "description": text }));
    let (Some(fields), Some((media, schema))) = (answer.as_object_mut(), content) else {
        return;
    };
    let forms = fields.entry("content").or_insert_with(|| json!({}));
    if let Some(forms) = forms.as_object_mut() {
        forms
            .entry(media)
            .or_insert_with(|| json!({ "schema": schema }));
    }
}

/// The properties of a query's shape, a parameter each.
fn query_parameters(query: &schemars::Schema, generator: &mut SchemaGenerator) -> Vec<Value> {
    let named = query.get("$ref").and_then(Value::as_str);
    let name = named.and_then(|path| path.rsplit('/').next());
    let shape = match name.and_then(|name| generator.definitions_mut().remove(name)) {
        Some(shape) => shape,
        None => query.clone().to_value(),
    };
    let required: Vec<&str> = shape
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let Some(properties) = shape.get("properties").and_then(Value::as_object) else {
        return Vec::new();
    };
    properties
        .iter()
        .map(|(name, schema)| {
            let mut schema = schema.clone();
            let text = schema
                .as_object_mut()
                .and_then(|fields| fields.remove("description"));
            let schema = without_null(schema);
            let mut parameter = json!({ "name": name, "in": "query", "schema": schema });
            if let Some(fields) = parameter.as_object_mut() {
                if let Some(text) = text {
                    fields.insert("description".to_owned(), text);
                }
                if required.contains(&name.as_str()) {
                    fields.insert("required".to_owned(), json!(true));
                }
            }
            parameter
        })
        .collect()
}

/// A parameter that is not given is left out, never null.
fn without_null(mut schema: Value) -> Value {
    if let Some(fields) = schema.as_object_mut() {
        fields.remove("default");
        if let Some(kinds) = fields.get_mut("type").and_then(Value::as_array_mut) {
            kinds.retain(|kind| kind != "null");
            if let [only] = kinds.as_slice() {
                let only = only.clone();
                fields.insert("type".to_owned(), only);
            }
        }
        if let Some(choices) = fields.get_mut("anyOf").and_then(Value::as_array_mut) {
            choices.retain(|choice| choice.get("type") != Some(&json!("null")));
        }
    }
    schema
}

fn problem() -> Value {
    json!({
        "type": "object",
        "description": "Problem details (RFC 9457)",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": { "type": "string", "description": "Stable: `urn:hookpost:problem:invalid`" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "errors": {
                "type": "array",
                "description": "The fields that are wrong",
                "items": {
                    "type": "object",
                    "required": ["field", "rule"],
                    "properties": {
                        "field": { "type": "string", "description": "As the caller wrote it" },
                        "rule": { "type": "string", "description": "What would be right" },
                    },
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_call_is_described_once_and_every_reference_leads_somewhere() {
        let document = document();
        let mut ids = HashSet::new();
        for path in document["paths"].as_object().unwrap().values() {
            for operation in path.as_object().unwrap().values() {
                let id = operation["operationId"].as_str().unwrap();
                assert!(ids.insert(id.to_owned()), "{id}");
            }
        }
        assert_eq!(ids.len(), documented().count());
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }
}
