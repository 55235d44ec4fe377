//! Which way deliveries take: the fast lane, or the slow one.
//!
//! An invocation lasts as long as its slowest request, and a request that is under way cannot be let
//! go. So endpoints that have lately been slow travel in a lane of their own, where they wait, and
//! are paid for, among themselves. Their health says so; it is written when that changes, and not
//! for single answers: what those were like each process remembers for itself.

use std::time::Duration;

/// A request that is unanswered for so long is slow, whatever comes of it.
pub const SLOW: Duration = Duration::from_secs(2);
/// An answer that came sooner is quick. What lies between says nothing.
const QUICK: Duration = Duration::from_secs(1);

/// What a slow request weighs; a quick one takes 1 off.
const PER_SLOW: u8 = 4;
/// From here on an endpoint is slow: by two slow requests with few quick ones between. Where one in
/// five or fewer is slow, the quick ones outweigh them.
const IS_SLOW: u8 = 8;
/// The most that is remembered: so many quick answers in a row make a slow endpoint a fast one.
const MOST: u8 = 12;
/// How long requests are taken to last of which none has been seen.
const GUESS_MS: u32 = 500;

/// One of the two queues of deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lane {
    /// Where all begin.
    #[default]
    Fast,
    /// For endpoints that have lately been slow.
    Slow,
}

impl Lane {
    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Slow => "slow",
        }
    }
}

/// How quick an endpoint has lately been, as one process has seen it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pace {
    weight: u8,
    lane: Lane,
    /// How long answers usually take, in milliseconds; 0 before the first.
    usual_ms: u32,
}

impl Pace {
    /// A request has been unanswered for [`SLOW`], of an endpoint that is in the lane `known`: the
    /// lane that it changes to, if it does.
    pub fn overdue(&mut self, known: Lane) -> Option<Lane> {
        self.believe(known);
        self.weight = (self.weight + PER_SLOW).min(MOST);
        if self.lane == Lane::Slow || self.weight < IS_SLOW {
            return None;
        }
        (self.weight, self.lane) = (MOST, Lane::Slow);
        Some(Lane::Slow)
    }

    /// A request is over. One that was [`Self::overdue`] has been told of already.
    pub fn over(&mut self, took: Duration, known: Lane) -> Option<Lane> {
        let ms = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
        let usual = if self.usual_ms == 0 {
            ms
        } else {
            self.usual_ms
        };
        self.usual_ms = (usual - usual / 8).saturating_add(ms / 8).max(1);
        self.believe(known);
        if took >= QUICK {
            return None;
        }
        self.weight = self.weight.saturating_sub(1);
        if self.lane == Lane::Fast || self.weight > 0 {
            return None;
        }
        self.lane = Lane::Fast;
        Some(Lane::Fast)
    }

    /// How long its requests usually take.
    pub fn usual(&self) -> Duration {
        let ms = if self.usual_ms == 0 {
            GUESS_MS
        } else {
            self.usual_ms
        };
        Duration::from_millis(ms.into())
    }

    /// What others have found counts: this process begins again from there.
    fn believe(&mut self, known: Lane) {
        if known != self.lane {
            self.lane = known;
            self.weight = match known {
                Lane::Fast => 0,
                Lane::Slow => MOST,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AT_ONCE: Duration = Duration::from_millis(50);

    /// Requests one after another, of which these are slow: in which lane each was made.
    fn lanes(slow: impl IntoIterator<Item = bool>) -> Vec<Lane> {
        let (mut pace, mut lane) = (Pace::default(), Lane::Fast);
        let mut made = Vec::new();
        for is_slow in slow {
            made.push(lane);
            let changed = if is_slow {
                let changed = pace.overdue(lane);
                pace.over(SLOW, changed.unwrap_or(lane)).or(changed)
            } else {
                pace.over(AT_ONCE, lane)
            };
            lane = changed.unwrap_or(lane);
        }
        made
    }

    #[test]
    fn two_slow_requests_change_the_lane_and_a_dozen_quick_ones_change_it_back() {
        let story = [true, true].into_iter().chain([false; 13]);
        let made = lanes(story);
        assert_eq!(made[..2], [Lane::Fast; 2]);
        assert_eq!(made[2..14], [Lane::Slow; 12]);
        assert_eq!(made[14], Lane::Fast);
    }

    #[test]
    fn one_slow_request_in_ten_changes_nothing() {
        let made = lanes((0..1000).map(|nth| nth % 10 == 0));
        assert!(made.iter().all(|lane| *lane == Lane::Fast));
    }

    #[test]
    fn a_process_believes_what_others_have_found() {
        let mut fresh = Pace::default();
        // It has not seen anything of the slow requests, and one quick answer is not a dozen.
        assert_eq!(fresh.over(AT_ONCE, Lane::Slow), None);
        let mut late = Pace::default();
        assert_eq!(late.overdue(Lane::Fast), None);
        assert_eq!(late.overdue(Lane::Fast), Some(Lane::Slow));
        // Somebody has let it back meanwhile: what was slow before no longer counts.
        assert_eq!(late.overdue(Lane::Fast), None);
    }

    #[test]
    fn what_is_usual_follows_what_is_seen() {
        let mut pace = Pace::default();
        assert_eq!(pace.usual(), Duration::from_millis(500));
        for _ in 0..50 {
            pace.over(Duration::from_secs(8), Lane::Slow);
        }
        assert!((7900..=8100).contains(&pace.usual().as_millis()));
    }

    proptest! {
        /// No run of requests, however long, keeps an endpoint that has become quick out.
        #[test]
        fn whoever_is_quick_again_is_let_back(slow in proptest::collection::vec(any::<bool>(), 0..60)) {
            let story = slow.into_iter().chain([false; 14]);
            let made = lanes(story);
            prop_assert_eq!(made.last(), Some(&Lane::Fast));
        }

        /// The fast lane never sees more than two slow requests in a row from one process.
        #[test]
        fn slow_requests_leave_the_fast_lane(slow in proptest::collection::vec(any::<bool>(), 0..200)) {
            let made = lanes(slow.clone());
            for (requests, lanes) in slow.windows(3).zip(made.windows(3)) {
                prop_assert!(
                    requests != [true; 3] || lanes.contains(&Lane::Slow),
                    "three slow requests in a row in the fast lane"
                );
            }
        }
    }
}
