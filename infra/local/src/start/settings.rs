//! From the command line and the template to what each part is started with.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use local_sqs::{ACCOUNT, REGION};
use tokio::net::TcpListener;

use super::StartError;
use crate::announce::Addresses;
use crate::checkout::{self, DataFolder};
use crate::cli::{Cli, LAMBDA_PORT};
use crate::console::Console;
use crate::http;
use crate::lambda::{Host, HostSetting};
use crate::permissions::Permissions;
use crate::template::{self, Plan, Setting};

/// The stack's name, which names queues and tables.
const STACK: &str = "hookpost-local";

/// Where `cargo lambda` has its Invoke API.
const CARGO_LAMBDA_PORT: u16 = 9000;

/// How long an instance without work lives.
const IDLE: Duration = Duration::from_secs(300);

/// The ports, taken.
pub(super) struct Listeners {
    pub api: TcpListener,
    pub sqs: TcpListener,
    pub dynamodb: TcpListener,
    pub lambda: TcpListener,
    /// Where else `cargo lambda invoke` looks, as far as it was free.
    pub invoke: Vec<TcpListener>,
    pub receiver: TcpListener,
    pub secrets: TcpListener,
}

pub(super) async fn listen(cli: &Cli) -> Result<(Listeners, Addresses), StartError> {
    let ports = cli.ports();
    let (api, api_at) = http::bind(ports.api, "the API", "--port").await?;
    let (sqs, sqs_at) = http::bind(ports.sqs, "SQS", "--sqs-port").await?;
    let (dynamodb, dynamodb_at) = http::bind(ports.dynamodb, "DynamoDB", "--dynamodb-port").await?;
    let (lambda, lambda_at) = http::bind(ports.lambda, "Lambda", "--lambda-port").await?;
    let invoke = also_invoke(cli, lambda_at.port()).await;
    let (receiver, receiver_at) =
        http::bind(ports.receiver, "the receiver", "--receiver-port").await?;
    let (secrets, secrets_at) =
        http::bind(ports.secrets, "KMS and Secrets Manager", "--secrets-port").await?;
    let listeners = Listeners {
        api,
        sqs,
        dynamodb,
        lambda,
        invoke,
        receiver,
        secrets,
    };
    let addresses = Addresses {
        api: api_at,
        sqs: sqs_at,
        dynamodb: dynamodb_at,
        lambda: lambda_at,
        receiver: receiver_at,
        secrets: secrets_at,
    };
    Ok((listeners, addresses))
}

/// `cargo lambda invoke` calls `[::1]:9000` unless told otherwise: it is served
/// there too, unless that is where `cargo lambda watch` is to be.
async fn also_invoke(cli: &Cli, lambda: u16) -> Vec<TcpListener> {
    let mut addresses = vec![SocketAddr::from((Ipv6Addr::LOCALHOST, lambda))];
    if cli.ports_from.is_none() && cli.lambda_port == LAMBDA_PORT && cli.external.is_empty() {
        addresses.push(SocketAddr::from((Ipv4Addr::LOCALHOST, CARGO_LAMBDA_PORT)));
        addresses.push(SocketAddr::from((Ipv6Addr::LOCALHOST, CARGO_LAMBDA_PORT)));
    }
    let mut listeners = Vec::new();
    for address in addresses {
        // Taken, or no IPv6 here: then it takes flags to invoke.
        listeners.extend(TcpListener::bind(address).await.ok());
    }
    listeners
}

pub(super) fn read_template(cli: &Cli, path: &Path, at: &Addresses) -> Result<Plan, StartError> {
    let local_defaults = [
        ("Auth", "off".to_owned()),
        // Nobody pays for polling here.
        ("Ordered", "on".to_owned()),
        ("Architecture", architecture().to_owned()),
        ("AllowedTargets", cli.allowed_targets(at.receiver, at.api)),
    ];
    let setting = Setting {
        region: REGION.to_owned(),
        account: ACCOUNT.to_owned(),
        stack: STACK.to_owned(),
        sqs_endpoint: url(at.sqs),
        api_endpoint: url(at.api),
        parameters: cli.parameter.iter().cloned().collect(),
        local_defaults: local_defaults
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
    };
    template::read(path, &setting).map_err(|source| StartError::Template {
        path: path.display().to_string(),
        source,
    })
}

pub(super) fn open_data(cli: &Cli, template: &Path) -> Result<Option<DataFolder>, StartError> {
    if cli.memory {
        return Ok(None);
    }
    let default = || checkout::root(template).join(".hookpost");
    let path = cli.data.clone().unwrap_or_else(default);
    Ok(Some(DataFolder::open(path)?))
}

pub(super) fn warn_of_missing(plan: &Plan, binaries: &Path, console: &Console) {
    for function in &plan.functions {
        if !binaries.join(&function.binary).is_file() {
            console.warn(&format!(
                "{} is not in {}: build it with cargo build -p {}",
                function.binary,
                binaries.display(),
                function.binary
            ));
        }
    }
}

pub(super) fn host_setting(
    cli: &Cli,
    plan: &Plan,
    at: &Addresses,
    binaries: PathBuf,
    permissions: Permissions,
) -> Result<HostSetting, StartError> {
    let mut external = BTreeMap::new();
    for (called, url) in &cli.external {
        let function = plan
            .functions
            .iter()
            .find(|f| f.binary == *called || f.logical_id == *called || f.name == *called)
            .ok_or_else(|| StartError::External(called.clone()))?;
        external.insert(function.logical_id.clone(), url.clone());
    }
    let environment = [
        ("AWS_ENDPOINT_URL_DYNAMODB", url(at.dynamodb)),
        ("AWS_ENDPOINT_URL_SQS", url(at.sqs)),
        ("AWS_ENDPOINT_URL_LAMBDA", url(at.lambda)),
        ("AWS_ENDPOINT_URL_KMS", url(at.secrets)),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", url(at.secrets)),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
    ];
    Ok(HostSetting {
        binaries,
        max_instances: cli.max_instances.max(1),
        idle: IDLE,
        authority: at.lambda.to_string(),
        environment: environment
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        external,
        permissions,
    })
}

/// A function that runs elsewhere needs the same environment: it is written to
/// a file for `cargo lambda watch --env-file`.
pub(super) fn write_environments(
    cli: &Cli,
    plan: &Plan,
    host: &Host,
    data: Option<&DataFolder>,
    console: &Console,
) -> Result<(), StartError> {
    for (called, _) in &cli.external {
        let function = host.find(called).unwrap_or_default();
        let binary = plan.functions.iter().find(|f| f.logical_id == function);
        let Some(binary) = binary.map(|f| f.binary.as_str()) else {
            continue;
        };
        let folder = data.map_or_else(std::env::temp_dir, |data| data.path().to_owned());
        let path = folder.join(format!("{binary}.env"));
        let failed = |source| StartError::Write {
            path: path.display().to_string(),
            source,
        };
        std::fs::write(&path, host.environment_file(function)).map_err(failed)?;
        console.say(format!(
            "{binary} runs elsewhere: cargo lambda watch --invoke-address 127.0.0.1 --env-file {} -p {binary}",
            path.display()
        ));
    }
    Ok(())
}

/// This machine's, as Lambda names it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "x86_64",
    }
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}
