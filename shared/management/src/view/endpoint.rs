//! Endpoints and their health.

use std::collections::BTreeMap;

use hookpost_domain::answer::{ResponseRule, StatusPattern};
use hookpost_domain::breaker::{Breaker, Health};
use hookpost_domain::endpoint::{DisabledBy, Endpoint, EndpointState, ExtraHeader, ManagedBy};
use hookpost_domain::line::OnDeadLetter;
use hookpost_domain::matching::EventPattern;
use hookpost_domain::retry::{Backoff, Jitter, RetryPolicy};
use hookpost_domain::signature::Signing;
use hookpost_domain::{DeliveryId, EndpointId, EventId, TenantId, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use super::EndpointStatsView;

/// What is shown for a header's value: it may be a key.
pub(super) const MASK: &str = "***";

/// An endpoint.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Endpoint")]
pub struct EndpointView {
    /// Its id.
    pub id: EndpointId,
    /// Whose it is.
    pub tenant: TenantId,
    /// A name for people.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What its owner wants to remember about it.
    pub metadata: BTreeMap<String, String>,
    /// Where requests go.
    pub url: String,
    /// Which events it wants: types, `order.*`, `*`.
    pub event_types: Vec<EventPattern>,
    /// What it wants of their payloads: an EventBridge event pattern over `data`.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub filter: Option<Box<RawValue>>,
    /// What shapes the bodies it gets.
    #[schemars(with = "Option<serde_json::Value>")]
    pub template: Option<Box<RawValue>>,
    /// `active`, `paused` or `disabled`.
    pub state: &'static str,
    /// Whether events are delivered as they come.
    pub active: bool,
    /// Who disabled it: `operator`, `gone` if it answered 410, or `deployment` if that declares it no
    /// more.
    pub disabled_by: Option<&'static str>,
    /// Who says what it is like, if not whoever calls the API: the `deployment` that declares it, or
    /// the `delivery` to its URL that it was made for. It cannot be changed here then.
    pub managed_by: Option<&'static str>,
    /// When failed deliveries are tried again.
    pub retry: RetryView,
    /// Statuses that are retried whatever class of `no_retry_statuses` they are in.
    pub retry_statuses: Vec<StatusPattern>,
    /// Statuses that no retry mends.
    pub no_retry_statuses: Vec<StatusPattern>,
    /// What its answers mean, where HTTP says otherwise.
    pub response_rules: Vec<ResponseRule>,
    /// Seconds a request may take.
    pub timeout_seconds: u64,
    /// Most requests a second.
    pub rate_limit_per_second: Option<u32>,
    /// Most requests under way at once.
    pub max_in_flight: Option<u32>,
    /// Whether it gets its events strictly in the order in which they were accepted.
    pub ordered: bool,
    /// What the line before it does at a dead letter, if it does: `skip` it, or `block`.
    pub on_dead_letter: Option<OnDeadLetter>,
    /// When its breaker opens, and for how long.
    pub breaker: BreakerPolicyView,
    /// Its own headers. Values are shown once, then `***`.
    pub headers: BTreeMap<String, String>,
    /// Basic auth; never with the password.
    pub auth: Option<AuthView>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// How requests are signed: `hmac` (`v1`) or `ed25519` (`v1a`).
    pub signing: Signing,
    /// Every secret that signs, newest first, without the secret itself.
    pub signing_keys: Vec<SigningKeyView>,
    /// What requests are signed with: shown to whoever made it, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// A secret that signs.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "SigningKey")]
pub struct SigningKeyView {
    /// How.
    pub signing: Signing,
    /// What its signatures are checked with, `whpk_`, if it is an ed25519 key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// When it stops, because another has taken its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "BreakerPolicy")]
pub struct BreakerPolicyView {
    /// Failures in a row that open it.
    pub failures: u32,
    /// Seconds until the first probe.
    pub pause_seconds: u32,
}

/// Basic auth.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Auth")]
pub struct AuthView {
    /// `basic`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The user name.
    pub username: String,
}

/// A retry policy: a list of delays, or an exponential backoff. All times in seconds.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Retry")]
pub struct RetryView {
    /// Before each attempt, the first included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delays: Option<Vec<f64>>,
    /// Before the first retry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_delay: Option<f64>,
    /// From one wait to the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multiplier: Option<f64>,
    /// That no wait exceeds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_delay: Option<f64>,
    /// Attempts in all.
    pub max_attempts: u32,
    /// What a wait may be longer or shorter by.
    pub jitter: JitterView,
}

/// What a wait may be longer or shorter by.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Jitter")]
#[serde(untagged)]
pub enum JitterView {
    /// A share of it, in both directions.
    Ratio(f64),
    /// Up to so many seconds more.
    Added {
        /// Seconds.
        added_seconds: f64,
    },
}

/// An endpoint's health.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Health")]
pub struct HealthView {
    /// Which endpoint.
    pub endpoint_id: EndpointId,
    /// Its breaker.
    pub breaker: BreakerView,
    /// The lane that its deliveries travel in: `fast`, or `slow` while its answers take long.
    pub lane: &'static str,
    /// Since when they travel in the slow one.
    pub slow_since: Option<Timestamp>,
    /// Failures in a row.
    pub consecutive_failures: u32,
    /// Since when.
    pub failing_since: Option<Timestamp>,
    /// The share of the requests of the last hour that were accepted, as `last_hour` has it; `null`
    /// if there were none.
    pub success_rate: Option<f64>,
    /// What waits in the line before it, if it gets its events in order.
    pub line: Option<LineView>,
    /// What is counted of it, some seconds late.
    #[serde(flatten)]
    pub stats: EndpointStatsView,
}

/// The line before an endpoint that gets its events in order.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Line")]
pub struct LineView {
    /// How many deliveries wait in it, or a few more.
    pub waiting: u64,
    /// The first of them, for which the others wait.
    pub first: Option<DeliveryId>,
    /// Where that stands.
    pub first_status: Option<&'static str>,
    /// Whether the first is dead, and the line stands until it is replayed, resolved or deleted.
    pub blocked: bool,
}

/// A test event that is on its way.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Test")]
pub struct TestView {
    /// The event.
    pub event_id: EventId,
    /// Its type.
    pub event_type: String,
    /// Its one delivery: look there for what becomes of it.
    pub delivery_id: DeliveryId,
}

/// A breaker.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Breaker")]
pub struct BreakerView {
    /// `closed`, `open`, or `half_open` once a probe may go.
    pub state: &'static str,
    /// When it opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Timestamp>,
    /// Seconds between opening and probe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_seconds: Option<u64>,
    /// When the next probe may go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_probe_at: Option<Timestamp>,
    /// Whether somebody opened it by hand.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub opened_by_hand: bool,
}

/// A state's name in the API.
pub(super) const fn state_name(state: EndpointState) -> &'static str {
    match state {
        EndpointState::Active => "active",
        EndpointState::Paused => "paused",
        EndpointState::Disabled(_) => "disabled",
    }
}

impl EndpointView {
    /// An endpoint without its secrets.
    pub fn of(endpoint: &Endpoint, default_retry: &RetryPolicy) -> Self {
        Self::shown(endpoint, default_retry, false)
    }

    /// An endpoint with its secret and the values of its headers, for whoever has just made it.
    pub fn with_secrets(endpoint: &Endpoint, default_retry: &RetryPolicy) -> Self {
        Self::shown(endpoint, default_retry, true)
    }

    /// An endpoint with its new secret, but not what else is kept of it.
    pub fn rotated(endpoint: &Endpoint, default_retry: &RetryPolicy) -> Self {
        let newest = endpoint.signing_keys.first();
        Self {
            secret: newest.map(|key| key.secret.reveal().to_owned()),
            ..Self::of(endpoint, default_retry)
        }
    }

    fn shown(endpoint: &Endpoint, default_retry: &RetryPolicy, with_secrets: bool) -> Self {
        let state = state_name(endpoint.state);
        let disabled_by = match endpoint.state {
            EndpointState::Active | EndpointState::Paused => None,
            EndpointState::Disabled(DisabledBy::Operator) => Some("operator"),
            EndpointState::Disabled(DisabledBy::Gone) => Some("gone"),
            EndpointState::Disabled(DisabledBy::Deployment) => Some("deployment"),
        };
        let header = |header: &ExtraHeader| {
            let value = if with_secrets { &header.value } else { MASK };
            (header.name.clone(), value.to_owned())
        };
        let secret = endpoint.signing_keys.first().filter(|_| with_secrets);
        Self {
            id: endpoint.id.clone(),
            tenant: endpoint.tenant.clone(),
            name: endpoint.name.clone(),
            description: endpoint.description.clone(),
            metadata: endpoint.metadata.clone(),
            url: endpoint.url.as_url().to_string(),
            event_types: endpoint.event_types.clone(),
            filter: endpoint
                .filter
                .as_ref()
                .map(|filter| filter.source().to_owned()),
            template: endpoint
                .template
                .as_ref()
                .map(|template| template.source().to_owned()),
            state,
            active: state == "active",
            disabled_by,
            managed_by: endpoint.managed_by.map(ManagedBy::name),
            retry: RetryView::of(endpoint.retry.as_ref().unwrap_or(default_retry)),
            retry_statuses: endpoint.retry_statuses.clone(),
            no_retry_statuses: endpoint.no_retry_statuses.clone(),
            response_rules: endpoint.response_rules.clone(),
            timeout_seconds: endpoint.timeout().as_secs(),
            rate_limit_per_second: endpoint.rate_limit_per_second,
            max_in_flight: endpoint.max_in_flight,
            ordered: endpoint.ordered.is_some(),
            on_dead_letter: endpoint.ordered,
            breaker: BreakerPolicyView {
                failures: endpoint.breaker.failures,
                pause_seconds: endpoint.breaker.pause_seconds,
            },
            headers: endpoint.headers.iter().map(header).collect(),
            auth: endpoint.auth.as_ref().map(|auth| AuthView {
                kind: "basic",
                username: auth.username.clone(),
            }),
            created_at: endpoint.created_at,
            updated_at: endpoint.updated_at,
            signing: endpoint.signing(),
            signing_keys: endpoint
                .signing_keys
                .iter()
                .map(|key| SigningKeyView {
                    signing: key.signing(),
                    public_key: key.public_key.clone(),
                    until: key.until,
                })
                .collect(),
            secret: secret.map(|key| key.secret.reveal().to_owned()),
        }
    }
}

impl RetryView {
    /// A policy as it is shown.
    pub fn of(policy: &RetryPolicy) -> Self {
        let jitter = match policy.jitter() {
            Jitter::Ratio(ratio) => JitterView::Ratio(ratio),
            Jitter::AddedSeconds(secs) => JitterView::Added {
                added_seconds: secs,
            },
        };
        let mut shown = Self {
            delays: None,
            initial_delay: None,
            multiplier: None,
            max_delay: None,
            max_attempts: policy.max_attempts(),
            jitter,
        };
        match policy.backoff() {
            Backoff::Exponential {
                first, factor, max, ..
            } => {
                shown.initial_delay = Some(*first);
                shown.multiplier = Some(*factor);
                shown.max_delay = Some(*max);
            }
            Backoff::Delays(delays) => shown.delays = Some(delays.clone()),
        }
        shown
    }
}

impl HealthView {
    /// A health as it is at `now`, with what is counted: a health is not written for a success that
    /// changes nothing about it.
    pub fn of(
        endpoint_id: EndpointId,
        health: &Health,
        mut stats: EndpointStatsView,
        line: Option<LineView>,
        now: Timestamp,
    ) -> Self {
        // What the breaker knows is not late.
        stats.last_success_at = stats.last_success_at.max(health.last_recovery);
        stats.last_failure_at = stats.last_failure_at.max(health.last_failure);
        let breaker = match &health.breaker {
            Breaker::Closed => BreakerView {
                state: "closed",
                opened_at: None,
                pause_seconds: None,
                next_probe_at: None,
                opened_by_hand: false,
            },
            Breaker::Open {
                opened_at,
                pause_seconds,
                next_probe,
                by_hand,
                ..
            } => BreakerView {
                state: if now < *next_probe {
                    "open"
                } else {
                    "half_open"
                },
                opened_at: Some(*opened_at),
                pause_seconds: Some(*pause_seconds),
                next_probe_at: Some(*next_probe),
                opened_by_hand: *by_hand,
            },
        };
        Self {
            endpoint_id,
            breaker,
            lane: health.lane().name(),
            slow_since: health.slow_since,
            consecutive_failures: health.failures,
            failing_since: health.failing_since,
            success_rate: stats.last_hour.success_rate,
            line,
            stats,
        }
    }
}

/// Whoever sends back what was shown means the values that are stored.
pub fn unmask_headers(headers: &mut [ExtraHeader], stored: &[ExtraHeader]) {
    for header in headers.iter_mut().filter(|header| header.value == MASK) {
        let same = |other: &&ExtraHeader| other.name.eq_ignore_ascii_case(&header.name);
        if let Some(known) = stored.iter().find(same) {
            header.value.clone_from(&known.value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, value: &str) -> ExtraHeader {
        ExtraHeader {
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }

    #[test]
    fn what_is_sent_back_masked_stays_what_it_was() {
        let stored = [header("X-Api-Key", "key")];
        let mut sent = [
            header("x-api-key", MASK),
            header("X-New", MASK),
            header("X-Other", "other"),
        ];
        unmask_headers(&mut sent, &stored);
        assert_eq!(
            sent,
            [
                header("x-api-key", "key"),
                header("X-New", MASK),
                header("X-Other", "other"),
            ]
        );
    }
}
