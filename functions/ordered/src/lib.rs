//! Carries out what stands in line before endpoints that asked for order, one by one.
//!
//! Guarantees: nothing goes before the record of everything before it in its line says that it is
//! over; one instance at a time works on a line, by lease; a message only wakes a line, so that it
//! does not matter which of them are lost, late or doubled. Each delivery is carried out by the
//! delivery function's own worker: signature, breaker, rate limit, retries and log are the same.

// With `abort`, a panic in one line would take the whole batch with it.
#[cfg(not(panic = "unwind"))]
compile_error!("build with panic = \"unwind\": a panic has to stay one line's failure");

mod seating;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use delivery::{Queues, Received, Verdict, Worker};
use futures::future::join_all;
use hookpost_domain::line::{self, Wake};
use hookpost_domain::ports::{Error, Lines, Transport, World};
use hookpost_domain::{EndpointId, TenantId};

/// All tables that working on lines needs.
pub trait Tables: delivery::Tables + Lines {}
impl<T: delivery::Tables + Lines> Tables for T {}

/// How long a line is left alone that made its instance panic.
const AFTER_A_PANIC: Duration = Duration::from_secs(10);

/// Works on lines, over tables `S`, queues `Q`, a way to the endpoints `T`, and clock and dice `W`.
#[derive(Debug)]
pub struct Keeper<S, Q, T, W> {
    pub(crate) worker: Worker<S, Q, T, W>,
}

/// The messages of a batch that wake the same line.
#[derive(Debug)]
struct Call {
    tenant: TenantId,
    endpoint: EndpointId,
    wakes: Vec<(Received, Wake)>,
}

impl<S: Tables, Q: Queues, T: Transport + 'static, W: World + 'static> Keeper<S, Q, T, W> {
    /// One that carries out with `worker`.
    pub const fn new(worker: Worker<S, Q, T, W>) -> Self {
        Self { worker }
    }

    /// Seats what came, and works on the line: which of the messages stay in the queue. One is
    /// enough for a line that waits; the others have served.
    async fn answer(&self, call: &Call, time: Duration) -> Vec<String> {
        let ids = |wakes: &[(Received, Wake)]| -> Vec<String> {
            let ids = wakes
                .iter()
                .map(|(received, _)| received.message_id.clone());
            ids.collect()
        };
        if let Err(error) = self.seat(call).await {
            for (received, _) in &call.wakes {
                self.worker.put_off(received, &error).await;
            }
            return ids(&call.wakes);
        }
        let Some((first, _)) = call.wakes.first() else {
            return Vec::new();
        };
        let served = self.serve(call, first, time).await;
        let verdict = match served {
            Ok(verdict) => verdict,
            Err(error) => self.worker.put_off(first, &error).await,
        };
        match verdict {
            Verdict::Done => Vec::new(),
            Verdict::Keep => vec![first.message_id.clone()],
        }
    }
}

/// Works a batch, a line a task, and names the messages that stay in the queue.
///
/// What is not done in `time` is given up for now.
pub async fn handle<S, Q, T, W>(
    event: SqsEvent,
    time: Duration,
    keeper: Arc<Keeper<S, Q, T, W>>,
) -> SqsBatchResponse
where
    S: Tables,
    Q: Queues,
    T: Transport + 'static,
    W: World + 'static,
{
    let mut kept = Vec::new();
    let mut calls = Vec::<Call>::new();
    for record in event.records {
        let received = Received::from(record);
        let wake = match serde_json::from_str::<Wake>(&received.body) {
            Ok(wake) if wake.v == line::VERSION => wake,
            Ok(_) | Err(_) => {
                let told = keeper.worker.poison(&received, "it wakes no line").await;
                if told.is_err() {
                    kept.push(received.message_id);
                }
                continue;
            }
        };
        let same = |call: &&mut Call| call.tenant == wake.tenant && call.endpoint == wake.line;
        match calls.iter_mut().find(same) {
            Some(call) => call.wakes.push((received, wake)),
            None => calls.push(Call {
                tenant: wake.tenant.clone(),
                endpoint: wake.line.clone(),
                wakes: vec![(received, wake)],
            }),
        }
    }
    let calls: Vec<Arc<Call>> = calls.into_iter().map(Arc::new).collect();
    let tasks = calls.iter().map(|call| {
        let (keeper, call) = (Arc::clone(&keeper), Arc::clone(call));
        tokio::spawn(async move {
            let answer = tokio::time::timeout(time, keeper.answer(&call, time));
            answer.await.ok()
        })
    });
    for (call, task) in calls.iter().zip(join_all(tasks).await) {
        match task {
            Ok(Some(ids)) => kept.extend(ids),
            // There was no time: it is gone on with once the lease is over.
            Ok(None) => kept.extend(call.wakes.iter().map(|(one, _)| one.message_id.clone())),
            Err(panic) => {
                tracing::error!(endpoint.id = %call.endpoint, error = %panic, "work on a line panicked");
                for (received, _) in &call.wakes {
                    let back = keeper.worker.keep_back(received, AFTER_A_PANIC).await;
                    if let Err(error) = back {
                        told(&error);
                    }
                    kept.push(received.message_id.clone());
                }
            }
        }
    }
    // In a task of its own, so that not even a panic of it touches what has been delivered.
    let counting = tokio::spawn(async move { keeper.worker.flush_counts().await });
    if let Err(panic) = counting.await {
        tracing::error!(error = %panic, "writing counts panicked");
    }
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = kept.into_iter().map(failure).collect();
    response
}

fn failure(message_id: String) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = message_id;
    failure
}

fn told(error: &Error) {
    tracing::warn!(error = %error, cause = ?error.source, "a message comes back at its time-out");
}
