//! An endpoint's health and its circuit breaker.
//!
//! Guarantees, given that each new health is written only over the version it was made from:
//! - it opens only on failures in a row, from a streak older than [`CACHE_LIFETIME`]: by then every
//!   success has seen that there was a count to reset;
//! - while it is open, one request at most is under way as the probe, across all instances: the
//!   slot is a lease that outlives the request;
//! - the results of requests begun before it opened, or that are not the probe, change nothing.

mod places;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use places::{MOST_WAITING, Places};
use serde::{Deserialize, Serialize};

use crate::lane::Lane;
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
    /// Since when its deliveries travel in the slow lane, if they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_since: Option<Timestamp>,
    /// Its retries that wait in the queue.
    #[serde(default, skip_serializing_if = "Places::is_empty")]
    pub places: Places,
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
            ..self.with_a_clean_count()
        })
    }

    /// The health without its failures.
    fn with_a_clean_count(&self) -> Self {
        Self {
            version: self.version,
            last_recovery: self.last_recovery,
            last_failure: self.last_failure,
            slow_since: self.slow_since,
            places: self.places.clone(),
            ..Self::default()
        }
    }

    /// The lane that the endpoint's deliveries travel in.
    pub fn lane(&self) -> Lane {
        match self.slow_since {
            None => Lane::Fast,
            Some(_) => Lane::Slow,
        }
    }

    /// `next`, which is written over this health if it is anything, with the endpoint in `lane`.
    pub fn with_lane(&self, next: Option<Self>, lane: Lane, now: Timestamp) -> Option<Self> {
        let health = next.as_ref().unwrap_or(self);
        if health.lane() == lane {
            return next;
        }
        Some(Self {
            version: self.version + 1,
            slow_since: (lane == Lane::Slow).then_some(now),
            ..health.clone()
        })
    }

    /// The health with a place in the queue taken for a retry until then, if there is one.
    pub fn with_place(&self, until: Timestamp, now: Timestamp) -> Option<Self> {
        let places = self.places.with(until, now)?;
        Some(Self {
            places,
            ..self.clone()
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
            ..self.with_a_clean_count()
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
                last_failure: Some(now),
                breaker: Breaker::Open {
                    opened_at,
                    pause_seconds: pause.as_secs(),
                    next_probe,
                    slot,
                    by_hand: false,
                },
                ..self.clone()
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
                    last_failure: Some(now),
                    ..self.clone()
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
