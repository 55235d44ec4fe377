//! The demonstration against the real receiver and an API that plays Hookpost.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use hmac::{Hmac, Mac};
use http::StatusCode;
use serde_json::{Value, json};
use sha2::Sha256;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;
use url::Url;

use super::{DemoError, run};
use crate::clock;
use crate::receiver::{self, Receiver};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const MAX_ATTEMPTS: usize = 3;

#[derive(Clone, Default)]
struct Api(Arc<Mutex<Tables>>);

#[derive(Default)]
struct Tables {
    endpoints: Vec<Value>,
    deliveries: HashMap<String, Value>,
    /// Signs with another secret than the one it gave out.
    forges: bool,
    deleted: Vec<String>,
}

impl Api {
    fn router(self) -> Router {
        Router::new()
            .route("/api/v1/endpoints", get(list).post(create))
            .route("/api/v1/endpoints/{id}", axum::routing::delete(delete))
            .route("/api/v1/events", post(accept))
            .route("/api/v1/deliveries/{id}", get(delivery))
            .route("/api/v1/dead-letters/{id}/replay", post(replay))
            .with_state(self)
    }

    /// Makes attempts until the delivery is delivered or dead.
    async fn deliver(self, id: String) {
        let (url, secret) = {
            let tables = self.0.lock().unwrap();
            let delivery = &tables.deliveries[&id];
            let endpoint = tables
                .endpoints
                .iter()
                .find(|e| e["id"] == delivery["endpoint_id"]);
            let secret = if tables.forges { "whsec_AAAA" } else { SECRET };
            (
                endpoint.unwrap()["url"].as_str().unwrap().to_owned(),
                secret,
            )
        };
        let event_id = id.split('~').next().unwrap().to_owned();
        for nth in 1..=MAX_ATTEMPTS {
            let code = send(&url, secret, &event_id).await;
            let status = match code {
                200 => "delivered",
                410 => "dead",
                _ if nth == MAX_ATTEMPTS => "dead",
                _ => "retrying",
            };
            {
                let mut tables = self.0.lock().unwrap();
                let delivery = tables.deliveries.get_mut(&id).unwrap();
                let log = delivery["attempt_log"].as_array_mut().unwrap();
                let number = log.len() + 1;
                log.push(json!({ "number": number, "status_code": code, "latency_ms": 3 }));
                delivery["status"] = json!(status);
                delivery["dead_reason"] = json!((status == "dead").then_some("exhausted"));
            }
            if status != "retrying" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(80)).await;
        }
    }
}

async fn send(url: &str, secret: &str, event_id: &str) -> u16 {
    let body = r#"{"id":"x"}"#;
    let seconds = i64::try_from(clock::epoch_ms(clock::wall()) / 1_000).unwrap();
    let standard = Webhook::new(secret)
        .unwrap()
        .sign(event_id, seconds, body.as_bytes());
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let mac = mac.finalize().into_bytes();
    let hex = mac
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let request = http::Request::post(url)
        .header("webhook-id", event_id)
        .header("webhook-timestamp", seconds.to_string())
        .header("webhook-signature", standard.unwrap())
        .header("x-webhook-signature", format!("sha256={hex}"))
        .body(http_body_util::Full::<bytes::Bytes>::from(body))
        .unwrap();
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new());
    client
        .build_http()
        .request(request)
        .await
        .unwrap()
        .status()
        .as_u16()
}

async fn list(State(api): State<Api>) -> Json<Value> {
    Json(json!({ "endpoints": api.0.lock().unwrap().endpoints, "next": null }))
}

async fn create(
    State(api): State<Api>,
    Json(mut endpoint): Json<Value>,
) -> (StatusCode, Json<Value>) {
    let mut tables = api.0.lock().unwrap();
    endpoint["id"] = json!(format!("ep_{}", tables.endpoints.len()));
    endpoint["secret"] = json!(SECRET);
    tables.endpoints.push(endpoint.clone());
    (StatusCode::CREATED, Json(endpoint))
}

async fn delete(State(api): State<Api>, Path(id): Path<String>) -> StatusCode {
    let mut tables = api.0.lock().unwrap();
    tables
        .endpoints
        .retain(|endpoint| endpoint["id"] != id.as_str());
    tables.deleted.push(id);
    StatusCode::NO_CONTENT
}

async fn accept(State(api): State<Api>, Json(event): Json<Value>) -> (StatusCode, Json<Value>) {
    assert!(event["payload"].is_object());
    let event_type = event["event_type"].as_str().unwrap();
    let event_id = format!("evt_{event_type}");
    let asks = |endpoint: &Value| {
        let patterns = endpoint["event_types"].as_array().unwrap();
        patterns.iter().any(|pattern| {
            let pattern = pattern.as_str().unwrap();
            event_type.starts_with(pattern.trim_end_matches('*'))
        })
    };
    let mut accepted = Vec::new();
    let mut tables = api.0.lock().unwrap();
    let matching: Vec<_> = tables
        .endpoints
        .iter()
        .filter(|e| asks(e))
        .cloned()
        .collect();
    for endpoint in matching {
        let endpoint_id = endpoint["id"].as_str().unwrap();
        let id = format!("{event_id}~{endpoint_id}");
        accepted.push(json!({ "id": id, "endpoint_id": endpoint_id }));
        let fresh = json!({ "endpoint_id": endpoint_id, "status": "pending", "attempt_log": [] });
        tables.deliveries.insert(id.clone(), fresh);
        tokio::spawn(api.clone().deliver(id));
    }
    (
        StatusCode::ACCEPTED,
        Json(json!({ "id": event_id, "deliveries": accepted })),
    )
}

async fn delivery(State(api): State<Api>, Path(id): Path<String>) -> Json<Value> {
    Json(api.0.lock().unwrap().deliveries[&id].clone())
}

async fn replay(State(api): State<Api>, Path(id): Path<String>) -> (StatusCode, Json<Value>) {
    // A job takes its time: the old end is still to be seen meanwhile.
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(150)).await;
        api.deliver(id).await;
    });
    (StatusCode::ACCEPTED, Json(json!({ "replayed": 1 })))
}

async fn play(api: Api) -> (Result<(), DemoError>, String) {
    let [api_base, receiver_base] = {
        let listen = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (for_api, for_receiver) = (listen().await, listen().await);
        let url = |listener: &TcpListener| {
            Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap()
        };
        let urls = [url(&for_api), url(&for_receiver)];
        tokio::spawn(axum::serve(for_api, api.router()).into_future());
        tokio::spawn(receiver::serve(
            for_receiver,
            Receiver::default(),
            std::future::pending(),
        ));
        urls
    };
    let mut out = Vec::new();
    let ended = run(&api_base, &receiver_base, false, &mut out).await;
    (ended, String::from_utf8(out).unwrap())
}

#[tokio::test]
async fn the_story_of_each_delivery_is_told_to_its_end() {
    let api = Api::default();
    let leftover = json!({ "id": "ep_old", "name": "Demo: shop", "event_types": ["*"] });
    let foreign = json!({ "id": "ep_mine", "name": "Mine", "event_types": ["never"] });
    api.0.lock().unwrap().endpoints.extend([leftover, foreign]);
    let (ended, story) = play(api.clone()).await;
    ended.unwrap_or_else(|error| panic!("{error}\n{story}"));

    assert_eq!(api.0.lock().unwrap().deleted, ["ep_old"]);
    let lines_with = |parts: &[&str]| {
        let all = |line: &&str| parts.iter().all(|part| line.contains(part));
        story.lines().filter(all).count()
    };
    assert_eq!(lines_with(&["warehouse", "attempt 1", "500"]), 1, "{story}");
    assert_eq!(
        lines_with(&["warehouse", "attempt 3", "200", "delivered"]),
        1,
        "{story}"
    );
    assert_eq!(
        lines_with(&["accounting", "attempt 3", "503", "dead: exhausted"]),
        1,
        "{story}"
    );
    assert_eq!(lines_with(&["old-partner", "410", "dead"]), 1, "{story}");
    assert_eq!(
        lines_with(&["accounting", "attempt 4", "200", "delivered"]),
        1,
        "{story}"
    );
    assert_eq!(lines_with(&["shop", "200", "delivered"]), 3, "{story}");
    assert!(
        story.ends_with("signatures verified: 11 of 11\n"),
        "{story}"
    );
}

#[tokio::test]
async fn a_wrong_signature_is_not_a_good_end() {
    let api = Api::default();
    api.0.lock().unwrap().forges = true;
    let (ended, story) = play(api).await;
    assert!(
        matches!(ended, Err(DemoError::Unsigned { verified: 0, .. })),
        "{story}"
    );
}

#[tokio::test]
async fn a_system_that_is_not_there_is_told_in_a_line() {
    let nowhere = Url::parse("http://127.0.0.1:1/").unwrap();
    let ended = run(&nowhere, &nowhere, false, &mut Vec::new()).await;
    let told = ended.unwrap_err().to_string();
    assert!(
        told.contains("127.0.0.1:1") && !told.contains('\n'),
        "{told}"
    );
}
