//! What invokes the functions: the queues' event sources, and the schedules.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use hookpost_domain::lane::Lane;
use hookpost_domain::ports::World;
use hookpost_testkit::queues::{EXHAUSTED, ORDERED, queue_of};
use local_sqs::{ReceiveOptions, ReceivedMessage};
use tokio::sync::Semaphore;

use crate::system::Parts;

/// What a delivery invocation keeps for its answer: as in its `main`.
const DELIVERING: Duration = Duration::from_secs(58);
/// How soon what the sweeper could find has to be due for it to come by.
const AHEAD: Duration = Duration::from_secs(60);
/// How old an event without a record has to be for the sweeper to look for it.
const LOST_AFTER: Duration = Duration::from_secs(15 * 60);

/// Batches of a lane that are worked at once: as infra/template.yaml has it.
const fn concurrency(lane: Lane) -> usize {
    match lane {
        Lane::Fast => 50,
        Lane::Slow => 20,
    }
}

const POLL: ReceiveOptions = ReceiveOptions {
    max: 10,
    wait: Duration::from_secs(20),
    visibility: None,
};

/// The event source of a lane's queue.
pub(crate) async fn deliver(parts: Arc<Parts>, lane: Lane) {
    let room = Arc::new(Semaphore::new(concurrency(lane)));
    loop {
        // It is never closed.
        let place = Arc::clone(&room).acquire_owned().await.ok();
        let batch = parts.sqs.receive(queue_of(lane), POLL).await;
        let batch = batch.unwrap_or_default();
        if batch.is_empty() {
            continue;
        }
        if parts.faults.comes_twice() {
            let twin = deliver_batch(Arc::clone(&parts), lane, batch.clone());
            tokio::task::spawn_local(twin);
        }
        let work = deliver_batch(Arc::clone(&parts), lane, batch);
        tokio::task::spawn_local(async move {
            work.await;
            drop(place);
        });
    }
}

async fn deliver_batch(parts: Arc<Parts>, lane: Lane, batch: Vec<ReceivedMessage>) {
    let queue = queue_of(lane);
    let event = event(queue, &batch);
    let work = |worker: Arc<Arc<_>>| delivery::handle(event, DELIVERING, Arc::clone(&*worker));
    if let Some(answer) = parts.delivery.invoke(work).await {
        delete(&parts, queue, &batch, &answer);
    }
}

/// The event source of the queue that wakes lines.
pub(crate) async fn keep_order(parts: Arc<Parts>) {
    loop {
        // One message, one line.
        let poll = ReceiveOptions { max: 1, ..POLL };
        let batch = parts.sqs.receive(ORDERED, poll).await.unwrap_or_default();
        if batch.is_empty() {
            continue;
        }
        if parts.faults.comes_twice() {
            tokio::task::spawn_local(wake_batch(Arc::clone(&parts), batch.clone()));
        }
        tokio::task::spawn_local(wake_batch(Arc::clone(&parts), batch));
    }
}

async fn wake_batch(parts: Arc<Parts>, batch: Vec<ReceivedMessage>) {
    let event = event(ORDERED, &batch);
    let work = |keeper: Arc<Arc<_>>| ordered::handle(event, DELIVERING, Arc::clone(&*keeper));
    if let Some(answer) = parts.ordered.invoke(work).await {
        delete(&parts, ORDERED, &batch, &answer);
    }
}

/// The `exhausted` queue's event source.
pub(crate) async fn bury(parts: Arc<Parts>) {
    loop {
        let batch = parts.sqs.receive(EXHAUSTED, POLL).await.unwrap_or_default();
        if batch.is_empty() {
            continue;
        }
        let event = event(EXHAUSTED, &batch);
        let work = |replayer: Arc<replay::Replayer<_, _, _>>| async move {
            replayer.bury_all(event).await
        };
        if let Some(answer) = parts.replay.invoke(work).await {
            delete(&parts, EXHAUSTED, &batch, &answer);
        }
    }
}

/// The schedules: the sweeper, and replay's jobs.
pub(crate) async fn every_minute(parts: Arc<Parts>) {
    loop {
        parts.clock.pass(Duration::from_secs(60)).await;
        let now = parts.clock.now();
        if parts.truth.has_open_jobs() {
            let stop_at = now.after(Duration::from_secs(50));
            let resumed = parts.replay.invoke(move |replayer| async move {
                // What it could not do, the next one does.
                let _ = replayer.resume_jobs(stop_at).await;
            });
            resumed.await;
        }
        let lost_before = hookpost_domain::Timestamp::from_millis(
            now.as_millis()
                .saturating_sub(u64::try_from(LOST_AFTER.as_millis()).unwrap_or_default()),
        );
        if parts.always_sweeps
            || parts.truth.has_something_due(now.after(AHEAD))
            || parts.truth.has_something_lost(lost_before)
            || parts.truth.has_a_sleeping_line()
        {
            let deadline = now.after(Duration::from_secs(55)).into();
            let swept = parts
                .sweeper
                .invoke(move |sweeper| async move { sweeper.sweep(deadline).await });
            swept.await;
        }
    }
}

fn event(queue: &str, batch: &[ReceivedMessage]) -> SqsEvent {
    let records = batch.iter().map(|one| {
        let attributes = one.attributes.iter();
        let mut message = SqsMessage::default();
        message.message_id = Some(one.message_id.clone());
        message.receipt_handle = Some(one.receipt_handle.clone());
        message.event_source_arn = Some(format!("arn:aws:sqs:::{queue}"));
        message.body = Some(one.body.to_string());
        message.attributes = attributes
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect::<HashMap<_, _>>();
        message
    });
    let mut event = SqsEvent::default();
    event.records = records.collect();
    event
}

/// Deletes what was not named as failed.
fn delete(parts: &Parts, queue: &str, batch: &[ReceivedMessage], answer: &SqsBatchResponse) {
    let is_kept = |one: &&ReceivedMessage| {
        let mut failures = answer.batch_item_failures.iter();
        failures.any(|kept| kept.item_identifier == one.message_id)
    };
    let done = batch.iter().filter(|one| !is_kept(one));
    let receipts: Vec<String> = done.map(|one| one.receipt_handle.clone()).collect();
    // One that has been deleted, or moved on, meanwhile needs nothing more.
    let _ = parts.sqs.delete_batch(queue, &receipts);
}
