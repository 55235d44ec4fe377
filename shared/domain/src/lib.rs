//! What Hookpost decides, and nothing of how it is carried out.
//!
//! Everything here is a pure function of its arguments: the clock, the dice and the network are
//! read by the shell (`shared/adapters` and the functions) and passed in. The manifest keeps it
//! that way: no runtime, no SDK, no HTTP client. Of the cryptography in there, nothing draws random
//! numbers.

pub mod access;
pub mod action;
pub mod answer;
pub mod audit;
pub mod breaker;
pub mod bus_event;
pub mod carrier;
pub mod catalogue;
pub mod cloud_event;
pub mod counters;
pub mod delivery;
pub mod endpoint;
pub mod event;
pub mod filter;
pub mod headers;
pub mod ids;
pub mod inbound;
pub mod invalid;
pub mod job;
pub mod json;
pub mod lane;
pub mod line;
pub mod matching;
pub mod measures;
pub mod merge;
pub mod news;
pub mod outcome;
pub mod ports;
pub mod quota;
pub mod reach;
pub mod request;
pub mod retry;
pub mod retry_after;
pub mod running;
pub mod schedule;
pub mod schema;
pub mod signature;
pub mod target;
pub mod template;
pub mod time;

pub use ids::{DeliveryId, EndpointId, EventId, TenantId};
pub use invalid::Invalid;
pub use time::Timestamp;
