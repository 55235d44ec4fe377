//! What the other functions read and answer. Their types are theirs; what is said here is held
//! against their real answers by the black-box tests.

use serde_json::{Value, json};

use super::describe::Described;

pub(super) const KEY: &[(&str, &str)] = &[IDEMPOTENCY_KEY];
const IDEMPOTENCY_KEY: (&str, &str) = (
    "Idempotency-Key",
    "A repeat with the same key within 24 hours is sent nothing twice",
);
/// What a call with events may say besides.
const WITH_EVENTS: &[(&str, &str)] = &[
    IDEMPOTENCY_KEY,
    (
        "traceparent",
        "The trace that the call is part of (W3C Trace Context): the requests to endpoints carry it on",
    ),
];

fn text() -> Value {
    json!({ "type": "string" })
}

fn event_draft() -> Value {
    json!({
        "type": "object",
        "required": ["event_type", "payload"],
        "properties": {
            "event_type": { "type": "string", "pattern": "^[A-Za-z0-9_.:/-]{1,128}$", "examples": ["order.created"] },
            "payload": {
                "description": "Any JSON but null, at most 256 KiB",
                "type": ["object", "array", "string", "number", "boolean"],
            },
            "id": { "type": "string", "minLength": 1, "maxLength": 255, "description": "Your own id; it serves as idempotency key" },
            "tenant": { "type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$" },
            "idempotency_key": { "type": "string", "pattern": "^[ -~]{1,255}$", "description": "As the header, for each event of a batch" },
            "deliver_at": {
                "description": "When it goes out, at most 365 days ahead: RFC 3339, or unix time in seconds; the past means now",
                "anyOf": [{ "type": "string", "format": "date-time" }, { "type": "number" }],
            },
        },
    })
}

/// A CloudEvent 1.0, all of it in JSON.
fn cloud_event() -> Value {
    json!({
        "type": "object",
        "required": ["specversion", "id", "source", "type"],
        "properties": {
            "specversion": { "const": "1.0" },
            "id": { "type": "string", "minLength": 1, "maxLength": 200, "description": "Names the event, together with its source" },
            "source": { "type": "string", "minLength": 1, "maxLength": 50, "format": "uri-reference" },
            "type": { "type": "string", "pattern": "^[A-Za-z0-9_.:/-]{1,128}$" },
            "subject": { "type": "string", "minLength": 1 },
            "time": { "type": "string", "format": "date-time" },
            "datacontenttype": { "type": "string", "examples": ["application/json"] },
            "dataschema": { "type": "string", "format": "uri" },
            "data": { "description": "Any JSON" },
            "data_base64": { "type": "string", "contentEncoding": "base64", "description": "Instead of `data`" },
        },
    })
}

fn accepted() -> Value {
    json!({
        "type": "object",
        "required": ["id", "event_type", "tenant", "timestamp", "delivery_count", "deliveries"],
        "properties": {
            "id": text(),
            "event_type": text(),
            "tenant": text(),
            "timestamp": { "type": "string", "format": "date-time" },
            "deliver_at": { "type": "string", "format": "date-time" },
            "alias": text(),
            "duplicate": { "type": "boolean", "description": "Whether an earlier call with the same key had been accepted" },
            "delivery_count": { "type": "integer" },
            "deliveries": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["id", "endpoint_id"],
                    "properties": { "id": text(), "endpoint_id": text() },
                },
            },
        },
    })
}

pub(super) fn post_event(call: Described) -> Described {
    call.headers(WITH_EVENTS)
        .body_of(event_draft())
        .or_body("application/cloudevents+json", cloud_event())
        .answers(202, "Accepted", Some(("application/json", accepted())))
        .problems(&[(409, "The key was used with another type or payload")])
}

pub(super) fn post_batch(call: Described) -> Described {
    let mut result = accepted();
    if let Some(fields) = result.as_object_mut() {
        fields.remove("required");
    }
    let properties = result.get_mut("properties");
    if let Some(properties) = properties.and_then(Value::as_object_mut) {
        properties.insert("index".to_owned(), json!({ "type": "integer" }));
        properties.insert("status".to_owned(), json!({ "type": "integer" }));
        properties.insert(
            "problem".to_owned(),
            json!({ "$ref": "#/components/schemas/Problem" }),
        );
    }
    let answer = json!({
        "type": "object",
        "required": ["accepted", "rejected", "results"],
        "properties": {
            "accepted": { "type": "integer" },
            "rejected": { "type": "integer" },
            "results": { "type": "array", "items": result },
        },
    });
    let batch = json!({
        "type": "object",
        "required": ["events"],
        "properties": {
            "events": { "type": "array", "minItems": 1, "maxItems": 100, "items": event_draft() },
        },
    });
    call.headers(WITH_EVENTS)
        .body_of(batch)
        .or_body(
            "application/cloudevents-batch+json",
            json!({ "type": "array", "minItems": 1, "maxItems": 100, "items": cloud_event() }),
        )
        .answers(
            202,
            "Some were accepted",
            Some(("application/json", answer.clone())),
        )
        .answers(422, "None was accepted", Some(("application/json", answer)))
}

fn filter() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "description": "Everything that is given must hold; `all` must be said if nothing is",
        "properties": {
            "all": { "type": "boolean" },
            "delivery_ids": { "type": "array", "items": text(), "maxItems": 100 },
            "event_id": text(),
            "endpoint_id": text(),
            "event_type": text(),
            "status": { "enum": ["pending", "retrying", "parked", "held", "delivered", "dead", "cancelled"] },
            "resolved": { "type": "boolean" },
            "q": { "type": "string", "minLength": 1, "maxLength": 256, "description": "Text in the words of a failure" },
            "failure": { "type": "string", "examples": ["http_5xx", "timeout", "expired"] },
            "from": { "type": "string", "format": "date-time" },
            "to": { "type": "string", "format": "date-time" },
        },
    })
}

/// A job as it is shown.
pub(super) fn job() -> Value {
    let count = json!({ "type": "integer" });
    let time = json!({ "type": ["string", "null"], "format": "date-time" });
    json!({
        "type": "object",
        "required": ["id", "tenant", "action", "status", "filter", "dry_run", "rate_per_second", "examined", "matched", "done", "created_at", "finished_at"],
        "properties": {
            "id": text(),
            "tenant": text(),
            "action": { "enum": ["retry", "replay", "cancel", "resolve", "delete"] },
            "status": { "enum": ["running", "finished", "cancelled"] },
            "filter": filter(),
            "dry_run": { "type": "boolean" },
            "rate_per_second": count,
            "examined": count,
            "matched": count,
            "done": count,
            "replayed": count,
            "done_per_second": { "type": ["number", "null"] },
            "by": text(),
            "note": text(),
            "created_at": { "type": "string", "format": "date-time" },
            "finished_at": time,
            "cancelled_at": time,
        },
    })
}

/// A page of jobs.
pub(super) fn jobs() -> Value {
    json!({
        "type": "object",
        "required": ["data", "next"],
        "properties": {
            "data": { "type": "array", "items": job() },
            "next": { "type": ["string", "null"] },
        },
    })
}

pub(super) fn post_job(call: Described) -> Described {
    let order = json!({
        "type": "object",
        "required": ["action", "filter"],
        "properties": {
            "action": { "enum": ["retry", "replay", "cancel", "resolve", "delete"] },
            "filter": filter(),
            "dry_run": { "type": "boolean", "default": false },
            "rate_per_second": { "type": "integer", "minimum": 1, "maximum": 10000 },
            "note": { "type": "string", "maxLength": 1024 },
            "tenant": text(),
        },
    });
    call.body_of(order)
        .answers(202, "Begun", Some(("application/json", job())))
}

pub(super) fn post_replay(call: Described) -> Described {
    let order = json!({
        "type": "object",
        "required": ["filter"],
        "properties": {
            "filter": filter(),
            "dry_run": { "type": "boolean", "default": false },
            "rate_per_second": { "type": "integer", "minimum": 1, "maximum": 10000, "default": 50 },
            "tenant": text(),
        },
    });
    call.body_of(order)
        .answers(202, "Begun", Some(("application/json", job())))
}

pub(super) fn replay_one(call: Described) -> Described {
    let begun = json!({
        "type": "object",
        "required": ["delivery_id", "status", "cycle"],
        "properties": { "delivery_id": text(), "status": text(), "cycle": { "type": "integer" } },
    });
    call.answers(202, "Begun", Some(("application/json", begun)))
        .problems(&[(409, "The delivery is not dead")])
}
