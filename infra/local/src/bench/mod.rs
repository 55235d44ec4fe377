//! The benchmark: the local system with its real function binaries, a receiver
//! that answers at once, events at a rate or as fast as they are taken, and a
//! table of what came out, beside what is to be beaten.
//!
//! Times run from just before an event's POST to its arrival at the receiver,
//! which is in this process, so one clock reads both. An event counts as
//! delivered when it has arrived with both signatures verified. Counts of CPU,
//! memory, AWS calls and consumed units are the local system's own, taken when
//! its delivery queue is empty again.

mod beside;
mod cost;
mod figures;
mod load;
mod measure;
mod report;
mod system;
mod table;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Parser;

use self::beside::Unwell;
use self::load::Pace;
use self::measure::Bench;
use crate::client::CallError;

/// The rates that are to be held, and a flat-out run.
const SUITE: [Pace; 3] = [
    Pace::Rate { per_second: 250 },
    Pace::Rate { per_second: 1_000 },
    Pace::Concurrency { calls: 32 },
];
const SUITE_SECONDS: u32 = 20;
const FLAT_OUT_EVENTS: u32 = 20_000;

/// Measures the local system: events in, signed webhooks out.
///
/// Without --rate or --concurrency it runs at 250 and 1,000 events a second
/// and then as fast as it can.
#[derive(Debug, Clone, Parser)]
#[command(name = "hookpost-bench", version)]
pub struct Options {
    /// Events to send [default: 20 s of the rate, or 20,000].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    events: Option<u32>,
    /// Send at this many events a second, however long the answers take.
    #[arg(long, value_name = "R", conflicts_with = "concurrency", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Keep this many calls under way.
    #[arg(long, value_name = "C", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    concurrency: Option<u32>,
    /// Events in one call.
    #[arg(long, value_name = "B", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    batch: u32,
    /// Endpoints that the events are spread over.
    #[arg(long, value_name = "E", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    endpoints: u32,
    /// Bytes of an event's payload, about.
    #[arg(long, value_name = "BYTES", default_value_t = 300, value_parser = clap::value_parser!(u32).range(..=200_000))]
    payload: u32,
    /// Keep the tables and queues on disk instead of in memory.
    #[arg(long)]
    on_disk: bool,
    /// The local system's program [default: built beside this one].
    #[arg(long, value_name = "PATH")]
    system: Option<PathBuf>,
    /// Build neither the local system nor the functions first.
    #[arg(long)]
    no_build: bool,
    /// A template parameter, such as DeliveryConcurrency=10.
    #[arg(long, value_name = "KEY=VALUE")]
    parameter: Vec<String>,
    /// Measure what the others notice of one endpoint in ten that is slow, or silent: the same load
    /// twice, first with all of them well [default: 50 a second for a minute].
    #[arg(long, value_name = "HOW")]
    beside: Option<Unwell>,
    /// With --beside silent: events that come for it at once when that load begins.
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    waiting: u32,
    /// Write what was measured as JSON, too.
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The local system does not come up.
    #[error("the local system does not come up: {0}")]
    Start(String),
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Something was not read or written.
    #[error("{doing}: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

/// Runs the benchmark, telling how it goes on `progress` and the table on `out`.
pub async fn run(
    options: &Options,
    out: &mut (impl Write + Send),
    progress: &mut (impl Write + Send),
) -> Result<(), BenchError> {
    let told = |source| BenchError::Io {
        doing: "telling how it goes",
        source,
    };
    writeln!(progress, "starting the local system").map_err(told)?;
    let mut bench = Bench::start(options).await?;
    if let Some(unwell) = options.beside {
        let compared = bench.compare(unwell, progress).await?;
        bench.leave().await;
        return write!(out, "{compared}").map_err(told);
    }
    let mut phases = Vec::new();
    for (pace, events) in phases_of(options) {
        writeln!(progress, "{pace}: {events} events").map_err(told)?;
        phases.push(bench.phase(pace, events).await?);
    }
    let report = bench.end(phases).await?;
    write!(out, "{report}").map_err(told)?;
    if let Some(path) = &options.json {
        let json = serde_json::to_vec_pretty(&report).unwrap_or_default();
        std::fs::write(path, json).map_err(|source| BenchError::Io {
            doing: "writing the JSON",
            source,
        })?;
    }
    Ok(())
}

fn phases_of(options: &Options) -> Vec<(Pace, u32)> {
    let paces = match (options.rate, options.concurrency) {
        (Some(per_second), _) => vec![Pace::Rate { per_second }],
        (None, Some(calls)) => vec![Pace::Concurrency { calls }],
        (None, None) => SUITE.to_vec(),
    };
    let with_events = |pace| {
        let default = match pace {
            Pace::Rate { per_second } => per_second.saturating_mul(SUITE_SECONDS),
            Pace::Concurrency { .. } => FLAT_OUT_EVENTS,
        };
        (pace, options.events.unwrap_or(default))
    };
    paces.into_iter().map(with_events).collect()
}
