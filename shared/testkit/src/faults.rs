//! One fault, at the n-th call of a run.

use std::sync::atomic::{AtomicUsize, Ordering};

use hookpost_domain::ports::Error;

/// How a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing happens, and the caller hears of an error.
    Before,
    /// It happens, and the caller hears of an error.
    After,
    /// The caller panics.
    Panic,
}

/// Counts the calls of a run, and spoils one of them.
#[derive(Debug, Default)]
pub struct Faults {
    calls: AtomicUsize,
    plan: Option<(usize, Fault)>,
}

impl Faults {
    /// None: to count the calls of a run.
    pub fn none() -> Self {
        Self::default()
    }

    /// `fault` at call number `nth`, from 0.
    pub fn at(nth: usize, fault: Fault) -> Self {
        Self {
            calls: AtomicUsize::new(0),
            plan: Some((nth, fault)),
        }
    }

    /// How many calls there have been.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Makes one call.
    ///
    /// # Errors
    /// The planned fault.
    ///
    /// # Panics
    /// The planned panic.
    pub fn call<T>(&self, name: &'static str, effect: impl FnOnce() -> T) -> Result<T, Error> {
        let nth = self.calls.fetch_add(1, Ordering::SeqCst);
        let spoiled = || Error {
            call: name,
            source: "a planned fault".into(),
        };
        match self.plan.filter(|(at, _)| *at == nth) {
            None => Ok(effect()),
            Some((_, Fault::Before)) => Err(spoiled()),
            Some((_, Fault::After)) => {
                effect();
                Err(spoiled())
            }
            #[expect(clippy::panic, reason = "it is the fault that was planned")]
            Some((_, Fault::Panic)) => panic!("a planned panic in {name}"),
        }
    }
}
