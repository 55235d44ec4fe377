//! When failed deliveries are tried again, as their tenant says of their event types. Nobody asks
//! before something has failed, and then the tenant's rules are read at most once in
//! [`FRESH_FOR`].

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookpost_domain::catalogue::Retries;
use hookpost_domain::endpoint::Endpoint;
use hookpost_domain::matching::EventType;
use hookpost_domain::ports::{Error, Rulebook};
use hookpost_domain::retry::RetryPolicy;
use hookpost_domain::{TenantId, Timestamp};

/// How long rules are not asked about again.
const FRESH_FOR: Duration = Duration::from_secs(10);
/// Tenants that a process remembers; beyond that it starts anew.
const MAX_TENANTS: usize = 1_000;

/// What this process knows.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    known: Mutex<HashMap<TenantId, (Timestamp, Retries)>>,
}

impl Policies {
    /// Sees to it that what is known is not too old, for an endpoint that leaves it to the type.
    ///
    /// # Errors
    /// The rules could not be read: what was known, if anything was, still is.
    pub(crate) async fn ask(
        &self,
        store: &impl Rulebook,
        endpoint: &Endpoint,
        now: Timestamp,
    ) -> Result<(), Error> {
        let is_fresh = |(read_at, _): &(Timestamp, _)| now.since(*read_at) < FRESH_FOR;
        if endpoint.retry.is_some() || self.lock().get(&endpoint.tenant).is_some_and(is_fresh) {
            return Ok(());
        }
        let retries = store.retries(&endpoint.tenant).await?;
        let mut tenants = self.lock();
        if tenants.len() >= MAX_TENANTS {
            tenants.clear();
        }
        tenants.insert(endpoint.tenant.clone(), (now, retries));
        Ok(())
    }

    /// The policy for an event of this type, as far as is known: the endpoint's own, its type's, or
    /// the deployment's.
    pub(crate) fn policy(
        &self,
        endpoint: &Endpoint,
        event_type: &EventType,
        deployment: &RetryPolicy,
    ) -> RetryPolicy {
        if let Some(own) = &endpoint.retry {
            return own.clone();
        }
        let tenants = self.lock();
        let known = tenants.get(&endpoint.tenant);
        let of_type = known.and_then(|(_, retries)| retries.of(event_type));
        of_type.unwrap_or(deployment).clone()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, (Timestamp, Retries)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
