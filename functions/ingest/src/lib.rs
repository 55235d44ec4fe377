//! Takes events in.
//!
//! Guarantees: 202 is answered only once the event is in DynamoDB and all of its deliveries are in
//! SQS; any other answer has promised nothing; the same `Idempotency-Key` finishes what a broken
//! call began, and never begins it twice.

mod accept;
mod directory;
mod draft;
mod strict;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use hookpost_adapters::Config;
use hookpost_adapters::api::{Call, Problem, Reply};
use hookpost_adapters::auth::{Caller, Door, Needs};
use hookpost_adapters::counting::Tally;
use hookpost_adapters::table::Store;
use hookpost_domain::access::Scope;
use hookpost_domain::event::{MAX_BATCH, MAX_BATCH_BYTES};
use hookpost_domain::ports::{DeliveryQueue, World};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use accept::{Accepted, Request};
use directory::Directory;
use strict::Schemas;

/// The largest body of a single event: its payload, escapes and all, and the rest.
const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// The function, over the tables, the delivery queue `Q`, and clock and dice `W`.
#[derive(Debug)]
pub struct Ingest<Q, W> {
    store: Store,
    queues: Q,
    world: W,
    config: Config,
    directory: Directory,
    schemas: Schemas,
    tally: Tally,
    door: Door,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    events: Vec<Box<RawValue>>,
}

#[derive(Serialize)]
struct BatchAnswer {
    accepted: usize,
    rejected: usize,
    results: Vec<BatchResult>,
}

#[derive(Serialize)]
struct BatchResult {
    index: usize,
    status: u16,
    #[serde(flatten)]
    outcome: BatchOutcome,
}

#[derive(Serialize)]
#[serde(untagged)]
enum BatchOutcome {
    Accepted(Accepted),
    Rejected { problem: Problem },
}

impl<Q: DeliveryQueue, W: World> Ingest<Q, W> {
    /// A function that knows no endpoints yet.
    pub fn new(store: Store, queues: Q, world: W, config: Config, door: Door) -> Self {
        Self {
            store,
            queues,
            world,
            config,
            directory: Directory::default(),
            schemas: Schemas::default(),
            tally: Tally::default(),
            door,
        }
    }

    /// Answers one HTTP call.
    ///
    /// # Errors
    /// Problem details.
    pub async fn handle(&self, request: ApiGatewayV2httpRequest) -> Result<Reply, Problem> {
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

    /// Writes what was counted: the process is about to end.
    pub async fn flush_last_counts(&self) {
        self.tally.flush_last(&self.store).await;
    }

    /// Events that are accepted are not in the audit log: they are kept themselves. Those that are
    /// refused are.
    async fn post(&self, call: &Call, action: &str) -> Result<Reply, Problem> {
        let needs = Needs {
            action,
            scope: Some(Scope::Publish),
            audited: false,
        };
        let (store, config, now) = (&self.store, &self.config, self.world.now());
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
        let draft = draft::read(&call.body, self.world.now())?;
        let key = draft::header_key(call)?;
        let request = Request::new(draft, key, caller)?;
        let mut answers = self.accept(vec![request]).await?;
        match answers.pop() {
            Some(Ok(accepted)) => Ok(Reply::json(202, &accepted)),
            Some(Err(problem)) => Err(problem),
            None => Err(Problem::bad_request("there is no event")),
        }
    }

    /// Accepts a batch, and tells whether any of it names a tenant that the caller does not speak
    /// for.
    async fn post_batch(&self, call: &Call, caller: &Caller) -> (Result<Reply, Problem>, bool) {
        match self.batch(call, caller).await {
            Ok(answer) => {
                let refused = answer.results.iter().any(|result| result.status == 403);
                let status = if answer.accepted > 0 { 202 } else { 422 };
                (Ok(Reply::json(status, &answer)), refused)
            }
            Err(problem) => (Err(problem), false),
        }
    }

    async fn batch(&self, call: &Call, caller: &Caller) -> Result<BatchAnswer, Problem> {
        if call.body.len() > MAX_BATCH_BYTES {
            return Err(Problem::too_large(
                "body",
                "must be at most 2.5 MiB for a batch",
            ));
        }
        let key = draft::header_key(call)?;
        let batch: Batch = call.json()?;
        if batch.events.is_empty() || batch.events.len() > MAX_BATCH {
            let rule = "must list 1 to 100 events";
            return Err(Problem::invalid(&hookpost_domain::Invalid::new(
                "events", rule,
            )));
        }
        let mut results: Vec<Option<Result<Accepted, Problem>>> = Vec::new();
        let mut requests = Vec::new();
        for (index, raw) in batch.events.iter().enumerate() {
            let key = key.as_ref().map(|key| format!("{key}#{index}"));
            let draft = draft::read(raw.get().as_bytes(), self.world.now());
            match draft.and_then(|draft| Request::new(draft, key, caller)) {
                Ok(request) => {
                    requests.push(request);
                    results.push(None);
                }
                Err(problem) => results.push(Some(Err(problem))),
            }
        }
        let mut answers = self.accept(requests).await?;
        accept::shorten(&mut answers);
        let mut answers = answers.into_iter();
        let results: Vec<BatchResult> = results
            .into_iter()
            .enumerate()
            .filter_map(|(index, done)| {
                let result = done.or_else(|| answers.next())?;
                let (status, outcome) = match result {
                    Ok(accepted) => (202, BatchOutcome::Accepted(accepted)),
                    Err(problem) => {
                        let problem = problem.within(&format!("events[{index}]"));
                        (problem.status, BatchOutcome::Rejected { problem })
                    }
                };
                Some(BatchResult {
                    index,
                    status,
                    outcome,
                })
            })
            .collect();
        let accepted = results.iter().filter(|result| result.status == 202).count();
        Ok(BatchAnswer {
            accepted,
            rejected: results.len() - accepted,
            results,
        })
    }
}
