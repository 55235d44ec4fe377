//! Many events in one call: each is answered for itself.

use hookpost_adapters::api::{self, Problem};
use hookpost_adapters::auth::Caller;
use hookpost_domain::Invalid;
use hookpost_domain::event::{CheckedDraft, MAX_BATCH, MAX_BATCH_BYTES};
use hookpost_domain::ports::World;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::accept::{self, Accepted, Request};
use crate::{Acceptor, Queues, Tables, draft};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    events: Vec<Box<RawValue>>,
}

/// The answer for a batch.
#[derive(Debug, Serialize)]
pub struct BatchAnswer {
    pub(crate) accepted: usize,
    rejected: usize,
    pub(crate) results: Vec<BatchResult>,
}

#[derive(Debug, Serialize)]
pub(crate) struct BatchResult {
    index: usize,
    pub(crate) status: u16,
    #[serde(flatten)]
    outcome: BatchOutcome,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum BatchOutcome {
    Accepted(Accepted),
    Rejected { problem: Problem },
}

impl BatchAnswer {
    /// What was accepted, in the order of the call.
    pub fn accepted(&self) -> impl Iterator<Item = &Accepted> {
        self.results
            .iter()
            .filter_map(|result| match &result.outcome {
                BatchOutcome::Accepted(accepted) => Some(accepted),
                BatchOutcome::Rejected { .. } => None,
            })
    }
}

fn check_size(body: &[u8]) -> Result<(), Problem> {
    if body.len() > MAX_BATCH_BYTES {
        let rule = "must be at most 2.5 MiB for a batch";
        return Err(Problem::too_large("body", rule));
    }
    Ok(())
}

fn check_number(events: usize, field: &'static str) -> Result<(), Problem> {
    if events == 0 || events > MAX_BATCH {
        let rule = "must list 1 to 100 events";
        return Err(Problem::invalid(&Invalid::new(field, rule)));
    }
    Ok(())
}

impl<S: Tables, Q: Queues, W: World> Acceptor<S, Q, W> {
    /// Accepts the events of a batch; `key` is the call's idempotency key.
    ///
    /// # Errors
    /// Nothing was promised for any of them.
    pub async fn post_batch(
        &self,
        body: &[u8],
        key: Option<String>,
        caller: &Caller,
    ) -> Result<BatchAnswer, Problem> {
        check_size(body)?;
        let batch: Batch = api::parse_object(body)?;
        check_number(batch.events.len(), "events")?;
        let now = self.world.now();
        let events = batch.events.iter();
        let drafts = events
            .map(|raw| draft::read(raw.get().as_bytes(), now))
            .collect();
        self.post_drafts(drafts, "events", key, caller).await
    }

    /// The same for a list of CloudEvents.
    ///
    /// # Errors
    /// Nothing was promised for any of them.
    pub(crate) async fn post_cloud_events(
        &self,
        body: &[u8],
        key: Option<String>,
        caller: &Caller,
    ) -> Result<BatchAnswer, Problem> {
        check_size(body)?;
        let events: Vec<&RawValue> = serde_json::from_slice(body).map_err(|error| {
            Problem::bad_request(format!("the body is not a JSON list of events: {error}"))
        })?;
        check_number(events.len(), "body")?;
        let now = self.world.now();
        let events = events.into_iter();
        let drafts = events.map(|json| draft::structured(json, now)).collect();
        self.post_drafts(drafts, "", key, caller).await
    }

    /// `list` is what the caller has them under.
    async fn post_drafts(
        &self,
        drafts: Vec<Result<CheckedDraft, Problem>>,
        list: &str,
        key: Option<String>,
        caller: &Caller,
    ) -> Result<BatchAnswer, Problem> {
        let mut results: Vec<Option<Result<Accepted, Problem>>> = Vec::new();
        let mut requests = Vec::new();
        for (index, draft) in drafts.into_iter().enumerate() {
            let key = key.as_ref().map(|key| format!("{key}#{index}"));
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
                        let problem = problem.within(&format!("{list}[{index}]"));
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
