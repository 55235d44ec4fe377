//! The binaries of the workspace, up to date: `cargo test` builds those of the
//! package under test only.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The folder with the binaries: the one that cargo put this test's own into.
pub(crate) fn binaries() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let program = std::env::current_exe().unwrap();
        // <target>/<profile>/deps/<test>
        let folder = program
            .ancestors()
            .nth(2)
            .expect("a test lies in cargo's target folder");
        build(folder);
        folder.to_owned()
    })
}

/// A folder for what a run leaves behind to be read.
pub(crate) fn logs() -> PathBuf {
    let folder = binaries().parent().unwrap().join("tmp");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn build(folder: &Path) {
    let name = folder.file_name().and_then(OsStr::to_str).unwrap();
    let profile = if name == "debug" { "dev" } else { name };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet", "--workspace", "--bins"])
        .args(["--profile", profile, "--target-dir"])
        .arg(folder.parent().unwrap())
        .status()
        .expect("cargo has to be there: it builds what is tested");
    assert!(built.success(), "the binaries do not build: see above");
}
