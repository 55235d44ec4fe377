//! What the local system tells about itself, as far as the benchmark reads it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `/_local/stats`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Stats {
    pub(super) process: Process,
    /// By logical id.
    pub(super) functions: BTreeMap<String, Function>,
    pub(super) dynamodb: Vec<Counted>,
    pub(super) sqs: Vec<Counted>,
}

/// The process with the emulators and the gateway.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Process {
    pub(super) cpu_ms: u64,
    pub(super) peak_rss_kib: u64,
}

/// A function's processes together.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Function {
    pub(super) binary: String,
    pub(super) instances: usize,
    pub(super) invocations: u64,
    pub(super) errors: u64,
    pub(super) memory_mb: u32,
    pub(super) busy_ms: u64,
    pub(super) cpu_ms: u64,
    pub(super) peak_rss_kib: u64,
    pub(super) start_to_first_next: Option<Starts>,
    pub(super) start_to_first_answer: Option<Starts>,
}

/// Times from a process's start.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Starts {
    pub(super) count: usize,
    pub(super) median_ms: f64,
    pub(super) max_ms: f64,
}

/// Calls of one kind.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Counted {
    pub(super) caller: String,
    pub(super) resource: String,
    pub(super) operation: String,
    pub(super) calls: u64,
    pub(super) read_units: f64,
    pub(super) write_units: f64,
    pub(super) billed_requests: u64,
    pub(super) grouped: u64,
}

/// `/_local/queues`, by logical id.
pub(super) type Queues = BTreeMap<String, QueueCounts>;

/// What is in a queue.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct QueueCounts {
    pub(super) visible: u64,
    pub(super) in_flight: u64,
    pub(super) delayed: u64,
}

impl QueueCounts {
    pub(super) fn all(self) -> u64 {
        self.visible + self.in_flight + self.delayed
    }
}

/// The receiver's `/_counts`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Counts {
    pub(super) paths: BTreeMap<String, PathCounts>,
}

/// Of one path.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct PathCounts {
    pub(super) requests: u64,
    pub(super) distinct_ids: u64,
    pub(super) verified: u64,
    pub(super) last_at_ms: Option<u64>,
    pub(super) latency_us: Option<Quantiles>,
}

/// Where a list of times lies, in microseconds.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Quantiles {
    pub(super) p50: u32,
    pub(super) p95: u32,
    pub(super) p99: u32,
    pub(super) max: u32,
}

impl Quantiles {
    pub(super) fn of(mut values: Vec<u32>) -> Option<Self> {
        values.sort_unstable();
        let at = |percent: usize| {
            let rank = (values.len() * percent).div_ceil(100);
            values.get(rank.saturating_sub(1)).copied()
        };
        Some(Self {
            p50: at(50)?,
            p95: at(95)?,
            p99: at(99)?,
            max: at(100)?,
        })
    }
}
