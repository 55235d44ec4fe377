//! `@connections`: sending to a connection, looking at one, closing one.

use axum::body::Bytes;
use axum::extract::ws::Message;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};

use super::{MESSAGE_LIMIT, Open, Sockets};
use crate::counters::Count;
use crate::permissions::caller;

/// The stage and the connection that a path names, however it is encoded.
pub(super) fn named(path: &str) -> Option<(String, String)> {
    let (stage, rest) = path.trim_start_matches('/').split_once('/')?;
    let (word, id) = rest.split_once('/')?;
    let plain = |text: &str| {
        text.replace("%40", "@")
            .replace("%3D", "=")
            .replace("%3d", "=")
    };
    (plain(word) == "@connections").then(|| (stage.to_owned(), plain(id)))
}

impl Sockets {
    /// Answers a call about one connection.
    pub(super) fn manage(
        &self,
        method: &Method,
        stage: &str,
        id: &str,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Response {
        let Some(api) = self.api(stage) else {
            return told(StatusCode::FORBIDDEN, "Forbidden");
        };
        let operation = match method.as_str() {
            "POST" => "PostToConnection",
            "GET" => "GetConnection",
            "DELETE" => "DeleteConnection",
            _ => return told(StatusCode::FORBIDDEN, "Missing Authentication Token"),
        };
        let caller = caller(headers);
        let resource = format!("{}/{stage}/{method}/@connections/{id}", api.arn);
        let action = "execute-api:ManageConnections";
        let allowed = self.shared.permissions.check(caller, action, &resource);
        let answer = match allowed {
            Ok(()) => self.managed(operation, id, body),
            Err(denied) => {
                let text = denied.to_string();
                self.shared.console.warn(&text);
                told(StatusCode::FORBIDDEN, &text)
            }
        };
        let count = Count {
            calls: 1,
            errors: u64::from(!answer.status().is_success()),
            ..Count::default()
        };
        self.shared.counters.add(caller, &api.id, operation, count);
        answer
    }

    fn managed(&self, operation: &str, id: &str, body: &Bytes) -> Response {
        let found = self.open().get(id).cloned();
        let Some(open) = found.filter(|open| !open.out.is_closed()) else {
            return told(StatusCode::GONE, "Gone");
        };
        match operation {
            "PostToConnection" => post(&open, body),
            "DeleteConnection" => {
                // Its end of the channel closes with it.
                self.open().remove(id);
                StatusCode::NO_CONTENT.into_response()
            }
            _ => {
                let identity = json!({ "sourceIp": open.source_ip, "userAgent": open.user_agent });
                let shown = json!({ "connectedAt": open.connected_at, "identity": identity });
                as_json(StatusCode::OK, &shown)
            }
        }
    }
}

fn post(open: &Open, body: &Bytes) -> Response {
    if body.len() > MESSAGE_LIMIT {
        return told(StatusCode::PAYLOAD_TOO_LARGE, "Message too long");
    }
    let Ok(text) = std::str::from_utf8(body) else {
        return told(StatusCode::BAD_REQUEST, "not text");
    };
    match open.out.try_send(Message::Text(text.into())) {
        Ok(()) => StatusCode::OK.into_response(),
        // It takes less than it is sent.
        Err(_) => told(StatusCode::TOO_MANY_REQUESTS, "Limit exceeded"),
    }
}

fn told(status: StatusCode, message: &str) -> Response {
    as_json(status, &json!({ "message": message }))
}

fn as_json(status: StatusCode, body: &Value) -> Response {
    let kind = [(http::header::CONTENT_TYPE, "application/json")];
    (status, kind, body.to_string()).into_response()
}
