//! Resources as the API shows them. Secrets are shown when they are made, and never again.

use hookpost_domain::delivery::{Attempt, AttemptResult, Delivery, Status};
use hookpost_domain::endpoint::{DisabledBy, Endpoint, EndpointState, ExtraHeader};
use hookpost_domain::event::Event;
use hookpost_domain::matching::EventType;
use hookpost_domain::retry::{Backoff, Jitter, RetryPolicy};
use hookpost_domain::{EventId, TenantId, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// What is shown for a header's value: it may be a key.
const MASK: &str = "***";

/// An endpoint; with its secret and the values of its headers only for whoever has just made it.
pub(crate) fn endpoint(
    endpoint: &Endpoint,
    default_retry: &RetryPolicy,
    with_secrets: bool,
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
        .map(|header| {
            let value = if with_secrets { &header.value } else { MASK };
            (header.name.clone(), json!(value))
        })
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
    if with_secrets
        && let (Some(fields), Some(key)) = (shown.as_object_mut(), endpoint.signing_keys.first())
    {
        fields.insert("secret".to_owned(), json!(key.secret.reveal()));
    }
    shown
}

/// Whoever sends back what was shown means the values that are stored.
pub(crate) fn unmask_headers(headers: &mut [ExtraHeader], stored: &[ExtraHeader]) {
    for header in headers.iter_mut().filter(|header| header.value == MASK) {
        let same = |other: &&ExtraHeader| other.name.eq_ignore_ascii_case(&header.name);
        if let Some(known) = stored.iter().find(same) {
            header.value.clone_from(&known.value);
        }
    }
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

/// An event with where its deliveries stand. The payload is passed through as it was posted: what
/// is legal JSON need not fit a [`Value`].
#[derive(Debug, Serialize)]
pub(crate) struct EventView<'a> {
    id: EventId,
    alias: Option<&'a str>,
    tenant: &'a TenantId,
    event_type: &'a EventType,
    timestamp: Timestamp,
    payload: &'a RawValue,
    deliveries: Vec<Value>,
}

/// An event with where its deliveries stand.
pub(crate) fn event<'a>(event: &'a Event, deliveries: &[Delivery]) -> EventView<'a> {
    EventView {
        id: event.id,
        alias: event.alias.as_deref(),
        tenant: &event.tenant,
        event_type: &event.event_type,
        timestamp: event.accepted_at(),
        payload: &event.payload,
        deliveries: deliveries.iter().map(summary).collect(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, value: &str) -> ExtraHeader {
        ExtraHeader {
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }

    #[test]
    fn an_event_shows_its_payload_byte_by_byte() {
        let nested = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for payload in [
            "1e999",
            "{\"a\": 1.10,\"b\":12345678901234567890123}",
            &nested,
        ] {
            let event = Event {
                id: EventId::generate(Timestamp::from_millis(1), [1; 10]),
                tenant: TenantId::default(),
                event_type: "a".parse().unwrap(),
                payload: RawValue::from_string(payload.to_owned()).unwrap(),
                alias: None,
                endpoints: Vec::new(),
            };
            let shown = serde_json::to_string(&super::event(&event, &[])).unwrap();
            assert!(
                shown.contains(&format!("\"payload\":{payload},")),
                "{shown}"
            );
        }
    }

    #[test]
    fn what_is_sent_back_masked_stays_what_it_was() {
        let stored = [header("X-Api-Key", "key")];
        let mut sent = [
            header("x-api-key", MASK),
            header("X-New", MASK),
            header("X-Other", "other"),
        ];
        unmask_headers(&mut sent, &stored);
        assert_eq!(
            sent,
            [
                header("x-api-key", "key"),
                header("X-New", MASK),
                header("X-Other", "other"),
            ]
        );
    }
}
