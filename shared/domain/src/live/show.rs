//! What is shown, and to whom.

use serde::{Deserialize, Serialize};

use super::{ConnectionId, MAX_FRAME_BYTES, Watch};
use crate::delivery::{Delivery, FailureKind, Status};
use crate::matching::EventType;
use crate::{DeliveryId, EndpointId, EventId, TenantId, Timestamp};

/// Most attempts that are handed over at once.
pub const MAX_HANDED: usize = 100;
/// What a frame has besides its attempts.
const ENVELOPE_BYTES: usize = 64;

/// What an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The endpoint accepted it.
    Delivered,
    /// It failed, and will be tried again.
    Retrying,
    /// It failed, and was given up.
    Dead,
    /// Somebody has called the delivery off meanwhile.
    Cancelled,
}

/// An attempt as the feed tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// When it began.
    pub at: Timestamp,
    /// Of which delivery.
    pub delivery_id: DeliveryId,
    /// Of which event.
    pub event_id: EventId,
    /// To which endpoint.
    pub endpoint_id: EndpointId,
    /// The event's type.
    pub event_type: EventType,
    /// Its number, from 1.
    pub attempt: u32,
    /// What it came to.
    pub outcome: Outcome,
    /// The answer's status, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_code: Option<u16>,
    /// How it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureKind>,
    /// How long it took.
    pub latency_ms: u32,
}

impl Shown {
    /// The last attempt of a delivery, as it was just recorded.
    pub fn last_of(delivery: &Delivery) -> Option<Self> {
        let last = delivery.log.last()?;
        Some(Self {
            at: last.at,
            delivery_id: delivery.id.clone(),
            event_id: delivery.id.event,
            endpoint_id: delivery.id.endpoint.clone(),
            event_type: delivery.event_type.clone(),
            attempt: last.number,
            outcome: match delivery.status {
                Status::Delivered { .. } => Outcome::Delivered,
                Status::Dead { .. } => Outcome::Dead,
                Status::Cancelled { .. } | Status::Deleted { .. } => Outcome::Cancelled,
                Status::InQueue { .. } | Status::Parked { .. } | Status::Held { .. } => {
                    Outcome::Retrying
                }
            },
            status_code: last.status_code(),
            failure: last.failure(),
            latency_ms: last.latency_ms,
        })
    }
}

/// What delivery hands over of a tenant that is watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// Whose attempts they are.
    pub tenant: TenantId,
    /// The attempts, in the order in which they ended.
    pub attempts: Vec<Shown>,
    /// Attempts since the last handover that are not among them.
    #[serde(default)]
    pub left_out: u32,
}

/// What one watcher is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Over which connection.
    pub connection: ConnectionId,
    /// What, as JSON.
    pub text: String,
}

/// What everybody who watches now is sent of a handover. Who wants none of it is sent nothing, unless
/// something was left out of which it is not known whether they want it.
pub fn frames(watch: &Watch, handover: &Handover, now: Timestamp) -> Vec<Frame> {
    let texts: Vec<String> = handover
        .attempts
        .iter()
        .map(|shown| serde_json::to_string(shown).unwrap_or_default())
        .collect();
    let frame = |connection: &ConnectionId, wanted: &[&str]| {
        let mut fits = 0;
        let mut bytes = ENVELOPE_BYTES;
        for text in wanted {
            bytes += text.len() + 1;
            if bytes > MAX_FRAME_BYTES {
                break;
            }
            fits += 1;
        }
        let (shown, rest) = wanted.split_at_checked(fits).unwrap_or((wanted, &[]));
        let rest = u32::try_from(rest.len()).unwrap_or(u32::MAX);
        let left_out = handover.left_out.saturating_add(rest);
        Frame {
            connection: connection.clone(),
            text: format!(
                r#"{{"type":"attempts","attempts":[{}],"left_out":{left_out}}}"#,
                shown.join(",")
            ),
        }
    };
    let watching = watch.watchers.iter().filter(|one| one.until > now);
    watching
        .filter_map(|watcher| {
            let passing = handover.attempts.iter().zip(&texts);
            let wanted: Vec<&str> = passing
                .filter(|(shown, _)| watcher.filter.passes(shown))
                .map(|(_, text)| text.as_str())
                .collect();
            let says_something = !wanted.is_empty() || handover.left_out > 0;
            says_something.then(|| frame(&watcher.connection, &wanted))
        })
        .collect()
}
