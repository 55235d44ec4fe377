//! What is counted: sums that come out the same in whatever order and grouping they are added.
//!
//! What a write of a delivery's record adds is decided from the record before it and the one after
//! it. Counts are approximate all the same: a sum whose writing was answered with an error may have
//! been added, and what a process had not yet written when it was killed is lost. The log of
//! attempts is exact.

mod latency;
mod ledger;

pub use latency::{BOUNDS_MS, LONGEST_MS, Latency};
pub use ledger::{
    EVERY_PATIENT, EVERY_URGENT, Key, Ledger, MAX_KEYS, MAX_WRITES, Pace, Period, Scope,
};

use crate::Timestamp;
use crate::delivery::{Attempt, Delivery, Status};

/// How many attempts a delivery may take to count as quickly recovered.
const RECOVERED_WITHIN: u32 = 3;

/// Sums over some deliveries and some time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Events accepted.
    pub events: u64,
    /// Deliveries accepted by their endpoint.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Attempts that failed and are followed by another.
    pub retried: u64,
    /// Deliveries given up.
    pub dead: u64,
    /// Deliveries called off.
    pub cancelled: u64,
    /// Deliveries accepted at the first attempt.
    pub first_try: u64,
    /// Deliveries whose first attempt failed and whose second or third was accepted.
    pub recovered: u64,
    /// Deliveries whose first attempt failed and that were not accepted within three.
    pub unrecovered: u64,
    /// How long the accepted attempts took.
    pub latency: Latency,
    /// When an attempt was last accepted.
    pub last_success: Option<Timestamp>,
    /// When an attempt last failed.
    pub last_failure: Option<Timestamp>,
}

impl Counters {
    /// One accepted event.
    pub fn of_event() -> Self {
        Self {
            events: 1,
            ..Self::default()
        }
    }

    /// One delivery that somebody called off.
    pub fn of_cancelling() -> Self {
        Self {
            cancelled: 1,
            ..Self::default()
        }
    }

    /// What a write of a delivery's record adds: the record before it, the one after it, and the
    /// attempt that was made in between, if one was.
    pub fn of_write(before: &Delivery, after: &Delivery, attempt: Option<&Attempt>) -> Self {
        let mut counts = Self::default();
        let failed = attempt.is_some_and(|attempt| attempt.failure().is_some());
        if let Some(attempt) = attempt {
            counts.add_attempt(attempt);
        }
        // A duplicate's attempt, or one of a cycle that has passed, changes nothing but the log.
        if before.is_final() || attempt.is_some_and(|attempt| attempt.cycle != before.cycle) {
            return counts;
        }
        match after.status {
            Status::Delivered { .. } => {
                counts.delivered = 1;
                counts.first_try = u64::from(after.cycle == 0 && after.attempts == 1);
                let quickly = (2..=RECOVERED_WITHIN).contains(&after.attempts);
                counts.recovered = u64::from(after.cycle == 0 && quickly);
            }
            Status::Dead { .. } => {
                counts.dead = 1;
                let early = (1..RECOVERED_WITHIN).contains(&after.attempts);
                counts.unrecovered = u64::from(after.cycle == 0 && early);
            }
            Status::Cancelled { .. } | Status::Deleted { .. } => counts.cancelled = 1,
            Status::InQueue { .. } | Status::Parked { .. } | Status::Held { .. } => {
                counts.retried = u64::from(failed);
            }
        }
        if failed && after.cycle == 0 && after.attempts == RECOVERED_WITHIN {
            counts.unrecovered = 1;
        }
        counts
    }

    fn add_attempt(&mut self, attempt: &Attempt) {
        if attempt.failure().is_some() {
            self.failed = 1;
            self.last_failure = Some(attempt.at);
        } else {
            self.latency.observe(attempt.latency_ms);
            self.last_success = Some(attempt.at);
        }
    }

    /// Adds another sum.
    pub fn merge(&mut self, mut other: Self) {
        for ((_, mine), (_, theirs)) in self.each().zip(other.each()) {
            *mine = mine.saturating_add(*theirs);
        }
        self.last_success = self.last_success.max(other.last_success);
        self.last_failure = self.last_failure.max(other.last_failure);
    }

    /// Every sum with the name that it is stored under.
    pub fn each(&mut self) -> impl Iterator<Item = (&'static str, &mut u64)> {
        [
            ("n_events", &mut self.events),
            ("n_delivered", &mut self.delivered),
            ("n_failed", &mut self.failed),
            ("n_retried", &mut self.retried),
            ("n_dead", &mut self.dead),
            ("n_cancelled", &mut self.cancelled),
            ("n_first_try", &mut self.first_try),
            ("n_recovered", &mut self.recovered),
            ("n_unrecovered", &mut self.unrecovered),
        ]
        .into_iter()
        .chain(self.latency.each())
    }

    /// Whether there is nothing to add.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The share of attempts that were accepted; `None` if none was made.
    pub fn attempt_success_rate(&self) -> Option<f64> {
        let accepted = self.latency.count();
        share(accepted, accepted.saturating_add(self.failed))
    }

    /// The share of deliveries that were accepted in the end, of those that have ended;
    /// `None` if none has.
    pub fn success_rate(&self) -> Option<f64> {
        share(self.delivered, self.delivered.saturating_add(self.dead))
    }

    /// The share of deliveries accepted within three attempts, of those whose first attempt failed
    /// and of which it is known; `None` if there are none.
    pub fn recovery_rate(&self) -> Option<f64> {
        let of = self.recovered.saturating_add(self.unrecovered);
        share(self.recovered, of)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a share is shown with a few digits"
)]
fn share(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

#[cfg(test)]
mod tests;
