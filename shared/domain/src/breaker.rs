//! An endpoint's health and its circuit breaker.
//!
//! Guarantees, given that each new health is written only over the version it was made from:
//! - it opens only on failures in a row, from a streak older than [`CACHE_LIFETIME`]: by then every
//!   success has seen that there was a count to reset;
//! - while it is open, one request at most is under way as the probe, across all instances: the
//!   slot is a lease that outlives the request;
//! - the results of requests begun before it opened, or that are not the probe, change nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{DeliveryId, Timestamp};

/// How long an instance may act on a health that it read.
pub const CACHE_LIFETIME: Duration = Duration::from_secs(2);
/// The longest pause between probes.
pub const MAX_PAUSE: Duration = Duration::from_secs(15 * 60);
/// How much longer than the request that it covers a probe's lease is.
pub const LEASE_MARGIN: Duration = Duration::from_secs(30);

/// When a breaker opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerPolicy {
    /// Failures in a row that open it.
    pub failures: u32,
    /// Seconds until the first probe; doubled after each failed one, up to 15 minutes.
    pub pause_seconds: u32,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self {
            failures: 5,
            pause_seconds: 30,
        }
    }
}

/// How an endpoint has been doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Counts the writes; 0 if never written.
    pub version: u64,
    /// Failures in a row.
    pub failures: u32,
    /// When the first of them was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// When a success last ended a streak of failures: other successes cost no write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_recovery: Option<Timestamp>,
    /// When the last failure was that counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Timestamp>,
    /// Whether requests go out.
    pub breaker: Breaker,
}

/// Whether requests go out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Breaker {
    /// They do.
    #[default]
    Closed,
    /// Only a probe does, once its time has come.
    Open {
        /// Since when.
        opened_at: Timestamp,
        /// How long the pause before the next probe is, in seconds.
        pause_seconds: u64,
        /// Not before this time.
        next_probe: Timestamp,
        /// Who probes.
        slot: Slot,
        /// Whether somebody opened it by hand.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        by_hand: bool,
    },
}

/// Who probes next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "slot", rename_all = "snake_case")]
pub enum Slot {
    /// Nobody yet.
    Free,
    /// The message of this delivery waits for the probe's time.
    Booked {
        /// Whose message.
        delivery: DeliveryId,
        /// When the booking lapses.
        until: Timestamp,
    },
    /// A request is under way.
    Probing {
        /// Which one: drawn at random by whoever sent it.
        token: u64,
        /// When it must be over.
        until: Timestamp,
    },
}

/// Whether a delivery's request may go out now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// Yes: the breaker is closed.
    Pass,
    /// No, another one probes: wait in the table.
    Hold,
    /// It is this one's to probe, at that time: wait in the queue.
    WaitToProbe(Timestamp),
    /// If this health can be written, wait in the queue to probe at that time.
    Book(Health, Timestamp),
    /// If this health can be written, the request goes out as the probe.
    Probe(Health),
}

impl Health {
    /// Whether a success has something to reset.
    pub fn is_spotless(&self) -> bool {
        self.failures == 0 && self.breaker == Breaker::Closed
    }

    /// Whether requests are held back.
    pub fn is_open(&self) -> bool {
        matches!(self.breaker, Breaker::Open { .. })
    }

    /// Whether, and as what, the request of `delivery` may go out. `token` is random; `timeout` is
    /// the longest that the request may take.
    pub fn gate(
        &self,
        delivery: &DeliveryId,
        token: u64,
        timeout: Duration,
        now: Timestamp,
    ) -> Gate {
        let Breaker::Open {
            opened_at,
            pause_seconds,
            next_probe,
            slot,
            by_hand,
        } = &self.breaker
        else {
            return Gate::Pass;
        };
        let with = |slot| Self {
            version: self.version + 1,
            breaker: Breaker::Open {
                opened_at: *opened_at,
                pause_seconds: *pause_seconds,
                next_probe: *next_probe,
                slot,
                by_hand: *by_hand,
            },
            ..self.clone()
        };
        let (mine, taken) = match slot {
            Slot::Free => (false, false),
            Slot::Booked {
                delivery: other,
                until,
            } => (other == delivery, now < *until),
            Slot::Probing { until, .. } => (false, now < *until),
        };
        if taken && !mine {
            return Gate::Hold;
        }
        if now < *next_probe {
            if mine && taken {
                return Gate::WaitToProbe(*next_probe);
            }
            // It would wait in the table, and miss it if the breaker is closed before.
            if next_probe.since(now) > MAX_PAUSE {
                return Gate::Hold;
            }
            return Gate::Book(with(booked(delivery, *next_probe, timeout)), *next_probe);
        }
        Gate::Probe(with(Slot::Probing {
            token,
            until: now.after(timeout).after(LEASE_MARGIN),
        }))
    }

    /// The health after a success, if that changes it. `probe` is the token of the request if it
    /// was a probe.
    pub fn after_success(&self, probe: Option<u64>, now: Timestamp) -> Option<Self> {
        let counts = match &self.breaker {
            Breaker::Closed => self.failures > 0,
            Breaker::Open { slot, .. } => is_probe(slot, probe),
        };
        counts.then(|| Self {
            version: self.version + 1,
            last_recovery: Some(now),
            last_failure: self.last_failure,
            ..Self::default()
        })
    }

    /// The health once somebody has opened the breaker, for `pause`: nothing goes out until then,
    /// and then one request does, as the probe.
    #[must_use]
    pub fn opened_by_hand(&self, policy: BreakerPolicy, pause: Duration, now: Timestamp) -> Self {
        Self {
            version: self.version + 1,
            breaker: Breaker::Open {
                opened_at: now,
                pause_seconds: policy.pause_seconds.into(),
                next_probe: now.after(pause),
                slot: Slot::Free,
                by_hand: true,
            },
            ..self.clone()
        }
    }

    /// The health once somebody has closed the breaker, if that changes it: its count starts again.
    pub fn closed_by_hand(&self) -> Option<Self> {
        (!self.is_spotless()).then(|| Self {
            version: self.version + 1,
            last_recovery: self.last_recovery,
            last_failure: self.last_failure,
            ..Self::default()
        })
    }

    /// The delivery whose message waits for the probe's time, if one does.
    pub fn booked(&self) -> Option<&DeliveryId> {
        match &self.breaker {
            Breaker::Open {
                slot: Slot::Booked { delivery, .. },
                ..
            } => Some(delivery),
            Breaker::Open { .. } | Breaker::Closed => None,
        }
    }

    /// The health after a failure, if that changes it. `books` is the delivery if it will be tried
    /// again from the queue, and so can be the next probe.
    pub fn after_failure(
        &self,
        policy: BreakerPolicy,
        probe: Option<u64>,
        books: Option<&DeliveryId>,
        timeout: Duration,
        now: Timestamp,
    ) -> Option<Self> {
        let open = |opened_at, pause: Duration, failures| {
            let next_probe = now.after(pause);
            let slot = books.map_or(Slot::Free, |delivery| booked(delivery, next_probe, timeout));
            Self {
                version: self.version + 1,
                failures,
                failing_since: self.failing_since.or(Some(now)),
                last_recovery: self.last_recovery,
                last_failure: Some(now),
                breaker: Breaker::Open {
                    opened_at,
                    pause_seconds: pause.as_secs(),
                    next_probe,
                    slot,
                    by_hand: false,
                },
            }
        };
        let failures = self.failures.saturating_add(1);
        match &self.breaker {
            Breaker::Closed => {
                let since = self.failing_since.unwrap_or(now);
                if failures >= policy.failures && now.since(since) >= CACHE_LIFETIME {
                    let pause = Duration::from_secs(policy.pause_seconds.into());
                    return Some(open(now, pause, failures));
                }
                Some(Self {
                    version: self.version + 1,
                    failures,
                    failing_since: Some(since),
                    last_recovery: self.last_recovery,
                    last_failure: Some(now),
                    breaker: Breaker::Closed,
                })
            }
            Breaker::Open {
                opened_at,
                pause_seconds,
                slot,
                ..
            } if is_probe(slot, probe) => {
                let pause = Duration::from_secs(pause_seconds.saturating_mul(2)).min(MAX_PAUSE);
                Some(open(*opened_at, pause, failures))
            }
            Breaker::Open { .. } => None,
        }
    }

    /// Whether the sweeper should send one held delivery as the probe: its time has come, and
    /// nobody is about to.
    pub fn needs_a_probe(&self, now: Timestamp) -> bool {
        let Breaker::Open {
            next_probe, slot, ..
        } = &self.breaker
        else {
            return false;
        };
        let taken = match slot {
            Slot::Free => false,
            Slot::Booked { until, .. } | Slot::Probing { until, .. } => now < *until,
        };
        now >= *next_probe && !taken
    }
}

fn booked(delivery: &DeliveryId, next_probe: Timestamp, timeout: Duration) -> Slot {
    Slot::Booked {
        delivery: delivery.clone(),
        until: next_probe.after(timeout).after(LEASE_MARGIN),
    }
}

fn is_probe(slot: &Slot, probe: Option<u64>) -> bool {
    matches!(slot, Slot::Probing { token, .. } if Some(*token) == probe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EndpointId, EventId};
    use proptest::prelude::*;

    const TIMEOUT: Duration = Duration::from_secs(15);

    fn delivery(n: u8) -> DeliveryId {
        DeliveryId {
            event: EventId::generate(Timestamp::from_millis(1), [n; 10]),
            endpoint: "ep".parse::<EndpointId>().unwrap(),
        }
    }

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + secs * 1000)
    }

    fn open_at_20() -> Health {
        let mut health = Health::default();
        for second in [0, 5, 10, 15, 20] {
            let policy = BreakerPolicy::default();
            health = health
                .after_failure(policy, None, Some(&delivery(1)), TIMEOUT, at(second))
                .unwrap();
        }
        health
    }

    #[test]
    fn five_failures_in_a_row_open_it_for_thirty_seconds() {
        let health = open_at_20();
        let Breaker::Open { next_probe, .. } = health.breaker else {
            panic!("closed")
        };
        assert_eq!(next_probe, at(50));
    }

    #[test]
    fn a_success_in_between_starts_the_count_again() {
        let mut health = Health::default();
        for second in 0..20 {
            let policy = BreakerPolicy::default();
            health = health
                .after_failure(policy, None, None, TIMEOUT, at(second))
                .unwrap();
            if second % 4 == 3 {
                health = health.after_success(None, at(0)).unwrap();
                assert!(health.is_spotless());
            }
        }
        assert!(!health.is_open());
    }

    #[test]
    fn a_streak_younger_than_the_caches_does_not_open_it() {
        let mut health = Health::default();
        for _ in 0..100 {
            let policy = BreakerPolicy::default();
            health = health
                .after_failure(policy, None, None, TIMEOUT, at(0))
                .unwrap();
        }
        assert!(!health.is_open());
    }

    #[test]
    fn the_one_that_opened_it_probes_and_the_others_hold() {
        let health = open_at_20();
        assert_eq!(
            health.gate(&delivery(1), 7, TIMEOUT, at(30)),
            Gate::WaitToProbe(at(50))
        );
        assert_eq!(health.gate(&delivery(2), 7, TIMEOUT, at(30)), Gate::Hold);
        assert_eq!(health.gate(&delivery(2), 7, TIMEOUT, at(50)), Gate::Hold);
        let Gate::Probe(probing) = health.gate(&delivery(1), 7, TIMEOUT, at(50)) else {
            panic!()
        };
        assert_eq!(probing.gate(&delivery(1), 8, TIMEOUT, at(50)), Gate::Hold);
        assert!(probing.after_success(None, at(0)).is_none());
        assert!(probing.after_success(Some(8), at(60)).is_none());
        assert!(
            probing
                .after_success(Some(7), at(60))
                .unwrap()
                .is_spotless()
        );
    }

    #[test]
    fn each_failed_probe_doubles_the_pause_up_to_fifteen_minutes() {
        let mut health = open_at_20();
        let mut now = at(50);
        let mut pauses = Vec::new();
        for token in 0..7 {
            let Gate::Probe(probing) = health.gate(&delivery(1), token, TIMEOUT, now) else {
                panic!()
            };
            let policy = BreakerPolicy::default();
            health = probing
                .after_failure(policy, Some(token), Some(&delivery(1)), TIMEOUT, now)
                .unwrap();
            let Breaker::Open {
                next_probe,
                pause_seconds,
                ..
            } = health.breaker
            else {
                panic!()
            };
            pauses.push(pause_seconds);
            now = next_probe;
        }
        assert_eq!(pauses, [60, 120, 240, 480, 900, 900, 900]);
    }

    #[test]
    fn a_lost_probe_frees_its_slot_in_time() {
        let health = open_at_20();
        assert!(!health.needs_a_probe(at(60)));
        let lapsed = at(50).after(TIMEOUT).after(LEASE_MARGIN);
        assert!(health.needs_a_probe(lapsed));
        assert!(matches!(
            health.gate(&delivery(2), 9, TIMEOUT, lapsed),
            Gate::Probe(_)
        ));
    }

    #[test]
    fn one_opened_by_hand_lets_nothing_out_until_its_time_and_then_one_probe() {
        let hour = Duration::from_secs(3600);
        let open = Health::default().opened_by_hand(BreakerPolicy::default(), hour, at(0));
        for second in [0, 60, 2699] {
            assert_eq!(
                open.gate(&delivery(1), 7, TIMEOUT, at(second)),
                Gate::Hold,
                "{second}"
            );
            assert!(!open.needs_a_probe(at(second)));
        }
        assert!(matches!(
            open.gate(&delivery(1), 7, TIMEOUT, at(2700)),
            Gate::Book(..)
        ));
        assert!(open.needs_a_probe(at(3600)));
        let Gate::Probe(probing) = open.gate(&delivery(1), 7, TIMEOUT, at(3600)) else {
            panic!()
        };
        let policy = BreakerPolicy::default();
        let again = probing
            .after_failure(policy, Some(7), None, TIMEOUT, at(3601))
            .unwrap();
        let Breaker::Open { next_probe, .. } = again.breaker else {
            panic!()
        };
        assert_eq!(next_probe, at(3661));
        assert!(
            probing
                .after_success(Some(7), at(3601))
                .unwrap()
                .is_spotless()
        );
    }

    #[test]
    fn one_closed_by_hand_is_as_good_as_new_but_remembers() {
        assert_eq!(Health::default().closed_by_hand(), None);
        let open = open_at_20();
        assert_eq!(open.booked(), Some(&delivery(1)));
        let closed = open.closed_by_hand().unwrap();
        assert!(closed.is_spotless());
        assert_eq!(closed.version, open.version + 1);
        assert_eq!(closed.last_failure, Some(at(20)));
        // What was the probe, and what began before, changes nothing for the better or worse.
        assert_eq!(closed.after_success(Some(7), at(21)), None);
        let failed = closed.after_failure(BreakerPolicy::default(), Some(7), None, TIMEOUT, at(21));
        assert_eq!(failed.unwrap().failures, 1);
    }

    #[test]
    fn a_recovery_is_remembered_and_so_is_the_failure_before_it() {
        let policy = BreakerPolicy::default();
        let failed = Health::default()
            .after_failure(policy, None, None, TIMEOUT, at(5))
            .unwrap();
        let well = failed.after_success(None, at(9)).unwrap();
        assert_eq!(well.last_failure, Some(at(5)));
        assert_eq!(well.last_recovery, Some(at(9)));
        assert_eq!(well.after_success(None, at(10)), None, "no write");
    }

    /// What instances that race may do to one health; each write is over the version it saw.
    #[derive(Debug, Clone)]
    enum Act {
        Ask(u8),
        Finish { success: bool },
        Open(u64),
        Close,
        Stray { success: bool },
        Wait(u64),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            (1..6u8).prop_map(Act::Ask),
            any::<bool>().prop_map(|success| Act::Finish { success }),
            any::<bool>().prop_map(|success| Act::Stray { success }),
            (0..60u64).prop_map(Act::Wait),
            (1..2000u64).prop_map(Act::Open),
            Just(Act::Close),
        ]
    }

    proptest! {
        #[test]
        fn no_two_probes_are_ever_under_way(acts in proptest::collection::vec(act(), 1..200)) {
            let policy = BreakerPolicy { failures: 2, pause_seconds: 5 };
            let mut health = Health::default();
            let mut now = at(0);
            // Token and deadline of the probe that is under way.
            let mut probe: Option<(u64, Timestamp)> = None;
            let mut token = 0;
            for act in acts {
                if probe.is_some_and(|(_, deadline)| now > deadline) {
                    probe = None;
                }
                match act {
                    Act::Wait(secs) => now = now.after(Duration::from_secs(secs)),
                    // A probe that is under way then counts no more.
                    Act::Open(secs) => {
                        probe = None;
                        health = health.opened_by_hand(policy, Duration::from_secs(secs), now);
                    }
                    Act::Close => {
                        probe = None;
                        health = health.closed_by_hand().unwrap_or(health);
                    }
                    Act::Ask(n) => {
                        token += 1;
                        match health.gate(&delivery(n), token, TIMEOUT, now) {
                            Gate::Probe(next) => {
                                prop_assert!(probe.is_none(), "two probes");
                                probe = Some((token, now.after(TIMEOUT)));
                                health = next;
                            }
                            Gate::Book(next, when) => {
                                prop_assert!(when > now);
                                health = next;
                            }
                            Gate::WaitToProbe(when) => prop_assert!(when > now),
                            Gate::Pass => prop_assert!(!health.is_open()),
                            Gate::Hold => prop_assert!(health.is_open()),
                        }
                    }
                    Act::Finish { success } => if let Some((token, _)) = probe.take() {
                        let next = if success {
                            health.after_success(Some(token), now)
                        } else {
                            health.after_failure(policy, Some(token), None, TIMEOUT, now)
                        };
                        health = next.unwrap_or(health);
                    },
                    Act::Stray { success } => {
                        let was_open = health.is_open();
                        let next = if success {
                            health.after_success(None, now)
                        } else {
                            health.after_failure(policy, None, None, TIMEOUT, now)
                        };
                        prop_assert!(!was_open || next.is_none(), "a stray result counted");
                        health = next.unwrap_or(health);
                    }
                }
            }
        }
    }
}
