//! Rate limits that hold across instances without a write per request.
//!
//! A limit is a meter in the table: the time at which the next request may go (the generic cell
//! rate algorithm). An instance moves it on by as many requests as it is about to make, and by up to
//! a tenth of a second's worth if it has been using that much, in one conditional write, and then
//! spends what it took from memory. Slots that are not used within [`SLOT_LIFETIME`] lapse: in any stretch of time no more
//! requests go out than the rate allows for it and for one second and a burst more.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// How long after its time a slot may still be used.
pub const SLOT_LIFETIME: Duration = Duration::from_secs(1);
/// Slots that went unused this recently may be caught up with: the burst.
const BURST: Duration = Duration::from_millis(250);

/// The same for calls of the API: whoever was quiet for a second may make a second's worth at once.
pub const CALL_BURST: Duration = Duration::from_secs(1);

/// How far a limit is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Meter {
    /// Counts the writes; 0 if never written.
    pub version: u64,
    /// When the next slot is, in microseconds since the epoch.
    pub next_micros: u64,
    /// The rate that this is at; 0 if never written.
    #[serde(default)]
    pub per_second: u32,
}

/// Slots that were taken and not yet used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lease {
    next_micros: u64,
    interval_micros: u64,
    left: u32,
    lapsed: bool,
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
    /// Takes slots for `wanted` requests at `per_second`. If the limit has been changed, what had
    /// been taken ahead is worth as many slots as before.
    pub fn take(&self, per_second: u32, wanted: u32, now: Timestamp) -> (Self, Lease) {
        self.take_after(BURST, per_second, wanted, now)
    }

    /// Takes slots; those that went unused within `burst` before `now` are caught up with.
    pub fn take_after(
        &self,
        burst: Duration,
        per_second: u32,
        wanted: u32,
        now: Timestamp,
    ) -> (Self, Lease) {
        let burst = u64::try_from(burst.as_micros()).unwrap_or(u64::MAX);
        let per_second = per_second.max(1);
        let interval = (1_000_000 / u64::from(per_second)).max(1);
        let count = wanted.max(1);
        let now_micros = now.as_millis() * 1000;
        let ahead = self.next_micros.saturating_sub(now_micros);
        let next_slot = if self.per_second == 0 || self.per_second == per_second || ahead == 0 {
            self.next_micros
        } else {
            let worth = u128::from(ahead) * u128::from(self.per_second) / u128::from(per_second);
            now_micros.saturating_add(u64::try_from(worth).unwrap_or(u64::MAX))
        };
        let first = next_slot.max(now_micros.saturating_sub(burst));
        let next = first.saturating_add(interval.saturating_mul(count.into()));
        let lease = Lease {
            next_micros: first,
            interval_micros: interval,
            left: count,
            lapsed: false,
        };
        let meter = Self {
            version: self.version + 1,
            next_micros: next,
            per_second,
        };
        (meter, lease)
    }

    /// When the next slot is, if that is after `now`.
    pub fn full_until(&self, now: Timestamp) -> Option<Timestamp> {
        let next = Timestamp::from_millis(self.next_micros.div_ceil(1000));
        (next > now).then_some(next)
    }
}

/// How many slots may be taken ahead however low the rate is.
const FEW: u32 = 4;

/// How many slots to take next: what is wanted, and more each time all of the last were used, up
/// to a tenth of a second's worth or a few. Slots that are taken and not used are lost to the others.
pub fn next_size(last: u32, lapsed: bool, wanted: u32, per_second: u32) -> u32 {
    let grown = if lapsed {
        0
    } else {
        last.saturating_mul(2).min((per_second / 10).max(FEW))
    };
    wanted.max(grown).max(1)
}

impl Lease {
    /// Whether any of its slots went unused for too long.
    pub const fn has_lapsed(&self) -> bool {
        self.lapsed
    }

    /// One request's slot, if it may go now: one for later is left where it is.
    pub fn claim(&mut self, now: Timestamp) -> Slot {
        let before = *self;
        let slot = self.spend(now);
        if let Slot::At(_) = slot {
            *self = Self {
                lapsed: self.lapsed,
                left: self.left + 1,
                next_micros: self.next_micros.saturating_sub(before.interval_micros),
                ..before
            };
        }
        slot
    }

    /// One request's slot.
    pub fn spend(&mut self, now: Timestamp) -> Slot {
        let now_micros = now.as_millis() * 1000;
        let lifetime = u64::try_from(SLOT_LIFETIME.as_micros()).unwrap_or(u64::MAX);
        while self.left > 0 {
            let slot = self.next_micros;
            self.left -= 1;
            self.next_micros = slot.saturating_add(self.interval_micros);
            if slot.saturating_add(lifetime) < now_micros {
                self.lapsed = true;
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

    proptest! {
        /// A caller who hammers on, refused or not, over two instances.
        #[test]
        fn who_is_refused_takes_nothing(
            per_second in 1..50u32, waits in proptest::collection::vec(0..30u64, 100..400),
        ) {
            let mut meter = Meter::default();
            let mut lease = Lease::default();
            let mut now = Timestamp::from_millis(1_000_000);
            let began = now;
            let mut let_in = 0u64;
            for wait in waits {
                now = now.after(Duration::from_millis(wait));
                let mut slot = lease.claim(now);
                if slot == Slot::Empty && meter.full_until(now).is_none() {
                    (meter, lease) = meter.take_after(CALL_BURST, per_second, 1, now);
                    slot = lease.claim(now);
                }
                match slot {
                    Slot::Now => let_in += 1,
                    Slot::At(at) => prop_assert!(at > now),
                    Slot::Empty => prop_assert!(meter.full_until(now).is_some()),
                }
            }
            let ms = now.as_millis() - began.as_millis();
            let rate = u64::from(per_second);
            prop_assert!(let_in <= rate * (ms + 1000) / 1000 + 1, "{let_in} in {ms} ms");
            // The first second's worth at once, and then as the rate lets in: a wait of up to
            // 30 ms between two calls may miss slots only where there are more of them.
            if per_second <= 20 && ms > 1000 {
                prop_assert!(let_in + 2 >= rate * ms / 1000, "{let_in} in {ms} ms");
            }
        }
    }

    #[test]
    fn a_lease_is_worth_what_is_wanted_and_grows_with_use() {
        let now = Timestamp::from_millis(1_000_000);
        let (_, mut lease) = Meter::default().take(1000, 7, now);
        let mut slots = 0;
        while lease.spend(now) != Slot::Empty {
            slots += 1;
        }
        assert_eq!(slots, 7);
        assert_eq!(next_size(7, false, 1, 1000), 14);
        assert_eq!(next_size(80, false, 1, 1000), 100);
        assert_eq!(next_size(80, true, 1, 1000), 1);
        assert_eq!(next_size(1, false, 10, 5), 10);
    }

    #[test]
    fn a_changed_limit_keeps_the_number_of_slots_taken_ahead() {
        let now = Timestamp::from_millis(1_000_000);
        let (slow, _) = Meter::default().take(10, 10_000, now);
        let (fast, mut lease) = slow.take(1000, 1, now);
        let Slot::At(at) = lease.spend(now) else {
            panic!("no slot")
        };
        assert!(
            at.since(now) <= Duration::from_secs(11),
            "{:?}",
            at.since(now)
        );
        assert_eq!(fast.per_second, 1000);
    }
}
