//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::console::{LogStyle, Threshold};

/// Lambda's port unless told otherwise.
pub const LAMBDA_PORT: u16 = 9001;

/// Brings infra/template.yaml up on this machine and prints where to call it.
///
/// Tables and queues are kept in .hookpost/ of the checkout, so a restart goes
/// on where it was. A port of 0 takes a free one.
#[derive(Debug, Clone, Parser)]
#[command(name = "hookpost-local", version)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct Cli {
    /// Port of the HTTP API.
    #[arg(long, default_value_t = 8000)]
    pub port: u16,
    /// Port of SQS.
    #[arg(long, default_value_t = 9324)]
    pub sqs_port: u16,
    /// Port of the tables.
    #[arg(long, default_value_t = 8001)]
    pub dynamodb_port: u16,
    /// Port of Lambda: invocations, and the functions' Runtime API.
    #[arg(long, default_value_t = LAMBDA_PORT)]
    pub lambda_port: u16,
    /// Port of the receiver to send to.
    #[arg(long, default_value_t = 9090)]
    pub receiver_port: u16,
    /// Port of KMS and Secrets Manager.
    #[arg(long, default_value_t = 8002)]
    pub secrets_port: u16,
    /// Port of the live feed's WebSocket.
    #[arg(long, default_value_t = 8003)]
    pub live_port: u16,
    /// All ports from this one on, in the order above; 0 for free ones.
    #[arg(long, value_name = "N", conflicts_with_all = ["port", "sqs_port", "dynamodb_port", "lambda_port", "receiver_port", "secrets_port", "live_port"])]
    pub ports_from: Option<u16>,
    /// Where tables and queues are kept [default: .hookpost in the checkout].
    #[arg(long, value_name = "DIR", conflicts_with = "memory")]
    pub data: Option<PathBuf>,
    /// Keep tables and queues in memory only.
    #[arg(long)]
    pub memory: bool,
    /// A template parameter, such as RetryPreset=standard.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub parameter: Vec<(String, String)>,
    /// Another host:port that may be sent to although it is private or plain HTTP.
    #[arg(long, value_name = "HOST:PORT")]
    pub allow_target: Vec<String>,
    /// Run schedules this often instead of at their rate, such as 5s.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub schedule_every: Option<Duration>,
    /// Where the function binaries are [default: built beside this one].
    #[arg(long, value_name = "DIR")]
    pub bin_dir: Option<PathBuf>,
    /// Do not build the functions first.
    #[arg(long)]
    pub no_build: bool,
    /// A function that runs elsewhere, such as under `cargo lambda watch`.
    #[arg(long, value_name = "FUNCTION[=URL]", value_parser = external)]
    pub external: Vec<(String, String)>,
    /// Instances of a function that nothing else bounds.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub max_instances: usize,
    /// Write a JSON file with all URLs once everything serves.
    #[arg(long, value_name = "PATH")]
    pub ready_file: Option<PathBuf>,
    /// Register endpoints, fire events, and tell what becomes of them.
    #[arg(long)]
    pub demo: bool,
    /// End after the demo, with exit code 0 only if it went as it has to.
    #[arg(long, requires = "demo")]
    pub once: bool,
    /// How to show the functions' logs.
    #[arg(long, value_enum, default_value_t = LogStyle::Readable)]
    pub log: LogStyle,
    /// Show warnings and errors only.
    #[arg(long)]
    pub quiet: bool,
    /// The template [default: infra/template.yaml of the checkout].
    #[arg(long, value_name = "PATH")]
    pub template: Option<PathBuf>,
}

/// The ports to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// The HTTP API.
    pub api: u16,
    /// SQS.
    pub sqs: u16,
    /// `DynamoDB`.
    pub dynamodb: u16,
    /// Lambda.
    pub lambda: u16,
    /// The receiver.
    pub receiver: u16,
    /// KMS and Secrets Manager.
    pub secrets: u16,
    /// WebSocket APIs.
    pub live: u16,
}

impl Cli {
    /// The ports asked for.
    pub fn ports(&self) -> Ports {
        match self.ports_from {
            None => Ports {
                api: self.port,
                sqs: self.sqs_port,
                dynamodb: self.dynamodb_port,
                lambda: self.lambda_port,
                receiver: self.receiver_port,
                secrets: self.secrets_port,
                live: self.live_port,
            },
            Some(first) => {
                let port = |offset: u16| {
                    if first == 0 {
                        0
                    } else {
                        first.saturating_add(offset)
                    }
                };
                Ports {
                    api: port(0),
                    sqs: port(1),
                    dynamodb: port(2),
                    lambda: port(3),
                    receiver: port(4),
                    secrets: port(5),
                    live: port(6),
                }
            }
        }
    }

    /// Which of the functions' log lines to show.
    pub fn threshold(&self) -> Threshold {
        if self.demo {
            Threshold::Errors
        } else if self.quiet {
            Threshold::Warnings
        } else {
            Threshold::All
        }
    }

    /// What may be sent to: the receiver, by either name and where the API passes it on, and what
    /// was asked for.
    pub fn allowed_targets(&self, receiver: SocketAddr, api: SocketAddr) -> String {
        let own = [
            receiver.to_string(),
            format!("localhost:{}", receiver.port()),
            format!("localhost:{}", api.port()),
        ];
        let all: Vec<String> = own
            .into_iter()
            .chain(self.allow_target.iter().cloned())
            .collect();
        all.join(",")
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("give it as KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn external(text: &str) -> Result<(String, String), String> {
    let (function, url) = text
        .split_once('=')
        .unwrap_or((text, "http://127.0.0.1:9000"));
    if !url.starts_with("http://") {
        return Err(format!("{url} is no http:// URL"));
    }
    Ok((function.to_owned(), url.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Cli {
        Cli::parse_from(["hookpost-local"].iter().chain(arguments))
    }

    #[test]
    fn ports_are_the_documented_ones_or_count_from_one() {
        let ports = parse(&[]).ports();
        assert_eq!((ports.api, ports.sqs, ports.dynamodb), (8000, 9324, 8001));
        assert_eq!((ports.lambda, ports.receiver), (9001, 9090));
        assert_eq!(parse(&["--ports-from", "5000"]).ports().receiver, 5004);
        assert_eq!(parse(&["--ports-from", "5000"]).ports().secrets, 5005);
        assert_eq!(parse(&["--ports-from", "5000"]).ports().live, 5006);
        assert_eq!(parse(&["--ports-from", "0"]).ports().receiver, 0);
    }

    #[test]
    fn pairs_durations_and_external_functions_are_read() {
        let cli = parse(&[
            "--parameter=A=b=c",
            "--schedule-every=5s",
            "--external=delivery",
            "--external=replay=http://127.0.0.1:9999",
        ]);
        assert_eq!(cli.parameter, [("A".to_owned(), "b=c".to_owned())]);
        assert_eq!(cli.schedule_every, Some(Duration::from_secs(5)));
        assert_eq!(cli.external[0].1, "http://127.0.0.1:9000");
        assert_eq!(cli.external[1].1, "http://127.0.0.1:9999");
    }

    #[test]
    fn the_receiver_may_always_be_sent_to() {
        let cli = parse(&["--allow-target", "127.0.0.1:7"]);
        let at = |address: &str| address.parse().unwrap();
        let targets = cli.allowed_targets(at("127.0.0.1:9090"), at("127.0.0.1:8000"));
        let all = "127.0.0.1:9090,localhost:9090,localhost:8000,127.0.0.1:7";
        assert_eq!(targets, all);
    }
}
