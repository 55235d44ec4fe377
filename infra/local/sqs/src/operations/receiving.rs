//! Receiving: the long poll, and which attributes the receiver asked to see.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use super::{Answer, Call, MAX_ENTRIES, seconds};
use crate::attribute::{self, MessageAttribute};
use crate::errors::SqsError;
use crate::handle::Poll;
use crate::hooks::CallReport;
use crate::message::ReceivedMessage;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Receive {
    #[serde(default)]
    queue_url: String,
    max_number_of_messages: Option<i64>,
    wait_time_seconds: Option<i64>,
    visibility_timeout: Option<i64>,
    /// The older spelling of the next one.
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Received {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<Shown>,
}

#[derive(Debug, Serialize)]
struct Shown {
    #[serde(rename = "MessageId")]
    message_id: String,
    #[serde(rename = "ReceiptHandle")]
    receipt_handle: String,
    #[serde(rename = "MD5OfBody")]
    md5_of_body: String,
    #[serde(rename = "Body", serialize_with = "as_text")]
    body: Arc<str>,
    #[serde(rename = "Attributes", skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<&'static str, String>,
    #[serde(
        rename = "MD5OfMessageAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    md5_of_attributes: Option<String>,
    #[serde(
        rename = "MessageAttributes",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    message_attributes: BTreeMap<String, MessageAttribute>,
}

fn as_text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

pub(super) async fn receive(call: &mut Call<'_>, request: Receive) -> Result<Answer, SqsError> {
    let name = call.queue(&request.queue_url)?;
    let poll = Poll {
        max: max(request.max_number_of_messages.unwrap_or(1))?,
        wait_ms: request
            .wait_time_seconds
            .map(|wait| seconds(wait, 20, "WaitTimeSeconds"))
            .transpose()?,
        visibility_ms: request
            .visibility_timeout
            .map(|timeout| seconds(timeout, 43_200, "VisibilityTimeout"))
            .transpose()?,
    };
    let delivered = call.sqs.poll(name, poll).await?;
    let contents = delivered.iter().map(|one| &one.message.content);
    let bytes = contents.map(|content| content.bytes).sum();
    let report = CallReport::new(delivered.len(), 0, bytes);
    let messages = delivered
        .into_iter()
        .map(|one| show(one.into(), &request))
        .collect();
    Answer::new(&Received { messages }, report)
}

fn max(asked: i64) -> Result<usize, SqsError> {
    usize::try_from(asked)
        .ok()
        .filter(|max| (1..=MAX_ENTRIES).contains(max))
        .ok_or_else(|| {
            SqsError::value(
                asked,
                "MaxNumberOfMessages",
                "Must be between 1 and 10, if provided.",
            )
        })
}

fn show(message: ReceivedMessage, request: &Receive) -> Shown {
    let system = || {
        let names = request.message_system_attribute_names.iter();
        names.chain(&request.attribute_names)
    };
    let mut attributes = message.attributes;
    attributes.retain(|name, _| system().any(|asked| asked == "All" || asked == name));
    let mut message_attributes = message.message_attributes;
    let names = &request.message_attribute_names;
    message_attributes.retain(|name, _| names.iter().any(|asked| covers(asked, name)));
    let shown = message_attributes.iter();
    Shown {
        message_id: message.message_id,
        receipt_handle: message.receipt_handle,
        md5_of_body: message.md5_of_body,
        body: message.body,
        attributes,
        md5_of_attributes: attribute::md5(shown.map(|(name, value)| (name.as_str(), value))),
        message_attributes,
    }
}

/// `All`, `.*`, a prefix as `app.*`, or the name itself.
fn covers(asked: &str, name: &str) -> bool {
    asked == "All"
        || asked == name
        || asked
            .strip_suffix(".*")
            .is_some_and(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_asked_for_by_name_prefix_or_all() {
        assert!(covers("All", "a") && covers(".*", "a") && covers("a", "a"));
        assert!(covers("app.*", "app.version"));
        assert!(!covers("app.*", "other") && !covers("a", "ab"));
    }

    #[test]
    fn one_to_ten_messages_at_once() {
        assert!(max(1).is_ok() && max(10).is_ok());
        assert!(max(0).is_err() && max(11).is_err() && max(-1).is_err());
    }
}
