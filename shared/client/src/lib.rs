#![doc = include_str!("../README.md")]

#[cfg(feature = "publish")]
mod answer;
#[cfg(feature = "publish")]
mod assert;
#[cfg(feature = "publish")]
mod batch;
#[cfg(feature = "publish")]
mod client;
#[cfg(feature = "publish")]
mod error;
#[cfg(feature = "publish")]
mod event;
#[cfg(feature = "publish")]
mod exchange;
#[cfg(feature = "publish")]
mod fake;
#[cfg(feature = "publish")]
pub mod matchers;
#[cfg(feature = "publish")]
mod patience;
#[cfg(feature = "verify")]
pub mod verify;
#[cfg(feature = "publish")]
mod world;

#[cfg(feature = "publish")]
pub use answer::{Accepted, AcceptedDelivery, FieldError, Problem};
#[cfg(feature = "publish")]
pub use client::{Builder, Client};
#[cfg(feature = "publish")]
pub use error::{Failure, PublishError, SetupError};
#[cfg(feature = "publish")]
pub use event::Event;
#[cfg(feature = "publish")]
pub use fake::{FakeLog, Sent};
#[cfg(feature = "verify")]
pub use verify::verify;

/// What [`assert_published!`] expands to.
#[cfg(feature = "publish")]
#[doc(hidden)]
pub use serde_json as __serde_json;
