//! The `Retry-After` header (RFC 9110, section 10.2.3): seconds, or an HTTP date.

use std::time::Duration;

use crate::Timestamp;

/// The longest wait a receiver may ask for: a day.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

/// How long the receiver asks us to wait, at most a day. What cannot be read asks for nothing; a
/// date in the past asks for no wait.
pub fn parse(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let wait = if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than fit are still "very long".
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        Timestamp::from(httpdate::parse_http_date(value).ok()?).since(now)
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn seconds_and_dates_are_read() {
        let now: Timestamp = "2015-10-21T07:27:00Z".parse().unwrap();
        assert_eq!(parse("120", now), Some(Duration::from_secs(120)));
        assert_eq!(
            parse("Wed, 21 Oct 2015 07:28:00 GMT", now),
            Some(Duration::from_secs(60))
        );
        assert_eq!(
            parse("Wed, 21 Oct 2015 07:20:00 GMT", now),
            Some(Duration::ZERO)
        );
        assert_eq!(parse("soon", now), None);
        assert_eq!(parse("-1", now), None);
    }

    proptest! {
        #[test]
        fn no_header_asks_for_more_than_a_day(value in ".{0,40}|[0-9]{1,40}", now in any::<u64>()) {
            let wait = parse(&value, Timestamp::from_millis(now));
            prop_assert!(wait.is_none_or(|wait| wait <= MAX_RETRY_AFTER));
        }

        #[test]
        fn a_date_and_a_number_of_seconds_ask_for_the_same(now in 0_u64..4_000_000_000, wait in 0_u64..200_000, blanks in "[ \\t]{0,3}") {
            let then = std::time::UNIX_EPOCH + Duration::from_secs(now + wait);
            let now = Timestamp::from_millis(now * 1000);
            let wanted = Some(Duration::from_secs(wait).min(MAX_RETRY_AFTER));
            prop_assert_eq!(parse(&format!("{blanks}{wait}{blanks}"), now), wanted);
            prop_assert_eq!(parse(&format!("{blanks}{}", httpdate::fmt_http_date(then)), now), wanted);
        }

        #[test]
        fn what_is_nearly_a_date_does_not_panic(value in "(Mon|Tue|Xxx|Monday), ?[0-9]{0,3}[ -](Jan|Feb|Zzz)[ -][0-9]{0,5} [0-9]{0,3}:[0-9]{0,3}:[0-9]{0,3}( GMT| UTC)?", now in any::<u64>()) {
            let wait = parse(&value, Timestamp::from_millis(now));
            prop_assert!(wait.is_none_or(|wait| wait <= MAX_RETRY_AFTER));
        }
    }
}
