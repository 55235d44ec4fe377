//! An endpoint as a caller writes it: to make one, or to change one.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::retry_input::{RetryInput, RetryNumbers};
use super::{BasicAuth, DisabledBy, Endpoint, EndpointState, ExtraHeader, SigningKey};
use crate::answer::{self, ResponseRule, StatusPattern};
use crate::breaker::BreakerPolicy;
use crate::filter::Filter;
use crate::headers;
use crate::matching::EventPattern;
use crate::signature::{Secret, Signing};
use crate::target::{AllowedTargets, TargetUrl};
use crate::template::Template;
use crate::{EndpointId, Invalid, TenantId, Timestamp};

/// Entries that an endpoint's metadata may have.
const MAX_METADATA: usize = 50;

/// A field that a change leaves alone, takes away (`null`), or sets.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Patch<T> {
    /// Not mentioned.
    #[default]
    Keep,
    /// `null`: back to the default.
    Clear,
    /// A new value.
    Set(T),
}

#[cfg(feature = "schema")]
impl<T: schemars::JsonSchema> schemars::JsonSchema for Patch<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        Option::<T>::schema_name()
    }

    fn json_schema(shapes: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Option::<T>::json_schema(shapes)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Clear, Self::Set))
    }
}

impl<T> Patch<T> {
    fn apply<U>(
        self,
        field: &mut Option<U>,
        convert: impl FnOnce(T) -> Result<U, Invalid>,
    ) -> Result<(), Invalid> {
        match self {
            Self::Keep => {}
            Self::Clear => *field = None,
            Self::Set(value) => *field = Some(convert(value)?),
        }
        Ok(())
    }
}

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
    /// When its breaker opens, and for how long.
    pub(super) breaker: Patch<BreakerInput>,
    /// Whether events are delivered; `false` makes them dead letters, to be replayed later.
    pub(super) active: Option<bool>,
    /// Whether deliveries wait.
    pub(super) paused: Option<bool>,
}

#[derive(Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct AuthInput {
    /// `basic`.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The user name, at most 256 bytes, without `:`.
    username: String,
    /// The password, at most 256 bytes.
    password: String,
}

#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct BreakerInput {
    /// Failures in a row that open it, 1 to 1000; 5 unless given.
    failures: Option<u32>,
    /// Seconds until the first probe, 1 to 900; 30 unless given.
    #[serde(alias = "pause")]
    pause_seconds: Option<u32>,
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
            breaker: BreakerPolicy::default(),
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

impl AuthInput {
    fn check(self) -> Result<BasicAuth, Invalid> {
        if self.kind.as_deref().is_some_and(|kind| kind != "basic") {
            return Err(Invalid::new("auth.type", "must be `basic`"));
        }
        let plain = |text: &str| text.len() <= 256 && !text.chars().any(char::is_control);
        if self.username.contains(':') || !plain(&self.username) {
            return Err(Invalid::new(
                "auth.username",
                "must be at most 256 bytes, without `:`",
            ));
        }
        if !plain(&self.password) {
            return Err(Invalid::new("auth.password", "must be at most 256 bytes"));
        }
        Ok(BasicAuth {
            username: self.username,
            password: self.password,
        })
    }
}

impl BreakerInput {
    fn check(self) -> Result<BreakerPolicy, Invalid> {
        let default = BreakerPolicy::default();
        let failures = self.failures.unwrap_or(default.failures);
        if !(1..=1000).contains(&failures) {
            return Err(Invalid::new(
                "breaker.failures",
                "must be between 1 and 1000",
            ));
        }
        let pause = self.pause_seconds.unwrap_or(default.pause_seconds);
        if !(1..=900).contains(&pause) {
            return Err(Invalid::new(
                "breaker.pause_seconds",
                "must be between 1 and 900",
            ));
        }
        Ok(BreakerPolicy {
            failures,
            pause_seconds: pause,
        })
    }
}

fn text(field: &'static str, value: String, max: usize) -> Result<String, Invalid> {
    if value.len() > max {
        return Err(Invalid::new(
            field,
            format!("must be at most {max} bytes long"),
        ));
    }
    Ok(value)
}

fn event_patterns(patterns: &[String]) -> Result<Vec<EventPattern>, Invalid> {
    if patterns.is_empty() || patterns.len() > 100 {
        return Err(Invalid::new(
            "event_types",
            "must list 1 to 100 event types or patterns",
        ));
    }
    patterns.iter().map(|pattern| pattern.parse()).collect()
}

fn extra_headers(extra: BTreeMap<String, String>) -> Result<Vec<ExtraHeader>, Invalid> {
    if extra.len() > headers::MAX_HEADERS {
        return Err(Invalid::new("headers", "must be at most 20"));
    }
    extra
        .into_iter()
        .map(|(name, value)| {
            headers::check(&name, &value)?;
            Ok(ExtraHeader { name, value })
        })
        .collect()
}

fn checked_metadata(
    metadata: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Invalid> {
    if metadata.len() > MAX_METADATA {
        return Err(Invalid::new("metadata", "must be at most 50 entries"));
    }
    for (key, value) in &metadata {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        if key.is_empty() || key.len() > 40 || !key.bytes().all(is_plain) {
            return Err(Invalid::new(
                "metadata",
                "must have keys of 1 to 40 letters, digits, `_`, `-` or `.`",
            ));
        }
        if value.len() > 500 {
            let field = format!("metadata.{key}");
            return Err(Invalid::new(field, "must be at most 500 bytes of text"));
        }
    }
    Ok(metadata)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "from 1 to 30, checked in the line above"
)]
fn timeout_seconds(secs: f64) -> Result<u8, Invalid> {
    if !(1.0..=30.0).contains(&secs) {
        return Err(Invalid::new("timeout_seconds", "must be between 1 and 30"));
    }
    Ok(secs.ceil() as u8)
}

fn rate_limit(per_second: u32) -> Result<u32, Invalid> {
    if !(1..=100_000).contains(&per_second) {
        return Err(Invalid::new(
            "rate_limit_per_second",
            "must be between 1 and 100000",
        ));
    }
    Ok(per_second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry::Backoff;

    fn create(json: &str) -> Result<Endpoint, String> {
        let draft: EndpointDraft = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let id = EndpointId::generate(Timestamp::default(), [1; 10]);
        let secret = Secret::generate([1; 32]);
        draft
            .create(
                id,
                TenantId::default(),
                secret,
                &AllowedTargets::default(),
                Timestamp::default(),
            )
            .map_err(|invalid| invalid.field.into_owned())
    }

    #[test]
    fn the_calls_of_the_wished_for_documents_are_understood() {
        let one = create(
            r#"{"url":"https://example.com/webhook","secret":"your-secret-key",
                "events":["user.created","order.updated"],"max_retries":5,"timeout":30}"#,
        )
        .unwrap();
        assert_eq!(one.timeout(), std::time::Duration::from_secs(30));
        assert_eq!(one.retry.unwrap().max_attempts(), 5);
        let basic = create(
            r#"{"url":"https://example.com/endpoint","events":["order.created"],
                "auth":{"type":"basic","username":"user","password":"pass"}}"#,
        )
        .unwrap();
        assert_eq!(basic.auth.unwrap().username, "user");
        let subscriber = create(
            r#"{"name":"My App","endpoint_url":"https://a.example/x","event_types":["order.created"]}"#,
        );
        assert_eq!(subscriber.unwrap().name, "My App");
    }

    #[test]
    fn retry_is_a_preset_a_list_or_numbers() {
        let retry = |retry: &str| {
            let json =
                format!(r#"{{"url":"https://a.example/","event_types":["*"],"retry":{retry}}}"#);
            create(&json).map(|endpoint| endpoint.retry.unwrap())
        };
        assert_eq!(retry(r#""standard""#).unwrap().max_attempts(), 10);
        let delays = retry(r#"{"delays":["0s","5m",7200]}"#).unwrap();
        assert_eq!(*delays.backoff(), Backoff::Delays(vec![0.0, 300.0, 7200.0]));
        let numbers = retry(r#"{"initial_delay":0.5,"max_delay":600,"max_attempts":8}"#).unwrap();
        assert_eq!(numbers.max_attempts(), 8);
        for (bad, field) in [
            (r#""often""#, "retry.preset"),
            (r#"{"delays":[]}"#, "retry.delays"),
            (r#"{"delays":["soon"]}"#, "retry.delays"),
            (r#"{"initial_delay":-1}"#, "retry.initial_delay"),
            (r#"{"multiplier":0}"#, "retry.multiplier"),
            (r#"{"max_attempts":0}"#, "retry.max_attempts"),
            (r#"{"jitter":2}"#, "retry.jitter"),
        ] {
            assert_eq!(retry(bad).unwrap_err(), field, "{bad}");
        }
    }

    #[test]
    fn a_change_touches_only_what_it_names() {
        let first = create(
            r#"{"url":"https://a.example/","event_types":["*"],"name":"a","rate_limit_per_second":5}"#,
        )
        .unwrap();
        let draft: EndpointDraft =
            serde_json::from_str(r#"{"rate_limit_per_second":null,"active":false}"#).unwrap();
        let next = draft
            .change(&first, &AllowedTargets::default(), Timestamp::default())
            .unwrap();
        assert_eq!(next.rate_limit_per_second, None);
        assert_eq!(next.state, EndpointState::Disabled(DisabledBy::Operator));
        assert_eq!((next.name.as_str(), next.version), ("a", first.version + 1));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (json, field) in [
            ("{}", "url"),
            (r#"{"url":"https://a.example/"}"#, "event_types"),
            (r#"{"url":"http://a.example/","event_types":["*"]}"#, "url"),
            (
                r#"{"url":"https://a.example/","event_types":[]}"#,
                "event_types",
            ),
            (
                r#"{"url":"https://a.example/","event_types":["*"],"timeout":0}"#,
                "timeout_seconds",
            ),
            (
                r#"{"url":"https://a.example/","event_types":["*"],"headers":{"Host":"x"}}"#,
                "headers.Host",
            ),
            (
                r#"{"url":"https://a.example/","event_types":["*"],"rate_limit":0}"#,
                "rate_limit_per_second",
            ),
        ] {
            assert_eq!(create(json).unwrap_err(), field, "{json}");
        }
    }
}
