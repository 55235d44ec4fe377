//! Why the local system does not start.

use crate::checkout::CheckoutError;
use crate::dynamodb::DynamoDbError;
use crate::http::BindError;
use crate::queues::QueueError;
use crate::secrets::SecretsError;
use crate::template::TemplateError;

/// Why the local system does not start: one line each.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Something is not where it has to be.
    #[error(transparent)]
    Checkout(#[from] CheckoutError),
    /// A port is taken.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The template makes no sense.
    #[error("{path}: {source}")]
    Template {
        /// The file.
        path: String,
        /// Why.
        source: TemplateError,
    },
    /// An external function that the template lacks.
    #[error("--external {0}: the template has no such function")]
    External(String),
    /// The tables.
    #[error(transparent)]
    DynamoDb(#[from] DynamoDbError),
    /// The queues.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The keys and secrets.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// A file could not be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}
