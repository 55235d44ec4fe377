//! The live feed: who watches, and the ways to them.

use std::future::Future;

use super::{Error, Write};
use crate::access::SigningKey;
use crate::live::{ConnectionId, Handover, Watch};
use crate::{TenantId, Timestamp};

/// Whether anybody watches, for who has something to show.
pub trait Watched: Send + Sync {
    /// Until when anybody watches this tenant, or any at all. Not necessarily as of now.
    fn watched_until(
        &self,
        tenant: Option<&TenantId>,
    ) -> impl Future<Output = Result<Option<Timestamp>, Error>> + Send;
}

/// Who watches.
pub trait Watches: Send + Sync {
    /// Who watches a tenant, as of now.
    fn watch(&self, tenant: &TenantId) -> impl Future<Output = Result<Watch, Error>> + Send;

    /// Stores it over the one of version `over` (0: none).
    fn store_watch(
        &self,
        tenant: &TenantId,
        watch: &Watch,
        over: u64,
    ) -> impl Future<Output = Result<Write<Watch>, Error>> + Send;

    /// Notes that somebody watches some tenant until then. The last note counts.
    fn note_watched(&self, until: Timestamp) -> impl Future<Output = Result<(), Error>> + Send;
}

/// What the server signs with.
pub trait SigningKeys: Send + Sync {
    /// The key, if there is one yet: without one nothing has been signed.
    fn key_to_check(&self) -> impl Future<Output = Result<Option<SigningKey>, Error>> + Send;
}

/// The way of attempts to whoever shows them.
pub trait Feed: Send + Sync {
    /// Hands attempts over. An error may have handed them over.
    fn hand_over(&self, handover: &Handover) -> impl Future<Output = Result<(), Error>> + Send;
}

/// What came of sending to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It was taken.
    Taken,
    /// There is no such connection any more.
    Gone,
}

/// The connections of those who watch.
pub trait Connections: Send + Sync {
    /// Sends a text over a connection.
    fn send_text(
        &self,
        connection: &ConnectionId,
        text: &str,
    ) -> impl Future<Output = Result<Sent, Error>> + Send;
}
