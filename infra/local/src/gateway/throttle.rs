//! Route throttling: a bucket of tokens for each route, as the template sizes it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::template::{Api, Throttle};

/// The buckets of all throttled routes, by route key.
#[derive(Debug, Default)]
pub(super) struct Throttles {
    buckets: HashMap<String, Mutex<Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    limit: Throttle,
    tokens: f64,
    filled: Option<Instant>,
}

impl Throttles {
    /// Full buckets for the routes of an API.
    pub(super) fn new<'a>(api: &Api, route_keys: impl Iterator<Item = &'a str>) -> Self {
        let buckets = route_keys
            .filter_map(|key| {
                let limit = *api.route_throttles.get(key).or(api.throttle.as_ref())?;
                let bucket = Bucket {
                    limit,
                    tokens: limit.burst,
                    filled: None,
                };
                Some((key.to_owned(), Mutex::new(bucket)))
            })
            .collect();
        Self { buckets }
    }

    /// Whether a request on a route may pass now.
    pub(super) fn admits(&self, route_key: &str, now: Instant) -> bool {
        self.buckets.get(route_key).is_none_or(|bucket| {
            bucket
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(now)
        })
    }
}

impl Bucket {
    fn take(&mut self, now: Instant) -> bool {
        if let Some(filled) = self.filled {
            let elapsed = now.saturating_duration_since(filled).as_secs_f64();
            self.tokens = (self.tokens + elapsed * self.limit.rate).min(self.limit.burst);
        }
        self.filled = Some(now);
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let api = Api {
            throttle: Some(Throttle {
                burst: 3.0,
                rate: 2.0,
            }),
            ..Api::default()
        };
        let throttles = Throttles::new(&api, ["POST /a", "POST /b"].into_iter());
        let start = crate::clock::monotonic();
        let admitted =
            |route: &str, at: Instant| (0..10).filter(|_| throttles.admits(route, at)).count();
        assert_eq!(admitted("POST /a", start), 3);
        assert_eq!(admitted("POST /a", start + Duration::from_secs(1)), 2);
        assert_eq!(admitted("POST /a", start + Duration::from_secs(60)), 3);
        assert_eq!(admitted("POST /b", start), 3);
    }

    #[test]
    fn an_api_without_limits_admits_all() {
        let throttles = Throttles::new(&Api::default(), ["$default"].into_iter());
        assert!((0..1_000).all(|_| throttles.admits("$default", crate::clock::monotonic())));
    }
}
