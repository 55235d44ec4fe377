//! What can go wrong.

use crate::Problem;

/// A client cannot be made of what was given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The URL.
    #[error("the API's URL {0}")]
    Url(&'static str),
    /// The key.
    #[error("the API key is not printable ASCII characters")]
    Key,
    /// The tenant.
    #[error("the tenant is not printable ASCII characters")]
    Tenant,
    /// The HTTP client.
    #[error("the HTTP client cannot be made")]
    Http(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// An event was not accepted, or it is not known whether it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// It was refused, and would be again.
    #[error("the event was refused: {0}")]
    Refused(#[source] Problem),
    /// There was no answer that counts within the time. It may have been accepted: publish the
    /// same [`Event`](crate::Event) again, which is sent to nobody twice.
    #[error("given up after {attempts} attempts")]
    GaveUp {
        /// Calls that were made.
        attempts: u32,
        /// How the last one ended.
        #[source]
        last: Failure,
    },
    /// It was accepted, in words that this version does not know.
    #[error("the answer cannot be read")]
    Unreadable(#[source] serde_json::Error),
}

/// How a call ended that is worth another.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// There was no answer: it was not reached, or not in time.
    #[error("no answer")]
    NoAnswer(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It answered that it cannot, now.
    #[error(transparent)]
    Answered(Problem),
}

impl PublishError {
    /// Whether the same call may well succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::GaveUp { .. } => true,
            Self::Refused(_) | Self::Unreadable(_) => false,
        }
    }

    /// The problem document of the answer, if there was one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(problem)
            | Self::GaveUp {
                last: Failure::Answered(problem),
                ..
            } => Some(problem),
            Self::GaveUp {
                last: Failure::NoAnswer(_),
                ..
            }
            | Self::Unreadable(_) => None,
        }
    }
}
