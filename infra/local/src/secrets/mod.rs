//! KMS and Secrets Manager on one machine: the template's keys and secrets, with the callers'
//! roles enforced and their calls counted.
//!
//! What the keys are made of and what the secrets hold is kept in the data folder, so that what
//! was encrypted before a restart can be read after it. It is as safe there as any file.

mod front;
mod generate;
mod kms;
mod state;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::console::Console;
use crate::counters::Counters;
use crate::permissions::Permissions;
use crate::template::{Key, Plan, Secret};
use state::State;

/// Why keys and secrets could not be brought up.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The file they are kept in is unusable.
    #[error("cannot use the keys in {path}: {problem}")]
    File {
        /// The file.
        path: String,
        /// Why.
        problem: String,
    },
    /// There are no random numbers.
    #[error("the operating system's random numbers are not available")]
    Random,
}

/// The keys and secrets. Clones share them.
#[derive(Debug, Clone)]
pub struct Secrets {
    shared: Arc<Shared>,
}

struct Shared {
    keys: Vec<Key>,
    secrets: Vec<Secret>,
    state: Mutex<State>,
    file: Option<PathBuf>,
    permissions: Permissions,
    kms_counters: Counters,
    secrets_manager_counters: Counters,
    console: Console,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Secrets {
    /// Reads what there was, and makes what is missing.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn open(
        plan: &Plan,
        file: Option<PathBuf>,
        permissions: Permissions,
        console: Console,
    ) -> Result<Self, SecretsError> {
        let mut state = state::load(file.as_deref())?;
        state.complete(&plan.keys, &plan.secrets)?;
        state::save(&state, file.as_deref())?;
        Ok(Self {
            shared: Arc::new(Shared {
                keys: plan.keys.clone(),
                secrets: plan.secrets.clone(),
                state: Mutex::new(state),
                file,
                permissions,
                kms_counters: Counters::default(),
                secrets_manager_counters: Counters::default(),
                console,
            }),
        })
    }

    /// Serves until `ending` turns true.
    pub async fn serve(self, listener: TcpListener, ending: watch::Receiver<bool>) {
        crate::http::serve(listener, ending, move |request, _| {
            let secrets = self.clone();
            async move { front::handle(&secrets.shared, request).await }
        })
        .await;
    }

    /// What was called of KMS.
    pub fn kms_counters(&self) -> &Counters {
        &self.shared.kms_counters
    }

    /// What was called of Secrets Manager.
    pub fn secrets_manager_counters(&self) -> &Counters {
        &self.shared.secrets_manager_counters
    }
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
