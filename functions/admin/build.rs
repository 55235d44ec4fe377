//! Packs `dashboard/dist` into the function: each file compressed, in a table that
//! `src/dashboard/assets.rs` includes. Nothing else is needed to build it, Node least of all.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::write::GzEncoder;
use flate2::{Compression, Crc};

fn main() -> Result<(), Box<dyn Error>> {
    let crate_dir = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    let dist = crate_dir.join("../../dashboard/dist");
    println!("cargo::rerun-if-changed={}", dist.display());
    let mut table = String::from("&[\n");
    for (nth, path) in files(&dist)?.iter().enumerate() {
        println!("cargo::rerun-if-changed={}", path.display());
        let bytes = fs::read(path)?;
        let packed = out.join(format!("{nth}.gz"));
        let mut encoder = GzEncoder::new(fs::File::create(&packed)?, Compression::best());
        encoder.write_all(&bytes)?;
        encoder.finish()?;
        let mut crc = Crc::new();
        crc.update(&bytes);
        let name = path.strip_prefix(&dist)?.to_string_lossy();
        let packed = packed.to_string_lossy();
        let tag = format!("\"{:08x}-{}\"", crc.sum(), bytes.len());
        writeln!(
            table,
            "Asset {{ path: {name:?}, tag: {tag:?}, gzip: include_bytes!({packed:?}) }},"
        )?;
    }
    table.push_str("]\n");
    fs::write(out.join("assets.rs"), table)?;
    // The page is given a nonce with each answer: it stays text.
    fs::copy(dist.join("index.html"), out.join("index.html"))?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "what cargo tells a build script")]
fn variable(name: &str) -> Result<String, env::VarError> {
    env::var(name)
}

/// All files below a folder but the page, in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.file_name().is_none_or(|name| name != "index.html") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
