//! What is kept: the keys' material, and the secrets' values.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use super::{SecretsError, generate};
use crate::template::{Key, Secret, SecretValue};

/// Keys by their id, values by the secret's name.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) keys: BTreeMap<String, StoredKey>,
    pub(super) secrets: BTreeMap<String, String>,
}

/// A key.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct StoredKey {
    /// 32 bytes in base64.
    pub(super) material: String,
    /// Whether it was disabled, as `DisableKey` does.
    #[serde(default)]
    pub(super) disabled: bool,
}

impl State {
    /// Adds what is declared and missing.
    pub(super) fn complete(
        &mut self,
        keys: &[Key],
        secrets: &[Secret],
    ) -> Result<(), SecretsError> {
        for key in keys
            .iter()
            .filter(|key| !self.keys.contains_key(&key.id))
            .collect::<Vec<_>>()
        {
            let stored = StoredKey {
                material: STANDARD.encode(random::<32>()?),
                disabled: false,
            };
            self.keys.insert(key.id.clone(), stored);
        }
        for secret in secrets {
            if !self.secrets.contains_key(&secret.name) {
                let value = match &secret.value {
                    SecretValue::Given(text) => text.clone(),
                    SecretValue::Generated(rule) => generate::secret_string(rule)?,
                };
                self.secrets.insert(secret.name.clone(), value);
            }
        }
        Ok(())
    }
}

pub(super) fn random<const N: usize>() -> Result<[u8; N], SecretsError> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| SecretsError::Random)?;
    Ok(bytes)
}

pub(super) fn load(file: Option<&Path>) -> Result<State, SecretsError> {
    let Some(path) = file.filter(|path| path.exists()) else {
        return Ok(State::default());
    };
    let text = std::fs::read(path).map_err(|error| failed(path, &error))?;
    serde_json::from_slice(&text).map_err(|error| failed(path, &error))
}

/// Whole or not at all, and for nobody else on this machine to read.
pub(super) fn save(state: &State, file: Option<&Path>) -> Result<(), SecretsError> {
    use std::os::unix::fs::OpenOptionsExt;

    let Some(path) = file else {
        return Ok(());
    };
    let written = || -> std::io::Result<()> {
        let unfinished = path.with_extension("unfinished");
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let text = serde_json::to_vec_pretty(state)?;
        options.open(&unfinished)?.write_all(&text)?;
        std::fs::rename(unfinished, path)
    };
    written().map_err(|error| failed(path, &error))
}

fn failed(path: &Path, problem: &dyn std::fmt::Display) -> SecretsError {
    SecretsError::File {
        path: path.display().to_string(),
        problem: problem.to_string(),
    }
}
