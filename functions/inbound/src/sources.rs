//! Where webhooks come from, as this process knows it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hookpost_adapters::table::Store;
use hookpost_domain::Timestamp;
use hookpost_domain::inbound::{Source, SourceId};
use hookpost_domain::ports::Error;

/// How long a source is taken for what it was when it was read.
const FRESH_FOR: Duration = Duration::from_secs(5);
/// Sources that a process remembers; beyond that it starts anew.
const MAX_KNOWN: usize = 1_000;

/// The sources, over tables that can open their secrets.
#[derive(Debug)]
pub struct Sources {
    store: Store,
    known: Mutex<HashMap<SourceId, (Arc<Source>, Timestamp)>>,
}

impl Sources {
    /// None are known yet.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            known: Mutex::default(),
        }
    }

    /// A source by its id, as it is or was within [`FRESH_FOR`].
    pub(crate) async fn find(
        &self,
        id: &SourceId,
        now: Timestamp,
    ) -> Result<Option<Arc<Source>>, Error> {
        let fresh = |(_, at): &&(Arc<Source>, Timestamp)| now.since(*at) < FRESH_FOR;
        if let Some((source, _)) = self.lock().get(id).filter(fresh) {
            return Ok(Some(Arc::clone(source)));
        }
        let found = self.store.source_of_id(id).await?.map(Arc::new);
        let mut known = self.lock();
        match &found {
            Some(source) => {
                if known.len() >= MAX_KNOWN {
                    known.clear();
                }
                known.insert(id.clone(), (Arc::clone(source), now));
            }
            None => {
                known.remove(id);
            }
        }
        Ok(found)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SourceId, (Arc<Source>, Timestamp)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
