//! The request that an endpoint gets, to the byte.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::endpoint::Endpoint;
use crate::inbound::Raw;
use crate::matching::EventType;
use crate::signature::Signing;
use crate::template::Unrendered;
use crate::trace::{TRACEPARENT, TraceParent};
use crate::{EndpointId, EventId, TenantId, Timestamp, signature};

/// What every request calls itself, unless the endpoint sets its own `User-Agent`.
pub const USER_AGENT: &str = concat!("Hookpost/", env!("CARGO_PKG_VERSION"));

/// A request that is ready to be sent: its headers and the bytes that were signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRequest {
    /// Name and value of each header. Names are unique but for their case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl SignedRequest {
    /// Says which trace the request is part of. No endpoint can set this header itself; one that
    /// came with somebody's webhook has led here.
    pub fn trace(&mut self, trace: TraceParent) {
        self.headers.retain(|(name, _)| name != TRACEPARENT);
        let header = (TRACEPARENT.to_owned(), trace.to_string());
        self.headers.push(header);
    }
}

/// A body that is not signed yet, and the headers that say what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    bytes: Vec<u8>,
    headers: Vec<(String, String)>,
}

impl Content {
    fn json(bytes: Vec<u8>) -> Self {
        let content_type = ("content-type".to_owned(), "application/json".to_owned());
        Self {
            bytes,
            headers: vec![content_type],
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    id: EventId,
    event: &'a EventType,
    timestamp: Timestamp,
    data: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    cloudevent: Option<&'a RawValue>,
}

/// What a template can name besides `data`.
#[derive(Serialize)]
struct About<'a> {
    id: EventId,
    event: &'a EventType,
    timestamp: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    cloudevent: Option<&'a RawValue>,
    tenant: &'a TenantId,
    endpoint: AboutEndpoint<'a>,
}

#[derive(Serialize)]
struct AboutEndpoint<'a> {
    id: &'a EndpointId,
    name: &'a str,
    metadata: &'a BTreeMap<String, String>,
}

/// The body: what the endpoint's template makes of the event, or
/// `{"id","event","timestamp","data"}` with the data as it was posted, and the other attributes of
/// what was posted as a CloudEvent in `cloudevent`. What came as somebody's webhook goes on as it
/// came, unless there is a template.
///
/// # Errors
/// The template needs what the event does not have.
pub fn body(
    endpoint: &Endpoint,
    event: EventId,
    event_type: &EventType,
    data: &RawValue,
    cloudevent: Option<&RawValue>,
) -> Result<Content, Unrendered> {
    if let Some(template) = &endpoint.template {
        let about = About {
            id: event,
            event: event_type,
            timestamp: event.time(),
            cloudevent,
            tenant: &endpoint.tenant,
            endpoint: AboutEndpoint {
                id: &endpoint.id,
                name: &endpoint.name,
                metadata: &endpoint.metadata,
            },
        };
        let about = serde_json::value::to_raw_value(&about).unwrap_or_default();
        return template.render(&about, data).map(Content::json);
    }
    if let Some(raw) = cloudevent.and_then(Raw::of) {
        return Ok(Content {
            bytes: raw.body(data),
            headers: raw.headers.into_iter().collect(),
        });
    }
    let body = Body {
        id: event,
        event: event_type,
        timestamp: event.time(),
        data,
        cloudevent,
    };
    // Nothing in there can fail to serialize: ids, text, and JSON that was parsed before.
    Ok(Content::json(serde_json::to_vec(&body).unwrap_or_default()))
}

/// Signs a body: the request for one attempt at `now`.
pub fn sign(
    endpoint: &Endpoint,
    event: EventId,
    event_type: &EventType,
    content: Content,
    now: Timestamp,
) -> SignedRequest {
    use base64::Engine;

    let id = event.to_string();
    let secrets = endpoint.secrets(now);
    let Content {
        bytes: body,
        headers: mut of_body,
    } = content;
    let mut headers = vec![
        ("webhook-id".to_owned(), id.clone()),
        ("webhook-timestamp".to_owned(), now.as_secs().to_string()),
        ("x-webhook-id".to_owned(), id.clone()),
        ("x-webhook-event".to_owned(), event_type.to_string()),
        ("x-webhook-timestamp".to_owned(), event.time().to_string()),
        (
            "webhook-signature".to_owned(),
            signature::standard(&secrets, &id, now, &body),
        ),
    ];
    // Keyed with the whole secret, which the receiver of an ed25519 signature does not have.
    let shared = |secret: &&signature::Secret| secret.signing() == Signing::Hmac;
    if let Some(newest) = secrets.first().filter(shared) {
        headers.push((
            "x-webhook-signature".to_owned(),
            signature::plain(newest, &body),
        ));
    }
    let sets = |name: &str| {
        endpoint
            .headers
            .iter()
            .any(|own| own.name.eq_ignore_ascii_case(name))
    };
    of_body.retain(|(name, _)| !sets(name));
    headers.extend(of_body);
    if !sets("user-agent") {
        headers.push(("user-agent".to_owned(), USER_AGENT.to_owned()));
    }
    if let Some(auth) = endpoint.auth.as_ref().filter(|_| !sets("authorization")) {
        let pair = format!("{}:{}", auth.username, auth.password);
        let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
        headers.push(("authorization".to_owned(), format!("Basic {encoded}")));
    }
    let own = endpoint
        .headers
        .iter()
        .map(|own| (own.name.to_ascii_lowercase(), own.value.clone()));
    headers.extend(own);
    SignedRequest { headers, body }
}
