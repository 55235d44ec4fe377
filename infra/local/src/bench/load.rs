//! Sends events over connections that are kept, at a rate or as fast as the
//! answers come, and times each call.
//!
//! At a rate the calls go out when they are due, whether the ones before have
//! been answered or not: a system that falls behind cannot slow its load down.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::Instant;
use url::Url;

use crate::{clock, http as plain_http};

const CALL_TIMEOUT: Duration = Duration::from_secs(35);

/// How events are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Pace {
    /// So many events a second.
    Rate { per_second: u32 },
    /// So many calls at once.
    Concurrency { calls: u32 },
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Rate { per_second } => format!("{per_second}/s"),
            Self::Concurrency { calls } => format!("{calls} at once"),
        };
        f.pad(&text)
    }
}

/// What to send.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) api: Url,
    pub(super) pace: Pace,
    pub(super) events: u32,
    pub(super) batch: u32,
    pub(super) endpoints: u32,
    pub(super) payload_bytes: u32,
}

/// What became of the calls.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) accepted: u32,
    pub(super) refused: u32,
    pub(super) calls: u32,
    /// Of what was refused, the last words.
    pub(super) last_refusal: Option<String>,
    /// Microseconds that each answer took.
    pub(super) answers_us: Vec<u32>,
    /// From the first call to the last answer.
    pub(super) took: Duration,
    /// Milliseconds since 1970.
    pub(super) began_at_ms: u64,
}

/// The type of the events that the endpoint of this number asks for.
pub(super) fn event_type(endpoint: u32) -> String {
    format!("bench.endpoint_{endpoint}")
}

impl Load {
    /// Sends everything, and waits for every answer.
    pub(super) async fn send(self) -> Sent {
        let load = Arc::new(self);
        let client = plain_http::client();
        let began = Instant::now();
        let began_at_ms = clock::epoch_ms(clock::wall());
        let mut sent = match load.pace {
            Pace::Rate { per_second } => load.at_a_rate(&client, per_second).await,
            Pace::Concurrency { calls } => load.at_once(&client, calls).await,
        };
        sent.took = began.elapsed();
        sent.began_at_ms = began_at_ms;
        sent
    }

    async fn at_a_rate(self: &Arc<Self>, client: &plain_http::Client, per_second: u32) -> Sent {
        let began = Instant::now();
        let mut calls = JoinSet::new();
        let mut sent = Sent::default();
        for first in (0..self.events).step_by(self.batch_size()) {
            let due = Duration::from_secs_f64(f64::from(first) / f64::from(per_second));
            // The timer's grain is a millisecond: what is due already goes out at once.
            if began.elapsed() < due {
                tokio::time::sleep_until(began + due).await;
            }
            calls.spawn(Arc::clone(self).call(client.clone(), first));
            while let Some(done) = calls.try_join_next() {
                sent.add(done.unwrap_or_default());
            }
        }
        while let Some(done) = calls.join_next().await {
            sent.add(done.unwrap_or_default());
        }
        sent
    }

    async fn at_once(self: &Arc<Self>, client: &plain_http::Client, calls: u32) -> Sent {
        let next = Arc::new(AtomicU32::new(0));
        let mut workers = JoinSet::new();
        for _ in 0..calls {
            let (load, client, next) = (Arc::clone(self), client.clone(), Arc::clone(&next));
            workers.spawn(async move {
                let mut sent = Sent::default();
                loop {
                    let first = next.fetch_add(load.batch, Ordering::Relaxed);
                    if first >= load.events {
                        return sent;
                    }
                    sent.add(Arc::clone(&load).call(client.clone(), first).await);
                }
            });
        }
        let mut sent = Sent::default();
        while let Some(done) = workers.join_next().await {
            sent.add(done.unwrap_or_default());
        }
        sent
    }

    fn batch_size(&self) -> usize {
        usize::try_from(self.batch).unwrap_or(1).max(1)
    }

    /// One call, with the events from `first` on.
    async fn call(self: Arc<Self>, client: plain_http::Client, first: u32) -> Sent {
        let events = self.batch.min(self.events - first);
        let (path, body) = if self.batch == 1 {
            ("/api/v1/events", self.event(first, clock::wall()))
        } else {
            let now = clock::wall();
            let list: Vec<_> = (first..first + events)
                .map(|n| self.event(n, now))
                .collect();
            let body = format!(r#"{{"events":[{}]}}"#, list.join(","));
            ("/api/v1/events/batch", body)
        };
        let began = Instant::now();
        let exchange = exchange(&client, &self.api, path, body);
        let answered = tokio::time::timeout(CALL_TIMEOUT, exchange).await;
        let accepted = match answered {
            Ok(Ok((StatusCode::ACCEPTED, answer))) => Ok(accepted_of(&answer, events)),
            Ok(Ok((status, answer))) => {
                let words = String::from_utf8_lossy(&answer);
                Err(format!(
                    "{status}: {}",
                    words.chars().take(200).collect::<String>()
                ))
            }
            Ok(Err(error)) => Err(error),
            Err(_elapsed) => Err("no answer in time".to_owned()),
        };
        let took_us = began.elapsed().as_micros();
        let accepted_events = accepted.as_ref().copied().unwrap_or_default();
        Sent {
            accepted: accepted_events,
            refused: events - accepted_events.min(events),
            calls: 1,
            last_refusal: accepted.err(),
            answers_us: vec![u32::try_from(took_us).unwrap_or(u32::MAX)],
            ..Sent::default()
        }
    }

    fn event(&self, n: u32, now: SystemTime) -> String {
        let sent_at_us = now
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_micros();
        let event_type = event_type(n % self.endpoints);
        let payload = format!(
            r#""sent_at_us":{sent_at_us},"order_id":"ord_{n}","customer":{{"id":"cus_77","country":"DE"}},"total":129.9,"currency":"EUR""#
        );
        let wanted = usize::try_from(self.payload_bytes).unwrap_or_default();
        let filling = ".".repeat(wanted.saturating_sub(payload.len()));
        format!(r#"{{"event_type":"{event_type}","payload":{{{payload},"note":"{filling}"}}}}"#)
    }
}

impl Sent {
    fn add(&mut self, more: Self) {
        self.accepted += more.accepted;
        self.refused += more.refused;
        self.calls += more.calls;
        self.answers_us.extend(more.answers_us);
        self.last_refusal = more.last_refusal.or(self.last_refusal.take());
    }
}

async fn exchange(
    client: &plain_http::Client,
    api: &Url,
    path: &str,
    body: String,
) -> Result<(StatusCode, Bytes), String> {
    let request = Request::post(format!("{}{path}", api.as_str().trim_end_matches('/')))
        .header(CONTENT_TYPE, "application/json")
        .body(Full::from(body))
        .map_err(|error| error.to_string())?;
    let response = client
        .request(request)
        .await
        .map_err(|error| error.to_string())?;
    let status = response.status();
    let answer = response.into_body().collect().await;
    Ok((
        status,
        answer.map_err(|error| error.to_string())?.to_bytes(),
    ))
}

/// A batch's answer says how many of it were accepted.
fn accepted_of(answer: &[u8], events: u32) -> u32 {
    #[derive(Deserialize)]
    struct BatchAnswer {
        accepted: u32,
    }
    match serde_json::from_slice::<BatchAnswer>(answer) {
        Ok(batch) if events > 1 => batch.accepted,
        Ok(_) | Err(_) => events,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn load(payload_bytes: u32) -> Load {
        Load {
            api: Url::parse("http://127.0.0.1:1/").unwrap(),
            pace: Pace::Rate { per_second: 1_000 },
            events: 10,
            batch: 1,
            endpoints: 3,
            payload_bytes,
        }
    }

    #[test]
    fn an_event_carries_its_time_and_the_bytes_asked_for() {
        for payload_bytes in [0, 300, 5_000] {
            let at = UNIX_EPOCH + Duration::from_micros(1_773_342_238_000_123);
            let event: Value = serde_json::from_str(&load(payload_bytes).event(7, at)).unwrap();
            assert_eq!(event["event_type"], "bench.endpoint_1");
            assert_eq!(event["payload"]["sent_at_us"], 1_773_342_238_000_123_u64);
            let bytes = u32::try_from(event["payload"].to_string().len()).unwrap();
            assert!(
                bytes >= payload_bytes && bytes < payload_bytes.max(150) + 20,
                "{bytes}"
            );
        }
    }

    #[test]
    fn a_batch_counts_what_was_accepted_of_it() {
        assert_eq!(accepted_of(br#"{"accepted":7,"rejected":3}"#, 10), 7);
        assert_eq!(accepted_of(br#"{"id":"evt"}"#, 1), 1);
    }

    #[tokio::test]
    async fn what_gets_no_answer_is_counted_as_refused() {
        let sent = load(0).send().await;
        assert_eq!((sent.accepted, sent.refused, sent.calls), (0, 10, 10));
        assert!(sent.last_refusal.is_some());
    }
}
