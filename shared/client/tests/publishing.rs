//! Publishing, against an API that answers as it is told to.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails where it stands"
)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use hookpost_client::{Client, Event, Failure, PublishError};
use serde_json::{Value, json};
use tokio::time::Instant;

type Answer = (u16, &'static [(&'static str, &'static str)], Value);

/// An API with a list of answers, and of the calls it got.
#[derive(Clone, Default)]
struct Api(Arc<Mutex<(VecDeque<Answer>, Vec<Call>)>>);

struct Call {
    path: String,
    headers: HeaderMap,
    body: Value,
    at: Instant,
}

async fn answer(
    State(api): State<Api>,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, HeaderMap, String) {
    let mut state = api.0.lock().unwrap();
    state.1.push(Call {
        path: uri.path().to_owned(),
        headers,
        body: serde_json::from_str(&body).unwrap(),
        at: Instant::now(),
    });
    let (status, headers, body) = state.0.pop_front().unwrap();
    let headers = headers
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    let status = StatusCode::from_u16(status).unwrap();
    (status, headers.collect(), body.to_string())
}

impl Api {
    /// Serves these answers, and gives a client that waits for next to nothing.
    async fn client(answers: impl IntoIterator<Item = Answer>) -> (Self, Client) {
        let api = Self::default();
        api.0.lock().unwrap().0.extend(answers);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(api.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let client = Client::builder(&url, "hp_key")
            .tenant("acme")
            .backoff(Duration::from_millis(2), Duration::from_millis(5))
            .give_up_after(Duration::from_secs(3))
            .build()
            .unwrap();
        (api, client)
    }

    fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.0.lock().unwrap().1)
    }
}

fn accepted() -> Answer {
    let body = json!({
        "id": "e-1", "event_type": "order.created", "tenant": "acme", "delivery_count": 1,
        "timestamp": "2026-11-21T12:00:00.000Z", "deliveries": [{ "id": "d", "endpoint_id": "ep" }],
        "something": "new",
    });
    (202, &[], body)
}

fn problem(status: u16, kind: &str) -> Answer {
    let kind = format!("urn:hookpost:problem:{kind}");
    (
        status,
        &[],
        json!({ "type": kind, "title": "t", "status": status, "detail": "d" }),
    )
}

fn event() -> Event {
    Event::new("order.created", &json!({ "n": 1 })).unwrap()
}

#[tokio::test]
async fn an_event_is_posted_with_key_tenant_and_a_key_of_its_own() {
    let (api, client) = Api::client([accepted()]).await;
    let accepted = client.publish(&event()).await.unwrap();
    assert_eq!((accepted.id.as_str(), accepted.duplicate), ("e-1", false));
    assert_eq!(accepted.deliveries[0].endpoint_id, "ep");
    let call = &api.calls()[0];
    assert_eq!(call.path, "/api/v1/events");
    assert_eq!(
        call.body,
        json!({ "event_type": "order.created", "payload": { "n": 1 } })
    );
    assert_eq!(call.headers["authorization"], "Bearer hp_key");
    assert_eq!(call.headers["x-tenant"], "acme");
    assert_eq!(call.headers["content-type"], "application/json");
    assert!(call.headers["idempotency-key"].len() > 40);
}

#[tokio::test]
async fn what_may_be_otherwise_later_is_tried_again_with_the_same_key() {
    let gateway = (503, &[][..], json!({ "message": "Service Unavailable" }));
    let answers = [
        problem(500, "x"),
        gateway,
        problem(429, "x"),
        problem(408, "x"),
        accepted(),
    ];
    let (api, client) = Api::client(answers).await;
    client.publish(&event()).await.unwrap();
    let calls = api.calls();
    assert_eq!(calls.len(), 5);
    for call in &calls {
        let key = |call: &Call| call.headers["idempotency-key"].clone();
        assert_eq!((key(call), &call.body), (key(&calls[0]), &calls[0].body));
    }
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let asked = (429, &[("retry-after", "1")][..], json!({}));
    let (api, client) = Api::client([asked, accepted()]).await;
    client.publish(&event()).await.unwrap();
    let calls = api.calls();
    assert!(calls[1].at - calls[0].at >= Duration::from_secs(1));
}

#[tokio::test]
async fn it_gives_up_rather_than_call_too_early_or_for_ever() {
    let asked = (503, &[("retry-after", "60")][..], json!({ "title": "t" }));
    let (api, client) = Api::client([asked]).await;
    let error = client.publish(&event()).await.unwrap_err();
    assert!(error.is_transient());
    assert_eq!(error.problem().unwrap().status, 503);
    assert_eq!(api.calls().len(), 1);

    // Nobody listens on a port that was just given back.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let client = Client::builder(&url, "")
        .backoff(Duration::from_millis(10), Duration::from_millis(10))
        .give_up_after(Duration::from_millis(100))
        .build()
        .unwrap();
    let began = Instant::now();
    let error = client.publish(&event()).await.unwrap_err();
    let PublishError::GaveUp {
        attempts,
        last: Failure::NoAnswer(_),
    } = error
    else {
        panic!("{error:?}");
    };
    assert!(attempts > 2, "{attempts}");
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_call_without_an_answer_ends_in_time() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let client = Client::builder(&url, "")
        .timeout(Duration::from_millis(50))
        .give_up_after(Duration::from_millis(200))
        .build()
        .unwrap();
    let began = Instant::now();
    assert!(client.publish(&event()).await.unwrap_err().is_transient());
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_refusal_is_final_and_says_why() {
    for status in [400, 401, 403, 409, 413, 422, 302] {
        let (api, client) = Api::client([problem(status, "conflict")]).await;
        let error = client.publish(&event()).await.unwrap_err();
        let PublishError::Refused(problem) = error else {
            panic!("{error:?}");
        };
        assert_eq!((problem.status, problem.name()), (status, "conflict"));
        assert_eq!(api.calls().len(), 1);
    }
}

#[tokio::test]
async fn a_batch_is_as_few_calls_as_it_fits_in_and_a_result_for_each() {
    let result = |n: usize| {
        json!({ "index": n, "status": 202, "id": "e", "event_type": "t",
        "tenant": "t", "timestamp": "t", "delivery_count": 0, "deliveries": [] })
    };
    let refused = json!({ "index": 0, "status": 422, "problem": problem(422, "invalid").2 });
    let all: Vec<Value> = (0..100).map(result).collect();
    let first = (202, &[][..], json!({ "results": all }));
    let second = (422, &[][..], json!({ "results": [refused] }));
    let (api, client) = Api::client([first, problem(503, "x"), second]).await;
    let events: Vec<Event> = (0..101).map(|_| event()).collect();
    let results = client.publish_batch(&events).await.unwrap();
    assert_eq!(results.len(), 101);
    assert!(results[..100].iter().all(Result::is_ok));
    assert_eq!(results[100].as_ref().unwrap_err().name(), "invalid");
    let calls = api.calls();
    assert_eq!(calls.len(), 3);
    assert_eq!(calls[0].path, "/api/v1/events/batch");
    assert_eq!(calls[1].body, calls[2].body);
    assert_eq!(client.publish_batch(&[]).await.unwrap(), []);
}
