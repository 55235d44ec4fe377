//! The event types that a tenant has told of, and what holds for events of each: whether they are
//! taken at all, what their payloads look like, when their failed deliveries are tried again.
//!
//! What is told of a type (description, schema, example) is an entry of its own. What has to be
//! known wherever events go is in the tenant's [`Rules`], one small record, and every change of the
//! catalogue is a change of it: so no two changes at once can undo each other.

mod draft;
mod retries;
mod rules;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Timestamp;
use crate::matching::EventType;
use crate::retry::RetryPolicy;
use crate::schema::Schema;

pub use draft::{EventTypeDraft, Import, ImportDraft, RetryPolicyDraft, SettingsDraft};
pub use retries::Retries;
pub use rules::{MAX_POLICIES, MAX_TYPES, PolicyRule, Rules, TypeRule};

/// An event type, as its tenant tells of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TypeEntry {
    /// Its name.
    pub name: EventType,
    /// When it happens, and what it means.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it is shown with.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// What its payloads look like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Schema>,
    /// A payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<Example>,
    /// When its failed deliveries are tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// Whether nobody should begin to use it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deprecated: bool,
    /// When it was first told of.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl TypeEntry {
    /// What it adds to what a catalogue may hold.
    fn bytes(&self) -> usize {
        let schema = self
            .schema
            .as_ref()
            .map_or(0, |schema| schema.source().get().len());
        let example = self
            .example
            .as_ref()
            .map_or(0, |example| example.0.get().len());
        self.name.as_str().len() + self.description.len() + self.group.len() + schema + example
    }
}

/// A payload as it was written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Example(Box<RawValue>);

impl Example {
    /// The JSON.
    pub fn json(&self) -> &RawValue {
        &self.0
    }
}

impl PartialEq for Example {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

#[cfg(test)]
mod tests;
