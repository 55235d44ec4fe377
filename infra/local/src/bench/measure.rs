//! Runs the phases of a benchmark and takes the figures of each.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::Instant;
use url::Url;

use super::cost::{self, Line, Resources, count};
use super::figures::{Counted, Counts, PathCounts, Quantiles, Queues, Starts, Stats};
use super::load::{Load, Pace, Sent, event_type};
use super::report::Report;
use super::system::System;
use super::{BenchError, Options};
use crate::client::{CallError, Client, with_path};
use crate::receiver::{self, Receiver};
use crate::usage;

/// The secret of the specification's published example; it guards nothing here.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const TARGET: &str = "/success/bench";
const WARM_UP_EVENTS: u32 = 1_000;
const WARM_UP_CALLS: u32 = 16;
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// With nothing new for so long, what is missing is lost.
const PATIENCE: Duration = Duration::from_secs(60);
const SLOW_QUEUE: &str = "SlowQueue";
const DELIVERY_QUEUE: &str = "DeliveryQueue";
const MIB: f64 = 1_048_576.0;
const MB: f64 = 1e6;

/// A running system with a receiver, ready to be measured.
pub(super) struct Bench<'a> {
    pub(super) options: &'a Options,
    pub(super) system: System,
    pub(super) client: Client,
    pub(super) receiver: Url,
    /// The endpoints' ids.
    pub(super) endpoints: Vec<String>,
    starts: BTreeMap<String, ColdStart>,
}

/// What was measured at one pace.
#[derive(Debug, Serialize)]
pub(super) struct Phase {
    pub(super) pace: Pace,
    pub(super) events: u32,
    pub(super) accepted: u32,
    pub(super) refused: u32,
    pub(super) last_refusal: Option<String>,
    pub(super) delivered: u64,
    /// Requests that brought an event once more.
    pub(super) repeats: u64,
    pub(super) unverified: u64,
    pub(super) accepted_per_s: f64,
    pub(super) delivered_per_s: f64,
    pub(super) answer_us: Quantiles,
    pub(super) latency_us: Option<Quantiles>,
    /// By function, per delivery.
    pub(super) function_cpu_ms: BTreeMap<String, f64>,
    pub(super) emulators_cpu_ms: f64,
    pub(super) own_cpu_ms: f64,
    pub(super) deliveries_per_batch: f64,
    pub(super) function_errors: u64,
    pub(super) instances: BTreeMap<String, usize>,
    pub(super) function_peak_mib: BTreeMap<String, f64>,
    pub(super) emulators_peak_mib: f64,
    pub(super) bill: Vec<Line>,
    pub(super) calls: Vec<Calls>,
}

/// AWS calls of one kind, per delivery.
#[derive(Debug, Serialize)]
pub(super) struct Calls {
    pub(super) caller: String,
    pub(super) operation: String,
    pub(super) resource: String,
    pub(super) times: f64,
    pub(super) units: f64,
}

/// A function's program, and how it starts.
#[derive(Debug, Serialize)]
pub(super) struct Program {
    pub(super) name: String,
    pub(super) binary_mb: Option<f64>,
    /// As cargo-lambda and SAM would upload it, near enough: deflated.
    pub(super) zipped_mb: Option<f64>,
    pub(super) start: Option<ColdStart>,
}

/// From a process's start.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct ColdStart {
    pub(super) to_first_next: Option<Starts>,
    pub(super) to_first_answer: Option<Starts>,
}

impl<'a> Bench<'a> {
    /// Brings the system up, registers the endpoints, and warms it.
    pub(super) async fn start(options: &'a Options) -> Result<Self, BenchError> {
        let failed = |source| BenchError::Io {
            doing: "listening for webhooks",
            source,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let target = listener.local_addr().map_err(failed)?.to_string();
        let settings = receiver::Settings {
            record: false,
            measure: true,
            ..receiver::Settings::default()
        };
        let receiving = receiver::serve(listener, Receiver::new(settings), std::future::pending());
        tokio::spawn(receiving);
        let receiver = Url::parse(&format!("http://{target}/"))
            .map_err(|error| BenchError::Start(error.to_string()))?;
        let mut bench = Self {
            options,
            system: System::start(options, &target).await?,
            client: Client::new(),
            receiver,
            endpoints: Vec::new(),
            starts: BTreeMap::new(),
        };
        bench.register().await?;
        bench.warm_up().await?;
        Ok(bench)
    }

    async fn register(&mut self) -> Result<(), CallError> {
        let secrets = with_path(&self.receiver, "/_control/secrets", None);
        self.client.put(secrets, &json!({ TARGET: SECRET })).await?;
        for n in 0..self.options.endpoints {
            // One path for all, so that one list of times holds them all.
            let url = with_path(&self.receiver, TARGET, Some(&format!("endpoint={n}")));
            let endpoint = json!({
                "url": url,
                "name": format!("bench {n}"),
                "event_types": [event_type(n)],
                "secret": SECRET,
            });
            let endpoints = with_path(&self.system.ready.api, "/api/v1/endpoints", None);
            let created: Value = self.client.post(endpoints, &endpoint).await?;
            let id = created.get("id").and_then(Value::as_str);
            self.endpoints.push(id.unwrap_or_default().to_owned());
        }
        Ok(())
    }

    /// Starts instances, fills caches and connections; their start times are kept, nothing else.
    async fn warm_up(&mut self) -> Result<(), BenchError> {
        let pace = Pace::Concurrency {
            calls: WARM_UP_CALLS,
        };
        let sent = self.load(pace, WARM_UP_EVENTS).send().await;
        if sent.accepted == 0 {
            let why = sent.last_refusal.unwrap_or_default();
            return Err(BenchError::Start(format!("it accepts no events: {why}")));
        }
        self.wait_for(u64::from(sent.accepted)).await?;
        self.wait_for_empty_queue().await?;
        for (name, function) in self.stats().await?.functions {
            let start = ColdStart {
                to_first_next: function.start_to_first_next,
                to_first_answer: function.start_to_first_answer,
            };
            self.starts.insert(name, start);
        }
        Ok(())
    }

    /// Measures one pace.
    pub(super) async fn phase(&mut self, pace: Pace, events: u32) -> Result<Phase, BenchError> {
        let forgotten = with_path(&self.receiver, "/_requests", None);
        self.client.delete(forgotten).await?;
        let reset = with_path(&self.system.ready.lambda, "/_local/stats/reset", None);
        let _reset: Value = self.client.post(reset, &json!({})).await?;
        let own_before = own_cpu_ms();

        let sent = self.load(pace, events).send().await;
        let arrived = self.wait_for(u64::from(sent.accepted)).await?;
        self.wait_for_empty_queue().await?;

        let stats = self.stats().await?;
        let own_cpu_ms = own_cpu_ms().saturating_sub(own_before);
        Ok(self.figures(pace, events, sent, &arrived, &stats, own_cpu_ms))
    }

    fn figures(
        &self,
        pace: Pace,
        events: u32,
        sent: Sent,
        arrived: &PathCounts,
        stats: &Stats,
        own_cpu_ms: u64,
    ) -> Phase {
        let delivered = arrived.distinct_ids;
        let per_delivery = |number: u64| count(number) / count(delivered.max(1));
        let delivering_ms = arrived
            .last_at_ms
            .unwrap_or_default()
            .saturating_sub(sent.began_at_ms);
        let of_functions = |figure: &dyn Fn(&super::figures::Function) -> f64| {
            let ran = stats
                .functions
                .iter()
                .filter(|(_, function)| function.invocations > 0);
            ran.map(|(name, function)| (name.clone(), figure(function)))
                .collect()
        };
        let batches = stats
            .functions
            .get("DeliveryFunction")
            .map_or(0, |f| f.invocations);
        let names = self.resources();
        Phase {
            pace,
            events,
            accepted: sent.accepted,
            refused: sent.refused,
            last_refusal: sent.last_refusal,
            delivered,
            repeats: arrived.requests.saturating_sub(delivered),
            unverified: arrived.requests.saturating_sub(arrived.verified),
            accepted_per_s: f64::from(sent.accepted) / sent.took.as_secs_f64().max(1e-3),
            delivered_per_s: count(delivered) * 1e3 / count(delivering_ms.max(1)),
            answer_us: Quantiles::of(sent.answers_us).unwrap_or_default(),
            latency_us: arrived.latency_us,
            function_cpu_ms: of_functions(&|function| per_delivery(function.cpu_ms)),
            emulators_cpu_ms: per_delivery(stats.process.cpu_ms),
            own_cpu_ms: per_delivery(own_cpu_ms),
            deliveries_per_batch: count(delivered) / count(batches.max(1)),
            function_errors: stats
                .functions
                .values()
                .map(|function| function.errors)
                .sum(),
            instances: stats
                .functions
                .iter()
                .map(|(name, function)| (name.clone(), function.instances))
                .collect(),
            function_peak_mib: of_functions(&|function| mib(function.peak_rss_kib)),
            emulators_peak_mib: mib(stats.process.peak_rss_kib),
            bill: cost::bill(stats, &names, u64::from(sent.calls), delivered),
            calls: stats
                .dynamodb
                .iter()
                .chain(&stats.sqs)
                .map(|counted| Calls::of(counted, &per_delivery))
                .collect(),
        }
    }

    /// Takes the system down.
    pub(super) async fn leave(self) {
        self.system.end().await;
    }

    /// Takes the system down and puts the report together.
    pub(super) async fn end(self, phases: Vec<Phase>) -> Result<Report, BenchError> {
        let functions = self.stats().await?.functions;
        let mut programs = Vec::new();
        for (name, function) in functions {
            let path = self.system.binaries.join(&function.binary);
            programs.push(Program {
                binary_mb: std::fs::metadata(&path)
                    .ok()
                    .map(|file| count(file.len()) / MB),
                zipped_mb: zipped_bytes(&path).await.map(|bytes| count(bytes) / MB),
                start: self.starts.get(&name).copied(),
                name,
            });
        }
        let options = self.options;
        self.system.end().await;
        Ok(Report {
            cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            optimised: !cfg!(debug_assertions),
            endpoints: options.endpoints,
            batch: options.batch,
            payload_bytes: options.payload,
            in_memory: !options.on_disk,
            phases,
            programs,
        })
    }

    pub(super) fn load(&self, pace: Pace, events: u32) -> Load {
        Load {
            api: self.system.ready.api.clone(),
            pace,
            events,
            batch: self.options.batch,
            endpoints: self.options.endpoints,
            payload_bytes: self.options.payload,
        }
    }

    pub(super) async fn stats(&self) -> Result<Stats, CallError> {
        let url = with_path(&self.system.ready.lambda, "/_local/stats", None);
        self.client.get(url).await
    }

    /// Waits until so many events have arrived, or no more come.
    pub(super) async fn wait_for(&self, accepted: u64) -> Result<PathCounts, CallError> {
        let mut last_news = Instant::now();
        let mut known = 0;
        loop {
            let mut url = with_path(&self.receiver, "/_counts", None);
            url.query_pairs_mut().append_pair("prefix", TARGET);
            let counts: Counts = self.client.get(url).await?;
            let arrived = counts.paths.get(TARGET).cloned().unwrap_or_default();
            if arrived.distinct_ids > known {
                known = arrived.distinct_ids;
                last_news = Instant::now();
            }
            if known >= accepted || last_news.elapsed() > PATIENCE {
                return Ok(arrived);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// What was delivered is deleted from the queue a little later.
    pub(super) async fn wait_for_empty_queue(&self) -> Result<(), CallError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let url = with_path(&self.system.ready.lambda, "/_local/queues", None);
            let queues: Queues = self.client.get(url).await?;
            let lanes = [DELIVERY_QUEUE, SLOW_QUEUE].into_iter();
            let lanes = lanes.filter_map(|lane| queues.get(lane));
            let left: u64 = lanes.map(|queue| queue.all()).sum();
            if left == 0 || Instant::now() > deadline {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn resources(&self) -> Resources {
        let table = |id: &str| {
            self.system
                .ready
                .tables
                .get(id)
                .cloned()
                .unwrap_or_default()
        };
        let queue = self.system.ready.queues.get(DELIVERY_QUEUE);
        Resources {
            events_table: table("EventsTable"),
            deliveries_table: table("DeliveriesTable"),
            delivery_queue: queue
                .and_then(|url| url.rsplit('/').next())
                .unwrap_or_default()
                .to_owned(),
        }
    }
}

impl Calls {
    fn of(counted: &Counted, per_delivery: &dyn Fn(u64) -> f64) -> Self {
        let each = per_delivery(1);
        Self {
            caller: counted.caller.clone(),
            operation: counted.operation.clone(),
            resource: counted.resource.clone(),
            times: per_delivery(counted.calls),
            units: (counted.read_units + counted.write_units + count(counted.billed_requests))
                * each,
        }
    }
}

fn own_cpu_ms() -> u64 {
    usage::of(std::process::id()).unwrap_or_default().cpu_ms
}

fn mib(kib: u64) -> f64 {
    count(kib) * 1_024.0 / MIB
}

/// Deflated as a zip would be; unknown where there is no gzip.
async fn zipped_bytes(path: &Path) -> Option<u64> {
    let zipped = Command::new("gzip")
        .args(["-9", "-c"])
        .arg(path)
        .stderr(Stdio::null())
        .output()
        .await
        .ok()?;
    zipped
        .status
        .success()
        .then(|| u64::try_from(zipped.stdout.len()).unwrap_or(u64::MAX))
}
