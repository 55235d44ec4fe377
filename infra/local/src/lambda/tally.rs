//! Counts of what a function did, for the benchmark.

use std::time::Duration;

use serde::Serialize;

use crate::usage::Usage;

/// Start times kept per function.
const KEPT: usize = 1_000;

/// What a function did since the counts were last reset.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub spawns: u64,
    pub invocations: u64,
    pub errors: u64,
    pub timeouts: u64,
    pub crashes: u64,
    /// How long invocations lasted, together.
    pub busy: Duration,
    /// CPU time of instances that have ended.
    pub ended_cpu_ms: u64,
    pub peak_rss_kib: u64,
    pub to_first_next: Starts,
    pub to_first_answer: Starts,
}

impl Tally {
    pub(super) fn ended(&mut self, usage: Usage, baseline_ms: u64) {
        self.ended_cpu_ms += usage.cpu_ms.saturating_sub(baseline_ms);
        self.peak_rss_kib = self.peak_rss_kib.max(usage.peak_rss_kib);
    }
}

/// Times from process start to something.
#[derive(Debug, Default)]
pub(super) struct Starts(Vec<f64>);

impl Starts {
    pub(super) fn push(&mut self, took: Duration) {
        if self.0.len() < KEPT {
            self.0.push((took.as_secs_f64() * 1e5).round() / 100.0);
        }
    }

    pub(super) fn summary(&self) -> Option<StartSummary> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        Some(StartSummary {
            count: sorted.len(),
            min_ms: *sorted.first()?,
            median_ms: *sorted.get(sorted.len() / 2)?,
            max_ms: *sorted.last()?,
        })
    }
}

/// The spread of start times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StartSummary {
    /// How many starts.
    pub count: usize,
    /// The quickest.
    pub min_ms: f64,
    /// The one in the middle.
    pub median_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

/// What a function did and used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FunctionStats {
    /// Its binary.
    pub binary: String,
    /// Instances alive.
    pub instances: usize,
    /// Process ids of those.
    pub pids: Vec<u32>,
    /// Processes started.
    pub spawns: u64,
    /// Invocations that ended, however.
    pub invocations: u64,
    /// Invocations that ended with an error, time-outs and crashes among them.
    pub errors: u64,
    /// Invocations that ran past the time-out.
    pub timeouts: u64,
    /// Processes that ended by themselves.
    pub crashes: u64,
    /// Its memory size in MB.
    pub memory_mb: u32,
    /// How long its invocations lasted, together, in milliseconds: what Lambda bills.
    pub busy_ms: u64,
    /// User and system time of all its processes in milliseconds.
    pub cpu_ms: u64,
    /// The most memory that one of its processes held, in KiB.
    pub peak_rss_kib: u64,
    /// From process start to the first call for work.
    pub start_to_first_next: Option<StartSummary>,
    /// From process start to the first answer.
    pub start_to_first_answer: Option<StartSummary>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_summed_up_in_milliseconds() {
        let mut starts = Starts::default();
        assert_eq!(starts.summary(), None);
        for ms in [30, 10, 20] {
            starts.push(Duration::from_millis(ms));
        }
        let summary = starts.summary().unwrap();
        assert_eq!(
            (summary.min_ms, summary.median_ms, summary.max_ms),
            (10.0, 20.0, 30.0)
        );
    }
}
