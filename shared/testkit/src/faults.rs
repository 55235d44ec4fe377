//! What goes wrong, and at which call of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use crate::lock;

/// How a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Nothing happens, and the caller hears of an error.
    Before,
    /// It happens, and the caller hears of an error.
    After,
    /// Half of what a batch asks for happens (of a single call, nothing): the caller is throttled.
    Throttled,
    /// Nothing happens, and the caller hears so only after its patience has ended.
    TimedOut,
    /// It happens, seconds later.
    Slow,
    /// The caller panics.
    Panic,
    /// The caller's process ends before anything happens.
    KilledBefore,
    /// The caller's process ends, and nobody hears that it happened.
    KilledAfter,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Before,
        Self::After,
        Self::Throttled,
        Self::TimedOut,
        Self::Slow,
        Self::Panic,
        Self::KilledBefore,
        Self::KilledAfter,
    ];

    /// Whether the process, or the task, ends with it.
    pub const fn is_deadly(self) -> bool {
        matches!(self, Self::Panic | Self::KilledBefore | Self::KilledAfter)
    }
}

/// How long a call takes that is slow.
pub const SLOW: Duration = Duration::from_secs(3);
/// How long a call is waited for.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// What is to go wrong.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// These calls of the run, counted from 0.
    pub calls: BTreeMap<usize, Fault>,
    /// Batches received from the delivery queue that are handed out twice, counted from 0.
    pub twice: BTreeSet<usize>,
    /// The chance of any call beyond that to go wrong, and of any batch to come twice.
    pub chance: f64,
    /// The chance of a request to an endpoint to fail, whatever its receiver would have said.
    pub bad_weather: f64,
    /// Of the random faults, only these.
    pub kinds: Vec<Fault>,
    /// The seed of the random ones.
    pub seed: u64,
}

impl Plan {
    /// One fault at one call.
    pub fn one(call: usize, fault: Fault) -> Self {
        Self {
            calls: BTreeMap::from([(call, fault)]),
            ..Self::default()
        }
    }

    /// One batch that comes twice.
    pub fn one_twice(batch: usize) -> Self {
        Self {
            twice: BTreeSet::from([batch]),
            ..Self::default()
        }
    }
}

/// A call of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallMade {
    /// Its name.
    pub name: &'static str,
    /// Whether it was a look for something to do, and there was nothing.
    pub idle: bool,
}

#[derive(Debug, Default)]
struct State {
    made: Vec<CallMade>,
    batches: usize,
    happened: Vec<(usize, &'static str, Fault)>,
    doubled: usize,
    stormy: usize,
}

/// Counts the calls of a run, and spoils those that the plan names.
#[derive(Debug)]
pub struct Faults {
    plan: Plan,
    dice: Mutex<fastrand::Rng>,
    state: Mutex<State>,
}

impl Faults {
    /// Carries out a plan.
    pub fn new(plan: Plan) -> Self {
        Self {
            dice: Mutex::new(fastrand::Rng::with_seed(plan.seed)),
            plan,
            state: Mutex::default(),
        }
    }

    /// The next call's number, and what is to go wrong with it.
    pub(crate) fn next(&self, name: &'static str) -> (usize, Option<Fault>) {
        let mut state = lock(&self.state);
        let nth = state.made.len();
        state.made.push(CallMade { name, idle: false });
        let fault = self
            .plan
            .calls
            .get(&nth)
            .copied()
            .or_else(|| self.at_random(self.plan.chance));
        if let Some(fault) = fault {
            state.happened.push((nth, name, fault));
        }
        (nth, fault)
    }

    fn at_random(&self, chance: f64) -> Option<Fault> {
        if chance <= 0.0 {
            return None;
        }
        let mut dice = lock(&self.dice);
        if dice.f64() >= chance {
            return None;
        }
        let kinds = &self.plan.kinds;
        kinds.get(dice.usize(0..kinds.len().max(1))).copied()
    }

    /// Notes that a call found nothing to do.
    pub(crate) fn was_idle(&self, nth: usize) {
        if let Some(call) = lock(&self.state).made.get_mut(nth) {
            call.idle = true;
        }
    }

    /// Whether the next batch comes twice.
    pub fn comes_twice(&self) -> bool {
        let mut state = lock(&self.state);
        let nth = state.batches;
        state.batches += 1;
        let chance = self.plan.chance;
        let twice =
            self.plan.twice.contains(&nth) || (chance > 0.0 && lock(&self.dice).f64() < chance);
        state.doubled += usize::from(twice);
        twice
    }

    /// Whether the next request meets bad weather.
    pub(crate) fn is_stormy(&self) -> bool {
        let chance = self.plan.bad_weather;
        let stormy = chance > 0.0 && lock(&self.dice).f64() < chance;
        lock(&self.state).stormy += usize::from(stormy);
        stormy
    }

    /// The calls there have been.
    pub fn made(&self) -> Vec<CallMade> {
        lock(&self.state).made.clone()
    }

    /// How many batches were received.
    pub fn batches(&self) -> usize {
        lock(&self.state).batches
    }

    /// What went wrong: number and name of the call, and how.
    pub fn happened(&self) -> Vec<(usize, &'static str, Fault)> {
        lock(&self.state).happened.clone()
    }

    /// How many batches came twice.
    pub fn doubled(&self) -> usize {
        lock(&self.state).doubled
    }
}
