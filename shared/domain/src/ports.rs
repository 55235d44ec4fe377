//! What the domain needs of the world, as narrow traits: the adapters implement them over AWS and
//! HTTP, tests over fakes and faults.
//!
//! A lost race is a value, never an error.

use std::future::Future;
use std::time::Duration;

use crate::breaker::Health;
use crate::carrier::{Carrier, FanOut};
use crate::delivery::{AttemptResult, Delivery};
use crate::endpoint::Endpoint;
use crate::event::Event;
use crate::quota::Meter;
use crate::request::SignedRequest;
use crate::target::TargetUrl;
use crate::{DeliveryId, EndpointId, EventId, TenantId, Timestamp};

/// What came of a write that only one can win.
#[derive(Debug, Clone, PartialEq)]
pub enum Write<T> {
    /// It is stored.
    Won,
    /// Another was stored before, and this is it (`None` if it has since gone).
    Lost(Option<T>),
}

/// Endpoints, their configuration and their health.
pub trait Endpoints: Send + Sync {
    /// What can go wrong.
    type Error: std::error::Error + Send + Sync + 'static;

    /// An endpoint and its health; a health never written is the default one.
    fn load(
        &self,
        tenant: &TenantId,
        id: &EndpointId,
    ) -> impl Future<Output = Result<Option<(Endpoint, Health)>, Self::Error>> + Send;

    /// Stores a health over the one of version `over` (0: none).
    fn store_health(
        &self,
        tenant: &TenantId,
        id: &EndpointId,
        health: &Health,
        over: u64,
    ) -> impl Future<Output = Result<Write<Health>, Self::Error>> + Send;

    /// Stores an endpoint over the one of version `over`.
    fn store(
        &self,
        endpoint: &Endpoint,
        over: u64,
    ) -> impl Future<Output = Result<Write<Endpoint>, Self::Error>> + Send;
}

/// Events.
pub trait Events: Send + Sync {
    /// What can go wrong.
    type Error: std::error::Error + Send + Sync + 'static;

    /// An event by its id.
    fn get(
        &self,
        tenant: &TenantId,
        id: EventId,
    ) -> impl Future<Output = Result<Option<Event>, Self::Error>> + Send;
}

/// The records of deliveries.
pub trait Deliveries: Send + Sync {
    /// What can go wrong.
    type Error: std::error::Error + Send + Sync + 'static;

    /// A record by its id, as of now.
    fn get(
        &self,
        id: &DeliveryId,
    ) -> impl Future<Output = Result<Option<Delivery>, Self::Error>> + Send;

    /// Stores a record over the one of version `over` (0: none).
    fn store(
        &self,
        delivery: &Delivery,
        over: u64,
    ) -> impl Future<Output = Result<Write<Delivery>, Self::Error>> + Send;
}

/// Meters of rate limits, by name.
pub trait Meters: Send + Sync {
    /// What can go wrong.
    type Error: std::error::Error + Send + Sync + 'static;

    /// A meter; one never written is the default one.
    fn get(&self, name: &str) -> impl Future<Output = Result<Meter, Self::Error>> + Send;

    /// Stores a meter over the one of version `over` (0: none).
    fn store(
        &self,
        name: &str,
        meter: &Meter,
        over: u64,
    ) -> impl Future<Output = Result<Write<Meter>, Self::Error>> + Send;
}

/// Endpoints that hold deliveries back, for the sweeper to look after.
pub trait Holding: Send + Sync {
    /// What can go wrong.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Notes that this endpoint may hold deliveries back from now on. Again is fine.
    fn note(
        &self,
        tenant: &TenantId,
        id: &EndpointId,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// A message for the delivery queue.
#[derive(Debug, Clone)]
pub enum Outgoing {
    /// One delivery.
    Deliver(Box<Carrier>),
    /// A range of an event's deliveries.
    FanOut(FanOut),
    /// A body as it is: a poison message that is tried again.
    Raw(String),
}

/// The delivery queue.
pub trait DeliveryQueue: Send + Sync {
    /// What can go wrong.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Sends all of it, each after its delay (at most 15 minutes). `Ok` only if all were taken; an
    /// error may have sent some.
    fn send(
        &self,
        messages: Vec<(Outgoing, Duration)>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Leaves a received message invisible for this long (whole seconds) from now.
    fn keep_back(
        &self,
        receipt: &str,
        visible_in: Duration,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// The queue before the dead-letter queue.
pub trait ExhaustedQueue: Send + Sync {
    /// What can go wrong.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Sends a delivery's last word, or a poison body, as JSON made by `body` at the time it is
    /// given: each try is dated anew, so that a slow send never looks like a redrive.
    fn bury(
        &self,
        body: impl Fn(Timestamp) -> String + Send + Sync,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// What a request came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The result, for the log of attempts.
    pub result: AttemptResult,
    /// The `Retry-After` header as it was sent.
    pub retry_after: Option<String>,
}

/// The way to the endpoints.
pub trait Transport: Send + Sync {
    /// Makes one request, within `timeout` in all. Whatever happens is an answer.
    fn post(
        &self,
        url: &TargetUrl,
        request: SignedRequest,
        timeout: Duration,
    ) -> impl Future<Output = Answer> + Send;
}

/// The time and the dice.
pub trait World: Send + Sync {
    /// The time.
    fn now(&self) -> Timestamp;

    /// A number from [0, 1).
    fn roll(&self) -> f64;

    /// A random number.
    fn token(&self) -> u64;
}
