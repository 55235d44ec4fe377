//! Takes a webhook in, records it, and plays the answer that its path asks for.

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use futures::stream;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use super::behaviour::{Behaviour, NoBehaviour, RetryAfter};
use super::record::Received;
use super::tally::Visit;
use super::{Receiver, control};

const CHUNK: &[u8] = &[b'.'; 16 * 1024];
/// What `/reset` promises, and how much of it comes.
const RESET_PROMISED_BYTES: u32 = 1_000;
const RESET_SENT: &[u8] = b"half of the answer";
const RESET_AFTER: Duration = Duration::from_millis(20);
const SENT_AT: &[u8] = b"\"sent_at_us\":";

/// The answer to every request that is not for the receiver itself.
pub(super) async fn receive(State(receiver): State<Receiver>, request: Request) -> Response {
    if request.uri().path().starts_with("/_") {
        return control::problem(StatusCode::NOT_FOUND, "the receiver has no such call");
    }
    let (parts, body) = request.into_parts();
    let visit = receiver.0.tallies.enter(parts.uri.path());
    let max_body_bytes = receiver.0.settings.max_body_bytes;
    let Ok(body) = to_bytes(body, max_body_bytes).await else {
        return control::problem(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is too long or broken off",
        );
    };
    let exchange = Exchange::begin(&receiver, visit, &parts, &body);
    match Behaviour::of(parts.uri.path(), parts.uri.query()) {
        Ok(behaviour) => play(behaviour, &receiver, &parts, exchange).await,
        Err(why) => {
            let status = match why {
                NoBehaviour::UnknownPath => StatusCode::NOT_FOUND,
                NoBehaviour::BadValue(_) => StatusCode::BAD_REQUEST,
            };
            exchange.answer((status, why.to_string()))
        }
    }
}

async fn play(
    behaviour: Behaviour,
    receiver: &Receiver,
    parts: &Parts,
    exchange: Exchange,
) -> Response {
    match behaviour {
        Behaviour::Status {
            status,
            retry_after,
        } => {
            let retry_after = retry_after.map(|retry_after| header(&retry_after, receiver));
            refuse(exchange, status, retry_after)
        }
        Behaviour::Slow { wait } => {
            tokio::time::sleep(wait).await;
            exchange.answer(StatusCode::OK)
        }
        Behaviour::Flaky { failures } => {
            let nth = receiver
                .0
                .repeats
                .count(parts.uri.path(), webhook_id(parts));
            if nth <= failures {
                let told = format!("failure {nth} of {failures}");
                exchange.answer((StatusCode::INTERNAL_SERVER_ERROR, told))
            } else {
                exchange.answer(StatusCode::OK)
            }
        }
        Behaviour::Throttle {
            refusals,
            retry_after,
        } => {
            let nth = receiver
                .0
                .repeats
                .count(parts.uri.path(), webhook_id(parts));
            if nth <= refusals {
                let retry_after = Some(header(&retry_after, receiver));
                refuse(exchange, StatusCode::TOO_MANY_REQUESTS, retry_after)
            } else {
                exchange.answer(StatusCode::OK)
            }
        }
        Behaviour::Redirect { to } => match HeaderValue::try_from(to) {
            Ok(to) => exchange.answer((StatusCode::FOUND, [(LOCATION, to)])),
            Err(_) => exchange.answer(StatusCode::BAD_REQUEST),
        },
        Behaviour::Big { bytes } => exchange.stream(|visit| big(bytes, visit)),
        Behaviour::Drip { every } => exchange.stream(|visit| drip(every, visit)),
        Behaviour::Hang => {
            std::future::pending::<()>().await;
            exchange.answer(StatusCode::OK)
        }
        Behaviour::Reset => exchange.stream(half),
        Behaviour::Switch { name } => {
            let status = {
                let switches = receiver
                    .0
                    .switches
                    .read()
                    .unwrap_or_else(PoisonError::into_inner);
                switches.get(&name).copied().unwrap_or(StatusCode::OK)
            };
            refuse(exchange, status, None)
        }
    }
}

/// A plain answer, with some words on a failure as a real endpoint has them.
fn refuse(exchange: Exchange, status: StatusCode, retry_after: Option<HeaderValue>) -> Response {
    let mut response = if status.is_success() || status == StatusCode::NOT_MODIFIED {
        exchange.answer(status)
    } else {
        exchange.answer((status, status.canonical_reason().unwrap_or("no")))
    };
    if let Some(retry_after) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, retry_after);
    }
    response
}

fn header(retry_after: &RetryAfter, receiver: &Receiver) -> HeaderValue {
    let text = match retry_after {
        RetryAfter::Seconds(seconds) => seconds.to_string(),
        RetryAfter::DateIn(ahead) => httpdate::fmt_http_date((receiver.0.settings.now)() + *ahead),
        RetryAfter::Text(text) => text.clone(),
    };
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

fn webhook_id(parts: &Parts) -> &[u8] {
    parts
        .headers
        .get("webhook-id")
        .map_or(b"", HeaderValue::as_bytes)
}

/// A request that has come in whole, until its answer is given or its sender gone.
struct Exchange {
    visit: Option<Visit>,
    received: Option<Arc<Received>>,
}

impl Exchange {
    /// Judges, counts and records a request.
    fn begin(receiver: &Receiver, visit: Visit, parts: &Parts, body: &[u8]) -> Self {
        let state = &receiver.0;
        let at_us = receiver.now_us();
        let verdicts = state.secrets.judge(parts.uri.path(), &parts.headers, body);
        let sent_at_us = state
            .measuring
            .load(Relaxed)
            .then(|| sent_at_us(body))
            .flatten();
        let overall = verdicts.overall();
        let id = webhook_id(parts);
        state
            .tallies
            .arrived(&visit, at_us, id, overall, sent_at_us);
        let recorded = state.recording.load(Relaxed).then(|| {
            let copy = Arc::new(Received::copy(parts, body, at_us, verdicts));
            state.record.push(Arc::clone(&copy));
            copy
        });
        Self {
            visit: Some(visit),
            received: recorded,
        }
    }

    fn answer(self, response: impl IntoResponse) -> Response {
        let response = response.into_response();
        self.settle(response.status());
        response
    }

    /// Answers 200 with a body that is still being worked on when this returns.
    fn stream(mut self, body: impl FnOnce(Option<Visit>) -> Response) -> Response {
        self.settle(StatusCode::OK);
        body(self.visit.take())
    }

    fn settle(&self, status: StatusCode) {
        if let Some(received) = &self.received {
            received.answered(status.as_u16());
        }
        if let Some(visit) = &self.visit {
            visit.answered(status.as_u16());
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(received) = &self.received {
            received.abandoned();
        }
    }
}

fn big(bytes: u64, visit: Option<Visit>) -> Response {
    let chunks = stream::unfold((bytes, visit), |(left, visit)| async move {
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK.len());
        let chunk = CHUNK.get(..size).filter(|chunk| !chunk.is_empty())?;
        let left = left - chunk.len() as u64;
        Some((
            Ok::<_, std::io::Error>(Bytes::from_static(chunk)),
            (left, visit),
        ))
    });
    let headers = [(CONTENT_LENGTH, HeaderValue::from(bytes))];
    (headers, Body::from_stream(chunks)).into_response()
}

fn drip(every: Duration, visit: Option<Visit>) -> Response {
    let drops = stream::unfold(visit, move |visit| async move {
        tokio::time::sleep(every).await;
        Some((Ok::<_, std::io::Error>(Bytes::from_static(b".")), visit))
    });
    Body::from_stream(drops).into_response()
}

/// A body that breaks off: the server can but close the connection then.
fn half(visit: Option<Visit>) -> Response {
    let pieces = stream::unfold((0, visit), |(piece, visit)| async move {
        if piece == 0 {
            return Some((Ok(Bytes::from_static(RESET_SENT)), (1, visit)));
        }
        tokio::time::sleep(RESET_AFTER).await;
        let broken_off = std::io::Error::from(std::io::ErrorKind::ConnectionAborted);
        Some((Err(broken_off), (piece, visit)))
    });
    let headers = [
        (CONTENT_LENGTH, HeaderValue::from(RESET_PROMISED_BYTES)),
        (CONTENT_TYPE, HeaderValue::from_static("text/plain")),
    ];
    (headers, Body::from_stream(pieces)).into_response()
}

/// The time that a benchmark put into its payload.
fn sent_at_us(body: &[u8]) -> Option<u64> {
    let start = body
        .windows(SENT_AT.len())
        .position(|window| window == SENT_AT)?;
    let digits = body.get(start + SENT_AT.len()..)?.trim_ascii_start();
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(digits.get(..end)?).ok()?.parse().ok()
}
