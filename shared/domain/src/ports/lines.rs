//! The lines before endpoints that asked for order.

use std::future::Future;

use super::{Error, Write};
use crate::line::{Entry, Line, Wake};
use crate::{EndpointId, EventId, TenantId, Timestamp};

/// Joining lines.
pub trait LineEnds: Send + Sync {
    /// The place behind everything that stands in a line, as of now.
    fn line_end(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
    ) -> impl Future<Output = Result<u64, Error>> + Send;

    /// Puts an entry in its place, if nothing is there.
    fn put_entry(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        entry: &Entry,
        now: Timestamp,
    ) -> impl Future<Output = Result<Write<Entry>, Error>> + Send;
}

/// Looking at lines.
pub trait LineViews: LineEnds {
    /// How far a line has got; one never written is the default one.
    fn line(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
    ) -> impl Future<Output = Result<Line, Error>> + Send;

    /// The entries from the place `from` on, as of now, at most `limit`.
    fn entries(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        from: u64,
        limit: i32,
    ) -> impl Future<Output = Result<Vec<Entry>, Error>> + Send;

    /// What has been put before everything else, the oldest event first, as of now.
    fn front(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        limit: i32,
    ) -> impl Future<Output = Result<Vec<EventId>, Error>> + Send;
}

/// Working on lines.
pub trait Lines: LineViews {
    /// Stores how far a line has got over version `over` (0: none).
    fn store_line(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        line: &Line,
        over: u64,
        now: Timestamp,
    ) -> impl Future<Output = Result<Write<Line>, Error>> + Send;

    /// Puts an event before everything that waits, in the order of events. Again is fine.
    fn put_in_front(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        event: EventId,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Takes an event from the front.
    fn take_from_front(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        event: EventId,
    ) -> impl Future<Output = Result<(), Error>> + Send;
}

/// An endpoint that has a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineNote {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub endpoint: EndpointId,
    /// When that was last noted.
    pub noted_at: Timestamp,
}

/// The notes of which endpoints have a line, for the sweeper.
pub trait LineNotes: Send + Sync {
    /// All of them. One that cannot be read is logged and left out.
    fn lines(&self) -> impl Future<Output = Result<Vec<LineNote>, Error>> + Send;

    /// Forgets a note, unless it has been renewed.
    fn forget_line(&self, note: &LineNote) -> impl Future<Output = Result<(), Error>> + Send;
}

/// The queue that wakes lines, an endpoint a group.
pub trait WakeQueue: Send + Sync {
    /// Whether there is one: a deployment may do without order.
    fn keeps_order(&self) -> bool;

    /// Sends all of them. An error may have sent some.
    fn wake(&self, wakes: &[Wake]) -> impl Future<Output = Result<(), Error>> + Send;
}
