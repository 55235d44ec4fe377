//! Metrics: what a process measured, written to its log now and then as the lines from which
//! CloudWatch makes them. Nothing calls CloudWatch.
//!
//! Guarantees: measuring never fails what is measured; lines are bounded by time, whatever is
//! called.

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hookpost_domain::Timestamp;
use hookpost_domain::counters::Pace;
use hookpost_domain::measures::{Measures, Metric};

use crate::Config;

/// How often a line is written on average by what is called once for every event. After a quiet
/// time each of a few calls writes its own.
const EVERY: Duration = Duration::from_secs(5);

/// What this process measures.
#[derive(Debug)]
pub struct Metrics {
    /// `None`: nothing is told.
    stack: Option<String>,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    measures: Measures,
    /// When something was last measured: a process may sleep before it tells.
    at: Timestamp,
    pace: Pace,
}

impl Metrics {
    /// One that has measured nothing yet.
    pub fn new(config: &Config) -> Self {
        let kept = Kept {
            measures: Measures::default(),
            at: Timestamp::default(),
            pace: Pace::every(EVERY),
        };
        Self {
            stack: config.metrics.clone(),
            kept: Mutex::new(kept),
        }
    }

    /// Measures something.
    pub fn note(&self, now: Timestamp, measure: impl FnOnce(&mut Measures)) {
        if self.stack.is_none() {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.at = now;
        measure(&mut kept.measures);
    }

    /// Measures how often something happened.
    pub fn count(&self, metric: Metric, times: u64, now: Timestamp) {
        self.note(now, |measures| measures.note(metric, times));
    }

    /// Writes what was measured.
    pub fn tell(&self) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let measures = std::mem::take(&mut kept.measures);
        let at = kept.at;
        drop(kept);
        self.write(&measures, at);
    }

    /// Writes what was measured, if it is time: for what is called once for every event.
    pub fn tell_at_times(&self, now: Timestamp) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.measures.is_empty() || !(kept.measures.is_full() || kept.pace.take(now)) {
            return;
        }
        drop(kept);
        self.tell();
    }

    fn write(&self, measures: &Measures, at: Timestamp) {
        let Some(stack) = &self.stack else {
            return;
        };
        let mut out = std::io::stdout().lock();
        for line in measures.lines(stack, at) {
            if let Err(error) = writeln!(out, "{line}") {
                tracing::error!(%error, "metrics were not written");
            }
        }
    }
}
