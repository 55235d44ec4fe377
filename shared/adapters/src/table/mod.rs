//! The tables: what is kept where, and how a record becomes an item.
//!
//! Every record that can be raced for has a `version`, and is stored only over the version it was
//! made from. Each such write carries a random `w`: if a retried write meets its own first try, it
//! has won.

mod api_keys;
mod audit;
mod catalogue;
mod counters;
mod declared;
mod deliveries;
mod endpoints;
mod events;
mod item;
mod jobs;
mod keys;
mod lines;
mod notes;
mod settings;
mod sources;
mod walk;

use std::sync::Mutex;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{DisplayErrorContext, SdkError};
use hookpost_domain::access::SigningKey;
use hookpost_domain::ports::Error;
use tokio::sync::OnceCell;

pub use audit::AuditPage;
pub use catalogue::TypeChange;
pub use counters::{Breakdown, Part, Resolution};
pub use declared::DeclaredNote;
pub use endpoints::Creation;
pub use item::Item;
pub(crate) use item::{Read, n, s};
pub use jobs::JobPage;

use crate::config::{Config, Tables};
use crate::vault::{Kms, Shelf, Vault};

/// All tables.
#[derive(Debug)]
pub struct Store {
    db: Client,
    tables: Tables,
    retention: Duration,
    marked: Mutex<events::Marked>,
    signing_key: OnceCell<SigningKey>,
    vault: Option<Vault<Kms, Shelf>>,
}

impl Store {
    /// The tables that `config` names.
    pub fn new(sdk: &aws_config::SdkConfig, config: &Config) -> Self {
        Self {
            db: Client::new(sdk),
            tables: config.tables.clone(),
            retention: config.retention,
            marked: Mutex::default(),
            signing_key: OnceCell::new(),
            vault: None,
        }
    }

    /// The same, able to open and seal the secrets of endpoints: for functions whose role may ask
    /// KMS. Without, endpoints are read without their secrets, and cannot be stored.
    #[must_use]
    pub fn with_vault(mut self, sdk: &aws_config::SdkConfig, config: &Config) -> Self {
        let kms = Kms::new(sdk, config.secrets_key.clone());
        let shelf = Shelf::new(self.db.clone(), self.tables.settings.clone());
        self.vault = Some(Vault::new(kms, shelf));
        self
    }

    fn vault(&self) -> Result<&Vault<Kms, Shelf>, Error> {
        self.vault.as_ref().ok_or_else(|| Error {
            call: "opening or sealing secrets",
            source: "this function was given no vault".into(),
        })
    }

    /// One cheap call, to have a warm connection before the first event.
    pub async fn warm_up(&self) {
        let call = self
            .db
            .get_item()
            .table_name(&self.tables.keys)
            .key("pk", s("warm-up"))
            .send()
            .await;
        if let Err(error) = call {
            tracing::warn!(error = %DisplayErrorContext(&error), "the first call to DynamoDB failed");
        }
    }
}

/// An item that does not read back as what was stored.
#[derive(Debug, thiserror::Error)]
#[error("the item {key} of table {table} is damaged: {what}")]
pub struct Damaged {
    table: &'static str,
    key: String,
    what: String,
}

pub(crate) fn failed<E, R>(call: &'static str) -> impl Fn(SdkError<E, R>) -> Error
where
    SdkError<E, R>: std::error::Error + Send + Sync + 'static,
    E: std::error::Error + 'static,
    R: std::fmt::Debug,
{
    move |error| {
        let text = DisplayErrorContext(&error).to_string();
        Error {
            call,
            source: text.into(),
        }
    }
}

pub(crate) fn damaged(
    table: &'static str,
    key: impl Into<String>,
    what: impl Into<String>,
) -> Error {
    let source = Damaged {
        table,
        key: key.into(),
        what: what.into(),
    };
    Error {
        call: "reading an item",
        source: source.into(),
    }
}

/// Reads items of which one that is damaged must not hide the others: it is logged and left out.
fn readable<T>(read: impl Fn(&Item) -> Result<T, Error>) -> impl Fn(&Item) -> Option<T> {
    move |item| {
        read(item)
            .inspect_err(|error| tracing::error!(error = %error.source, "an item was left out"))
            .ok()
    }
}
