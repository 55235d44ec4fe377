//! When an event is to go out, if not at once.

use std::time::Duration;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer};

use crate::{Invalid, Timestamp};

/// How far ahead an event can be scheduled. The event is kept until its schedule and the retention
/// after it are over.
pub const MAX_AHEAD: Duration = Duration::from_secs(365 * 24 * 3600);

/// A time as a caller writes it: RFC 3339, or seconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliverAt(Timestamp);

impl DeliverAt {
    /// The time, which may have passed: that means now.
    ///
    /// # Errors
    /// It is more than [`MAX_AHEAD`] after `now`.
    pub fn check(self, now: Timestamp) -> Result<Timestamp, Invalid> {
        if self.0 > now.after(MAX_AHEAD) {
            return Err(Invalid::new(
                "deliver_at",
                "must be at most 365 days ahead, as RFC 3339 or unix time in seconds",
            ));
        }
        Ok(self.0)
    }
}

impl<'de> Deserialize<'de> for DeliverAt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Moment;

        impl Visitor<'_> for Moment {
            type Value = DeliverAt;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a time such as `2026-11-21T12:00:00Z`, or unix time in seconds")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<DeliverAt, E> {
                let wrong = |_| E::invalid_value(serde::de::Unexpected::Str(text), &self);
                text.parse().map(DeliverAt).map_err(wrong)
            }

            fn visit_u64<E: serde::de::Error>(self, seconds: u64) -> Result<DeliverAt, E> {
                let at = Timestamp::default().after(Duration::from_secs(seconds));
                Ok(DeliverAt(at))
            }

            fn visit_i64<E: serde::de::Error>(self, seconds: i64) -> Result<DeliverAt, E> {
                self.visit_u64(u64::try_from(seconds).unwrap_or_default())
            }

            fn visit_f64<E: serde::de::Error>(self, seconds: f64) -> Result<DeliverAt, E> {
                let since = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX);
                Ok(DeliverAt(Timestamp::default().after(since)))
            }
        }

        deserializer.deserialize_any(Moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(json: &str) -> Result<DeliverAt, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn text_and_seconds_name_the_same_instant() {
        let at = read("\"2026-11-21T12:00:00Z\"").unwrap();
        assert_eq!(read("1795262400").unwrap(), at);
        assert_eq!(read("1795262400.0").unwrap(), at);
        assert_eq!(read("-5").unwrap(), DeliverAt(Timestamp::default()));
        for bad in ["null", "true", "\"soon\"", "{}", "\"\""] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_year_ahead_is_the_end() {
        let now = Timestamp::from_millis(1_795_262_400_000);
        assert!(DeliverAt(now.after(MAX_AHEAD)).check(now).is_ok());
        let beyond = now.after(MAX_AHEAD + Duration::from_millis(1));
        assert_eq!(
            DeliverAt(beyond).check(now).unwrap_err().field,
            "deliver_at"
        );
        // Milliseconds where seconds are meant.
        assert!(read("1795262400000").unwrap().check(now).is_err());
    }

    proptest! {
        #[test]
        fn no_number_or_text_panics(number: f64, text in ".{0,40}") {
            let now = Timestamp::from_millis(1_795_262_400_000);
            for json in [number.to_string(), serde_json::to_string(&text).unwrap()] {
                let _ = read(&json).map(|at| at.check(now));
            }
        }
    }
}
