//! The domain's ports in memory, for a whole function inside a test: a clock that the test moves,
//! a queue with visibility, tables with compare-and-swap, a receiver that answers by script, and a
//! fault at any call that the function makes.
//!
//! Where the emulators of `infra/local` can show the case, they do. Here is what they cannot: a
//! call that fails before or after its effect, and hours that pass at once.

pub mod clock;
pub mod faults;
pub mod queue;
pub mod receiver;
pub mod tables;

pub use clock::Clock;
pub use faults::{Fault, Faults};
pub use queue::Queue;
pub use receiver::Receiver;
pub use tables::Tables;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a panicking test leaves locked is still worth reading.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
