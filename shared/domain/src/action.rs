//! What somebody can do to a delivery, and what then becomes of it.
//!
//! The record is written over the one it was made from before any message is sent; whoever loses
//! that race asks again with the record that won. A request that is under way meanwhile may still
//! land: its attempt is logged, and undoes nothing that is final.

use serde::{Deserialize, Serialize};

use crate::delivery::{Delivery, DeliveryFilter, Resolution, Status, StatusName};
use crate::{Invalid, Timestamp};

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A dead letter begins a fresh cycle.
    Replay,
    /// What waits goes out at once, what is dead begins a fresh cycle.
    Retry,
    /// What is not final is called off.
    Cancel,
    /// What is final is forgotten.
    Delete,
    /// A dead letter is marked as dealt with.
    Resolve,
}

impl Action {
    /// The name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Retry => "retry",
            Self::Cancel => "cancel",
            Self::Delete => "delete",
            Self::Resolve => "resolve",
        }
    }

    /// The deliveries it can be done to, in the order in which a job comes to them: what it puts
    /// back must not be met again.
    pub const fn statuses(self) -> &'static [StatusName] {
        match self {
            Self::Replay | Self::Resolve => &[StatusName::Dead],
            Self::Retry => &[
                StatusName::Pending,
                StatusName::Retrying,
                StatusName::Parked,
                StatusName::Held,
                StatusName::Dead,
            ],
            Self::Cancel => &[
                StatusName::Pending,
                StatusName::Retrying,
                StatusName::Parked,
                StatusName::Held,
            ],
            Self::Delete => &[
                StatusName::Dead,
                StatusName::Cancelled,
                StatusName::Delivered,
            ],
        }
    }

    /// Whether it sends messages.
    pub const fn sends(self) -> bool {
        matches!(self, Self::Replay | Self::Retry)
    }

    /// Checks a job's filter, and that this can be done to what it means.
    ///
    /// # Errors
    /// The field that breaks its rule.
    pub fn check(self, filter: &DeliveryFilter) -> Result<(), Invalid> {
        filter.check()?;
        if let Some(status) = filter.status
            && !self.statuses().contains(&status)
        {
            let rule = format!("is {status}, and nothing to {} is", self.as_str());
            return Err(Invalid::new("filter.status", rule));
        }
        let can_be_resolved = self.statuses().contains(&StatusName::Dead);
        let wrong = match filter.resolved {
            None => false,
            Some(true) => self == Self::Resolve || !can_be_resolved,
            Some(false) => !can_be_resolved,
        };
        if wrong {
            let rule = format!("does not go with {}", self.as_str());
            return Err(Invalid::new("filter.resolved", rule));
        }
        Ok(())
    }

    /// Whether a job that was asked for at `asked_at` means this delivery. What dies, or is
    /// accepted, later is not meant; and what is resolved only where it is named.
    pub fn means(self, delivery: &Delivery, filter: &DeliveryFilter, asked_at: Timestamp) -> bool {
        let status = delivery.status_name();
        let can_be_done = self.statuses().iter().any(|name| name.as_str() == status);
        let in_time = match delivery.status {
            Status::Dead { at, .. } => at <= asked_at,
            Status::InQueue { .. }
            | Status::Parked { .. }
            | Status::Held { .. }
            | Status::Delivered { .. }
            | Status::Cancelled { .. }
            | Status::Deleted { .. } => delivery.id.event.time() <= asked_at,
        };
        let is_open = delivery.resolution.is_none()
            || filter.resolved.is_some()
            || (self != Self::Resolve && !filter.delivery_ids.is_empty())
            || self == Self::Delete;
        can_be_done && in_time && is_open && filter.matches(delivery)
    }
}

/// An action with all that it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Which.
    pub action: Action,
    /// Whether what was delivered or called off may be sent once more.
    pub force: bool,
    /// Who asks.
    pub by: String,
    /// In whose words.
    pub note: String,
}

/// What is to be done about it.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Store this, and then send its message for this time.
    Send(Box<Delivery>, Timestamp),
    /// Store this.
    Keep(Box<Delivery>),
    /// Nothing: it is so already.
    Already,
    /// It cannot be: why.
    Refused(&'static str),
}

impl Asked {
    /// An action without words.
    pub const fn of(action: Action) -> Self {
        Self {
            action,
            force: false,
            by: String::new(),
            note: String::new(),
        }
    }

    /// What becomes of `delivery`; what is sent goes out at `due`.
    pub fn change(&self, delivery: &Delivery, due: Timestamp, now: Timestamp) -> Change {
        if matches!(delivery.status, Status::Deleted { .. }) {
            return Change::Refused("it has been deleted");
        }
        let keep = |delivery| Change::Keep(Box::new(delivery));
        let is_dead = matches!(delivery.status, Status::Dead { .. });
        match self.action {
            Action::Replay if is_dead => Change::Send(Box::new(delivery.replayed(due)), due),
            Action::Retry => self.retry(delivery, due, now),
            Action::Cancel if matches!(delivery.status, Status::Cancelled { .. }) => {
                Change::Already
            }
            Action::Cancel if delivery.is_final() => {
                Change::Refused("it is over: only what is not can be called off")
            }
            Action::Cancel => keep(delivery.cancelled(now)),
            Action::Delete if delivery.is_final() => keep(delivery.deleted(now)),
            Action::Delete => Change::Refused("it is not over yet: cancel it first"),
            Action::Resolve if is_dead && delivery.resolution.is_some() => Change::Already,
            Action::Resolve if is_dead => keep(delivery.resolved(Resolution {
                at: now,
                by: self.by.clone(),
                note: self.note.clone(),
            })),
            Action::Replay | Action::Resolve => Change::Refused("it is not dead"),
        }
    }

    fn retry(&self, delivery: &Delivery, due: Timestamp, now: Timestamp) -> Change {
        let send = |delivery, at| Change::Send(Box::new(delivery), at);
        match delivery.status {
            // It is on its way, or under way.
            Status::InQueue { next_attempt } if next_attempt <= due.max(now) => Change::Already,
            Status::InQueue { .. } | Status::Held { paused: false } => {
                send(delivery.released(due), due)
            }
            Status::Parked { due: parked } => {
                let at = due.min(parked.max(now));
                send(delivery.released(at), at)
            }
            Status::Held { paused: true } => {
                Change::Refused("its endpoint is paused: it goes out when that is resumed")
            }
            Status::Dead { .. } => send(delivery.replayed(due), due),
            Status::Delivered { .. } | Status::Cancelled { .. } if self.force => {
                send(delivery.replayed(due), due)
            }
            Status::Delivered { .. } => {
                Change::Refused("it is delivered: {\"force\": true} sends it once more")
            }
            Status::Cancelled { .. } => {
                Change::Refused("it is cancelled: {\"force\": true} sends it all the same")
            }
            Status::Deleted { .. } => Change::Refused("it has been deleted"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::{Attempt, AttemptResult, DeadReason};
    use crate::outcome::{self, Aftermath, Ahead, Arrival, Patience};
    use crate::retry::RetryPolicy;
    use crate::{DeliveryId, EventId, TenantId, carrier::Carrier};
    use proptest::prelude::*;
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::from_millis(1_795_262_400_000);
    const ACTIONS: [Action; 5] = [
        Action::Replay,
        Action::Retry,
        Action::Cancel,
        Action::Delete,
        Action::Resolve,
    ];

    fn fresh() -> Delivery {
        let id = DeliveryId {
            event: EventId::generate(NOW, [1; 10]),
            endpoint: "ep_1".parse().unwrap(),
        };
        Delivery::new(id, TenantId::default(), "order.created".parse().unwrap())
    }

    fn later() -> Timestamp {
        NOW.after(Duration::from_secs(600))
    }

    fn in_every_status() -> Vec<Delivery> {
        let resolution = Resolution {
            at: NOW,
            by: String::new(),
            note: String::new(),
        };
        let dead = fresh().dead(DeadReason::AttemptsExhausted, NOW);
        vec![
            fresh(),
            fresh().kept_back(later(), None),
            fresh().parked(later(), None),
            fresh().held(false),
            fresh().held(true),
            fresh().delivered(NOW),
            dead.clone(),
            dead.buried(),
            dead.resolved(resolution),
            fresh().cancelled(NOW),
            fresh().delivered(NOW).deleted(NOW),
        ]
    }

    #[test]
    fn whatever_is_sent_is_newer_than_every_message_before_and_not_lost_if_it_is() {
        for (delivery, action) in in_every_status()
            .iter()
            .flat_map(|delivery| ACTIONS.map(|action| (delivery, action)))
        {
            for force in [false, true] {
                let asked = Asked {
                    force,
                    ..Asked::of(action)
                };
                match asked.change(delivery, NOW, NOW) {
                    Change::Send(next, at) => {
                        assert!(
                            (next.cycle, next.release) > (delivery.cycle, delivery.release),
                            "{action:?} of {delivery:?}"
                        );
                        assert_eq!(next.status, Status::InQueue { next_attempt: at });
                        assert!(next.check_at.is_some() && at == NOW);
                        assert_eq!(next.version, delivery.version + 1);
                        // Its message is carried out, and one from before is not.
                        let carrier = Carrier::pointing(&next, NOW);
                        assert!(matches!(
                            outcome::arrive(
                                Some(*next.clone()),
                                &carrier,
                                Patience::default(),
                                NOW
                            ),
                            Arrival::Due(_)
                        ));
                        let old = Carrier::pointing(delivery, NOW);
                        assert_eq!(
                            outcome::arrive(Some(*next), &old, Patience::default(), NOW),
                            Arrival::Stale
                        );
                    }
                    Change::Keep(next) => {
                        assert!(next.is_final() && next.version == delivery.version + 1);
                    }
                    Change::Already | Change::Refused(_) => {}
                }
            }
        }
    }

    #[test]
    fn each_action_has_its_statuses() {
        for delivery in in_every_status() {
            for action in ACTIONS {
                let can = action
                    .statuses()
                    .iter()
                    .any(|name| name.as_str() == delivery.status_name());
                let refused = matches!(
                    Asked::of(action).change(&delivery, NOW, NOW),
                    Change::Refused(_)
                );
                let paused = matches!(delivery.status, Status::Held { paused: true });
                let cancelled_twice =
                    action == Action::Cancel && matches!(delivery.status, Status::Cancelled { .. });
                assert_eq!(
                    refused,
                    !can && !cancelled_twice || (action == Action::Retry && paused),
                    "{action:?} of {delivery:?}"
                );
            }
        }
    }

    #[test]
    fn only_force_sends_again_what_was_delivered_or_called_off() {
        let force = Asked {
            force: true,
            ..Asked::of(Action::Retry)
        };
        for delivery in [fresh().delivered(NOW), fresh().cancelled(NOW)] {
            let plain = Asked::of(Action::Retry).change(&delivery, NOW, NOW);
            assert!(matches!(plain, Change::Refused(_)));
            let Change::Send(next, _) = force.change(&delivery, NOW, NOW) else {
                panic!("it is not sent");
            };
            assert_eq!((next.cycle, next.attempts), (1, 0));
        }
    }

    #[test]
    fn a_job_means_no_resolved_dead_letter_that_is_not_asked_for() {
        let resolved = in_every_status().swap_remove(8);
        let asked = |json| serde_json::from_value::<DeliveryFilter>(json).unwrap();
        let all = asked(serde_json::json!({"all": true}));
        assert!(!Action::Replay.means(&resolved, &all, NOW));
        assert!(!Action::Resolve.means(&resolved, &all, NOW));
        assert!(Action::Delete.means(&resolved, &all, NOW));
        let named = asked(serde_json::json!({"delivery_ids": [resolved.id]}));
        assert!(Action::Replay.means(&resolved, &named, NOW));
        let of_those = asked(serde_json::json!({"resolved": true}));
        assert!(Action::Replay.means(&resolved, &of_those, NOW));
        assert!(Action::Resolve.check(&of_those).is_err());
        assert!(Action::Cancel.check(&of_those).is_err());
        let dead = asked(serde_json::json!({"status": "dead"}));
        assert_eq!(
            Action::Cancel.check(&dead).unwrap_err().field,
            "filter.status"
        );
    }

    #[test]
    fn a_job_means_nothing_that_died_after_it() {
        let all = DeliveryFilter {
            all: true,
            ..DeliveryFilter::default()
        };
        let dead = fresh().dead(DeadReason::Gone, later());
        assert!(!Action::Replay.means(&dead, &all, NOW));
        assert!(Action::Replay.means(&dead, &all, later()));
    }

    proptest! {
        /// Whatever a request that was under way comes to, what was called off or deleted stays so.
        #[test]
        fn a_request_under_way_undoes_nothing(
            status in 200..600u16,
            delete in any::<bool>(),
        ) {
            let result = if status < 300 {
                AttemptResult::Accepted(status)
            } else {
                AttemptResult::Failed {
                    kind: crate::delivery::FailureKind::Http(status),
                    detail: String::new(),
                    response: String::new(),
                }
            };
            let attempt = Attempt { number: 0, cycle: 0, at: NOW, latency_ms: 1, result };
            let policy = RetryPolicy::preset("quick").unwrap();
            let after = Aftermath {
                policy: &policy,
                ends: None,
                retry_after: None,
                ahead: Ahead::Clear,
                patience: Patience::default(),
                roll: 0.5,
            };
            let before = fresh().cancelled(NOW);
            let before = if delete { before.deleted(NOW) } else { before };
            let settled = outcome::settle(&before, attempt, &after, later());
            prop_assert_eq!(settled.delivery.status, before.status);
            prop_assert_eq!(settled.step, outcome::Step::Complete);
            prop_assert_eq!(settled.delivery.log.len(), usize::from(!delete));
        }
    }
}
