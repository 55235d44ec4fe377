//! The names of things: tenants, endpoints, events, deliveries.
//!
//! An id can be made only from text that keeps its rule, so that it is safe inside a key
//! (no `#`), a URL path (no `/`) and a signature (no `.` in what becomes `webhook-id`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Invalid, Timestamp};

/// How many partitions one endpoint's deliveries, one status, or the due index are spread over.
pub const DELIVERY_SHARDS: u8 = 16;
/// How many partitions one tenant's events of an hour are spread over.
pub const EVENT_SHARDS: u8 = 8;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $field:literal, $max:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
                if text.is_empty() || text.len() > $max || !text.bytes().all(plain) {
                    return Err(Invalid::new(
                        $field,
                        concat!("must be 1 to ", $max, " letters, digits, `_` or `-`"),
                    ));
                }
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;

            fn try_from(text: String) -> Result<Self, Invalid> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

text_id!(
    /// Whose events and endpoints these are. Nothing of one tenant is visible to another.
    TenantId, "tenant", 64
);
text_id!(
    /// One place that events are delivered to.
    EndpointId, "endpoint_id", 64
);

text_id!(
    /// One entry of the audit log: `aud_` and a UUIDv7, so that entries sort by when they were.
    AuditId, "audit_id", 64
);

impl AuditId {
    /// A new id from the clock and ten random bytes.
    pub fn generate(now: Timestamp, random: [u8; 10]) -> Self {
        Self(format!("aud_{}", uuid_v7(now, random).simple()))
    }

    /// When it was: the first 48 bits. The epoch for an id that was not made here.
    pub fn time(&self) -> Timestamp {
        let digits = self.0.strip_prefix("aud_").and_then(|hex| hex.get(..12));
        let ms = digits.and_then(|hex| u64::from_str_radix(hex, 16).ok());
        Timestamp::from_millis(ms.unwrap_or_default())
    }

    /// The smallest id of `time`: a bound for range reads.
    pub fn floor(time: Timestamp) -> Self {
        Self(format!("aud_{:012x}{:020}", time.as_millis(), 0))
    }

    /// Its shard among `shards`.
    pub fn shard(&self, shards: u8) -> u8 {
        // The last digits of a UUIDv7 are random.
        let last = self.0.bytes().next_back().unwrap_or_default();
        last % shards.max(1)
    }
}

impl Default for TenantId {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl EndpointId {
    /// A new id from the clock and ten random bytes, `ep_` and 32 hex digits.
    pub fn generate(now: Timestamp, random: [u8; 10]) -> Self {
        Self(format!("ep_{}", uuid_v7(now, random).simple()))
    }

    /// Of a URL that is delivered to without being registered: `url_` and the first 32 hex digits
    /// of a hash of everything about it.
    pub fn of_url(hash: [u8; 32]) -> Self {
        Self::of_hash(UNLISTED, hash)
    }

    /// Of an endpoint that the deployment declares: `dep_` and the first 32 hex digits of a hash of
    /// its URL.
    pub fn declared(hash: [u8; 32]) -> Self {
        Self::of_hash("dep_", hash)
    }

    /// Whether it is one of [`Self::of_url`]: its endpoint is in no list.
    pub fn is_unlisted(&self) -> bool {
        self.0.starts_with(UNLISTED)
    }

    fn of_hash(prefix: &str, hash: [u8; 32]) -> Self {
        let id = hash
            .iter()
            .take(16)
            .fold(prefix.to_owned(), |mut id, byte| {
                use fmt::Write;
                // Writing to a string cannot fail.
                let _ = write!(id, "{byte:02x}");
                id
            });
        Self(id)
    }
}

const UNLISTED: &str = "url_";

/// One thing that happened. A `UUIDv7`: its time says which hour it is stored under, its hash which
/// shard, so that it can be read without an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct EventId(Uuid);

impl EventId {
    /// A new id from the clock and ten random bytes.
    pub fn generate(now: Timestamp, random: [u8; 10]) -> Self {
        Self(uuid_v7(now, random))
    }

    /// When the id was made: the first 48 bits.
    pub fn time(&self) -> Timestamp {
        Timestamp::from_millis((self.0.as_u128() >> 80) as u64)
    }

    /// Its 128 bits.
    pub const fn as_u128(&self) -> u128 {
        self.0.as_u128()
    }

    /// The shard among [`DELIVERY_SHARDS`] of this event's deliveries.
    pub fn delivery_shard(&self) -> u8 {
        self.hash() % DELIVERY_SHARDS
    }

    /// The shard among [`EVENT_SHARDS`] of the event itself.
    pub fn event_shard(&self) -> u8 {
        self.hash() % EVENT_SHARDS
    }

    /// The smallest id of `time`: a bound for range reads.
    pub fn floor(time: Timestamp) -> Self {
        Self(Uuid::from_u128(u128::from(time.as_millis()) << 80))
    }

    /// The greatest id before this one: a bound for range reads.
    #[must_use]
    pub fn just_before(self) -> Self {
        Self(Uuid::from_u128(self.0.as_u128().saturating_sub(1)))
    }

    fn hash(self) -> u8 {
        // The last byte of a UUIDv7 is random.
        let [.., last] = *self.0.as_bytes();
        last
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for EventId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new("event_id", "must be an event's id, a UUID of version 7");
        if text.len() != 36 || text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(invalid());
        }
        match Uuid::try_parse(text) {
            Ok(id) if id.get_version_num() == 7 => Ok(Self(id)),
            Ok(_) | Err(_) => Err(invalid()),
        }
    }
}

impl TryFrom<String> for EventId {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<EventId> for String {
    fn from(id: EventId) -> Self {
        id.to_string()
    }
}

/// One event's way to one endpoint: `<event id>_<endpoint id>`, so that both can be read off it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct DeliveryId {
    /// The event.
    pub event: EventId,
    /// Where it goes.
    pub endpoint: EndpointId,
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.event, self.endpoint)
    }
}

impl FromStr for DeliveryId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new("delivery_id", "must be `<event id>_<endpoint id>`");
        let (event, endpoint) = text.split_at_checked(36).ok_or_else(invalid)?;
        let endpoint = endpoint.strip_prefix('_').ok_or_else(invalid)?;
        Ok(Self {
            event: event.parse().map_err(|_| invalid())?,
            endpoint: endpoint.parse().map_err(|_| invalid())?,
        })
    }
}

impl TryFrom<String> for DeliveryId {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<DeliveryId> for String {
    fn from(id: DeliveryId) -> Self {
        id.to_string()
    }
}

fn uuid_v7(now: Timestamp, random: [u8; 10]) -> Uuid {
    uuid::Builder::from_unix_timestamp_millis(now.as_millis(), &random).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_id_tells_its_time() {
        let now = Timestamp::from_millis(1_795_262_400_123);
        let id = EventId::generate(now, [7; 10]);
        assert_eq!(id.time(), now);
        assert_eq!(id.to_string().parse::<EventId>().unwrap(), id);
        assert!(EventId::floor(now) <= id);
        assert!(EventId::floor(now.after(std::time::Duration::from_millis(1))) > id);
    }

    #[test]
    fn a_delivery_id_tells_its_event_and_endpoint() {
        let event = EventId::generate(Timestamp::from_millis(1), [9; 10]);
        let endpoint: EndpointId = "my_endpoint-1".parse().unwrap();
        let id = DeliveryId { event, endpoint };
        assert_eq!(id.to_string().parse::<DeliveryId>().unwrap(), id);
    }

    #[test]
    fn ids_that_would_break_a_key_or_a_path_are_refused() {
        for bad in ["", "a#b", "a/b", "a.b", "a b", "é", &"x".repeat(65)] {
            assert!(bad.parse::<EndpointId>().is_err(), "{bad:?}");
        }
        for bad in [
            "",
            "x",
            "018f-",
            "00000000-0000-4000-8000-000000000000",
            "ééééééééééééééééééé_x",
        ] {
            assert!(bad.parse::<EventId>().is_err(), "{bad:?}");
            assert!(bad.parse::<DeliveryId>().is_err(), "{bad:?}");
        }
    }
}
