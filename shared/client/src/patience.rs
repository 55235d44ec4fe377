//! When a call is made again. Pure: time and dice are arguments.
//!
//! Guarantees: never sooner than the API asked for; never later than the time for the whole
//! allows; waits double, and half of each is left to chance.

use std::time::{Duration, SystemTime};

/// How long is waited between calls, and for how long in all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// The longest a single call may take.
    pub(crate) timeout: Duration,
    /// After which no further call is made.
    pub(crate) give_up_after: Duration,
    /// The first wait, before chance.
    pub(crate) first_wait: Duration,
    /// What waits grow to.
    pub(crate) longest_wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            // API Gateway gives a function up after 30 s; one that takes 10 is lost.
            timeout: Duration::from_secs(10),
            give_up_after: Duration::from_secs(30),
            first_wait: Duration::from_millis(100),
            longest_wait: Duration::from_secs(5),
        }
    }
}

impl Patience {
    /// How long to wait before the next call, after `calls` have been made since `elapsed`; none
    /// if there is no time left for one. `roll` is from [0, 1).
    pub(crate) fn wait_after(
        &self,
        calls: u32,
        retry_after: Option<Duration>,
        elapsed: Duration,
        roll: f64,
    ) -> Option<Duration> {
        let doublings = calls.saturating_sub(1).min(31);
        let backoff = self.first_wait.saturating_mul(1 << doublings);
        let backoff = backoff
            .min(self.longest_wait)
            .mul_f64(0.5 + 0.5 * roll.clamp(0.0, 1.0));
        let wait = backoff.max(retry_after.unwrap_or_default());
        let left = self.give_up_after.checked_sub(elapsed)?;
        (wait < left).then_some(wait)
    }

    /// How long the next call may take.
    pub(crate) fn timeout(&self, elapsed: Duration) -> Duration {
        let left = self.give_up_after.saturating_sub(elapsed);
        self.timeout.min(left).max(Duration::from_millis(1))
    }
}

/// Whether the same call may be answered otherwise later.
pub(crate) fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..)
}

/// The wait that a `Retry-After` header asks for.
pub(crate) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are still "very long".
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    Some(at.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_double_up_to_the_longest() {
        let patience = Patience::default();
        let wait = |calls| {
            let wait = patience.wait_after(calls, None, Duration::ZERO, 1.0);
            wait.unwrap().as_millis()
        };
        assert_eq!(
            (1..=8).map(wait).collect::<Vec<_>>(),
            [100, 200, 400, 800, 1600, 3200, 5000, 5000]
        );
        assert_eq!(wait(u32::MAX), 5000);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Wed, 21 Oct 2015 07:27:00 GMT").unwrap();
        assert_eq!(retry_after(" 120 ", now), Some(120 * SECOND));
        assert_eq!(
            retry_after("Wed, 21 Oct 2015 07:28:00 GMT", now),
            Some(60 * SECOND)
        );
        assert_eq!(
            retry_after("Wed, 21 Oct 2015 07:20:00 GMT", now),
            Some(Duration::ZERO)
        );
        assert!(retry_after(&"9".repeat(40), now) > Some(SECOND));
        assert_eq!(retry_after("soon", now), None);
    }

    #[test]
    fn what_is_refused_is_not_asked_again() {
        for status in [301, 400, 401, 403, 404, 409, 413, 422] {
            assert!(!is_transient(status), "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504, 599] {
            assert!(is_transient(status), "{status}");
        }
    }

    proptest! {
        #[test]
        fn no_wait_is_shorter_than_asked_for_or_outlasts_the_time(
            calls in 0u32..,
            asked_ms in proptest::option::of(0u64..100_000),
            elapsed_ms in 0u64..100_000,
            roll in 0.0f64..1.0,
        ) {
            let patience = Patience::default();
            let asked = asked_ms.map(Duration::from_millis);
            let elapsed = Duration::from_millis(elapsed_ms);
            if let Some(wait) = patience.wait_after(calls, asked, elapsed, roll) {
                prop_assert!(wait >= asked.unwrap_or_default());
                prop_assert!(wait >= patience.first_wait / 2);
                prop_assert!(elapsed + wait < patience.give_up_after);
            }
        }
    }
}
