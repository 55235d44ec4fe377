//! Deliveries, their attempts, and dead letters.

use hookpost_domain::delivery::{
    Attempt, AttemptResult, Delivery, FailureKind, Resolution, Status,
};
use hookpost_domain::matching::EventType;
use hookpost_domain::{DeliveryId, EndpointId, EventId, TenantId, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

/// A delivery with every attempt.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Delivery")]
pub struct DeliveryView {
    /// Its id: `<event id>_<endpoint id>`.
    pub id: DeliveryId,
    /// Of which event.
    pub event_id: EventId,
    /// To which endpoint.
    pub endpoint_id: EndpointId,
    /// Whose.
    pub tenant: TenantId,
    /// The event's type.
    pub event_type: EventType,
    /// Where it stands.
    pub status: &'static str,
    /// Why it waits or was given up.
    pub reason: Option<&'static str>,
    /// Which run through the retry schedule: a replay begins the next.
    pub cycle: u32,
    /// Attempts in this cycle.
    pub attempts: u32,
    /// Every attempt, of all cycles, oldest first.
    pub attempt_log: Vec<AttemptView>,
    /// When the last attempt began.
    pub last_attempt_at: Option<Timestamp>,
    /// When the next attempt may begin.
    pub next_attempt_at: Option<Timestamp>,
    /// The delivery that it waits for, if its endpoint gets its events in order and another is the
    /// first in line. In the view of a single delivery only.
    pub waiting_for: Option<DeliveryId>,
    /// When the event was accepted.
    pub created_at: Timestamp,
    /// When it was delivered, given up or cancelled.
    pub ended_at: Option<Timestamp>,
}

/// One request, and what came of it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Attempt")]
pub struct AttemptView {
    /// Its number within its cycle, from 1.
    pub number: u32,
    /// The run through the retry schedule that it belongs to.
    pub cycle: u32,
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub latency_ms: u32,
    /// The answer's status, if there was an answer.
    pub status_code: Option<u16>,
    /// What failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<AttemptError>,
    /// How the answer to a failed attempt began: at most 256 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
}

/// What failed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AttemptError {
    /// Of which kind: `http_503`, `timeout`, `dns`, `refused_address`, `connect`, `tls`, `reset`,
    /// `protocol`.
    #[schemars(with = "String")]
    pub kind: FailureKind,
    /// In words.
    pub detail: String,
}

/// A dead letter: the delivery, and why it was given up.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "DeadLetter")]
pub struct DeadLetterView {
    /// The delivery.
    #[serde(flatten)]
    pub delivery: DeliveryView,
    /// The delivery's id, which is the dead letter's too.
    pub delivery_id: DeliveryId,
    /// Why it was given up: `HTTP 503: Service Unavailable`.
    pub failure_reason: String,
    /// Whether somebody has dealt with it.
    pub resolved: bool,
    /// When.
    pub resolved_at: Option<Timestamp>,
    /// Who said so.
    pub resolved_by: Option<String>,
    /// In whose words.
    pub note: Option<String>,
}

impl AttemptView {
    fn of(attempt: &Attempt) -> Self {
        let (error, response) = match &attempt.result {
            AttemptResult::Accepted(_) => (None, None),
            AttemptResult::Failed {
                kind,
                detail,
                response,
            } => {
                let error = AttemptError {
                    kind: *kind,
                    detail: detail.clone(),
                };
                (Some(error), Some(response.clone()))
            }
        };
        Self {
            number: attempt.number,
            cycle: attempt.cycle,
            at: attempt.at,
            latency_ms: attempt.latency_ms,
            status_code: attempt.status_code(),
            error,
            response,
        }
    }
}

impl DeliveryView {
    /// A delivery as it is shown.
    pub fn of(delivery: &Delivery) -> Self {
        let next = match delivery.status {
            Status::InQueue { next_attempt } => Some(next_attempt),
            Status::Parked { due } => Some(due),
            Status::Held { .. }
            | Status::Delivered { .. }
            | Status::Dead { .. }
            | Status::Cancelled { .. }
            | Status::Deleted { .. } => None,
        };
        let ended: Option<Timestamp> = match delivery.status {
            Status::Delivered { at }
            | Status::Dead { at, .. }
            | Status::Cancelled { at }
            | Status::Deleted { at } => Some(at),
            Status::InQueue { .. } | Status::Parked { .. } | Status::Held { .. } => None,
        };
        let reason = match delivery.status {
            Status::Dead { reason, .. } => Some(reason.as_str()),
            Status::Held { paused: true } => Some("endpoint_paused"),
            Status::Held { paused: false } => Some("breaker_open"),
            Status::InQueue { .. }
            | Status::Parked { .. }
            | Status::Delivered { .. }
            | Status::Cancelled { .. }
            | Status::Deleted { .. } => None,
        };
        Self {
            id: delivery.id.clone(),
            event_id: delivery.id.event,
            endpoint_id: delivery.id.endpoint.clone(),
            tenant: delivery.tenant.clone(),
            event_type: delivery.event_type.clone(),
            status: delivery.status_name(),
            reason,
            cycle: delivery.cycle,
            attempts: delivery.attempts,
            attempt_log: delivery.log.iter().map(AttemptView::of).collect(),
            last_attempt_at: delivery.log.last().map(|attempt| attempt.at),
            next_attempt_at: next,
            waiting_for: None,
            created_at: delivery.id.event.time(),
            ended_at: ended,
        }
    }
}

impl DeadLetterView {
    /// A dead letter as it is shown.
    pub fn of(delivery: &Delivery) -> Self {
        let resolution = delivery.resolution.as_ref();
        let said = |part: fn(&Resolution) -> &String| {
            resolution
                .map(part)
                .filter(|text| !text.is_empty())
                .cloned()
        };
        Self {
            delivery: DeliveryView::of(delivery),
            delivery_id: delivery.id.clone(),
            failure_reason: delivery.failure_reason(),
            resolved: resolution.is_some(),
            resolved_at: resolution.map(|resolution| resolution.at),
            resolved_by: said(|resolution| &resolution.by),
            note: said(|resolution| &resolution.note),
        }
    }
}
