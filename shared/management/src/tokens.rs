//! `tokens`: short-lived, for a page that a tenant's own people see.

use hookpost_adapters::api::Problem;
use hookpost_adapters::auth::Caller;
use hookpost_adapters::world::random_bytes;
use hookpost_domain::access::{Scope, Scopes, Token};
use hookpost_domain::ids::AuditId;
use hookpost_domain::ports::World;
use hookpost_domain::{Invalid, TenantId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Management;

/// How long a token lives unless somebody says otherwise.
const DEFAULT_SECONDS: u64 = 3600;

/// A token to make.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TokenDraft {
    /// Whose things it shows; the call's own tenant unless given.
    tenant: Option<TenantId>,
    /// What it may do: `read`, and nothing else can be given.
    scopes: Option<Vec<Scope>>,
    /// How long it lives, 60 to 86400; an hour unless given.
    expires_in_seconds: Option<u64>,
}

/// A token that was made.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TokenView {
    id: String,
    /// What to send as `Authorization: Bearer`.
    token: String,
    tenant: TenantId,
    scopes: Scopes,
    expires_at: Timestamp,
}

impl<W: World> Management<W> {
    /// Makes a token. It cannot be revoked: it ends by itself.
    ///
    /// # Errors
    /// 422 for a lifetime or a scope that cannot be, 403 for a tenant that the caller does not
    /// speak for.
    pub async fn create_token(
        &self,
        caller: &Caller,
        draft: TokenDraft,
    ) -> Result<TokenView, Problem> {
        let seconds = draft.expires_in_seconds.unwrap_or(DEFAULT_SECONDS);
        let lifetime = Token::lifetime(seconds)?;
        let scopes = match draft.scopes {
            Some(scopes) => scopes.try_into()?,
            None => Token::scopes(),
        };
        if !Scopes::within(&scopes, &Token::scopes()) {
            return Err(Invalid::new("scopes", "must be `read`, and nothing else").into());
        }
        let now = self.world.now();
        let name = AuditId::generate(now, random_bytes());
        let token = Token {
            id: name.as_str().replacen("aud_", "tok_", 1),
            tenant: caller.tenant_or(draft.tenant.as_ref())?,
            made_by: caller.actor.to_string(),
            expires_at: now.after(lifetime),
        };
        let key = self.store.signing_key().await?;
        Ok(TokenView {
            token: token.sign(key),
            id: token.id,
            tenant: token.tenant,
            scopes,
            expires_at: token.expires_at,
        })
    }
}
