//! Message move tasks: what the console's "Start DLQ redrive" calls.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Answer, Call};
use crate::errors::SqsError;
use crate::moves::{MoveTask, destination_arn};
use crate::names::queue_arn;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Start {
    #[serde(default)]
    source_arn: String,
    destination_arn: Option<String>,
    max_number_of_messages_per_second: Option<i64>,
}

pub(super) fn start(call: &mut Call<'_>, request: &Start) -> Result<Answer, SqsError> {
    let source = source(call, &request.source_arn)?;
    // A negative rate is as wrong as zero.
    let rate = request.max_number_of_messages_per_second;
    let per_second = rate.map(|rate| u64::try_from(rate).unwrap_or_default());
    let destination = request.destination_arn.as_deref();
    let handle = call
        .sqs
        .run(|state, now_ms| state.start_task(source, destination, per_second, now_ms))?;
    Answer::plain(&json!({ "TaskHandle": handle }))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct List {
    #[serde(default)]
    source_arn: String,
    max_results: Option<usize>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    /// Shown while the task runs: only then is it good for anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    task_handle: Option<String>,
    status: &'static str,
    source_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_number_of_messages_per_second: Option<u64>,
    approximate_number_of_messages_moved: u64,
    approximate_number_of_messages_to_move: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<String>,
    started_timestamp: u64,
}

impl From<MoveTask> for Listed {
    fn from(task: MoveTask) -> Self {
        Self {
            destination_arn: destination_arn(&task),
            task_handle: task.is_running().then_some(task.handle),
            status: task.status.as_str(),
            source_arn: queue_arn(&task.source),
            max_number_of_messages_per_second: task.per_second,
            approximate_number_of_messages_moved: task.moved,
            approximate_number_of_messages_to_move: task.to_move,
            failure_reason: task.failure,
            started_timestamp: task.started_ms,
        }
    }
}

pub(super) fn list(call: &mut Call<'_>, request: &List) -> Result<Answer, SqsError> {
    let source = source(call, &request.source_arn)?;
    let max = request.max_results.unwrap_or(1);
    if !(1..=10).contains(&max) {
        return Err(SqsError::value(
            max,
            "MaxResults",
            "Must be between 1 and 10, if provided.",
        ));
    }
    let tasks = call.sqs.run(|state, _| state.tasks_of(source, max))?;
    let results: Vec<Listed> = tasks.into_iter().map(Listed::from).collect();
    Answer::plain(&json!({ "Results": results }))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Cancel {
    #[serde(default)]
    task_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Handle {
    source_arn: String,
}

pub(super) fn cancel(call: &mut Call<'_>, request: &Cancel) -> Result<Answer, SqsError> {
    let handle: Handle = STANDARD
        .decode(&request.task_handle)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or_else(|| SqsError::InvalidParameterValue("The TaskHandle is invalid.".to_owned()))?;
    call.allow(handle.source_arn)?;
    let moved = call
        .sqs
        .run(|state, _| state.cancel_task(&request.task_handle))?;
    Answer::plain(&json!({ "ApproximateNumberOfMessagesMoved": moved }))
}

/// The dead-letter queue that a call names, if the caller may do this to it.
fn source<'a>(call: &mut Call<'_>, arn: &'a str) -> Result<&'a str, SqsError> {
    if arn.is_empty() {
        return Err(SqsError::MissingParameter("SourceArn"));
    }
    call.allow(arn.to_owned())?;
    Ok(arn)
}
