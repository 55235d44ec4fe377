//! Strict mode: whether a tenant takes an event at all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hookpost_adapters::api::Problem;
use hookpost_domain::TenantId;
use hookpost_domain::catalogue::{Rules, TypeRule};
use hookpost_domain::event::{CheckedDraft, Payload};
use hookpost_domain::matching::EventType;
use hookpost_domain::ports::{Error, EventTypes};
use hookpost_domain::schema::Schema;

/// Bytes of what is told of types that a process remembers; beyond that it starts anew.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The schemas of event types as this process knows them: each is read once, and again when the
/// rules say that its type has changed.
#[derive(Debug, Default)]
pub(crate) struct Schemas {
    known: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    bytes: usize,
    schemas: HashMap<(TenantId, EventType), (u64, Arc<Schema>)>,
}

impl Schemas {
    /// What is wrong with an event by its tenant's rules, if anything is.
    pub(crate) async fn refusal(
        &self,
        store: &impl EventTypes,
        tenant: &TenantId,
        rules: &Rules,
        draft: &CheckedDraft,
        payload: &Payload<'_>,
    ) -> Result<Option<Problem>, Error> {
        if !rules.strict {
            return Ok(None);
        }
        let Some(rule) = rules.types.get(&draft.event_type) else {
            return Ok(Some(Problem::invalid(&Rules::unknown_type())));
        };
        if !rule.schema {
            return Ok(None);
        }
        let Some(schema) = self.schema(store, tenant, &draft.event_type, rule).await? else {
            return Ok(None);
        };
        Ok(Problem::invalid_all(&schema.faults(payload.document())))
    }

    /// A type's schema; `None` if it has been taken away meanwhile.
    async fn schema(
        &self,
        store: &impl EventTypes,
        tenant: &TenantId,
        name: &EventType,
        rule: &TypeRule,
    ) -> Result<Option<Arc<Schema>>, Error> {
        let key = (tenant.clone(), name.clone());
        let of_version = |(version, _): &&(u64, Arc<Schema>)| *version == rule.version;
        if let Some((_, schema)) = self.lock().schemas.get(&key).filter(of_version) {
            return Ok(Some(Arc::clone(schema)));
        }
        let entry = store.event_type(tenant, name).await?;
        let Some(schema) = entry.and_then(|entry| entry.schema).map(Arc::new) else {
            return Ok(None);
        };
        let mut shelf = self.lock();
        shelf.bytes += rule.bytes;
        if shelf.bytes > MAX_BYTES {
            *shelf = Shelf {
                bytes: rule.bytes,
                ..Shelf::default()
            };
        }
        shelf
            .schemas
            .insert(key, (rule.version, Arc::clone(&schema)));
        Ok(Some(schema))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shelf> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
