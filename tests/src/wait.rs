//! Waiting for what happens by itself: by looking often, with a deadline.

use std::future::Future;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Between two looks.
pub const POLL: Duration = Duration::from_millis(20);
/// What does not happen within this time does not happen.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Looks until `look` finds something, for [`DEADLINE`] at most. An `Err` of
/// it tells what it saw instead.
pub async fn until<T, F>(what: &str, look: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    within(DEADLINE, what, look).await
}

/// The same, with a deadline of one's own.
pub async fn within<T, F>(deadline: Duration, what: &str, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let end = now() + deadline;
    loop {
        let seen = match look().await {
            Ok(found) => return found,
            Err(seen) => seen,
        };
        assert!(now() < end, "after {deadline:?} not yet: {what}\n{seen}");
        tokio::time::sleep(POLL).await;
    }
}

/// The monotonic clock.
#[expect(
    clippy::disallowed_methods,
    reason = "what runs outside this process goes by the real clock"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// Returns in another millisecond: what is named by the time gets another name.
pub fn for_the_next_millisecond() {
    let began = epoch_ms();
    while epoch_ms() == began {
        std::thread::yield_now();
    }
}

/// Milliseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "what runs outside this process goes by the real clock"
)]
pub fn epoch_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}
