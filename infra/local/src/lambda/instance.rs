//! An invocation, and the instance that it is handed to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use super::{Outcome, error_document, random_id};
use crate::clock;
use crate::usage::Usage;

/// An invocation that waits for its end.
#[derive(Debug)]
pub(super) struct Job {
    pub request_id: String,
    pub payload: Bytes,
    outcome: oneshot::Sender<Outcome>,
}

impl Job {
    pub(super) fn new(payload: Bytes) -> (Self, oneshot::Receiver<Outcome>) {
        let (outcome, receiver) = oneshot::channel();
        let job = Self {
            request_id: random_id(),
            payload,
            outcome,
        };
        (job, receiver)
    }

    pub(super) fn end(self, outcome: Outcome) {
        // Whoever asked may have gone; the invocation counts all the same.
        let _gone = self.outcome.send(outcome);
    }
}

/// What an instance is told when it asks for work.
#[derive(Debug)]
pub(super) struct Work {
    pub request_id: String,
    pub payload: Bytes,
    pub timeout: Duration,
}

/// One process of a function.
#[derive(Debug)]
pub(super) struct Instance {
    pub pid: u32,
    pub spawned: Instant,
    pub state: State,
    pub answered_before: bool,
    pub usage: Usage,
    /// CPU time that it had when the counts were reset.
    pub baseline_ms: u64,
    pub init_error: Option<Bytes>,
    pub kill: Arc<Notify>,
}

/// Where an instance is on its way: starting -> idle -> busy -> idle ... -> ending.
#[derive(Debug)]
pub(super) enum State {
    Starting,
    Idle { since: Instant },
    Busy { job: Job, deadline: Instant },
    Ending,
}

impl Instance {
    /// One whose process is about to be started.
    pub(super) fn starting() -> Self {
        Self {
            pid: 0,
            spawned: clock::monotonic(),
            state: State::Starting,
            answered_before: false,
            usage: Usage::default(),
            baseline_ms: 0,
            init_error: None,
            kill: Arc::new(Notify::new()),
        }
    }

    /// How long its invocation of a function with this time-out has lasted, if it has one.
    pub(super) fn busy_for(&self, timeout: Duration, now: Instant) -> Duration {
        match &self.state {
            State::Busy { deadline, .. } => {
                timeout.saturating_sub(deadline.saturating_duration_since(now))
            }
            State::Starting | State::Idle { .. } | State::Ending => Duration::ZERO,
        }
    }

    /// Its invocation, if it has one that is wanted.
    pub(super) fn take_job(&mut self, wanted: impl Fn(&Job) -> bool) -> Option<Job> {
        match std::mem::replace(&mut self.state, State::Ending) {
            State::Busy { job, deadline } if !wanted(&job) => {
                self.state = State::Busy { job, deadline };
                None
            }
            State::Busy { job, .. } => Some(job),
            other @ (State::Starting | State::Idle { .. } | State::Ending) => {
                self.state = other;
                None
            }
        }
    }

    pub(super) fn fail(&mut self, kind: &str, text: &str) {
        if let Some(job) = self.take_job(|_| true) {
            job.end(Outcome::Failed(error_document(kind, text)));
        }
    }
}
