//! A delivery's record: the authority on what has happened to it and what comes next.
//!
//! A record is never changed in place: each transition gives the next record, one `version` on, and
//! is stored only over the version that it was made from. Whoever loses that race decides again
//! from the record that won.

mod attempt;
mod filter;
mod index;
mod way;

use std::time::Duration;

pub use attempt::{Attempt, AttemptResult, FailureKind, MAX_RESPONSE_BYTES, clip, clip_text};
pub use filter::{DeliveryFilter, MAX_IDS, StatusName};
pub use index::{IndexKeys, RESOLVED, WaitKey, due_key, held_key, status_key};
pub use way::{Only, Pass, Way, passes, rest_of};

use serde::{Deserialize, Serialize};

use crate::carrier::Carrier;
use crate::event::Event;
use crate::matching::EventType;
use crate::{DeliveryId, EndpointId, TenantId, Timestamp};

/// How long after its next step a delivery is looked for, if nothing was heard of it.
pub const CHECK_AFTER: Duration = Duration::from_secs(15 * 60);
/// The longest time between two such looks.
const MAX_CHECK_AFTER: Duration = Duration::from_secs(24 * 3600);
/// Attempts that a record remembers.
const MAX_LOG: usize = 200;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// A message carries it; it is not to be attempted before this time.
    InQueue {
        /// Not before.
        next_attempt: Timestamp,
    },
    /// Only the table has it, until it is due.
    Parked {
        /// When the sweeper sends it.
        due: Timestamp,
    },
    /// Only the table has it, until the endpoint's breaker closes or the endpoint is resumed.
    Held {
        /// Whether the endpoint was paused (and not its breaker open).
        paused: bool,
    },
    /// Accepted by the endpoint. Final.
    Delivered {
        /// When.
        at: Timestamp,
    },
    /// Given up, until somebody replays it. Final for its cycle.
    Dead {
        /// Why.
        reason: DeadReason,
        /// When.
        at: Timestamp,
    },
    /// Called off. Final.
    Cancelled {
        /// When.
        at: Timestamp,
    },
    /// Forgotten at somebody's wish. Final. The record stays, empty, as long as its event: whatever
    /// looks for deliveries without a record must not take it for lost and send it again.
    Deleted {
        /// When.
        at: Timestamp,
    },
}

/// That somebody has dealt with a dead letter: it needs nobody any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// When.
    pub at: Timestamp,
    /// Who said so.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// In whose words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// Why a delivery was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadReason {
    /// Every attempt that the policy allows has failed.
    AttemptsExhausted,
    /// The endpoint answered with a status that it lists as not worth a retry.
    NotRetried,
    /// The endpoint answered 410 Gone.
    Gone,
    /// It waited longer than the deployment's maximum age.
    Expired,
    /// The endpoint was disabled when the event came.
    EndpointDisabled,
    /// The event it carries is no longer stored.
    EventMissing,
    /// The endpoint's template cannot be rendered for the event.
    Template,
}

impl DeadReason {
    /// The name in the API and in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AttemptsExhausted => "attempts_exhausted",
            Self::NotRetried => "not_retried",
            Self::Gone => "gone",
            Self::Expired => "expired",
            Self::EndpointDisabled => "endpoint_disabled",
            Self::EventMissing => "event_missing",
            Self::Template => "template",
        }
    }

    /// Whether the dead-letter queue gets to see it. What was never tried because somebody disabled
    /// the endpoint would only bury what needs a person there; it is a dead letter in the API.
    pub const fn goes_to_queue(self) -> bool {
        !matches!(self, Self::EndpointDisabled)
    }
}

/// The record of one event's way to one endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The event's type.
    pub event_type: EventType,
    /// Where it stands.
    pub status: Status,
    /// Which run through the retry schedule.
    pub cycle: u32,
    /// How often it has been put back from the table in this cycle.
    pub release: u32,
    /// Attempts in this cycle.
    pub attempts: u32,
    /// When this cycle (or the wait after a pause) began: its age counts from here.
    pub since: Timestamp,
    /// The rate limit's slot that was kept for its next attempt.
    pub slot: Option<Timestamp>,
    /// When the sweeper looks for it, if nothing else has happened.
    pub check_at: Option<Timestamp>,
    /// Its place in the line before its endpoint, if that asked for order and its turn has come.
    pub place: Option<u64>,
    /// How often it has been sent again because it was not heard of.
    pub resends: u32,
    /// That it has been dealt with, while it is dead.
    pub resolution: Option<Resolution>,
    /// Every attempt, of all cycles, oldest first.
    pub log: Vec<Attempt>,
    /// Counts the writes; 0 if never written.
    pub version: u64,
}

impl Delivery {
    /// The record that a delivery has before anything has happened to it: none is stored.
    pub fn unwritten(carrier: &Carrier) -> Self {
        let fresh = Self::new(
            carrier.delivery_id.clone(),
            carrier.tenant.clone(),
            carrier.event_type.clone(),
        );
        let fresh = Self {
            place: carrier.place,
            ..fresh
        };
        match carrier.not_before {
            Some(at) => fresh.beginning(at),
            None => fresh,
        }
    }

    /// As [`Self::unwritten`], of an event to one of its endpoints.
    pub fn of(event: &Event, endpoint: &EndpointId) -> Self {
        let id = DeliveryId {
            event: event.id,
            endpoint: endpoint.clone(),
        };
        Self::new(id, event.tenant.clone(), event.event_type.clone()).beginning(event.due())
    }

    /// A fresh delivery that begins at `due`.
    #[must_use]
    pub fn beginning(self, due: Timestamp) -> Self {
        Self {
            status: Status::InQueue { next_attempt: due },
            since: due,
            ..self
        }
    }

    /// As [`Self::unwritten`], from its parts.
    pub fn new(id: DeliveryId, tenant: TenantId, event_type: EventType) -> Self {
        let accepted_at = id.event.time();
        Self {
            id,
            tenant,
            event_type,
            status: Status::InQueue {
                next_attempt: accepted_at,
            },
            cycle: 0,
            release: 0,
            attempts: 0,
            since: accepted_at,
            slot: None,
            check_at: None,
            place: None,
            resends: 0,
            resolution: None,
            log: Vec::new(),
            version: 0,
        }
    }

    /// Whether nothing more happens to it by itself.
    pub const fn is_final(&self) -> bool {
        match self.status {
            Status::Delivered { .. }
            | Status::Dead { .. }
            | Status::Cancelled { .. }
            | Status::Deleted { .. } => true,
            Status::InQueue { .. } | Status::Parked { .. } | Status::Held { .. } => false,
        }
    }

    /// The status' name in the API.
    pub const fn status_name(&self) -> &'static str {
        match self.status {
            Status::InQueue { .. } if self.attempts == 0 => "pending",
            Status::InQueue { .. } => "retrying",
            Status::Parked { .. } => "parked",
            Status::Held { .. } => "held",
            Status::Delivered { .. } => "delivered",
            Status::Dead { .. } => "dead",
            Status::Cancelled { .. } => "cancelled",
            Status::Deleted { .. } => "deleted",
        }
    }

    /// The last attempt that failed.
    pub fn last_failure(&self) -> Option<&Attempt> {
        self.log
            .iter()
            .rev()
            .find(|attempt| attempt.failure().is_some())
    }

    /// Why it was given up, in words: `HTTP 503: Service Unavailable`.
    pub fn failure_reason(&self) -> String {
        let Status::Dead { reason, .. } = self.status else {
            return String::new();
        };
        match reason {
            DeadReason::AttemptsExhausted
            | DeadReason::NotRetried
            | DeadReason::Gone
            | DeadReason::Template => self
                .last_failure()
                .map_or_else(|| reason.as_str().to_owned(), Attempt::describe),
            DeadReason::Expired => "waited longer than the maximum age".to_owned(),
            DeadReason::EndpointDisabled => "the endpoint is disabled".to_owned(),
            DeadReason::EventMissing => "the event is no longer stored".to_owned(),
        }
    }

    fn next(&self, status: Status) -> Self {
        Self {
            status,
            slot: None,
            check_at: None,
            resends: 0,
            resolution: None,
            version: self.version + 1,
            ..self.clone()
        }
    }

    /// Kept back in the queue until `next_attempt`.
    #[must_use]
    pub fn kept_back(&self, next_attempt: Timestamp, slot: Option<Timestamp>) -> Self {
        Self {
            slot,
            check_at: Some(next_attempt.after(CHECK_AFTER)),
            ..self.next(Status::InQueue { next_attempt })
        }
    }

    /// Put away in the table until `due`.
    #[must_use]
    pub fn parked(&self, due: Timestamp, slot: Option<Timestamp>) -> Self {
        Self {
            slot,
            ..self.next(Status::Parked { due })
        }
    }

    /// Put away in the table until the breaker closes or the pause ends.
    #[must_use]
    pub fn held(&self, paused: bool) -> Self {
        self.next(Status::Held { paused })
    }

    /// Back from the table to the queue, to be attempted at `due`: write this, then send.
    #[must_use]
    pub fn released(&self, due: Timestamp) -> Self {
        let was_paused = matches!(self.status, Status::Held { paused: true });
        Self {
            release: self.release + 1,
            since: if was_paused { due } else { self.since },
            ..self.kept_back(due, self.slot)
        }
    }

    /// Sent once more because nothing was heard of it; the numbers stay, so that it does not
    /// matter if the first message turns up.
    #[must_use]
    pub fn resent(&self, now: Timestamp) -> Self {
        let wait = CHECK_AFTER
            .saturating_mul(2u32.saturating_pow(self.resends + 1))
            .min(MAX_CHECK_AFTER);
        Self {
            resends: self.resends + 1,
            check_at: Some(now.after(wait)),
            version: self.version + 1,
            ..self.clone()
        }
    }

    /// A fresh run through the retry schedule, beginning at `due`: write this, then send.
    #[must_use]
    pub fn replayed(&self, due: Timestamp) -> Self {
        Self {
            cycle: self.cycle + 1,
            release: 0,
            attempts: 0,
            since: due,
            ..self.kept_back(due, None)
        }
    }

    /// Called off.
    #[must_use]
    pub fn cancelled(&self, now: Timestamp) -> Self {
        self.next(Status::Cancelled { at: now })
    }

    /// Forgotten. Its numbers stay, so that no message of it is taken for a newer one.
    #[must_use]
    pub fn deleted(&self, now: Timestamp) -> Self {
        Self {
            attempts: 0,
            log: Vec::new(),
            ..self.next(Status::Deleted { at: now })
        }
    }

    /// A dead letter that has been dealt with.
    #[must_use]
    pub fn resolved(&self, resolution: Resolution) -> Self {
        Self {
            resolution: Some(resolution),
            version: self.version + 1,
            ..self.clone()
        }
    }

    /// Accepted by the endpoint.
    #[must_use]
    pub fn delivered(&self, now: Timestamp) -> Self {
        self.next(Status::Delivered { at: now })
    }

    /// Given up. Until the dead-letter queue has it, it is looked for.
    #[must_use]
    pub fn dead(&self, reason: DeadReason, now: Timestamp) -> Self {
        Self {
            check_at: reason.goes_to_queue().then(|| now.after(CHECK_AFTER)),
            ..self.next(Status::Dead { reason, at: now })
        }
    }

    /// The dead-letter queue has it: nobody needs to look for it any more.
    #[must_use]
    pub fn buried(&self) -> Self {
        Self {
            check_at: None,
            version: self.version + 1,
            ..self.clone()
        }
    }

    /// With one more attempt in the log, counted if it belongs to this cycle. What is deleted
    /// remembers nothing.
    #[must_use]
    pub fn with_attempt(&self, mut attempt: Attempt) -> Self {
        let mut next = Self {
            version: self.version + 1,
            ..self.clone()
        };
        if matches!(self.status, Status::Deleted { .. }) {
            return next;
        }
        if attempt.cycle == self.cycle {
            next.attempts += 1;
            attempt.number = next.attempts;
        }
        next.log.push(attempt);
        let surplus = next.log.len().saturating_sub(MAX_LOG);
        next.log.drain(..surplus);
        next
    }
}
