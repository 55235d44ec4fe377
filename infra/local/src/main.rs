//! `hookpost-local`: see `hookpost-local --help`.

use std::process::ExitCode;

use clap::Parser as _;
use hookpost_local::cli::Cli;
use hookpost_local::console::{Console, LineWriter};
use hookpost_local::demo;
use hookpost_local::start::System;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::LevelFilter;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::ERROR)
        .with_writer(std::io::stderr)
        .init();
    let console = Console::start(cli.log, cli.threshold(), cli.quiet);
    let ended = run(&cli, &console).await;
    console.flush();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hookpost-local: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: &Cli, console: &Console) -> Result<(), Failure> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let system = tokio::select! {
        started = System::start(cli, console.clone()) => started?,
        _ = interrupted.recv() => return Ok(()),
        _ = terminated.recv() => return Ok(()),
    };
    let ended = tokio::select! {
        played = play(cli, &system) => played,
        _ = interrupted.recv() => Ok(()),
        _ = terminated.recv() => Ok(()),
    };
    tokio::select! {
        () = system.end() => {}
        // Asked twice, it does not wait for anything.
        _ = interrupted.recv() => {}
    }
    ended
}

/// The demonstration, where one is asked for; comes back only if nothing is to
/// follow.
async fn play(cli: &Cli, system: &System) -> Result<(), Failure> {
    if cli.demo {
        let played = demonstrate(system).await;
        if cli.once {
            return played;
        }
        if let Err(error) = played {
            system.console.warn(&format!("the demonstration: {error}"));
        }
        system.console.say(system.banner());
    }
    std::future::pending().await
}

async fn demonstrate(system: &System) -> Result<(), Failure> {
    let api = format!("http://{}", system.addresses.api).parse()?;
    let receiver = format!("http://{}", system.addresses.receiver).parse()?;
    let mut out = LineWriter::new(system.console.clone());
    demo::run(&api, &receiver, system.console.colour(), &mut out).await?;
    Ok(())
}
