//! Whether a request was signed with the secret that the receiver was told of.
//!
//! Both forms are held against the exact bytes that came: Standard Webhooks by
//! the specification's own crate (time-stamp tolerance included), and the hex
//! HMAC over the body. A path has the secret of its closest registered ancestor.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use hmac::{Hmac, Mac};
use http::HeaderMap;
use serde::Serialize;
use sha2::Sha256;
use standardwebhooks::{Webhook, WebhookError};

const SHA256_HEADER: &str = "x-webhook-signature";
const MAX_SECRETS: usize = 20_000;

/// What one signature is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// Made with a registered secret, over these bytes.
    Verified,
    /// Missing, malformed, too old, or made with something else.
    Bad,
    /// No secret is registered for the path.
    UnknownSecret,
}

/// The verdicts on a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdicts {
    /// On `webhook-signature`: what is wrong with it, if anything.
    pub(super) standard: Judged,
    /// On `X-Webhook-Signature`.
    pub(super) sha256: Judged,
}

/// A verdict, with the fault that led to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judged {
    Verified,
    Bad(&'static str),
    UnknownSecret,
}

impl Judged {
    pub(super) fn verdict(self) -> Verdict {
        match self {
            Self::Verified => Verdict::Verified,
            Self::Bad(_) => Verdict::Bad,
            Self::UnknownSecret => Verdict::UnknownSecret,
        }
    }

    pub(super) fn fault(self) -> Option<&'static str> {
        match self {
            Self::Bad(fault) => Some(fault),
            Self::Verified | Self::UnknownSecret => None,
        }
    }
}

impl Verdicts {
    /// Verified only where both forms are.
    pub(super) fn overall(self) -> Verdict {
        match (self.standard, self.sha256) {
            (Judged::Verified, Judged::Verified) => Verdict::Verified,
            (Judged::UnknownSecret, _) | (_, Judged::UnknownSecret) => Verdict::UnknownSecret,
            (Judged::Bad(_), _) | (_, Judged::Bad(_)) => Verdict::Bad,
        }
    }
}

/// Why a secret was not registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum SecretError {
    #[error("`{0}` is not a path: it has to begin with a slash")]
    NotAPath(String),
    #[error("the secret for `{0}` is not base64 after `whsec_`")]
    NotBase64(String),
    #[error("the secret for `{0}` is empty")]
    Empty(String),
    #[error("more than {MAX_SECRETS} secrets")]
    TooMany,
}

/// The secrets by path.
#[derive(Default)]
pub(super) struct Secrets {
    by_path: RwLock<HashMap<String, Arc<[Secret]>>>,
}

impl Secrets {
    /// Registers the secrets of a path, any of which may have signed; none forgets the path.
    pub(super) fn register(&self, path: &str, secrets: &[String]) -> Result<(), SecretError> {
        let Some(key) = path.strip_prefix('/') else {
            return Err(SecretError::NotAPath(path.into()));
        };
        let key = key.trim_end_matches('/');
        let keyed: Arc<[Secret]> = secrets
            .iter()
            .map(|secret| Secret::new(path, secret))
            .collect::<Result<_, _>>()?;
        let mut by_path = self.by_path.write().unwrap_or_else(PoisonError::into_inner);
        if keyed.is_empty() {
            by_path.remove(key);
        } else if by_path.len() < MAX_SECRETS || by_path.contains_key(key) {
            by_path.insert(key.to_owned(), keyed);
        } else {
            return Err(SecretError::TooMany);
        }
        Ok(())
    }

    /// Judges a request that came to `path`.
    pub(super) fn judge(&self, path: &str, headers: &HeaderMap, body: &[u8]) -> Verdicts {
        let Some(secrets) = self.of(path) else {
            return Verdicts {
                standard: Judged::UnknownSecret,
                sha256: Judged::UnknownSecret,
            };
        };
        Verdicts {
            standard: best(secrets.iter().map(|secret| secret.standard(headers, body))),
            sha256: best(secrets.iter().map(|secret| secret.sha256(headers, body))),
        }
    }

    fn of(&self, path: &str) -> Option<Arc<[Secret]>> {
        let by_path = self.by_path.read().unwrap_or_else(PoisonError::into_inner);
        let mut key = path.trim_matches('/');
        loop {
            if let Some(secrets) = by_path.get(key) {
                return Some(Arc::clone(secrets));
            }
            if key.is_empty() {
                return None;
            }
            key = key.rfind('/').map_or("", |slash| key.split_at(slash).0);
        }
    }
}

/// The first that is verified, or else the first fault.
fn best(judged: impl Iterator<Item = Judged>) -> Judged {
    let mut first_fault = None;
    for judged in judged {
        if judged == Judged::Verified {
            return judged;
        }
        first_fault.get_or_insert(judged);
    }
    first_fault.unwrap_or(Judged::UnknownSecret)
}

/// A secret in the forms in which it keys the two signatures.
struct Secret {
    standard: Webhook,
    sha256: Hmac<Sha256>,
}

impl Secret {
    fn new(path: &str, secret: &str) -> Result<Self, SecretError> {
        if secret.is_empty() {
            return Err(SecretError::Empty(path.into()));
        }
        let standard = if secret.starts_with("whsec_") {
            Webhook::new(secret)
        } else {
            Webhook::from_bytes(secret.into())
        };
        match (standard, Hmac::new_from_slice(secret.as_bytes())) {
            (Ok(standard), Ok(sha256)) => Ok(Self { standard, sha256 }),
            _ => Err(SecretError::NotBase64(path.into())),
        }
    }

    fn standard(&self, headers: &HeaderMap, body: &[u8]) -> Judged {
        match self.standard.verify(body, headers) {
            Ok(()) => Judged::Verified,
            Err(fault) => Judged::Bad(match fault {
                WebhookError::MissingHeader(_) => "a header is missing",
                WebhookError::InvalidHeader(_) => "a header is not text",
                WebhookError::InvalidTimestamp => "the time stamp is not a number",
                WebhookError::TimestampTooOldError => "the time stamp is too old",
                WebhookError::FutureTimestampError => "the time stamp is in the future",
                WebhookError::InvalidSignature => "the signature does not match",
                WebhookError::InvalidPayload => "the body is not UTF-8",
                WebhookError::InvalidSecret(_) => "the secret is not base64",
            }),
        }
    }

    fn sha256(&self, headers: &HeaderMap, body: &[u8]) -> Judged {
        let Some(header) = headers.get(SHA256_HEADER) else {
            return Judged::Bad("the header is missing");
        };
        let Some(claimed) = header
            .as_bytes()
            .strip_prefix(b"sha256=")
            .and_then(from_hex)
        else {
            return Judged::Bad("the header is not sha256= and 64 hex digits");
        };
        let mut mac = self.sha256.clone();
        mac.update(body);
        match mac.verify_slice(&claimed) {
            Ok(()) => Judged::Verified,
            Err(_) => Judged::Bad("the signature does not match"),
        }
    }
}

fn from_hex(digits: &[u8]) -> Option<[u8; 32]> {
    let (pairs, rest) = digits.as_chunks::<2>();
    if pairs.len() != 32 || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}
