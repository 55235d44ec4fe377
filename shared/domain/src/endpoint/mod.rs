//! An endpoint: where events go, which ones, and how.

mod declared;
mod direct;
mod draft;
mod retry_input;
mod rotation;
mod secrets;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use declared::{Declarations, Declared};
pub use direct::{DIRECT_EVENT, Direct, DirectDraft};
pub use draft::{EndpointDraft, Patch};
pub use retry_input::{DurationInput, JitterInput, RetryInput, RetryNumbers};
pub use rotation::{DEFAULT_OVERLAP, MAX_LIVE_KEYS, MAX_OVERLAP, RotationDraft};
pub use secrets::{EndpointSecrets, Unfitting};

use crate::answer::{ResponseRule, Rules, StatusPattern};
use crate::breaker::BreakerPolicy;
use crate::event::Payload;
use crate::filter::Filter;
use crate::line::OnDeadLetter;
use crate::matching::{EventPattern, EventType};
use crate::retry::RetryPolicy;
use crate::signature::{Secret, Signing};
use crate::target::TargetUrl;
use crate::template::Template;
use crate::{EndpointId, TenantId, Timestamp};

/// How long a request may take unless the endpoint says otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15);

/// A user name and password for HTTP basic auth (RFC 7617). The password is never shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BasicAuth {
    /// The user name, without `:`.
    pub username: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for BasicAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BasicAuth")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// A header that the endpoint wants on its requests. The value may be a secret: never shown by
/// `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtraHeader {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

impl std::fmt::Debug for ExtraHeader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExtraHeader")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A secret and, once another has taken its place, until when it still signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKey {
    /// The secret.
    pub secret: Secret,
    /// The end of its overlap with the secret that replaced it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The half that checks signatures, of an ed25519 key: no secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
}

impl SigningKey {
    /// A secret that signs until another takes its place.
    pub fn new(secret: Secret) -> Self {
        Self {
            until: None,
            public_key: secret.public_key(),
            secret,
        }
    }

    /// How it signs. Known without the secret.
    pub fn signing(&self) -> Signing {
        match self.public_key {
            Some(_) => Signing::Ed25519,
            None => Signing::Hmac,
        }
    }
}

/// Whether events are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointState {
    /// Delivered as they come.
    Active,
    /// Deliveries wait, and go out when it is resumed.
    Paused,
    /// Deliveries become dead letters at once, to be replayed when it is enabled again.
    Disabled(DisabledBy),
}

impl EndpointState {
    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Disabled(_) => "disabled",
        }
    }
}

/// Who disabled an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisabledBy {
    /// A call to the API.
    Operator,
    /// The endpoint itself, by answering 410 Gone.
    Gone,
    /// The deployment, by declaring it no more.
    Deployment,
}

/// Who says what an endpoint is like, if it is not whoever calls the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManagedBy {
    /// The deployment's settings.
    Deployment,
    /// The deliveries to a URL that is not registered.
    Delivery,
}

impl ManagedBy {
    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::Delivery => "delivery",
        }
    }
}

/// Everything about one endpoint but its health.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// Whose it is.
    pub tenant: TenantId,
    /// A name for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What its owner wants to remember about it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Where requests go.
    pub url: TargetUrl,
    /// Which events it wants.
    pub event_types: Vec<EventPattern>,
    /// What it wants of their payloads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// What shapes the bodies it gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Template>,
    /// What requests are signed with, newest first.
    pub signing_keys: Vec<SigningKey>,
    /// Basic auth, if it wants any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<BasicAuth>,
    /// Headers of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<ExtraHeader>,
    /// When failed deliveries are tried again; the deployment's policy if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// Statuses that are retried whatever class of `no_retry_statuses` they are in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retry_statuses: Vec<StatusPattern>,
    /// Statuses that no retry mends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub no_retry_statuses: Vec<StatusPattern>,
    /// What its answers mean, where HTTP says otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub response_rules: Vec<ResponseRule>,
    /// Seconds a request may take, 1 to 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u8>,
    /// Most requests a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit_per_second: Option<u32>,
    /// Most requests under way at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<u32>,
    /// When its breaker opens, and for how long.
    #[serde(default)]
    pub breaker: BreakerPolicy,
    /// That it gets its events in the order in which they were accepted, and what its line does at a
    /// dead letter; in any order unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordered: Option<OnDeadLetter>,
    /// Whether events are delivered.
    pub state: EndpointState,
    /// When it was last resumed after a pause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed_at: Option<Timestamp>,
    /// Who says what it is like, if not whoever calls the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<ManagedBy>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its writes, so that two changes at once do not undo each other.
    pub version: u64,
}

impl Endpoint {
    /// Whether it wants an event of this type with this payload, which is looked into only if the
    /// endpoint has a filter.
    pub fn wants(&self, event_type: &EventType, payload: &Payload<'_>) -> bool {
        let passes = |filter: &Filter| filter.matches(payload.document());
        self.pattern_for(event_type).is_some() && self.filter.as_ref().is_none_or(passes)
    }

    /// The pattern by which it gets events of this type.
    pub fn pattern_for(&self, event_type: &EventType) -> Option<&EventPattern> {
        self.event_types
            .iter()
            .find(|pattern| pattern.matches(event_type))
    }

    /// Whether it asks for what Hookpost tells of itself.
    pub fn is_operational(&self) -> bool {
        self.event_types.iter().any(EventPattern::is_operational)
    }

    /// How long a request may take.
    pub fn timeout(&self) -> Duration {
        self.timeout_seconds
            .map_or(DEFAULT_TIMEOUT, |secs| Duration::from_secs(secs.into()))
    }

    /// How the newest secret signs.
    pub fn signing(&self) -> Signing {
        self.signing_keys
            .first()
            .map_or(Signing::Hmac, SigningKey::signing)
    }

    /// The secrets that sign at `now`, newest first.
    pub fn secrets(&self, now: Timestamp) -> Vec<Secret> {
        self.signing_keys
            .iter()
            .filter(|key| key.until.is_none_or(|until| now < until))
            .map(|key| key.secret.clone())
            .collect()
    }

    /// What it says about its answers.
    pub fn rules(&self) -> Rules<'_> {
        Rules {
            retry_statuses: &self.retry_statuses,
            no_retry_statuses: &self.no_retry_statuses,
            response_rules: &self.response_rules,
        }
    }

    /// The same endpoint in another state, one version on.
    #[must_use]
    pub fn with_state(&self, state: EndpointState, now: Timestamp) -> Self {
        let is_resumed = self.state == EndpointState::Paused && state != EndpointState::Paused;
        Self {
            state,
            resumed_at: is_resumed.then_some(now).or(self.resumed_at),
            updated_at: now,
            version: self.version + 1,
            ..self.clone()
        }
    }
}
