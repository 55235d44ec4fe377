//! `DynamoDB` on one machine: the embedded engine `dynoxide`, with the callers'
//! roles enforced and what they consume counted.
//!
//! The operations that carry the load call the engine directly, on a thread of
//! its own, since it does one thing at a time anyway. Everything else, and
//! every request that the engine refuses as malformed, goes through the
//! engine's own HTTP server on a private port, whose errors are `DynamoDB`'s to
//! the letter.

mod engine;
mod front;
mod operations;
mod tables;

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dynoxide::{Database, DynoxideError};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::console::Console;
use crate::counters::Counters;
use crate::faults::Faults;
use crate::http::Client;
use crate::permissions::Permissions;
use crate::template::Table;
use engine::Engine;

/// How often expired items are removed. AWS takes days; nothing may rely on it.
const SWEEP_EVERY: Duration = Duration::from_secs(300);

/// Why `DynamoDB` could not be brought up.
#[derive(Debug, thiserror::Error)]
pub enum DynamoDbError {
    /// The data file is unusable.
    #[error("cannot open the tables in {path}: {source}")]
    Open {
        /// The file.
        path: String,
        /// What the engine said.
        source: DynoxideError,
    },
    /// A table of the template could not be made.
    #[error("cannot create the table {table}: {problem}")]
    Table {
        /// Its name.
        table: String,
        /// What the engine said.
        problem: String,
    },
    /// No private port.
    #[error("cannot start the engine's server: {0}")]
    Private(std::io::Error),
}

/// The tables. Clones share them.
#[derive(Debug, Clone)]
pub struct DynamoDb {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    engine: Engine,
    /// Where the engine's own server listens.
    private: String,
    client: Client,
    permissions: Permissions,
    faults: Faults,
    counters: Counters,
    console: Console,
    region: String,
    account: String,
}

/// What the tables are brought up with.
#[derive(Debug)]
pub struct DynamoDbSetting<'a> {
    /// The data file, or `None` for memory only.
    pub file: Option<&'a Path>,
    /// The region in ARNs.
    pub region: &'a str,
    /// The account in ARNs.
    pub account: &'a str,
    /// Who may do what.
    pub permissions: Permissions,
    /// What is to go wrong.
    pub faults: Faults,
}

impl DynamoDb {
    /// Opens the data and creates the tables that are missing.
    pub async fn open(
        setting: DynamoDbSetting<'_>,
        tables: &[Table],
        client: Client,
        console: Console,
        mut ending: watch::Receiver<bool>,
    ) -> Result<Self, DynamoDbError> {
        let database = open(setting.file)?;
        for table in tables {
            if let Some(difference) = tables::ensure(&database, table)? {
                console.warn(&difference);
            }
        }
        let private = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(DynamoDbError::Private)?;
        let address = private.local_addr().map_err(DynamoDbError::Private)?;
        let ended = {
            let mut ending = ending.clone();
            async move {
                // An error means that the sender is gone, which is an end too.
                let _ended = ending.wait_for(|ending| *ending).await;
            }
        };
        let served = database.clone();
        tokio::spawn(dynoxide::server::serve_with_shutdown(
            private, served, ended,
        ));
        let sweeper = database.clone();
        tokio::spawn(async move {
            let ended = async move {
                let _ended = ending.wait_for(|ending| *ending).await;
            };
            tokio::select! {
                () = sweep(sweeper) => {}
                () = ended => {}
            }
        });
        Ok(Self {
            shared: Arc::new(Shared {
                engine: Engine::start(database),
                private: address.to_string(),
                client,
                permissions: setting.permissions,
                faults: setting.faults,
                counters: Counters::default(),
                console,
                region: setting.region.to_owned(),
                account: setting.account.to_owned(),
            }),
        })
    }

    /// Serves until `ending` turns true.
    pub async fn serve(self, listener: TcpListener, ending: watch::Receiver<bool>) {
        crate::http::serve(listener, ending, move |request, _| {
            let tables = self.clone();
            async move { front::handle(&tables.shared, request).await }
        })
        .await;
    }

    /// What was called and consumed.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }
}

fn open(file: Option<&Path>) -> Result<Database, DynamoDbError> {
    let path = file.map_or_else(|| ":memory:".to_owned(), |path| path.display().to_string());
    let failed = |source| DynamoDbError::Open {
        path: path.clone(),
        source,
    };
    if file.is_none() {
        return Database::memory().map_err(failed);
    }
    let database = Database::new(&path).map_err(failed)?;
    // Without it every write waits for the disk. What it gives up is surviving
    // a power cut, not a crash of this process.
    database.enable_bulk_loading().map_err(failed)?;
    Ok(database)
}

async fn sweep(database: Database) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        let database = database.clone();
        // A sweep that fails is tried again in a while; nothing waits for it.
        let _swept = tokio::task::spawn_blocking(move || database.sweep_ttl()).await;
    }
}

#[cfg(test)]
mod tests;
