//! API Gateway's WebSocket APIs on one machine: the template's routes to the functions' real
//! binaries, and `@connections` for those whose role allows it.
//!
//! A connection is let in by what `$connect` answers; a message goes to the route that it selects,
//! else to `$default`, and is answered where the route has a response. A connection ends after ten
//! idle minutes, after two hours, and with a message over 128 KB or a frame over 32 KB, as in AWS.

mod connections;
mod event;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, State};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use futures::StreamExt as _;
use futures::sink::SinkExt as _;
use http::request::Parts;
use http::{Method, StatusCode, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use crate::clock;
use crate::console::Console;
use crate::counters::Counters;
use crate::lambda::{Host, Outcome, random_id};
use crate::permissions::Permissions;
use crate::template::SocketApi;
use event::Event;

/// The longest message.
const MESSAGE_LIMIT: usize = 128 * 1024;
/// The longest frame.
const FRAME_LIMIT: usize = 32 * 1024;
/// After how long without a word a connection ends.
const IDLE: Duration = Duration::from_secs(600);
/// After how long it ends in any case.
const LONGEST: Duration = Duration::from_secs(7_200);
/// What may wait to be sent over a connection.
const WAITING: usize = 256;
/// How long a function may take to answer.
const TIMEOUT: Duration = Duration::from_secs(29);

/// The WebSocket APIs. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Sockets {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    apis: Vec<SocketApi>,
    host: Host,
    permissions: Permissions,
    counters: Counters,
    console: Console,
    /// What clients call it by.
    domain: String,
    open: Mutex<HashMap<String, Open>>,
}

/// An open connection.
#[derive(Debug, Clone)]
struct Open {
    stage: String,
    connected_at: u64,
    source_ip: String,
    user_agent: String,
    out: mpsc::Sender<Message>,
}

impl Sockets {
    /// The template's, with nobody connected.
    pub fn new(
        apis: Vec<SocketApi>,
        host: Host,
        permissions: Permissions,
        counters: Counters,
        console: Console,
        at: SocketAddr,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                apis,
                host,
                permissions,
                counters,
                console,
                domain: at.to_string(),
                open: Mutex::default(),
            }),
        }
    }

    /// Serves until `ending` turns true, and closes what is open then.
    pub async fn serve(self, listener: TcpListener, mut ending: watch::Receiver<bool>) {
        let listener = listener.tap_io(|connection| {
            // Without it small frames wait for acknowledgements.
            let _unsupported = connection.set_nodelay(true);
        });
        let router = Router::new().fallback(handle).with_state(self.clone());
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let ended = async move {
            let _ended = ending.wait_for(|ending| *ending).await;
        };
        tokio::select! {
            _served = axum::serve(listener, service).into_future() => {}
            () = ended => {}
        }
        self.open().clear();
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, Open>> {
        self.shared
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn api(&self, stage: &str) -> Option<&SocketApi> {
        self.shared.apis.iter().find(|api| api.stage == stage)
    }

    /// Asks `$connect` whether somebody may come in.
    async fn connect(
        &self,
        parts: &Parts,
        peer: SocketAddr,
        upgrade: WebSocketUpgrade,
    ) -> Response {
        let stage = parts.uri.path().trim_matches('/').to_owned();
        let Some(api) = self.api(&stage) else {
            return StatusCode::FORBIDDEN.into_response();
        };
        let id = connection_id();
        let (out, waiting) = mpsc::channel(WAITING);
        let user_agent = parts.headers.get(header::USER_AGENT);
        let open = Open {
            stage,
            connected_at: clock::epoch_ms(clock::wall()),
            source_ip: peer.ip().to_string(),
            user_agent: user_agent
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned(),
            out,
        };
        if let Some(route) = api.routes.get("$connect") {
            let event = Event::connect(self, &id, &open, &api.id, parts);
            let answer = self.ask(&route.function, event).await;
            let status = answer
                .as_ref()
                .and_then(|answer| answer.get("statusCode")?.as_u64());
            let status = status.and_then(|status| u16::try_from(status).ok());
            match status.and_then(|status| StatusCode::from_u16(status).ok()) {
                Some(status) if status.is_success() => {}
                Some(status) => return status.into_response(),
                None => return StatusCode::BAD_GATEWAY.into_response(),
            }
        }
        let sockets = self.clone();
        upgrade
            .max_message_size(MESSAGE_LIMIT)
            .max_frame_size(FRAME_LIMIT)
            .on_upgrade(move |socket| async move {
                sockets.open().insert(id.clone(), open);
                sockets.hold(&id, socket, waiting).await;
                let left = sockets.open().remove(&id);
                if let Some(open) = left {
                    sockets.disconnect(&id, &open).await;
                }
            })
    }

    /// Carries messages both ways until the connection ends.
    async fn hold(&self, id: &str, socket: WebSocket, mut waiting: mpsc::Receiver<Message>) {
        let (mut sink, mut stream) = socket.split();
        let going_away = |code, reason: &'static str| {
            Message::Close(Some(CloseFrame {
                code,
                reason: reason.into(),
            }))
        };
        let ends_at = tokio::time::Instant::now() + LONGEST;
        let mut idle_until = tokio::time::Instant::now() + IDLE;
        loop {
            let last = tokio::select! {
                said = stream.next() => match said {
                    Some(Ok(Message::Text(text))) => {
                        idle_until = tokio::time::Instant::now() + IDLE;
                        let (sockets, id) = (self.clone(), id.to_owned());
                        // Messages are not waited for, as in AWS.
                        tokio::spawn(async move { sockets.message(&id, text.as_str()).await });
                        continue;
                    }
                    Some(Ok(Message::Binary(_))) => going_away(1003, "no binary messages"),
                    // Pings are answered below us.
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                },
                out = waiting.recv() => match out {
                    Some(out) => {
                        idle_until = tokio::time::Instant::now() + IDLE;
                        if sink.send(out).await.is_err() {
                            return;
                        }
                        continue;
                    }
                    None => going_away(1001, "going away"),
                },
                () = tokio::time::sleep_until(idle_until.min(ends_at)) => going_away(1001, "going away"),
            };
            // Whoever is gone already does not hear it.
            let _gone = sink.send(last).await;
            return;
        }
    }

    async fn message(&self, id: &str, body: &str) {
        let Some(open) = self.open().get(id).cloned() else {
            return;
        };
        let Some(api) = self.api(&open.stage) else {
            return;
        };
        let selected = selected(&api.selection, body);
        let key = selected.filter(|key| api.routes.contains_key(key));
        let key = key.unwrap_or_else(|| "$default".to_owned());
        let failed = |request_id: &str| {
            let text = "Internal server error";
            json!({ "message": text, "connectionId": id, "requestId": request_id }).to_string()
        };
        let answer = match api.routes.get(&key) {
            None => Some(failed("none")),
            Some(route) => {
                let event = Event::message(self, id, &open, &api.id, &key, body);
                let request_id = event.request_id.clone();
                match self.ask(&route.function, event).await {
                    None => Some(failed(&request_id)),
                    Some(answer) if route.answers => {
                        let body = answer.get("body").and_then(Value::as_str);
                        body.map(str::to_owned)
                    }
                    Some(_) => None,
                }
            }
        };
        if let Some(answer) = answer {
            // It may have gone meanwhile.
            let _gone = open.out.send(Message::Text(answer.into())).await;
        }
    }

    async fn disconnect(&self, id: &str, open: &Open) {
        let api = self.api(&open.stage);
        let route = api.and_then(|api| Some((api, api.routes.get("$disconnect")?)));
        if let Some((api, route)) = route {
            let event = Event::disconnect(self, id, open, &api.id);
            let _nobody_waits = self.ask(&route.function, event).await;
        }
    }

    /// A function's answer; `None` if it has none.
    async fn ask(&self, function: &str, event: Event) -> Option<Value> {
        let asked = self.shared.host.invoke(function, event.text.into());
        match tokio::time::timeout(TIMEOUT, asked).await {
            Ok(Outcome::Answered(answer)) => serde_json::from_slice(&answer).ok(),
            Ok(Outcome::Failed(document)) => {
                let document = String::from_utf8_lossy(&document);
                let text = format!("{function} failed: {document}");
                self.shared.console.warn(&text);
                None
            }
            Ok(Outcome::Unavailable(_)) | Err(_) => None,
        }
    }
}

/// Connections come with an upgrade; whoever manages them calls below `@connections`.
async fn handle(
    State(sockets): State<Sockets>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    method: Method,
    parts: Parts,
    body: Bytes,
) -> Response {
    if let Some((stage, id)) = connections::named(parts.uri.path()) {
        return sockets.manage(&method, &stage, &id, &parts.headers, &body);
    }
    match upgrade {
        Ok(upgrade) => sockets.connect(&parts, peer, upgrade).await,
        Err(_) => StatusCode::FORBIDDEN.into_response(),
    }
}

/// The route that a message selects: `$request.body.action` is its field `action`.
fn selected(expression: &str, body: &str) -> Option<String> {
    let path = expression.trim_matches(['{', '}']);
    let path = path
        .strip_prefix("$request.body.")
        .or_else(|| path.strip_prefix("request.body."))?;
    let body: Value = serde_json::from_str(body).ok()?;
    let mut found = &body;
    for part in path.split('.') {
        found = found.get(part)?;
    }
    found.as_str().map(str::to_owned)
}

/// As API Gateway makes them: base64 with its end.
fn connection_id() -> String {
    use base64::Engine as _;
    let bytes: [u8; 11] = std::array::from_fn(|_| fastrand::u8(..));
    base64::engine::general_purpose::URL_SAFE.encode(bytes)
}

/// An id for a request or message.
fn new_id() -> String {
    random_id()
}
