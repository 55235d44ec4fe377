//! Brings `infra/template.yaml` up on one machine: its tables and queues in
//! embedded emulators, its functions as their real binaries behind a Lambda
//! Runtime API, its routes, event sources and schedules.
//!
//! What the template lacks, the local system lacks: a missing permission,
//! variable or route shows before a deploy.

pub mod announce;
pub mod bench;
pub mod checkout;
pub mod cli;
mod client;
pub mod clock;
pub mod console;
pub mod counters;
pub mod demo;
pub mod dynamodb;
pub mod faults;
pub mod gateway;
pub mod http;
pub mod lambda;
mod log_line;
pub mod metrics;
pub mod permissions;
pub mod poller;
pub mod queues;
pub mod receiver;
pub mod schedule;
pub mod secrets;
pub mod socket;
pub mod start;
pub mod stats;
pub mod template;
pub mod usage;
