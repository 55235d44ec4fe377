//! The local system as a child process: built, started on free ports, ended.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::process::{Child, Command};
use url::Url;

use super::{BenchError, Options};
use crate::clock;

/// Compiling the functions with link-time optimisation takes its time.
const START_PATIENCE: Duration = Duration::from_secs(1_800);
const END_PATIENCE: Duration = Duration::from_secs(20);
/// API Gateway's throttling is not what is measured.
const UNTHROTTLED: [&str; 2] = ["ApiRate=1000000", "ApiBurst=1000000"];

/// The running system.
pub(super) struct System {
    child: Child,
    _folder: Folder,
    pub(super) binaries: PathBuf,
    pub(super) ready: Ready,
}

/// A folder for the run, gone with it however it ends.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _left_behind = std::fs::remove_dir_all(&self.0);
    }
}

/// What the ready file says.
#[derive(Debug, Deserialize)]
pub(super) struct Ready {
    pub(super) api: Url,
    pub(super) lambda: Url,
    pub(super) queues: std::collections::BTreeMap<String, String>,
    pub(super) tables: std::collections::BTreeMap<String, String>,
}

impl System {
    /// Builds and starts it; what it may send to is `target`.
    pub(super) async fn start(options: &Options, target: &str) -> Result<Self, BenchError> {
        let program = program(options).await?;
        let name = format!("hookpost-bench-{}", std::process::id());
        let folder = Folder(std::env::temp_dir().join(name));
        std::fs::create_dir_all(&folder.0).map_err(|source| BenchError::Io {
            doing: "making a folder for the run",
            source,
        })?;
        let ready_file = folder.0.join("ready.json");
        let mut command = Command::new(&program);
        command
            .args(["--ports-from", "0", "--quiet", "--allow-target", target])
            .arg("--ready-file")
            .arg(&ready_file)
            .stdin(Stdio::null())
            .stdout(Stdio::inherit())
            .kill_on_drop(true);
        if options.on_disk {
            command.arg("--data").arg(folder.0.join("data"));
        } else {
            command.arg("--memory");
        }
        if options.no_build {
            command.arg("--no-build");
        }
        let own = UNTHROTTLED.iter().map(|parameter| (*parameter).to_owned());
        for parameter in own.chain(options.parameter.iter().cloned()) {
            command.arg("--parameter").arg(parameter);
        }
        let mut child = command
            .spawn()
            .map_err(|error| BenchError::Start(format!("{}: {error}", program.display())))?;
        let ready = wait_until_ready(&mut child, &ready_file).await?;
        let binaries = program.parent().unwrap_or(Path::new(".")).to_owned();
        Ok(Self {
            child,
            _folder: folder,
            binaries,
            ready,
        })
    }

    /// Lets it take its functions down; afterwards nothing is left of it.
    pub(super) async fn end(mut self) {
        if let Some(pid) = self.child.id() {
            let mut asking = Command::new("kill");
            let _not_asked = asking.arg("-TERM").arg(pid.to_string()).status().await;
        }
        let ended = tokio::time::timeout(END_PATIENCE, self.child.wait()).await;
        if ended.is_err() {
            let _gone = self.child.kill().await;
        }
    }
}

async fn wait_until_ready(child: &mut Child, ready_file: &Path) -> Result<Ready, BenchError> {
    let deadline = clock::monotonic() + START_PATIENCE;
    loop {
        if let Ok(text) = std::fs::read(ready_file) {
            return serde_json::from_slice(&text)
                .map_err(|error| BenchError::Start(format!("its ready file: {error}")));
        }
        if let Ok(Some(status)) = child.try_wait() {
            return Err(BenchError::Start(format!("it ended with {status}")));
        }
        if clock::monotonic() > deadline {
            return Err(BenchError::Start("it never became ready".into()));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The program, built first where this one lies in cargo's folder.
async fn program(options: &Options) -> Result<PathBuf, BenchError> {
    if let Some(given) = &options.system {
        return Ok(given.clone());
    }
    let own = std::env::current_exe().map_err(|source| BenchError::Io {
        doing: "finding this program",
        source,
    })?;
    let beside = own.parent().unwrap_or(Path::new(".")).to_owned();
    let program = beside.join("hookpost-local");
    if options.no_build {
        return Ok(program);
    }
    let profile = match beside.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(folder) => folder,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--profile", profile])
        .args(["-p", "hookpost-local", "--bin", "hookpost-local"])
        .arg("--target-dir")
        .arg(beside.parent().unwrap_or(&beside))
        .status()
        .await
        .map_err(|error| BenchError::Start(format!("cargo does not run: {error}")))?;
    if status.success() {
        Ok(program)
    } else {
        Err(BenchError::Start("it does not build: see above".into()))
    }
}
