//! The live feed: attempts as they happen, shown to whoever watches a tenant.
//!
//! Whoever watches says so again each minute with a fresh [`Ticket`], so that a watcher who is gone
//! costs nothing for long, and one who may not look any more sees nothing for long. Delivery asks
//! now and then whether anybody watches, and only then hands over what it has done
//! ([`Handover`]); what each watcher gets of it is decided by [`frames`].
//!
//! Guarantees: nobody is shown an attempt of another tenant, or one that their filter leaves out;
//! no frame is larger than [`MAX_FRAME_BYTES`]; what is left out is counted and told.

mod filter;
mod pace;
mod show;
#[cfg(test)]
mod tests;
mod ticket;
mod watch;

use std::time::Duration;

pub use filter::LiveFilter;
pub use pace::Pace;
pub use show::{Frame, Handover, MAX_HANDED, Outcome, Shown, frames};
pub use ticket::Ticket;
pub use watch::{ConnectionId, Full, MAX_WATCHERS, Watch, Watcher};

/// How long who watches is taken to watch. Told to be renewed after half of it.
pub const WATCH_LIFETIME: Duration = Duration::from_secs(90);
/// How long a ticket is good for.
pub const TICKET_LIFETIME: Duration = Duration::from_secs(60);
/// How long it is not asked again whether anybody watches.
pub const ASK_EVERY: Duration = Duration::from_secs(5);
/// The largest frame: what API Gateway bills as one message.
pub const MAX_FRAME_BYTES: usize = 32 * 1024;
