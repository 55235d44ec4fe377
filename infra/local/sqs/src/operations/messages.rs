//! Sending, deleting, and changing visibility, one by one and in batches.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Answer, Batch, Call, Entry, Nothing, TakenEntry, check_batch, seconds, sort};
use crate::attribute::{AttributeValue, MessageAttribute};
use crate::errors::SqsError;
use crate::hooks::CallReport;
use crate::message::{MAX_BYTES, NewMessage, Prepared, SentMessage};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Send {
    #[serde(default)]
    queue_url: String,
    #[serde(flatten)]
    message: Sendable,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sendable {
    #[serde(default)]
    message_body: String,
    delay_seconds: Option<i64>,
    message_group_id: Option<String>,
    message_deduplication_id: Option<String>,
    message_attributes: Option<BTreeMap<String, MessageAttribute>>,
    message_system_attributes: Option<BTreeMap<String, MessageAttribute>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendEntry {
    #[serde(default)]
    id: String,
    #[serde(flatten)]
    message: Sendable,
}

#[derive(Debug, Serialize)]
struct Sent {
    #[serde(rename = "Id", skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(rename = "MessageId")]
    message_id: String,
    #[serde(rename = "MD5OfMessageBody")]
    md5_of_body: String,
    #[serde(
        rename = "MD5OfMessageAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    md5_of_attributes: Option<String>,
    #[serde(
        rename = "MD5OfMessageSystemAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    md5_of_system_attributes: Option<String>,
    #[serde(rename = "SequenceNumber", skip_serializing_if = "Option::is_none")]
    sequence_number: Option<String>,
}

impl Sent {
    fn new(id: Option<String>, sent: SentMessage) -> Self {
        Self {
            id,
            message_id: sent.message_id,
            md5_of_body: sent.md5_of_body,
            md5_of_attributes: sent.md5_of_attributes,
            md5_of_system_attributes: sent.md5_of_system_attributes,
            sequence_number: sent.sequence_number,
        }
    }
}

impl Sendable {
    fn bytes(&self) -> usize {
        let attributes = self.message_attributes.as_ref();
        self.message_body.len() + attributes.map_or(0, crate::attribute::bytes)
    }

    fn prepare(self, sender: Option<&String>) -> Result<Prepared, SqsError> {
        let delay_ms = self
            .delay_seconds
            .map(|delay| seconds(delay, 900, "DelaySeconds"))
            .transpose()?;
        NewMessage {
            body: self.message_body,
            delay: delay_ms.map(Duration::from_millis),
            group_id: self.message_group_id,
            deduplication_id: self.message_deduplication_id,
            attributes: self.message_attributes.unwrap_or_default(),
            trace_header: trace_header(self.message_system_attributes.unwrap_or_default())?,
            sender_id: sender.cloned(),
        }
        .prepare()
    }
}

/// The one system attribute that a sender may set.
fn trace_header(
    attributes: BTreeMap<String, MessageAttribute>,
) -> Result<Option<String>, SqsError> {
    let mut header = None;
    for (name, attribute) in attributes {
        match (name.as_str(), attribute.value) {
            ("AWSTraceHeader", AttributeValue::Text(text)) => header = Some(text),
            _ => {
                return Err(SqsError::InvalidParameterValue(format!(
                    "Message system attribute name '{name}' is invalid."
                )));
            }
        }
    }
    Ok(header)
}

pub(super) fn send(call: &mut Call<'_>, request: Send) -> Result<Answer, SqsError> {
    let name = call.queue(&request.queue_url)?;
    let prepared = request.message.prepare(call.info.access_key_id.as_ref())?;
    let report = CallReport::new(1, grouped(&prepared), prepared.content.bytes);
    let sent = call
        .sqs
        .run(|state, now_ms| state.send(name, prepared, now_ms))?;
    Answer::new(&Sent::new(None, sent), report)
}

impl Entry for SendEntry {
    const KIND: &'static str = "SendMessageBatchRequestEntry";

    fn id(&self) -> &str {
        &self.id
    }
}

pub(super) fn send_batch(
    call: &mut Call<'_>,
    request: Batch<SendEntry>,
) -> Result<Answer, SqsError> {
    let name = call.queue(&request.queue_url)?;
    check_batch(&request.entries)?;
    let bytes = request.entries.iter().map(|e| e.message.bytes()).sum();
    if bytes > MAX_BYTES {
        return Err(SqsError::BatchRequestTooLong(bytes));
    }
    let sender = call.info.access_key_id.as_ref();
    let entries = request.entries.into_iter();
    let prepared: Vec<_> = entries
        .map(|entry| (entry.id, entry.message.prepare(sender)))
        .collect();
    let groups = prepared.iter().filter_map(|(_, one)| one.as_ref().ok());
    let report = CallReport::new(prepared.len(), groups.map(grouped).sum(), bytes);
    let outcomes = call.sqs.run(|state, now_ms| {
        state.queue(name)?;
        let sent = prepared.into_iter().map(|(id, one)| {
            let outcome = one.and_then(|message| state.send(name, message, now_ms));
            (id.clone(), outcome.map(|sent| Sent::new(Some(id), sent)))
        });
        Ok::<_, SqsError>(sent.collect::<Vec<_>>())
    })?;
    Answer::new(&sort(outcomes), report)
}

fn grouped(prepared: &Prepared) -> usize {
    usize::from(prepared.content.group_id.is_some())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Delete {
    #[serde(default)]
    queue_url: String,
    #[serde(default)]
    receipt_handle: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteEntry {
    #[serde(default)]
    id: String,
    #[serde(default)]
    receipt_handle: String,
}

impl Entry for DeleteEntry {
    const KIND: &'static str = "DeleteMessageBatchRequestEntry";

    fn id(&self) -> &str {
        &self.id
    }
}

pub(super) fn delete(call: &mut Call<'_>, request: &Delete) -> Result<Answer, SqsError> {
    let name = call.queue(&request.queue_url)?;
    if request.receipt_handle.is_empty() {
        return Err(SqsError::MissingParameter("ReceiptHandle"));
    }
    call.sqs
        .run(|state, now_ms| state.delete(name, &request.receipt_handle, now_ms))?;
    Answer::new(&Nothing {}, CallReport::new(1, 0, 0))
}

pub(super) fn delete_batch(
    call: &mut Call<'_>,
    request: Batch<DeleteEntry>,
) -> Result<Answer, SqsError> {
    let name = call.queue(&request.queue_url)?;
    check_batch(&request.entries)?;
    let report = CallReport::new(request.entries.len(), 0, 0);
    let outcomes = call.sqs.run(|state, now_ms| {
        state.queue(name)?;
        let entries = request.entries.into_iter();
        let deleted = entries.map(|entry| {
            let outcome = state.delete(name, &entry.receipt_handle, now_ms);
            taken(entry.id, outcome)
        });
        Ok::<_, SqsError>(deleted.collect::<Vec<_>>())
    })?;
    Answer::new(&sort(outcomes), report)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangeVisibility {
    #[serde(default)]
    queue_url: String,
    #[serde(default)]
    receipt_handle: String,
    visibility_timeout: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangeVisibilityEntry {
    #[serde(default)]
    id: String,
    #[serde(default)]
    receipt_handle: String,
    visibility_timeout: Option<i64>,
}

impl Entry for ChangeVisibilityEntry {
    const KIND: &'static str = "ChangeMessageVisibilityBatchRequestEntry";

    fn id(&self) -> &str {
        &self.id
    }
}

fn visibility(timeout: Option<i64>) -> Result<u64, SqsError> {
    let timeout = timeout.ok_or(SqsError::MissingParameter("VisibilityTimeout"))?;
    seconds(timeout, 43_200, "VisibilityTimeout")
}

pub(super) fn change_visibility(
    call: &mut Call<'_>,
    request: &ChangeVisibility,
) -> Result<Answer, SqsError> {
    let name = call.queue(&request.queue_url)?;
    let visible_in_ms = visibility(request.visibility_timeout)?;
    call.sqs.run(|state, now_ms| {
        state.change_visibility(name, &request.receipt_handle, visible_in_ms, now_ms)
    })?;
    Answer::new(&Nothing {}, CallReport::new(1, 0, 0))
}

pub(super) fn change_visibility_batch(
    call: &mut Call<'_>,
    request: Batch<ChangeVisibilityEntry>,
) -> Result<Answer, SqsError> {
    let name = call.queue(&request.queue_url)?;
    check_batch(&request.entries)?;
    let report = CallReport::new(request.entries.len(), 0, 0);
    let outcomes = call.sqs.run(|state, now_ms| {
        state.queue(name)?;
        let entries = request.entries.into_iter();
        let changed = entries.map(|entry| {
            let outcome = visibility(entry.visibility_timeout).and_then(|visible_in_ms| {
                state.change_visibility(name, &entry.receipt_handle, visible_in_ms, now_ms)
            });
            taken(entry.id, outcome)
        });
        Ok::<_, SqsError>(changed.collect::<Vec<_>>())
    })?;
    Answer::new(&sort(outcomes), report)
}

fn taken(id: String, outcome: Result<(), SqsError>) -> (String, Result<TakenEntry, SqsError>) {
    (id.clone(), outcome.map(|()| TakenEntry { id }))
}
