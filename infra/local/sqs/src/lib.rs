//! A small, faithful SQS for one machine, on a clock that is passed in.
//!
//! What it guarantees: a message is in exactly one place at any moment
//! (delayed, visible, in flight, or moved on); a receive hands it out to one
//! receiver until its visibility timeout ends; a redrive policy, FIFO order,
//! deduplication, fair queues and message move tasks do what AWS documents,
//! under AWS's error names. Time enters as an argument, so twelve hours pass
//! in a test when the test moves the clock.
//!
//! [`Sqs`] is the handle: [`Sqs::router`] serves the AWS JSON 1.0 protocol, its
//! other methods are the same queues without HTTP. Signatures are not checked;
//! [`Hooks`] say who may call what, and count what the calls would have cost.
//!
//! What differs from AWS: everything takes effect at once (counts are exact, a
//! purge is immediate, a deleted queue's name is free), `ReceiveRequestAttemptId`
//! is ignored, permissions of the queue itself (`Policy`) are stored and not
//! enforced, and `AddPermission` and `RemovePermission` are not there.

mod api;
mod attribute;
mod clock;
mod dedup;
mod digest;
mod errors;
mod fair;
mod fifo;
mod handle;
mod hooks;
mod http;
mod message;
mod moves;
mod names;
mod operations;
mod queue;
mod receipt;
mod redrive;
mod sending;
mod settings;
mod snapshot;
mod state;
#[cfg(test)]
mod tests;
mod text;
mod waiting;

pub use self::http::serve_router;
pub use api::{QueueInfo, ReceiveOptions};
pub use attribute::{AttributeValue, MessageAttribute};
pub use clock::{Clock, ManualClock, SystemClock, Wait};
pub use errors::SqsError;
pub use handle::Sqs;
pub use hooks::{Authoriser, CallInfo, CallReport, Hooks, Observer};
pub use message::{NewMessage, ReceivedMessage, SentMessage};
pub use names::{ACCOUNT, REGION, queue_arn, queue_name_of_arn, queue_name_of_url, queue_url};
pub use queue::QueueCounts;
