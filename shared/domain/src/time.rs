//! Points in time, in whole milliseconds since the Unix epoch.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Milliseconds since the Unix epoch. Shown as RFC 3339 in UTC with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

/// The last instant that RFC 3339 can write, 9999-12-31T23:59:59.999Z.
const LATEST_MS: u64 = 253_402_300_799_999;

impl Timestamp {
    /// From milliseconds since the epoch; what lies beyond the year 9999 is cut to its end.
    pub const fn from_millis(ms: u64) -> Self {
        if ms > LATEST_MS {
            Self(LATEST_MS)
        } else {
            Self(ms)
        }
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// How long `self` is after `earlier`; zero if it is not.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// `self` and `wait`, cut to the representable range.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        let ms = u64::try_from(wait.as_millis()).unwrap_or(LATEST_MS);
        Self::from_millis(self.0.saturating_add(ms))
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Self::default().after(since)
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        Self::UNIX_EPOCH + Duration::from_millis(time.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_millis((*self).into()).fmt(f)
    }
}

impl FromStr for Timestamp {
    type Err = humantime::TimestampError;

    /// Reads RFC 3339, in UTC (`2026-11-21T12:00:00Z`) or with an offset
    /// (`2026-11-21T13:00:00+01:00`).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((local, ahead_ms)) = offset(text) else {
            return humantime::parse_rfc3339_weak(text).map(Self::from);
        };
        let local = Self::from(humantime::parse_rfc3339_weak(local)?);
        let ms = i64::try_from(local.0).unwrap_or(i64::MAX) - ahead_ms;
        Ok(Self::from_millis(u64::try_from(ms).unwrap_or_default()))
    }
}

/// The local time and the milliseconds that it is ahead of UTC by, of a time with an offset.
fn offset(text: &str) -> Option<(&str, i64)> {
    let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let number = |digits: &str, below: i64| -> Option<i64> {
        let plain = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
        let number = digits.parse().ok().filter(|_| plain)?;
        (number < below).then_some(number)
    };
    let minutes = number(hours, 24)? * 60 + number(minutes, 60)?;
    match offset.as_bytes().first()? {
        b'+' if local.contains('T') => Some((local, minutes * 60_000)),
        b'-' if local.contains('T') => Some((local, minutes * -60_000)),
        _ => None,
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse()
            .map_err(|_| serde::de::Error::custom("must be a time such as 2026-11-21T12:00:00Z"))
    }
}

/// `wait` rounded up to whole seconds: what SQS can wait, and never early.
pub const fn ceil_secs(wait: Duration) -> u64 {
    wait.as_secs() + (wait.subsec_nanos() > 0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_reads_what_it_writes() {
        let at = Timestamp::from_millis(1_795_262_400_123);
        assert_eq!(at.to_string().parse::<Timestamp>().unwrap(), at);
        assert_eq!(serde_json::to_string(&at).unwrap(), format!("\"{at}\""));
    }

    #[test]
    fn an_offset_names_the_same_instant() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let noon = at("2026-11-21T12:00:00Z");
        assert_eq!(at("2026-11-21T13:30:00+01:30"), noon);
        assert_eq!(at("2026-11-21T04:00:00.000-08:00"), noon);
        for bad in [
            "",
            "é",
            "2026-11-21T12:00:00+24:00",
            "2026-11-21T12:00:00+1:00",
            "-08:00",
        ] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn no_time_is_too_late_to_write() {
        let last = Timestamp::from_millis(u64::MAX).after(Duration::MAX);
        assert_eq!(last.to_string(), "9999-12-31T23:59:59.999Z");
    }
}
