//! Where a record can be found besides by its id: sparse, so that a happy delivery is in no index.

use super::{Delivery, Status};
use crate::ids::DELIVERY_SHARDS;
use crate::{EndpointId, TenantId};

/// The name under which the index by status has the dead letters that are resolved.
pub const RESOLVED: &str = "resolved";

/// The index keys of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexKeys {
    /// Its place among the records of one tenant and status, unless it was delivered or deleted.
    pub status: Option<String>,
    /// Its place among what the sweeper looks at.
    pub wait: Option<WaitKey>,
}

/// A place among what waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitKey {
    /// What it waits for.
    pub key: String,
    /// Its order there: milliseconds since the epoch.
    pub at: u64,
}

/// The partition of what is due by time.
pub fn due_key(shard: u8) -> String {
    format!("due#{shard:02}")
}

/// The partition of what an open breaker or a pause holds back.
pub fn held_key(endpoint: &EndpointId, shard: u8) -> String {
    format!("held#{endpoint}#{shard:02}")
}

/// The partition of a tenant's records of one status.
pub fn status_key(tenant: &TenantId, status: &str, shard: u8) -> String {
    format!("{tenant}#{status}#{shard:02}")
}

impl Delivery {
    /// Where this record is to be found.
    pub fn index_keys(&self) -> IndexKeys {
        let shard = self.id.event.delivery_shard() % DELIVERY_SHARDS;
        let due = |at: crate::Timestamp| WaitKey {
            key: due_key(shard),
            at: at.as_millis(),
        };
        let wait = match self.status {
            Status::Parked { due: at } => Some(due(at)),
            Status::Held { .. } => Some(WaitKey {
                key: held_key(&self.id.endpoint, shard),
                at: self.id.event.time().as_millis(),
            }),
            Status::InQueue { .. } | Status::Dead { .. } => self.check_at.map(due),
            Status::Delivered { .. } | Status::Cancelled { .. } | Status::Deleted { .. } => None,
        };
        let name = match self.status {
            Status::Delivered { .. } | Status::Deleted { .. } => None,
            // Apart from those that still need somebody, so that neither is in the other's way.
            Status::Dead { .. } if self.resolution.is_some() => Some(RESOLVED),
            Status::Dead { .. }
            | Status::InQueue { .. }
            | Status::Parked { .. }
            | Status::Held { .. }
            | Status::Cancelled { .. } => Some(self.status_name()),
        };
        let status = name.map(|name| status_key(&self.tenant, name, shard));
        IndexKeys { status, wait }
    }
}
