//! What an event would do, tried out: whom it would reach, and the request that one would get.
//! Nothing is stored and nothing is sent.

use hookpost_adapters::api::Problem;
use hookpost_adapters::auth::Caller;
use hookpost_adapters::world::random_bytes;
use hookpost_domain::endpoint::{Endpoint, Patch};
use hookpost_domain::event::{CheckedDraft, EventDraft, Payload};
use hookpost_domain::matching::EventPattern;
use hookpost_domain::ports::{EndpointList, Events, World};
use hookpost_domain::template::Template;
use hookpost_domain::trace::TraceParent;
use hookpost_domain::{EventId, Invalid, reach, request};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Management;
use crate::view::{MatchView, PreviewView};

/// An event that is only asked about.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MatchInput {
    /// The type.
    #[serde(alias = "type", alias = "event")]
    event_type: String,
    /// Any JSON but null.
    #[serde(alias = "data")]
    #[schemars(with = "serde_json::Value")]
    payload: Box<RawValue>,
}

/// What to see an endpoint's request of: an event that is stored, or one that is made up.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PreviewInput {
    /// A type; the first that the endpoint names unless given.
    #[serde(alias = "type", alias = "event")]
    event_type: Option<String>,
    /// Any JSON; `{}` unless given.
    #[serde(alias = "data")]
    #[schemars(with = "Option<serde_json::Value>")]
    payload: Option<Box<RawValue>>,
    /// An event that is stored, whose type and payload are taken unless given.
    event_id: Option<String>,
    /// A template in place of the endpoint's; null for none.
    #[schemars(with = "Option<serde_json::Value>")]
    template: Patch<Box<RawValue>>,
}

fn checked(event_type: String, payload: Box<RawValue>) -> Result<CheckedDraft, Invalid> {
    let draft = EventDraft {
        id: None,
        event_type,
        payload,
        tenant: None,
        idempotency_key: None,
        deliver_at: None,
        cloud_event: None,
    };
    draft.check(hookpost_domain::Timestamp::default())
}

impl<W: World> Management<W> {
    /// Which endpoints an event would reach, and why the others not.
    ///
    /// # Errors
    /// 422 for a field that breaks its rule.
    pub async fn match_event(
        &self,
        caller: &Caller,
        input: MatchInput,
    ) -> Result<MatchView, Problem> {
        let event = checked(input.event_type, input.payload)?;
        let endpoints = self.store.endpoints(&caller.tenant).await?;
        let payload = Payload::new(&event.payload);
        let reached: Vec<_> = endpoints
            .iter()
            .map(|endpoint| {
                let reach = reach::reach(endpoint, &event.event_type, &payload);
                (endpoint, reach)
            })
            .collect();
        Ok(MatchView::of(event.event_type.clone(), &reached))
    }

    /// The request that an endpoint would get for an event, signed with its newest key.
    ///
    /// # Errors
    /// 404 if the tenant has no endpoint of this id, 422 for a field that breaks its rule and for a
    /// template that cannot be rendered for the event.
    pub async fn preview(
        &self,
        caller: &Caller,
        id: &str,
        input: PreviewInput,
    ) -> Result<PreviewView, Problem> {
        let mut endpoint = self.whole_endpoint(caller, id).await?;
        match input.template {
            Patch::Keep => {}
            Patch::Clear => endpoint.template = None,
            Patch::Set(template) => endpoint.template = Some(Template::new(template)?),
        }
        endpoint.signing_keys.truncate(1);
        let now = self.world.now();
        let stored = match &input.event_id {
            None => None,
            Some(id) => {
                let unknown = || Invalid::new("event_id", "must be the id of a stored event");
                let id: EventId = id.parse().map_err(|_| unknown())?;
                let event = self.store.event(&caller.tenant, id).await?;
                Some(event.ok_or_else(unknown)?)
            }
        };
        let (mut cloud_event, mut trace) = (None, None);
        let (id, known) = match stored {
            None => (EventId::generate(now, random_bytes()), None),
            Some(event) => {
                (cloud_event, trace) = (event.cloud_event, event.traceparent);
                (event.id, Some((event.event_type.into(), event.payload)))
            }
        };
        let (known_type, known_payload) = known.unzip();
        let event = checked(
            input
                .event_type
                .or(known_type)
                .unwrap_or_else(|| example_type(&endpoint)),
            input.payload.or(known_payload).map_or_else(empty, Ok)?,
        )?;
        let (event_type, data) = (&event.event_type, &event.payload);
        let body = request::body(&endpoint, id, event_type, data, cloud_event.as_deref())
            .map_err(|broken| Invalid::new(format!("template{}", broken.at), broken.why))?;
        let mut request = request::sign(&endpoint, id, &event.event_type, body, now);
        request.trace(trace.unwrap_or_else(|| TraceParent::of_event(id)));
        Ok(PreviewView::of(&endpoint, &request))
    }
}

fn empty() -> Result<Box<RawValue>, Problem> {
    RawValue::from_string("{}".to_owned()).map_err(|_| Problem::bad_request("no payload"))
}

/// A type that the endpoint wants.
fn example_type(endpoint: &Endpoint) -> String {
    match endpoint.event_types.first() {
        Some(EventPattern::Exactly(event_type)) => event_type.to_string(),
        Some(EventPattern::Under(stem)) => format!("{stem}example"),
        Some(EventPattern::All) | None => "example.event".to_owned(),
    }
}
