//! Which endpoints a tenant has, as this process knows it: at most a second old.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hookpost_adapters::table::Store;
use hookpost_domain::endpoint::Endpoint;
use hookpost_domain::ports::Error;
use hookpost_domain::{TenantId, Timestamp};

/// How long what is known is not asked about.
const FRESH_FOR: Duration = Duration::from_secs(1);
/// Tenants that a process remembers; beyond that it starts anew.
const MAX_TENANTS: usize = 1_000;

/// What this process knows.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    known: Mutex<HashMap<TenantId, Known>>,
}

#[derive(Debug, Clone)]
struct Known {
    version: u64,
    asked_at: Timestamp,
    endpoints: Arc<Vec<Endpoint>>,
}

impl Directory {
    /// The tenant's endpoints. Once a second one small read asks whether they have changed; only
    /// then are they read again.
    pub(crate) async fn endpoints(
        &self,
        store: &Store,
        tenant: &TenantId,
        now: Timestamp,
    ) -> Result<Arc<Vec<Endpoint>>, Error> {
        let known = self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(tenant)
            .cloned();
        if let Some(known) = &known
            && now.since(known.asked_at) < FRESH_FOR
        {
            return Ok(Arc::clone(&known.endpoints));
        }
        // The version before the endpoints: a change in between is noticed next time.
        let version = store.endpoints_version(tenant).await?;
        let endpoints = match known {
            Some(known) if known.version == version => known.endpoints,
            Some(_) | None => Arc::new(store.endpoints(tenant).await?),
        };
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_TENANTS {
            all.clear();
        }
        let entry = Known {
            version,
            asked_at: now,
            endpoints: Arc::clone(&endpoints),
        };
        all.insert(tenant.clone(), entry);
        Ok(endpoints)
    }
}
