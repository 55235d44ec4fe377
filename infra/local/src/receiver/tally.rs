//! Counts per path: requests, distinct `webhook-id`s, how many at once, when,
//! and with which verdicts and answers.
//!
//! Everything here stays small however many requests come: paths and ids have
//! limits, and what lies beyond them is counted without being told apart.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::Serialize;

use super::record::is_under;
use super::signature::Verdict;

const MAX_PATHS: usize = 20_000;
const MAX_IDS: usize = 4_000_000;
const MAX_LATENCIES: usize = 2_000_000;
const MAX_REPEATS: usize = 200_000;
/// Where the paths beyond the limit are counted.
const OTHER_PATHS: &str = "/(other)";

/// The counts of all paths.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    by_path: RwLock<HashMap<Box<str>, Arc<Tally>>>,
    ids: AtomicUsize,
}

/// The counts of one path.
#[derive(Debug, Default)]
pub(super) struct Tally {
    requests: AtomicU64,
    in_flight: AtomicU32,
    max_in_flight: AtomicU32,
    first_at_us: AtomicU64,
    last_at_us: AtomicU64,
    verified: AtomicU64,
    bad: AtomicU64,
    unknown_secret: AtomicU64,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    ids: HashSet<u64>,
    statuses: BTreeMap<u16, u64>,
    latencies_us: Vec<u32>,
}

/// A request that is being worked on; it counts as in flight until this is dropped.
#[derive(Debug)]
pub(super) struct Visit(Arc<Tally>);

/// What is told of a path.
#[derive(Debug, Serialize)]
pub(super) struct Counts {
    pub(super) requests: u64,
    pub(super) distinct_ids: u64,
    pub(super) in_flight: u32,
    pub(super) max_in_flight: u32,
    pub(super) first_at_ms: Option<u64>,
    pub(super) last_at_ms: Option<u64>,
    pub(super) verified: u64,
    pub(super) bad: u64,
    pub(super) unknown_secret: u64,
    pub(super) statuses: BTreeMap<u16, u64>,
    /// From the `sent_at_us` in the payload to its arrival here, first arrivals only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) latency_us: Option<Quantiles>,
}

/// Where a list of times lies.
#[derive(Debug, Serialize)]
pub(super) struct Quantiles {
    count: usize,
    p50: u32,
    p95: u32,
    p99: u32,
    max: u32,
}

impl Tallies {
    /// A request has begun to come in.
    pub(super) fn enter(&self, path: &str) -> Visit {
        let tally = self.of(path);
        let in_flight = tally.in_flight.fetch_add(1, Relaxed) + 1;
        tally.max_in_flight.fetch_max(in_flight, Relaxed);
        Visit(tally)
    }

    /// It has come in whole.
    pub(super) fn arrived(
        &self,
        visit: &Visit,
        at_us: u64,
        webhook_id: &[u8],
        verdict: Verdict,
        sent_at_us: Option<u64>,
    ) {
        let tally = &visit.0;
        tally.requests.fetch_add(1, Relaxed);
        let _first = tally
            .first_at_us
            .compare_exchange(0, at_us, Relaxed, Relaxed);
        tally.last_at_us.fetch_max(at_us, Relaxed);
        match verdict {
            Verdict::Verified => &tally.verified,
            Verdict::Bad => &tally.bad,
            Verdict::UnknownSecret => &tally.unknown_secret,
        }
        .fetch_add(1, Relaxed);
        let fingerprint = fingerprint(&[webhook_id]);
        let mut seen = tally.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if self.ids.load(Relaxed) < MAX_IDS && seen.ids.insert(fingerprint) {
            self.ids.fetch_add(1, Relaxed);
            if let Some(sent_at_us) = sent_at_us
                && seen.latencies_us.len() < MAX_LATENCIES
            {
                let latency_us = at_us.saturating_sub(sent_at_us);
                seen.latencies_us
                    .push(u32::try_from(latency_us).unwrap_or(u32::MAX));
            }
        }
    }

    /// The counts of the paths at or below `prefix`.
    pub(super) fn under(&self, prefix: &str) -> BTreeMap<String, Counts> {
        let tallies: Vec<_> = {
            let by_path = self.by_path.read().unwrap_or_else(PoisonError::into_inner);
            by_path
                .iter()
                .filter(|(path, _)| is_under(path, prefix))
                .map(|(path, tally)| (path.to_string(), Arc::clone(tally)))
                .collect()
        };
        tallies
            .into_iter()
            .map(|(path, tally)| (path, tally.counts()))
            .collect()
    }

    /// Begins again at zero for the paths at or below `prefix`.
    pub(super) fn clear(&self, prefix: &str) {
        let mut by_path = self.by_path.write().unwrap_or_else(PoisonError::into_inner);
        by_path.retain(|path, tally| {
            let kept = !is_under(path, prefix);
            if !kept {
                let seen = tally.seen.lock().unwrap_or_else(PoisonError::into_inner);
                self.ids.fetch_sub(seen.ids.len(), Relaxed);
            }
            kept
        });
    }

    fn of(&self, path: &str) -> Arc<Tally> {
        {
            let by_path = self.by_path.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(tally) = by_path.get(path) {
                return Arc::clone(tally);
            }
        }
        let mut by_path = self.by_path.write().unwrap_or_else(PoisonError::into_inner);
        let known = by_path.len() < MAX_PATHS || by_path.contains_key(path);
        let key = if known { path } else { OTHER_PATHS };
        Arc::clone(by_path.entry(key.into()).or_default())
    }
}

impl Visit {
    /// An answer was given.
    pub(super) fn answered(&self, status: u16) {
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen.statuses.entry(status).or_default() += 1;
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

impl Tally {
    fn counts(&self) -> Counts {
        let at_ms = |at_us: u64| (at_us > 0).then_some(at_us / 1_000);
        let (distinct_ids, statuses, latencies_us) = {
            let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            (
                seen.ids.len() as u64,
                seen.statuses.clone(),
                seen.latencies_us.clone(),
            )
        };
        Counts {
            requests: self.requests.load(Relaxed),
            distinct_ids,
            in_flight: self.in_flight.load(Relaxed),
            max_in_flight: self.max_in_flight.load(Relaxed),
            first_at_ms: at_ms(self.first_at_us.load(Relaxed)),
            last_at_ms: at_ms(self.last_at_us.load(Relaxed)),
            verified: self.verified.load(Relaxed),
            bad: self.bad.load(Relaxed),
            unknown_secret: self.unknown_secret.load(Relaxed),
            statuses,
            latency_us: Quantiles::of(latencies_us),
        }
    }
}

impl Quantiles {
    fn of(mut values: Vec<u32>) -> Option<Self> {
        values.sort_unstable();
        let at = |percent: usize| {
            let rank = (values.len() * percent).div_ceil(100);
            values.get(rank.saturating_sub(1)).copied()
        };
        Some(Self {
            count: values.len(),
            p50: at(50)?,
            p95: at(95)?,
            p99: at(99)?,
            max: at(100)?,
        })
    }
}

/// How often the same thing has come: for answers that change after the first N.
#[derive(Debug, Default)]
pub(super) struct Repeats(Mutex<Recent>);

#[derive(Debug, Default)]
struct Recent {
    times: HashMap<u64, u32>,
    oldest_first: VecDeque<u64>,
}

impl Repeats {
    /// Counts one more, and says how many that makes.
    pub(super) fn count(&self, path: &str, webhook_id: &[u8]) -> u32 {
        let key = fingerprint(&[path.as_bytes(), webhook_id]);
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(times) = inner.times.get_mut(&key) {
            *times = times.saturating_add(1);
            return *times;
        }
        if inner.oldest_first.len() == MAX_REPEATS
            && let Some(oldest) = inner.oldest_first.pop_front()
        {
            inner.times.remove(&oldest);
        }
        inner.oldest_first.push_back(key);
        inner.times.insert(key, 1);
        1
    }
}

fn fingerprint(parts: &[&[u8]]) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrive(tallies: &Tallies, path: &str, id: &str, sent_at_us: Option<u64>) -> Visit {
        let visit = tallies.enter(path);
        tallies.arrived(&visit, 5_000, id.as_bytes(), Verdict::Verified, sent_at_us);
        visit
    }

    #[test]
    fn requests_ids_and_concurrency_are_counted_by_path() {
        let tallies = Tallies::default();
        let first = arrive(&tallies, "/success/a", "one", None);
        let second = arrive(&tallies, "/success/a", "one", None);
        first.answered(200);
        drop((first, second));
        drop(arrive(&tallies, "/success/a", "two", None));
        drop(arrive(&tallies, "/success/b", "two", None));

        let counts = tallies.under("/success/a");
        assert_eq!(counts.len(), 1);
        let a = &counts["/success/a"];
        assert_eq!((a.requests, a.distinct_ids, a.verified), (3, 2, 3));
        assert_eq!((a.in_flight, a.max_in_flight), (0, 2));
        assert_eq!((a.first_at_ms, a.statuses[&200]), (Some(5), 1));
        assert_eq!(tallies.under("/success").len(), 2);
        assert_eq!(tallies.under("/").len(), 2);

        tallies.clear("/success/a");
        assert_eq!(tallies.under("/").len(), 1);
        assert_eq!(tallies.ids.load(Relaxed), 1);
    }

    #[test]
    fn latency_is_measured_on_first_arrivals() {
        let tallies = Tallies::default();
        for id in 0..100_u64 {
            drop(arrive(&tallies, "/x", &id.to_string(), Some(5_000 - id)));
            drop(arrive(&tallies, "/x", &id.to_string(), Some(0)));
        }
        let counts = tallies.under("/x");
        let latency = counts["/x"].latency_us.as_ref().unwrap();
        assert_eq!(
            (latency.count, latency.p50, latency.p95, latency.max),
            (100, 49, 94, 99)
        );
    }

    #[test]
    fn the_paths_are_bounded() {
        let tallies = Tallies::default();
        for n in 0..MAX_PATHS + 10 {
            drop(tallies.enter(&format!("/success/{n}")));
        }
        assert_eq!(tallies.under("/").len(), MAX_PATHS + 1);
        assert_eq!(tallies.under(OTHER_PATHS).len(), 1);
    }

    #[test]
    fn repeats_are_told_apart_by_path_and_id_and_bounded() {
        let repeats = Repeats::default();
        assert_eq!(repeats.count("/flaky/a", b"1"), 1);
        assert_eq!(repeats.count("/flaky/b", b"1"), 1);
        assert_eq!(repeats.count("/flaky/a", b"2"), 1);
        assert_eq!(repeats.count("/flaky/a", b"1"), 2);
        for n in 0..MAX_REPEATS {
            repeats.count("/flaky/many", n.to_string().as_bytes());
        }
        assert_eq!(repeats.0.lock().unwrap().times.len(), MAX_REPEATS);
    }
}
