//! Brings everything up in order, and down in the other.
//!
//! Going down: nothing new is taken in, what runs is given a few seconds, the
//! functions' processes are ended, then what they call, then the queues are
//! saved.

mod errors;
mod settings;

use std::path::PathBuf;
use std::time::Duration;

use axum::middleware::from_fn_with_state;
use local_sqs::{ACCOUNT, REGION, Sqs, queue_name_of_arn};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::announce::{self, Addresses};
use crate::checkout::{self, DataFolder};
use crate::cli::Cli;
use crate::console::Console;
use crate::counters::Counters;
use crate::dynamodb::{DynamoDb, DynamoDbSetting};
use crate::faults::{self, Faults};
use crate::gateway::Gateway;
use crate::http;
use crate::lambda::Host;
use crate::permissions::Permissions;
use crate::poller::Poller;
use crate::queues;
use crate::receiver::{self, Receiver};
use crate::schedule;
use crate::secrets::Secrets;
use crate::socket::Sockets;
use crate::stats::{ServiceCounters, Stats};
use crate::template::Plan;
pub use errors::StartError;
use settings::Listeners;

/// How long what runs may take to end.
const GRACE: Duration = Duration::from_secs(5);

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

impl System {
    /// Brings up what the template declares.
    pub async fn start(cli: &Cli, console: Console) -> Result<Self, StartError> {
        if let Some(stale) = &cli.ready_file {
            // There is none, most likely.
            let _missing = std::fs::remove_file(stale);
        }
        let template = checkout::template(cli)?;
        let (listeners, addresses) = settings::listen(cli).await?;
        let plan = settings::read_template(cli, &template, &addresses)?;
        for warning in &plan.warnings {
            console.warn(warning);
        }
        let data = settings::open_data(cli, &template)?;
        let binaries = checkout::binaries(cli, &template, &console).await?;
        settings::warn_of_missing(&plan, &binaries, &console);

        let policies = plan.functions.iter();
        let policies = policies.map(|f| (f.logical_id.clone(), f.policy.clone()));
        let permissions = Permissions::new(policies);
        let client = http::client();
        let closing = watch::Sender::new(false);
        let ending = watch::Sender::new(false);

        let (faults, kills) = Faults::new();
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
            permissions: permissions.clone(),
            faults: faults.clone(),
        };
        let tables = DynamoDb::open(
            setting,
            &plan.tables,
            client.clone(),
            console.clone(),
            ending.subscribe(),
        )
        .await?;
        let secrets = Secrets::open(
            &plan,
            data.as_ref().map(|data| data.file("secrets.json")),
            permissions.clone(),
            console.clone(),
        )?;
        let bound = permissions.clone();
        let host_setting = settings::host_setting(cli, &plan, &addresses, binaries, permissions)?;
        let host = Host::new(&plan.functions, host_setting, client, console.clone());
        settings::write_environments(cli, &plan, &host, data.as_ref(), &console)?;

        let document = announce::document(&plan, &addresses, data.as_ref().map(DataFolder::path));
        let connections = Counters::default();
        let counters = ServiceCounters {
            sqs: sqs_counters,
            dynamodb: tables.counters().clone(),
            kms: secrets.kms_counters().clone(),
            secretsmanager: secrets.secrets_manager_counters().clone(),
            connections: connections.clone(),
        };
        let sockets = Sockets::new(
            plan.sockets.clone(),
            host.clone(),
            bound,
            connections,
            console.clone(),
            addresses.live,
        );
        let stats = Stats::new(
            host.clone(),
            sqs.clone(),
            plan.queues.clone(),
            counters,
            faults.clone(),
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
        let killing = faults::carry_out(kills, system.host.clone());
        system.background.push(tokio::spawn(killing));
        system.serve(listeners, &plan, tables, secrets, sockets, stats);
        system.invoke_by_events(cli, &plan);
        system.tell(cli, queue_file, &document)?;
        Ok(system)
    }

    /// Everything serves: from here on queues are saved, and whoever waits is told.
    fn tell(
        &mut self,
        cli: &Cli,
        queue_file: Option<PathBuf>,
        document: &Value,
    ) -> Result<(), StartError> {
        if let Some(file) = queue_file {
            let saved = queues::keep_saved(self.sqs.clone(), file, self.console.clone());
            self.background.push(tokio::spawn(saved));
        }
        if let Some(path) = &cli.ready_file {
            announce::write_ready_file(path, document).map_err(|source| StartError::Write {
                path: path.display().to_string(),
                source,
            })?;
        }
        if !cli.demo {
            self.console.say(self.banner());
        }
        Ok(())
    }

    /// Where everything is, for people.
    pub fn banner(&self) -> String {
        announce::banner(&self.addresses, self.data.as_ref().map(DataFolder::path))
    }

    fn serve(
        &mut self,
        listeners: Listeners,
        plan: &Plan,
        tables: DynamoDb,
        secrets: Secrets,
        sockets: Sockets,
        stats: Stats,
    ) {
        let ending = || self.ending.subscribe();
        let before_sqs = from_fn_with_state(stats.faults(), faults::before_sqs);
        let sqs = self.sqs.router().layer(before_sqs);
        let mut ended = ending();
        self.services.spawn(async move {
            let ended = async move {
                // An error means that the sender is gone, which is an end too.
                let _ended = ended.wait_for(|ended| *ended).await;
            };
            let _served = local_sqs::serve_router(listeners.sqs, sqs, ended).await;
        });
        self.services
            .spawn(tables.serve(listeners.dynamodb, ending()));
        self.services
            .spawn(secrets.serve(listeners.secrets, ending()));
        self.services.spawn(sockets.serve(listeners.live, ending()));
        let before_receiver = from_fn_with_state(stats.faults(), faults::before_receiver);
        let extra = move |method: &::http::Method, path: &str| stats.answer(method, path);
        for listener in listeners.invoke.into_iter().chain([listeners.lambda]) {
            let host = self.host.clone();
            self.services
                .spawn(host.serve(listener, ending(), extra.clone()));
        }
        let receiver = Receiver::default().router().layer(before_receiver);
        let mut ended = ending();
        self.services.spawn(async move {
            let ended = async move {
                let _ended = ended.wait_for(|ended| *ended).await;
            };
            let _served = receiver::serve_router(listeners.receiver, receiver, ended).await;
        });
        let gateway = Gateway::new(
            plan,
            ACCOUNT,
            &self.addresses,
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
