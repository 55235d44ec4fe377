//! A delivery to a URL that is not registered, as it is answered.

use hookpost_domain::matching::EventType;
use hookpost_domain::{DeliveryId, EndpointId, EventId, TenantId, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

/// A delivery that is on its way to a URL.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "DirectDelivery")]
pub struct DirectView {
    /// The delivery: look there for what becomes of it.
    pub id: DeliveryId,
    /// Its event.
    pub event_id: EventId,
    /// The endpoint that stands for the URL with these settings: the same for all deliveries to it.
    /// It is in no list, but can be looked at, paused and the like by its id.
    pub endpoint_id: EndpointId,
    /// The event's type.
    pub event_type: EventType,
    /// Whose.
    pub tenant: TenantId,
    /// When it was accepted.
    pub timestamp: Timestamp,
    /// When it is to go out, if that is later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliver_at: Option<Timestamp>,
    /// The caller's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Whether an earlier call with the same key had been accepted already.
    pub duplicate: bool,
}
