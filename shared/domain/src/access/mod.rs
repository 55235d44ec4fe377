//! Who may do what: scopes, tenants, networks, keys and tokens.
//!
//! Guarantees: whoever speaks for one tenant never speaks for another; a scope gives what it
//! implies and nothing else; a key or token is told from a forged one in a time that does not
//! depend on where they differ.

mod key;
mod network;
pub(crate) mod signed;
mod token;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Invalid, TenantId};

pub use key::{ApiKey, KEY_BYTES, KeyDigest, KeyId, KeyRecord, Standing};
pub use network::{Network, Networks};
pub use token::{SigningKey, Token, TokenFault};

/// One kind of thing that a call may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Post events.
    Publish,
    /// Look at everything but keys and the audit log.
    Read,
    /// Change endpoints, event types and deliveries. Implies `read`.
    Manage,
    /// Everything, with keys and the audit log.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Publish, Self::Read, Self::Manage, Self::Admin];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Read => "read",
            Self::Manage => "manage",
            Self::Admin => "admin",
        }
    }

    /// Whether who has this scope has `other` too.
    pub const fn implies(self, other: Self) -> bool {
        match self {
            Self::Admin => true,
            Self::Manage => matches!(other, Self::Manage | Self::Read),
            Self::Read => matches!(other, Self::Read),
            Self::Publish => matches!(other, Self::Publish),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a key or token may do: at least one scope, each named once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "Vec<Scope>", into = "Vec<Scope>")]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// This one.
    pub fn only(scope: Scope) -> Self {
        Self(vec![scope])
    }

    /// Whether it may do what needs `wanted`.
    pub fn allow(&self, wanted: Scope) -> bool {
        self.0.iter().any(|scope| scope.implies(wanted))
    }

    /// Whether it may do nothing that `other` may not.
    pub fn within(&self, other: &Self) -> bool {
        self.0.iter().all(|scope| other.allow(*scope))
    }

    /// The scopes as they were given, in their order.
    pub fn as_slice(&self) -> &[Scope] {
        &self.0
    }
}

impl TryFrom<Vec<Scope>> for Scopes {
    type Error = Invalid;

    fn try_from(mut scopes: Vec<Scope>) -> Result<Self, Invalid> {
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() {
            let rule = "must name at least one of publish, read, manage and admin";
            return Err(Invalid::new("scopes", rule));
        }
        Ok(Self(scopes))
    }
}

impl From<Scopes> for Vec<Scope> {
    fn from(scopes: Scopes) -> Self {
        scopes.0
    }
}

/// For whom a key speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// For one tenant.
    Tenant(TenantId),
    /// For whichever tenant a call names, `default` if it names none.
    All,
}

impl Reach {
    /// The tenant that a call is about, if it names `named`; `None` if that is another's.
    pub fn tenant(&self, named: Option<&TenantId>) -> Option<TenantId> {
        match (self, named) {
            (Self::All, named) => Some(named.cloned().unwrap_or_default()),
            (Self::Tenant(own), None) => Some(own.clone()),
            (Self::Tenant(own), Some(named)) => (own == named).then(|| own.clone()),
        }
    }

    /// Its part of a table's key. No tenant is called `*`.
    pub fn partition(&self) -> &str {
        match self {
            Self::Tenant(tenant) => tenant.as_str(),
            Self::All => "*",
        }
    }
}

/// Who makes a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// The holder of an API key.
    Key(KeyId),
    /// The holder of a token, and who made it.
    Token {
        /// The token's id.
        id: String,
        /// Who made it, as an actor is shown.
        made_by: String,
    },
    /// The holder of the key that was made at deploy.
    DeployKey,
    /// Whoever may invoke the function in AWS, such as by the Lambda console's Test button.
    Console,
    /// Whoever deploys: what the deployment's own settings say.
    Deployment,
    /// Nobody knows: no key was given, or none is needed.
    Anonymous,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => write!(f, "key:{id}"),
            Self::Token { id, .. } => write!(f, "token:{id}"),
            Self::DeployKey => f.write_str("deploy-key"),
            Self::Console => f.write_str("console"),
            Self::Deployment => f.write_str("deployment"),
            Self::Anonymous => f.write_str("anonymous"),
        }
    }
}

impl FromStr for Scope {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let found = Self::ALL.into_iter().find(|scope| scope.as_str() == text);
        found.ok_or_else(|| Invalid::new("scope", "must be publish, read, manage or admin"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scope() -> impl Strategy<Value = Scope> {
        proptest::sample::select(Scope::ALL.to_vec())
    }

    fn scopes() -> impl Strategy<Value = Scopes> {
        proptest::collection::vec(scope(), 1..6).prop_map(|list| list.try_into().unwrap())
    }

    proptest! {
        #[test]
        fn what_a_scope_implies_is_an_order(a in scope(), b in scope(), c in scope()) {
            prop_assert!(a.implies(a));
            prop_assert!(Scope::Admin.implies(a));
            if a.implies(b) && b.implies(c) {
                prop_assert!(a.implies(c));
            }
            if a.implies(b) && b.implies(a) {
                prop_assert_eq!(a, b);
            }
        }

        #[test]
        fn who_is_within_another_may_do_nothing_more(a in scopes(), b in scopes(), wanted in scope()) {
            if a.within(&b) && a.allow(wanted) {
                prop_assert!(b.allow(wanted));
            }
        }

        #[test]
        fn scopes_read_what_they_write(scopes in scopes()) {
            let text = serde_json::to_string(&scopes).unwrap();
            prop_assert_eq!(serde_json::from_str::<Scopes>(&text).unwrap(), scopes);
        }
    }

    #[test]
    fn publishing_is_no_reading_and_managing_is_no_publishing() {
        let allowed = |scope: Scope| {
            Scope::ALL
                .into_iter()
                .filter(|other| scope.implies(*other))
                .collect::<Vec<_>>()
        };
        assert_eq!(allowed(Scope::Publish), [Scope::Publish]);
        assert_eq!(allowed(Scope::Read), [Scope::Read]);
        assert_eq!(allowed(Scope::Manage), [Scope::Read, Scope::Manage]);
        assert_eq!(allowed(Scope::Admin), Scope::ALL);
        assert!(serde_json::from_str::<Scopes>("[]").is_err());
        assert!(serde_json::from_str::<Scopes>("[\"root\"]").is_err());
    }

    #[test]
    fn a_key_of_one_tenant_never_speaks_for_another() {
        let (acme, other): (TenantId, TenantId) =
            ("acme".parse().unwrap(), "other".parse().unwrap());
        let one = Reach::Tenant(acme.clone());
        assert_eq!(one.tenant(None), Some(acme.clone()));
        assert_eq!(one.tenant(Some(&acme)), Some(acme.clone()));
        assert_eq!(one.tenant(Some(&other)), None);
        assert_eq!(one.tenant(Some(&TenantId::default())), None);
        assert_eq!(Reach::All.tenant(Some(&other)), Some(other));
        assert_eq!(Reach::All.tenant(None), Some(TenantId::default()));
    }
}
