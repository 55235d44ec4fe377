//! The key that was made at deploy: held by whoever may read the secret, known here by its hash.
//!
//! It is read from Secrets Manager when a call is first made with something that is none of our own
//! keys or tokens, and kept in memory: calls with API keys never wait for it.

use std::time::Duration;

use hookpost_domain::Timestamp;
use hookpost_domain::access::KeyDigest;
use hookpost_domain::ports::Error;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;

use crate::Config;
use crate::aws_json::JsonService;

/// How long the secret is taken for what it was.
const KNOWN_FOR: Duration = Duration::from_secs(300);
/// How long, for a call with another text: it may have been rotated.
const DOUBTED_AFTER: Duration = Duration::from_secs(30);
/// What is shorter is no key: it is not worth a call.
const MIN_LENGTH: usize = 16;

/// The key.
#[derive(Debug)]
pub(crate) struct DeployKey {
    secret: Option<Secret>,
}

#[derive(Debug)]
struct Secret {
    service: JsonService,
    arn: String,
    known: Mutex<Option<(KeyDigest, Timestamp)>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SecretValue {
    secret_string: String,
}

impl DeployKey {
    pub(crate) fn new(sdk: &aws_config::SdkConfig, config: &Config) -> Self {
        let secret = config.admin_key_secret_arn.as_ref().map(|arn| Secret {
            service: JsonService::secrets_manager(sdk),
            arn: arn.clone(),
            known: Mutex::default(),
        });
        Self { secret }
    }

    /// Whether `text` is the key.
    pub(crate) async fn opens(
        &self,
        text: &str,
        config: &Config,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let given = KeyDigest::of(text);
        if config.admin_key_sha256 == Some(given) {
            return Ok(true);
        }
        let Some(secret) = self.secret.as_ref().filter(|_| text.len() >= MIN_LENGTH) else {
            return Ok(false);
        };
        // Held over the read: many at once ask once.
        let mut known = secret.known.lock().await;
        if let Some((digest, at)) = *known {
            let (same, age) = (digest == given, now.since(at));
            if (same && age < KNOWN_FOR) || (!same && age < DOUBTED_AFTER) {
                return Ok(same);
            }
        }
        let digest = secret.read().await?;
        *known = Some((digest, now));
        Ok(digest == given)
    }
}

impl Secret {
    async fn read(&self) -> Result<KeyDigest, Error> {
        let wanted = json!({ "SecretId": self.arn });
        let answer = self.service.call("GetSecretValue", &wanted).await;
        let value: SecretValue = answer.map_err(|error| Error {
            call: "GetSecretValue",
            source: error.into(),
        })?;
        Ok(KeyDigest::of(&value.secret_string))
    }
}
