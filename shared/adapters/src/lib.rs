//! The domain's ports over DynamoDB, SQS and HTTP, and what every function needs around its
//! handler: configuration, clock, logs, API answers.
//!
//! One SDK configuration and one HTTP client serve the whole process.

pub mod actions;
pub mod api;
pub mod audit;
pub mod auth;
pub mod aws;
pub mod aws_json;
pub mod config;
pub mod counting;
mod deploy_key;
pub mod limits;
pub mod lines;
pub mod metrics;
pub mod queue;
pub mod repeats;
pub mod table;
pub mod telemetry;
pub mod tls;
pub mod transport;
pub mod vault;
pub mod world;

pub use config::Config;
pub use world::RealWorld;
