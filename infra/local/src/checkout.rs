//! Where things are: the template, the data folder, the function binaries,
//! which are built first when this runs from a checkout.

use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::cli::Cli;
use crate::console::Console;
use crate::template::{self, TemplateError};

/// Why something is not where it has to be.
#[derive(Debug, thiserror::Error)]
pub enum CheckoutError {
    /// No template above the working folder or this program.
    #[error("no infra/template.yaml here or above: run it in the checkout, or pass --template")]
    NoTemplate,
    /// The template is unreadable.
    #[error("{path}: {source}")]
    Template {
        /// The file.
        path: String,
        /// Why.
        source: TemplateError,
    },
    /// cargo is missing.
    #[error(
        "cannot run cargo to build the functions: {0}; install Rust, or pass --bin-dir with built ones"
    )]
    NoCargo(std::io::Error),
    /// The functions do not compile.
    #[error("the functions do not build: see above")]
    BuildFailed,
    /// The data folder cannot be used.
    #[error("cannot use the data folder {path}: {problem}")]
    Data {
        /// The folder.
        path: String,
        /// Why.
        problem: String,
    },
}

/// The template's path: the one given, or the checkout's.
pub fn template(cli: &Cli) -> Result<PathBuf, CheckoutError> {
    if let Some(given) = &cli.template {
        return Ok(given.clone());
    }
    let working = std::env::current_dir().ok();
    let program = std::env::current_exe().ok();
    [working, program]
        .into_iter()
        .flatten()
        .find_map(|start| {
            let above = start
                .ancestors()
                .map(|folder| folder.join("infra/template.yaml"));
            above.into_iter().find(|path| path.is_file())
        })
        .ok_or(CheckoutError::NoTemplate)
}

/// The checkout that a template belongs to.
pub fn root(template: &Path) -> &Path {
    template.parent().and_then(Path::parent).unwrap_or(template)
}

/// The folder with the function binaries, built if they have to be.
pub async fn binaries(
    cli: &Cli,
    template: &Path,
    console: &Console,
) -> Result<PathBuf, CheckoutError> {
    if let Some(given) = &cli.bin_dir {
        return Ok(given.clone());
    }
    let program = std::env::current_exe().unwrap_or_default();
    let beside = program.parent().unwrap_or(Path::new(".")).to_owned();
    let root = root(template);
    if !cli.no_build && root.join("Cargo.toml").is_file() && is_target(&beside) {
        let names = template::binaries(template).map_err(|source| CheckoutError::Template {
            path: template.display().to_string(),
            source,
        })?;
        build(root, &beside, &names, console).await?;
    }
    Ok(beside)
}

/// Whether cargo put a program there: its folder is named after the profile.
fn is_target(folder: &Path) -> bool {
    folder
        .parent()
        .is_some_and(|target| target.join(".rustc_info.json").is_file())
}

async fn build(
    root: &Path,
    beside: &Path,
    names: &[String],
    console: &Console,
) -> Result<(), CheckoutError> {
    let folder = beside
        .file_name()
        .and_then(OsStr::to_str)
        .unwrap_or("debug");
    let profile = if folder == "debug" { "dev" } else { folder };
    console.say(format!("building {} ({profile})", names.join(", ")));
    console.flush();
    let quietly = console.is_quiet().then_some("--quiet");
    // Under `cargo run` the variable names the very cargo.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(root)
        .args(["build", "--profile", profile])
        .args(quietly)
        .arg("--target-dir")
        .arg(beside.parent().unwrap_or(beside))
        .kill_on_drop(true);
    for name in names {
        command.args(["-p", name]);
    }
    let status = command.status().await.map_err(CheckoutError::NoCargo)?;
    if status.success() {
        Ok(())
    } else {
        Err(CheckoutError::BuildFailed)
    }
}

/// The data folder, held for this process as long as the value lives.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Makes the folder if it is missing, and keeps other processes out.
    pub fn open(path: PathBuf) -> Result<Self, CheckoutError> {
        let failed = |problem: String| CheckoutError::Data {
            path: path.display().to_string(),
            problem,
        };
        std::fs::create_dir_all(&path).map_err(|error| failed(error.to_string()))?;
        let lock = File::create(path.join("lock")).map_err(|error| failed(error.to_string()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(failed(
                    "another local system has it open; end that one, or pass --data or --memory"
                        .to_owned(),
                ));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error.to_string())),
        }
        Ok(Self { path, _lock: lock })
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_folder_takes_one_process_at_a_time() {
        let path = std::env::temp_dir().join(format!("hookpost-lock-{}", std::process::id()));
        let first = DataFolder::open(path.clone()).unwrap();
        let second = DataFolder::open(path.clone()).unwrap_err();
        assert!(
            second.to_string().contains("another local system"),
            "{second}"
        );
        drop(first);
        DataFolder::open(path.clone()).unwrap();
        std::fs::remove_dir_all(path).unwrap();
    }
}
