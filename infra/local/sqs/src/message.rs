//! A message: what was sent, which never changes, and where it stands, which does.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::attribute::{self, MessageAttribute};
use crate::digest;
use crate::errors::SqsError;
use crate::text::Text;

/// The largest message, and the largest batch, that SQS takes: 1 MiB.
pub(crate) const MAX_BYTES: usize = 1_048_576;

/// A message to send.
#[derive(Clone, Debug, Default)]
pub struct NewMessage {
    /// The body: at least one character, 1 MiB at most.
    pub body: String,
    /// Hidden for so long at first, at most 900 s; the queue's own delay if absent.
    pub delay: Option<Duration>,
    /// The fair queue's tenant, or the FIFO queue's group.
    pub group_id: Option<String>,
    /// FIFO queues only.
    pub deduplication_id: Option<String>,
    /// The sender's own attributes.
    pub attributes: BTreeMap<String, MessageAttribute>,
    /// X-Ray's `AWSTraceHeader`.
    pub trace_header: Option<String>,
    /// Who sends, as `SenderId` shows it.
    pub sender_id: Option<String>,
}

/// What the sender is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentMessage {
    /// The new message's id; on a deduplicated one the first one's.
    pub message_id: String,
    /// Hex MD5 of the body.
    pub md5_of_body: String,
    /// Hex MD5 of the attributes, if there are any.
    pub md5_of_attributes: Option<String>,
    /// Hex MD5 of the trace header, if there is one.
    pub md5_of_system_attributes: Option<String>,
    /// FIFO queues only.
    pub sequence_number: Option<String>,
}

/// A message that a receive handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// The message's id.
    pub message_id: String,
    /// What this receive is told by: needed to delete the message or to change its visibility.
    pub receipt_handle: String,
    /// The body.
    pub body: Arc<str>,
    /// Hex MD5 of the body.
    pub md5_of_body: String,
    /// All system attributes: `ApproximateReceiveCount`, `SentTimestamp` and so on.
    pub attributes: BTreeMap<&'static str, String>,
    /// The sender's own attributes.
    pub message_attributes: BTreeMap<String, MessageAttribute>,
}

/// A message's id; it prints as a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageId(pub(crate) Uuid);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for MessageId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for MessageId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// What was sent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Content {
    pub(crate) body: Text,
    pub(crate) md5_of_body: String,
    pub(crate) attributes: BTreeMap<String, MessageAttribute>,
    pub(crate) trace_header: Option<String>,
    pub(crate) group_id: Option<Text>,
    pub(crate) deduplication_id: Option<String>,
    pub(crate) sender_id: String,
    /// Body and attributes: what is measured against the limits and billed.
    pub(crate) bytes: usize,
}

/// A checked message, ready for any queue: the costly part, done before the queues are locked.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) content: Content,
    pub(crate) delay_ms: Option<u64>,
}

impl NewMessage {
    /// Checks what can be checked without knowing the queue.
    pub(crate) fn prepare(self) -> Result<Prepared, SqsError> {
        if self.body.is_empty() {
            return Err(SqsError::MissingParameter("MessageBody"));
        }
        let bytes = self.body.len() + attribute::bytes(&self.attributes);
        if bytes > MAX_BYTES {
            return Err(too_long(MAX_BYTES));
        }
        if !is_sendable(&self.body) {
            return Err(SqsError::InvalidMessageContents);
        }
        attribute::check(&self.attributes)?;
        check_id(self.group_id.as_deref(), "MessageGroupId")?;
        check_id(self.deduplication_id.as_deref(), "MessageDeduplicationId")?;
        let delay_ms = self.delay.map(crate::clock::millis);
        if let Some(delay) = delay_ms.filter(|delay| *delay > 900_000) {
            return Err(SqsError::value(
                delay / 1000,
                "DelaySeconds",
                "DelaySeconds must be >= 0 and <= 900.",
            ));
        }
        Ok(Prepared {
            content: Content {
                md5_of_body: digest::md5_hex(self.body.as_bytes()),
                body: self.body.into(),
                attributes: self.attributes,
                trace_header: self.trace_header,
                group_id: self.group_id.map(Text::from),
                deduplication_id: self.deduplication_id,
                sender_id: self.sender_id.unwrap_or_else(|| "local".to_owned()),
                bytes,
            },
            delay_ms,
        })
    }
}

pub(crate) fn too_long(limit: usize) -> SqsError {
    SqsError::InvalidParameterValue(format!(
        "One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes."
    ))
}

/// Whether every character is one of XML 1.0's.
fn is_sendable(body: &str) -> bool {
    body.chars().all(
        |character| matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..),
    )
}

/// Group and deduplication ids: 1 to 128 printable ASCII characters.
fn check_id(id: Option<&str>, parameter: &str) -> Result<(), SqsError> {
    match id {
        Some(id) if !(1..=128).contains(&id.len()) || !id.bytes().all(|b| b.is_ascii_graphic()) => {
            Err(SqsError::value(
                id,
                parameter,
                "Can only include alphanumeric and punctuation characters. 1 to 128 in length.",
            ))
        }
        Some(_) | None => Ok(()),
    }
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Place {
    Visible { since_ms: u64 },
    Delayed { until_ms: u64 },
    InFlight { received_ms: u64, until_ms: u64 },
}

/// A message in a queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Message {
    pub(crate) id: MessageId,
    #[serde(serialize_with = "as_value", deserialize_with = "into_shared")]
    pub(crate) content: Arc<Content>,
    /// Kept on the way to a dead-letter queue, new after a move task.
    pub(crate) sent_ms: u64,
    pub(crate) first_received_ms: Option<u64>,
    /// What `ApproximateReceiveCount` shows.
    pub(crate) receive_count: u32,
    /// Receives in this queue: what maxReceiveCount is held against, so that
    /// a dead-letter queue with a redrive policy of its own starts at zero.
    pub(crate) receives_here: u32,
    /// The queue that gave the message up, by name.
    pub(crate) dead_letter_source: Option<String>,
    pub(crate) place: Place,
}

fn as_value<S: serde::Serializer>(content: &Arc<Content>, to: S) -> Result<S::Ok, S::Error> {
    content.serialize(to)
}

fn into_shared<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Arc<Content>, D::Error> {
    Content::deserialize(from).map(Arc::new)
}

/// What a receive took, before it is written out.
#[derive(Debug)]
pub(crate) struct Delivered {
    pub(crate) message: Message,
    pub(crate) handle: String,
    pub(crate) sequence_number: Option<String>,
}

impl From<Delivered> for ReceivedMessage {
    fn from(delivered: Delivered) -> Self {
        let Delivered {
            message,
            handle,
            sequence_number,
        } = delivered;
        let content = &message.content;
        let mut attributes = BTreeMap::from([
            ("ApproximateReceiveCount", message.receive_count.to_string()),
            ("SenderId", content.sender_id.clone()),
            ("SentTimestamp", message.sent_ms.to_string()),
        ]);
        attributes.extend(
            [
                (
                    "ApproximateFirstReceiveTimestamp",
                    message.first_received_ms.map(|at| at.to_string()),
                ),
                ("AWSTraceHeader", content.trace_header.clone()),
                (
                    "DeadLetterQueueSourceArn",
                    message
                        .dead_letter_source
                        .as_deref()
                        .map(crate::names::queue_arn),
                ),
                ("MessageDeduplicationId", content.deduplication_id.clone()),
                (
                    "MessageGroupId",
                    content.group_id.as_deref().map(str::to_owned),
                ),
                ("SequenceNumber", sequence_number),
            ]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?))),
        );
        Self {
            message_id: message.id.to_string(),
            receipt_handle: handle,
            body: content.body.shared(),
            md5_of_body: content.md5_of_body.clone(),
            attributes,
            message_attributes: content.attributes.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(body: &str) -> Result<Prepared, SqsError> {
        NewMessage {
            body: body.to_owned(),
            ..NewMessage::default()
        }
        .prepare()
    }

    #[test]
    fn only_xml_characters_are_sendable() {
        assert!(prepared("tab\tand line\n é 漢 🦀").is_ok());
        for body in ["a\0b", "\u{1b}", "\u{fffe}", "\u{ffff}"] {
            assert_eq!(
                prepared(body).unwrap_err(),
                SqsError::InvalidMessageContents
            );
        }
    }

    #[test]
    fn one_mebibyte_is_the_limit_attributes_included() {
        assert!(prepared(&"x".repeat(MAX_BYTES)).is_ok());
        assert!(prepared(&"x".repeat(MAX_BYTES + 1)).is_err());
        let with_attribute = NewMessage {
            body: "x".repeat(MAX_BYTES),
            attributes: BTreeMap::from([("a".to_owned(), MessageAttribute::text("String", "b"))]),
            ..NewMessage::default()
        };
        assert!(with_attribute.prepare().is_err());
    }

    #[test]
    fn a_delay_is_at_most_fifteen_minutes() {
        let delayed = |seconds| {
            NewMessage {
                body: "x".to_owned(),
                delay: Some(Duration::from_secs(seconds)),
                ..NewMessage::default()
            }
            .prepare()
        };
        assert!(delayed(900).is_ok());
        assert!(delayed(901).is_err());
    }
}
