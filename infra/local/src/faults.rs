//! Faults between the functions' processes and what they call, as tests ask for them: the kinds of
//! `shared/testkit`, at real HTTP calls of real processes.
//!
//! On Lambda's port, where `POST /_local/faults` begins to count, and forgets what there was:
//!
//! | call | |
//! | --- | --- |
//! | `POST /_local/faults/{service}/{function}/{nth}/{kind}` | spoils the `nth` call from now on (0 is the next) of those that a function (by its logical id) makes to a service; `any` of either |
//! | `GET /_local/faults` | the calls since, and what was spoiled |
//!
//! Until then nothing is counted, and calls pass untouched.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{Method, StatusCode, header};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::lambda::Host;
use crate::permissions::caller;

/// How late a call is that is slow.
const SLOW: Duration = Duration::from_secs(2);
/// Longer than the functions wait for an answer.
const PATIENCE: Duration = Duration::from_secs(6);
/// How long the end of a process may take.
const ENDING: Duration = Duration::from_secs(1);
/// The longest body of a call.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The tables.
    DynamoDb,
    /// The queues.
    Sqs,
    /// The receiver of webhooks.
    Receiver,
}

impl Service {
    /// Its name in paths.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DynamoDb => "dynamodb",
            Self::Sqs => "sqs",
            Self::Receiver => "receiver",
        }
    }
}

/// How a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Nothing happens, and the caller hears of an error.
    Before,
    /// It happens, and the caller hears of an error.
    After,
    /// The caller is throttled.
    Throttle,
    /// Nothing happens, and no answer comes in time.
    TimeOut,
    /// It happens, seconds later.
    Slow,
    /// It happens twice: a message is sent twice, a request comes twice.
    Twice,
    /// The caller's processes end before anything happens.
    Kill,
    /// The caller's processes end, and nobody hears that it happened.
    KillAfter,
}

impl Kind {
    const NAMES: [(&'static str, Self); 8] = [
        ("before", Self::Before),
        ("after", Self::After),
        ("throttle", Self::Throttle),
        ("timeout", Self::TimeOut),
        ("slow", Self::Slow),
        ("twice", Self::Twice),
        ("kill", Self::Kill),
        ("kill_after", Self::KillAfter),
    ];

    fn of(name: &str) -> Option<Self> {
        let named = Self::NAMES.into_iter().find(|(known, _)| *known == name)?;
        Some(named.1)
    }
}

/// What a caller is told in place of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A failure of the service's own.
    Failed,
    /// Too many calls.
    Throttled,
}

/// A fault that is still to come.
#[derive(Debug)]
struct Planned {
    service: Option<String>,
    function: Option<String>,
    left: u32,
    kind: Kind,
}

#[derive(Debug, Default)]
struct Run {
    planned: Vec<Planned>,
    calls: Vec<Value>,
    happened: Vec<Value>,
}

/// What is to go wrong, and what went. Clones share it.
#[derive(Debug, Clone)]
pub struct Faults {
    counting: Arc<AtomicBool>,
    run: Arc<Mutex<Run>>,
    kills: mpsc::UnboundedSender<String>,
}

impl Faults {
    /// None yet. Functions whose processes are to end come out of the other side.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<String>) {
        let (kills, killed) = mpsc::unbounded_channel();
        let faults = Self {
            counting: Arc::default(),
            run: Arc::default(),
            kills,
        };
        (faults, killed)
    }

    fn run(&self) -> MutexGuard<'_, Run> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether calls are counted at all.
    pub fn is_counting(&self) -> bool {
        self.counting.load(Ordering::Relaxed)
    }

    /// The answer to a call below `/_local/faults`; `None` if it makes no sense.
    pub fn answer(&self, method: &Method, rest: &str) -> Option<Value> {
        let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
        match (method.as_str(), parts.as_slice()) {
            ("GET", []) => {
                let run = self.run();
                Some(json!({ "calls": run.calls, "happened": run.happened }))
            }
            ("POST", []) => {
                *self.run() = Run::default();
                self.counting.store(true, Ordering::Relaxed);
                Some(json!({}))
            }
            ("POST", [service, function, nth, kind]) => {
                let named = |text: &str| (text != "any").then(|| text.to_owned());
                let planned = Planned {
                    service: named(service),
                    function: named(function),
                    left: nth.parse().ok()?,
                    kind: Kind::of(kind)?,
                };
                self.run().planned.push(planned);
                self.counting.store(true, Ordering::Relaxed);
                Some(json!({}))
            }
            _ => None,
        }
    }

    /// Counts a call, and says what is to go wrong with it.
    fn next(&self, service: Service, function: &str, operation: &str) -> Option<Kind> {
        if !self.is_counting() {
            return None;
        }
        let mut run = self.run();
        let call =
            json!({ "service": service.name(), "function": function, "operation": operation });
        run.calls.push(call.clone());
        let mut due = None;
        for (at, planned) in run.planned.iter_mut().enumerate() {
            let is_meant = planned
                .service
                .as_deref()
                .is_none_or(|s| s == service.name())
                && planned.function.as_deref().is_none_or(|f| f == function);
            if !is_meant {
                continue;
            }
            if planned.left == 0 && due.is_none() {
                due = Some(at);
            } else {
                planned.left = planned.left.saturating_sub(1);
            }
        }
        let kind = run.planned.remove(due?).kind;
        run.happened.push(call);
        Some(kind)
    }

    /// Lets a call pass, or spoils it. `effect` makes it happen, each time that it is called.
    pub async fn pass<A, F: Future<Output = A>>(
        &self,
        service: Service,
        function: &str,
        operation: &str,
        effect: impl Fn() -> F,
        refuse: impl Fn(Refusal) -> A,
    ) -> A {
        match self.next(service, function, operation) {
            None => effect().await,
            Some(Kind::Before) => refuse(Refusal::Failed),
            Some(Kind::After) => {
                effect().await;
                refuse(Refusal::Failed)
            }
            Some(Kind::Throttle) => refuse(Refusal::Throttled),
            Some(Kind::TimeOut) => {
                tokio::time::sleep(PATIENCE).await;
                refuse(Refusal::Failed)
            }
            Some(Kind::Slow) => {
                tokio::time::sleep(SLOW).await;
                effect().await
            }
            Some(Kind::Twice) => {
                effect().await;
                effect().await
            }
            Some(Kind::Kill) => self.kill(function, refuse).await,
            Some(Kind::KillAfter) => {
                effect().await;
                self.kill(function, refuse).await
            }
        }
    }

    async fn kill<A>(&self, function: &str, refuse: impl Fn(Refusal) -> A) -> A {
        // Nobody listens any more only when the whole system ends.
        let _ending = self.kills.send(function.to_owned());
        tokio::time::sleep(ENDING).await;
        refuse(Refusal::Failed)
    }
}

/// Ends the processes of functions that are to end.
pub async fn carry_out(mut kills: mpsc::UnboundedReceiver<String>, host: Host) {
    while let Some(function) = kills.recv().await {
        host.kill(&function);
    }
}

/// The layer before SQS.
pub async fn before_sqs(State(faults): State<Faults>, request: Request, next: Next) -> Response {
    let function = caller(request.headers()).to_owned();
    let operation = request
        .headers()
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok())
        .and_then(|target| target.rsplit('.').next())
        .unwrap_or_default()
        .to_owned();
    let refuse = |refusal| {
        let (status, kind) = match refusal {
            Refusal::Failed => (StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
            Refusal::Throttled => (StatusCode::BAD_REQUEST, "RequestThrottled"),
        };
        let document =
            json!({ "__type": format!("com.amazonaws.sqs#{kind}"), "message": "a fault" });
        told(status, document.to_string())
    };
    repeatable(
        faults,
        Service::Sqs,
        &function,
        &operation,
        request,
        next,
        refuse,
    )
    .await
}

/// The layer before the receiver, which only the delivery function sends to.
pub async fn before_receiver(
    State(faults): State<Faults>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    // What looks and steers is no webhook.
    if path == "/" || path.starts_with("/_") {
        return next.run(request).await;
    }
    let refuse = |refusal| {
        let status = match refusal {
            Refusal::Failed => StatusCode::INTERNAL_SERVER_ERROR,
            Refusal::Throttled => StatusCode::TOO_MANY_REQUESTS,
        };
        told(status, "{}".to_owned())
    };
    repeatable(
        faults,
        Service::Receiver,
        "DeliveryFunction",
        &path,
        request,
        next,
        refuse,
    )
    .await
}

async fn repeatable(
    faults: Faults,
    service: Service,
    function: &str,
    operation: &str,
    request: Request,
    next: Next,
    refuse: impl Fn(Refusal) -> Response,
) -> Response {
    if !faults.is_counting() {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return told(StatusCode::PAYLOAD_TOO_LARGE, "{}".to_owned());
    };
    let effect = || {
        let request = Request::from_parts(parts.clone(), Body::from(body.clone()));
        next.clone().run(request)
    };
    faults
        .pass(service, function, operation, effect, refuse)
        .await
}

fn told(status: StatusCode, body: String) -> Response {
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() = status;
    let json = http::HeaderValue::from_static("application/x-amz-json-1.0");
    answer.headers_mut().insert(header::CONTENT_TYPE, json);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn call(faults: &Faults, function: &str) -> (u32, &'static str) {
        let happened = std::cell::Cell::new(0);
        let effect = || {
            happened.set(happened.get() + 1);
            std::future::ready("ok")
        };
        let refuse = |refusal| match refusal {
            Refusal::Failed => "failed",
            Refusal::Throttled => "throttled",
        };
        let told = faults
            .pass(Service::Sqs, function, "SendMessage", effect, refuse)
            .await;
        (happened.get(), told)
    }

    #[tokio::test(start_paused = true)]
    async fn the_call_that_is_meant_goes_wrong_as_asked_for_and_no_other_does() {
        let (faults, mut kills) = Faults::new();
        for (kind, happens, told) in [
            ("before", 0, "failed"),
            ("after", 1, "failed"),
            ("throttle", 0, "throttled"),
            ("timeout", 0, "failed"),
            ("slow", 1, "ok"),
            ("twice", 2, "ok"),
            ("kill", 0, "failed"),
            ("kill_after", 1, "failed"),
        ] {
            faults.answer(&Method::POST, "").unwrap();
            let plan = format!("/sqs/B/1/{kind}");
            faults.answer(&Method::POST, &plan).unwrap();
            assert_eq!(call(&faults, "B").await, (1, "ok"));
            assert_eq!(call(&faults, "A").await, (1, "ok"));
            assert_eq!(call(&faults, "B").await, (happens, told), "{kind}");
            assert_eq!(call(&faults, "B").await, (1, "ok"));
            let seen = faults.answer(&Method::GET, "").unwrap();
            assert_eq!(seen["calls"].as_array().unwrap().len(), 4);
            assert_eq!(seen["happened"].as_array().unwrap().len(), 1);
        }
        assert_eq!(kills.recv().await.as_deref(), Some("B"));
        assert!(faults.answer(&Method::POST, "/sqs/B/1/gently").is_none());
    }
}
