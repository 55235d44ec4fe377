//! Statistics as they are shown. All of them are approximate: the log of attempts is exact.

use hookpost_adapters::queue::{Level, Levels};
use hookpost_domain::counters::Counters;
use hookpost_domain::{EndpointId, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use super::BreakerView;
use crate::statistics::{GroupBy, Interval};

/// Sums over some time.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Counts")]
pub struct CountsView {
    /// Events accepted.
    pub events: u64,
    /// Deliveries accepted by their endpoint.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed_attempts: u64,
    /// Failed attempts that were followed by another.
    pub retried: u64,
    /// Deliveries given up.
    pub dead: u64,
    /// Deliveries called off.
    pub cancelled: u64,
    /// Deliveries accepted at the first attempt.
    pub first_try: u64,
    /// Share of the deliveries that were accepted, of those that were accepted or given up.
    pub success_rate: Option<f64>,
    /// Share of the attempts that were accepted.
    pub attempt_success_rate: Option<f64>,
    /// How long accepted attempts took.
    pub latency: LatencyView,
}

/// How long accepted attempts took, in milliseconds; `null` without any.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Latency")]
pub struct LatencyView {
    /// On average.
    pub average_ms: Option<f64>,
    /// Half of them took no longer.
    pub p50_ms: Option<f64>,
    /// 95 % of them took no longer.
    pub p95_ms: Option<f64>,
    /// 99 % of them took no longer.
    pub p99_ms: Option<f64>,
}

impl CountsView {
    pub(crate) fn of(counts: &Counters) -> Self {
        Self {
            events: counts.events,
            delivered: counts.delivered,
            failed_attempts: counts.failed,
            retried: counts.retried,
            dead: counts.dead,
            cancelled: counts.cancelled,
            first_try: counts.first_try,
            success_rate: counts.success_rate().map(to_six_digits),
            attempt_success_rate: counts.attempt_success_rate().map(to_six_digits),
            latency: LatencyView::of(counts),
        }
    }
}

impl LatencyView {
    fn of(counts: &Counters) -> Self {
        let percentile = |share| counts.latency.percentile_ms(share).map(to_tenths);
        Self {
            average_ms: counts.latency.average_ms().map(to_tenths),
            p50_ms: percentile(0.5),
            p95_ms: percentile(0.95),
            p99_ms: percentile(0.99),
        }
    }
}

pub(crate) fn to_six_digits(share: f64) -> f64 {
    (share * 1e6).round() / 1e6
}

pub(crate) fn to_tenths(ms: f64) -> f64 {
    (ms * 10.0).round() / 10.0
}

/// One step of a series.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "StatsPoint")]
pub struct PointView {
    /// When it begins.
    pub at: Timestamp,
    /// What happened in it.
    #[serde(flatten)]
    pub counts: CountsView,
}

/// The sums of one endpoint or event type.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "StatsGroup")]
pub struct GroupView {
    /// The endpoint's id, or the event type.
    pub key: String,
    /// What happened there.
    #[serde(flatten)]
    pub counts: CountsView,
}

/// Sums by endpoint or event type, the busiest first.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "StatsGroups")]
pub struct GroupsView {
    /// By what.
    pub by: GroupBy,
    /// Whether these are all, of all of the time: otherwise ask for less time.
    pub complete: bool,
    /// The groups.
    pub data: Vec<GroupView>,
}

/// What there is in a queue.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[schemars(rename = "QueueLevel")]
pub struct LevelView {
    /// Messages that can be received.
    pub waiting: u64,
    /// Messages under way, or kept back for a retry.
    pub in_flight: u64,
    /// Messages that cannot be received yet.
    pub delayed: u64,
}

/// The deployment's queues.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[schemars(rename = "Queues")]
pub struct QueuesView {
    /// Deliveries to make.
    pub delivery: LevelView,
    /// Given-up deliveries on their way to the dead letters.
    pub exhausted: LevelView,
    /// Dead letters.
    pub dead_letters: LevelView,
}

impl From<Level> for LevelView {
    fn from(level: Level) -> Self {
        Self {
            waiting: level.waiting,
            in_flight: level.in_flight,
            delayed: level.delayed,
        }
    }
}

impl From<Levels> for QueuesView {
    fn from(levels: Levels) -> Self {
        Self {
            delivery: levels.delivery.into(),
            exhausted: levels.exhausted.into(),
            dead_letters: levels.dead_letters.into(),
        }
    }
}

/// Statistics over some time.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Stats")]
pub struct StatsView {
    /// When it begins: as asked for, or a little earlier, at a whole step.
    pub from: Timestamp,
    /// When it ends.
    pub to: Timestamp,
    /// The steps of the series.
    pub interval: Interval,
    /// Always: counts are written now and then, and may be a minute old or be written twice.
    pub approximate: bool,
    /// Sums over all of it.
    pub totals: CountsView,
    /// Sums over each step, the oldest first.
    pub series: Vec<PointView>,
    /// Sums by endpoint or event type, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<GroupsView>,
    /// The deployment's queues as they are now, for keys that speak for all tenants.
    pub queues: Option<QueuesView>,
}

/// One criterion of success.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Criterion")]
pub struct CriterionView {
    /// What it is.
    pub name: &'static str,
    /// What is counted for it.
    pub description: &'static str,
    /// What it should be: at least, or at most where it is a time.
    pub target: f64,
    /// What it is; `null` if nothing has happened that counts.
    pub value: Option<f64>,
    /// Whether the target is met; `null` without a value.
    pub met: Option<bool>,
}

/// How well the goals of delivering are met.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Criteria")]
pub struct CriteriaView {
    /// Since when.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// Always.
    pub approximate: bool,
    /// The criteria.
    pub criteria: Vec<CriterionView>,
}

/// All that a tenant's deliveries came to, from the beginning, and how things are now.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Metrics")]
pub struct MetricsView {
    /// Always.
    pub approximate: bool,
    /// Events accepted.
    pub total_events: u64,
    /// Deliveries that have ended: accepted, given up or called off.
    pub total_deliveries: u64,
    /// Requests made.
    pub total_attempts: u64,
    /// Deliveries accepted.
    pub successful_deliveries: u64,
    /// Deliveries given up: dead letters.
    pub failed_deliveries: u64,
    /// Requests that failed.
    pub failed_attempts: u64,
    /// Failed requests that were followed by another.
    pub retries: u64,
    /// Share of the deliveries that were accepted, of those that were accepted or given up.
    pub success_rate: Option<f64>,
    /// How long accepted requests took on average, in milliseconds.
    pub average_latency_ms: Option<f64>,
    /// 95 % of them took no longer.
    pub p95_latency_ms: Option<f64>,
    /// Endpoints.
    pub total_subscribers: u64,
    /// Endpoints that are delivered to.
    pub active_subscribers: u64,
    /// Endpoints whose breaker is open.
    pub open_breakers: u64,
    /// The deployment's queues as they are now, for keys that speak for all tenants.
    pub queues: Option<QueuesView>,
}

/// How an endpoint has been doing lately.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[schemars(rename = "Recent")]
pub struct RecentView {
    /// Since when.
    pub since: Timestamp,
    /// Deliveries accepted.
    pub delivered: u64,
    /// Requests that failed.
    pub failed_attempts: u64,
    /// Share of the requests that were accepted; `null` without any.
    pub success_rate: Option<f64>,
}

impl RecentView {
    pub(crate) fn of(since: Timestamp, counts: &Counters) -> Self {
        Self {
            since,
            delivered: counts.delivered,
            failed_attempts: counts.failed,
            success_rate: counts.attempt_success_rate().map(to_six_digits),
        }
    }
}

/// What is counted of an endpoint.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[schemars(rename = "EndpointStats")]
pub struct EndpointStatsView {
    /// Since the beginning of the last full hour.
    pub last_hour: RecentView,
    /// When a request was last accepted.
    pub last_success_at: Option<Timestamp>,
    /// When a request last failed.
    pub last_failure_at: Option<Timestamp>,
}

/// One of all endpoints, and how it is doing.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "SubscriberHealth")]
pub struct SubscriberHealthView {
    /// Which endpoint.
    pub endpoint_id: EndpointId,
    /// The same, as the field is also known.
    pub subscriber_id: EndpointId,
    /// Its name.
    pub name: String,
    /// Where requests go.
    pub endpoint_url: String,
    /// `active`, `paused` or `disabled`.
    pub state: &'static str,
    /// Its breaker.
    pub breaker: BreakerView,
    /// The breaker's state again, as the field is also known.
    pub circuit_state: &'static str,
    /// Failures in a row.
    pub consecutive_failures: u32,
    /// Since when.
    pub failing_since: Option<Timestamp>,
    /// What is counted of it.
    #[serde(flatten)]
    pub stats: EndpointStatsView,
}
