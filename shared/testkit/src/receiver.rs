//! Endpoints that answer by script.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookpost_domain::breaker::{Breaker, CACHE_LIFETIME};
use hookpost_domain::delivery::{AttemptResult, FailureKind};
use hookpost_domain::ports::{Answer, Transport, World};
use hookpost_domain::request::SignedRequest;
use hookpost_domain::target::TargetUrl;
use hookpost_domain::{EndpointId, EventId, Timestamp};

use crate::faults::SLOW;
use crate::tables::Truth;
use crate::{Fault, Process, lock};

/// How long an endpoint takes to answer.
const ANSWERS_WITHIN: Duration = Duration::from_millis(40);
/// How long after a breaker has opened a request may still go out that knew it closed: what a
/// cache may be behind, and what may go slowly between reading it and sending.
const LAST_ONES: Duration = Duration::from_secs(CACHE_LIFETIME.as_secs() + 4 * SLOW.as_secs());

/// How an endpoint answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// With these statuses, one a request, and the last one from then on.
    Statuses(Vec<u16>),
    /// With 503 before this time, and 200 from then on.
    DownUntil(Timestamp),
    /// With 200, after so long.
    After(Duration),
    /// Never.
    Silent,
}

impl Behaviour {
    fn status(&self, nth: usize, now: Timestamp) -> u16 {
        match self {
            Self::Statuses(script) => script.get(nth).or(script.last()).copied().unwrap_or(200),
            Self::DownUntil(end) if now < *end => 503,
            Self::DownUntil(_) | Self::After(_) => 200,
            Self::Silent => 504,
        }
    }
}

/// A request as an endpoint saw it.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which endpoint.
    pub endpoint: EndpointId,
    /// Its `webhook-id`.
    pub event: EventId,
    /// When it came.
    pub at: Timestamp,
    /// What was answered, whether or not anybody heard.
    pub status: u16,
    /// All of its headers.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

#[derive(Debug, Default)]
struct State {
    behaviours: BTreeMap<EndpointId, Behaviour>,
    got: Vec<Request>,
    counts: BTreeMap<EndpointId, usize>,
    /// Requests that are under way, and the most that were at once.
    under_way: BTreeMap<EndpointId, (usize, usize)>,
    /// Probes that are under way.
    probing: BTreeMap<EndpointId, usize>,
    violations: Vec<String>,
}

/// All endpoints. An endpoint's URL ends with its id.
#[derive(Debug, Clone)]
pub struct Receiver {
    state: Arc<Mutex<State>>,
    truth: Truth,
}

impl Receiver {
    /// Endpoints that answer 200; `truth` tells whether a breaker is open when a request comes.
    pub fn new(truth: Truth) -> Self {
        Self {
            state: Arc::default(),
            truth,
        }
    }

    /// Has an endpoint answer otherwise, beginning with its next request.
    pub fn behave(&self, endpoint: &EndpointId, behaviour: Behaviour) {
        lock(&self.state)
            .behaviours
            .insert(endpoint.clone(), behaviour);
    }

    /// Every request that came.
    pub fn got(&self) -> Vec<Request> {
        lock(&self.state).got.clone()
    }

    /// The most requests that an endpoint had at once.
    pub fn most_at_once(&self, endpoint: &EndpointId) -> usize {
        let state = lock(&self.state);
        state.under_way.get(endpoint).map_or(0, |(_, most)| *most)
    }

    /// What no receiver should see.
    pub fn violations(&self) -> Vec<String> {
        lock(&self.state).violations.clone()
    }

    /// The way of `process` to them.
    pub fn from(&self, process: Process) -> Way {
        Way {
            receiver: self.clone(),
            process,
        }
    }

    /// How long it takes an endpoint to answer.
    fn wait(&self, endpoint: &EndpointId) -> Duration {
        match lock(&self.state).behaviours.get(endpoint) {
            Some(Behaviour::After(wait)) => *wait,
            Some(Behaviour::Silent) => Duration::MAX,
            Some(Behaviour::Statuses(_) | Behaviour::DownUntil(_)) | None => ANSWERS_WITHIN,
        }
    }

    /// A request comes in: its status, and whether it is a probe.
    fn come(&self, endpoint: &EndpointId, request: SignedRequest, now: Timestamp) -> (u16, bool) {
        let is_probe = match self.truth.health(endpoint).breaker {
            Breaker::Open { opened_at, .. } => now > opened_at.after(LAST_ONES),
            Breaker::Closed => false,
        };
        let mut state = lock(&self.state);
        let (under_way, most) = state.under_way.entry(endpoint.clone()).or_default();
        *under_way += 1;
        *most = (*most).max(*under_way);
        if is_probe {
            let probing = state.probing.entry(endpoint.clone()).or_default();
            *probing += 1;
            if *probing > 1 {
                let told = format!("two probes at once to {endpoint} at {now}");
                state.violations.push(told);
            }
        }
        let event = header(&request, "webhook-id").and_then(|id| id.parse().ok());
        let Some(event) = event else {
            state.violations.push("a request without an id".to_owned());
            return (400, is_probe);
        };
        let count = state.counts.entry(endpoint.clone()).or_default();
        let nth = *count;
        *count += 1;
        let behaviour = state.behaviours.get(endpoint);
        let status = behaviour.map_or(200, |behaviour| behaviour.status(nth, now));
        state.got.push(Request {
            endpoint: endpoint.clone(),
            event,
            at: now,
            status,
            headers: request.headers,
            body: request.body,
        });
        (status, is_probe)
    }

    fn gone(&self, endpoint: &EndpointId, was_probe: bool) {
        if let Some((under_way, _)) = lock(&self.state).under_way.get_mut(endpoint) {
            *under_way -= 1;
        }
        if was_probe && let Some(probing) = lock(&self.state).probing.get_mut(endpoint) {
            *probing -= 1;
        }
    }
}

fn header<'a>(request: &'a SignedRequest, name: &str) -> Option<&'a str> {
    let mut headers = request.headers.iter();
    headers
        .find(|(other, _)| other == name)
        .map(|(_, value)| value.as_str())
}

/// The endpoints as one process reaches them.
#[derive(Debug, Clone)]
pub struct Way {
    receiver: Receiver,
    process: Process,
}

impl Way {
    async fn ask(&self, endpoint: &EndpointId, request: SignedRequest, wait: Duration) -> u16 {
        let (status, was_probe) = self.receiver.come(endpoint, request, self.process.now());
        tokio::time::sleep(wait).await;
        self.receiver.gone(endpoint, was_probe);
        status
    }
}

impl Transport for Way {
    async fn post(
        &self,
        url: &TargetUrl,
        request: SignedRequest,
        timeout: Duration,
        _with_body: bool,
    ) -> Answer {
        let last = url.as_url().path().trim_start_matches('/').to_owned();
        let Ok(endpoint) = last.parse::<EndpointId>() else {
            return answer(failed(FailureKind::Dns));
        };
        let name = "POST to an endpoint";
        let (_, fault) = self.process.begin(name).await;
        if self.process.faults().is_stormy() {
            return answer(failed(FailureKind::Connect));
        }
        let result = match fault {
            None => {
                let wait = self.receiver.wait(&endpoint);
                let status = self.ask(&endpoint, request, wait.min(timeout)).await;
                if wait < timeout {
                    result(status)
                } else {
                    failed(FailureKind::Timeout)
                }
            }
            Some(Fault::Slow) => result(self.ask(&endpoint, request, SLOW).await),
            Some(Fault::Before | Fault::Throttled) => failed(FailureKind::Connect),
            Some(Fault::After) => {
                self.ask(&endpoint, request, ANSWERS_WITHIN).await;
                failed(FailureKind::Reset)
            }
            Some(Fault::TimedOut) => {
                self.ask(&endpoint, request, timeout).await;
                failed(FailureKind::Timeout)
            }
            Some(fault @ (Fault::Panic | Fault::KilledBefore)) => {
                return self.process.end(name, fault).await;
            }
            Some(fault @ Fault::KilledAfter) => {
                self.ask(&endpoint, request, ANSWERS_WITHIN).await;
                return self.process.end(name, fault).await;
            }
        };
        answer(result)
    }
}

fn result(status: u16) -> AttemptResult {
    if (200..300).contains(&status) {
        AttemptResult::Accepted(status)
    } else {
        failed(FailureKind::Http(status))
    }
}

fn failed(kind: FailureKind) -> AttemptResult {
    AttemptResult::Failed {
        kind,
        detail: "scripted".to_owned(),
        response: String::new(),
    }
}

fn answer(result: AttemptResult) -> Answer {
    Answer {
        result,
        retry_after: None,
        body: Vec::new(),
    }
}
