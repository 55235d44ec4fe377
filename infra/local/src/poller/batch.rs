//! What a function gets for a batch of messages, and what its answer says
//! about each.

use std::collections::{BTreeMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use local_sqs::{AttributeValue, MessageAttribute, REGION, ReceivedMessage};
use serde::Serialize;
use serde_json::Value;

use crate::lambda::Outcome;

#[derive(Debug, Serialize)]
struct Event<'a> {
    #[serde(rename = "Records")]
    records: Vec<Record<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    message_id: &'a str,
    receipt_handle: &'a str,
    body: &'a str,
    attributes: &'a BTreeMap<&'static str, String>,
    message_attributes: BTreeMap<&'a str, Attribute<'a>>,
    md5_of_body: &'a str,
    event_source: &'static str,
    #[serde(rename = "eventSourceARN")]
    event_source_arn: &'a str,
    aws_region: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Attribute<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    string_value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binary_value: Option<String>,
    string_list_values: [&'static str; 0],
    binary_list_values: [&'static str; 0],
    data_type: &'a str,
}

/// The event for a batch.
pub(super) fn event(
    messages: &[ReceivedMessage],
    queue_arn: &str,
) -> Result<Bytes, serde_json::Error> {
    let records = messages
        .iter()
        .map(|message| Record {
            message_id: &message.message_id,
            receipt_handle: &message.receipt_handle,
            body: &message.body,
            attributes: &message.attributes,
            message_attributes: message
                .message_attributes
                .iter()
                .map(|(name, attribute)| (name.as_str(), shown(attribute)))
                .collect(),
            md5_of_body: &message.md5_of_body,
            event_source: "aws:sqs",
            event_source_arn: queue_arn,
            aws_region: REGION,
        })
        .collect();
    serde_json::to_vec(&Event { records }).map(Bytes::from)
}

fn shown(attribute: &MessageAttribute) -> Attribute<'_> {
    let (string_value, binary_value) = match &attribute.value {
        AttributeValue::Text(text) => (Some(text.as_str()), None),
        AttributeValue::Binary(bytes) => (None, Some(STANDARD.encode(bytes))),
    };
    Attribute {
        string_value,
        binary_value,
        string_list_values: [],
        binary_list_values: [],
        data_type: &attribute.data_type,
    }
}

/// What becomes of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All are deleted but these, by their place in the batch: they keep
    /// whatever visibility time-out they have.
    Done {
        /// Places of those that the function named.
        kept: HashSet<usize>,
    },
    /// None is deleted, and why.
    Retried(String),
}

/// Lambda's rules for a batch response. An empty or null list is success; a
/// response that is not understood, names nothing, or names an unknown message
/// retries the whole batch.
pub(super) fn verdict(outcome: &Outcome, partial: bool, message_ids: &[&str]) -> Verdict {
    let answer = match outcome {
        Outcome::Answered(answer) => answer,
        Outcome::Failed(document) => {
            return Verdict::Retried(String::from_utf8_lossy(document).into_owned());
        }
        Outcome::Unavailable(why) => return Verdict::Retried(why.clone()),
    };
    let nothing_kept = Verdict::Done {
        kept: HashSet::new(),
    };
    if !partial || answer.is_empty() {
        return nothing_kept;
    }
    let response: Value = match serde_json::from_slice(answer) {
        Ok(response) => response,
        Err(error) => return Verdict::Retried(format!("its batch response is malformed: {error}")),
    };
    let failures = response.get("batchItemFailures").unwrap_or(&Value::Null);
    if (response.is_null() || response.is_object()) && failures.is_null() {
        return nothing_kept;
    }
    let Some(failures) = failures.as_array() else {
        return Verdict::Retried("its batch response has no list of failures".to_owned());
    };
    let mut kept = HashSet::new();
    for failure in failures {
        let named = failure.get("itemIdentifier").and_then(Value::as_str);
        let Some(named) = named.filter(|id| !id.is_empty()) else {
            return Verdict::Retried("its batch response has no itemIdentifier".to_owned());
        };
        let Some(place) = message_ids.iter().position(|id| *id == named) else {
            return Verdict::Retried(format!(
                "its batch response names {named}, which is not in the batch"
            ));
        };
        kept.insert(place);
    }
    Verdict::Done { kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: [&str; 3] = ["a", "b", "c"];

    fn answered(response: &'static str) -> Verdict {
        verdict(
            &Outcome::Answered(Bytes::from_static(response.as_bytes())),
            true,
            &IDS,
        )
    }

    fn done(kept: &[usize]) -> Verdict {
        Verdict::Done {
            kept: kept.iter().copied().collect(),
        }
    }

    #[test]
    fn an_empty_or_null_list_deletes_everything() {
        for response in [
            "",
            "null",
            "{}",
            r#"{"batchItemFailures":[]}"#,
            r#"{"batchItemFailures":null}"#,
        ] {
            assert_eq!(answered(response), done(&[]), "{response}");
        }
    }

    #[test]
    fn the_named_messages_are_kept_and_the_others_deleted() {
        let response = r#"{"batchItemFailures":[{"itemIdentifier":"c"},{"itemIdentifier":"a"}]}"#;
        assert_eq!(answered(response), done(&[0, 2]));
    }

    #[test]
    fn an_unknown_id_or_a_wrong_key_retries_the_whole_batch() {
        for response in [
            r#"{"batchItemFailures":[{"itemIdentifier":"nope"}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
            r#"{"batchItemFailures":[{"messageId":"a"}]}"#,
            r#"{"batchItemFailures":["a"]}"#,
            r#"{"batchItemFailures":{}}"#,
            "no json",
            "[]",
        ] {
            assert!(
                matches!(answered(response), Verdict::Retried(_)),
                "{response}"
            );
        }
    }

    #[test]
    fn a_failed_invocation_retries_the_whole_batch() {
        let failed = Outcome::Failed(Bytes::from_static(b"{}"));
        assert!(matches!(verdict(&failed, true, &IDS), Verdict::Retried(_)));
    }

    #[test]
    fn without_partial_responses_any_answer_is_success() {
        let answer = Outcome::Answered(Bytes::from_static(b"no json"));
        assert_eq!(verdict(&answer, false, &IDS), done(&[]));
    }
}
