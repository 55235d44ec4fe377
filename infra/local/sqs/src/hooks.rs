//! Where the local system looks in on the calls: who may make them, and what they would have cost.

use std::fmt;
use std::sync::Arc;

/// Answers whether a call over HTTP may be made; `Err` is the text of the refusal.
pub type Authoriser = Arc<dyn Fn(&CallInfo) -> Result<(), String> + Send + Sync>;

/// Is told of every call after it, over HTTP or in the process.
pub type Observer = Arc<dyn Fn(&CallInfo, &CallReport) + Send + Sync>;

/// The hooks of a handle; both may be absent.
#[derive(Clone, Default)]
pub struct Hooks {
    /// Asked before each call over HTTP.
    pub authoriser: Option<Authoriser>,
    /// Told after each call.
    pub observer: Option<Observer>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("authoriser", &self.authoriser.is_some())
            .field("observer", &self.observer.is_some())
            .finish()
    }
}

/// Who calls what on which queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallInfo {
    /// From the signature's `Credential=`; `None` for a call in the process.
    pub access_key_id: Option<String>,
    /// The operation as called: `SendMessageBatch`.
    pub operation: String,
    /// The permission that IAM asks for: `sqs:SendMessage`.
    pub action: String,
    /// The queue's ARN; `*` where the call names none.
    pub queue_arn: String,
}

/// What a call carried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallReport {
    /// Messages sent, received, deleted or changed.
    pub entries: usize,
    /// Those with a `MessageGroupId`: on a standard queue they cost the fair-queue surcharge.
    pub grouped: usize,
    /// Requests as SQS bills them: one per 64 KiB of messages carried, at least one.
    pub billed_requests: u64,
    /// The error's code, if the call failed as a whole.
    pub error: Option<String>,
}

impl CallReport {
    pub(crate) fn new(entries: usize, grouped: usize, bytes: usize) -> Self {
        Self {
            entries,
            grouped,
            billed_requests: u64::try_from(bytes.div_ceil(65_536).max(1)).unwrap_or(u64::MAX),
            error: None,
        }
    }

    pub(crate) fn failed(code: &str) -> Self {
        Self {
            error: Some(code.to_owned()),
            ..Self::new(0, 0, 0)
        }
    }
}

/// The permission that an operation needs: a batch needs its single form's.
pub(crate) fn action(operation: &str) -> String {
    let single = match operation {
        "SendMessageBatch" => "SendMessage",
        "DeleteMessageBatch" => "DeleteMessage",
        "ChangeMessageVisibilityBatch" => "ChangeMessageVisibility",
        other => other,
    };
    format!("sqs:{single}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_64_kib_is_a_request_and_an_empty_call_is_one() {
        let billed = |bytes| CallReport::new(1, 0, bytes).billed_requests;
        assert_eq!(
            [billed(0), billed(65_536), billed(65_537), billed(1_048_576)],
            [1, 1, 2, 16]
        );
    }

    #[test]
    fn a_batch_needs_the_permission_of_its_single_form() {
        assert_eq!(action("SendMessageBatch"), "sqs:SendMessage");
        assert_eq!(action("ReceiveMessage"), "sqs:ReceiveMessage");
    }
}
