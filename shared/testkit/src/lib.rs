//! The domain's ports in memory, for whole functions inside a test: tables with compare-and-swap,
//! the queues of `infra/local/sqs`, receivers that answer by script, all on Tokio's paused clock,
//! and a fault at any call that a process makes.
//!
//! Where the emulators of `infra/local` can show the case, they do. Here is what they cannot: a
//! call that fails before or after its effect, a process that ends between two calls, and days
//! that pass at once.

pub mod clock;
pub mod faults;
pub mod live;
pub mod process;
pub mod queues;
pub mod receiver;
pub mod tables;

pub use clock::Clock;
pub use faults::{Fault, Faults, Plan};
pub use live::Sockets;
pub use process::Process;
pub use queues::Queues;
pub use receiver::{Behaviour, Receiver, Request};
pub use tables::Tables;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a panicking test leaves locked is still worth reading.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
