//! Where a queue's failed messages go, and which queues a dead-letter queue takes them from.

use serde::Deserialize;

use crate::errors::SqsError;

/// After so many receives a message goes to the dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RedrivePolicy {
    pub(crate) target_arn: String,
    /// 1 to 1,000.
    pub(crate) max_receive_count: u32,
}

/// Which queues may name this one as their dead-letter queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum RedriveAllowPolicy {
    #[default]
    AllowAll,
    DenyAll,
    ByQueue(Vec<String>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RedriveJson {
    dead_letter_target_arn: String,
    max_receive_count: Number,
}

/// The console writes a number, templates and many scripts a string.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Plain(u32),
    Quoted(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AllowJson {
    redrive_permission: String,
    #[serde(default)]
    source_queue_arns: Vec<String>,
}

impl RedrivePolicy {
    pub(crate) fn parse(text: &str) -> Result<Self, SqsError> {
        let refuse = |reason: &str| SqsError::value(text, "RedrivePolicy", reason);
        let json: RedriveJson =
            serde_json::from_str(text).map_err(|error| refuse(&error.to_string()))?;
        let count = match json.max_receive_count {
            Number::Plain(count) => Some(count),
            Number::Quoted(count) => count.parse().ok(),
        };
        match count.filter(|count| (1..=1000).contains(count)) {
            Some(max_receive_count) => Ok(Self {
                target_arn: json.dead_letter_target_arn,
                max_receive_count,
            }),
            None => Err(refuse(
                "Invalid value for maxReceiveCount: must be between 1 and 1000.",
            )),
        }
    }
}

impl RedriveAllowPolicy {
    pub(crate) fn parse(text: &str) -> Result<Self, SqsError> {
        let refuse = |reason: &str| SqsError::value(text, "RedriveAllowPolicy", reason);
        let json: AllowJson =
            serde_json::from_str(text).map_err(|error| refuse(&error.to_string()))?;
        match json.redrive_permission.as_str() {
            "allowAll" => Ok(Self::AllowAll),
            "denyAll" => Ok(Self::DenyAll),
            "byQueue" if (1..=10).contains(&json.source_queue_arns.len()) => {
                Ok(Self::ByQueue(json.source_queue_arns))
            }
            "byQueue" => Err(refuse("sourceQueueArns must name 1 to 10 queues.")),
            _ => Err(refuse(
                "redrivePermission must be allowAll, denyAll or byQueue.",
            )),
        }
    }

    pub(crate) fn permits(&self, source_arn: &str) -> bool {
        match self {
            Self::AllowAll => true,
            Self::DenyAll => false,
            Self::ByQueue(sources) => sources.iter().any(|source| source == source_arn),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_may_come_as_a_number_or_as_text() {
        for count in ["5", "\"5\""] {
            let text = format!(r#"{{"deadLetterTargetArn":"arn","maxReceiveCount":{count}}}"#);
            assert_eq!(RedrivePolicy::parse(&text).unwrap().max_receive_count, 5);
        }
        for count in ["0", "1001", "\"many\"", "-1"] {
            let text = format!(r#"{{"deadLetterTargetArn":"arn","maxReceiveCount":{count}}}"#);
            assert!(RedrivePolicy::parse(&text).is_err(), "{count}");
        }
    }

    #[test]
    fn a_dead_letter_queue_takes_only_from_those_it_names() {
        let policy = RedriveAllowPolicy::parse(
            r#"{"redrivePermission":"byQueue","sourceQueueArns":["a","b"]}"#,
        )
        .unwrap();
        assert!(policy.permits("a"));
        assert!(!policy.permits("c"));
        assert!(!RedriveAllowPolicy::DenyAll.permits("a"));
        assert!(RedriveAllowPolicy::parse(r#"{"redrivePermission":"byQueue"}"#).is_err());
    }
}
