//! When to try again: exponential backoff or a list of delays, with jitter, bounded.
//!
//! Every number is bounded when a policy is made, so that no sum overflows and no wait is NaN.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Invalid;
use crate::time::ceil_secs;

/// Most attempts a policy may ask for.
pub const MAX_ATTEMPTS: u32 = 50;
/// Longest single delay, 30 days.
pub const MAX_DELAY: Duration = Duration::from_secs(30 * 24 * 3600);
/// Longest delay before a first attempt: what an SQS message can be delayed.
pub const MAX_FIRST_DELAY: Duration = Duration::from_secs(900);

/// How a wait is spread so that many deliveries do not come back at once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// Times a factor drawn from `1 - r` to `1 + r`, with `r` from 0 to 1.
    Ratio(f64),
    /// Plus up to this many seconds.
    AddedSeconds(f64),
}

/// The delays before each attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// At once, then `first`, `first * factor`, ... at most `max` seconds.
    Exponential {
        /// Seconds before the second attempt.
        first: f64,
        /// What each wait is longer than the one before by.
        factor: f64,
        /// The longest wait, in seconds, before jitter.
        max: f64,
        /// Attempts in all.
        attempts: u32,
    },
    /// Seconds before each attempt, the first included; as many attempts as delays.
    Delays(Vec<f64>),
}

/// When a failed delivery is tried again, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetryPolicy {
    backoff: Backoff,
    jitter: Jitter,
}

impl RetryPolicy {
    /// A policy whose numbers hold the bounds.
    ///
    /// # Errors
    /// Names the number that is out of bounds, as a field of `retry`.
    pub fn new(backoff: Backoff, jitter: Jitter) -> Result<Self, Invalid> {
        let delay = |field: &'static str, secs: f64| {
            if secs.is_finite() && (0.0..=MAX_DELAY.as_secs_f64()).contains(&secs) {
                Ok(())
            } else {
                Err(Invalid::new(field, "must be between 0 seconds and 30 days"))
            }
        };
        match &backoff {
            Backoff::Exponential {
                first,
                factor,
                max,
                attempts,
            } => {
                delay("retry.initial_delay", *first)?;
                delay("retry.max_delay", *max)?;
                if max < first {
                    return Err(Invalid::new(
                        "retry.max_delay",
                        "must not be shorter than `initial_delay`",
                    ));
                }
                if !(1.0..=100.0).contains(factor) {
                    return Err(Invalid::new(
                        "retry.multiplier",
                        "must be between 1 and 100",
                    ));
                }
                if !(1..=MAX_ATTEMPTS).contains(attempts) {
                    return Err(Invalid::new(
                        "retry.max_attempts",
                        "must be between 1 and 50",
                    ));
                }
            }
            Backoff::Delays(delays) => {
                if delays.is_empty() || delays.len() > MAX_ATTEMPTS as usize {
                    return Err(Invalid::new(
                        "retry.delays",
                        "must list 1 to 50 delays, one before each attempt",
                    ));
                }
                for secs in delays {
                    delay("retry.delays", *secs)?;
                }
                if delays
                    .first()
                    .is_some_and(|secs| *secs > MAX_FIRST_DELAY.as_secs_f64())
                {
                    return Err(Invalid::new(
                        "retry.delays",
                        "must begin with a delay of at most 15 minutes (usually 0)",
                    ));
                }
            }
        }
        let spread_holds = match jitter {
            Jitter::Ratio(ratio) => (0.0..=1.0).contains(&ratio),
            Jitter::AddedSeconds(secs) => (0.0..=3600.0).contains(&secs),
        };
        if !spread_holds {
            return Err(Invalid::new("retry.jitter", "must be between 0 and 1"));
        }
        Ok(Self { backoff, jitter })
    }

    /// A schedule known by its name; see [`PRESETS`].
    pub fn preset(name: &str) -> Option<Self> {
        let exponential = |first, factor, max, attempts| Backoff::Exponential {
            first,
            factor,
            max,
            attempts,
        };
        let (backoff, jitter) = match name {
            "quick" => return Some(Self::default()),
            "standard" => (
                Backoff::Delays(vec![
                    0.0, 5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0,
                    86_400.0,
                ]),
                Jitter::Ratio(0.2),
            ),
            "minutes" => (exponential(60.0, 2.0, 480.0, 5), Jitter::Ratio(0.25)),
            "capped" => (exponential(1.0, 2.0, 60.0, 5), Jitter::Ratio(0.1)),
            "doubling" => (exponential(2.0, 2.0, 16.0, 5), Jitter::AddedSeconds(1.0)),
            _ => return None,
        };
        Some(Self { backoff, jitter })
    }

    /// How the delays grow.
    pub fn backoff(&self) -> &Backoff {
        &self.backoff
    }

    /// How the delays are spread.
    pub fn jitter(&self) -> Jitter {
        self.jitter
    }

    /// Attempts in all.
    pub fn max_attempts(&self) -> u32 {
        match &self.backoff {
            Backoff::Exponential { attempts, .. } => *attempts,
            Backoff::Delays(delays) => u32::try_from(delays.len()).unwrap_or(MAX_ATTEMPTS),
        }
    }

    /// The wait before the first attempt: usually none.
    pub fn first_delay(&self, roll: f64) -> Duration {
        self.delay_before(1, roll).unwrap_or_default()
    }

    /// The wait before attempt number `attempt` (1 is the first), rounded up to whole seconds, or
    /// `None` if the policy has no such attempt. `roll` is drawn from [0, 1).
    pub fn delay_before(&self, attempt: u32, roll: f64) -> Option<Duration> {
        if attempt == 0 || attempt > self.max_attempts() {
            return None;
        }
        let base = self.base_secs(attempt);
        let roll = if (0.0..1.0).contains(&roll) {
            roll
        } else {
            0.5
        };
        let spread = match self.jitter {
            Jitter::Ratio(ratio) => base * (1.0 + ratio * 2.0f64.mul_add(roll, -1.0)),
            Jitter::AddedSeconds(secs) if base > 0.0 => secs.mul_add(roll, base),
            Jitter::AddedSeconds(_) => base,
        };
        let wait = Duration::try_from_secs_f64(spread.max(0.0)).unwrap_or(MAX_DELAY);
        Some(Duration::from_secs(ceil_secs(wait)))
    }

    /// The longest the whole schedule can take.
    pub fn longest(&self) -> Duration {
        (1..=self.max_attempts())
            .filter_map(|attempt| self.delay_before(attempt, 1.0 - f64::EPSILON))
            .sum()
    }

    fn base_secs(&self, attempt: u32) -> f64 {
        match &self.backoff {
            Backoff::Exponential { .. } if attempt <= 1 => 0.0,
            Backoff::Exponential {
                first, factor, max, ..
            } => {
                let exponent = i32::try_from(attempt - 2).unwrap_or(i32::MAX);
                (first * factor.powi(exponent)).min(*max)
            }
            Backoff::Delays(delays) => delays.get(attempt as usize - 1).copied().unwrap_or(0.0),
        }
    }
}

impl Default for RetryPolicy {
    /// The `quick` preset.
    fn default() -> Self {
        Self {
            backoff: Backoff::Exponential {
                first: 1.0,
                factor: 2.0,
                max: 300.0,
                attempts: 5,
            },
            jitter: Jitter::Ratio(0.25),
        }
    }
}

/// The schedules with a name, and what each is.
pub const PRESETS: [(&str, &str); 5] = [
    (
        "quick",
        "5 attempts: at once, then after 1, 2, 4 and 8 s, +-25 %",
    ),
    (
        "standard",
        "10 attempts: 0, 5s, 5m, 30m, 2h, 5h, 10h, 14h, 20h, 24h, +-20 %",
    ),
    (
        "minutes",
        "5 attempts: at once, then after 1, 2, 4 and 8 min, +-25 %",
    ),
    (
        "capped",
        "5 attempts: at once, then after 1, 2, 4 and 8 s, at most 60 s, +-10 %",
    ),
    (
        "doubling",
        "5 attempts: at once, then after 2, 4, 8 and 16 s, plus up to 1 s",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn policy() -> impl Strategy<Value = RetryPolicy> {
        let exponential = (0.0..100.0f64, 1.0..10.0f64, 100.0..10_000.0f64, 1..=50u32).prop_map(
            |(first, factor, max, attempts)| Backoff::Exponential {
                first,
                factor,
                max,
                attempts,
            },
        );
        let delays = proptest::collection::vec(0.0..900.0f64, 1..50).prop_map(Backoff::Delays);
        (prop_oneof![exponential, delays], 0.0..=1.0f64)
            .prop_map(|(backoff, ratio)| RetryPolicy::new(backoff, Jitter::Ratio(ratio)).unwrap())
    }

    proptest! {
        #[test]
        fn a_retry_is_never_early(policy in policy(), attempt in 1..60u32, roll in 0.0..1.0f64) {
            let Jitter::Ratio(ratio) = policy.jitter() else { unreachable!() };
            if let Some(wait) = policy.delay_before(attempt, roll) {
                prop_assert!(wait.as_secs_f64() >= policy.base_secs(attempt) * (1.0 - ratio) - 1e-6);
                prop_assert_eq!(wait.subsec_nanos(), 0);
            }
        }

        #[test]
        fn a_wait_never_passes_the_cap(policy in policy(), attempt in 1..60u32, roll in 0.0..1.0f64) {
            let Jitter::Ratio(ratio) = policy.jitter() else { unreachable!() };
            let cap = match policy.backoff() {
                Backoff::Exponential { max, .. } => *max,
                Backoff::Delays(delays) => delays.iter().copied().fold(0.0, f64::max),
            };
            if let Some(wait) = policy.delay_before(attempt, roll) {
                prop_assert!(wait.as_secs_f64() <= (cap * (1.0 + ratio)).ceil() + 1.0);
            }
        }

        #[test]
        fn attempts_are_bounded(policy in policy(), roll in 0.0..1.0f64) {
            prop_assert!(policy.max_attempts() <= MAX_ATTEMPTS);
            prop_assert_eq!(policy.delay_before(policy.max_attempts() + 1, roll), None);
            prop_assert_eq!(policy.delay_before(0, roll), None);
        }
    }

    fn waits(preset: &str, roll: f64) -> Vec<u64> {
        let policy = RetryPolicy::preset(preset).unwrap();
        (1..=policy.max_attempts())
            .map(|attempt| policy.delay_before(attempt, roll).unwrap().as_secs())
            .collect()
    }

    #[test]
    fn each_preset_waits_what_its_description_says() {
        assert_eq!(waits("quick", 0.5), [0, 1, 2, 4, 8]);
        assert_eq!(waits("minutes", 0.5), [0, 60, 120, 240, 480]);
        assert_eq!(waits("doubling", 0.0), [0, 2, 4, 8, 16]);
        assert_eq!(waits("doubling", 0.99), [0, 3, 5, 9, 17]);
        let standard = [0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400];
        assert_eq!(waits("standard", 0.5), standard);
        for (name, _) in PRESETS {
            assert!(RetryPolicy::preset(name).is_some());
        }
    }

    #[test]
    fn nonsense_numbers_are_refused_by_name() {
        let make = |first, factor, max, attempts| {
            RetryPolicy::new(
                Backoff::Exponential {
                    first,
                    factor,
                    max,
                    attempts,
                },
                Jitter::Ratio(0.1),
            )
            .unwrap_err()
            .field
        };
        assert_eq!(make(-1.0, 2.0, 10.0, 5), "retry.initial_delay");
        assert_eq!(make(f64::NAN, 2.0, 10.0, 5), "retry.initial_delay");
        assert_eq!(make(1.0, 0.5, 10.0, 5), "retry.multiplier");
        assert_eq!(make(1.0, f64::NAN, 10.0, 5), "retry.multiplier");
        assert_eq!(make(1.0, 2.0, 0.5, 5), "retry.max_delay");
        assert_eq!(make(1.0, 2.0, 10.0, 0), "retry.max_attempts");
        assert_eq!(make(1.0, 2.0, 10.0, 51), "retry.max_attempts");
    }
}
