//! `hookpost-local`: see `hookpost-local --help`.

use std::process::ExitCode;

use clap::Parser as _;
use hookpost_local::cli::Cli;
use hookpost_local::console::Console;
use hookpost_local::start::System;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::LevelFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::ERROR)
        .with_writer(std::io::stderr)
        .init();
    let console = Console::start(cli.log, cli.quiet);
    match run(&cli, console.clone()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console.flush();
            eprintln!("hookpost-local: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: &Cli, console: Console) -> Result<(), Box<dyn std::error::Error>> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let system = tokio::select! {
        started = System::start(cli, console.clone()) => started?,
        _ = interrupted.recv() => return Ok(()),
        _ = terminated.recv() => return Ok(()),
    };
    tokio::select! {
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
    }
    tokio::select! {
        () = system.end() => {}
        // Asked twice, it does not wait for anything.
        _ = interrupted.recv() => {}
    }
    Ok(())
}
