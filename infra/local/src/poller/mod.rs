//! SQS event source mappings: polls a queue in process and invokes the
//! function with batches, as many at once as the template allows.
//!
//! Messages that the function does not report as failed are deleted; the
//! others stay in the queue with whatever visibility time-out they have.

mod batch;
mod level;

use std::time::Duration;

use local_sqs::{ReceiveOptions, ReceivedMessage, Sqs};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock;
use crate::console::Console;
use crate::lambda::Host;
use crate::template::QueueSource;
use batch::Verdict;
use level::{Level, PATIENCE};

/// A long poll, as AWS's pollers do.
const LONG_POLL: Duration = Duration::from_secs(20);

/// Messages in one receive.
const RECEIVE_LIMIT: usize = 10;

/// Room for messages in a payload of 6 MB, less what surrounds them.
const BATCH_BYTES: usize = 5 * 1024 * 1024;

/// One event source mapping.
#[derive(Debug, Clone)]
pub struct Poller {
    /// The queues.
    pub sqs: Sqs,
    /// The functions.
    pub host: Host,
    /// The function's logical id.
    pub function: String,
    /// The queue's name.
    pub queue: String,
    /// The mapping's settings.
    pub source: QueueSource,
    /// Batches at once where the mapping sets no limit.
    pub max_concurrency: usize,
    /// Where problems are told.
    pub console: Console,
}

impl Poller {
    /// Polls until `ending` turns true, then lets its batches end.
    pub async fn run(self, mut ending: watch::Receiver<bool>) {
        let most = self.source.max_concurrency.unwrap_or(self.max_concurrency);
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let mut level = Level::new(most, cores);
        let mut running = JoinSet::new();
        loop {
            tokio::select! {
                () = room(&mut running, &mut level) => {}
                _ = ending.wait_for(|ending| *ending) => break,
            }
            let gathered = tokio::select! {
                gathered = self.gather() => gathered,
                _ = ending.wait_for(|ending| *ending) => break,
            };
            match gathered {
                Ok(messages) if messages.is_empty() => {}
                Ok(messages) => {
                    running.spawn(self.clone().work(messages));
                }
                Err(problem) => {
                    self.console
                        .warn(&format!("cannot poll {}: {problem}", self.queue));
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
        while running.join_next().await.is_some() {}
    }

    /// One batch: what a receive brings, or what the window gathers.
    async fn gather(&self) -> Result<Vec<ReceivedMessage>, String> {
        self.host.reachable(&self.function).await;
        let mut messages = self.receive(self.source.batch_size, LONG_POLL).await?;
        if messages.is_empty() || self.source.window.is_zero() {
            return Ok(messages);
        }
        let closes = clock::monotonic() + self.source.window;
        loop {
            let missing = self.source.batch_size.saturating_sub(messages.len());
            let left = closes.saturating_duration_since(clock::monotonic());
            let bytes: usize = messages.iter().map(|message| message.body.len()).sum();
            if missing == 0 || left.is_zero() || bytes > BATCH_BYTES {
                return Ok(messages);
            }
            messages.extend(self.receive(missing, left).await?);
        }
    }

    async fn receive(&self, most: usize, wait: Duration) -> Result<Vec<ReceivedMessage>, String> {
        let options = ReceiveOptions {
            max: most.min(RECEIVE_LIMIT),
            wait: wait.min(LONG_POLL),
            visibility: None,
        };
        self.sqs
            .receive(&self.queue, options)
            .await
            .map_err(|error| error.to_string())
    }

    async fn work(self, messages: Vec<ReceivedMessage>) {
        let event = match batch::event(&messages, &self.source.queue_arn) {
            Ok(event) => event,
            Err(error) => {
                return self
                    .console
                    .warn(&format!("cannot write an event: {error}"));
            }
        };
        let outcome = self.host.invoke(&self.function, event).await;
        let ids: Vec<&str> = messages.iter().map(|m| m.message_id.as_str()).collect();
        let kept = match batch::verdict(&outcome, self.source.partial_responses, &ids) {
            Verdict::Done { kept } => kept,
            Verdict::Retried(why) => {
                let count = messages.len();
                self.console.warn(&format!(
                    "{}: {count} messages of {} come back: {why}",
                    self.function, self.queue
                ));
                return;
            }
        };
        let handles: Vec<String> = messages
            .into_iter()
            .enumerate()
            .filter(|(place, _)| !kept.contains(place))
            .map(|(_, message)| message.receipt_handle)
            .collect();
        if handles.is_empty() {
            return;
        }
        if let Err(error) = self.sqs.delete_batch(&self.queue, &handles) {
            self.console
                .warn(&format!("cannot delete from {}: {error}", self.queue));
        }
    }
}

/// Waits until another batch may start.
async fn room(running: &mut JoinSet<()>, level: &mut Level) {
    loop {
        while running.try_join_next().is_some() {}
        if level.admits(running.len(), clock::monotonic()) {
            return;
        }
        if level.can_grow() {
            let ended = tokio::time::timeout(PATIENCE, running.join_next()).await;
            if ended.is_err() {
                level.grow();
            }
        } else {
            running.join_next().await;
        }
    }
}
