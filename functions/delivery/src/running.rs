//! How many requests to an endpoint are under way at once, as this process takes part in it: places
//! are taken for all that a batch has for one endpoint in one write, and given back when half of them
//! are no longer used.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hookpost_domain::ports::{Concurrency, Error, World, Write};
use hookpost_domain::running::Running;

use crate::worker::TRIES;

/// Limits that a process remembers; beyond that it starts anew, and what it had is free again when
/// its leases end.
const MAX_LIMITS: usize = 5_000;

/// The limits that this process takes part in.
#[derive(Debug, Default)]
pub(crate) struct Places {
    known: Mutex<HashMap<String, Arc<Limit>>>,
}

#[derive(Debug)]
struct Limit {
    name: String,
    /// Under which its places are noted.
    by: u64,
    /// Requests of this process that are under way.
    used: AtomicU32,
    /// As it was last seen; `None` before it was read.
    running: tokio::sync::Mutex<Option<Running>>,
}

/// A place that a request is made in. However it ends, the process does not count it any more.
#[derive(Debug)]
pub(crate) struct Place(Arc<Limit>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.used.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Places {
    fn of(&self, name: String, world: &impl World) -> Arc<Limit> {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_LIMITS {
            all.clear();
        }
        let new = |name: &String| Limit {
            name: name.clone(),
            by: world.token(),
            used: AtomicU32::new(0),
            running: tokio::sync::Mutex::default(),
        };
        Arc::clone(
            all.entry(name)
                .or_insert_with_key(|name| Arc::new(new(name))),
        )
    }

    /// A place for a request that may take `timeout`, if there is one of `most`. `wanted` is how many
    /// requests are about to ask.
    pub(crate) async fn take(
        &self,
        store: &impl Concurrency,
        world: &impl World,
        name: String,
        most: u32,
        wanted: u32,
        timeout: Duration,
    ) -> Result<Option<Place>, Error> {
        let limit = self.of(name, world);
        let mut known = limit.running.lock().await;
        for _ in 0..TRIES {
            let (running, is_fresh) = match known.take() {
                Some(running) => (running, false),
                None => (store.running(&limit.name).await?, true),
            };
            let (now, used) = (world.now(), limit.used.load(Ordering::Relaxed));
            if running.places_of(limit.by, timeout, now) > used {
                *known = Some(running);
                limit.used.fetch_add(1, Ordering::Relaxed);
                return Ok(Some(Place(Arc::clone(&limit))));
            }
            let Some(next) = running.take(most, limit.by, used, used + wanted, timeout, now) else {
                // It is full as far as is known: whoever asks next looks again.
                if is_fresh {
                    return Ok(None);
                }
                continue;
            };
            *known = match store
                .store_running(&limit.name, &next, running.version)
                .await?
            {
                Write::Won => Some(next),
                Write::Lost(other) => Some(other.unwrap_or_default()),
            };
        }
        Ok(None)
    }

    /// Gives a place back.
    pub(crate) async fn give_back(
        &self,
        store: &impl Concurrency,
        world: &impl World,
        place: Place,
    ) -> Result<(), Error> {
        let limit = Arc::clone(&place.0);
        drop(place);
        let mut known = limit.running.lock().await;
        for _ in 0..TRIES {
            // Others of the batch may have ended meanwhile: theirs go with it.
            let used = limit.used.load(Ordering::Relaxed);
            let now = world.now();
            let running = match known.take() {
                Some(running) => running,
                None => store.running(&limit.name).await?,
            };
            let held = running.places_of(limit.by, Duration::ZERO, now);
            let next = running.give_back(limit.by, used, now);
            let Some(next) = next.filter(|_| used == 0 || used <= held / 2) else {
                *known = Some(running);
                break;
            };
            match store
                .store_running(&limit.name, &next, running.version)
                .await?
            {
                Write::Won => {
                    *known = Some(next);
                    break;
                }
                Write::Lost(other) => *known = Some(other.unwrap_or_default()),
            }
        }
        Ok(())
    }
}
