//! Telling a webhook of ours from anybody's request.
//!
//! [Standard Webhooks](https://www.standardwebhooks.com): `webhook-signature` is checked over
//! `{webhook-id}.{webhook-timestamp}.{body}`, with each key that is known, in constant time, and
//! what is more than five minutes off is refused, so that nobody can send a request again that he
//! has recorded. Within those minutes the id tells a repeat: keep the ids that you have dealt with
//! that long, as a webhook may come twice by itself.
//!
//! Give the body's bytes as they came, before any JSON is read from them.

mod headers;
mod key;
#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use headers::Headers;
use key::Key;

/// How far `webhook-timestamp` may be from now, either way.
pub const TOLERANCE: Duration = Duration::from_secs(300);

/// Why a request is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The key that was given cannot be one. Nothing is wrong with the request.
    #[error("a key must be `whsec_` and base64, `whpk_` and base64 of 32 bytes, or other text")]
    Key,
    /// A header is not there.
    #[error("there is no `{0}` header")]
    Missing(&'static str),
    /// A header is not what it has to be.
    #[error("the `{0}` header cannot be read")]
    Unreadable(&'static str),
    /// It was sent more than five minutes ago, or is recorded and sent again.
    #[error("`webhook-timestamp` is more than five minutes ago")]
    TooOld,
    /// It is from the future by more than five minutes: a clock is wrong.
    #[error("`webhook-timestamp` is more than five minutes ahead")]
    TooNew,
    /// No signature is right.
    #[error("no signature is of one of the keys")]
    NoMatch,
}

/// A request that is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified<'a> {
    /// The event's id, the same however often it comes: drop what you have dealt with.
    pub id: &'a str,
    /// When this attempt was sent.
    pub sent_at: SystemTime,
    body: &'a [u8],
}

/// The body of a webhook, unless its endpoint has a template of its own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Message<T> {
    /// The event's id.
    pub id: String,
    /// The event's type.
    pub event: String,
    /// When the event was accepted, in RFC 3339.
    pub timestamp: String,
    /// The payload that was published.
    pub data: T,
}

impl<'a> Verified<'a> {
    /// The body, with its payload as a `T`.
    ///
    /// # Errors
    /// It is no such JSON.
    pub fn message<T: DeserializeOwned>(&self) -> Result<Message<T>, serde_json::Error> {
        serde_json::from_slice(self.body)
    }

    /// The bytes that were signed.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }
}

/// Checks webhooks against one or more keys: while a secret is rotated, both.
#[derive(Debug, Clone)]
pub struct Verifier {
    keys: Vec<Key>,
}

impl Verifier {
    /// A verifier for an endpoint's secrets (`whsec_..`, or the text that it was made with) or
    /// public keys (`whpk_..`).
    ///
    /// # Errors
    /// A key is not one, or there is none.
    pub fn new<K: AsRef<str>>(keys: impl IntoIterator<Item = K>) -> Result<Self, VerifyError> {
        let keys = keys.into_iter().map(|key| Key::read(key.as_ref()));
        let keys: Vec<Key> = keys.collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(VerifyError::Key);
        }
        Ok(Self { keys })
    }

    /// Checks a request, by its headers and the bytes of its body.
    ///
    /// # Errors
    /// It is not to be believed; answer 400 or 401.
    pub fn verify<'a>(
        &self,
        headers: &'a (impl Headers + ?Sized),
        body: &'a [u8],
        now: SystemTime,
    ) -> Result<Verified<'a>, VerifyError> {
        let header = |name: &'static str| headers.get(name).ok_or(VerifyError::Missing(name));
        let id = header("webhook-id")?;
        // With a dot in it, id, time and body could be cut elsewhere than they were joined.
        if id.is_empty() || id.contains('.') {
            return Err(VerifyError::Unreadable("webhook-id"));
        }
        let timestamp = header("webhook-timestamp")?;
        let sent_at = read_time(timestamp)?;
        check_time(sent_at, now)?;
        let signatures = header("webhook-signature")?;
        let content = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
        let is_ours = signatures.split(' ').any(|signature| {
            let Some((version, encoded)) = signature.split_once(',') else {
                return false;
            };
            let Ok(bytes) = STANDARD.decode(encoded) else {
                return false;
            };
            self.keys
                .iter()
                .any(|key| key.signed(version, &content, &bytes))
        });
        if !is_ours {
            return Err(VerifyError::NoMatch);
        }
        Ok(Verified { id, sent_at, body })
    }
}

/// Checks a request with one secret or public key. See [`Verifier`] for several.
///
/// # Errors
/// It is not to be believed; answer 400 or 401.
pub fn verify<'a>(
    key: &str,
    headers: &'a (impl Headers + ?Sized),
    body: &'a [u8],
    now: SystemTime,
) -> Result<Verified<'a>, VerifyError> {
    Verifier::new([key])?.verify(headers, body, now)
}

/// Checks the plain form, `X-Webhook-Signature: sha256=<hex>`, of a body.
///
/// It says nothing about when, so that a recorded request can be sent again for ever; prefer
/// [`verify`], and never fall back from it on this.
///
/// # Errors
/// It is not to be believed.
pub fn verify_plain(
    secret: &str,
    headers: &(impl Headers + ?Sized),
    body: &[u8],
) -> Result<(), VerifyError> {
    const NAME: &str = "x-webhook-signature";
    let header = headers.get(NAME).ok_or(VerifyError::Missing(NAME))?;
    let hex = header.strip_prefix("sha256=");
    let signature = hex
        .and_then(from_hex)
        .ok_or(VerifyError::Unreadable(NAME))?;
    if key::hmac_sha256_is(secret.as_bytes(), &[body], &signature) {
        Ok(())
    } else {
        Err(VerifyError::NoMatch)
    }
}

fn read_time(text: &str) -> Result<SystemTime, VerifyError> {
    const UNREADABLE: VerifyError = VerifyError::Unreadable("webhook-timestamp");
    // Digits only: `parse` would take a sign.
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(UNREADABLE);
    }
    let seconds = text.parse().map_err(|_| UNREADABLE)?;
    SystemTime::UNIX_EPOCH
        .checked_add(Duration::from_secs(seconds))
        .ok_or(UNREADABLE)
}

fn check_time(sent_at: SystemTime, now: SystemTime) -> Result<(), VerifyError> {
    match now.duration_since(sent_at) {
        Ok(age) if age > TOLERANCE => Err(VerifyError::TooOld),
        Err(ahead) if ahead.duration() > TOLERANCE => Err(VerifyError::TooNew),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| {
        let byte = digit(high)? << 4 | digit(low)?;
        u8::try_from(byte).ok()
    });
    rest.is_empty().then(|| bytes.collect())?
}
