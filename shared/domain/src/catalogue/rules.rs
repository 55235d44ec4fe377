//! What holds for a tenant's events, type by type.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Retries, TypeEntry};
use crate::matching::{EventPattern, EventType};
use crate::retry::RetryPolicy;
use crate::{Invalid, Timestamp};

/// Most event types in a catalogue.
pub const MAX_TYPES: usize = 500;
/// Most retry policies that go by pattern.
pub const MAX_POLICIES: usize = 50;
/// Most bytes of everything that a catalogue tells: one answer, and one page, shows it all.
const MAX_CATALOGUE_BYTES: usize = 1024 * 1024;
/// Most bytes of the rules themselves: they are in an item of 400 KB twice, the second time as
/// [`Retries`].
const MAX_RULES_BYTES: usize = 160 * 1024;

/// What has to be known of a tenant's event types wherever events go.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// Whether only events of known types that fit their schema are taken.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
    /// Whether anybody may read the catalogue.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub public: bool,
    /// The types that are known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub types: BTreeMap<EventType, TypeRule>,
    /// Retry policies by their names, each for all types that fit a pattern.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub policies: BTreeMap<String, PolicyRule>,
    /// Counts the changes.
    pub version: u64,
}

/// What has to be known of a type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TypeRule {
    /// The rules' version by which it was last changed.
    pub version: u64,
    /// Whether it has a schema.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub schema: bool,
    /// When its failed deliveries are tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// What its entry adds to what a catalogue may hold.
    pub bytes: usize,
    /// When it was first told of.
    pub created_at: Timestamp,
}

/// A retry policy for all types that fit one of its patterns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyRule {
    /// The types that it is for.
    pub events: Vec<EventPattern>,
    /// When failed deliveries are tried again.
    pub retry: RetryPolicy,
}

impl Rules {
    /// What is wrong with an event of a type that is not known, where no others are taken.
    pub fn unknown_type() -> Invalid {
        let rule = "is not among the tenant's event types, and it takes no others";
        Invalid::new("event_type", rule)
    }

    /// When failed deliveries are tried again, unless their endpoint says otherwise: as the type
    /// says, or else as the policy does whose pattern fits it closest.
    pub fn retries(&self) -> Retries {
        let types = self.types.iter().filter_map(|(name, rule)| {
            let itself = vec![EventPattern::Exactly(name.clone())];
            rule.retry.clone().map(|retry| (itself, retry))
        });
        let policies = self.policies.values();
        let policies = policies.map(|policy| (policy.events.clone(), policy.retry.clone()));
        Retries(types.chain(policies).collect())
    }

    /// With these types as they are now told of, and the entries to store for them: when one was
    /// first told of does not change.
    ///
    /// # Errors
    /// There would be more than a catalogue may hold.
    pub fn with_types(
        &self,
        mut entries: Vec<TypeEntry>,
    ) -> Result<(Self, Vec<TypeEntry>), Invalid> {
        let mut next = self.next();
        for entry in &mut entries {
            if let Some(known) = self.types.get(&entry.name) {
                entry.created_at = known.created_at;
            }
            let rule = TypeRule {
                version: next.version,
                schema: entry.schema.is_some(),
                retry: entry.retry.clone(),
                bytes: entry.bytes(),
                created_at: entry.created_at,
            };
            next.types.insert(entry.name.clone(), rule);
        }
        Ok((next.bounded()?, entries))
    }

    /// Without a type.
    #[must_use]
    pub fn without_type(&self, name: &EventType) -> Self {
        let mut next = self.next();
        next.types.remove(name);
        next
    }

    /// With a retry policy under this name.
    ///
    /// # Errors
    /// Another has one of its patterns, or there would be more than there may be.
    pub fn with_policy(&self, name: String, policy: PolicyRule) -> Result<Self, Invalid> {
        for (other, theirs) in &self.policies {
            let shared = policy.events.iter().find(|one| theirs.events.contains(one));
            if let (Some(shared), true) = (shared, *other != name) {
                let rule = format!("has `{shared}`, which the policy `{other}` has already");
                return Err(Invalid::new("events", rule));
            }
        }
        let mut next = self.next();
        next.policies.insert(name, policy);
        next.bounded()
    }

    /// Without a retry policy.
    #[must_use]
    pub fn without_policy(&self, name: &str) -> Self {
        let mut next = self.next();
        next.policies.remove(name);
        next
    }

    /// One change on.
    #[must_use]
    pub fn next(&self) -> Self {
        Self {
            version: self.version + 1,
            ..self.clone()
        }
    }

    fn bounded(self) -> Result<Self, Invalid> {
        if self.types.len() > MAX_TYPES {
            return Err(Invalid::new("event_types", "are limited to 500 a tenant"));
        }
        if self.policies.len() > MAX_POLICIES {
            return Err(Invalid::new("retry_policies", "are limited to 50 a tenant"));
        }
        if self.types.values().map(|rule| rule.bytes).sum::<usize>() > MAX_CATALOGUE_BYTES {
            let rule = "are limited to 1 MiB of descriptions, schemas and examples a tenant";
            return Err(Invalid::new("event_types", rule));
        }
        if serde_json::to_string(&self).map_or(0, |text| text.len()) > MAX_RULES_BYTES {
            let rule = "are limited to 160 KiB of names and retry policies a tenant";
            return Err(Invalid::new("event_types", rule));
        }
        Ok(self)
    }
}
