//! Many events in one call: each is answered for itself.

use hookpost_adapters::api::{self, Problem};
use hookpost_adapters::auth::Caller;
use hookpost_domain::Invalid;
use hookpost_domain::event::{MAX_BATCH, MAX_BATCH_BYTES};
use hookpost_domain::ports::{DeliveryQueue, World};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::accept::{self, Accepted, Request};
use crate::{Acceptor, Tables, draft};

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

impl<S: Tables, Q: DeliveryQueue, W: World> Acceptor<S, Q, W> {
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
        if body.len() > MAX_BATCH_BYTES {
            return Err(Problem::too_large(
                "body",
                "must be at most 2.5 MiB for a batch",
            ));
        }
        let batch: Batch = api::parse_object(body)?;
        if batch.events.is_empty() || batch.events.len() > MAX_BATCH {
            let rule = "must list 1 to 100 events";
            return Err(Problem::invalid(&Invalid::new("events", rule)));
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
