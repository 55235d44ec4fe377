//! Takes events in: by HTTP, from the events queue, and from an EventBridge bus.
//!
//! Guarantees: 202 is answered only once the event is in DynamoDB and all of its deliveries are in
//! SQS; any other answer has promised nothing; the same `Idempotency-Key` finishes what a broken
//! call began, and never begins it twice.

mod accept;
mod batch;
mod directory;
mod draft;
mod order;
mod source;
mod strict;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::sqs::SqsBatchResponse;
use hookpost_adapters::Config;
use hookpost_adapters::api::{self, Call, Problem, Reply};
use hookpost_adapters::auth::{Caller, Door, Needs};
use hookpost_adapters::counting::Tally;
use hookpost_adapters::metrics::Metrics;
use hookpost_adapters::table::Store;
use hookpost_domain::access::Scope;
use hookpost_domain::event::CheckedDraft;
use hookpost_domain::ports::{
    Counting, DeliveryQueue, EndpointList, EventIntake, EventTypes, IdempotencyKeys, LineEnds,
    Refusal, WakeQueue, World,
};

pub use accept::Accepted;
pub use batch::BatchAnswer;
pub use source::Unacceptable;

use accept::Request;
use directory::Directory;
use draft::Form;
use serde::Serialize;
use serde_json::value::RawValue;
use source::Input;
use strict::Schemas;

/// The largest body of a single event: its payload, escapes and all, and the rest.
const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// All tables that accepting needs.
pub trait Tables:
    EventIntake + IdempotencyKeys + EndpointList + EventTypes + LineEnds + Counting
{
}
impl<T> Tables for T where
    T: EventIntake + IdempotencyKeys + EndpointList + EventTypes + LineEnds + Counting
{
}

/// Both queues that accepting needs.
pub trait Queues: DeliveryQueue + WakeQueue {}
impl<T: DeliveryQueue + WakeQueue> Queues for T {}

/// Accepts events, over tables `S`, the delivery queue `Q`, and clock and dice `W`.
#[derive(Debug)]
pub struct Acceptor<S, Q, W> {
    store: S,
    queues: Q,
    world: W,
    config: Config,
    directory: Directory,
    schemas: Schemas,
    tally: Tally,
    metrics: Metrics,
}

impl<S: Tables, Q: Queues, W: World> Acceptor<S, Q, W> {
    /// One that knows no endpoints yet.
    pub fn new(store: S, queues: Q, world: W, config: Config) -> Self {
        Self {
            metrics: Metrics::new(&config),
            store,
            queues,
            world,
            config,
            directory: Directory::default(),
            schemas: Schemas::default(),
            tally: Tally::default(),
        }
    }

    /// Accepts one event; `key` is the call's idempotency key.
    ///
    /// # Errors
    /// Nothing was promised.
    pub async fn post_event(
        &self,
        body: &[u8],
        key: Option<String>,
        caller: &Caller,
    ) -> Result<Accepted, Problem> {
        self.post_draft(draft::read(body, self.world.now())?, key, caller)
            .await
    }

    /// The same for an event that was read and checked elsewhere.
    ///
    /// # Errors
    /// Nothing was promised.
    pub async fn post_draft(
        &self,
        draft: CheckedDraft,
        key: Option<String>,
        caller: &Caller,
    ) -> Result<Accepted, Problem> {
        let request = Request::new(draft, key, caller)?;
        let mut answers = self.accept(vec![request]).await?;
        answers
            .pop()
            .unwrap_or_else(|| Err(Problem::bad_request("there is no event")))
    }
}

/// The function: who may publish, and what.
#[derive(Debug)]
pub struct Ingest<Q, W> {
    acceptor: Acceptor<Store, Q, W>,
    door: Door,
}

/// What the function answers to what it was invoked with.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To a call.
    Http(Box<ApiGatewayV2httpResponse>),
    /// To messages: those that SQS is to keep.
    Queue(SqsBatchResponse),
    /// To an event of a bus.
    Bus(Box<Accepted>),
}

impl<Q: Queues + Refusal, W: World> Ingest<Q, W> {
    /// A function that knows no endpoints yet.
    pub fn new(store: Store, queues: Q, world: W, config: Config, door: Door) -> Self {
        Self {
            acceptor: Acceptor::new(store, queues, world, config),
            door,
        }
    }

    /// Does what an invocation asks for: an HTTP call, a batch of the events queue, or an event of
    /// a bus.
    ///
    /// # Errors
    /// The payload is none of these, or the event of the bus is not accepted.
    pub async fn handle(&self, payload: &RawValue) -> Result<Answer, Unacceptable> {
        match Input::read(payload)? {
            Input::Http(request) => {
                let answer = api::to_gateway(self.answer(*request).await);
                Ok(Answer::Http(Box::new(answer)))
            }
            Input::Queue(batch) => {
                let taken = Box::pin(self.acceptor.take(*batch));
                Ok(Answer::Queue(taken.await))
            }
            Input::Bus(event) => {
                let taken = Box::pin(self.acceptor.take_from_bus(event));
                Ok(Answer::Bus(Box::new(taken.await?)))
            }
        }
    }

    /// Answers one HTTP call.
    async fn answer(&self, request: ApiGatewayV2httpRequest) -> Result<Reply, Problem> {
        let call = Call::from_gateway(request)?;
        match (call.method.as_str(), call.segments().as_slice()) {
            ("POST", ["events"]) => self.post(&call, "POST /events").await,
            ("POST", ["events", "batch"]) => self.post(&call, "POST /events/batch").await,
            (_, ["events", "batch"] | ["events"]) => Err(Problem::method_not_allowed("POST")),
            _ => Err(Problem::not_found(
                "this function serves POST /api/v1/events and /api/v1/events/batch",
            )),
        }
    }

    /// Events that are accepted are not in the audit log: they are kept themselves. Those that are
    /// refused are.
    async fn post(&self, call: &Call, action: &str) -> Result<Reply, Problem> {
        let needs = Needs {
            action,
            scope: Some(Scope::Publish),
            audited: false,
        };
        let Acceptor {
            store,
            world,
            config,
            ..
        } = &self.acceptor;
        let now = world.now();
        let pass = self.door.pass(call, needs, store, config, now).await?;
        let outcome = if action.ends_with("/batch") {
            let (outcome, refused) = self.post_batch(call, &pass.caller).await;
            if refused {
                let noted = self.door.note_refused(&pass, call, store, config, now);
                noted.await;
            }
            outcome
        } else {
            self.post_event(call, &pass.caller).await
        };
        let noted = self.door.end(pass, call, &outcome, store, config, now);
        noted.await;
        outcome
    }

    async fn post_event(&self, call: &Call, caller: &Caller) -> Result<Reply, Problem> {
        if call.body.len() > MAX_EVENT_BYTES {
            return Err(Problem::too_large("body", "must be at most 1 MiB"));
        }
        let key = call.idempotency_key()?;
        let now = self.acceptor.world.now();
        let draft = draft::of_call(call, draft::form(call)?, now)?;
        let accepted = self.acceptor.post_draft(draft, key, caller).await?;
        Ok(Reply::json(202, &accepted))
    }

    /// Accepts a batch, and tells whether any of it names a tenant that the caller does not speak
    /// for.
    async fn post_batch(&self, call: &Call, caller: &Caller) -> (Result<Reply, Problem>, bool) {
        let answer = async {
            let key = call.idempotency_key()?;
            match draft::form(call)? {
                Form::Batch => {
                    self.acceptor
                        .post_cloud_events(&call.body, key, caller)
                        .await
                }
                Form::Structured => Err(Problem::unsupported(
                    "a single CloudEvent is taken by POST /api/v1/events",
                )),
                Form::Own | Form::Binary => self.acceptor.post_batch(&call.body, key, caller).await,
            }
        };
        match answer.await {
            Ok(answer) => {
                let refused = answer.results.iter().any(|result| result.status == 403);
                let status = if answer.accepted > 0 { 202 } else { 422 };
                (Ok(Reply::json(status, &answer)), refused)
            }
            Err(problem) => (Err(problem), false),
        }
    }
}
