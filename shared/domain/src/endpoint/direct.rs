//! A delivery to a URL that is not registered: an event and, for it, an endpoint that nobody made.
//!
//! The endpoint is derived from the URL and everything that is said about how to deliver there, so
//! that posting again to the same place makes no second one: its breaker, its rate and what it
//! answered are known from then on. It wants no events, and is in no list.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::draft::AuthInput;
use super::{BasicAuth, Endpoint, EndpointDraft, ExtraHeader, ManagedBy, Patch, RetryInput};
use crate::access::SigningKey;
use crate::event::{CheckedDraft, EventDraft};
use crate::retry::RetryPolicy;
use crate::schedule::DeliverAt;
use crate::signature::{Secret, Signing};
use crate::target::AllowedTargets;
use crate::template::Template;
use crate::{EndpointId, Invalid, TenantId, Timestamp};

/// The event's type unless the caller names one.
pub const DIRECT_EVENT: &str = "direct";
/// What endpoints' ids are signed for.
const PURPOSE: &str = "unlisted endpoint";

/// The body of `POST /api/v1/deliveries`.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DirectDraft {
    /// Where the request goes: HTTPS, a public address.
    #[serde(alias = "endpoint_url")]
    url: String,
    /// The event's type; `direct` unless given.
    #[serde(default, alias = "type", alias = "event")]
    event_type: Option<String>,
    /// Any JSON but null, at most 256 KiB.
    #[serde(alias = "data")]
    #[cfg_attr(feature = "schema", schemars(with = "serde_json::Value"))]
    payload: Box<RawValue>,
    /// Your own id of the event; it serves as idempotency key.
    #[serde(default)]
    id: Option<String>,
    /// As the header `Idempotency-Key`.
    #[serde(default)]
    idempotency_key: Option<String>,
    /// When it is to go out, as RFC 3339 or unix time in seconds, at most 365 days ahead; at once
    /// unless given.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Value>"))]
    deliver_at: Option<DeliverAt>,
    /// Whose, for callers that speak for all tenants.
    #[serde(default)]
    tenant: Option<TenantId>,
    /// What requests are signed with; without one, a secret that nobody is told.
    #[serde(default)]
    secret: Option<String>,
    /// How requests are signed; `hmac` unless given.
    #[serde(default)]
    signing: Option<Signing>,
    /// HTTP basic auth.
    #[serde(default)]
    auth: Option<AuthInput>,
    /// Headers of its own, at most 20.
    #[serde(default)]
    headers: Option<BTreeMap<String, String>>,
    /// When it is tried again if it fails; as the deployment says unless given.
    #[serde(default, alias = "retry_policy")]
    retry: Option<RetryInput>,
    /// Attempts in all, 1 to 50, in place of the policy's.
    #[serde(default, alias = "max_retries")]
    max_attempts: Option<u32>,
    /// Seconds a request may take, 1 to 30; 15 unless given.
    #[serde(default, alias = "timeout")]
    timeout_seconds: Option<f64>,
    /// The body as JSON with `{{data.order.id}}` in its strings.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Value>"))]
    template: Option<Box<RawValue>>,
}

/// Secrets are part of it, so it is never shown.
impl std::fmt::Debug for DirectDraft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DirectDraft").finish_non_exhaustive()
    }
}

/// A direct delivery whose fields hold their rules.
#[derive(Debug, Clone)]
pub struct Direct {
    /// The event.
    pub event: CheckedDraft,
    /// Where it goes.
    pub endpoint: Endpoint,
}

/// All that makes two places different.
#[derive(Serialize)]
struct Place<'a> {
    tenant: &'a TenantId,
    url: &'a str,
    secret: Option<&'a str>,
    signing: Signing,
    auth: Option<&'a BasicAuth>,
    headers: &'a [ExtraHeader],
    retry: Option<&'a RetryPolicy>,
    timeout_seconds: Option<u8>,
    template: Option<&'a Template>,
}

impl DirectDraft {
    /// Whose it says it is.
    pub fn tenant(&self) -> Option<&TenantId> {
        self.tenant.as_ref()
    }

    /// How many bytes of JSON its payload is.
    pub fn payload_bytes(&self) -> usize {
        self.payload.get().len()
    }

    /// The event, and the endpoint that it goes to. `generated` is its secret unless the draft
    /// brings one. `key` makes the id: what is secret must not be guessed from it.
    ///
    /// # Errors
    /// The first field that breaks its rule.
    pub fn check(
        self,
        tenant: &TenantId,
        generated: Secret,
        key: &SigningKey,
        allowed: &AllowedTargets,
        now: Timestamp,
    ) -> Result<Direct, Invalid> {
        let given = self.secret.clone();
        let draft = EndpointDraft {
            url: Some(self.url),
            event_types: Some(vec!["*".to_owned()]),
            secret: self.secret,
            signing: self.signing,
            headers: self.headers,
            max_retries: self.max_attempts,
            auth: set(self.auth),
            retry: set(self.retry),
            timeout_seconds: set(self.timeout_seconds),
            template: set(self.template),
            ..EndpointDraft::default()
        };
        let no_id = EndpointId::of_url([0; 32]);
        let made = draft.create(no_id, tenant.clone(), generated, allowed, now)?;
        let place = Place {
            tenant,
            url: made.url.as_url().as_str(),
            secret: given.as_deref(),
            signing: made.signing(),
            auth: made.auth.as_ref(),
            headers: &made.headers,
            retry: made.retry.as_ref(),
            timeout_seconds: made.timeout_seconds,
            template: made.template.as_ref(),
        };
        // Nothing in there can fail to serialize: text and finite numbers.
        let place = serde_json::to_string(&place).unwrap_or_default();
        let endpoint = Endpoint {
            id: EndpointId::of_url(key.sign(PURPOSE, &place)),
            event_types: Vec::new(),
            managed_by: Some(ManagedBy::Delivery),
            ..made
        };
        let event = EventDraft {
            id: self.id,
            event_type: self.event_type.unwrap_or_else(|| DIRECT_EVENT.to_owned()),
            payload: self.payload,
            tenant: self.tenant,
            idempotency_key: self.idempotency_key,
            deliver_at: self.deliver_at,
            cloud_event: None,
        };
        Ok(Direct {
            event: event.check(now)?,
            endpoint,
        })
    }
}

fn set<T>(given: Option<T>) -> Patch<T> {
    given.map_or(Patch::Keep, Patch::Set)
}

impl Direct {
    /// A hash of what is posted and where to, to tell a repeat from another call with its key.
    pub fn fingerprint(&self) -> String {
        format!("{}@{}", self.event.fingerprint(), self.endpoint.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn direct_for(tenant: &str, n: u8, json: &str) -> Result<Direct, String> {
        let draft: DirectDraft = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let (tenant, key) = (tenant.parse().unwrap(), SigningKey::new([7; 32]));
        let (allowed, now) = (AllowedTargets::default(), Timestamp::default());
        draft
            .check(&tenant, Secret::generate([n; 32]), &key, &allowed, now)
            .map_err(|invalid| invalid.field.into_owned())
    }

    fn direct(n: u8, json: &str) -> Result<Direct, String> {
        direct_for("a", n, json)
    }

    #[test]
    fn the_same_place_is_the_same_endpoint_and_every_difference_another() {
        let first = direct(1, r#"{"url":"https://a.example/","payload":{"n":1}}"#).unwrap();
        let again = r#"{"endpoint_url":"https://a.example","data":2,"event":"b"}"#;
        assert_eq!(direct(2, again).unwrap().endpoint.id, first.endpoint.id);
        assert!(first.endpoint.id.is_unlisted());
        let mut ids = vec![first.endpoint.id];
        ids.push(direct_for("b", 1, again).unwrap().endpoint.id);
        for more in [
            r#""url":"https://a.example/?b""#,
            r#""url":"https://a.example/","secret":"long enough""#,
            r#""url":"https://a.example/","signing":"ed25519""#,
            r#""url":"https://a.example/","headers":{"X-A":"1"}"#,
            r#""url":"https://a.example/","headers":{"X-A":"2"}"#,
            r#""url":"https://a.example/","auth":{"username":"a","password":"b"}"#,
            r#""url":"https://a.example/","max_attempts":3"#,
            r#""url":"https://a.example/","timeout":3"#,
            r#""url":"https://a.example/","template":{"n":1}"#,
        ] {
            let json = format!(r#"{{"payload":{{}},{more}}}"#);
            let id = direct(1, &json).unwrap().endpoint.id;
            assert!(!ids.contains(&id), "{more}");
            ids.push(id);
        }
    }

    #[test]
    fn it_wants_no_events_and_says_why_it_is_there() {
        let json = r#"{"url":"https://a.example/","payload":{}}"#;
        let Direct { event, endpoint } = direct(1, json).unwrap();
        assert_eq!(event.event_type.as_str(), DIRECT_EVENT);
        assert!(endpoint.event_types.is_empty());
        assert_eq!(endpoint.managed_by, Some(ManagedBy::Delivery));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (json, field) in [
            (r#"{"payload":{}}"#, "missing field `url`"),
            (r#"{"url":"https://a.example/"}"#, "missing field `payload`"),
            (r#"{"url":"http://a.example/","payload":{}}"#, "url"),
            (r#"{"url":"https://10.0.0.1/","payload":{}}"#, "url"),
            (r#"{"url":"https://a.example/","payload":null}"#, "payload"),
            (
                r#"{"url":"https://a.example/","payload":{},"timeout":99}"#,
                "timeout_seconds",
            ),
            (
                r#"{"url":"https://a.example/","payload":{},"secret":"x"}"#,
                "secret",
            ),
        ] {
            let error = direct(1, json).unwrap_err();
            assert!(error.starts_with(field), "{json}: {error}");
        }
    }
}
