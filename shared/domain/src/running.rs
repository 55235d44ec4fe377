//! A limit on the requests that one endpoint has under way at once, across all instances.
//!
//! Who has how many places, and until when, is one item in a table. An instance takes as many as it
//! is about to use in one conditional write, and gives them back likewise; an endpoint without such a
//! limit costs nothing. A place is a lease that outlives the request that is made in it: those of a
//! process that was killed are free again by themselves.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// How much longer than a request its place is leased.
const MARGIN: Duration = Duration::from_secs(10);

/// How many requests a second end, where `most` are under way at once that usually take so long.
pub fn per_second(most: u32, usual: Duration) -> u32 {
    let ms = u32::try_from(usual.as_millis()).unwrap_or(u32::MAX).max(1);
    (most.saturating_mul(1000) / ms).max(1)
}

/// The places that are taken of one limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Running {
    /// Counts the writes; 0 if never written.
    pub version: u64,
    /// Who has them.
    pub leases: Vec<Lease>,
}

/// The places of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Whose: drawn at random.
    by: u64,
    places: u32,
    /// When they are free again, if they are not given back.
    until: Timestamp,
}

impl Running {
    /// The places of a process in which a request that may take `timeout` can be begun now.
    pub fn places_of(&self, by: u64, timeout: Duration, now: Timestamp) -> u32 {
        let mine = |lease: &&Lease| lease.by == by && lease.until >= now.after(timeout);
        let mine = self.leases.iter().find(mine);
        mine.map_or(0, |lease| lease.places)
    }

    /// With the process having `wanted` places, if there are so many of `most`, or as many as there
    /// are. `None` if there are none, or none beyond the `used` that it has requests in.
    pub fn take(
        &self,
        most: u32,
        by: u64,
        used: u32,
        wanted: u32,
        timeout: Duration,
        now: Timestamp,
    ) -> Option<Self> {
        let others = self.others(by, now);
        let taken = others.iter().map(|lease| lease.places).sum();
        let places = most.saturating_sub(taken).min(wanted);
        (places > used).then(|| self.with(others, by, places, now.after(timeout + MARGIN)))
    }

    /// With the process having only these places any more, if it has more.
    pub fn give_back(&self, by: u64, places: u32, now: Timestamp) -> Option<Self> {
        let mine = self.leases.iter().find(|lease| lease.by == by)?;
        (mine.places > places).then(|| self.with(self.others(by, now), by, places, mine.until))
    }

    /// What others have now.
    fn others(&self, by: u64, now: Timestamp) -> Vec<Lease> {
        let others = self.leases.iter().copied();
        others
            .filter(|lease| lease.by != by && lease.until > now)
            .collect()
    }

    fn with(&self, mut leases: Vec<Lease>, by: u64, places: u32, until: Timestamp) -> Self {
        if places > 0 {
            leases.push(Lease { by, places, until });
        }
        Self {
            version: self.version + 1,
            leases,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TIMEOUT: Duration = Duration::from_secs(15);

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + secs * 1000)
    }

    #[test]
    fn the_places_of_a_killed_process_are_free_again_after_its_last_request() {
        let running = Running::default().take(2, 1, 0, 2, TIMEOUT, at(0)).unwrap();
        assert_eq!(running.take(2, 2, 0, 1, TIMEOUT, at(24)), None);
        let next = running.take(2, 2, 0, 5, TIMEOUT, at(25)).unwrap();
        assert_eq!(next.places_of(2, TIMEOUT, at(25)), 2);
    }

    #[test]
    fn a_place_that_ends_before_a_request_could_is_none() {
        let running = Running::default().take(2, 1, 0, 1, TIMEOUT, at(0)).unwrap();
        assert_eq!(running.places_of(1, TIMEOUT, at(10)), 1);
        assert_eq!(running.places_of(1, TIMEOUT, at(11)), 0);
        let longer = running.take(2, 1, 0, 1, TIMEOUT, at(11)).unwrap();
        assert_eq!(longer.places_of(1, TIMEOUT, at(11)), 1);
    }

    proptest! {
        /// Processes begin and end requests, give places back, or die.
        #[test]
        fn no_more_run_at_once_than_may(
            most in 1..20u32,
            steps in proptest::collection::vec((0..5usize, 0..4u8, 1..11u32, 0..6u64), 1..300),
        ) {
            let mut running = Running::default();
            // The ends of what each process has under way, at the latest.
            let mut ends: Vec<Vec<Timestamp>> = vec![Vec::new(); 5];
            let mut ids = [0u64, 1, 2, 3, 4];
            let mut orphans: Vec<Timestamp> = Vec::new();
            let mut now = at(0);
            for (who, what, wanted, pause) in steps {
                now = now.after(Duration::from_secs(pause));
                for list in ends.iter_mut().chain([&mut orphans]) {
                    list.retain(|end| *end > now);
                }
                let used = u32::try_from(ends[who].len()).unwrap();
                match what {
                    0 | 1 => {
                        let has = running.places_of(ids[who], TIMEOUT, now);
                        if has <= used
                            && let Some(next) =
                                running.take(most, ids[who], used, used + wanted, TIMEOUT, now)
                        {
                            running = next;
                        }
                        if running.places_of(ids[who], TIMEOUT, now) > used {
                            ends[who].push(now.after(TIMEOUT));
                        }
                    }
                    2 => {
                        ends[who].pop();
                        let left = u32::try_from(ends[who].len()).unwrap();
                        if let Some(next) = running.give_back(ids[who], left, now) {
                            running = next;
                        }
                    }
                    _ => {
                        orphans.append(&mut ends[who]);
                        ids[who] += 5;
                    }
                }
                let under_way = ends.iter().map(Vec::len).sum::<usize>() + orphans.len();
                prop_assert!(under_way <= most as usize, "{under_way} of {most}");
            }
        }
    }
}
