//! Resources as the API shows them. Secrets are shown when they are made, and never again.

use hookpost_domain::Timestamp;
use hookpost_domain::delivery::{Attempt, AttemptResult, Delivery, Status};
use hookpost_domain::endpoint::{DisabledBy, Endpoint, EndpointState};
use hookpost_domain::event::Event;
use hookpost_domain::retry::{Backoff, Jitter, RetryPolicy};
use serde_json::{Map, Value, json};

/// An endpoint; with its secret only for whoever has just made it.
pub(crate) fn endpoint(
    endpoint: &Endpoint,
    default_retry: &RetryPolicy,
    with_secret: bool,
) -> Value {
    let (state, disabled_by) = match endpoint.state {
        EndpointState::Active => ("active", None),
        EndpointState::Paused => ("paused", None),
        EndpointState::Disabled(DisabledBy::Operator) => ("disabled", Some("operator")),
        EndpointState::Disabled(DisabledBy::Gone) => ("disabled", Some("gone")),
    };
    let headers: Map<String, Value> = endpoint
        .headers
        .iter()
        .map(|header| (header.name.clone(), json!(header.value)))
        .collect();
    let mut shown = json!({
        "id": endpoint.id,
        "tenant": endpoint.tenant,
        "name": endpoint.name,
        "description": endpoint.description,
        "url": endpoint.url,
        "event_types": endpoint.event_types,
        "state": state,
        "active": state == "active",
        "disabled_by": disabled_by,
        "retry": retry(endpoint.retry.as_ref().unwrap_or(default_retry)),
        "no_retry_statuses": endpoint.no_retry_statuses,
        "timeout_seconds": endpoint.timeout().as_secs(),
        "rate_limit_per_second": endpoint.rate_limit_per_second,
        "breaker": { "failures": endpoint.breaker.failures, "pause_seconds": endpoint.breaker.pause_seconds },
        "headers": headers,
        "auth": endpoint.auth.as_ref().map(|auth| json!({ "type": "basic", "username": auth.username })),
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
    });
    if with_secret
        && let (Some(fields), Some(key)) = (shown.as_object_mut(), endpoint.signing_keys.first())
    {
        fields.insert("secret".to_owned(), json!(key.secret.reveal()));
    }
    shown
}

fn retry(policy: &RetryPolicy) -> Value {
    let jitter = match policy.jitter() {
        Jitter::Ratio(ratio) => json!(ratio),
        Jitter::AddedSeconds(secs) => json!({ "added_seconds": secs }),
    };
    match policy.backoff() {
        Backoff::Exponential {
            first,
            factor,
            max,
            attempts,
        } => json!({
            "initial_delay": first,
            "multiplier": factor,
            "max_delay": max,
            "max_attempts": attempts,
            "jitter": jitter,
        }),
        Backoff::Delays(delays) => json!({
            "delays": delays,
            "max_attempts": delays.len(),
            "jitter": jitter,
        }),
    }
}

/// One attempt.
fn attempt(attempt: &Attempt) -> Value {
    let mut shown = json!({
        "number": attempt.number,
        "cycle": attempt.cycle,
        "at": attempt.at,
        "latency_ms": attempt.latency_ms,
        "status_code": attempt.status_code(),
    });
    if let (
        Some(fields),
        AttemptResult::Failed {
            kind,
            detail,
            response,
        },
    ) = (shown.as_object_mut(), &attempt.result)
    {
        fields.insert(
            "error".to_owned(),
            json!({ "kind": kind, "detail": detail }),
        );
        fields.insert("response".to_owned(), json!(response));
    }
    shown
}

/// A delivery with every attempt.
pub(crate) fn delivery(delivery: &Delivery) -> Value {
    let next = match delivery.status {
        Status::InQueue { next_attempt } => Some(next_attempt),
        Status::Parked { due } => Some(due),
        Status::Held { .. }
        | Status::Delivered { .. }
        | Status::Dead { .. }
        | Status::Cancelled { .. } => None,
    };
    let ended: Option<Timestamp> = match delivery.status {
        Status::Delivered { at } | Status::Dead { at, .. } | Status::Cancelled { at } => Some(at),
        Status::InQueue { .. } | Status::Parked { .. } | Status::Held { .. } => None,
    };
    let reason = match delivery.status {
        Status::Dead { reason, .. } => Some(reason.as_str()),
        Status::Held { paused: true } => Some("endpoint_paused"),
        Status::Held { paused: false } => Some("breaker_open"),
        Status::InQueue { .. }
        | Status::Parked { .. }
        | Status::Delivered { .. }
        | Status::Cancelled { .. } => None,
    };
    json!({
        "id": delivery.id,
        "event_id": delivery.id.event,
        "endpoint_id": delivery.id.endpoint,
        "tenant": delivery.tenant,
        "event_type": delivery.event_type,
        "status": delivery.status_name(),
        "reason": reason,
        "cycle": delivery.cycle,
        "attempts": delivery.attempts,
        "attempt_log": delivery.log.iter().map(attempt).collect::<Vec<_>>(),
        "last_attempt_at": delivery.log.last().map(|attempt| attempt.at),
        "next_attempt_at": next,
        "created_at": delivery.id.event.time(),
        "ended_at": ended,
    })
}

/// A dead letter: the delivery, and why it was given up.
pub(crate) fn dead_letter(delivery: &Delivery) -> Value {
    let mut shown = self::delivery(delivery);
    if let Some(fields) = shown.as_object_mut() {
        fields.insert("delivery_id".to_owned(), json!(delivery.id));
        fields.insert(
            "failure_reason".to_owned(),
            json!(delivery.failure_reason()),
        );
    }
    shown
}

/// An event with where its deliveries stand.
pub(crate) fn event(event: &Event, deliveries: &[Delivery]) -> Value {
    json!({
        "id": event.id,
        "alias": event.alias,
        "tenant": event.tenant,
        "event_type": event.event_type,
        "timestamp": event.accepted_at(),
        "payload": event.payload,
        "deliveries": deliveries.iter().map(summary).collect::<Vec<_>>(),
    })
}

fn summary(delivery: &Delivery) -> Value {
    json!({
        "id": delivery.id,
        "endpoint_id": delivery.id.endpoint,
        "status": delivery.status_name(),
        "attempts": delivery.attempts,
        "last_attempt_at": delivery.log.last().map(|attempt| attempt.at),
    })
}
