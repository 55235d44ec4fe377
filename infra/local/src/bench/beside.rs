//! What the others notice of endpoints that are not well, and what those cost: the same load once
//! with all endpoints quick, and once with one in ten of them slow or silent.
//!
//! Function time is this machine's: what Lambda would bill for invocations that last as long as
//! these. The two runs are compared, and neither is held against a mark.

use std::fmt::{self, Display, Formatter};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::ValueEnum;
use serde_json::{Value, json};

use super::BenchError;
use super::cost::count;
use super::figures::{Quantiles, Queues};
use super::load::{Load, Pace};
use super::measure::Bench;
use crate::client::{CallError, Client, with_path};

const PER_SECOND: u32 = 50;
const SECONDS: u32 = 60;
/// Every so many endpoints, one is not well.
const ONE_IN: u32 = 10;
/// How long a slow one takes to answer.
const SLOW_MS: u32 = 5_000;
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Functions act on what they know of an endpoint for so long.
const BELIEVED_FOR: Duration = Duration::from_secs(3);
const LANES: [&str; 2] = ["DeliveryQueue", "SlowQueue"];

/// What is the matter with one endpoint in ten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Unwell {
    /// It answers 200, after five seconds.
    Slow,
    /// It never answers.
    Silent,
}

/// What came of one of the runs.
#[derive(Debug, Default)]
struct Run {
    latency_us: Quantiles,
    quick: u64,
    deliveries: u64,
    gib_seconds: f64,
    most_in_flight: u64,
}

/// Both runs.
#[derive(Debug)]
pub(super) struct Compared {
    unwell: Unwell,
    alone: Run,
    beside: Run,
}

impl Bench<'_> {
    /// Makes both runs.
    pub(super) async fn compare(
        &self,
        unwell: Unwell,
        progress: &mut (impl Write + Send),
    ) -> Result<Compared, BenchError> {
        let told = |source: io::Error| BenchError::Io {
            doing: "telling how it goes",
            source,
        };
        writeln!(progress, "all endpoints quick").map_err(told)?;
        let alone = self.run(None).await?;
        writeln!(progress, "one in {ONE_IN} is {unwell:?}").map_err(told)?;
        self.make(unwell).await?;
        tokio::time::sleep(BELIEVED_FOR).await;
        let beside = self.run(Some(unwell)).await?;
        Ok(Compared {
            unwell,
            alone,
            beside,
        })
    }

    /// Sends one endpoint in ten somewhere else.
    async fn make(&self, unwell: Unwell) -> Result<(), CallError> {
        let (path, query) = match unwell {
            Unwell::Slow => ("/slow/bench", format!("ms={SLOW_MS}")),
            Unwell::Silent => ("/hang/bench", String::new()),
        };
        let url = with_path(&self.receiver, path, Some(&query));
        for (_, id) in (0..)
            .zip(&self.endpoints)
            .filter(|(nth, _)| is_unwell(*nth))
        {
            let endpoint = format!("/api/v1/endpoints/{id}");
            let endpoint = with_path(&self.system.ready.api, &endpoint, None);
            let _changed: Value = self.client.patch(endpoint, &json!({ "url": url })).await?;
        }
        Ok(())
    }

    async fn run(&self, unwell: Option<Unwell>) -> Result<Run, BenchError> {
        let forgotten = with_path(&self.receiver, "/_requests", None);
        self.client.delete(forgotten).await?;
        let reset = with_path(&self.system.ready.lambda, "/_local/stats/reset", None);
        let _reset: Value = self.client.post(reset, &json!({})).await?;
        let most = Arc::new(AtomicU64::new(0));
        let queues = with_path(&self.system.ready.lambda, "/_local/queues", None);
        let watching = tokio::spawn(watch(queues, Arc::clone(&most)));

        let waiting = match unwell {
            Some(Unwell::Silent) => self.options.waiting,
            Some(Unwell::Slow) | None => 0,
        };
        let flood = Load {
            // All of them of the first endpoint's type.
            endpoints: 1,
            batch: 100,
            ..self.load(Pace::Concurrency { calls: 2 }, waiting)
        };
        let pace = Pace::Rate {
            per_second: self.options.rate.unwrap_or(PER_SECOND),
        };
        let events = self.options.events.unwrap_or(match pace {
            Pace::Rate { per_second } => per_second.saturating_mul(SECONDS),
            Pace::Concurrency { .. } => 0,
        });
        let flood = async {
            if waiting > 0 {
                flood.send().await;
            }
        };
        let ((), sent) = tokio::join!(flood, self.load(pace, events).send());
        let ill = (0..events).filter(|n| unwell.is_some() && is_unwell(n % self.options.endpoints));
        let ill = u32::try_from(ill.count()).unwrap_or(u32::MAX);
        let arrived = self
            .wait_for(u64::from(sent.accepted.saturating_sub(ill)))
            .await?;
        // What is silent is never done with.
        if unwell != Some(Unwell::Silent) {
            self.wait_for_empty_queue().await?;
        }
        watching.abort();
        let stats = self.stats().await?;
        let delivering = stats.functions.get("DeliveryFunction");
        Ok(Run {
            latency_us: arrived.latency_us.unwrap_or_default(),
            quick: arrived.distinct_ids,
            deliveries: u64::from(sent.accepted + waiting),
            gib_seconds: delivering.map_or(0.0, |function| {
                count(function.busy_ms) / 1e3 * f64::from(function.memory_mb) / 1024.0
            }),
            most_in_flight: most.load(Ordering::Relaxed),
        })
    }
}

/// Whether the endpoint of this number is one of those that are not well.
const fn is_unwell(nth: u32) -> bool {
    nth.is_multiple_of(ONE_IN)
}

/// Notes the most messages that were in flight, until it is dropped.
async fn watch(queues: url::Url, most: Arc<AtomicU64>) {
    let client = Client::new();
    loop {
        if let Ok(seen) = client.get::<Queues>(queues.clone()).await {
            let lanes = LANES.iter().filter_map(|lane| seen.get(*lane));
            let in_flight = lanes.map(|queue| queue.in_flight).sum();
            most.fetch_max(in_flight, Ordering::Relaxed);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

impl Display for Compared {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let unwell = match self.unwell {
            Unwell::Slow => format!("1 in {ONE_IN} takes {SLOW_MS} ms"),
            Unwell::Silent => format!("1 in {ONE_IN} is silent"),
        };
        writeln!(
            f,
            "\n{:<36}{:>16}{unwell:>22}{:>10}",
            "", "all quick", "ratio"
        )?;
        let mut row = |what: &str, of: &dyn Fn(&Run) -> f64, decimals: usize| {
            let (alone, beside) = (of(&self.alone), of(&self.beside));
            let ratio = beside / alone.max(f64::MIN_POSITIVE);
            writeln!(
                f,
                "{what:<36}{alone:>16.decimals$}{beside:>22.decimals$}{ratio:>10.2}"
            )
        };
        row("deliveries", &|run| count(run.deliveries), 0)?;
        row("arrived at quick endpoints", &|run| count(run.quick), 0)?;
        row(
            "  POST to arrival, ms: p50",
            &|run| f64::from(run.latency_us.p50) / 1e3,
            1,
        )?;
        row(
            "                       p95",
            &|run| f64::from(run.latency_us.p95) / 1e3,
            1,
        )?;
        row(
            "                       p99",
            &|run| f64::from(run.latency_us.p99) / 1e3,
            1,
        )?;
        row(
            "most messages in flight",
            &|run| count(run.most_in_flight),
            0,
        )?;
        row(
            "GB-seconds per 1,000 deliveries",
            &|run| run.gib_seconds * 1e3 / count(run.deliveries.max(1)),
            2,
        )
    }
}
