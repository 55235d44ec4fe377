//! Events as they are gone through by time: where they are, and what is known of them without
//! their payloads.

use crate::matching::EventType;
use crate::{EndpointId, EventId, TenantId, Timestamp};

/// Where a tenant's events of one hour and shard are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Bucket {
    /// Whose.
    pub tenant: TenantId,
    /// The hour, `2026-11-21T12`.
    pub hour: String,
    /// The shard.
    pub shard: u8,
}

impl Bucket {
    /// Where an event is.
    pub fn of(tenant: &TenantId, event: EventId) -> Self {
        Self {
            tenant: tenant.clone(),
            hour: hour_of(event.time()),
            shard: event.event_shard(),
        }
    }
}

/// All of an event but its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventOutline {
    /// Its id.
    pub id: EventId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its type.
    pub event_type: EventType,
    /// The endpoints that it matched.
    pub endpoints: Vec<EndpointId>,
    /// When it may be deleted, and the records of its deliveries with it, in any order.
    pub expires_at: Timestamp,
    /// When it is to go out, if that was later than it was accepted.
    pub deliver_at: Option<Timestamp>,
    /// The caller's own id, where the whole event was asked for.
    pub alias: Option<String>,
}

impl EventOutline {
    /// When its deliveries begin.
    pub fn due(&self) -> Timestamp {
        self.deliver_at.unwrap_or_else(|| self.id.time())
    }
}

/// The hour of a time: `2026-11-21T12`.
pub fn hour_of(time: Timestamp) -> String {
    let mut text = time.to_string();
    text.truncate(13);
    text
}
