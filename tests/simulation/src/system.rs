//! The system: its functions, and what a test does to it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use delivery::Worker;
use hookpost_adapters::Config;
use hookpost_adapters::auth::Caller;
use hookpost_adapters::metrics::Metrics;
use hookpost_domain::breaker::Health;
use hookpost_domain::catalogue::{RetryPolicyDraft, Rules};
use hookpost_domain::delivery::Delivery;
use hookpost_domain::endpoint::{EndpointDraft, EndpointState, RotationDraft};
use hookpost_domain::lane::Lane;
use hookpost_domain::ports::World;
use hookpost_domain::signature::Secret;
use hookpost_domain::target::AllowedTargets;
use hookpost_domain::{DeliveryId, EndpointId, EventId, TenantId, Timestamp};
use hookpost_testkit::queues::{self, DEAD_LETTERS, DELIVERY, EXHAUSTED, ORDERED, SLOW};
use hookpost_testkit::receiver::Way;
use hookpost_testkit::tables::Truth;
use hookpost_testkit::{Behaviour, Clock, Faults, Plan, Process, Queues, Receiver, Tables};
use ingest::Acceptor;
use local_sqs::{NewMessage, ReceiveOptions, Sqs};
use ordered::Keeper;
use replay::Replayer;
use sweeper::Sweeper;
use tokio::task::JoinSet;

use crate::pool::Pool;
use crate::sources;

/// When every run begins: Saturday, 21 November 2026, 12:00 UTC.
const START: Timestamp = Timestamp::from_millis(1_795_262_400_000);
/// How long it is waited for everything to come to its end.
const LONGEST: Duration = Duration::from_secs(5 * 24 * 3600);
/// How often whoever publishes tries.
const TRIES: u32 = 8;

/// What the parts of the system share.
pub(crate) struct Parts {
    pub(crate) clock: Clock,
    pub(crate) sqs: Sqs,
    pub(crate) truth: Truth,
    pub(crate) receiver: Receiver,
    pub(crate) faults: Arc<Faults>,
    /// Whether the sweeper comes by each minute, or only when there is something for it to find.
    pub(crate) always_sweeps: bool,
    pub(crate) ingest: Pool<Acceptor<Tables, Queues, Process>>,
    pub(crate) delivery: Pool<Arc<Worker<Tables, Queues, Way, Process>>>,
    pub(crate) ordered: Pool<Arc<Keeper<Tables, Queues, Way, Process>>>,
    pub(crate) replay: Pool<Replayer<Tables, Queues, Process>>,
    pub(crate) sweeper: Pool<Sweeper<Tables, Queues, Process>>,
}

/// A running system. It ends when it is dropped.
pub struct System {
    pub(crate) parts: Arc<Parts>,
    promised: Mutex<Vec<EventId>>,
    _background: JoinSet<()>,
}

impl std::fmt::Debug for System {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("System").finish_non_exhaustive()
    }
}

fn config() -> Config {
    let config = Config::parse(|name| {
        let named = name.ends_with("_TABLE") || name.ends_with("_URL");
        let value = if name == "SLOW_QUEUE_URL" { SLOW } else { "x" };
        named.then(|| value.to_owned())
    });
    #[expect(
        clippy::expect_used,
        reason = "everything that has no default is given"
    )]
    config.expect("a configuration")
}

impl Parts {
    fn new(plan: Plan, always_sweeps: bool) -> Self {
        let clock = Clock::starting(START, plan.seed);
        let sqs = queues::create(&clock);
        let truth = Truth::default();
        let receiver = Receiver::new(truth.clone());
        let faults = Arc::new(Faults::new(plan));
        let reach = {
            let (faults, clock) = (Arc::clone(&faults), clock.clone());
            let (sqs, truth) = (sqs.clone(), truth.clone());
            move || {
                let process = Process::new(Arc::clone(&faults), clock.clone());
                let tables = truth.from(process.clone());
                let queues = Queues::new(sqs.clone(), process.clone());
                (process, tables, queues)
            }
        };
        let secs = Duration::from_secs;
        let ingest = {
            let reach = reach.clone();
            Pool::new(secs(29), move || {
                let (process, tables, queues) = reach();
                let acceptor = Acceptor::new(tables, queues, process.clone(), config());
                (process, acceptor)
            })
        };
        let delivery = {
            let (reach, receiver) = (reach.clone(), receiver.clone());
            Pool::new(secs(60), move || {
                let (process, tables, queues) = reach();
                let way = receiver.from(process.clone());
                let settings = delivery::Settings::from(&config());
                let metrics = Metrics::new(&config());
                let worker = Worker::new(tables, queues, way, process.clone(), settings, metrics);
                (process, Arc::new(worker))
            })
        };
        let ordered = {
            let (reach, receiver) = (reach.clone(), receiver.clone());
            Pool::new(secs(60), move || {
                let (process, tables, queues) = reach();
                let (queues, way) = (queues.of_lines(), receiver.from(process.clone()));
                let settings = delivery::Settings::from(&config()).of_lines();
                let metrics = Metrics::new(&config());
                let worker = Worker::new(tables, queues, way, process.clone(), settings, metrics);
                (process, Arc::new(Keeper::new(worker)))
            })
        };
        let replay = {
            let reach = reach.clone();
            Pool::new(secs(60), move || {
                let (process, tables, queues) = reach();
                let metrics = Metrics::new(&config());
                let replayer = Replayer::new(tables, queues, process.clone(), metrics);
                (process, replayer)
            })
        };
        let sweeper = Pool::new(secs(55), move || {
            let (process, tables, queues) = reach();
            let sweeper = Sweeper::new(tables, queues, process.clone(), config());
            (process, sweeper)
        });
        Self {
            clock,
            sqs,
            truth,
            receiver,
            faults,
            always_sweeps,
            ingest,
            delivery,
            ordered,
            replay,
            sweeper,
        }
    }
}

impl System {
    /// A system in which happens what `plan` says. Call it inside a paused runtime,
    /// and there inside a `LocalSet`.
    pub fn start(plan: Plan) -> Self {
        Self::with(Parts::new(plan, false))
    }

    /// The same, with a sweeper that comes by each minute even if there is nothing to find.
    pub fn start_sweeping(plan: Plan) -> Self {
        Self::with(Parts::new(plan, true))
    }

    fn with(parts: Parts) -> Self {
        let parts = Arc::new(parts);
        let mut background = JoinSet::new();
        for lane in [Lane::Fast, Lane::Slow] {
            background.spawn_local(sources::deliver(Arc::clone(&parts), lane));
        }
        background.spawn_local(sources::keep_order(Arc::clone(&parts)));
        background.spawn_local(sources::bury(Arc::clone(&parts)));
        background.spawn_local(sources::every_minute(Arc::clone(&parts)));
        Self {
            parts,
            promised: Mutex::default(),
            _background: background,
        }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// Lets time pass.
    pub async fn pass(&self, seconds: u64) {
        self.parts.clock.pass(Duration::from_secs(seconds)).await;
    }

    /// Makes an endpoint that wants everything, with more of its configuration as JSON fields.
    ///
    /// # Panics
    /// The configuration is not valid.
    #[expect(clippy::expect_used, reason = "a test says what is valid")]
    pub fn endpoint(&self, id: &str, fields: &serde_json::Value) -> EndpointId {
        let id: EndpointId = id.parse().expect("an id");
        let mut draft = serde_json::json!({
            "url": format!("https://example.com/{id}"),
            "event_types": ["*"],
        });
        if let (Some(draft), Some(fields)) = (draft.as_object_mut(), fields.as_object()) {
            draft.extend(fields.clone());
        }
        let draft: EndpointDraft = serde_json::from_value(draft).expect("a draft");
        let (secret, none) = (Secret::generate([1; 32]), AllowedTargets::default());
        let made = draft.create(id.clone(), TenantId::default(), secret, &none, self.now());
        self.parts.truth.put_endpoint(made.expect("an endpoint"));
        id
    }

    /// Has an endpoint answer otherwise from now on.
    pub fn behave(&self, endpoint: &EndpointId, behaviour: Behaviour) {
        self.parts.receiver.behave(endpoint, behaviour);
    }

    /// Has events of these types retried so, where an endpoint does not say otherwise.
    ///
    /// # Panics
    /// The policy is not valid.
    #[expect(clippy::expect_used, reason = "a test says what is valid")]
    pub fn retry_policy(&self, name: &str, policy: serde_json::Value) {
        let draft: RetryPolicyDraft = serde_json::from_value(policy).expect("a policy");
        let policy = draft.check(name).expect("a policy");
        let rules = Rules::default().with_policy(name.to_owned(), policy);
        self.parts.truth.put_rules(rules.expect("rules"));
    }

    /// Deletes an endpoint, as the API would.
    pub fn delete_endpoint(&self, id: &EndpointId) {
        self.parts.truth.delete_endpoint(id);
    }

    /// Gives an endpoint a new secret, and lets the old one sign on for `overlap_seconds`.
    pub fn rotate(&self, id: &EndpointId, secret: Secret, overlap_seconds: u64) {
        let draft = serde_json::json!({ "overlap_seconds": overlap_seconds });
        let draft: Result<RotationDraft, _> = serde_json::from_value(draft);
        if let (Some(endpoint), Ok(draft)) = (self.parts.truth.endpoint(id), draft)
            && let Ok(next) = draft.rotate(&endpoint, secret, self.now())
        {
            self.parts.truth.put_endpoint(next);
        }
    }

    /// Pauses, resumes, enables or disables an endpoint.
    pub fn set_state(&self, id: &EndpointId, state: EndpointState) {
        if let Some(endpoint) = self.parts.truth.endpoint(id) {
            let Parts { truth, .. } = &*self.parts;
            truth.note_holding(&endpoint.tenant, id, self.now());
            truth.put_endpoint(endpoint.with_state(state, self.now()));
        }
    }

    /// Publishes an event, again with the same key where nobody answers; its id, once it is
    /// accepted.
    pub async fn publish(&self, key: Option<&str>) -> Option<EventId> {
        let body = serde_json::json!({ "event_type": "order.created", "payload": { "n": 1 } });
        let body = body.to_string();
        for _ in 0..TRIES {
            if let Some(id) = self.post(body.clone(), key.map(str::to_owned)).await {
                return Some(id);
            }
            self.pass(1).await;
        }
        None
    }

    /// Publishes an event, once, whatever comes of it.
    pub async fn publish_once(&self) {
        let body = r#"{ "event_type": "order.created", "payload": {} }"#;
        self.post(body.to_owned(), None).await;
    }

    async fn post(&self, body: String, key: Option<String>) -> Option<EventId> {
        let answer = self.parts.ingest.invoke(move |acceptor| async move {
            let caller = Caller::anybody();
            let answer = acceptor.post_event(body.as_bytes(), key, &caller);
            answer.await.map(|accepted| accepted.id())
        });
        let id = answer.await?.ok()?;
        self.promised().push(id);
        Some(id)
    }

    /// Publishes a batch as it is, likewise; the ids of what was accepted.
    pub async fn publish_batch(&self, body: &serde_json::Value, key: Option<&str>) -> Vec<EventId> {
        let body = body.to_string();
        for _ in 0..TRIES {
            let (body, key) = (body.clone(), key.map(str::to_owned));
            let answer = self.parts.ingest.invoke(move |acceptor| async move {
                let caller = Caller::anybody();
                let answer = acceptor.post_batch(body.as_bytes(), key, &caller);
                answer.await.map(|answer| {
                    let accepted = answer.accepted();
                    accepted.map(ingest::Accepted::id).collect::<Vec<_>>()
                })
            });
            if let Some(Ok(ids)) = answer.await {
                self.promised().extend(&ids);
                return ids;
            }
            self.pass(1).await;
        }
        Vec::new()
    }

    /// Orders a replay, as `POST /api/v1/replays` does.
    ///
    /// # Panics
    /// The order is none.
    #[expect(clippy::expect_used, reason = "a test says what is valid")]
    pub async fn replay(&self, order: serde_json::Value) {
        let stop_at = self.now().after(Duration::from_secs(10));
        for _ in 0..TRIES {
            let order = serde_json::from_value(order.clone()).expect("an order");
            let job = self.parts.replay.invoke(move |replayer| async move {
                let started = replayer.start_job(order, TenantId::default(), "test", stop_at);
                started.await.is_ok()
            });
            if job.await == Some(true) {
                return;
            }
            self.pass(1).await;
        }
    }

    /// Presses "Start DLQ redrive".
    pub async fn redrive(&self) {
        // What SQS dates a few seconds after our own last word has been redriven.
        self.pass(10).await;
        while self.parts.sqs.start_redrive(DEAD_LETTERS).is_err() {
            self.pass(1).await;
        }
        self.pass(10).await;
    }

    /// Takes what is in the dead-letter queue out of it, as it is.
    pub async fn take_letters(&self) -> Vec<String> {
        let mut letters = Vec::new();
        loop {
            let take = self
                .parts
                .sqs
                .receive(DEAD_LETTERS, ReceiveOptions::default());
            let batch = take.await.unwrap_or_default();
            if batch.is_empty() {
                return letters;
            }
            let receipts: Vec<String> =
                batch.iter().map(|one| one.receipt_handle.clone()).collect();
            letters.extend(batch.iter().map(|one| one.body.to_string()));
            // They are deleted, as they have just been received.
            let _ = self.parts.sqs.delete_batch(DEAD_LETTERS, &receipts);
        }
    }

    /// Sends one of those home by itself, as a redrive would.
    pub async fn send_home(&self, letter: String) {
        // What SQS dates a few seconds after our own last word has been redriven.
        self.pass(10).await;
        let message = NewMessage {
            body: letter,
            ..NewMessage::default()
        };
        // What is sent here is never refused.
        let _ = self.parts.sqs.send(EXHAUSTED, message);
        self.pass(10).await;
    }

    /// Messages of both lanes that are in flight: received, and not deleted.
    pub fn in_flight(&self) -> usize {
        let counts = [DELIVERY, SLOW].map(|queue| self.parts.sqs.queue_counts(queue));
        counts.iter().flatten().map(|counts| counts.in_flight).sum()
    }

    /// An endpoint's health.
    pub fn health(&self, endpoint: &EndpointId) -> Health {
        self.parts.truth.health(endpoint)
    }

    /// Purges the queues of deliveries, and the one that wakes lines.
    pub fn purge(&self) {
        for queue in [DELIVERY, SLOW, ORDERED] {
            // Once a minute at most: a second one finds nothing new.
            let _ = self.parts.sqs.purge(queue);
        }
    }

    /// Lets everything come to its end. `false` if it does not.
    pub async fn settle(&self) -> bool {
        let end = self.now().after(LONGEST);
        while !self.is_settled() {
            if self.now() >= end {
                return false;
            }
            self.pass(20).await;
        }
        true
    }

    pub(crate) fn is_settled(&self) -> bool {
        let Parts { truth, sqs, .. } = &*self.parts;
        let is_empty = |queue| {
            sqs.queue_counts(queue)
                .is_none_or(|counts| counts.visible + counts.in_flight + counts.delayed == 0)
        };
        is_empty(DELIVERY)
            && is_empty(SLOW)
            && is_empty(EXHAUSTED)
            && is_empty(ORDERED)
            && !truth.has_open_jobs()
            && !truth.has_something_lost(Timestamp::from_millis(u64::MAX))
            && truth
                .records()
                .iter()
                .all(|record| record.is_final() && record.check_at.is_none())
    }

    /// The records, by event and endpoint.
    pub fn records(&self) -> Vec<Delivery> {
        self.parts.truth.records()
    }

    /// The record of one delivery.
    pub fn record(&self, event: EventId, endpoint: &EndpointId) -> Option<Delivery> {
        self.parts.truth.record(&DeliveryId {
            event,
            endpoint: endpoint.clone(),
        })
    }

    /// Every request that any endpoint saw.
    pub fn requests(&self) -> Vec<hookpost_testkit::Request> {
        self.parts.receiver.got()
    }

    /// All that was counted.
    pub fn counted(&self) -> hookpost_domain::counters::Counters {
        self.parts.truth.counted(&TenantId::default())
    }

    pub(crate) fn promised(&self) -> MutexGuard<'_, Vec<EventId>> {
        self.promised.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
