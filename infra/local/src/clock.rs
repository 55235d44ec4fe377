//! The local system's only readings of the clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A monotonic reading, for durations and deadlines.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn monotonic() -> Instant {
    Instant::now()
}

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// Milliseconds since the epoch, as Lambda and API Gateway write times.
pub fn epoch_ms(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// `12/Mar/2026:19:03:58 +0000`, the form of API Gateway's `requestContext.time`.
pub fn log_format(at: SystemTime) -> String {
    // An HTTP date is "Thu, 12 Mar 2026 19:03:58 GMT": the same parts in another order.
    let date = httpdate::fmt_http_date(at);
    let mut parts = date.split(' ').skip(1);
    let mut next = || parts.next().unwrap_or_default();
    let (day, month, year, time) = (next(), next(), next(), next());
    format!("{day}/{month}/{year}:{time} +0000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_time_is_in_common_log_format() {
        let at = UNIX_EPOCH + Duration::from_secs(1_773_342_238);
        assert_eq!(log_format(at), "12/Mar/2026:19:03:58 +0000");
        assert_eq!(epoch_ms(at), 1_773_342_238_000);
    }
}
