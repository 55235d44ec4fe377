//! What the domain needs of the world, as narrow traits: the adapters implement them over AWS and
//! HTTP, tests over fakes and faults.
//!
//! A lost race is a value, never an error.

mod accepting;
mod finding;
mod lines;

use std::future::Future;
use std::time::Duration;

pub use accepting::{
    Claim, EndpointList, EventIntake, EventTypes, IdempotencyKey, IdempotencyKeys, Versions,
};
pub use finding::{
    Cursors, DeliveryPage, EventHistory, EventTimes, EventWalk, HoldingNote, HoldingNotes, Jobs,
    Notes, OutlinePage, RecordIndex, RecordPage, Records, Waiting, WaitingPage, WaitingRef,
};
pub use lines::{LineEnds, LineNote, LineNotes, LineViews, Lines, WakeQueue};

use crate::breaker::Health;
use crate::carrier::{Carrier, FanOut};
use crate::catalogue::{Retries, Rules};
use crate::counters::{Counters, Key};
use crate::delivery::{AttemptResult, Delivery};
use crate::endpoint::Endpoint;
use crate::event::Event;
use crate::lane::Lane;
use crate::quota::Meter;
use crate::request::SignedRequest;
use crate::running::Running;
use crate::target::TargetUrl;
use crate::{DeliveryId, EndpointId, EventId, TenantId, Timestamp};

/// A call that did not work out: whether it took effect is not known.
#[derive(Debug, thiserror::Error)]
#[error("{call} failed")]
pub struct Error {
    /// Which call: `PutItem deliveries`.
    pub call: &'static str,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

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
    /// An endpoint and its health; a health never written is the default one.
    fn endpoint(
        &self,
        tenant: &TenantId,
        id: &EndpointId,
    ) -> impl Future<Output = Result<Option<(Endpoint, Health)>, Error>> + Send;

    /// Stores a health over the one of version `over` (0: none).
    fn store_health(
        &self,
        tenant: &TenantId,
        id: &EndpointId,
        health: &Health,
        over: u64,
    ) -> impl Future<Output = Result<Write<Health>, Error>> + Send;

    /// Stores an endpoint over the one of version `over`.
    fn store_endpoint(
        &self,
        endpoint: &Endpoint,
        over: u64,
    ) -> impl Future<Output = Result<Write<Endpoint>, Error>> + Send;
}

/// What holds for the event types of a tenant.
pub trait Rulebook: Send + Sync {
    /// A tenant's rules; rules never written are the default ones.
    fn rules(&self, tenant: &TenantId) -> impl Future<Output = Result<Rules, Error>> + Send;

    /// What of them says when failed deliveries are tried again.
    fn retries(&self, tenant: &TenantId) -> impl Future<Output = Result<Retries, Error>> + Send {
        async { Ok(self.rules(tenant).await?.retries()) }
    }
}

/// Events.
pub trait Events: Send + Sync {
    /// An event by its id.
    fn event(
        &self,
        tenant: &TenantId,
        id: EventId,
    ) -> impl Future<Output = Result<Option<Event>, Error>> + Send;
}

/// The records of deliveries.
pub trait Deliveries: Send + Sync {
    /// A record by its id, as of now.
    fn delivery(
        &self,
        id: &DeliveryId,
    ) -> impl Future<Output = Result<Option<Delivery>, Error>> + Send;

    /// Stores a record over the one of version `over` (0: none).
    fn store_delivery(
        &self,
        delivery: &Delivery,
        over: u64,
    ) -> impl Future<Output = Result<Write<Delivery>, Error>> + Send;
}

/// Meters of rate limits, by name.
pub trait Meters: Send + Sync {
    /// A meter; one never written is the default one.
    fn meter(&self, name: &str) -> impl Future<Output = Result<Meter, Error>> + Send;

    /// Stores a meter over the one of version `over` (0: none).
    fn store_meter(
        &self,
        name: &str,
        meter: &Meter,
        over: u64,
    ) -> impl Future<Output = Result<Write<Meter>, Error>> + Send;
}

/// Limits of what is under way at once, by name.
pub trait Concurrency: Send + Sync {
    /// The places that are taken of a limit; one never written is the default one.
    fn running(&self, name: &str) -> impl Future<Output = Result<Running, Error>> + Send;

    /// Stores them over those of version `over` (0: none).
    fn store_running(
        &self,
        name: &str,
        running: &Running,
        over: u64,
    ) -> impl Future<Output = Result<Write<Running>, Error>> + Send;
}

/// Endpoints that hold deliveries back, for the sweeper to look after.
pub trait Holding: Send + Sync {
    /// Notes that this endpoint may hold deliveries back from now on. Again is fine.
    fn note_holding(
        &self,
        tenant: &TenantId,
        id: &EndpointId,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), Error>> + Send;
}

/// Where sums are kept.
pub trait Counting: Send + Sync {
    /// Adds to a sum. After an error it may have been added.
    fn add_counts(
        &self,
        key: &Key,
        counts: Counters,
    ) -> impl Future<Output = Result<(), Error>> + Send;
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

/// The delivery queue, and the slow lane's beside it.
pub trait DeliveryQueue: Send + Sync {
    /// Sends all of it, each after its delay (at most 15 minutes). `Ok` only if all were taken; an
    /// error may have sent some.
    fn send(
        &self,
        messages: Vec<(Outgoing, Duration)>,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Sends a delivery on by the slow lane.
    fn divert(&self, carrier: Carrier) -> impl Future<Output = Result<(), Error>> + Send;

    /// Leaves a message received in this lane invisible for this long (whole seconds) from now.
    fn keep_back(
        &self,
        lane: Lane,
        receipt: &str,
        visible_in: Duration,
    ) -> impl Future<Output = Result<(), Error>> + Send;
}

/// How full the queues of deliveries are.
pub trait Backlog: Send + Sync {
    /// Whether nothing waits in either lane's queue, is under way from it, or delayed in it.
    fn are_lanes_empty(&self) -> impl Future<Output = Result<bool, Error>> + Send;
}

/// The way of a given-up delivery's last word to the dead-letter queue.
pub trait Refusal: Send + Sync {
    /// Leaves a message of the queue that is consumed visible at once, so that SQS counts it and in the
    /// end moves it to the dead-letter queue.
    fn refuse(&self, receipt: &str) -> impl Future<Output = Result<(), Error>> + Send;
}

/// The queue before the dead-letter queue.
pub trait ExhaustedQueue: Send + Sync {
    /// Sends a delivery's last word, or a poison body, as JSON made by `body` at the time it is
    /// given: each try is dated anew, so that a slow send never looks like a redrive.
    fn bury(
        &self,
        body: impl Fn(Timestamp) -> String + Send + Sync,
    ) -> impl Future<Output = Result<(), Error>> + Send;
}

/// What a request came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The result, for the log of attempts.
    pub result: AttemptResult,
    /// The `Retry-After` header as it was sent.
    pub retry_after: Option<String>,
    /// The head of the answer's body, if it was asked for.
    pub body: Vec<u8>,
}

/// The way to the endpoints.
pub trait Transport: Send + Sync {
    /// Makes one request, within `timeout` in all. Whatever happens is an answer. Where the head of
    /// its body is asked for by `with_body`, an answer whose body does not come is a failure.
    fn post(
        &self,
        url: &TargetUrl,
        request: SignedRequest,
        timeout: Duration,
        with_body: bool,
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
