//! How a webhook is known to be its sender's own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac;
use serde::{Deserialize, Serialize};
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;

use crate::signature::{self, Secret};
use crate::{Invalid, Timestamp};

/// How far a webhook's own time may be from ours, in seconds, unless its source says otherwise.
const TOLERANCE_SECONDS: u32 = 300;

/// How a sender signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Kind {
    /// <https://www.standardwebhooks.com>: `webhook-id`, `webhook-timestamp`, `webhook-signature`,
    /// or the same beginning with `svix-`.
    StandardWebhooks,
    /// `X-Hub-Signature-256`, `X-GitHub-Delivery`, `X-GitHub-Event`.
    Github,
    /// `Stripe-Signature`.
    Stripe,
    /// Any other HMAC of the body in a header.
    Hmac(Hmac),
}

/// An HMAC in a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Hmac {
    /// The header that the signature is in.
    pub signature_header: String,
    /// What that begins with, such as `sha256=`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// The hash.
    #[serde(default)]
    pub algorithm: HmacAlgorithm,
    /// How the signature is written.
    #[serde(default)]
    pub encoding: HmacEncoding,
    /// What is signed, with `{body}` in it once and, where there is a header for it,
    /// `{timestamp}`.
    #[serde(default = "body")]
    pub signed: String,
    /// The header that has the time in it, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_header: Option<String>,
    /// The header that has the webhook's own id in it: what drops repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_header: Option<String>,
}

fn body() -> String {
    "{body}".to_owned()
}

/// A hash that an HMAC is made with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum HmacAlgorithm {
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-512.
    Sha512,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum HmacEncoding {
    /// Hexadecimal.
    #[default]
    Hex,
    /// Base64.
    Base64,
}

/// Why a webhook is not taken for its sender's own. For the logs: whoever sent it is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A header is missing, or cannot be read.
    #[error("a header is missing or cannot be read")]
    Unsigned,
    /// Its time is too far from ours.
    #[error("its time is too far from now")]
    Late,
    /// No secret of the source signs so.
    #[error("the signature does not hold")]
    Forged,
}

/// The headers of a webhook, by their names in lower case.
pub type Headers<'h> = dyn Fn(&str) -> Option<&'h str> + 'h;

impl Kind {
    /// Checks that the sender signed this body, no longer than the tolerance ago.
    ///
    /// # Errors
    /// It did not.
    pub fn verify(
        &self,
        secrets: &[Secret],
        header: &Headers<'_>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), Refused> {
        let one = |name: &str| header(name).ok_or(Refused::Unsigned);
        match self {
            Self::StandardWebhooks => {
                let of = |name: &str| {
                    let own = header(&format!("webhook-{name}"));
                    own.or_else(|| header(&format!("svix-{name}")))
                        .ok_or(Refused::Unsigned)
                };
                let (id, at) = (of("id")?, of("timestamp")?);
                let at = in_time(at, now)?;
                let given: Vec<&str> = of("signature")?.split(' ').collect();
                one_holds(secrets, |secret| {
                    let expected = signature::standard(std::slice::from_ref(secret), id, at, body);
                    given.iter().any(|given| same(given, &expected))
                })
            }
            Self::Github => {
                let given = one("x-hub-signature-256")?;
                one_holds(secrets, |secret| {
                    same(given, &signature::plain(secret, body))
                })
            }
            Self::Stripe => {
                let parts = one("stripe-signature")?;
                let of = |name: &str| {
                    let parts = parts.split(',').filter_map(|part| part.split_once('='));
                    let found = parts.filter(|(key, _)| key.trim() == name);
                    found.map(|(_, value)| value.trim()).collect::<Vec<_>>()
                };
                let [at] = of("t")[..] else {
                    return Err(Refused::Unsigned);
                };
                in_time(at, now)?;
                let given = of("v1");
                one_holds(secrets, |secret| {
                    let key = secret.reveal().as_bytes();
                    let mac = hmac(HmacAlgorithm::Sha256, key, &[at.as_bytes(), b".", body]);
                    let expected = hex(&mac);
                    given.iter().any(|given| same(given, &expected))
                })
            }
            Self::Hmac(own) => own.verify(secrets, header, body, now),
        }
    }

    /// The webhook's own id, where a header has it.
    pub fn id<'h>(&self, header: &Headers<'h>) -> Option<&'h str> {
        match self {
            Self::StandardWebhooks => header("webhook-id").or_else(|| header("svix-id")),
            Self::Github => header("x-github-delivery"),
            Self::Stripe => None,
            Self::Hmac(own) => own.id_header.as_deref().and_then(header),
        }
    }

    /// The headers that it goes by must be such, and what is signed has to have the body in it.
    pub(super) fn check(self) -> Result<Self, Invalid> {
        let Self::Hmac(mut own) = self else {
            return Ok(self);
        };
        let names = [
            Some(&mut own.signature_header),
            own.timestamp_header.as_mut(),
            own.id_header.as_mut(),
        ];
        for name in names.into_iter().flatten() {
            *name = header_name(name, "kind")?;
        }
        let times = own.signed.matches("{timestamp}").count();
        if own.signed.matches("{body}").count() != 1 || times > 1 || own.signed.len() > 100 {
            let rule = "must have `{body}` in it once, and `{timestamp}` at most once";
            return Err(Invalid::new("kind.signed", rule));
        }
        if times == 1 && own.timestamp_header.is_none() {
            let rule = "must name the header that has the time, which is signed";
            return Err(Invalid::new("kind.timestamp_header", rule));
        }
        if times == 0 && own.timestamp_header.is_some() {
            let rule = "must have `{timestamp}` in it: a time that is not signed says nothing";
            return Err(Invalid::new("kind.signed", rule));
        }
        if own.prefix.len() > 32 {
            return Err(Invalid::new("kind.prefix", "must be at most 32 bytes"));
        }
        Ok(Self::Hmac(own))
    }
}

impl Hmac {
    fn verify(
        &self,
        secrets: &[Secret],
        header: &Headers<'_>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), Refused> {
        let given = header(&self.signature_header).ok_or(Refused::Unsigned)?;
        let given = given.strip_prefix(&self.prefix).ok_or(Refused::Unsigned)?;
        let mut signed = self.signed.clone();
        if let Some(name) = &self.timestamp_header {
            let at = header(name).ok_or(Refused::Unsigned)?;
            in_time(at, now)?;
            signed = signed.replacen("{timestamp}", at, 1);
        }
        let (before, after) = signed.split_once("{body}").ok_or(Refused::Unsigned)?;
        let parts = [before.as_bytes(), body, after.as_bytes()];
        one_holds(secrets, |secret| {
            let mac = hmac(self.algorithm, secret.reveal().as_bytes(), &parts);
            match self.encoding {
                HmacEncoding::Hex => same(&given.to_ascii_lowercase(), &hex(&mac)),
                HmacEncoding::Base64 => same(given, &STANDARD.encode(&mac)),
            }
        })
    }
}

/// A header's name in lower case.
pub(super) fn header_name(name: &str, field: &str) -> Result<String, Invalid> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(token) {
        let rule = "must name headers of 1 to 64 letters, digits, `-` or `_`";
        return Err(Invalid::new(field.to_owned(), rule));
    }
    Ok(name.to_ascii_lowercase())
}

/// A time in whole seconds, if it is not too far from `now`.
fn in_time(text: &str, now: Timestamp) -> Result<Timestamp, Refused> {
    // A number that is written otherwise than it is signed would not hold anyway.
    let seconds: u64 = text.parse().map_err(|_| Refused::Unsigned)?;
    if seconds.abs_diff(now.as_secs()) > u64::from(TOLERANCE_SECONDS) {
        return Err(Refused::Late);
    }
    Ok(Timestamp::from_millis(seconds * 1000))
}

fn one_holds(secrets: &[Secret], holds: impl Fn(&Secret) -> bool) -> Result<(), Refused> {
    // All are tried, whichever holds.
    let held = secrets.iter().filter(|secret| holds(secret)).count();
    if held > 0 {
        Ok(())
    } else {
        Err(Refused::Forged)
    }
}

/// In a time that does not depend on where they differ.
fn same(given: &str, expected: &str) -> bool {
    given.as_bytes().ct_eq(expected.as_bytes()).into()
}

fn hmac(algorithm: HmacAlgorithm, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    fn finish<M: Mac>(mac: Option<M>, parts: &[&[u8]]) -> Vec<u8> {
        // A key of any length is taken.
        let Some(mut mac) = mac else {
            return Vec::new();
        };
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().to_vec()
    }
    match algorithm {
        HmacAlgorithm::Sha256 => {
            finish(<hmac::Hmac<Sha256> as Mac>::new_from_slice(key).ok(), parts)
        }
        HmacAlgorithm::Sha512 => {
            finish(<hmac::Hmac<Sha512> as Mac>::new_from_slice(key).ok(), parts)
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        use std::fmt::Write;
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
