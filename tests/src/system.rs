//! The local system, as its own process.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::{build, wait};

/// The first start after a build reads large binaries from a cold disk.
const START_WITHIN: Duration = Duration::from_secs(60);
/// How often schedules run, in place of once a minute.
const SCHEDULE_EVERY: &str = "2s";

/// A running `hookpost-local`. It ends when this is dropped, or when the
/// process of the tests ends, however that comes about.
#[derive(Debug)]
pub struct System {
    ready: Value,
    log: PathBuf,
    child: Child,
    /// Ends the system once its input ends.
    watchdog: Child,
}

impl System {
    /// The one that all tests share: the template as it is, but for what a
    /// laptop needs (no keys, the receiver allowed) and schedules every two seconds.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<System> = OnceLock::new();
        SHARED.get_or_init(|| Self::start_with(&[], &[]))
    }

    /// One of a test's own, with these template parameters, and further
    /// arguments of `hookpost-local`. It takes about a second to start.
    pub fn start_with(parameters: &[(&str, &str)], arguments: &[&str]) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let binaries = build::binaries();
        let nth = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("hookpost-local-{}-{nth}", std::process::id());
        let log = build::logs().join(format!("{name}.log"));
        let ready_file = build::logs().join(format!("{name}.json"));
        let output = File::create(&log).unwrap();
        let mut command = Command::new(binaries.join("hookpost-local"));
        command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .arg("--ready-file")
            .arg(&ready_file)
            .arg("--bin-dir")
            .arg(binaries);
        if !arguments.contains(&"--schedule-every") {
            command.args(["--schedule-every", SCHEDULE_EVERY]);
        }
        if !arguments.contains(&"--data") {
            command.arg("--memory");
        }
        if !arguments.iter().any(|argument| argument.ends_with("port")) {
            command.args(["--ports-from", "0"]);
        }
        for (name, value) in parameters {
            command.arg("--parameter").arg(format!("{name}={value}"));
        }
        let mut child = command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let watchdog = watch(child.id());
        let ready = wait_until_ready(&mut child, &ready_file, &log);
        Self {
            ready,
            log,
            child,
            watchdog,
        }
    }

    /// The one that was there before, from the folder that it has left, with the receiver where it
    /// was: what endpoints have as their URL.
    pub fn start_again(parameters: &[(&str, &str)], data: &str, receiver: &str) -> Self {
        let port = receiver.rsplit(':').next().unwrap();
        let mut arguments = vec!["--data", data, "--receiver-port", port];
        let others = [
            "--port",
            "--sqs-port",
            "--dynamodb-port",
            "--lambda-port",
            "--secrets-port",
            "--live-port",
        ];
        arguments.extend(others.iter().flat_map(|other| [*other, "0"]));
        Self::start_with(parameters, &arguments)
    }

    /// Where something is: `api`, `sqs`, `dynamodb`, `lambda`, `receiver`.
    pub fn url(&self, of: &str) -> &str {
        self.ready[of].as_str().unwrap()
    }

    /// `host:port` of the same.
    pub fn authority(&self, of: &str) -> &str {
        self.url(of).trim_start_matches("http://")
    }

    /// A queue's URL, by its name in the template, such as `DeliveryQueue`.
    pub fn queue_url(&self, queue: &str) -> &str {
        let url = self.ready["queues"][queue].as_str();
        url.unwrap_or_else(|| panic!("the template has no {queue}"))
    }

    /// A table's name, by its name in the template, such as `EventsTable`.
    pub fn table_name(&self, table: &str) -> &str {
        let name = self.ready["tables"][table].as_str();
        name.unwrap_or_else(|| panic!("the template has no {table}"))
    }

    /// A secret's ARN, by its name in the template.
    pub fn secret_arn(&self, secret: &str) -> &str {
        let arn = self.ready["secrets"][secret].as_str();
        arn.unwrap_or_else(|| panic!("the template has no {secret}"))
    }

    /// A KMS key's ARN, by its name in the template, such as `SecretsKey`.
    pub fn key_arn(&self, key: &str) -> &str {
        let arn = self.ready["keys"][key].as_str();
        arn.unwrap_or_else(|| panic!("the template has no {key}"))
    }

    /// Where its output and that of the functions is.
    pub fn log(&self) -> &Path {
        &self.log
    }
}

impl Drop for System {
    fn drop(&mut self) {
        // Its input ends, and with it the system.
        drop(self.watchdog.stdin.take());
        let _ended = self.watchdog.wait();
        let _ended = self.child.wait();
        if !std::thread::panicking() {
            let _removed = std::fs::remove_file(&self.log);
        }
    }
}

/// A shell that does nothing until its input ends, and then ends the process:
/// the system closes that pipe however this process comes to its end.
fn watch(process: u32) -> Child {
    Command::new("sh")
        .args(["-c", r#"read -r _; kill -TERM "$0""#])
        .arg(process.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn wait_until_ready(child: &mut Child, ready_file: &Path, log: &Path) -> Value {
    let told = || std::fs::read_to_string(log).unwrap_or_default();
    let deadline = wait::now() + START_WITHIN;
    while wait::now() < deadline {
        if let Ok(text) = std::fs::read_to_string(ready_file) {
            let _removed = std::fs::remove_file(ready_file);
            return serde_json::from_str(&text).unwrap();
        }
        if let Some(status) = child.try_wait().unwrap() {
            panic!("the local system ended ({status}):\n{}", told());
        }
        std::thread::sleep(wait::POLL);
    }
    let _killed = child.kill();
    panic!("the local system is not ready after a minute:\n{}", told());
}
