//! Event types, and what holds for them.

use hookpost_domain::catalogue::{PolicyRule, Rules, TypeEntry};
use hookpost_domain::matching::{EventPattern, EventType};
use hookpost_domain::{TenantId, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use super::RetryView;

/// An event type.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "EventTypeEntry")]
pub struct EventTypeView {
    /// Its name.
    pub name: EventType,
    /// When it happens, and what it means.
    pub description: String,
    /// What it is shown with.
    pub group: String,
    /// A JSON Schema (2020-12) that its payloads have to fit in strict mode.
    #[schemars(with = "Option<serde_json::Value>")]
    pub schema: Option<Box<RawValue>>,
    /// A payload.
    #[schemars(with = "Option<serde_json::Value>")]
    pub example: Option<Box<RawValue>>,
    /// When its failed deliveries are tried again, if it says so itself.
    pub retry: Option<RetryView>,
    /// Whether nobody should begin to use it.
    pub deprecated: bool,
    /// When it was first told of.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What an import came to.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Import")]
pub struct ImportView {
    /// Event types that are new.
    pub created: usize,
    /// Event types that were known.
    pub changed: usize,
    /// Retry policies that were set.
    pub retry_policies: usize,
}

/// A retry policy for event types.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "RetryPolicy")]
pub struct RetryPolicyView {
    /// Its name.
    pub name: String,
    /// The types that it is for: types, `order.*`, `*`.
    pub events: Vec<EventPattern>,
    /// When failed deliveries are tried again.
    pub retry: RetryView,
}

/// What a tenant has set for all of its events.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Settings")]
pub struct SettingsView {
    /// Whose.
    pub tenant: TenantId,
    /// Whether only events of known types that fit their schema are taken.
    pub strict_event_types: bool,
    /// Whether anybody may read the catalogue, at `/catalogue/{tenant}`.
    pub public_catalogue: bool,
}

impl EventTypeView {
    /// A type as it is shown.
    pub fn of(entry: &TypeEntry) -> Self {
        let schema = entry.schema.as_ref();
        let example = entry.example.as_ref();
        Self {
            name: entry.name.clone(),
            description: entry.description.clone(),
            group: entry.group.clone(),
            schema: schema.map(|schema| schema.source().to_owned()),
            example: example.map(|example| example.json().to_owned()),
            retry: entry.retry.as_ref().map(RetryView::of),
            deprecated: entry.deprecated,
            created_at: entry.created_at,
            updated_at: entry.updated_at,
        }
    }
}

impl RetryPolicyView {
    /// A policy as it is shown.
    pub fn of(name: &str, policy: &PolicyRule) -> Self {
        Self {
            name: name.to_owned(),
            events: policy.events.clone(),
            retry: RetryView::of(&policy.retry),
        }
    }
}

impl SettingsView {
    /// Settings as they are shown.
    pub fn of(tenant: &TenantId, rules: &Rules) -> Self {
        Self {
            tenant: tenant.clone(),
            strict_event_types: rules.strict,
            public_catalogue: rules.public,
        }
    }
}
