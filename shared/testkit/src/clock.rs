//! Tokio's clock as the time of day, and dice that fall alike for the same seed.
//!
//! In a runtime that was started paused, time stands still while anybody has something to do, and
//! then jumps to the next moment that somebody waits for: visibility time-outs, due times and
//! pauses of days pass in no time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookpost_domain::Timestamp;
use hookpost_domain::ports::World;
use local_sqs::Wait;
use tokio::time::Instant;

use crate::lock;

/// Longer than any run: Tokio's clock ends somewhere.
const FAR: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Time and dice.
#[derive(Debug, Clone)]
pub struct Clock {
    start: Timestamp,
    began: Instant,
    dice: Arc<Mutex<fastrand::Rng>>,
}

impl Clock {
    /// A clock that shows `start`, with dice for `seed`. Call it inside a runtime.
    pub fn starting(start: Timestamp, seed: u64) -> Self {
        Self {
            start,
            began: Instant::now(),
            dice: Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))),
        }
    }

    /// A number below `below`.
    pub fn below(&self, below: u64) -> u64 {
        lock(&self.dice).u64(0..below.max(1))
    }

    /// Lets time pass.
    pub async fn pass(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

impl World for Clock {
    fn now(&self) -> Timestamp {
        self.start.after(self.began.elapsed())
    }

    fn roll(&self) -> f64 {
        lock(&self.dice).f64()
    }

    fn token(&self) -> u64 {
        lock(&self.dice).u64(1..)
    }
}

impl local_sqs::Clock for Clock {
    fn now_ms(&self) -> u64 {
        self.now().as_millis()
    }

    fn wait_until(&self, at_ms: u64) -> Wait<'_> {
        let wait = Timestamp::from_millis(at_ms).since(self.start).min(FAR);
        Box::pin(tokio::time::sleep_until(self.began + wait))
    }
}
