//! Rate limits as this process spends them: leases from meters that all instances share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hookpost_domain::Timestamp;
use hookpost_domain::ports::{Error, Meters, Write};
use hookpost_domain::quota::{self, Lease, Meter, Slot};

/// Limits that a process remembers; beyond that it starts anew, and leases lapse.
const MAX_LIMITS: usize = 5_000;
/// How often a lease is asked for when others take one at the same time.
const TRIES: u32 = 16;

/// The leases of this process.
#[derive(Debug, Default)]
pub struct Limits {
    known: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Known>>>>,
}

#[derive(Debug, Default)]
struct Known {
    /// As it was last seen; `None` before it was first read.
    meter: Option<Meter>,
    lease: Lease,
    /// How many slots the last lease had.
    size: u32,
}

impl Limits {
    fn of(&self, name: &str) -> Arc<tokio::sync::Mutex<Known>> {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_LIMITS {
            all.clear();
        }
        Arc::clone(all.entry(name.to_owned()).or_default())
    }

    /// Whether a call may be answered under the limit `name` of `per_second`: `None` if so. If
    /// not, when another may be; whoever is refused takes nothing from the limit, however often
    /// they ask.
    ///
    /// # Errors
    /// The meter could not be read or written.
    pub async fn admit(
        &self,
        store: &impl Meters,
        name: &str,
        per_second: u32,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Error> {
        let known = self.of(name);
        let mut known = known.lock().await;
        for _ in 0..TRIES {
            match known.lease.claim(now) {
                Slot::Now => return Ok(None),
                Slot::At(at) => return Ok(Some(at)),
                Slot::Empty => {}
            }
            let meter = match known.meter {
                Some(meter) => meter,
                None => store.meter(name).await?,
            };
            // Others only move a meter on: what was too early for the one seen is for the real one.
            if let Some(at) = meter.full_until(now) {
                known.meter = Some(meter);
                return Ok(Some(at));
            }
            let size = quota::next_size(known.size, known.lease.has_lapsed(), 1, per_second);
            let (next, lease) = meter.take_after(quota::CALL_BURST, per_second, size, now);
            match store.store_meter(name, &next, meter.version).await? {
                Write::Won => {
                    *known = Known {
                        meter: Some(next),
                        lease,
                        size,
                    }
                }
                Write::Lost(other) => known.meter = Some(other.unwrap_or_default()),
            }
        }
        // So many at once that no lease is to be had: more than the limit lets in.
        Ok(Some(now.after(quota::SLOT_LIFETIME)))
    }

    /// When a request may go under the limit `name` of `per_second`: `None` means now. `wanted` is
    /// how many requests are about to ask.
    ///
    /// # Errors
    /// The meter could not be read or written.
    pub async fn slot(
        &self,
        store: &impl Meters,
        name: &str,
        per_second: u32,
        wanted: u32,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Error> {
        let known = self.of(name);
        let mut known = known.lock().await;
        for _ in 0..TRIES {
            match known.lease.spend(now) {
                Slot::Now => return Ok(None),
                Slot::At(at) => return Ok(Some(at)),
                Slot::Empty => {}
            }
            let meter = match known.meter {
                Some(meter) => meter,
                None => store.meter(name).await?,
            };
            let lapsed = known.lease.has_lapsed();
            let size = quota::next_size(known.size, lapsed, wanted, per_second);
            let (next, lease) = meter.take(per_second, size, now);
            match store.store_meter(name, &next, meter.version).await? {
                Write::Won => {
                    *known = Known {
                        meter: Some(next),
                        lease,
                        size,
                    }
                }
                Write::Lost(other) => known.meter = Some(other.unwrap_or_default()),
            }
        }
        Err(Error {
            call: "taking a rate limit's lease",
            source: "too many instances want one".into(),
        })
    }
}
