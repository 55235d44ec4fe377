//! Rate limits that hold across instances without a write per request.
//!
//! A limit is a meter in the table: the time at which the next request may go (the generic cell
//! rate algorithm). An instance moves it on by as many requests as it is about to make, and at
//! least a tenth of a second's worth, in one conditional write, and then spends what it took from
//! memory. Slots that are not used within [`SLOT_LIFETIME`] lapse: in any stretch of time no more
//! requests go out than the rate allows for it and for one second and a burst more.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// How long after its time a slot may still be used.
pub const SLOT_LIFETIME: Duration = Duration::from_secs(1);
/// Slots that went unused this recently may be caught up with: the burst.
const BURST_MICROS: u64 = 250_000;

/// How far a limit is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Meter {
    /// Counts the writes; 0 if never written.
    pub version: u64,
    /// When the next slot is, in microseconds since the epoch.
    pub next_micros: u64,
}

/// Slots that were taken and not yet used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lease {
    next_micros: u64,
    interval_micros: u64,
    left: u32,
}

/// What a lease has for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// It may go now.
    Now,
    /// It may go at that time, and this slot is kept for it.
    At(Timestamp),
    /// Nothing is left: take more.
    Empty,
}

impl Meter {
    /// Takes slots for `wanted` requests, and some to spare, at `per_second`.
    pub fn take(&self, per_second: u32, wanted: u32, now: Timestamp) -> (Self, Lease) {
        let per_second = per_second.max(1);
        let interval = (1_000_000 / u64::from(per_second)).max(1);
        let count = wanted.max(per_second / 10).max(1);
        let first = self
            .next_micros
            .max((now.as_millis() * 1000).saturating_sub(BURST_MICROS));
        let next = first.saturating_add(interval.saturating_mul(count.into()));
        let lease = Lease {
            next_micros: first,
            interval_micros: interval,
            left: count,
        };
        (
            Self {
                version: self.version + 1,
                next_micros: next,
            },
            lease,
        )
    }
}

impl Lease {
    /// One request's slot.
    pub fn spend(&mut self, now: Timestamp) -> Slot {
        let now_micros = now.as_millis() * 1000;
        let lifetime = u64::try_from(SLOT_LIFETIME.as_micros()).unwrap_or(u64::MAX);
        while self.left > 0 {
            let slot = self.next_micros;
            self.left -= 1;
            self.next_micros = slot.saturating_add(self.interval_micros);
            if slot.saturating_add(lifetime) < now_micros {
                continue;
            }
            if slot <= now_micros {
                return Slot::Now;
            }
            return Slot::At(Timestamp::from_millis(slot.div_ceil(1000)));
        }
        Slot::Empty
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Several instances spend from one meter, each with a lease of its own.
        #[test]
        fn no_stretch_of_time_sees_more_than_the_rate(
            per_second in 1..500u32,
            asks in proptest::collection::vec((0..4usize, 0..200u64, 1..20u32), 1..300),
        ) {
            let mut meter = Meter::default();
            let mut leases = [Lease::default(); 4];
            let mut now = Timestamp::from_millis(1_000_000);
            let mut sent = Vec::new();
            for (instance, wait, wanted) in asks {
                now = now.after(Duration::from_millis(wait));
                for left in (1..=wanted).rev() {
                    let mut slot = leases[instance].spend(now);
                    if slot == Slot::Empty {
                        (meter, leases[instance]) = meter.take(per_second, left, now);
                        slot = leases[instance].spend(now);
                    }
                    match slot {
                        Slot::Now => sent.push(now.as_millis()),
                        Slot::At(at) => { prop_assert!(at > now); sent.push(at.as_millis()); }
                        Slot::Empty => prop_assert!(false, "a fresh lease was empty"),
                    }
                }
            }
            sent.sort_unstable();
            for (i, from) in sent.iter().enumerate() {
                for (j, to) in sent.iter().enumerate().skip(i) {
                    let ms = to - from;
                    let most = u64::from(per_second) * (ms + 1000 + 250) / 1000 + 3;
                    prop_assert!((j - i) as u64 <= most, "{} in {ms} ms at {per_second}/s", j - i + 1);
                }
            }
        }
    }

    #[test]
    fn a_lease_is_worth_a_tenth_of_a_second_or_what_is_wanted() {
        let now = Timestamp::from_millis(1_000_000);
        let spend_all = |per_second, wanted| {
            let (_, mut lease) = Meter::default().take(per_second, wanted, now);
            let mut slots = 0;
            while lease.spend(now) != Slot::Empty {
                slots += 1;
            }
            slots
        };
        assert_eq!(spend_all(1000, 1), 100);
        assert_eq!(spend_all(5, 10), 10);
        assert_eq!(spend_all(1, 1), 1);
    }
}
