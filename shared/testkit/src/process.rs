//! A process of a function: all that it knows ends with it, and no call that it has not made yet
//! takes place any more.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use hookpost_domain::ports::{Error, World};
use tokio::sync::watch;

use crate::faults::{PATIENCE, SLOW};
use crate::{Clock, Fault, Faults};

/// How long a call is under way each way, in milliseconds, at most.
const WAY_MS: u64 = 8;

/// One process, and its way to everything outside.
#[derive(Debug, Clone)]
pub struct Process {
    faults: Arc<Faults>,
    clock: Clock,
    ended: Arc<watch::Sender<bool>>,
}

impl Process {
    /// A process that has just begun.
    pub fn new(faults: Arc<Faults>, clock: Clock) -> Self {
        Self {
            faults,
            clock,
            ended: Arc::new(watch::Sender::new(false)),
        }
    }

    /// Its clock.
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Ends it.
    pub fn kill(&self) {
        self.ended.send_replace(true);
    }

    /// Resolves once it has ended.
    pub async fn ended(&self) {
        // The sender lives in `self`, so this cannot end early.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    /// Nothing leaves a process that has ended.
    async fn goes_on(&self) {
        if *self.ended.borrow() {
            pending::<()>().await;
        }
    }

    async fn on_the_way(&self) {
        let ms = 1 + self.clock.below(WAY_MS);
        tokio::time::sleep(Duration::from_millis(ms)).await;
        self.goes_on().await;
    }

    /// Makes one call, which `effect` carries out.
    ///
    /// # Errors
    /// The planned fault.
    pub async fn call<T>(
        &self,
        name: &'static str,
        effect: impl FnOnce() -> T,
    ) -> Result<T, Error> {
        self.numbered(name, effect).await.1
    }

    /// Makes a call that looks for something to do.
    ///
    /// # Errors
    /// The planned fault.
    pub(crate) async fn look<T>(
        &self,
        name: &'static str,
        is_idle: impl FnOnce(&T) -> bool,
        effect: impl FnOnce() -> T,
    ) -> Result<T, Error> {
        let (nth, outcome) = self.numbered(name, effect).await;
        if outcome.as_ref().is_ok_and(is_idle) {
            self.faults.was_idle(nth);
        }
        outcome
    }

    async fn numbered<T>(
        &self,
        name: &'static str,
        effect: impl FnOnce() -> T,
    ) -> (usize, Result<T, Error>) {
        let (nth, fault) = self.begin(name).await;
        let outcome = match fault {
            None => Ok(effect()),
            Some(Fault::Before | Fault::Throttled) => Err(spoiled(name, nth)),
            Some(Fault::After) => {
                effect();
                Err(spoiled(name, nth))
            }
            Some(Fault::Slow) => {
                tokio::time::sleep(SLOW).await;
                self.goes_on().await;
                Ok(effect())
            }
            Some(Fault::TimedOut) => {
                tokio::time::sleep(PATIENCE).await;
                Err(spoiled(name, nth))
            }
            Some(fault @ (Fault::Panic | Fault::KilledBefore)) => self.end(name, fault).await,
            Some(fault @ Fault::KilledAfter) => {
                effect();
                self.end(name, fault).await
            }
        };
        self.on_the_way().await;
        (nth, outcome)
    }

    /// Makes a call that asks for several things, of which each takes effect for itself.
    ///
    /// # Errors
    /// The planned fault.
    pub(crate) async fn call_each<I>(
        &self,
        name: &'static str,
        items: Vec<I>,
        mut effect: impl FnMut(I),
    ) -> Result<(), Error> {
        let (nth, fault) = self.begin(name).await;
        let half = items.len().div_ceil(2);
        let (taken, outcome) = match fault {
            None => (items.len(), Ok(())),
            Some(Fault::Before) => (0, Err(spoiled(name, nth))),
            Some(Fault::After) => (items.len(), Err(spoiled(name, nth))),
            Some(Fault::Throttled) => {
                let taken = if items.len() > 1 { half } else { 0 };
                (taken, Err(spoiled(name, nth)))
            }
            Some(Fault::Slow) => {
                tokio::time::sleep(SLOW).await;
                self.goes_on().await;
                (items.len(), Ok(()))
            }
            Some(Fault::TimedOut) => {
                tokio::time::sleep(PATIENCE).await;
                (0, Err(spoiled(name, nth)))
            }
            Some(fault @ (Fault::Panic | Fault::KilledBefore)) => {
                return self.end(name, fault).await;
            }
            Some(fault @ Fault::KilledAfter) => {
                items.into_iter().for_each(effect);
                return self.end(name, fault).await;
            }
        };
        items.into_iter().take(taken).for_each(&mut effect);
        self.on_the_way().await;
        outcome
    }

    /// A call that nobody counts and that never goes wrong but with its process.
    pub(crate) async fn uncounted<T>(&self, effect: impl FnOnce() -> T) -> T {
        self.goes_on().await;
        effect()
    }

    pub(crate) async fn begin(&self, name: &'static str) -> (usize, Option<Fault>) {
        self.goes_on().await;
        let next = self.faults.next(name);
        self.on_the_way().await;
        next
    }

    /// The process ends, or the task panics.
    pub(crate) async fn end<T>(&self, name: &'static str, fault: Fault) -> T {
        assert!(fault != Fault::Panic, "a planned panic in {name}");
        self.kill();
        pending().await
    }
}

impl World for Process {
    fn now(&self) -> hookpost_domain::Timestamp {
        self.clock.now()
    }

    fn roll(&self) -> f64 {
        self.clock.roll()
    }

    fn token(&self) -> u64 {
        self.clock.token()
    }
}

fn spoiled(name: &'static str, nth: usize) -> Error {
    Error {
        call: name,
        source: format!("a planned fault at call {nth}").into(),
    }
}
