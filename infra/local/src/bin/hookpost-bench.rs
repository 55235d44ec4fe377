//! Measures the local system: `cargo run --release -p hookpost-local --bin hookpost-bench`.

use std::process::ExitCode;

use clap::Parser;
use hookpost_local::bench::{Options, run};

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let (mut out, mut progress) = (std::io::stdout(), std::io::stderr());
    let ended = tokio::select! {
        ended = run(&options, &mut out, &mut progress) => ended,
        _ = tokio::signal::ctrl_c() => return ExitCode::FAILURE,
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hookpost-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
