//! Webhooks that come from somebody else: where from, how they are known to be theirs, and what
//! event each becomes.
//!
//! Guarantees: nothing of a webhook whose signature does not hold is looked at; its body reaches
//! the endpoints byte for byte, with its content type.

mod draft;
mod event;
mod kind;
mod raw;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::signature::Secret;
use crate::{Invalid, TenantId, Timestamp};

pub use draft::SourceDraft;
pub use event::{MAX_BODY_BYTES, TypeFrom, Webhook};
pub use kind::{Headers, Hmac, HmacAlgorithm, HmacEncoding, Kind, Refused};
pub use raw::Raw;

/// A source: `src_` and 32 hex digits. It is in the URL that the sender is told, and stands for its
/// tenant there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct SourceId(String);

impl SourceId {
    /// A new id from the clock and ten random bytes.
    pub fn generate(now: Timestamp, random: [u8; 10]) -> Self {
        let id = uuid::Builder::from_unix_timestamp_millis(now.as_millis(), &random).into_uuid();
        Self(format!("{PREFIX}{}", id.simple()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const PREFIX: &str = "src_";

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SourceId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let digits = text.strip_prefix(PREFIX).filter(|hex| hex.len() == 32);
        match digits.map(Uuid::try_parse) {
            Some(Ok(_)) => Ok(Self(text.to_owned())),
            Some(Err(_)) | None => Err(Invalid::new("source_id", "must be a source's id")),
        }
    }
}

impl TryFrom<String> for SourceId {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<SourceId> for String {
    fn from(id: SourceId) -> Self {
        id.0
    }
}

/// Where webhooks come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its id.
    pub id: SourceId,
    /// Whose events its webhooks become.
    pub tenant: TenantId,
    /// A name for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// How its webhooks are known to be its own.
    pub kind: Kind,
    /// What they are signed with, newest first; kept elsewhere when it is stored.
    #[serde(skip)]
    pub secrets: Vec<Secret>,
    /// Of what type the events are.
    pub event_type: TypeFrom,
    /// Headers of the webhook that endpoints get as well, in lower case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forward_headers: Vec<String>,
    /// Whether webhooks are taken.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its writes.
    pub version: u64,
}

#[cfg(test)]
mod tests;
