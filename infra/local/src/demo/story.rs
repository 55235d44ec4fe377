//! What is new about a delivery since it was last looked at. Pure: views in, news out.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::api::{Attempt, Delivery, Status};
use super::play::Endpoint;

/// Seconds since 1970 reach this in the year 5138: what is not below it is milliseconds.
const FIRST_MILLISECONDS: u64 = 100_000_000_000;

/// A delivery that the story follows.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) id: String,
    pub(super) endpoint_id: String,
    pub(super) endpoint: &'static str,
    pub(super) event_type: &'static str,
    /// How many entries of the log have been told.
    told: usize,
    /// How many attempts have been told in all, over replays.
    pub(super) attempts: usize,
    status: Option<Status>,
    /// The log's length when it was last replayed: a final status with no more than this is the old one.
    replayed_at: Option<usize>,
}

/// Something to tell.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum News {
    /// An attempt was made.
    Attempt { attempt: Told, then: Then },
    /// The status changed without one.
    Became { status: Status, then: Then },
    /// It was put back.
    Replayed,
}

/// What is told of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    pub(super) number: u32,
    /// The status code, or what went wrong.
    pub(super) result: String,
    pub(super) latency_ms: Option<f64>,
}

/// What follows.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Then {
    /// Not known yet, or told already.
    Nothing,
    /// The next attempt, so far ahead.
    NextIn(Duration),
    /// The end.
    End {
        status: Status,
        reason: Option<String>,
    },
}

impl fmt::Display for Followed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.event_type, self.endpoint)
    }
}

impl Followed {
    pub(super) fn new(id: &str, endpoint: &Endpoint, event_type: &'static str) -> Self {
        Self {
            id: id.into(),
            endpoint_id: endpoint.id.clone(),
            endpoint: endpoint.name,
            event_type,
            told: 0,
            attempts: 0,
            status: None,
            replayed_at: None,
        }
    }

    /// The final status that was told.
    pub(super) fn ended(&self) -> Option<Status> {
        self.status.filter(|status| status.is_final())
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended().is_some()
    }

    /// It is being replayed: its end is no longer the end.
    pub(super) fn replay(&mut self) {
        self.status = None;
        self.replayed_at = Some(self.told);
    }

    /// What has happened since the last look.
    pub(super) fn look(&mut self, seen: &Delivery, now: SystemTime) -> Vec<News> {
        if self.is_old_end(seen) {
            return Vec::new();
        }
        if seen.attempt_log.len() < self.told {
            // A replay has begun a new log.
            self.told = 0;
        }
        let fresh = seen.attempt_log.get(self.told..).unwrap_or_default();
        self.told = seen.attempt_log.len();
        self.attempts += fresh.len();
        let changed = self.status != Some(seen.status);
        self.status = Some(seen.status);
        let then = then(seen, now);
        if let Some((last, earlier)) = fresh.split_last() {
            let earlier = earlier.iter().map(|attempt| News::Attempt {
                attempt: Told::of(attempt),
                then: Then::Nothing,
            });
            let last = News::Attempt {
                attempt: Told::of(last),
                then,
            };
            return earlier.chain([last]).collect();
        }
        // Of a delivery that is only under way its next attempt will tell.
        let tells = match seen.status {
            Status::Pending | Status::Retrying => false,
            Status::Parked
            | Status::Held
            | Status::Delivered
            | Status::Dead
            | Status::Cancelled => true,
        };
        if changed && tells {
            let status = seen.status;
            return vec![News::Became { status, then }];
        }
        Vec::new()
    }

    /// After a replay the old end may be seen for a moment.
    fn is_old_end(&self, seen: &Delivery) -> bool {
        self.status.is_none()
            && self.replayed_at == Some(seen.attempt_log.len())
            && seen.status == Status::Dead
    }
}

impl Told {
    fn of(attempt: &Attempt) -> Self {
        let result = match (attempt.status_code, &attempt.error) {
            (Some(code), _) => code.to_string(),
            (None, Some(error)) => error.kind.clone(),
            (None, None) => "no answer".into(),
        };
        Self {
            number: attempt.number,
            result,
            latency_ms: attempt.latency_ms,
        }
    }
}

fn then(seen: &Delivery, now: SystemTime) -> Then {
    if seen.status.is_final() {
        let reason = seen
            .dead_reason
            .clone()
            .filter(|_| seen.status == Status::Dead);
        return Then::End {
            status: seen.status,
            reason,
        };
    }
    let next = seen.next_attempt_at.as_ref().and_then(time_of);
    match next.map(|next| next.duration_since(now)) {
        Some(Ok(ahead)) => Then::NextIn(ahead),
        Some(Err(_)) | None => Then::Nothing,
    }
}

/// A time as RFC 3339 text or as seconds or milliseconds since 1970.
fn time_of(value: &Value) -> Option<SystemTime> {
    if let Some(text) = value.as_str() {
        return humantime::parse_rfc3339_weak(text).ok();
    }
    let number = value.as_u64()?;
    let since = if number < FIRST_MILLISECONDS {
        Duration::from_secs(number)
    } else {
        Duration::from_millis(number)
    };
    UNIX_EPOCH.checked_add(since)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::play::cast;
    use super::*;

    const NOW: SystemTime = UNIX_EPOCH;

    fn followed() -> Followed {
        Followed::new("d", &cast("run")[0], "order.created")
    }

    fn seen(status: &str, codes: &[u16]) -> Delivery {
        let log: Vec<_> = (1..)
            .zip(codes)
            .map(|(number, code)| json!({ "number": number, "status_code": code, "latency_ms": 3 }))
            .collect();
        let view = json!({
            "status": status,
            "attempt_log": log,
            "next_attempt_at": "1970-01-01T00:00:02Z",
            "dead_reason": "attempts_exhausted",
        });
        serde_json::from_value(view).unwrap()
    }

    fn results(news: &[News]) -> Vec<String> {
        news.iter()
            .map(|news| match news {
                News::Attempt { attempt, then } => {
                    format!("{}:{} {then:?}", attempt.number, attempt.result)
                }
                News::Became { status, .. } => status.to_string(),
                News::Replayed => "replayed".into(),
            })
            .collect()
    }

    #[test]
    fn every_attempt_is_told_once() {
        let mut followed = followed();
        assert!(followed.look(&seen("pending", &[]), NOW).is_empty());
        let news = followed.look(&seen("retrying", &[500]), NOW);
        assert_eq!(results(&news), ["1:500 NextIn(2s)"]);
        assert!(followed.look(&seen("retrying", &[500]), NOW).is_empty());
        let news = followed.look(&seen("delivered", &[500, 500, 200]), NOW);
        assert_eq!(
            results(&news),
            [
                "2:500 Nothing",
                "3:200 End { status: Delivered, reason: None }"
            ]
        );
        assert_eq!(followed.ended(), Some(Status::Delivered));
        assert_eq!(followed.attempts, 3);
    }

    #[test]
    fn an_end_without_an_attempt_is_told() {
        let mut followed = followed();
        assert_eq!(results(&followed.look(&seen("dead", &[]), NOW)), ["dead"]);
        assert!(followed.look(&seen("dead", &[]), NOW).is_empty());
    }

    #[test]
    fn a_replay_is_followed_past_its_old_end() {
        for log_after in [&[503, 503, 200][..], &[200]] {
            let mut followed = followed();
            followed.look(&seen("dead", &[503, 503]), NOW);
            followed.replay();
            assert!(!followed.has_ended());
            assert!(followed.look(&seen("dead", &[503, 503]), NOW).is_empty());
            assert!(!followed.has_ended());
            assert!(followed.look(&seen("pending", &[503, 503]), NOW).is_empty());
            let news = followed.look(&seen("delivered", log_after), NOW);
            assert_eq!(news.len(), 1);
            assert_eq!(followed.attempts, 3);
            assert!(followed.has_ended());
        }
    }

    #[test]
    fn times_are_read_in_each_form() {
        let at = UNIX_EPOCH + Duration::from_millis(1_773_342_238_500);
        assert_eq!(time_of(&json!("2026-03-12T19:03:58.5Z")), Some(at));
        assert_eq!(time_of(&json!(1_773_342_238_500_u64)), Some(at));
        assert_eq!(
            time_of(&json!(2)),
            Some(UNIX_EPOCH + Duration::from_secs(2))
        );
        assert_eq!(time_of(&json!(null)), None);
    }
}
