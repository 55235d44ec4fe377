//! The binaries of the workspace, up to date: `cargo test` builds those of the
//! package under test only.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

const KEPT: Duration = Duration::from_secs(24 * 3600);

/// The folder with the binaries: the one that cargo put this test's own into.
pub(crate) fn binaries() -> &'static Path {
    // A failure is kept too: no test after it has to wait for the same one.
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let program = std::env::current_exe().unwrap();
        // <target>/<profile>/deps/<test>
        let folder = program.ancestors().nth(2)?;
        build(folder).then(|| folder.to_owned())
    });
    let folder = folder.as_deref();
    folder.expect("the binaries of the workspace have to build: see above")
}

/// A folder for what a run leaves behind to be read: no longer than a day.
pub(crate) fn logs() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = binaries().parent().unwrap().join("tmp/hookpost-tests");
        std::fs::create_dir_all(&folder).unwrap();
        for file in std::fs::read_dir(&folder).unwrap().flatten() {
            let age = file
                .metadata()
                .ok()
                .and_then(|of| of.modified().ok()?.elapsed().ok());
            if age.is_some_and(|age| age > KEPT) {
                let _removed = std::fs::remove_file(file.path());
            }
        }
        folder
    })
}

fn build(folder: &Path) -> bool {
    let name = folder.file_name().and_then(OsStr::to_str).unwrap();
    let profile = if name == "debug" { "dev" } else { name };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet", "--workspace", "--bins"])
        .args(["--profile", profile, "--target-dir"])
        .arg(folder.parent().unwrap())
        .status();
    built.is_ok_and(|status| status.success())
}
