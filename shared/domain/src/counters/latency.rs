//! How long requests took, as counts in a few ranges: small enough to be added up anywhere, and
//! good enough for percentiles.

/// The upper ends of the ranges, in milliseconds: what takes longer is in one more.
pub const BOUNDS_MS: [u32; 9] = [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000];
/// What the longest range is taken to end with.
pub const LONGEST_MS: u32 = 30_000;

/// The names that the ranges are stored under.
const NAMES: [&str; 10] = [
    "le_50", "le_100", "le_250", "le_500", "le_1000", "le_2500", "le_5000", "le_10000", "le_30000",
    "le_inf",
];

/// A histogram.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Latency {
    /// How many were in each range, not counting those in the ranges below it.
    ranges: [u64; 10],
    /// The sum of all, in milliseconds.
    sum_ms: u64,
}

impl Latency {
    /// Counts one.
    pub fn observe(&mut self, latency_ms: u32) {
        let place = BOUNDS_MS.partition_point(|bound| *bound < latency_ms);
        if let Some(range) = self.ranges.get_mut(place) {
            *range = range.saturating_add(1);
        }
        self.sum_ms = self.sum_ms.saturating_add(latency_ms.into());
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.ranges
            .iter()
            .fold(0, |sum, range| sum.saturating_add(*range))
    }

    /// The sum of all, in milliseconds.
    pub const fn sum_ms(&self) -> u64 {
        self.sum_ms
    }

    /// Their mean, in milliseconds.
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds are shown with a few digits"
    )]
    pub fn average_ms(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum_ms as f64 / count as f64)
    }

    /// How many took at most each of [`BOUNDS_MS`], and at the end how many there were: what
    /// Prometheus calls buckets.
    pub fn cumulative(&self) -> impl Iterator<Item = (Option<u32>, u64)> {
        let bounds = BOUNDS_MS.into_iter().map(Some).chain(std::iter::once(None));
        bounds.zip(self.ranges).scan(0u64, |sum, (bound, count)| {
            *sum = sum.saturating_add(count);
            Some((bound, *sum))
        })
    }

    /// The time that this share of them kept to, in milliseconds: exact to the range, and within it
    /// as if they were spread evenly.
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds are shown with a few digits"
    )]
    pub fn percentile_ms(&self, share: f64) -> Option<f64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let wanted = share.clamp(0.0, 1.0) * count as f64;
        let (mut below, mut from) = (0.0, 0.0);
        for (bound, range) in BOUNDS_MS.into_iter().zip(self.ranges) {
            let to = f64::from(bound);
            let range = range as f64;
            if range > 0.0 && below + range >= wanted {
                return Some(from + (to - from) * ((wanted - below) / range).clamp(0.0, 1.0));
            }
            below += range;
            from = to;
        }
        Some(f64::from(LONGEST_MS))
    }

    pub(super) fn each(&mut self) -> impl Iterator<Item = (&'static str, &mut u64)> {
        NAMES
            .into_iter()
            .zip(&mut self.ranges)
            .chain(std::iter::once(("latency_ms", &mut self.sum_ms)))
    }
}
