//! Which endpoints a tenant has, as this process knows it: at most a second old.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hookpost_domain::endpoint::Endpoint;
use hookpost_domain::ports::{EndpointList, Error};
use hookpost_domain::{TenantId, Timestamp};

/// How long what is known is not asked about.
const FRESH_FOR: Duration = Duration::from_secs(1);
/// Tenants that a process remembers; beyond that it starts anew.
const MAX_TENANTS: usize = 1_000;

/// What this process knows.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    tenants: Mutex<HashMap<TenantId, Arc<Tenant>>>,
}

/// One tenant. The lock is held while it is asked about, so that many at once ask once.
#[derive(Debug, Default)]
struct Tenant {
    known: tokio::sync::Mutex<Option<Known>>,
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
        store: &impl EndpointList,
        tenant: &TenantId,
        now: Timestamp,
    ) -> Result<Arc<Vec<Endpoint>>, Error> {
        let entry = self.entry(tenant);
        let mut known = entry.known.lock().await;
        let fresh = |known: &&Known| now.since(known.asked_at) < FRESH_FOR;
        if let Some(known) = known.as_ref().filter(fresh) {
            return Ok(Arc::clone(&known.endpoints));
        }
        // The version before the endpoints: a change in between is noticed next time.
        let version = store.endpoints_version(tenant).await?;
        let unchanged = known.take().filter(|known| known.version == version);
        let endpoints = match unchanged {
            Some(unchanged) => unchanged.endpoints,
            None => Arc::new(store.endpoints(tenant).await?),
        };
        *known = Some(Known {
            version,
            asked_at: now,
            endpoints: Arc::clone(&endpoints),
        });
        Ok(endpoints)
    }

    fn entry(&self, tenant: &TenantId) -> Arc<Tenant> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if tenants.len() >= MAX_TENANTS {
            tenants.clear();
        }
        Arc::clone(tenants.entry(tenant.clone()).or_default())
    }
}
