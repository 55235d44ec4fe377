//! Lambda on one machine: each function's real binary behind the Runtime API,
//! with as many instances as there are invocations at once, up to a limit.
//!
//! An invocation always ends with an [`Outcome`]: an instance that crashes or
//! runs past the time-out fails the one it had and is replaced; one that was
//! never handed to an instance waits for the next. An instance takes one
//! invocation at a time, and is ended after some idle minutes.

mod endpoints;
mod environment;
mod instance;
mod pool;
mod process;
mod tally;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::clock;
use crate::console::Console;
use crate::http::Client;
use crate::metrics::Metrics;
use crate::permissions::Permissions;
use crate::template;
use pool::Function;
pub use tally::FunctionStats;

/// What a synchronous payload may be at most, request or response.
pub const PAYLOAD_LIMIT: usize = 6 * 1024 * 1024;

/// How often deadlines, idle instances and what they use are looked at.
const WATCH_EVERY: Duration = Duration::from_millis(100);

/// How often it is looked whether a function that runs elsewhere is up.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// How an invocation ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The function's answer.
    Answered(Bytes),
    /// The function failed; the body is Lambda's error document.
    Failed(Bytes),
    /// It did not run at all.
    Unavailable(String),
}

/// What the host needs to know beside the functions.
#[derive(Debug, Clone)]
pub struct HostSetting {
    /// Where the function binaries are.
    pub binaries: PathBuf,
    /// Instances of a function that nothing in the template bounds.
    pub max_instances: usize,
    /// After how long an idle instance ends.
    pub idle: Duration,
    /// `127.0.0.1:9001`, where the Runtime API is served.
    pub authority: String,
    /// Endpoints, region and credentials, set for every function.
    pub environment: BTreeMap<String, String>,
    /// Functions that run elsewhere, by logical id, and their Invoke API's URL.
    pub external: BTreeMap<String, String>,
    /// Who may invoke what.
    pub permissions: Permissions,
}

/// All functions. Clones share them.
#[derive(Debug, Clone)]
pub struct Host {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    functions: Vec<Arc<Function>>,
    setting: HostSetting,
    console: Console,
    metrics: Metrics,
    client: Client,
    ending: watch::Sender<bool>,
}

impl Host {
    /// Starts no instance yet: the first invocation does.
    pub fn new(
        functions: &[template::Function],
        setting: HostSetting,
        client: Client,
        console: Console,
    ) -> Self {
        let functions = functions
            .iter()
            .map(|function| Arc::new(Function::new(function, &setting)))
            .collect();
        let host = Self {
            shared: Arc::new(Shared {
                functions,
                setting,
                console,
                metrics: Metrics::default(),
                client,
                ending: watch::Sender::new(false),
            }),
        };
        tokio::spawn(host.clone().watch());
        host
    }

    /// The logical id of a function called by its name, logical id, ARN or binary.
    pub fn find(&self, called: &str) -> Option<&str> {
        self.function(called).map(|f| f.logical_id.as_str())
    }

    fn function(&self, called: &str) -> Option<&Arc<Function>> {
        // An ARN may carry a version behind the name.
        let called = match called.split_once(":function:") {
            Some((_, name)) => name.split(':').next().unwrap_or(name),
            None => called,
        };
        self.shared.functions.iter().find(|function| {
            function.logical_id == called || function.name == called || function.binary == called
        })
    }

    /// A function's variables, for running it elsewhere: one `NAME=value` a line.
    pub fn environment_file(&self, called: &str) -> String {
        let variables = self.function(called).map(|function| &function.environment);
        let mut lines = String::new();
        for (name, value) in variables.into_iter().flatten() {
            let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else {
                continue;
            };
            // The developer's own, and what the other host sets by itself.
            let theirs = ["PATH", "HOME", "LAMBDA_TASK_ROOT"].contains(&name)
                || name.starts_with("AWS_LAMBDA_");
            if !theirs && !value.contains('\n') {
                // Writing to a String does not fail.
                let _infallible = writeln!(lines, "{name}={value}");
            }
        }
        lines
    }

    /// Runs one invocation to its end. It goes on when the future is dropped.
    pub async fn invoke(&self, called: &str, payload: Bytes) -> Outcome {
        let Some(function) = self.function(called) else {
            return Outcome::Unavailable(format!("there is no function {called}"));
        };
        if let Some(url) = self.shared.setting.external.get(&function.logical_id) {
            return self.invoke_elsewhere(url, &function.binary, payload).await;
        }
        let (job, outcome) = instance::Job::new(payload);
        self.submit(function, job);
        outcome
            .await
            .unwrap_or_else(|_| Outcome::Unavailable("the local system is ending".to_owned()))
    }

    /// Waits until a function that runs elsewhere can be reached; others always can.
    pub async fn reachable(&self, called: &str) {
        let function = self.function(called);
        let Some(url) = function.and_then(|f| self.shared.setting.external.get(&f.logical_id))
        else {
            return;
        };
        let Some(authority) = authority(url) else {
            return;
        };
        let mut told = false;
        while TcpStream::connect(&authority).await.is_err() {
            if !std::mem::replace(&mut told, true) {
                let text = format!("{called} is to run at {url}, where nothing listens yet");
                self.shared.console.warn(&text);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn invoke_elsewhere(&self, url: &str, binary: &str, payload: Bytes) -> Outcome {
        let url = url.trim_end_matches('/');
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{url}/2015-03-31/functions/{binary}/invocations"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(payload));
        let Ok(request) = request else {
            return Outcome::Unavailable(format!("{url} is no URL"));
        };
        let unreachable = |why: String| {
            let text = format!("{binary} is to run at {url}, which does not answer: {why}");
            self.shared.console.warn(&text);
            Outcome::Unavailable(text)
        };
        let response = match self.shared.client.request(request).await {
            Ok(response) => response,
            Err(error) => return unreachable(error.to_string()),
        };
        let failed = !response.status().is_success()
            || response.headers().contains_key("x-amz-function-error");
        match response.into_body().collect().await {
            Ok(body) if failed => Outcome::Failed(body.to_bytes()),
            Ok(body) => Outcome::Answered(body.to_bytes()),
            Err(error) => unreachable(error.to_string()),
        }
    }

    /// Serves the Runtime API, the Invoke API and what `extra` answers.
    pub async fn serve<E>(self, listener: TcpListener, ending: watch::Receiver<bool>, extra: E)
    where
        E: Fn(&Method, &str) -> Option<crate::http::Answer> + Clone + Send + Sync + 'static,
    {
        crate::http::serve(listener, ending, move |request, _| {
            let host = self.clone();
            let extra = extra.clone();
            async move {
                match extra(request.method(), request.uri().path()) {
                    Some(answer) => answer,
                    None => endpoints::handle(&host, request).await,
                }
            }
        })
        .await;
    }

    /// Lets what runs end within `grace`, then ends all instances.
    pub async fn end(&self, grace: Duration) {
        self.shared.ending.send_replace(true);
        let deadline = clock::monotonic() + grace;
        let functions = &self.shared.functions;
        while functions.iter().any(|f| f.busy() > 0) && clock::monotonic() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for function in functions {
            function.end_all();
        }
        while functions.iter().any(|f| f.alive() > 0) && clock::monotonic() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What each function did and used, by logical id.
    pub fn stats(&self) -> BTreeMap<String, FunctionStats> {
        self.shared
            .functions
            .iter()
            .map(|function| (function.logical_id.clone(), function.stats()))
            .collect()
    }

    /// What the functions wrote in embedded metric format.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Ends a function's processes, whatever they are at.
    pub fn kill(&self, called: &str) {
        if let Some(function) = self.function(called) {
            function.kill_all();
        }
    }

    /// Counts from zero again.
    pub fn reset_stats(&self) {
        self.shared.metrics.reset();
        for function in &self.shared.functions {
            function.reset_stats();
        }
    }

    fn is_ending(&self) -> bool {
        *self.shared.ending.borrow()
    }

    /// Enforces time-outs and ends idle instances.
    async fn watch(self) {
        let mut ticks = tokio::time::interval(WATCH_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut round = 0_u32;
        loop {
            ticks.tick().await;
            round = round.wrapping_add(1);
            let now = clock::monotonic();
            for function in &self.shared.functions {
                for text in function.enforce(now, self.shared.setting.idle) {
                    self.shared.console.warn(&text);
                }
                // A crash leaves nothing to read, so what is used is noted on the way.
                if round.is_multiple_of(10) {
                    function.note_usage();
                }
            }
        }
    }
}

/// `127.0.0.1:9000` of `http://127.0.0.1:9000/`.
fn authority(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    Some(format!(
        "{}:{}",
        url.host_str()?,
        url.port_or_known_default()?
    ))
}

/// Lambda's error document.
fn error_document(kind: &str, message: &str) -> Bytes {
    json!({ "errorType": kind, "errorMessage": message })
        .to_string()
        .into()
}

/// A random id in the form of a version 4 UUID.
pub(crate) fn random_id() -> String {
    let bits = fastrand::u128(..);
    let bits = bits & !(0xf << 76) & !(0xc << 60) | (0x4 << 76) | (0x8 << 60);
    let hex = format!("{bits:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-{}-{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_id_has_the_form_of_a_uuid() {
        let id = random_id();
        assert_eq!(id.len(), 36);
        assert_eq!(&id[14..15], "4");
        assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"), "{id}");
    }
}
