//! What is done to an endpoint without changing what it is like: enable, disable, pause, resume,
//! and a test event. Each can be said again and changes nothing then.

use std::time::Duration;

use hookpost_adapters::api::Problem;
use hookpost_adapters::auth::Caller;
use hookpost_adapters::world::random_bytes;
use hookpost_domain::carrier::Carrier;
use hookpost_domain::endpoint::{DisabledBy, Endpoint, EndpointState};
use hookpost_domain::event::{Event, EventDraft};
use hookpost_domain::ports::{DeliveryQueue, EventIntake, Outgoing, World};
use hookpost_domain::{DeliveryId, EventId};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::Management;
use crate::view::{EndpointView, TestView};

/// The type of test events.
const TEST_EVENT: &str = "hookpost.test";

/// What a test event is like.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TestDraft {
    /// Its payload; a greeting unless given.
    #[serde(alias = "data")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub payload: Option<Box<RawValue>>,
}

fn disabled() -> Problem {
    Problem::conflict("this endpoint is disabled; enable it first")
}

impl<W: World> Management<W> {
    /// Lets events go to an endpoint that is disabled. One that is paused stays so.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id.
    pub async fn enable_endpoint(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<EndpointView, Problem> {
        self.set_state(caller, id, |state| match state {
            EndpointState::Active | EndpointState::Paused => Ok(None),
            EndpointState::Disabled(_) => Ok(Some(EndpointState::Active)),
        })
        .await
    }

    /// Lets no event go to an endpoint: its deliveries become dead letters, to be replayed once it
    /// is enabled.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id.
    pub async fn disable_endpoint(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<EndpointView, Problem> {
        self.set_state(caller, id, |state| match state {
            EndpointState::Active | EndpointState::Paused => {
                Ok(Some(EndpointState::Disabled(DisabledBy::Operator)))
            }
            EndpointState::Disabled(_) => Ok(None),
        })
        .await
    }

    /// Lets an endpoint's deliveries wait.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id, 409 if it is disabled.
    pub async fn pause_endpoint(&self, caller: &Caller, id: &str) -> Result<EndpointView, Problem> {
        self.set_state(caller, id, |state| match state {
            EndpointState::Active => Ok(Some(EndpointState::Paused)),
            EndpointState::Paused => Ok(None),
            EndpointState::Disabled(_) => Err(disabled()),
        })
        .await
    }

    /// Lets go what waits for an endpoint that was paused.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id, 409 if it is disabled.
    pub async fn resume_endpoint(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<EndpointView, Problem> {
        self.set_state(caller, id, |state| match state {
            EndpointState::Active => Ok(None),
            EndpointState::Paused => Ok(Some(EndpointState::Active)),
            EndpointState::Disabled(_) => Err(disabled()),
        })
        .await
    }

    async fn set_state(
        &self,
        caller: &Caller,
        id: &str,
        next: impl Fn(EndpointState) -> Result<Option<EndpointState>, Problem>,
    ) -> Result<EndpointView, Problem> {
        let now = self.world.now();
        let change = |current: &Endpoint| {
            let state = next(current.state)?;
            Ok(state.map(|state| current.with_state(state, now)))
        };
        self.change_endpoint_by(caller, id, change).await
    }

    /// Sends an event to this endpoint only, whatever types it wants, the way of all events. An
    /// error after the event was stored has promised nothing, and may still deliver it.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id, 422 for a payload that no event may have.
    pub async fn test_endpoint(
        &self,
        caller: &Caller,
        id: &str,
        draft: TestDraft,
    ) -> Result<TestView, Problem> {
        let endpoint = self.find_endpoint(caller, id).await?;
        let now = self.world.now();
        let greeting = || {
            let text = serde_json::json!({
                "message": "This is a test event from Hookpost.",
                "endpoint_id": endpoint.id,
            });
            to_raw_value(&text).unwrap_or_else(|_| RawValue::NULL.to_owned())
        };
        let checked = EventDraft {
            id: None,
            idempotency_key: None,
            event_type: TEST_EVENT.to_owned(),
            payload: draft.payload.unwrap_or_else(greeting),
            tenant: None,
            deliver_at: None,
            cloud_event: None,
        }
        .check_own(now)?;
        let event = Event {
            id: EventId::generate(now, random_bytes()),
            tenant: endpoint.tenant.clone(),
            event_type: checked.event_type,
            payload: checked.payload,
            alias: None,
            endpoints: vec![endpoint.id.clone()],
            deliver_at: None,
            cloud_event: None,
            traceparent: None,
        };
        let stored = std::slice::from_ref(&event);
        self.store.store_events(stored).await?;
        let at_once = Duration::ZERO;
        let (carrier, delay) = Carrier::first(&event, &endpoint.id, at_once, at_once, false, now);
        let message = Outgoing::Deliver(Box::new(carrier));
        self.queues.send(vec![(message, delay)]).await?;
        Ok(TestView {
            event_id: event.id,
            event_type: event.event_type.to_string(),
            delivery_id: DeliveryId {
                event: event.id,
                endpoint: endpoint.id,
            },
        })
    }
}
