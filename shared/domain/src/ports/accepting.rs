//! What taking events in needs, besides the queue.

use std::future::Future;

use super::{Error, Events, Rulebook};
use crate::catalogue::TypeEntry;
use crate::endpoint::Endpoint;
use crate::event::Event;
use crate::matching::EventType;
use crate::{EventId, TenantId, Timestamp};

/// An idempotency key, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The event that was, or is being, accepted under it.
    pub event: EventId,
    /// What was posted.
    pub fingerprint: String,
    /// Whether all of its deliveries were sent: a repeat need not send anything.
    pub sent: bool,
}

/// Who has an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// It is new, and ours.
    New,
    /// It was used before.
    Known(IdempotencyKey),
}

/// Idempotency keys.
pub trait IdempotencyKeys: Send + Sync {
    /// Takes `key` for an event, or says what it was used for. A key older than a day is new.
    fn claim(
        &self,
        tenant: &TenantId,
        key: &str,
        event: EventId,
        fingerprint: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<Claim, Error>> + Send;

    /// Takes `key` over for event `new` from `old`, which was never stored: the event that it now
    /// stands for, which is another's if that was faster.
    fn take_over(
        &self,
        tenant: &TenantId,
        key: &str,
        old: EventId,
        new: EventId,
        now: Timestamp,
    ) -> impl Future<Output = Result<EventId, Error>> + Send;

    /// What `key` was last used for.
    fn claimed(
        &self,
        tenant: &TenantId,
        key: &str,
    ) -> impl Future<Output = Result<Option<IdempotencyKey>, Error>> + Send;

    /// Notes that everything was sent for the event under `key`.
    fn mark_sent(
        &self,
        tenant: &TenantId,
        key: &str,
        event: EventId,
    ) -> impl Future<Output = Result<(), Error>> + Send;
}

/// Where events are put.
pub trait EventIntake: Events {
    /// Stores events, so that they are found by their id and by their time. Storing one again
    /// changes nothing. After an error some of them may be stored.
    fn store_events(&self, events: &[Event]) -> impl Future<Output = Result<(), Error>> + Send;
}

/// How often the things of a tenant have been changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Versions {
    /// Its endpoints.
    pub endpoints: u64,
    /// The rules for its event types.
    pub rules: u64,
}

/// What is told of event types.
pub trait EventTypes: Rulebook {
    /// What is told of a type.
    fn event_type(
        &self,
        tenant: &TenantId,
        name: &EventType,
    ) -> impl Future<Output = Result<Option<TypeEntry>, Error>> + Send;
}

/// All endpoints of a tenant.
pub trait EndpointList: Send + Sync {
    /// How often the tenant's endpoints, and the rules for its event types, have been changed.
    fn versions(&self, tenant: &TenantId) -> impl Future<Output = Result<Versions, Error>> + Send;

    /// All of them, oldest first, without their secrets.
    fn endpoints(
        &self,
        tenant: &TenantId,
    ) -> impl Future<Output = Result<Vec<Endpoint>, Error>> + Send;

    /// One of them as of now, without its secrets.
    fn endpoint_config(
        &self,
        tenant: &TenantId,
        id: &crate::EndpointId,
    ) -> impl Future<Output = Result<Option<Endpoint>, Error>> + Send;
}
