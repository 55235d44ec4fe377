//! The machine's clock and dice. The only place that reads them.

use std::time::SystemTime;

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// A random number from [0, 1).
pub(crate) fn roll() -> f64 {
    fastrand::f64()
}

/// A key that no other event has: the time, and 128 random bits. The time, because the dice start
/// from 64 bits only: across a fleet that alone might repeat within the day that a key lives.
pub(crate) fn unique_key() -> String {
    let since = now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    format!("{:012x}-{:032x}", since.as_millis(), fastrand::u128(..))
}
