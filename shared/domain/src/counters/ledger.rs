//! What a process has counted and not yet written: what is to be written when, and how much of it.
//!
//! Writes are bounded by time and number, whatever is delivered: at load they are next to nothing,
//! and after a quiet time everything is written at once.

use std::collections::HashMap;
use std::time::Duration;

use super::Counters;
use crate::matching::EventType;
use crate::{EndpointId, TenantId, Timestamp};

/// Sums that a process keeps; what is new beyond that is not counted.
pub const MAX_KEYS: usize = 4_000;
/// Sums written at once.
pub const MAX_WRITES: usize = 100;
/// How often minutes and the tenant's totals are written, on average.
pub const EVERY_URGENT: Duration = Duration::from_secs(5);
/// How often everything else is.
pub const EVERY_PATIENT: Duration = Duration::from_secs(60);
/// How often it may be at once after a quiet time.
const BURST: u32 = 10;

/// Which deliveries a sum is of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All of the tenant.
    All,
    /// Those to one endpoint.
    Endpoint(EndpointId),
    /// Those of events of one type.
    EventType(EventType),
}

/// Which time a sum is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Period {
    /// The minute that begins here.
    Minute(Timestamp),
    /// The hour that begins here.
    Hour(Timestamp),
    /// From the beginning.
    Ever,
}

/// What a sum is of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Whose deliveries.
    pub tenant: TenantId,
    /// Which of them.
    pub scope: Scope,
    /// Of which time.
    pub period: Period,
}

impl Key {
    /// Whether it is worth writing every few seconds.
    pub(super) fn is_urgent(&self) -> bool {
        match (&self.period, &self.scope) {
            (Period::Minute(_), _) | (Period::Ever, Scope::All) => true,
            (Period::Hour(_), _) | (Period::Ever, Scope::Endpoint(_) | Scope::EventType(_)) => {
                false
            }
        }
    }

    /// What is written first when not everything is.
    fn rank(&self) -> (u8, u8) {
        let scope = match self.scope {
            Scope::All => 0,
            Scope::Endpoint(_) => 1,
            Scope::EventType(_) => 2,
        };
        let period = match self.period {
            Period::Ever => 0,
            Period::Hour(_) => 1,
            Period::Minute(_) => 2,
        };
        (scope, period)
    }
}

/// How often something may happen: once in a while on average, and several times at once after a
/// quiet time.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    every: Duration,
    /// When it would be time if it had never been quiet.
    next: Timestamp,
}

impl Pace {
    /// Once in `every`.
    pub const fn every(every: Duration) -> Self {
        Self {
            every,
            next: Timestamp::from_millis(0),
        }
    }

    /// Whether it is time; if so, the next time is a step later.
    pub fn take(&mut self, now: Timestamp) -> bool {
        if self.next.since(now) > self.every * (BURST - 1) {
            return false;
        }
        self.next = self.next.max(now).after(self.every);
        true
    }
}

/// The sums that have not been written.
#[derive(Debug)]
pub struct Ledger {
    sums: HashMap<Key, Counters>,
    urgent: Pace,
    patient: Pace,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            sums: HashMap::new(),
            urgent: Pace::every(EVERY_URGENT),
            patient: Pace::every(EVERY_PATIENT),
        }
    }
}

impl Ledger {
    /// Counts something of a tenant's: for all of it, for the event's type, and for the endpoint if
    /// there is one.
    pub fn note(
        &mut self,
        tenant: &TenantId,
        endpoint: Option<&EndpointId>,
        event_type: &EventType,
        counts: Counters,
        now: Timestamp,
    ) {
        if counts.is_empty() {
            return;
        }
        let (minute, hour) = (floor(now, 60), floor(now, 3600));
        let of_type = Scope::EventType(event_type.clone());
        let scopes = [Some(Scope::All), Some(of_type)]
            .into_iter()
            .chain([endpoint.cloned().map(Scope::Endpoint)]);
        for scope in scopes.flatten() {
            // A type's deliveries are not asked for from the beginning, only its events.
            let ever = counts.events > 0 || !matches!(scope, Scope::EventType(_));
            let periods = [Period::Minute(minute), Period::Hour(hour)]
                .into_iter()
                .chain(ever.then_some(Period::Ever));
            for period in periods {
                let key = Key {
                    tenant: tenant.clone(),
                    scope: scope.clone(),
                    period,
                };
                self.add(key, counts);
            }
        }
    }

    /// Adds a sum, such as one whose writing failed.
    pub fn add(&mut self, key: Key, counts: Counters) {
        if let Some(sum) = self.sums.get_mut(&key) {
            sum.merge(counts);
        } else if self.sums.len() < MAX_KEYS {
            self.sums.insert(key, counts);
        }
    }

    /// Takes out what is to be written now: nothing, if it is not time.
    pub fn due(&mut self, now: Timestamp) -> Vec<(Key, Counters)> {
        let has = |urgent: bool| self.sums.keys().any(|key| key.is_urgent() == urgent);
        let urgent = has(true) && self.urgent.take(now);
        let patient = has(false) && self.patient.take(now);
        self.take(|key| if key.is_urgent() { urgent } else { patient })
    }

    /// Takes out what may be written before the process ends.
    pub fn last(&mut self) -> Vec<(Key, Counters)> {
        self.take(|_| true)
    }

    fn take(&mut self, wanted: impl Fn(&Key) -> bool) -> Vec<(Key, Counters)> {
        let mut keys: Vec<Key> = self
            .sums
            .keys()
            .filter(|key| wanted(key))
            .cloned()
            .collect();
        keys.sort_by_key(Key::rank);
        keys.truncate(MAX_WRITES);
        let mut taken = Vec::with_capacity(keys.len());
        for key in keys {
            if let Some(counts) = self.sums.remove(&key) {
                taken.push((key, counts));
            }
        }
        taken
    }
}

/// The beginning of the time of so many seconds that `at` lies in.
pub(super) fn floor(at: Timestamp, seconds: u64) -> Timestamp {
    let step = seconds.max(1) * 1000;
    Timestamp::from_millis(at.as_millis() / step * step)
}
