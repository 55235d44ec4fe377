//! Puts dead letters back, does what somebody wants done to many deliveries, and sees to it that
//! what was given up becomes a dead letter.
//!
//! Guarantees: a dead letter is replayed by writing its record first, in a new cycle, and then
//! sending; a message of an older cycle is dropped wherever it turns up, so that no two replays
//! (from the API, by filter, by the console's redrive) double each other.

mod bury;
mod finding;
mod http;
mod input;
mod job;
mod listening;
mod pace;

use std::time::{Duration, SystemTime};

use hookpost_adapters::Config;
use hookpost_adapters::api;
use hookpost_adapters::auth::Door;
use hookpost_adapters::counting::Tally;
use hookpost_adapters::metrics::Metrics;
use hookpost_adapters::queue::Queues as SqsQueues;
use hookpost_adapters::table::Store;
use hookpost_domain::Timestamp;
use hookpost_domain::measures::Metric;
use hookpost_domain::ports::{
    Counting, DeliveryQueue, EndpointList, EventHistory, Events, Jobs, Notes, RecordIndex, Refusal,
    World,
};
use serde_json::{Value, json};

use input::Input;
pub use input::{Order, Unreadable};
use listening::Listening;

/// All tables that replaying needs.
pub trait Tables:
    RecordIndex + Events + EventHistory + EndpointList + Jobs + Notes + Counting
{
}
impl<T: RecordIndex + Events + EventHistory + EndpointList + Jobs + Notes + Counting> Tables for T {}

/// All queues that replaying needs.
pub trait Queues: DeliveryQueue + Refusal {}
impl<T: DeliveryQueue + Refusal> Queues for T {}

/// Does what is asked for, over tables `S`, queues `Q`, and clock and dice `W`.
#[derive(Debug)]
pub struct Replayer<S, Q, W> {
    store: S,
    queues: Q,
    world: W,
    tally: Tally,
    metrics: Metrics,
    listening: Listening,
}

impl<S: Tables, Q: Queues, W: World> Replayer<S, Q, W> {
    /// A replayer over these.
    pub fn new(store: S, queues: Q, world: W, metrics: Metrics) -> Self {
        Self {
            store,
            queues,
            world,
            tally: Tally::default(),
            metrics,
            listening: Listening::default(),
        }
    }

    /// Measures a dead letter that was put back.
    fn note_replayed(&self) {
        let now = self.world.now();
        self.metrics.count(Metric::DeliveriesReplayed, 1, now);
    }

    /// The same, with the tenant that is told of all others.
    #[must_use]
    pub fn told_to(mut self, operator: Option<hookpost_domain::TenantId>) -> Self {
        self.listening = Listening::of(operator);
        self
    }
}

/// The function: who may ask, and for what.
#[derive(Debug)]
pub struct Replay<W> {
    replayer: Replayer<Store, SqsQueues, W>,
    config: Config,
    door: Door,
}

/// Time that is kept for the last writes before the function's own time-out.
const MARGIN: Duration = Duration::from_secs(10);

impl<W: World> Replay<W> {
    /// A function over these.
    pub fn new(store: Store, queues: SqsQueues, world: W, config: Config, door: Door) -> Self {
        Self {
            replayer: Replayer::new(store, queues, world, Metrics::new(&config))
                .told_to(config.operations_tenant.clone()),
            config,
            door,
        }
    }

    /// Does what `payload`, the payload of the invocation `request_id`, asks for: an HTTP call, a batch of the `exhausted` queue, the
    /// schedule's `{"resume": true}`, or `{"replay": {...}}` as the console's Test button sends it.
    ///
    /// # Errors
    /// The payload is none of these, or what it asks for is not valid; for the console to show.
    pub async fn handle(
        &self,
        payload: Value,
        deadline: SystemTime,
        request_id: &str,
    ) -> Result<Value, Unreadable> {
        let outcome = self.carry_out(payload, deadline, request_id).await;
        self.replayer.metrics.tell();
        outcome
    }

    async fn carry_out(
        &self,
        payload: Value,
        deadline: SystemTime,
        request_id: &str,
    ) -> Result<Value, Unreadable> {
        let stop_at = Timestamp::from_millis(
            Timestamp::from(deadline)
                .as_millis()
                .saturating_sub(millis(MARGIN)),
        );
        match Input::read(payload)? {
            Input::Http(request) => Ok(to_value(&api::to_gateway(
                Box::pin(self.answer(*request, stop_at)).await,
            ))),
            Input::Exhausted(event) => Ok(to_value(&self.replayer.bury_all(event).await)),
            Input::Resume => Ok(json!({ "resumed": self.replayer.resume_jobs(stop_at).await? })),
            Input::Replay(order) => {
                let tenant = order.tenant.clone().unwrap_or_default();
                let Replayer { store, world, .. } = &self.replayer;
                let (config, now) = (&self.config, world.now());
                let begun = self
                    .door
                    .begin_for_console("replay", &tenant, request_id, store, config, now);
                let trail = begun.await?;
                let started = self.replayer.start_job(*order, tenant, "console", stop_at);
                let started = Box::pin(started).await;
                let (status, made) = match &started {
                    Ok(job) => (200, Some(format!("replays/{}", job.id))),
                    Err(_) => (500, None),
                };
                trail.end(store, status, made.as_deref()).await;
                Ok(started?.shown(world.now()))
            }
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn to_value(answer: &impl serde::Serialize) -> Value {
    serde_json::to_value(answer).unwrap_or_default()
}
