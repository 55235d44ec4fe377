//! The operations of the JSON protocol: each reads its request, asks leave for its queue, and answers.

mod messages;
mod moves;
mod queues;
mod receiving;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::errors::SqsError;
use crate::handle::Sqs;
use crate::hooks::{CallInfo, CallReport};
use crate::names::{is_token, queue_arn, queue_name_of_url};

/// Entries of a batch.
const MAX_ENTRIES: usize = 10;

/// A call on its way.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) sqs: &'a Sqs,
    /// The host and port that the client used: queue URLs lead back there.
    pub(crate) authority: &'a str,
    pub(crate) info: CallInfo,
}

/// A call's answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) json: Vec<u8>,
    pub(crate) report: CallReport,
}

/// An answer without content.
#[derive(Debug, Serialize)]
struct Nothing {}

pub(crate) async fn dispatch(call: &mut Call<'_>, body: &[u8]) -> Result<Answer, SqsError> {
    let operation = call.info.operation.clone();
    match operation.as_str() {
        "ReceiveMessage" => receiving::receive(call, parse(body)?).await,
        "SendMessage" => messages::send(call, parse(body)?),
        "SendMessageBatch" => messages::send_batch(call, parse(body)?),
        "DeleteMessage" => messages::delete(call, &parse(body)?),
        "DeleteMessageBatch" => messages::delete_batch(call, parse(body)?),
        "ChangeMessageVisibility" => messages::change_visibility(call, &parse(body)?),
        "ChangeMessageVisibilityBatch" => messages::change_visibility_batch(call, parse(body)?),
        "CreateQueue" => queues::create(call, parse(body)?),
        "DeleteQueue" => queues::delete(call, &parse(body)?),
        "PurgeQueue" => queues::purge(call, &parse(body)?),
        "GetQueueUrl" => queues::get_url(call, &parse(body)?),
        "ListQueues" => queues::list(call, &parse(body)?),
        "ListDeadLetterSourceQueues" => queues::list_sources(call, &parse(body)?),
        "GetQueueAttributes" => queues::get_attributes(call, &parse(body)?),
        "SetQueueAttributes" => queues::set_attributes(call, &parse(body)?),
        "TagQueue" => queues::tag(call, parse(body)?),
        "UntagQueue" => queues::untag(call, &parse(body)?),
        "ListQueueTags" => queues::list_tags(call, &parse(body)?),
        "StartMessageMoveTask" => moves::start(call, &parse(body)?),
        "ListMessageMoveTasks" => moves::list(call, &parse(body)?),
        "CancelMessageMoveTask" => moves::cancel(call, &parse(body)?),
        other => Err(SqsError::UnknownOperation(other.to_owned())),
    }
}

impl Call<'_> {
    /// The queue that a URL names, if the caller may do this to it.
    fn queue<'q>(&mut self, url: &'q str) -> Result<&'q str, SqsError> {
        if url.is_empty() {
            return Err(SqsError::MissingParameter("QueueUrl"));
        }
        let name = queue_name_of_url(url).ok_or(SqsError::QueueDoesNotExist)?;
        self.allow(queue_arn(name))?;
        Ok(name)
    }

    /// Asks whether the caller may do this to the queue with that ARN.
    fn allow(&mut self, queue_arn: String) -> Result<(), SqsError> {
        self.info.queue_arn = queue_arn;
        match &self.sqs.hooks().authoriser {
            Some(authoriser) => authoriser(&self.info).map_err(SqsError::AccessDenied),
            None => Ok(()),
        }
    }
}

impl Answer {
    fn new(body: &impl Serialize, report: CallReport) -> Result<Self, SqsError> {
        let json =
            serde_json::to_vec(body).map_err(|error| SqsError::Serialization(error.to_string()))?;
        Ok(Self { json, report })
    }

    /// An answer to a call that carried no messages.
    fn plain(body: &impl Serialize) -> Result<Self, SqsError> {
        Self::new(body, CallReport::new(0, 0, 0))
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, SqsError> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| SqsError::Serialization(error.to_string()))
}

/// A parameter in seconds, brought to milliseconds.
fn seconds(value: i64, most: u64, parameter: &str) -> Result<u64, SqsError> {
    u64::try_from(value)
        .ok()
        .filter(|seconds| *seconds <= most)
        .map(|seconds| seconds * 1000)
        .ok_or_else(|| {
            let reason = format!("{parameter} must be an integer between 0 and {most}.");
            SqsError::value(value, parameter, &reason)
        })
}

/// A request that names only its queue.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OnQueue {
    #[serde(default)]
    queue_url: String,
}

/// A batch of entries on a queue.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch<E> {
    #[serde(default)]
    queue_url: String,
    #[serde(default = "Vec::new")]
    entries: Vec<E>,
}

/// A batch's answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct BatchAnswer<S> {
    successful: Vec<S>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<FailedEntry>,
}

/// An entry that was taken, where there is no more to say of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TakenEntry {
    id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct FailedEntry {
    id: String,
    sender_fault: bool,
    code: &'static str,
    message: String,
}

/// An entry of a batch, by its id.
trait Entry {
    /// How the entries are called in an error.
    const KIND: &'static str;

    fn id(&self) -> &str;
}

/// Holds a batch against the limits that refuse it whole.
fn check_batch<E: Entry>(entries: &[E]) -> Result<(), SqsError> {
    if entries.is_empty() {
        return Err(SqsError::EmptyBatchRequest(E::KIND));
    }
    if entries.len() > MAX_ENTRIES {
        return Err(SqsError::TooManyEntriesInBatchRequest(entries.len()));
    }
    let mut seen = Vec::new();
    for entry in entries {
        if !is_token(entry.id()) {
            return Err(SqsError::InvalidBatchEntryId);
        }
        if seen.contains(&entry.id()) {
            return Err(SqsError::BatchEntryIdsNotDistinct(entry.id().to_owned()));
        }
        seen.push(entry.id());
    }
    Ok(())
}

/// Sorts the outcomes of a batch into its answer.
fn sort<S>(outcomes: impl IntoIterator<Item = (String, Result<S, SqsError>)>) -> BatchAnswer<S> {
    let mut answer = BatchAnswer {
        successful: Vec::new(),
        failed: Vec::new(),
    };
    for (id, outcome) in outcomes {
        match outcome {
            Ok(taken) => answer.successful.push(taken),
            Err(error) => answer.failed.push(FailedEntry {
                id,
                sender_fault: true,
                code: error.code(),
                message: error.to_string(),
            }),
        }
    }
    answer
}
