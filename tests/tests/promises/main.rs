//! What Hookpost promises, held against the running system: a module a promise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails where it stands"
)]

mod accepting;
mod access;
mod bad_input;
mod breaker;
mod client;
mod cloudevents;
mod costs;
mod dead_letters;
mod declared;
mod deliveries;
mod direct;
mod event_types;
mod events;
mod filters;
mod graphql;
mod graveyard;
mod idempotency;
mod inbound;
mod lanes;
mod losing;
mod managing;
mod operating;
mod operational_events;
mod ordering;
mod parking;
mod pausing;
mod payloads;
mod poison;
mod queueing;
mod rate_limit;
mod redrive;
mod repeating;
mod replays;
mod restarting;
mod retention;
mod retries;
mod rotating;
mod routes;
mod samples;
mod scale;
mod scheduling;
mod secrets;
mod seeds;
mod signing;
mod snippets;
mod sources;
mod statistics;
mod statuses;
mod templates;
mod tls;
mod wire;
