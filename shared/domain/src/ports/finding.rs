//! Records and events by something else than one id: page by page, each in the order of its keys.

use std::collections::HashMap;
use std::future::Future;

use super::{Deliveries, Error};
use crate::delivery::Delivery;
use crate::event::{Bucket, EventOutline};
use crate::job::Job;
use crate::matching::EventType;
use crate::news::Note;
use crate::ports::Write;
use crate::{DeliveryId, EndpointId, EventId, TenantId, Timestamp};

/// Most records that are asked for by their ids at once.
const MAX_AT_ONCE: usize = 100;

/// Where a waiting delivery was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingRef {
    /// Which delivery.
    pub id: DeliveryId,
    /// Its order there.
    pub at: Timestamp,
}

/// A page of what waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WaitingPage {
    /// What was found, in order.
    pub found: Vec<WaitingRef>,
    /// Where to go on, if there may be more: the last one that was looked at.
    pub next: Option<WaitingRef>,
}

/// A page of delivery ids, in the order of their events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryPage {
    /// The deliveries.
    pub ids: Vec<DeliveryId>,
    /// Where to go on: the last event that was looked at, and its delivery.
    pub next: Option<DeliveryId>,
}

/// A page of one endpoint's records, in the order of their events.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RecordPage {
    /// The records.
    pub found: Vec<Delivery>,
    /// Where to go on: the last event that was looked at.
    pub next: Option<EventId>,
}

/// A page of events without their payloads.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OutlinePage {
    /// The events, oldest first.
    pub found: Vec<EventOutline>,
    /// Where to go on, if there may be more: the last one that was looked at.
    pub next: Option<EventId>,
}

/// A part of a tenant's events.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventWalk {
    /// The events, newest first.
    pub found: Vec<EventOutline>,
    /// Whether there may be more before the last one.
    pub more: bool,
}

/// Many records at once.
pub trait Records: Deliveries {
    /// Those of `ids` (at most 100) that have a record, in no order. One that cannot be read is
    /// logged and left out, so that it stands in no other's way.
    fn deliveries(
        &self,
        ids: &[DeliveryId],
    ) -> impl Future<Output = Result<Vec<Delivery>, Error>> + Send;

    /// The deliveries called `ids`, in this order: their records, or where there is none yet, what
    /// a delivery is before anything has happened to it, of the type that `event_type` tells.
    fn deliveries_or_unwritten(
        &self,
        tenant: &TenantId,
        ids: &[DeliveryId],
        event_type: impl Fn(EventId) -> Option<EventType> + Send + Sync,
    ) -> impl Future<Output = Result<Vec<Delivery>, Error>> + Send {
        async move {
            let mut all = Vec::with_capacity(ids.len());
            for chunk in ids.chunks(MAX_AT_ONCE) {
                let found = self.deliveries(chunk).await?;
                let mut found: HashMap<DeliveryId, Delivery> = found
                    .into_iter()
                    .map(|delivery| (delivery.id.clone(), delivery))
                    .collect();
                for id in chunk {
                    let unwritten = || {
                        let event_type = event_type(id.event)?;
                        Some(Delivery::new(id.clone(), tenant.clone(), event_type))
                    };
                    all.extend(found.remove(id).or_else(unwritten));
                }
            }
            all.retain(|delivery| delivery.tenant == *tenant);
            Ok(all)
        }
    }
}

/// Records by endpoint, and by tenant and status.
pub trait RecordIndex: Records {
    /// Records of one tenant, status and shard in the order of their events, `newest` or oldest
    /// first, after `after`, accepted in `[from, to)`.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is one part of one key condition"
    )]
    fn by_status(
        &self,
        tenant: &TenantId,
        status: &str,
        shard: u8,
        after: Option<&DeliveryId>,
        range: (Option<Timestamp>, Option<Timestamp>),
        newest: bool,
        limit: i32,
    ) -> impl Future<Output = Result<DeliveryPage, Error>> + Send;

    /// Records of one endpoint and shard in the order of their events, `newest` or oldest first,
    /// after the event `after`, accepted in `[from, to)`. One that cannot be read is logged and
    /// left out. An endpoint's key knows no tenant: whose they are is for the caller to see.
    fn of_endpoint(
        &self,
        endpoint: &EndpointId,
        shard: u8,
        after: Option<EventId>,
        range: (Option<Timestamp>, Option<Timestamp>),
        newest: bool,
        limit: i32,
    ) -> impl Future<Output = Result<RecordPage, Error>> + Send;
}

/// A tenant's events, backwards in time.
pub trait EventHistory: Send + Sync {
    /// About `limit` events of a tenant accepted at or after `from`, without their payloads,
    /// newest first, from `upto` (and with it). At least one, if there is any.
    fn events_back(
        &self,
        tenant: &TenantId,
        upto: Option<EventId>,
        from: Option<Timestamp>,
        limit: usize,
    ) -> impl Future<Output = Result<EventWalk, Error>> + Send;
}

/// Everybody's events, forwards in time.
pub trait EventTimes: Send + Sync {
    /// The buckets of an hour that hold events, of all tenants. A marker that cannot be read is
    /// logged and left out.
    fn buckets_of_hour(
        &self,
        hour: &str,
    ) -> impl Future<Output = Result<Vec<Bucket>, Error>> + Send;

    /// A page of the events of a bucket accepted in `[from, to)`, oldest first and without their
    /// payloads, from where another page ended. One that cannot be read is logged and left out.
    fn outlines_between(
        &self,
        bucket: &Bucket,
        from: Timestamp,
        to: Timestamp,
        after: Option<EventId>,
    ) -> impl Future<Output = Result<OutlinePage, Error>> + Send;
}

/// What waits in the table.
pub trait Waiting: Send + Sync {
    /// What the sweeper has to look at by `until`, the earliest first, of one shard, from where
    /// another page ended.
    fn due(
        &self,
        shard: u8,
        until: Timestamp,
        after: Option<WaitingRef>,
        limit: i32,
    ) -> impl Future<Output = Result<WaitingPage, Error>> + Send;

    /// What an open breaker or a pause holds back of events accepted up to `until`, the oldest
    /// event first, of one shard, from where another page ended.
    fn held(
        &self,
        endpoint: &EndpointId,
        shard: u8,
        until: Timestamp,
        after: Option<WaitingRef>,
        limit: i32,
    ) -> impl Future<Output = Result<WaitingPage, Error>> + Send;
}

/// An endpoint that may hold deliveries back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldingNote {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub endpoint: EndpointId,
    /// When that was last noted.
    pub noted_at: Timestamp,
    /// Since when the sweeper has found it quiet: nothing held, and no reason to hold anything.
    pub quiet_since: Option<Timestamp>,
}

/// The notes of endpoints that may hold deliveries back, as the sweeper keeps them.
pub trait HoldingNotes: Send + Sync {
    /// All of them. One that cannot be read is logged and left out.
    fn holding(&self) -> impl Future<Output = Result<Vec<HoldingNote>, Error>> + Send;

    /// Notes since when an endpoint has been quiet, or that it is not, unless the note has been
    /// renewed.
    fn set_quiet(
        &self,
        note: &HoldingNote,
        since: Option<Timestamp>,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Forgets a note, unless it has been renewed.
    fn forget_holding(&self, note: &HoldingNote) -> impl Future<Output = Result<(), Error>> + Send;
}

/// Notes of what there is to tell, and of what has been told.
pub trait Notes: Send + Sync {
    /// All of them. One that cannot be read is logged and left out.
    fn notes(&self) -> impl Future<Output = Result<Vec<Note>, Error>> + Send;

    /// Notes something: under the name of another it adds to its count, and takes its place
    /// otherwise. After an error it may have been noted.
    fn note(&self, note: &Note) -> impl Future<Output = Result<(), Error>> + Send;

    /// Drops a note, unless it has been noted again.
    fn drop_note(&self, note: &Note) -> impl Future<Output = Result<(), Error>> + Send;
}

/// How far things have got that go through time.
pub trait Cursors: Send + Sync {
    /// How far this has got.
    fn cursor(&self, name: &str) -> impl Future<Output = Result<Option<Timestamp>, Error>> + Send;

    /// Notes how far it has got.
    fn set_cursor(
        &self,
        name: &str,
        at: Timestamp,
    ) -> impl Future<Output = Result<(), Error>> + Send;
}

/// Jobs, and the list of those that are not finished.
pub trait Jobs: Send + Sync {
    /// A job by its id.
    fn job(
        &self,
        tenant: &TenantId,
        id: &str,
    ) -> impl Future<Output = Result<Option<Job>, Error>> + Send;

    /// Stores a job over the one of version `over`. While it is not finished it is also listed
    /// among the open ones: first there, last from there. So an entry there may be ahead of its
    /// job.
    fn store_job(
        &self,
        job: &Job,
        over: u64,
    ) -> impl Future<Output = Result<Write<Job>, Error>> + Send;

    /// Takes a job off the list of open ones.
    fn close_job(
        &self,
        tenant: &TenantId,
        id: &str,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Tenant and id of every job that is not finished.
    fn open_jobs(&self) -> impl Future<Output = Result<Vec<(TenantId, String)>, Error>> + Send;
}
