//! An endpoint as a caller writes it: to make one, or to change one.

mod fields;
mod patch;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

pub(in crate::endpoint) use fields::AuthInput;
use fields::{
    BreakerInput, checked_metadata, event_patterns, extra_headers, in_flight, order, rate_limit,
    text, timeout_seconds,
};
pub use patch::Patch;

use super::retry_input::{RetryInput, RetryNumbers};
use super::{DisabledBy, Endpoint, EndpointState, SigningKey};
use crate::answer::{self, ResponseRule, StatusPattern};
use crate::breaker::BreakerPolicy;
use crate::filter::Filter;
use crate::line::OnDeadLetter;
use crate::signature::{Secret, Signing};
use crate::target::{AllowedTargets, TargetUrl};
use crate::template::Template;
use crate::{EndpointId, Invalid, TenantId, Timestamp};

/// The body of `POST /api/v1/endpoints` and of `PATCH /api/v1/endpoints/{id}`. Every other name
/// that a field has is one of the documents this product was wished for in.
#[derive(Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct EndpointDraft {
    /// Where requests go: HTTPS, a public address. A new endpoint needs it.
    #[serde(alias = "endpoint_url")]
    pub(super) url: Option<String>,
    /// A name for people, at most 200 bytes.
    pub(super) name: Option<String>,
    /// What it is for, at most 2000 bytes.
    pub(super) description: Option<String>,
    /// What its owner wants to remember about it: at most 50 texts of at most 500 bytes.
    pub(super) metadata: Patch<BTreeMap<String, String>>,
    /// 1 to 100 event types, stems such as `order.*`, or `*`. A new endpoint needs them.
    #[serde(alias = "events", alias = "event_patterns")]
    pub(super) event_types: Option<Vec<String>>,
    /// An EventBridge event pattern over `data`.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")
    )]
    pub(super) filter: Patch<Box<RawValue>>,
    /// The body as JSON with `{{data.order.id}}` in its strings.
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Value>"))]
    pub(super) template: Patch<Box<RawValue>>,
    /// What requests are signed with; generated unless given. Its prefix says how it signs: `whsk_`
    /// is ed25519, everything else HMAC.
    pub(super) secret: Option<String>,
    /// How requests are signed; `hmac` unless given.
    pub(super) signing: Option<Signing>,
    /// HTTP basic auth.
    pub(super) auth: Patch<AuthInput>,
    /// Headers of its own, at most 20. A value sent back as `***` stays as it is.
    pub(super) headers: Option<BTreeMap<String, String>>,
    /// When failed deliveries are tried again; as the deployment says unless given.
    #[serde(alias = "retry_policy")]
    pub(super) retry: Patch<RetryInput>,
    /// Attempts in all, 1 to 50, in place of the policy's.
    pub(super) max_retries: Option<u32>,
    /// Statuses that are retried whatever class of `no_retry_statuses` they are in: `409`.
    pub(super) retry_statuses: Option<Vec<StatusPattern>>,
    /// Statuses that no retry mends: `422`, `"4xx"`.
    pub(super) no_retry_statuses: Option<Vec<StatusPattern>>,
    /// What its answers mean, where HTTP says otherwise. The first that fits counts.
    pub(super) response_rules: Option<Vec<ResponseRule>>,
    /// Seconds a request may take, 1 to 30; 15 unless given.
    #[serde(alias = "timeout")]
    pub(super) timeout_seconds: Patch<f64>,
    /// Most requests a second, 1 to 100000.
    #[serde(alias = "rate_limit")]
    pub(super) rate_limit_per_second: Patch<u32>,
    /// Most requests under way at once, 1 to 1000.
    #[serde(alias = "concurrency")]
    pub(super) max_in_flight: Patch<u32>,
    /// When its breaker opens, and for how long.
    pub(super) breaker: Patch<BreakerInput>,
    /// Whether it gets its events strictly in the order in which they were accepted, each once the
    /// one before is over; `false` unless given.
    pub(super) ordered: Option<bool>,
    /// What the line before an ordered endpoint does at a dead letter: `skip` it, or `block` until it
    /// has been replayed, resolved or deleted; `skip` unless given.
    pub(super) on_dead_letter: Option<OnDeadLetter>,
    /// Whether events are delivered; `false` makes them dead letters, to be replayed later.
    pub(super) active: Option<bool>,
    /// Whether deliveries wait.
    pub(super) paused: Option<bool>,
}

/// Secrets are part of it, so it is never shown.
impl std::fmt::Debug for EndpointDraft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EndpointDraft").finish_non_exhaustive()
    }
}

impl EndpointDraft {
    /// A new endpoint. `secret` is used unless the draft brings one.
    ///
    /// # Errors
    /// The first field that breaks its rule.
    pub fn create(
        self,
        id: EndpointId,
        tenant: TenantId,
        secret: Secret,
        allowed: &AllowedTargets,
        now: Timestamp,
    ) -> Result<Endpoint, Invalid> {
        let Some(url) = &self.url else {
            return Err(Invalid::new("url", "is required: where the events go"));
        };
        if self.event_types.is_none() {
            return Err(Invalid::new(
                "event_types",
                "is required: a list such as [\"order.created\", \"user.*\"], or [\"*\"] for all",
            ));
        }
        let endpoint = Endpoint {
            id,
            tenant,
            name: String::new(),
            description: String::new(),
            metadata: BTreeMap::new(),
            url: TargetUrl::parse(url, allowed)?,
            event_types: Vec::new(),
            filter: None,
            template: None,
            signing_keys: vec![SigningKey::new(
                secret.made_for(self.signing.unwrap_or_default()),
            )],
            auth: None,
            headers: Vec::new(),
            retry: None,
            retry_statuses: Vec::new(),
            no_retry_statuses: Vec::new(),
            response_rules: Vec::new(),
            timeout_seconds: None,
            rate_limit_per_second: None,
            max_in_flight: None,
            breaker: BreakerPolicy::default(),
            ordered: None,
            state: EndpointState::Active,
            resumed_at: None,
            managed_by: None,
            created_at: now,
            updated_at: now,
            version: 0,
        };
        self.change(&endpoint, allowed, now)
    }

    /// `endpoint` with what the draft names changed, one version on.
    ///
    /// # Errors
    /// The first field that breaks its rule.
    pub fn change(
        self,
        endpoint: &Endpoint,
        allowed: &AllowedTargets,
        now: Timestamp,
    ) -> Result<Endpoint, Invalid> {
        let mut next = Endpoint {
            updated_at: now,
            version: endpoint.version + 1,
            ..endpoint.clone()
        };
        if let Some(url) = &self.url {
            next.url = TargetUrl::parse(url, allowed)?;
        }
        if let Some(name) = self.name {
            next.name = text("name", name, 200)?;
        }
        if let Some(description) = self.description {
            next.description = text("description", description, 2000)?;
        }
        if let Some(patterns) = self.event_types {
            next.event_types = event_patterns(&patterns)?;
        }
        if let Some(secret) = self.secret {
            let secret = Secret::given(&secret)?;
            secret.signs_as(self.signing)?;
            next.signing_keys = vec![SigningKey::new(secret)];
        } else if self.signing.is_some_and(|asked| asked != next.signing()) {
            return Err(Invalid::new(
                "signing",
                "is changed with a new secret: by `rotate-secret`, or with `secret`",
            ));
        }
        if let Some(extra) = self.headers {
            next.headers = extra_headers(extra)?;
        }
        match self.metadata {
            Patch::Keep => {}
            Patch::Clear => next.metadata = BTreeMap::new(),
            Patch::Set(metadata) => next.metadata = checked_metadata(metadata)?,
        }
        if let Some(statuses) = self.retry_statuses {
            answer::check_statuses("retry_statuses", &statuses)?;
            next.retry_statuses = statuses;
        }
        if let Some(statuses) = self.no_retry_statuses {
            answer::check_statuses("no_retry_statuses", &statuses)?;
            next.no_retry_statuses = statuses;
        }
        answer::check_no_contradiction(&next.retry_statuses, &next.no_retry_statuses)?;
        if let Some(rules) = self.response_rules {
            answer::check_rules(&rules)?;
            next.response_rules = rules;
        }
        self.filter.apply(&mut next.filter, Filter::new)?;
        self.template.apply(&mut next.template, Template::new)?;
        self.auth.apply(&mut next.auth, AuthInput::check)?;
        self.timeout_seconds
            .apply(&mut next.timeout_seconds, timeout_seconds)?;
        self.rate_limit_per_second
            .apply(&mut next.rate_limit_per_second, rate_limit)?;
        self.max_in_flight
            .apply(&mut next.max_in_flight, in_flight)?;
        match (self.retry, self.max_retries) {
            (Patch::Keep, None) => {}
            (Patch::Clear, None) => next.retry = None,
            (Patch::Keep | Patch::Clear, attempts) => {
                next.retry = Some(RetryNumbers::default().policy(attempts)?);
            }
            (Patch::Set(input), attempts) => next.retry = Some(input.policy(attempts)?),
        }
        match self.breaker {
            Patch::Keep => {}
            Patch::Clear => next.breaker = BreakerPolicy::default(),
            Patch::Set(input) => next.breaker = input.check()?,
        }
        next.ordered = order(next.ordered, self.ordered, self.on_dead_letter)?;
        let state = match (self.active, self.paused) {
            (Some(false), _) => EndpointState::Disabled(DisabledBy::Operator),
            (_, Some(true)) => EndpointState::Paused,
            (Some(true), _) | (_, Some(false)) => EndpointState::Active,
            (None, None) => return Ok(next),
        };
        Ok(Endpoint {
            version: next.version,
            ..next.with_state(state, now)
        })
    }
}
