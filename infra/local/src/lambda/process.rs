//! Starts an instance's process, passes its output on, and sees it end.

use std::process::Stdio;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use super::Host;
use super::instance::Job;
use super::pool::{Function, Slot};
use crate::console::Console;
use crate::metrics::Metrics;
use crate::usage;

impl Host {
    /// Hands a job to the function, with another instance if it takes one.
    pub(super) fn submit(&self, function: &Arc<Function>, job: Job) {
        if self.is_ending() {
            return;
        }
        if let Some(slot) = function.submit(job) {
            self.start(function, slot);
        }
    }

    fn start(&self, function: &Arc<Function>, slot: Slot) {
        let child = match self.spawn(function, slot.id) {
            Ok(child) => child,
            Err(error) => {
                let path = self.shared.setting.binaries.join(&function.binary);
                let text = format!(
                    "cannot run {}: {error}; build it with: cargo build -p {}",
                    path.display(),
                    function.binary
                );
                self.shared.console.warn(&text);
                function.not_started(slot.id, &text);
                return;
            }
        };
        function.started(slot.id, child.id().unwrap_or(0));
        tokio::spawn(
            self.clone()
                .see_to_its_end(Arc::clone(function), slot, child),
        );
    }

    fn spawn(&self, function: &Function, id: u64) -> std::io::Result<Child> {
        let setting = &self.shared.setting;
        let runtime_api = format!(
            "http://{}/instance/{}/{id}",
            setting.authority, function.logical_id
        );
        let mut child = Command::new(setting.binaries.join(&function.binary))
            .env_clear()
            .envs(
                function
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .env("AWS_LAMBDA_RUNTIME_API", runtime_api)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C in the terminal is for the local system, which lets them end.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let console = &self.shared.console;
        let name = &function.binary;
        let metrics = &self.shared.metrics;
        if let Some(out) = child.stdout.take() {
            tokio::spawn(pass_on(out, name.clone(), console.clone(), metrics.clone()));
        }
        if let Some(err) = child.stderr.take() {
            tokio::spawn(pass_on(err, name.clone(), console.clone(), metrics.clone()));
        }
        Ok(child)
    }

    async fn see_to_its_end(self, function: Arc<Function>, slot: Slot, mut child: Child) {
        let (how, last) = tokio::select! {
            ended = child.wait() => {
                let how = match ended {
                    Ok(status) => status.to_string(),
                    Err(error) => error.to_string(),
                };
                self.shared.console.warn(&format!("{}: the process ended: {how}", function.binary));
                (how, None)
            }
            () = slot.kill.notified() => {
                let last = child.id().and_then(usage::of);
                // It may have ended in the same moment.
                let _ended = child.kill().await;
                ("ended by the local system".to_owned(), last)
            }
        };
        if let Some(slot) = function.ended(slot.id, &how, last)
            && !self.is_ending()
        {
            self.start(&function, slot);
        }
    }
}

async fn pass_on(
    output: impl AsyncRead + Unpin,
    function: String,
    console: Console,
    metrics: Metrics,
) {
    let mut lines = BufReader::new(output).lines();
    // What is not UTF-8 ends the reading of this stream, not the function.
    while let Ok(Some(line)) = lines.next_line().await {
        metrics.note(&line);
        console.function(&function, &line);
    }
}
