//! Where time comes from: the only file that asks the machine.
//!
//! The queues never read a clock; whoever holds them passes `now_ms` in. A
//! clock that stands still and is moved by hand lets a test cross twelve hours
//! of visibility timeout without waiting for them.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

/// A future that a clock hands out.
pub type Wait<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// The time of the local system, in milliseconds since 1970.
pub trait Clock: Debug + Send + Sync + 'static {
    /// Now.
    fn now_ms(&self) -> u64;

    /// Resolves once `now_ms` has reached `at_ms`, also when the clock is moved there.
    fn wait_until(&self, at_ms: u64) -> Wait<'_>;
}

/// The machine's time, plus whatever was skipped.
#[derive(Debug)]
pub struct SystemClock {
    skipped_ms: watch::Sender<u64>,
}

impl SystemClock {
    /// A clock that shows the machine's time.
    pub fn new() -> Self {
        Self {
            skipped_ms: watch::Sender::new(0),
        }
    }

    /// Jumps ahead: whoever waits for a moment inside the gap wakes now.
    pub fn skip(&self, by: Duration) {
        self.skipped_ms
            .send_modify(|skipped| *skipped = skipped.saturating_add(millis(by)));
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        machine_ms().saturating_add(*self.skipped_ms.borrow())
    }

    fn wait_until(&self, at_ms: u64) -> Wait<'_> {
        Box::pin(async move {
            let mut skipped = self.skipped_ms.subscribe();
            loop {
                let left = at_ms.saturating_sub(self.now_ms());
                if left == 0 {
                    return;
                }
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_millis(left)) => {}
                    _ = skipped.changed() => {}
                }
            }
        })
    }
}

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct ManualClock {
    now_ms: watch::Sender<u64>,
}

impl ManualClock {
    /// A clock that stands at `now_ms`.
    pub fn at(now_ms: u64) -> Self {
        Self {
            now_ms: watch::Sender::new(now_ms),
        }
    }

    /// Moves the clock ahead.
    pub fn advance(&self, by: Duration) {
        self.now_ms
            .send_modify(|now| *now = now.saturating_add(millis(by)));
    }

    /// Sets the clock.
    pub fn set(&self, now_ms: u64) {
        self.now_ms.send_replace(now_ms);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        *self.now_ms.borrow()
    }

    fn wait_until(&self, at_ms: u64) -> Wait<'_> {
        Box::pin(async move {
            let mut moved = self.now_ms.subscribe();
            // The sender lives in `self`, so this cannot end early.
            let _ = moved.wait_for(|now| *now >= at_ms).await;
        })
    }
}

/// A duration in whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock that everything else is handed"
)]
fn machine_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, millis)
}
