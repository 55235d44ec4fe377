//! Which endpoints a tenant has, and what holds for its event types, as this process knows it: at
//! most a second old.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hookpost_domain::catalogue::{Retries, Rules};
use hookpost_domain::endpoint::Endpoint;
use hookpost_domain::ports::{EndpointList, Error, Rulebook, Versions};
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

/// What is known of a tenant.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    versions: Versions,
    asked_at: Timestamp,
    /// Its endpoints.
    pub(crate) endpoints: Arc<Vec<Endpoint>>,
    /// What holds for its event types.
    pub(crate) rules: Arc<Rules>,
    /// What of it says when failed deliveries are tried again.
    pub(crate) retries: Arc<Retries>,
}

impl Directory {
    /// The tenant's endpoints and rules. Once a second one small read asks whether they have
    /// changed; only then are they read again.
    pub(crate) async fn tenant(
        &self,
        store: &(impl EndpointList + Rulebook),
        tenant: &TenantId,
        now: Timestamp,
    ) -> Result<Known, Error> {
        let entry = self.entry(tenant);
        let mut known = entry.known.lock().await;
        let fresh = |known: &&Known| now.since(known.asked_at) < FRESH_FOR;
        if let Some(known) = known.as_ref().filter(fresh) {
            return Ok(known.clone());
        }
        // The versions before what they are of: a change in between is noticed next time.
        let versions = store.versions(tenant).await?;
        let before = known.take();
        let endpoints = match &before {
            Some(known) if known.versions.endpoints == versions.endpoints => {
                Arc::clone(&known.endpoints)
            }
            Some(_) | None => Arc::new(store.endpoints(tenant).await?),
        };
        let (rules, retries) = match &before {
            Some(known) if known.versions.rules == versions.rules => {
                (Arc::clone(&known.rules), Arc::clone(&known.retries))
            }
            // Whoever has never told of anything has none to read.
            Some(_) | None if versions.rules == 0 => Default::default(),
            Some(_) | None => {
                let rules = store.rules(tenant).await?;
                let retries = rules.retries();
                (Arc::new(rules), Arc::new(retries))
            }
        };
        Ok(known
            .insert(Known {
                versions,
                asked_at: now,
                endpoints,
                rules,
                retries,
            })
            .clone())
    }

    fn entry(&self, tenant: &TenantId) -> Arc<Tenant> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if tenants.len() >= MAX_TENANTS {
            tenants.clear();
        }
        Arc::clone(tenants.entry(tenant.clone()).or_default())
    }
}
