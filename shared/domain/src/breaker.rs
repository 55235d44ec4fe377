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
            return Gate::Book(with(booked(delivery, *next_probe, timeout)), *next_probe);
        }
        Gate::Probe(with(Slot::Probing {
            token,
            until: now.after(timeout).after(LEASE_MARGIN),
        }))
    }

    /// The health after a success, if that changes it. `probe` is the token of the request if it
    /// was a probe.
    pub fn after_success(&self, probe: Option<u64>) -> Option<Self> {
        let counts = match &self.breaker {
            Breaker::Closed => self.failures > 0,
            Breaker::Open { slot, .. } => is_probe(slot, probe),
        };
        counts.then(|| Self {
            version: self.version + 1,
            ..Self::default()
        })
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
                breaker: Breaker::Open {
                    opened_at,
                    pause_seconds: pause.as_secs(),
                    next_probe,
                    slot,
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
                health = health.after_success(None).unwrap();
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
        assert!(probing.after_success(None).is_none());
        assert!(probing.after_success(Some(8)).is_none());
        assert!(probing.after_success(Some(7)).unwrap().is_spotless());
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

    /// What instances that race may do to one health; each write is over the version it saw.
    #[derive(Debug, Clone)]
    enum Act {
        Ask(u8),
        Finish { success: bool },
        Stray { success: bool },
        Wait(u64),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            (1..6u8).prop_map(Act::Ask),
            any::<bool>().prop_map(|success| Act::Finish { success }),
            any::<bool>().prop_map(|success| Act::Stray { success }),
            (0..60u64).prop_map(Act::Wait),
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
                            health.after_success(Some(token))
                        } else {
                            health.after_failure(policy, Some(token), None, TIMEOUT, now)
                        };
                        health = next.unwrap_or(health);
                    },
                    Act::Stray { success } => {
                        let was_open = health.is_open();
                        let next = if success {
                            health.after_success(None)
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
