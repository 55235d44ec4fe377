//! A source as a caller writes it.

use serde::Deserialize;

use super::kind::header_name;
use super::{Kind, Source, SourceId, TypeFrom};
use crate::signature::{Secret, Signing};
use crate::{Invalid, TenantId, Timestamp, headers};

/// Most secrets of a source: while one takes the place of another, both hold.
const MAX_SECRETS: usize = 4;
/// Most headers that are sent on.
const MAX_FORWARDED: usize = 10;

/// What a caller says of a source: all of it is optional in a change, and of a new one `kind` is
/// not.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct SourceDraft {
    /// A name for people, at most 100 characters.
    pub name: Option<String>,
    /// How its webhooks are signed. It cannot be changed.
    pub kind: Option<Kind>,
    /// What they are signed with, as the sender says. One is made unless it is given.
    pub secret: Option<String>,
    /// The same while one takes the place of another: whatever any of them signs is taken, up to 4.
    pub secrets: Option<Vec<String>>,
    /// Of what type the events are; what suits the kind unless it is given.
    pub event_type: Option<TypeFrom>,
    /// Headers of the webhook that endpoints get as well, at most 10.
    pub forward_headers: Option<Vec<String>>,
    /// Whether webhooks are taken.
    pub enabled: Option<bool>,
}

impl SourceDraft {
    /// A new source; `secret` is for one that is given none.
    ///
    /// # Errors
    /// The field that breaks its rule.
    pub fn create(
        self,
        id: SourceId,
        tenant: TenantId,
        secret: Secret,
        now: Timestamp,
    ) -> Result<Source, Invalid> {
        let Some(kind) = self.kind.clone() else {
            return Err(Invalid::new("kind", "must be given"));
        };
        let source = Source {
            id,
            tenant,
            name: String::new(),
            event_type: TypeFrom::of(&kind),
            kind: kind.check()?,
            secrets: vec![secret],
            forward_headers: Vec::new(),
            enabled: true,
            created_at: now,
            updated_at: now,
            version: 0,
        };
        let draft = Self { kind: None, ..self };
        draft.change(&source, now)
    }

    /// The source with what is given.
    ///
    /// # Errors
    /// The field that breaks its rule.
    pub fn change(self, current: &Source, now: Timestamp) -> Result<Source, Invalid> {
        let mut next = Source {
            updated_at: now,
            version: current.version + 1,
            ..current.clone()
        };
        if self.kind.is_some_and(|kind| kind != current.kind) {
            let rule = "cannot be changed: make another source";
            return Err(Invalid::new("kind", rule));
        }
        if let Some(name) = self.name {
            if name.chars().count() > 100 || name.chars().any(char::is_control) {
                let rule = "must be at most 100 characters, none of them a control character";
                return Err(Invalid::new("name", rule));
            }
            next.name = name;
        }
        let secrets = match (self.secret, self.secrets) {
            (Some(_), Some(_)) => {
                return Err(Invalid::new("secrets", "must not be beside `secret`"));
            }
            (Some(one), None) => Some(vec![one]),
            (None, several) => several,
        };
        if let Some(secrets) = secrets {
            if secrets.is_empty() || secrets.len() > MAX_SECRETS {
                return Err(Invalid::new("secrets", "must be 1 to 4"));
            }
            let read = secrets.iter().map(|text| secret(text));
            next.secrets = read.collect::<Result<_, _>>()?;
        }
        if let Some(event_type) = self.event_type {
            next.event_type = event_type.check()?;
        }
        if let Some(names) = self.forward_headers {
            if names.len() > MAX_FORWARDED {
                return Err(Invalid::new("forward_headers", "must be at most 10"));
            }
            let name = |name: &String| {
                let name = header_name(name, "forward_headers")?;
                // Requests have these of their own.
                let is_ours = ["authorization", "user-agent"].contains(&name.as_str());
                if is_ours || headers::check(&name, "").is_err() {
                    let rule = "must not name a header that Hookpost sets";
                    return Err(Invalid::new("forward_headers", rule));
                }
                Ok(name)
            };
            next.forward_headers = names.iter().map(name).collect::<Result<_, _>>()?;
        }
        next.enabled = self.enabled.unwrap_or(next.enabled);
        Ok(next)
    }
}

/// A key that is no HMAC's would sign nothing that is checked here.
fn secret(text: &str) -> Result<Secret, Invalid> {
    let secret = Secret::given(text)?;
    match secret.signing() {
        Signing::Hmac => Ok(secret),
        Signing::Ed25519 => Err(Invalid::new("secret", "must be a shared secret")),
    }
}
