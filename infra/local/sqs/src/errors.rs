//! What SQS refuses, under the names that its clients branch on.
//!
//! Every error knows its modelled shape (the JSON protocol's `__type`), its
//! older query code (the `x-amzn-query-error` header, which the SDKs prefer)
//! and its HTTP status.

use thiserror::Error;

/// Why a call, or an entry of a batch, was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SqsError {
    /// No queue has that name.
    #[error("The specified queue does not exist.")]
    QueueDoesNotExist,
    /// The name is taken by a queue with other attributes.
    #[error("A queue already exists with the same name and a different value for attribute {0}")]
    QueueNameExists(String),
    /// A purge was asked for less than 60 s after the last one.
    #[error("Only one PurgeQueue operation on {0} is allowed every 60 seconds.")]
    PurgeQueueInProgress(String),
    /// The receipt handle was not given out by this queue.
    #[error("The input receipt handle \"{0}\" is not a valid receipt handle.")]
    ReceiptHandleIsInvalid(String),
    /// The message is in the queue, but nobody holds it.
    #[error("The specified message isn't in flight.")]
    MessageNotInflight,
    /// The body has characters outside of XML 1.0's.
    #[error(
        "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"
    )]
    InvalidMessageContents,
    /// More than ten entries.
    #[error("Maximum number of entries per request are 10. You have sent {0}.")]
    TooManyEntriesInBatchRequest(usize),
    /// No entries at all.
    #[error("There should be at least one {0} in the request.")]
    EmptyBatchRequest(&'static str),
    /// Two entries share an id.
    #[error("Id {0} repeated.")]
    BatchEntryIdsNotDistinct(String),
    /// An entry's id is not 1 to 80 letters, digits, hyphens or underscores.
    #[error(
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long."
    )]
    InvalidBatchEntryId,
    /// The entries together are larger than 1 MiB.
    #[error("Batch requests cannot be longer than 1048576 bytes. You have sent {0} bytes.")]
    BatchRequestTooLong(usize),
    /// 120,000 messages are in flight and the poll was a short one.
    #[error("Queue {0} has reached the limit of 120000 messages in flight.")]
    OverLimit(String),
    /// An attribute that no queue has, or not this type of queue.
    #[error("Unknown Attribute {0}.")]
    InvalidAttributeName(String),
    /// An attribute's value is outside of its range.
    #[error("Invalid value for the parameter {0}.")]
    InvalidAttributeValue(String),
    /// A parameter's value is wrong; the text says which and why.
    #[error("{0}")]
    InvalidParameterValue(String),
    /// A parameter that the call needs is absent or empty.
    #[error("The request must contain the parameter {0}.")]
    MissingParameter(&'static str),
    /// The state of things does not allow the call now.
    #[error("{0}")]
    UnsupportedOperation(String),
    /// What a move task's call names does not exist.
    #[error("{0}")]
    ResourceNotFound(String),
    /// The authoriser said no.
    #[error("{0}")]
    AccessDenied(String),
    /// The body is not JSON of the call's shape.
    #[error("{0}")]
    Serialization(String),
    /// No such operation, or one that this SQS lacks.
    #[error("The operation {0} is not supported here.")]
    UnknownOperation(String),
}

/// How an error travels.
struct Wire {
    shape: &'static str,
    code: &'static str,
    status: u16,
}

const fn wire(shape: &'static str, code: &'static str, status: u16) -> Wire {
    Wire {
        shape,
        code,
        status,
    }
}

impl SqsError {
    fn wire(&self) -> Wire {
        match self {
            Self::QueueDoesNotExist => wire(
                "QueueDoesNotExist",
                "AWS.SimpleQueueService.NonExistentQueue",
                400,
            ),
            Self::QueueNameExists(_) => wire("QueueNameExists", "QueueAlreadyExists", 400),
            Self::PurgeQueueInProgress(_) => wire(
                "PurgeQueueInProgress",
                "AWS.SimpleQueueService.PurgeQueueInProgress",
                403,
            ),
            Self::ReceiptHandleIsInvalid(_) => {
                wire("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", 404)
            }
            Self::MessageNotInflight => wire(
                "MessageNotInflight",
                "AWS.SimpleQueueService.MessageNotInflight",
                400,
            ),
            Self::InvalidMessageContents => {
                wire("InvalidMessageContents", "InvalidMessageContents", 400)
            }
            Self::TooManyEntriesInBatchRequest(_) => wire(
                "TooManyEntriesInBatchRequest",
                "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
                400,
            ),
            Self::EmptyBatchRequest(_) => wire(
                "EmptyBatchRequest",
                "AWS.SimpleQueueService.EmptyBatchRequest",
                400,
            ),
            Self::BatchEntryIdsNotDistinct(_) => wire(
                "BatchEntryIdsNotDistinct",
                "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
                400,
            ),
            Self::InvalidBatchEntryId => wire(
                "InvalidBatchEntryId",
                "AWS.SimpleQueueService.InvalidBatchEntryId",
                400,
            ),
            Self::BatchRequestTooLong(_) => wire(
                "BatchRequestTooLong",
                "AWS.SimpleQueueService.BatchRequestTooLong",
                400,
            ),
            Self::OverLimit(_) => wire("OverLimit", "OverLimit", 403),
            Self::InvalidAttributeName(_) => {
                wire("InvalidAttributeName", "InvalidAttributeName", 400)
            }
            Self::InvalidAttributeValue(_) => {
                wire("InvalidAttributeValue", "InvalidAttributeValue", 400)
            }
            Self::InvalidParameterValue(_) => wire(
                "InvalidParameterValueException",
                "InvalidParameterValue",
                400,
            ),
            Self::MissingParameter(_) => {
                wire("MissingRequiredParameterException", "MissingParameter", 400)
            }
            Self::UnsupportedOperation(_) => wire(
                "UnsupportedOperation",
                "AWS.SimpleQueueService.UnsupportedOperation",
                400,
            ),
            Self::ResourceNotFound(_) => wire(
                "ResourceNotFoundException",
                "ResourceNotFoundException",
                404,
            ),
            Self::AccessDenied(_) => wire("AccessDeniedException", "AccessDenied", 403),
            Self::Serialization(_) => wire("SerializationException", "MalformedInput", 400),
            Self::UnknownOperation(_) => wire("UnknownOperationException", "InvalidAction", 400),
        }
    }

    /// The modelled name, as in `__type`.
    pub fn shape(&self) -> &'static str {
        self.wire().shape
    }

    /// The query protocol's code: what boto3 and the SDKs show, and a failed batch entry's `Code`.
    pub fn code(&self) -> &'static str {
        self.wire().code
    }

    /// The HTTP status of a whole call that failed so.
    pub fn status(&self) -> u16 {
        self.wire().status
    }

    /// A value outside of its bounds, worded as SQS words it.
    pub(crate) fn value(value: impl std::fmt::Display, parameter: &str, reason: &str) -> Self {
        Self::InvalidParameterValue(format!(
            "Value {value} for parameter {parameter} is invalid. Reason: {reason}"
        ))
    }
}
