//! How a message enters a queue: the queue's own rules, deduplication, and what the sender is told.

use crate::attribute::{self, MessageAttribute};
use crate::dedup::{DeduplicationKey, Original};
use crate::digest;
use crate::errors::SqsError;
use crate::message::{Content, Message, Place, Prepared, SentMessage, too_long};
use crate::queue::sequence_number;
use crate::settings::Settings;
use crate::state::State;

impl State {
    /// Sends a checked message. One that a FIFO queue has seen in the last five
    /// minutes is answered like the first and not sent again.
    pub(crate) fn send(
        &mut self,
        name: &str,
        prepared: Prepared,
        now_ms: u64,
    ) -> Result<SentMessage, SqsError> {
        let id = self.new_id();
        let seq = self.take_seq();
        let queue = self.queue_mut(name, now_ms)?;
        let settings = &queue.settings;
        let Prepared {
            mut content,
            delay_ms,
        } = prepared;
        if content.bytes > settings.max_message_bytes {
            return Err(too_long(settings.max_message_bytes));
        }
        let mut original = Original { message: id, seq };
        let mut is_new = true;
        if settings.fifo {
            let key = fifo_key(settings, &mut content, delay_ms)?;
            match queue.deduplication.original(&key, now_ms) {
                Some(earlier) => {
                    original = earlier;
                    is_new = false;
                }
                None => queue.deduplication.remember(key, original, now_ms),
            }
        } else if content.deduplication_id.is_some() {
            return Err(wrong_type("MessageDeduplicationId"));
        }
        let fifo = queue.settings.fifo;
        let sent = sent_message(original, &content, fifo);
        if is_new {
            let until_ms = now_ms.saturating_add(delay_ms.unwrap_or(queue.settings.delay_ms));
            let place = if until_ms > now_ms {
                Place::Delayed { until_ms }
            } else {
                Place::Visible { since_ms: now_ms }
            };
            let message = Message {
                id,
                content: content.into(),
                sent_ms: now_ms,
                first_received_ms: None,
                receive_count: 0,
                receives_here: 0,
                dead_letter_source: None,
                place,
            };
            queue.insert(seq, message);
            self.touch(name);
        }
        Ok(sent)
    }
}

/// A FIFO message's deduplication key; the id is made from the body where the queue says so.
fn fifo_key(
    settings: &Settings,
    content: &mut Content,
    delay_ms: Option<u64>,
) -> Result<DeduplicationKey, SqsError> {
    if delay_ms.is_some_and(|delay| delay > 0) {
        return Err(wrong_type("DelaySeconds"));
    }
    let Some(group) = content.group_id.clone() else {
        return Err(SqsError::MissingParameter("MessageGroupId"));
    };
    if content.deduplication_id.is_none() && settings.content_deduplication {
        content.deduplication_id = Some(digest::sha256_hex(content.body.as_bytes()));
    }
    let Some(id) = content.deduplication_id.clone() else {
        return Err(SqsError::InvalidParameterValue(
            "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
                .to_owned(),
        ));
    };
    Ok(DeduplicationKey {
        group: settings.deduplicate_by_group.then_some(group),
        id,
    })
}

fn wrong_type(parameter: &str) -> SqsError {
    SqsError::InvalidParameterValue(format!(
        "The request includes a parameter that is not valid for this queue type: {parameter}"
    ))
}

fn sent_message(original: Original, content: &Content, fifo: bool) -> SentMessage {
    let trace_header = content
        .trace_header
        .as_deref()
        .map(|text| MessageAttribute::text("String", text));
    let attributes = content.attributes.iter();
    SentMessage {
        message_id: original.message.to_string(),
        md5_of_body: content.md5_of_body.clone(),
        md5_of_attributes: attribute::md5(attributes.map(|(name, value)| (name.as_str(), value))),
        md5_of_system_attributes: attribute::md5(
            trace_header.iter().map(|header| ("AWSTraceHeader", header)),
        ),
        sequence_number: fifo.then(|| sequence_number(original.seq)),
    }
}
