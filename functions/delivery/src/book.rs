//! Endpoints and their health as this process knows them: read at most once in
//! [`CACHE_LIFETIME`] each, and written over the version that was read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hookpost_domain::breaker::{CACHE_LIFETIME, Health};
use hookpost_domain::endpoint::Endpoint;
use hookpost_domain::lane::{Lane, Pace};
use hookpost_domain::ports::{Endpoints, Error, Holding, Write};
use hookpost_domain::{EndpointId, TenantId, Timestamp};

/// Endpoints that a process remembers; beyond that it starts anew.
const MAX_PAGES: usize = 5_000;
/// How often a health is decided anew when others write it at the same time.
const TRIES: u32 = 8;

type PageKey = (TenantId, EndpointId);

/// What this process knows.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pages: Mutex<HashMap<PageKey, Arc<Page>>>,
}

/// One endpoint. The lock is held while its health is decided and written, so that this process
/// does not race against itself.
#[derive(Debug, Default)]
pub(crate) struct Page {
    entry: tokio::sync::Mutex<Option<Entry>>,
    pace: Mutex<Pace>,
}

#[derive(Debug, Clone)]
struct Entry {
    read_at: Timestamp,
    endpoint: Option<Arc<Endpoint>>,
    health: Health,
}

/// What came of wanting to change a health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Changed {
    /// The health as it is now known.
    pub(crate) health: Health,
    /// Whether the change was made, or there was none to make.
    pub(crate) stands: bool,
    /// Whether the change opened the breaker.
    pub(crate) opened: bool,
}

impl Entry {
    async fn read(
        store: &impl Endpoints,
        tenant: &TenantId,
        id: &EndpointId,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let (endpoint, health) = store.endpoint(tenant, id).await?.unzip();
        Ok(Self {
            read_at: now,
            endpoint: endpoint.map(Arc::new),
            health: health.unwrap_or_default(),
        })
    }
}

impl Book {
    /// The page of an endpoint.
    pub(crate) fn page(&self, tenant: &TenantId, id: &EndpointId) -> Arc<Page> {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if pages.len() >= MAX_PAGES {
            pages.clear();
        }
        Arc::clone(pages.entry((tenant.clone(), id.clone())).or_default())
    }
}

impl Page {
    /// The endpoint and its health, not older than the cache's lifetime.
    pub(crate) async fn read(
        &self,
        store: &impl Endpoints,
        tenant: &TenantId,
        id: &EndpointId,
        now: Timestamp,
    ) -> Result<(Option<Arc<Endpoint>>, Health), Error> {
        let mut entry = self.entry.lock().await;
        let fresh = |known: &&Entry| now.since(known.read_at) < CACHE_LIFETIME;
        if let Some(known) = entry.as_ref().filter(fresh) {
            return Ok((known.endpoint.clone(), known.health.clone()));
        }
        let known = entry.insert(Entry::read(store, tenant, id, now).await?);
        Ok((known.endpoint.clone(), known.health.clone()))
    }

    /// Notes how quick the endpoint is, as `note` does from the lane that it is known to be in.
    pub(crate) async fn note(
        &self,
        note: impl FnOnce(&mut Pace, Lane) -> Option<Lane> + Send,
    ) -> Option<Lane> {
        let entry = self.entry.lock().await;
        let known = entry.as_ref().map(|known| known.health.lane());
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        note(&mut pace, known.unwrap_or_default())
    }

    /// How long requests to the endpoint usually take.
    pub(crate) fn usual(&self) -> Duration {
        let pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.usual()
    }

    /// Forgets what is known, so that the next read is fresh.
    pub(crate) async fn forget(&self) {
        *self.entry.lock().await = None;
    }

    /// Changes the health as `decide` says, over the version it decided from; asks again if
    /// another was faster. Before a breaker opens, its endpoint is noted for the sweeper, so that
    /// nothing is ever held that nobody looks after. That there is nothing to change is believed
    /// only of a health that is not older than the cache's lifetime.
    pub(crate) async fn change<S: Endpoints + Holding>(
        &self,
        store: &S,
        tenant: &TenantId,
        id: &EndpointId,
        now: Timestamp,
        decide: impl Fn(&Health) -> Option<Health>,
    ) -> Result<Changed, Error> {
        let mut entry = self.entry.lock().await;
        let fresh = |known: &&Entry| now.since(known.read_at) < CACHE_LIFETIME;
        if !entry.as_ref().is_some_and(|known| fresh(&known)) {
            *entry = Some(Entry::read(store, tenant, id, now).await?);
        }
        let mut health = entry
            .as_ref()
            .map(|known| known.health.clone())
            .unwrap_or_default();
        for _ in 0..TRIES {
            let Some(next) = decide(&health) else {
                return Ok(Changed {
                    health,
                    stands: true,
                    opened: false,
                });
            };
            let opens = next.is_open() && !health.is_open();
            if opens {
                store.note_holding(tenant, id, now).await?;
            }
            let written = store
                .store_health(tenant, id, &next, health.version)
                .await?;
            let stands = written == Write::Won;
            health = match written {
                Write::Won => next,
                Write::Lost(Some(other)) => other,
                // It has been deleted with its endpoint: there is no health to keep any more.
                Write::Lost(None) => {
                    return Ok(Changed {
                        health,
                        stands: false,
                        opened: false,
                    });
                }
            };
            if let Some(known) = entry.as_mut() {
                known.health = health.clone();
            }
            if stands {
                return Ok(Changed {
                    health,
                    stands,
                    opened: opens,
                });
            }
        }
        Ok(Changed {
            health,
            stands: false,
            opened: false,
        })
    }
}
