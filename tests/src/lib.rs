//! What the tests of the running system share: the system itself, started once
//! for all of them, and the calls by which it is used and looked into.
//!
//! A test begins with [`Tenant::new`]. Everything it makes belongs to a tenant
//! of its own, and its endpoints have paths of their own on the receiver, so
//! that tests run side by side without seeing each other.
//!
//! Everything here panics where it cannot go on, and says what it saw.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test that cannot go on fails where it stands"
)]

use std::fmt::Write as _;

mod answer;
mod aws;
mod build;
mod carrier;
mod client;
mod endpoint;
mod receiver;
mod system;
mod tenant;
pub mod wait;

pub use answer::{Answer, Problem};
pub use aws::{Invocation, Message};
pub use client::{Call, Client};
pub use endpoint::{Endpoint, EndpointBuilder};
pub use receiver::Received;
pub use system::System;
pub use tenant::{Accepted, Tenant};

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _written = write!(text, "{byte:02x}");
    }
    text
}
