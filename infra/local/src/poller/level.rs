//! How many batches of a queue are worked at once.
//!
//! Few at first: on one machine every further process takes time from the
//! others, and messages that wait a moment make fuller batches. One more each
//! time that all have been busy for a while without one ending, as with slow
//! endpoints; fewer again once they are not needed.

use std::time::{Duration, Instant};

/// How long all have to be busy until one more is allowed.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);

/// How long one has to be spare until it is taken back.
const SPARE_FOR: Duration = Duration::from_secs(5);

/// At first, and at least: what AWS begins with, or fewer on few cores.
const FIRST: usize = 5;

/// The number of batches allowed now.
#[derive(Debug)]
pub(super) struct Level {
    allowed: usize,
    least: usize,
    most: usize,
    /// Since when fewer than allowed have been busy.
    spare_since: Option<Instant>,
}

impl Level {
    /// Up to `most`, on so many cores.
    pub(super) fn new(most: usize, cores: usize) -> Self {
        let most = most.max(1);
        let least = cores.clamp(2, FIRST).min(most);
        Self {
            allowed: least,
            least,
            most,
            spare_since: None,
        }
    }

    /// Whether another batch may start beside those that run.
    pub(super) fn admits(&mut self, running: usize, now: Instant) -> bool {
        if running >= self.allowed {
            self.spare_since = None;
            return false;
        }
        // The one that is about to start is no longer spare.
        if running + 1 >= self.allowed {
            self.spare_since = None;
        } else {
            let since = *self.spare_since.get_or_insert(now);
            if now.saturating_duration_since(since) >= SPARE_FOR {
                self.allowed = (self.allowed - 1).max(self.least);
                self.spare_since = Some(now);
            }
        }
        true
    }

    /// Whether more may ever be allowed.
    pub(super) fn can_grow(&self) -> bool {
        self.allowed < self.most
    }

    /// All have been busy for a while.
    pub(super) fn grow(&mut self) {
        self.allowed = (self.allowed + 1).min(self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::monotonic;

    #[test]
    fn it_starts_low_and_grows_to_the_limit_while_all_are_busy() {
        let mut level = Level::new(4, 2);
        let now = monotonic();
        assert!(level.admits(1, now));
        assert!(!level.admits(2, now));
        level.grow();
        assert!(level.admits(2, now));
        level.grow();
        assert!(!level.can_grow());
        level.grow();
        assert!(!level.admits(4, now));
    }

    #[test]
    fn what_is_spare_for_long_is_taken_back_but_not_below_the_first() {
        let mut level = Level::new(50, 2);
        let start = monotonic();
        (0..10).for_each(|_| level.grow());
        assert!(level.admits(11, start));
        for second in 0..200 {
            assert!(level.admits(0, start + Duration::from_secs(second)));
        }
        let later = start + Duration::from_secs(200);
        assert!(level.admits(1, later));
        assert!(!level.admits(2, later));
    }

    #[test]
    fn a_limit_below_the_first_holds() {
        let mut level = Level::new(1, 8);
        assert!(!level.admits(1, monotonic()));
        assert!(!level.can_grow());
    }
}
