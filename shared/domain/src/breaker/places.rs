//! How many of an endpoint's retries wait in the queue.
//!
//! A message that waits there is in flight, and a queue has 120,000 places for those in all. So an
//! endpoint's health counts its own: it is written after each failure anyway. A retry that finds no
//! place is parked in the table, however short its wait.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Most retries of one endpoint that wait in the queue. With what the functions can have of one
/// endpoint in their hands at once by the template's defaults (50 batches of ten in the fast lane,
/// 20 in the slow one) that makes 1,000 messages in flight.
pub const MOST_WAITING: u32 = 300;

/// Until when places are taken: how many until which second, in order. Longer waits are counted in
/// coarser steps, a little too long rather than too short, so that this stays small.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Places(Vec<(u64, u32)>);

impl Places {
    /// Whether none was ever taken, or all have been forgotten.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many are taken.
    pub fn taken(&self, now: Timestamp) -> u32 {
        let later = self.0.iter().filter(|(until, _)| *until > now.as_secs());
        later.fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// With one more taken until then, if there is one.
    pub fn with(&self, until: Timestamp, now: Timestamp) -> Option<Self> {
        if self.taken(now) >= MOST_WAITING {
            return None;
        }
        let wait = until
            .as_millis()
            .div_ceil(1000)
            .saturating_sub(now.as_secs())
            .max(1);
        let step = (wait.next_power_of_two() / 4).max(1);
        let end = (now.as_secs() + wait).next_multiple_of(step);
        let mut places = self.0.clone();
        places.retain(|(until, _)| *until > now.as_secs());
        match places.binary_search_by_key(&end, |(until, _)| *until) {
            Ok(at) => {
                if let Some((_, count)) = places.get_mut(at) {
                    *count += 1;
                }
            }
            Err(at) => places.insert(at, (end, 1)),
        }
        Some(Self(places))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use proptest::prelude::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000 + ms)
    }

    proptest! {
        /// Whatever comes, no more wait than there are places; and what it is written in is short.
        #[test]
        fn never_more_wait_than_there_are_places(
            retries in proptest::collection::vec((0..900u64, 1..900_000u64), 1..2000),
        ) {
            let mut places = Places::default();
            let mut waiting: Vec<Timestamp> = Vec::new();
            let mut now = at(0);
            for (pause, wait) in retries {
                now = now.after(Duration::from_millis(pause));
                let until = now.after(Duration::from_millis(wait));
                waiting.retain(|until| *until > now);
                match places.with(until, now) {
                    Some(next) => { places = next; waiting.push(until); }
                    None => prop_assert!(places.taken(now) >= MOST_WAITING),
                }
                prop_assert!(waiting.len() <= MOST_WAITING as usize);
                prop_assert!(places.taken(now) as usize >= waiting.len());
                prop_assert!(places.0.len() <= 40, "{}", places.0.len());
            }
        }

        /// What is counted too long is so by half of its wait and two seconds at most.
        #[test]
        fn a_place_is_free_again_soon_after_its_time(wait in 1..900_000u64) {
            let until = at(wait);
            let places = Places::default().with(until, at(0)).unwrap();
            prop_assert_eq!(places.taken(until), 1);
            prop_assert_eq!(places.taken(until.after(Duration::from_millis(wait / 2 + 2000))), 0);
        }
    }
}
