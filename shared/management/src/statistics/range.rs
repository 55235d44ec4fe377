//! Which time statistics are asked of, and in which steps: whole ones, so that the sums are exactly
//! those of the series.

use std::time::Duration;

use hookpost_adapters::table::Resolution;
use hookpost_domain::{Invalid, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Minutes are read of as much at most.
const MOST_MINUTES: Duration = Duration::from_secs(6 * 3600);
/// Minutes are kept for two days; the last of them may be on their way out.
const MINUTES_BACK: Duration = Duration::from_secs(47 * 3600);
const MOST_HOURS: Duration = Duration::from_secs(31 * 24 * 3600);
const MOST_DAYS: Duration = Duration::from_secs(366 * 24 * 3600);

/// The steps of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Interval {
    /// A minute each: of six hours at most, within the last two days.
    Minute,
    /// An hour each: of 31 days at most.
    Hour,
    /// A day each: of 366 days at most.
    Day,
}

impl Interval {
    pub(super) const fn step(self) -> Duration {
        match self {
            Self::Minute => MINUTE,
            Self::Hour => HOUR,
            Self::Day => DAY,
        }
    }

    /// How finely what it is made of is read.
    pub(super) const fn resolution(self) -> Resolution {
        match self {
            Self::Minute => Resolution::Minutes,
            Self::Hour | Self::Day => Resolution::Hours,
        }
    }
}

/// A time in whole steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) from: Timestamp,
    /// The end, which is not in it.
    pub(super) to: Timestamp,
    pub(super) interval: Interval,
}

impl Range {
    /// The time from `from` to `to`, made wider to whole steps: the last day, unless said otherwise.
    pub(super) fn of(
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        interval: Option<Interval>,
        now: Timestamp,
    ) -> Result<Self, Invalid> {
        let to = to.unwrap_or(now);
        let a_day_before = to.as_millis().saturating_sub(millis(DAY));
        let from = from.unwrap_or(Timestamp::from_millis(a_day_before));
        if from >= to {
            return Err(Invalid::new("from", "must be before `to`"));
        }
        let length = to.since(from);
        let recent = now.since(from) <= MINUTES_BACK;
        let interval = interval.unwrap_or(if length <= HOUR * 2 && recent {
            Interval::Minute
        } else if length <= DAY * 7 {
            Interval::Hour
        } else {
            Interval::Day
        });
        let (most, rule) = match interval {
            Interval::Minute => (
                MOST_MINUTES,
                "must be `hour` or `day` for more than six hours or what is older than two days",
            ),
            Interval::Hour => (MOST_HOURS, "must be `day` for more than 31 days"),
            Interval::Day => (MOST_DAYS, "is `day` for at most 366 days"),
        };
        if length > most || (interval == Interval::Minute && !recent) {
            return Err(Invalid::new("interval", rule));
        }
        let step = millis(interval.step());
        let begin = from.as_millis() / step * step;
        let end = to.as_millis().div_ceil(step) * step;
        Ok(Self {
            from: Timestamp::from_millis(begin),
            to: Timestamp::from_millis(end),
            interval,
        })
    }

    /// The beginnings of its steps.
    pub(super) fn steps(&self) -> impl Iterator<Item = Timestamp> {
        let step = millis(self.interval.step());
        let times = (self.from.as_millis()..self.to.as_millis()).step_by(step_size(step));
        times.map(Timestamp::from_millis)
    }

    /// The beginning of the step that `at` lies in.
    pub(super) fn step_of(&self, at: Timestamp) -> Timestamp {
        let step = millis(self.interval.step());
        Timestamp::from_millis(at.as_millis() / step * step)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn step_size(millis: u64) -> usize {
    usize::try_from(millis).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn now() -> Timestamp {
        at("2026-11-24T12:34:56Z")
    }

    fn range(from: &str, to: &str, interval: Option<Interval>) -> Result<Range, Invalid> {
        Range::of(Some(at(from)), Some(at(to)), interval, now())
    }

    #[test]
    fn without_a_word_it_is_the_last_day_by_the_hour() {
        let range = Range::of(None, None, None, now()).unwrap();
        assert_eq!(range.interval, Interval::Hour);
        assert_eq!(range.from, at("2026-11-23T12:00:00Z"));
        assert_eq!(range.to, at("2026-11-24T13:00:00Z"));
        assert_eq!(range.steps().count(), 25);
    }

    #[test]
    fn whole_steps_hold_all_that_was_asked_for() {
        for interval in [Interval::Minute, Interval::Hour, Interval::Day] {
            let (from, to) = ("2026-11-24T11:00:00.001Z", "2026-11-24T12:00:00.001Z");
            let range = range(from, to, Some(interval)).unwrap();
            assert!(range.from <= at(from) && range.to >= at(to));
            assert!(range.to.since(range.from) < Duration::from_secs(3600) + interval.step() * 2);
            let steps: Vec<_> = range.steps().collect();
            assert_eq!(steps[0], range.from);
            assert_eq!(steps.last().unwrap().after(interval.step()), range.to);
            assert!(steps.iter().all(|step| range.step_of(*step) == *step));
        }
    }

    #[test]
    fn what_cannot_be_told_is_refused_by_name() {
        let refused = |from, to, interval| range(from, to, interval).unwrap_err().field;
        let (then, later) = ("2026-11-24T11:00:00Z", "2026-11-24T12:00:00Z");
        assert_eq!(refused(later, then, None), "from");
        assert_eq!(refused(then, then, None), "from");
        let minutes = Some(Interval::Minute);
        assert_eq!(refused("2026-11-24T01:00:00Z", later, minutes), "interval");
        assert_eq!(
            refused("2026-11-20T01:00:00Z", "2026-11-20T02:00:00Z", minutes),
            "interval"
        );
        assert_eq!(
            refused("2026-09-01T00:00:00Z", later, Some(Interval::Hour)),
            "interval"
        );
        assert_eq!(refused("2016-09-01T00:00:00Z", later, None), "interval");
    }

    #[test]
    fn no_time_is_too_early_or_too_late_to_be_judged() {
        let ends = [Timestamp::from_millis(0), Timestamp::from_millis(u64::MAX)];
        for from in ends {
            for to in ends {
                for interval in [
                    None,
                    Some(Interval::Minute),
                    Some(Interval::Hour),
                    Some(Interval::Day),
                ] {
                    let _judged = Range::of(Some(from), Some(to), interval, now());
                    let _judged = Range::of(None, Some(to), interval, now())
                        .map(|range| range.steps().count());
                }
            }
        }
    }
}
