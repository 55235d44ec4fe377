//! Brings everything up in order, and down in the other.
//!
//! Going down: nothing new is taken in, what runs is given a few seconds, the
//! functions' processes are ended, then what they call, then the queues are
//! saved.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use local_sqs::{ACCOUNT, REGION, Sqs, queue_name_of_arn};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::announce::{self, Addresses};
use crate::checkout::{self, CheckoutError, DataFolder};
use crate::cli::Cli;
use crate::console::Console;
use crate::counters::Counters;
use crate::dynamodb::{DynamoDb, DynamoDbError, DynamoDbSetting};
use crate::gateway::Gateway;
use crate::http::{self, BindError};
use crate::lambda::{Host, HostSetting};
use crate::permissions::Permissions;
use crate::poller::Poller;
use crate::queues::{self, QueueError};
use crate::receiver::{self, Receiver};
use crate::schedule;
use crate::stats::Stats;
use crate::template::{self, Plan, Setting, TemplateError};

/// The stack's name, which names queues and tables.
const STACK: &str = "hookpost-local";

/// How long an instance without work lives.
const IDLE: Duration = Duration::from_secs(300);

/// How long what runs may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// Why the local system does not start: one line each.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Something is not where it has to be.
    #[error(transparent)]
    Checkout(#[from] CheckoutError),
    /// A port is taken.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The template makes no sense.
    #[error("{path}: {source}")]
    Template {
        /// The file.
        path: String,
        /// Why.
        source: TemplateError,
    },
    /// An external function that the template lacks.
    #[error("--external {0}: the template has no such function")]
    External(String),
    /// The tables.
    #[error(transparent)]
    DynamoDb(#[from] DynamoDbError),
    /// The queues.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// A file could not be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

/// A running local system.
#[derive(Debug)]
pub struct System {
    /// Where everything is served.
    pub addresses: Addresses,
    /// Where it prints.
    pub console: Console,
    host: Host,
    sqs: Sqs,
    data: Option<DataFolder>,
    /// Turns true when nothing new is to be taken in.
    closing: watch::Sender<bool>,
    /// Turns true when the functions are gone.
    ending: watch::Sender<bool>,
    intake: JoinSet<()>,
    services: JoinSet<()>,
    background: Vec<JoinHandle<()>>,
}

struct Listeners {
    api: TcpListener,
    sqs: TcpListener,
    dynamodb: TcpListener,
    lambda: TcpListener,
    receiver: TcpListener,
}

impl System {
    /// Brings up what the template declares.
    pub async fn start(cli: &Cli, console: Console) -> Result<Self, StartError> {
        let template = checkout::template(cli)?;
        let (listeners, addresses) = listen(cli).await?;
        let plan = read_template(cli, &template, &addresses)?;
        for warning in &plan.warnings {
            console.warn(warning);
        }
        let data = open_data(cli, &template)?;
        let binaries = checkout::binaries(cli, &template, &console).await?;
        warn_of_missing(&plan, &binaries, &console);

        let permissions = Permissions::new(
            plan.functions
                .iter()
                .map(|function| (function.logical_id.clone(), function.policy.clone())),
        );
        let client = http::client();
        let closing = watch::Sender::new(false);
        let ending = watch::Sender::new(false);

        let sqs_counters = Counters::default();
        let queue_file = data.as_ref().map(|data| data.file("queues.json"));
        let sqs = queues::open(
            &plan.queues,
            queue_file.as_deref(),
            permissions.clone(),
            sqs_counters.clone(),
            console.clone(),
        )
        .await?;
        let table_file = data.as_ref().map(|data| data.file("tables.db"));
        let setting = DynamoDbSetting {
            file: table_file.as_deref(),
            region: REGION,
            account: ACCOUNT,
            permissions,
        };
        let tables = DynamoDb::open(
            setting,
            &plan.tables,
            client.clone(),
            console.clone(),
            ending.subscribe(),
        )
        .await?;
        let host_setting = host_setting(cli, &plan, &addresses, binaries)?;
        let host = Host::new(&plan.functions, host_setting, client, console.clone());
        write_environments(cli, &plan, &host, data.as_ref(), &console)?;

        let document = announce::document(&plan, &addresses, data.as_ref().map(DataFolder::path));
        let stats = Stats::new(
            host.clone(),
            sqs.clone(),
            plan.queues.clone(),
            sqs_counters,
            tables.counters().clone(),
            document.clone(),
        );
        let mut system = Self {
            addresses,
            console,
            host,
            sqs,
            data,
            closing,
            ending,
            intake: JoinSet::new(),
            services: JoinSet::new(),
            background: Vec::new(),
        };
        system.serve(listeners, &plan, tables, stats);
        system.invoke_by_events(cli, &plan);
        if let Some(file) = queue_file {
            let saved = queues::keep_saved(system.sqs.clone(), file, system.console.clone());
            system.background.push(tokio::spawn(saved));
        }
        if let Some(path) = &cli.ready_file {
            announce::write_ready_file(path, &document).map_err(|source| StartError::Write {
                path: path.display().to_string(),
                source,
            })?;
        }
        let data = system.data.as_ref().map(DataFolder::path);
        system
            .console
            .say(announce::banner(&system.addresses, data));
        Ok(system)
    }

    fn serve(&mut self, listeners: Listeners, plan: &Plan, tables: DynamoDb, stats: Stats) {
        let ending = || self.ending.subscribe();
        let sqs = self.sqs.clone();
        let mut ended = ending();
        self.services.spawn(async move {
            let ended = async move {
                // An error means that the sender is gone, which is an end too.
                let _ended = ended.wait_for(|ended| *ended).await;
            };
            let _served = sqs.serve(listeners.sqs, ended).await;
        });
        self.services
            .spawn(tables.serve(listeners.dynamodb, ending()));
        let extra = move |method: &::http::Method, path: &str| stats.answer(method, path);
        self.services
            .spawn(self.host.clone().serve(listeners.lambda, ending(), extra));
        let mut ended = ending();
        self.services.spawn(async move {
            let ended = async move {
                let _ended = ended.wait_for(|ended| *ended).await;
            };
            let receiver = Receiver::new(receiver::Settings::default());
            let _served = receiver::serve(listeners.receiver, receiver, ended).await;
        });
        let gateway = Gateway::new(
            plan,
            ACCOUNT,
            &self.addresses.api.to_string(),
            self.host.clone(),
            self.console.clone(),
        );
        self.intake
            .spawn(gateway.serve(listeners.api, self.closing.subscribe()));
    }

    /// Event sources and schedules.
    fn invoke_by_events(&mut self, cli: &Cli, plan: &Plan) {
        for function in &plan.functions {
            for source in &function.sources {
                let needed = ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes"];
                let missing = needed
                    .iter()
                    .map(|operation| format!("sqs:{operation}"))
                    .find(|action| !function.policy.allows(action, &source.queue_arn));
                if let Some(action) = missing {
                    self.console.warn(&format!(
                        "{} is not invoked by {}: its role in infra/template.yaml lacks {action}",
                        function.logical_id, source.queue_arn
                    ));
                    continue;
                }
                let poller = Poller {
                    sqs: self.sqs.clone(),
                    host: self.host.clone(),
                    function: function.logical_id.clone(),
                    queue: queue_name_of_arn(&source.queue_arn)
                        .unwrap_or_default()
                        .to_owned(),
                    source: source.clone(),
                    max_concurrency: cli.max_instances,
                    console: self.console.clone(),
                };
                self.intake.spawn(poller.run(self.closing.subscribe()));
            }
            for schedule in &function.schedules {
                let task = schedule::run(
                    self.host.clone(),
                    function.logical_id.clone(),
                    schedule.clone(),
                    cli.schedule_every,
                    self.console.clone(),
                );
                self.background.push(tokio::spawn(task));
            }
        }
    }

    /// Takes everything down.
    pub async fn end(mut self) {
        self.console.say("ending");
        for task in &self.background {
            task.abort();
        }
        self.closing.send_replace(true);
        let taken_in = async { while self.intake.join_next().await.is_some() {} };
        // What is not done by then comes back with its messages.
        let _cut_off = tokio::time::timeout(GRACE, taken_in).await;
        self.host.end(GRACE).await;
        self.ending.send_replace(true);
        let served = async { while self.services.join_next().await.is_some() {} };
        let _cut_off = tokio::time::timeout(GRACE, served).await;
        if let Some(data) = &self.data
            && let Err(error) = self.sqs.save(&data.file("queues.json")).await
        {
            self.console
                .warn(&format!("cannot save the queues: {error}"));
        }
        self.console.flush();
    }
}

async fn listen(cli: &Cli) -> Result<(Listeners, Addresses), StartError> {
    let ports = cli.ports();
    let (api, api_at) = http::bind(ports.api, "the API", "--port").await?;
    let (sqs, sqs_at) = http::bind(ports.sqs, "SQS", "--sqs-port").await?;
    let (dynamodb, dynamodb_at) = http::bind(ports.dynamodb, "DynamoDB", "--dynamodb-port").await?;
    let (lambda, lambda_at) = http::bind(ports.lambda, "Lambda", "--lambda-port").await?;
    let (receiver, receiver_at) =
        http::bind(ports.receiver, "the receiver", "--receiver-port").await?;
    let listeners = Listeners {
        api,
        sqs,
        dynamodb,
        lambda,
        receiver,
    };
    let addresses = Addresses {
        api: api_at,
        sqs: sqs_at,
        dynamodb: dynamodb_at,
        lambda: lambda_at,
        receiver: receiver_at,
    };
    Ok((listeners, addresses))
}

fn read_template(cli: &Cli, path: &Path, at: &Addresses) -> Result<Plan, StartError> {
    let local_defaults = [
        ("Auth", "off".to_owned()),
        ("Architecture", "x86_64".to_owned()),
        ("AllowedTargets", cli.allowed_targets(at.receiver)),
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

fn open_data(cli: &Cli, template: &Path) -> Result<Option<DataFolder>, StartError> {
    if cli.memory {
        return Ok(None);
    }
    let default = || checkout::root(template).join(".hookpost");
    let path = cli.data.clone().unwrap_or_else(default);
    Ok(Some(DataFolder::open(path)?))
}

fn warn_of_missing(plan: &Plan, binaries: &Path, console: &Console) {
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

fn host_setting(
    cli: &Cli,
    plan: &Plan,
    at: &Addresses,
    binaries: PathBuf,
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
    })
}

/// A function that runs elsewhere needs the same environment: it is written to
/// a file for `cargo lambda watch --env-file`.
fn write_environments(
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
            "{binary} runs elsewhere: cargo lambda watch --invoke-address 127.0.0.1 -p {binary} --env-file {}",
            path.display()
        ));
    }
    Ok(())
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}
