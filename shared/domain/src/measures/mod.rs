//! What is told to CloudWatch: which metrics there are, and the log lines that carry them, in
//! CloudWatch's embedded metric format.
//!
//! Guarantees: no dimension grows with tenants, endpoints or event types; what is zero is not told,
//! so that an idle system has no metrics to pay for; what is told is told once. Metrics are for
//! graphs and alarms: what is not told when its process ends is lost. The log of attempts is exact.

mod line;

use crate::Timestamp;
use crate::counters::Counters;
use crate::delivery::{Attempt, Delivery, FailureKind, Status};

/// Where CloudWatch keeps them.
pub const NAMESPACE: &str = "Hookpost";
/// The dimension that every metric has: which deployment it is of.
pub const STACK: &str = "Stack";
/// Values that a line takes of one metric: CloudWatch takes no more.
pub const MAX_VALUES: usize = 100;
/// Values of one metric that are kept until they are told; what is beyond is left out.
const MAX_KEPT: usize = 10 * MAX_VALUES;

/// Something that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Events accepted.
    EventsAccepted,
    /// Deliveries that those make.
    DeliveriesQueued,
    /// Deliveries that ended, by `Status`.
    WebhookDelivery,
    /// Attempts that each delivery took that ended.
    WebhookAttempts,
    /// Attempts that failed, by `ErrorType`.
    WebhookError,
    /// How long each accepted request took.
    WebhookLatency,
    /// How long it took each delivered event to be accepted, from when it was due.
    WebhookDelay,
    /// Breakers that opened.
    BreakersOpened,
    /// Deliveries that left the queue to wait in the table.
    DeliveriesParked,
    /// Deliveries that the sweeper sent back to the queue, as they were due or free to go.
    DeliveriesReleased,
    /// Deliveries that the sweeper found without a record or a message.
    DeliveriesFound,
    /// Deliveries that nothing had been heard of, sent again.
    DeliveriesResent,
    /// Dead letters whose way to the dead-letter queue had broken off.
    DeadLettersReburied,
    /// Dead letters put back.
    DeliveriesReplayed,
    /// How old the oldest delivery was that was looked at and is not over.
    OldestUndelivered,
    /// Calls that were not let in, or were too many.
    CallsRefused,
}

/// How the values of a metric come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sum,
    Largest,
    Each,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::EventsAccepted,
        Self::DeliveriesQueued,
        Self::WebhookDelivery,
        Self::WebhookAttempts,
        Self::WebhookError,
        Self::WebhookLatency,
        Self::WebhookDelay,
        Self::BreakersOpened,
        Self::DeliveriesParked,
        Self::DeliveriesReleased,
        Self::DeliveriesFound,
        Self::DeliveriesResent,
        Self::DeadLettersReburied,
        Self::DeliveriesReplayed,
        Self::OldestUndelivered,
        Self::CallsRefused,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EventsAccepted => "EventsAccepted",
            Self::DeliveriesQueued => "DeliveriesQueued",
            Self::WebhookDelivery => "WebhookDelivery",
            Self::WebhookAttempts => "WebhookAttempts",
            Self::WebhookError => "WebhookError",
            Self::WebhookLatency => "WebhookLatency",
            Self::WebhookDelay => "WebhookDelay",
            Self::BreakersOpened => "BreakersOpened",
            Self::DeliveriesParked => "DeliveriesParked",
            Self::DeliveriesReleased => "DeliveriesReleased",
            Self::DeliveriesFound => "DeliveriesFound",
            Self::DeliveriesResent => "DeliveriesResent",
            Self::DeadLettersReburied => "DeadLettersReburied",
            Self::DeliveriesReplayed => "DeliveriesReplayed",
            Self::OldestUndelivered => "OldestUndelivered",
            Self::CallsRefused => "CallsRefused",
        }
    }

    /// What it is measured in.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::WebhookLatency | Self::WebhookDelay => "Milliseconds",
            Self::OldestUndelivered => "Seconds",
            Self::EventsAccepted
            | Self::DeliveriesQueued
            | Self::WebhookDelivery
            | Self::WebhookAttempts
            | Self::WebhookError
            | Self::BreakersOpened
            | Self::DeliveriesParked
            | Self::DeliveriesReleased
            | Self::DeliveriesFound
            | Self::DeliveriesResent
            | Self::DeadLettersReburied
            | Self::DeliveriesReplayed
            | Self::CallsRefused => "Count",
        }
    }

    /// The dimension that it has besides [`STACK`].
    pub const fn by(self) -> Option<&'static str> {
        match self {
            Self::WebhookDelivery => Some("Status"),
            Self::WebhookError => Some("ErrorType"),
            Self::EventsAccepted
            | Self::DeliveriesQueued
            | Self::WebhookAttempts
            | Self::WebhookLatency
            | Self::WebhookDelay
            | Self::BreakersOpened
            | Self::DeliveriesParked
            | Self::DeliveriesReleased
            | Self::DeliveriesFound
            | Self::DeliveriesResent
            | Self::DeadLettersReburied
            | Self::DeliveriesReplayed
            | Self::OldestUndelivered
            | Self::CallsRefused => None,
        }
    }

    const fn kind(self) -> Kind {
        match self {
            Self::WebhookAttempts | Self::WebhookLatency | Self::WebhookDelay => Kind::Each,
            Self::OldestUndelivered => Kind::Largest,
            Self::EventsAccepted
            | Self::DeliveriesQueued
            | Self::WebhookDelivery
            | Self::WebhookError
            | Self::BreakersOpened
            | Self::DeliveriesParked
            | Self::DeliveriesReleased
            | Self::DeliveriesFound
            | Self::DeliveriesResent
            | Self::DeadLettersReburied
            | Self::DeliveriesReplayed
            | Self::CallsRefused => Kind::Sum,
        }
    }
}

/// The `Status` of a delivery that was accepted by its endpoint.
pub const SUCCESS: &str = "Success";
/// The `Status` of a delivery that was given up.
pub const FAILURE: &str = "Failure";

/// The `ErrorType` of a failed attempt. Of an answer it is the class of its status.
pub const fn error_type(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Http(500..) => "http_5xx",
        FailureKind::Http(400..) => "http_4xx",
        FailureKind::Http(300..) => "http_3xx",
        FailureKind::Http(_) => "http_2xx",
        FailureKind::Timeout => "timeout",
        FailureKind::Dns => "dns",
        FailureKind::RefusedAddress => "refused_address",
        FailureKind::Connect => "connect",
        FailureKind::Tls => "tls",
        FailureKind::Reset => "reset",
        FailureKind::Protocol => "protocol",
        FailureKind::Template => "template",
    }
}

/// What was measured and is not told yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Measures {
    series: Vec<Series>,
}

/// The values of one metric, of one value of its dimension if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Series {
    metric: Metric,
    of: Option<&'static str>,
    values: Vec<u64>,
}

impl Measures {
    /// Measures something. Zero is nothing, unless each value counts.
    pub fn note(&mut self, metric: Metric, value: u64) {
        self.add(metric, None, value);
    }

    /// The same for a metric with a dimension of its own.
    pub fn note_of(&mut self, metric: Metric, of: &'static str, value: u64) {
        self.add(metric, Some(of), value);
    }

    fn add(&mut self, metric: Metric, of: Option<&'static str>, value: u64) {
        let kind = metric.kind();
        if value == 0 && kind != Kind::Each {
            return;
        }
        let known = |series: &&mut Series| series.metric == metric && series.of == of;
        let Some(series) = self.series.iter_mut().find(known) else {
            let values = vec![value];
            self.series.push(Series { metric, of, values });
            return;
        };
        let values = &mut series.values;
        let kept = values.len();
        match (kind, values.first_mut()) {
            (Kind::Sum, Some(sum)) => *sum = sum.saturating_add(value),
            (Kind::Largest, Some(largest)) => *largest = value.max(*largest),
            (Kind::Each, _) if kept >= MAX_KEPT => {}
            (Kind::Each, _) | (_, None) => values.push(value),
        }
    }

    /// What a write of a delivery's record tells: the record before it, the one after it, and the
    /// attempt that was made in between, if one was. `counts` is what is counted of the same write.
    pub fn note_write(
        &mut self,
        before: &Delivery,
        after: &Delivery,
        attempt: Option<&Attempt>,
        counts: &Counters,
        now: Timestamp,
    ) {
        match attempt.map(|attempt| (attempt.failure(), attempt)) {
            Some((Some(kind), _)) => self.note_of(Metric::WebhookError, error_type(kind), 1),
            Some((None, attempt)) => self.note(Metric::WebhookLatency, attempt.latency_ms.into()),
            None => {}
        }
        let age = now.since(after.since);
        if counts.delivered > 0 {
            self.note_of(Metric::WebhookDelivery, SUCCESS, counts.delivered);
            let delay = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
            self.note(Metric::WebhookDelay, delay);
        }
        if counts.dead > 0 {
            self.note_of(Metric::WebhookDelivery, FAILURE, counts.dead);
        }
        if counts.delivered > 0 || counts.dead > 0 {
            self.note(Metric::WebhookAttempts, after.attempts.into());
        }
        let waits = |status| matches!(status, Status::Parked { .. } | Status::Held { .. });
        if waits(after.status) && !waits(before.status) {
            self.note(Metric::DeliveriesParked, 1);
        }
        if !after.is_final() {
            self.note(Metric::OldestUndelivered, age.as_secs());
        }
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Whether a metric has as many values as a line takes.
    pub fn is_full(&self) -> bool {
        self.series
            .iter()
            .any(|series| series.values.len() >= MAX_VALUES)
    }
}

#[cfg(test)]
mod tests;
