//! Reads `infra/template.yaml` into a [`Plan`]: the tables, queues, functions,
//! routes, event sources and schedules to bring up.
//!
//! What the template lacks, the plan lacks. What the template has and one
//! machine cannot show is skipped in silence where it does not matter (alarms,
//! log groups, dashboards) and named in [`Plan::warnings`] where it might.

mod functions;
mod names;
mod plan;
mod resolve;
mod secrets;
mod sockets;
mod storage;
mod yaml;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

pub use resolve::Setting;
pub(crate) use resolve::to_text;

use crate::permissions::Policy;

/// Why a template cannot be brought up.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The file could not be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not YAML.
    #[error("not YAML: {0}")]
    Syntax(serde_yaml_ng::Error),
    /// YAML, but not a template that makes sense.
    #[error("{0}")]
    Malformed(String),
    /// A parameter is missing, unknown or out of its range.
    #[error("parameter {0}")]
    Parameter(String),
}

/// What the template declares, with every value in its local form.
#[derive(Debug, Default)]
pub struct Plan {
    /// `DynamoDB` tables.
    pub tables: Vec<Table>,
    /// SQS queues.
    pub queues: Vec<Queue>,
    /// KMS keys.
    pub keys: Vec<Key>,
    /// Secrets of Secrets Manager.
    pub secrets: Vec<Secret>,
    /// Lambda functions with what invokes them.
    pub functions: Vec<Function>,
    /// The HTTP API, if there is one.
    pub api: Option<Api>,
    /// WebSocket APIs.
    pub sockets: Vec<SocketApi>,
    /// What the template declares and one machine lacks.
    pub warnings: Vec<String>,
}

/// A `DynamoDB` table.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its name in the template.
    pub logical_id: String,
    /// Its name in calls.
    pub name: String,
    /// The body of the `CreateTable` call that makes it.
    pub create: Value,
    /// The attribute that items expire by.
    pub ttl_attribute: Option<String>,
}

/// An SQS queue.
#[derive(Debug, Clone)]
pub struct Queue {
    /// Its name in the template.
    pub logical_id: String,
    /// Its name in calls.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its attributes as `CreateQueue` takes them.
    pub attributes: BTreeMap<String, String>,
}

/// A KMS key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its name in the template.
    pub logical_id: String,
    /// Its id.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// The names that stand for it, `alias/...`.
    pub aliases: Vec<String>,
}

/// A secret of Secrets Manager.
#[derive(Debug, Clone, PartialEq)]
pub struct Secret {
    /// Its name in the template.
    pub logical_id: String,
    /// Its name in calls.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// What it holds at first.
    pub value: SecretValue,
}

/// What a secret holds when it is made.
#[derive(Debug, Clone, PartialEq)]
pub enum SecretValue {
    /// This text.
    Given(String),
    /// Random characters by this `GenerateSecretString`.
    Generated(Value),
}

/// A Lambda function.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its name in the template, and the access key id that it calls with.
    pub logical_id: String,
    /// Its name in calls.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The binary (and package) that it runs.
    pub binary: String,
    /// How long an invocation may take.
    pub timeout: Duration,
    /// Its memory size in MB.
    pub memory_mb: u32,
    /// Its environment as the template sets it.
    pub environment: BTreeMap<String, String>,
    /// What its role allows.
    pub policy: Policy,
    /// Routes of the HTTP API that invoke it.
    pub routes: Vec<Route>,
    /// Queues that invoke it.
    pub sources: Vec<QueueSource>,
    /// Schedules that invoke it.
    pub schedules: Vec<Schedule>,
}

/// A route of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Upper case; `ANY` for any; unused for `$default`.
    pub method: String,
    /// With `{name}` and `{name+}` for variables; `$default` for the rest.
    pub path: String,
}

/// An SQS event source mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSource {
    /// The queue's ARN.
    pub queue_arn: String,
    /// At most this many messages an invocation.
    pub batch_size: usize,
    /// How long to gather a batch.
    pub window: Duration,
    /// Whether `ReportBatchItemFailures` is set.
    pub partial_responses: bool,
    /// `MaximumConcurrency`.
    pub max_concurrency: Option<usize>,
}

/// A schedule at a fixed rate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// From one run to the next.
    pub every: Duration,
    /// The event, or `None` for the scheduler's own.
    pub input: Option<String>,
}

/// The HTTP API's settings.
#[derive(Debug, Clone, Default)]
pub struct Api {
    /// CORS, where configured.
    pub cors: Option<Cors>,
    /// The default route throttling.
    pub throttle: Option<Throttle>,
    /// Throttling of single routes, by route key (`POST /path`).
    pub route_throttles: BTreeMap<String, Throttle>,
}

/// A WebSocket API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketApi {
    /// What refers to it.
    pub id: String,
    /// Its ARN, to which stages and routes are added.
    pub arn: String,
    /// Its stage, which its URL ends with.
    pub stage: String,
    /// What tells a message's route.
    pub selection: String,
    /// Its routes by their keys.
    pub routes: BTreeMap<String, SocketRoute>,
}

/// A route of a WebSocket API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketRoute {
    /// The logical id of the function that it invokes.
    pub function: String,
    /// Whether what the function answers is sent to the client.
    pub answers: bool,
}

/// Route throttling.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Throttle {
    /// Requests that may come at once.
    pub burst: f64,
    /// Requests a second over time.
    pub rate: f64,
}

/// The API's CORS configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cors {
    /// Origins, or `*`.
    pub allow_origins: Vec<String>,
    /// Methods, or `*`.
    pub allow_methods: Vec<String>,
    /// Request headers, or `*`.
    pub allow_headers: Vec<String>,
    /// Response headers that scripts may read.
    pub expose_headers: Vec<String>,
    /// How long a preflight answer may be kept, in seconds.
    pub max_age: Option<u64>,
    /// Whether credentials are allowed.
    pub allow_credentials: bool,
}

/// Reads the template at `path` with `setting`.
pub fn read(path: &Path, setting: &Setting) -> Result<Plan, TemplateError> {
    let text = std::fs::read_to_string(path).map_err(|source| TemplateError::Unreadable {
        path: path.display().to_string(),
        source,
    })?;
    plan(&text, setting)
}

/// Reads a template's text with `setting`.
pub fn plan(text: &str, setting: &Setting) -> Result<Plan, TemplateError> {
    let document = yaml::parse(text)?;
    let resolver = resolve::Resolver::new(&document, setting)?;
    plan::build(&resolver)
}

/// The functions' binaries that a template names, whatever its parameters:
/// what has to be built before it can be brought up.
pub fn binaries(path: &Path) -> Result<Vec<String>, TemplateError> {
    let text = std::fs::read_to_string(path).map_err(|source| TemplateError::Unreadable {
        path: path.display().to_string(),
        source,
    })?;
    let document = yaml::parse(&text)?;
    Ok(resolve::section(&document, "Resources")
        .filter(|(_, declared)| names::kind_of(declared) == "AWS::Serverless::Function")
        .filter_map(|(_, declared)| functions::binary(declared))
        .collect())
}

#[cfg(test)]
mod tests;
