//! Keys from KMS.

use aws_config::SdkConfig;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{KeyService, Plain};
use crate::aws_json::{CallError, JsonService};

/// KMS, and the key under which new ones are made.
#[derive(Debug)]
pub struct Kms {
    service: JsonService,
    key: Option<String>,
}

/// What KMS wants to hear again when it opens a key, and writes into the account's audit trail.
#[derive(Debug, Serialize)]
struct Context {
    hookpost: &'static str,
}

const CONTEXT: Context = Context {
    hookpost: "secrets",
};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GenerateDataKey<'a> {
    key_id: &'a str,
    key_spec: &'static str,
    encryption_context: Context,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Decrypt {
    ciphertext_blob: String,
    encryption_context: Context,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    plaintext: String,
    #[serde(default)]
    ciphertext_blob: String,
}

impl Kms {
    /// KMS as `sdk` says; new keys are made under `key`, if any are.
    pub fn new(sdk: &SdkConfig, key: Option<String>) -> Self {
        Self {
            service: JsonService::kms(sdk),
            key,
        }
    }
}

impl KeyService for Kms {
    fn makes_keys(&self) -> bool {
        self.key.is_some()
    }

    async fn make(&self) -> Result<(Plain, Vec<u8>), CallError> {
        let input = GenerateDataKey {
            key_id: self.key.as_deref().unwrap_or_default(),
            key_spec: "AES_256",
            encryption_context: CONTEXT,
        };
        let answer: Answer = self.service.call("GenerateDataKey", &input).await?;
        let wrapped = STANDARD.decode(&answer.ciphertext_blob);
        Ok((plain(&answer)?, wrapped.map_err(|_| CallError::Unreadable)?))
    }

    async fn unwrap(&self, wrapped: &[u8]) -> Result<Plain, CallError> {
        let input = Decrypt {
            ciphertext_blob: STANDARD.encode(wrapped),
            encryption_context: CONTEXT,
        };
        plain(&self.service.call("Decrypt", &input).await?)
    }
}

fn plain(answer: &Answer) -> Result<Plain, CallError> {
    let bytes = STANDARD.decode(&answer.plaintext).ok();
    let plain = bytes.and_then(|bytes| Plain::try_from(bytes).ok());
    plain.ok_or(CallError::Unreadable)
}
