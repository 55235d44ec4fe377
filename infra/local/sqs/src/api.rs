//! The queues without HTTP: what the local system's own parts call.
//!
//! Calls here are reported to the observer without an access key, and are not
//! held against the authoriser.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::millis;
use crate::errors::SqsError;
use crate::handle::{Poll, Sqs};
use crate::hooks::{CallInfo, CallReport, action};
use crate::message::{NewMessage, ReceivedMessage, SentMessage};
use crate::names::queue_arn;
use crate::queue::{Queue, QueueCounts, check_visibility};

/// How to receive.
#[derive(Clone, Copy, Debug)]
pub struct ReceiveOptions {
    /// Messages at most: 1 to 10.
    pub max: usize,
    /// How long to wait for one: at most 20 s, 0 for a short poll.
    pub wait: Duration,
    /// Visibility timeout of what is received; the queue's own if absent.
    pub visibility: Option<Duration>,
}

impl Default for ReceiveOptions {
    fn default() -> Self {
        Self {
            max: 10,
            wait: Duration::ZERO,
            visibility: None,
        }
    }
}

/// A queue as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueInfo {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// All attributes, as `GetQueueAttributes` shows them.
    pub attributes: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// How many messages are where.
    pub counts: QueueCounts,
}

impl QueueInfo {
    /// The queue as it stands: it has to be settled before.
    pub(crate) fn of(name: &str, queue: &Queue, now_ms: u64) -> Self {
        let counts = queue.counts(now_ms);
        let mut attributes = queue.settings.shown();
        let computed = [
            ("ApproximateNumberOfMessages", counts.visible.to_string()),
            (
                "ApproximateNumberOfMessagesDelayed",
                counts.delayed.to_string(),
            ),
            (
                "ApproximateNumberOfMessagesNotVisible",
                counts.in_flight.to_string(),
            ),
            ("CreatedTimestamp", (queue.created_ms / 1000).to_string()),
            (
                "LastModifiedTimestamp",
                (queue.modified_ms / 1000).to_string(),
            ),
            ("QueueArn", queue_arn(name)),
        ];
        attributes.extend(computed.map(|(key, value)| (key.to_owned(), value)));
        Self {
            name: name.to_owned(),
            arn: queue_arn(name),
            attributes,
            tags: queue.tags.clone(),
            counts,
        }
    }
}

impl Sqs {
    /// Makes a queue and answers its ARN. Attributes are named and written as
    /// in the API. One with the same name and the same attributes is fine.
    pub fn create_queue(
        &self,
        name: &str,
        attributes: &BTreeMap<String, String>,
    ) -> Result<String, SqsError> {
        self.run(|state, now_ms| state.create_queue(name, attributes, BTreeMap::new(), now_ms))?;
        Ok(queue_arn(name))
    }

    /// Sets some of a queue's attributes; the others stay.
    pub fn set_attributes(
        &self,
        name: &str,
        attributes: &BTreeMap<String, String>,
    ) -> Result<(), SqsError> {
        self.run(|state, now_ms| state.set_attributes(name, attributes, now_ms))
    }

    /// Deletes a queue with all that is in it. Its name is free at once, unlike in AWS.
    pub fn delete_queue(&self, name: &str) -> Result<(), SqsError> {
        self.run(|state, _| state.delete_queue(name))?;
        self.forget_pollers(name);
        Ok(())
    }

    /// All queues, by name.
    pub fn queues(&self) -> Vec<QueueInfo> {
        self.run(|state, now_ms| {
            let queues = state.queues.iter_mut();
            queues
                .map(|(name, queue)| {
                    queue.settle(now_ms);
                    QueueInfo::of(name, queue, now_ms)
                })
                .collect()
        })
    }

    /// One queue.
    pub fn queue(&self, name: &str) -> Option<QueueInfo> {
        self.run(|state, now_ms| {
            let queue = state.queue_mut(name, now_ms).ok()?;
            Some(QueueInfo::of(name, queue, now_ms))
        })
    }

    /// How many messages of a queue are where.
    pub fn queue_counts(&self, name: &str) -> Option<QueueCounts> {
        self.run(|state, now_ms| {
            let queue = state.queue_mut(name, now_ms).ok()?;
            Some(queue.counts(now_ms))
        })
    }

    /// Sends one message.
    pub fn send(&self, queue: &str, message: NewMessage) -> Result<SentMessage, SqsError> {
        let prepared = message.prepare()?;
        let report = CallReport::new(
            1,
            usize::from(prepared.content.group_id.is_some()),
            prepared.content.bytes,
        );
        let sent = self.run(|state, now_ms| state.send(queue, prepared, now_ms))?;
        self.report(&own_call("SendMessage", queue), &report);
        Ok(sent)
    }

    /// Receives, waiting for messages as long as the options say.
    pub async fn receive(
        &self,
        queue: &str,
        options: ReceiveOptions,
    ) -> Result<Vec<ReceivedMessage>, SqsError> {
        let poll = Poll {
            max: options.max.clamp(1, 10),
            wait_ms: Some(millis(options.wait).min(20_000)),
            visibility_ms: options.visibility.map(millis),
        };
        let delivered = self.poll(queue, poll).await?;
        let contents = delivered.iter().map(|one| &one.message.content);
        let bytes = contents.map(|content| content.bytes).sum();
        self.report(
            &own_call("ReceiveMessage", queue),
            &CallReport::new(delivered.len(), 0, bytes),
        );
        Ok(delivered.into_iter().map(ReceivedMessage::from).collect())
    }

    /// Deletes any number of received messages; each has its own outcome. It
    /// counts as one call for every ten.
    pub fn delete_batch(
        &self,
        queue: &str,
        receipt_handles: &[String],
    ) -> Result<Vec<Result<(), SqsError>>, SqsError> {
        let outcomes = self.run(|state, now_ms| {
            state.queue(queue)?;
            let handles = receipt_handles.iter();
            Ok(handles
                .map(|handle| state.delete(queue, handle, now_ms))
                .collect())
        })?;
        for chunk in receipt_handles.chunks(10) {
            self.report(
                &own_call("DeleteMessageBatch", queue),
                &CallReport::new(chunk.len(), 0, 0),
            );
        }
        Ok(outcomes)
    }

    /// Drops everything that a queue holds, what is in flight included.
    pub fn purge(&self, queue: &str) -> Result<(), SqsError> {
        self.run(|state, now_ms| state.purge(queue, now_ms))?;
        self.report(&own_call("PurgeQueue", queue), &CallReport::new(0, 0, 0));
        Ok(())
    }

    /// Sends home what a dead-letter queue holds now, as the console's "Start DLQ redrive" does.
    pub fn start_redrive(&self, dead_letters: &str) -> Result<(), SqsError> {
        let source = queue_arn(dead_letters);
        self.run(|state, now_ms| state.start_task(&source, None, None, now_ms))?;
        self.report(
            &own_call("StartMessageMoveTask", dead_letters),
            &CallReport::new(0, 0, 0),
        );
        Ok(())
    }

    /// Hides a received message for so long from now; zero makes it visible at once.
    pub fn change_visibility(
        &self,
        queue: &str,
        receipt_handle: &str,
        visible_in: Duration,
    ) -> Result<(), SqsError> {
        let visible_in_ms = millis(visible_in);
        check_visibility(visible_in_ms)?;
        self.run(|state, now_ms| {
            state.change_visibility(queue, receipt_handle, visible_in_ms, now_ms)
        })?;
        self.report(
            &own_call("ChangeMessageVisibility", queue),
            &CallReport::new(1, 0, 0),
        );
        Ok(())
    }
}

fn own_call(operation: &str, queue: &str) -> CallInfo {
    CallInfo {
        access_key_id: None,
        operation: operation.to_owned(),
        action: action(operation),
        queue_arn: queue_arn(queue),
    }
}
