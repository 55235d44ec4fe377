//! The calls with which the receiver is looked at and steered.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use super::Receiver;
use super::behaviour::final_status;
use super::record::{Answer, Received, Wanted};
use super::signature::Verdict;
use super::tally::Counts;

const DEFAULT_LIMIT: usize = 100;
const MAX_SWITCHES: usize = 10_000;

#[derive(Debug, Deserialize)]
pub(super) struct RequestsQuery {
    path: Option<String>,
    webhook_id: Option<String>,
    since: Option<u64>,
    limit: Option<usize>,
}

/// `GET /_requests`.
pub(super) async fn requests(
    State(receiver): State<Receiver>,
    query: Result<Query<RequestsQuery>, QueryRejection>,
) -> Response {
    let Query(query) = match query {
        Ok(query) => query,
        Err(rejection) => return problem(rejection.status(), &rejection.body_text()),
    };
    let wanted = Wanted {
        path: query.path.as_deref(),
        webhook_id: query.webhook_id.as_deref(),
        since: query.since,
        limit: query.limit.unwrap_or(DEFAULT_LIMIT),
    };
    // Taken first, so that what comes meanwhile is not skipped by whoever goes on from it.
    let last_id = receiver.0.record.last_id();
    let requests = receiver
        .0
        .record
        .select(wanted)
        .into_iter()
        .map(|(id, received)| Shown::of(id, &received))
        .collect();
    Json(Requests { last_id, requests }).into_response()
}

#[derive(Debug, Serialize)]
struct Requests {
    last_id: u64,
    requests: Vec<Shown>,
}

/// A recorded request as JSON.
#[derive(Debug, Serialize)]
struct Shown {
    id: u64,
    at_ms: u64,
    method: String,
    path: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    query: String,
    /// Lower-case names; what came more than once is joined by commas.
    headers: BTreeMap<String, String>,
    body: String,
    body_bytes: usize,
    /// `answered`, `waiting`, or `abandoned` where the sender did not wait for it.
    state: &'static str,
    status: Option<u16>,
    /// `verified` where both forms are.
    signature: Verdict,
    signatures: Signatures,
}

#[derive(Debug, Serialize)]
struct Signatures {
    standard: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    standard_fault: Option<&'static str>,
    sha256: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256_fault: Option<&'static str>,
}

impl Shown {
    fn of(id: u64, received: &Received) -> Self {
        let mut headers = BTreeMap::<String, String>::new();
        for (name, value) in received.headers() {
            headers
                .entry(name)
                .and_modify(|values| {
                    values.push_str(", ");
                    values.push_str(&value);
                })
                .or_insert(value);
        }
        let (state, status) = match received.answer() {
            Answer::Given(status) => ("answered", Some(status)),
            Answer::Waiting => ("waiting", None),
            Answer::Abandoned => ("abandoned", None),
        };
        let verdicts = received.verdicts;
        Self {
            id,
            at_ms: received.at_us / 1_000,
            method: received.method.to_string(),
            path: received.path.to_string(),
            query: received.query.to_string(),
            headers,
            body: String::from_utf8_lossy(&received.body).into_owned(),
            body_bytes: received.body.len(),
            state,
            status,
            signature: verdicts.overall(),
            signatures: Signatures {
                standard: verdicts.standard.verdict(),
                standard_fault: verdicts.standard.fault(),
                sha256: verdicts.sha256.verdict(),
                sha256_fault: verdicts.sha256.fault(),
            },
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct ClearQuery {
    path: Option<String>,
}

/// `DELETE /_requests`.
pub(super) async fn clear(
    State(receiver): State<Receiver>,
    Query(query): Query<ClearQuery>,
) -> StatusCode {
    receiver.0.record.clear(query.path.as_deref());
    receiver
        .0
        .tallies
        .clear(query.path.as_deref().unwrap_or("/"));
    StatusCode::NO_CONTENT
}

#[derive(Debug, Deserialize)]
pub(super) struct CountsQuery {
    prefix: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct CountsAnswer {
    paths: BTreeMap<String, Counts>,
    total: Total,
}

#[derive(Debug, Default, Serialize)]
struct Total {
    requests: u64,
    verified: u64,
    bad: u64,
    unknown_secret: u64,
    in_flight: u32,
}

/// `GET /_counts`.
pub(super) async fn counts(
    State(receiver): State<Receiver>,
    Query(query): Query<CountsQuery>,
) -> Json<CountsAnswer> {
    let prefix = query.prefix.unwrap_or_else(|| "/".into());
    let paths = receiver.0.tallies.under(&prefix);
    let mut total = Total::default();
    for counts in paths.values() {
        total.requests += counts.requests;
        total.verified += counts.verified;
        total.bad += counts.bad;
        total.unknown_secret += counts.unknown_secret;
        total.in_flight += counts.in_flight;
    }
    Json(CountsAnswer { paths, total })
}

/// One secret, several while they are rotated, or none any more.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum PathSecrets {
    One(String),
    Several(Vec<String>),
    None(()),
}

/// `PUT /_control/secrets`: adds to what is registered. It stops at the first that is wrong.
pub(super) async fn put_secrets(
    State(receiver): State<Receiver>,
    secrets: Result<Json<BTreeMap<String, PathSecrets>>, JsonRejection>,
) -> Response {
    let Json(secrets) = match secrets {
        Ok(secrets) => secrets,
        Err(rejection) => return problem(rejection.status(), &rejection.body_text()),
    };
    for (path, secrets) in secrets {
        let secrets = match secrets {
            PathSecrets::One(secret) => vec![secret],
            PathSecrets::Several(secrets) => secrets,
            PathSecrets::None(()) => Vec::new(),
        };
        if let Err(error) = receiver.0.secrets.register(&path, &secrets) {
            return problem(StatusCode::BAD_REQUEST, &error.to_string());
        }
    }
    StatusCode::NO_CONTENT.into_response()
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Switch {
    status: u16,
}

/// `PUT /_control/switch/{name}`.
pub(super) async fn put_switch(
    State(receiver): State<Receiver>,
    Path(name): Path<String>,
    switch: Result<Json<Switch>, JsonRejection>,
) -> Response {
    let Json(switch) = match switch {
        Ok(switch) => switch,
        Err(rejection) => return problem(rejection.status(), &rejection.body_text()),
    };
    let Ok(status) = final_status(&switch.status.to_string()) else {
        return problem(StatusCode::BAD_REQUEST, "`status` has to be 200 to 999");
    };
    let mut switches = receiver
        .0
        .switches
        .write()
        .unwrap_or_else(PoisonError::into_inner);
    if switches.len() >= MAX_SWITCHES && !switches.contains_key(&name) {
        return problem(StatusCode::BAD_REQUEST, "too many switches");
    }
    switches.insert(name, status);
    StatusCode::NO_CONTENT.into_response()
}

/// `GET /_control/switch/{name}`.
pub(super) async fn switch(
    State(receiver): State<Receiver>,
    Path(name): Path<String>,
) -> Json<Switch> {
    let switches = receiver
        .0
        .switches
        .read()
        .unwrap_or_else(PoisonError::into_inner);
    let status = switches.get(&name).copied().unwrap_or(StatusCode::OK);
    Json(Switch {
        status: status.as_u16(),
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangedSettings {
    record: Option<bool>,
    measure: Option<bool>,
}

/// `PUT /_control/settings`.
pub(super) async fn put_settings(
    State(receiver): State<Receiver>,
    changed: Result<Json<ChangedSettings>, JsonRejection>,
) -> Response {
    let Json(changed) = match changed {
        Ok(changed) => changed,
        Err(rejection) => return problem(rejection.status(), &rejection.body_text()),
    };
    if let Some(record) = changed.record {
        receiver.0.recording.store(record, Relaxed);
    }
    if let Some(measure) = changed.measure {
        receiver.0.measuring.store(measure, Relaxed);
    }
    StatusCode::NO_CONTENT.into_response()
}

/// A refusal by the receiver itself.
pub(super) fn problem(status: StatusCode, detail: &str) -> Response {
    let body = serde_json::json!({ "status": status.as_u16(), "detail": detail });
    let content_type = HeaderValue::from_static("application/problem+json");
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
