//! The queues over SQS.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::{QueueAttributeName, SendMessageBatchRequestEntry};
use futures::future::try_join_all;
use futures::stream::{self, StreamExt, TryStreamExt};
use hookpost_domain::Timestamp;
use hookpost_domain::carrier::Carrier;
use hookpost_domain::lane::Lane;
use hookpost_domain::line::Wake;
use hookpost_domain::ports::{
    Backlog, DeliveryQueue, Error, ExhaustedQueue, Outgoing, Refusal, WakeQueue, World,
};
use hookpost_domain::time::ceil_secs;

use crate::{Config, RealWorld};

/// Most messages in one `SendMessageBatch`.
const MAX_BATCH: usize = 10;
/// Most bytes in one `SendMessageBatch` (1 MiB), less what the envelope may take.
const MAX_BATCH_BYTES: usize = 1_040_000;
/// Batches that are under way at once.
const CONCURRENT_BATCHES: usize = 8;
/// Tries of what SQS did not take.
const TRIES: u32 = 3;

/// What there is in a queue, as SQS estimates it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Level {
    /// Messages that can be received.
    pub waiting: u64,
    /// Messages under way, or kept back.
    pub in_flight: u64,
    /// Messages that cannot be received yet.
    pub delayed: u64,
}

impl Level {
    const fn and(self, other: Self) -> Self {
        Self {
            waiting: self.waiting + other.waiting,
            in_flight: self.in_flight + other.in_flight,
            delayed: self.delayed + other.delayed,
        }
    }

    const fn is_empty(self) -> bool {
        self.waiting == 0 && self.in_flight == 0 && self.delayed == 0
    }
}

/// What there is in all queues.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Levels {
    /// Deliveries to make, of both lanes.
    pub delivery: Level,
    /// Given-up deliveries on their way to the dead letters.
    pub exhausted: Level,
    /// Dead letters.
    pub dead_letters: Level,
}

/// The queues of deliveries, and the one before the dead-letter queue.
#[derive(Debug)]
pub struct Queues {
    sqs: Client,
    delivery_url: String,
    /// Of the slow lane, if there is one.
    slow_url: Option<String>,
    exhausted_url: String,
    dead_letter_url: String,
    /// Of which queue messages are refused.
    refused_url: String,
    /// What wakes lines, where there are any.
    ordered_url: Option<String>,
    /// Where the messages come from that are kept back, if not from a lane.
    source_url: Option<String>,
    /// Makes no retries of its own, so that each try can be dated anew.
    once: Client,
}

impl Queues {
    /// The queues that `config` names.
    pub fn new(sdk: &aws_config::SdkConfig, config: &Config) -> Self {
        let once = aws_sdk_sqs::config::Builder::from(sdk)
            .retry_config(aws_config::retry::RetryConfig::disabled())
            .build();
        Self {
            sqs: Client::new(sdk),
            once: Client::from_conf(once),
            delivery_url: config.delivery_queue_url.clone(),
            slow_url: config.slow_queue_url.clone(),
            exhausted_url: config.exhausted_queue_url.clone(),
            dead_letter_url: config.dead_letter_queue_url.clone(),
            refused_url: config.exhausted_queue_url.clone(),
            ordered_url: config.ordered_queue_url.clone(),
            source_url: None,
        }
    }

    /// The same, for a function that gets its messages from the queue that wakes lines.
    #[must_use]
    pub fn of_lines(mut self) -> Self {
        self.source_url.clone_from(&self.ordered_url);
        self
    }

    /// The same, for whoever consumes the events queue: what it refuses is of that.
    #[must_use]
    pub fn of_events(mut self, config: &Config) -> Self {
        self.refused_url = config.events_queue_url.clone().unwrap_or_default();
        self
    }

    /// What there is in each queue.
    ///
    /// # Errors
    /// A call failed.
    pub async fn levels(&self) -> Result<Levels, Error> {
        let urls = [
            &self.delivery_url,
            &self.exhausted_url,
            &self.dead_letter_url,
        ];
        let urls = urls.into_iter().chain(&self.slow_url);
        let levels = try_join_all(urls.map(|url| self.level(url))).await?;
        let mut levels = levels.into_iter();
        let mut next = || levels.next().unwrap_or_default();
        let (delivery, exhausted, dead_letters) = (next(), next(), next());
        Ok(Levels {
            delivery: delivery.and(next()),
            exhausted,
            dead_letters,
        })
    }

    async fn slow_level(&self) -> Result<Level, Error> {
        match &self.slow_url {
            Some(url) => self.level(url).await,
            None => Ok(Level::default()),
        }
    }

    fn url(&self, lane: Lane) -> &str {
        match (lane, &self.slow_url) {
            (Lane::Slow, Some(url)) => url,
            (Lane::Slow, None) | (Lane::Fast, _) => &self.delivery_url,
        }
    }

    async fn send_one(&self, lane: Lane, message: &Outgoing) -> Result<(), Error> {
        let (body, group) = body_and_group(message);
        self.sqs
            .send_message()
            .queue_url(self.url(lane))
            .message_body(body)
            .set_message_group_id(group)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| failed("SendMessage delivery", &error))
    }

    async fn level(&self, url: &str) -> Result<Level, Error> {
        let (waiting, in_flight, delayed) = (
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        );
        let answer = self
            .sqs
            .get_queue_attributes()
            .queue_url(url)
            .attribute_names(waiting.clone())
            .attribute_names(in_flight.clone())
            .attribute_names(delayed.clone())
            .send()
            .await
            .map_err(|error| failed("GetQueueAttributes", &error))?;
        let counts = answer.attributes.unwrap_or_default();
        let count = |name| -> Result<u64, Error> {
            let told = counts.get(&name).and_then(|count| count.parse().ok());
            told.ok_or_else(|| Error {
                call: "GetQueueAttributes",
                source: format!("there is no {name}").into(),
            })
        };
        Ok(Level {
            waiting: count(waiting)?,
            in_flight: count(in_flight)?,
            delayed: count(delayed)?,
        })
    }

    /// One cheap call, to have a warm connection before the first event.
    pub async fn warm_up(&self) {
        let call = self
            .sqs
            .get_queue_attributes()
            .queue_url(&self.delivery_url)
            .send()
            .await;
        if let Err(error) = call {
            tracing::debug!(error = %DisplayErrorContext(&error), "the first call to SQS failed");
        }
    }

    async fn send_batch(
        &self,
        mut entries: Vec<SendMessageBatchRequestEntry>,
    ) -> Result<(), Error> {
        let mut refusal = String::new();
        for _ in 0..TRIES {
            let answer = self
                .sqs
                .send_message_batch()
                .queue_url(&self.delivery_url)
                .set_entries(Some(entries.clone()))
                .send()
                .await
                .map_err(|error| failed("SendMessageBatch delivery", &error))?;
            let Some(refused) = answer.failed.first() else {
                return Ok(());
            };
            refusal = format!(
                "{}: {}",
                refused.code,
                refused.message().unwrap_or_default()
            );
            entries.retain(|entry| answer.failed.iter().any(|refused| refused.id == entry.id));
        }
        Err(Error {
            call: "SendMessageBatch delivery",
            source: refusal.into(),
        })
    }
}

fn failed(call: &'static str, error: &(dyn std::error::Error + Send + Sync)) -> Error {
    Error {
        call,
        source: DisplayErrorContext(error).to_string().into(),
    }
}

/// JSON without the two characters that SQS refuses and JSON strings may hold.
fn sendable(json: String) -> String {
    if !json.contains(['\u{fffe}', '\u{ffff}']) {
        return json;
    }
    json.replace('\u{fffe}', "\\ufffe")
        .replace('\u{ffff}', "\\uffff")
}

fn body_and_group(message: &Outgoing) -> (String, Option<String>) {
    match message {
        Outgoing::Deliver(carrier) => {
            let body = serde_json::to_string(carrier).unwrap_or_default();
            (body, Some(carrier.endpoint_id.to_string()))
        }
        Outgoing::FanOut(range) => (serde_json::to_string(range).unwrap_or_default(), None),
        Outgoing::Raw(body) => (body.clone(), None),
    }
}

/// Cuts messages into batches that SQS takes.
fn batches(
    messages: &[(Outgoing, Duration)],
) -> Result<Vec<Vec<SendMessageBatchRequestEntry>>, Error> {
    let mut batches: Vec<Vec<_>> = Vec::new();
    let mut bytes = 0;
    for (message, delay) in messages {
        let (body, group) = body_and_group(message);
        let full =
            |batch: &Vec<_>| batch.len() == MAX_BATCH || bytes + body.len() > MAX_BATCH_BYTES;
        if batches.last().is_none_or(full) {
            batches.push(Vec::with_capacity(MAX_BATCH));
            bytes = 0;
        }
        bytes += body.len();
        let Some(batch) = batches.last_mut() else {
            continue;
        };
        let seconds = i32::try_from(ceil_secs(*delay).min(900)).unwrap_or(900);
        let entry = SendMessageBatchRequestEntry::builder()
            .id(batch.len().to_string())
            .message_body(body)
            .set_message_group_id(group)
            .set_delay_seconds((seconds > 0).then_some(seconds))
            .build()
            .map_err(|error| Error {
                call: "SendMessageBatch delivery",
                source: error.into(),
            })?;
        batch.push(entry);
    }
    Ok(batches)
}

impl DeliveryQueue for Queues {
    async fn send(&self, messages: Vec<(Outgoing, Duration)>) -> Result<(), Error> {
        if let [(message, Duration::ZERO)] = messages.as_slice() {
            return self.send_one(Lane::Fast, message).await;
        }
        stream::iter(batches(&messages)?.into_iter().map(Ok))
            .try_for_each_concurrent(CONCURRENT_BATCHES, |batch| self.send_batch(batch))
            .await
    }

    async fn divert(&self, carrier: Carrier) -> Result<(), Error> {
        let message = Outgoing::Deliver(Box::new(carrier));
        self.send_one(Lane::Slow, &message).await
    }

    async fn keep_back(
        &self,
        lane: Lane,
        receipt: &str,
        visible_in: Duration,
    ) -> Result<(), Error> {
        let seconds = i32::try_from(ceil_secs(visible_in)).unwrap_or(900);
        self.sqs
            .change_message_visibility()
            .queue_url(self.source_url.as_deref().unwrap_or(self.url(lane)))
            .receipt_handle(receipt)
            .visibility_timeout(seconds)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| failed("ChangeMessageVisibility delivery", &error))
    }
}

impl WakeQueue for Queues {
    fn keeps_order(&self) -> bool {
        self.ordered_url.is_some()
    }

    async fn wake(&self, wakes: &[Wake]) -> Result<(), Error> {
        let Some(url) = &self.ordered_url else {
            return Ok(());
        };
        let sends = wakes.iter().map(|wake| async move {
            let body = serde_json::to_string(wake).unwrap_or_default();
            self.sqs
                .send_message()
                .queue_url(url)
                .message_body(body)
                .message_group_id(wake.line.to_string())
                // A wake that was heard says nothing of what came after it: none is a repeat of
                // another. A retry of this very call is.
                .message_deduplication_id(format!("{:016x}", fastrand::u64(..)))
                .send()
                .await
                .map(|_| ())
                .map_err(|error| failed("SendMessage ordered", &error))
        });
        stream::iter(sends.map(Ok))
            .try_for_each_concurrent(CONCURRENT_BATCHES, |send| send)
            .await
    }
}

impl Backlog for Queues {
    async fn are_lanes_empty(&self) -> Result<bool, Error> {
        Ok(self.level(&self.delivery_url).await?.is_empty() && self.slow_level().await?.is_empty())
    }
}

impl Refusal for Queues {
    async fn refuse(&self, receipt: &str) -> Result<(), Error> {
        self.sqs
            .change_message_visibility()
            .queue_url(&self.refused_url)
            .receipt_handle(receipt)
            .visibility_timeout(0)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| failed("ChangeMessageVisibility refused", &error))
    }
}

impl ExhaustedQueue for Queues {
    async fn bury(&self, body: impl Fn(Timestamp) -> String + Send + Sync) -> Result<(), Error> {
        let tries = stream::iter(0..TRIES).then(|_| async {
            self.once
                .send_message()
                .queue_url(&self.exhausted_url)
                .message_body(sendable(body(RealWorld.now())))
                .send()
                .await
                .map(|_| ())
                .map_err(|error| failed("SendMessage exhausted", &error))
        });
        let mut tries = std::pin::pin!(tries);
        let mut last = Err(Error {
            call: "SendMessage exhausted",
            source: "not tried".into(),
        });
        while let Some(outcome) = tries.next().await {
            last = outcome;
            if last.is_ok() {
                break;
            }
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_ten_messages_and_a_mebibyte() {
        let raw = |bytes: usize| (Outgoing::Raw("x".repeat(bytes)), Duration::ZERO);
        let sizes = |messages: Vec<_>| {
            batches(&messages)
                .unwrap()
                .iter()
                .map(Vec::len)
                .collect::<Vec<_>>()
        };
        assert_eq!(sizes((0..25).map(|_| raw(10)).collect()), [10, 10, 5]);
        assert_eq!(sizes((0..4).map(|_| raw(500_000)).collect()), [2, 2]);
    }

    #[test]
    fn a_delay_is_never_early_and_at_most_what_sqs_takes() {
        let delayed = |delay| {
            let batch = batches(&[(Outgoing::Raw("x".into()), delay)]).unwrap();
            batch[0][0].delay_seconds
        };
        assert_eq!(delayed(Duration::from_millis(1)), Some(1));
        assert_eq!(delayed(Duration::from_secs(5000)), Some(900));
        assert_eq!(delayed(Duration::ZERO), None);
    }
}
