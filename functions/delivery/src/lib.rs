//! Takes messages from the delivery queue and carries each out: a signed request, its outcome
//! recorded, and then the message deleted or kept back.
//!
//! Guarantees: the records of a batch are worked at once, each in a task of its own; no message is
//! acknowledged without a proven outcome, so a panic or an error in one is that one's failure; the
//! function itself never fails for what one message did.

// With `abort`, a panic in one delivery would take the whole batch with it.
#[cfg(not(panic = "unwind"))]
compile_error!("build with panic = \"unwind\": a panic has to stay one delivery's failure");

mod attempt;
mod book;
mod fan_out;
mod parts;
mod policies;
mod received;
mod running;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use hookpost_domain::ports::{
    Concurrency, Counting, Deliveries, DeliveryQueue, Endpoints, Events, ExhaustedQueue, Holding,
    Meters, Rulebook, Transport, WakeQueue, World,
};

pub use received::Received;
pub use worker::{Settings, Worker};

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Its outcome is proven: SQS may delete it.
    Done,
    /// It stays in the queue.
    Keep,
}

/// All tables that delivering needs.
pub trait Tables:
    Endpoints + Rulebook + Events + Deliveries + Meters + Concurrency + Holding + Counting + 'static
{
}
impl<T> Tables for T where
    T: Endpoints
        + Rulebook
        + Events
        + Deliveries
        + Meters
        + Concurrency
        + Holding
        + Counting
        + 'static
{
}

/// All queues that delivering needs.
pub trait Queues: DeliveryQueue + ExhaustedQueue + WakeQueue + 'static {}
impl<T: DeliveryQueue + ExhaustedQueue + WakeQueue + 'static> Queues for T {}

/// Works a batch, and names the messages that stay in the queue.
///
/// What is not done in `time` is given up for now, so that the outcome of the others still counts.
/// At the end, what was measured is told, and what was counted is written if it is time.
pub async fn handle<S, Q, T, W>(
    event: SqsEvent,
    time: Duration,
    worker: Arc<Worker<S, Q, T, W>>,
) -> SqsBatchResponse
where
    S: Tables,
    Q: Queues,
    T: Transport + 'static,
    W: World + 'static,
{
    let batch: Vec<Arc<Received>> = event
        .records
        .into_iter()
        .map(|record| Arc::new(Received::from(record)))
        .collect();
    let tasks: Vec<_> = batch
        .iter()
        .map(|received| {
            let (worker, received) = (Arc::clone(&worker), Arc::clone(received));
            let alike = received.alike(&batch);
            tokio::spawn(async move {
                let work = tokio::time::timeout(time, worker.work(&received, alike));
                work.await.unwrap_or(Verdict::Keep)
            })
        })
        .collect();
    let mut response = SqsBatchResponse::default();
    for (received, task) in batch.iter().zip(tasks) {
        let verdict = task.await.unwrap_or_else(|panic| {
            tracing::error!(message.id = received.message_id, error = %panic, "a delivery panicked");
            Verdict::Keep
        });
        if verdict == Verdict::Keep {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier.clone_from(&received.message_id);
            response.batch_item_failures.push(failure);
        }
    }
    // In a task of its own, so that not even a panic of it touches what has been delivered.
    let counting = tokio::spawn(async move { worker.flush_counts().await });
    if let Err(panic) = counting.await {
        tracing::error!(error = %panic, "writing counts panicked");
    }
    response
}
