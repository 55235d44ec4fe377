//! A message as SQS handed it over.

use std::sync::Arc;

use aws_lambda_events::sqs::SqsMessage;
use hookpost_domain::carrier::Message;

/// One record of the batch.
#[derive(Debug)]
pub struct Received {
    /// Its id.
    pub message_id: String,
    /// What it is kept back with.
    pub receipt: String,
    /// The ARN of the queue that it came by.
    pub(crate) source: String,
    /// How often it has been received, this time included.
    pub receives: u32,
    /// The body as it came.
    pub body: String,
    /// What it says to the delivery function, or why it cannot be read.
    pub(crate) message: Result<Message, String>,
}

impl From<SqsMessage> for Received {
    fn from(record: SqsMessage) -> Self {
        let number = |name: &str| {
            record
                .attributes
                .get(name)
                .and_then(|value| value.parse::<u64>().ok())
        };
        let body = record.body.unwrap_or_default();
        Self {
            receives: number("ApproximateReceiveCount")
                .and_then(|count| u32::try_from(count).ok())
                .unwrap_or(1),
            message: Message::parse(&body),
            body,
            message_id: record.message_id.unwrap_or_default(),
            source: record.event_source_arn.unwrap_or_default(),
            receipt: record.receipt_handle.unwrap_or_default(),
        }
    }
}

impl Received {
    /// How many messages of the batch go to the same endpoint, this one included.
    pub(crate) fn alike(&self, batch: &[Arc<Self>]) -> u32 {
        let endpoint = |received: &Self| match &received.message {
            Ok(Message::Deliver(carrier)) => Some(carrier.endpoint_id.clone()),
            Ok(Message::FanOut(_)) | Err(_) => None,
        };
        let mine = endpoint(self);
        let same = batch
            .iter()
            .filter(|other| mine.is_some() && endpoint(other) == mine)
            .count();
        u32::try_from(same.max(1)).unwrap_or(1)
    }
}
