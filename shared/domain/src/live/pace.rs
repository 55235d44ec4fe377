//! How often a process hands over: whoever watches sees that much is going on long before they
//! could read it.

use std::time::Duration;

use crate::Timestamp;

/// One handover in so long, over time.
const INTERVAL: Duration = Duration::from_millis(250);
/// So many at once, after a quiet time.
const BURST: u32 = 20;

/// When the next handover may be, if they came evenly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pace {
    next: Timestamp,
}

impl Pace {
    /// Whether one may be made now; if so, it is counted.
    pub fn admits(&mut self, now: Timestamp) -> bool {
        let next = self.next.max(now);
        if next.since(now) >= INTERVAL * BURST {
            return false;
        }
        self.next = next.after(INTERVAL);
        true
    }
}
