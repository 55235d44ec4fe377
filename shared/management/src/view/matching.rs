//! What an event would do.

use std::collections::BTreeMap;

use hookpost_domain::EndpointId;
use hookpost_domain::endpoint::Endpoint;
use hookpost_domain::matching::{EventPattern, EventType};
use hookpost_domain::reach::{Fate, Reach};
use hookpost_domain::request::SignedRequest;
use schemars::JsonSchema;
use serde::Serialize;

use super::endpoint::{MASK, state_name};

/// Which endpoints an event would reach.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Match")]
pub struct MatchView {
    /// The event's type.
    pub event_type: EventType,
    /// How many it would reach.
    pub matched: usize,
    /// Every endpoint, oldest first.
    pub endpoints: Vec<EndpointMatch>,
}

/// What an event means to one endpoint.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct EndpointMatch {
    /// Which endpoint.
    pub endpoint_id: EndpointId,
    /// Its name.
    pub name: String,
    /// `active`, `paused` or `disabled`.
    pub state: &'static str,
    /// Whether it wants the event.
    pub matched: bool,
    /// What would become of it: `sent`, `held` (it is paused), `dead_letter` (it is disabled), or
    /// `not_wanted`.
    pub outcome: &'static str,
    /// Why, in a sentence.
    pub reason: String,
    /// The pattern of its `event_types` that the type matches.
    pub pattern: Option<EventPattern>,
    /// Its filter, if it has one.
    pub filter: Option<FilterMatch>,
}

/// What a filter says to a payload.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FilterMatch {
    /// Whether it holds.
    pub matched: bool,
    /// What of it does not.
    pub unmet: Vec<UnmetView>,
}

/// A part of a filter that does not hold.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Unmet")]
pub struct UnmetView {
    /// The field: `data.order.amount`.
    pub path: String,
    /// Its conditions.
    pub wants: String,
    /// What the payload has there.
    pub found: String,
}

impl MatchView {
    /// What an event of this type means to each endpoint.
    pub fn of(event_type: EventType, reached: &[(&Endpoint, Reach)]) -> Self {
        let endpoints: Vec<EndpointMatch> = reached
            .iter()
            .map(|(endpoint, reach)| EndpointMatch::of(endpoint, reach))
            .collect();
        Self {
            event_type,
            matched: endpoints.iter().filter(|one| one.matched).count(),
            endpoints,
        }
    }
}

impl EndpointMatch {
    fn of(endpoint: &Endpoint, reach: &Reach) -> Self {
        let unmet = reach.unmet.iter().map(|unmet| UnmetView {
            path: unmet.path.clone(),
            wants: unmet.wants.clone(),
            found: unmet.found.clone(),
        });
        Self {
            endpoint_id: endpoint.id.clone(),
            name: endpoint.name.clone(),
            state: state_name(endpoint.state),
            matched: reach.fate != Fate::NotWanted,
            outcome: reach.fate.as_str(),
            reason: reach.reason(),
            pattern: reach.pattern.clone(),
            filter: endpoint.filter.as_ref().map(|_| FilterMatch {
                matched: reach.unmet.is_empty(),
                unmet: unmet.collect(),
            }),
        }
    }
}

/// A request as it would be sent.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Preview")]
pub struct PreviewView {
    /// `POST`.
    pub method: &'static str,
    /// Where it would go.
    pub url: String,
    /// Its headers. The values of the endpoint's own and of `authorization` are `***`.
    pub headers: BTreeMap<String, String>,
    /// The body, to the byte: what is signed.
    pub body: String,
}

impl PreviewView {
    /// `request` as `endpoint` would get it.
    pub fn of(endpoint: &Endpoint, request: &SignedRequest) -> Self {
        let is_secret = |name: &str| {
            let same = |own: &str| own.eq_ignore_ascii_case(name);
            same("authorization") || endpoint.headers.iter().any(|own| same(&own.name))
        };
        let headers = request.headers.iter().map(|(name, value)| {
            let value = if is_secret(name) { MASK } else { value };
            (name.clone(), value.to_owned())
        });
        Self {
            method: "POST",
            url: endpoint.url.as_url().to_string(),
            headers: headers.collect(),
            body: String::from_utf8_lossy(&request.body).into_owned(),
        }
    }
}
