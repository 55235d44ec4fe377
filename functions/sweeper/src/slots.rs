//! Slots of rate limits for deliveries that missed theirs: taken for all of an endpoint's in one
//! write, so that what is late goes out at the full rate and does not queue up again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hookpost_domain::ports::{Error, World, Write};
use hookpost_domain::quota::{Lease, Meter, SLOT_LIFETIME, Slot};
use hookpost_domain::{EndpointId, TenantId, Timestamp};

use crate::{Queues, Sweeper, Tables};

/// How often slots are asked for when others take some at the same time.
const TRIES: u32 = 8;
/// The deployment's own limit.
const DEPLOYMENT: &str = "deployment";

/// What one sweep knows of the limits.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    known: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Known>>>>,
}

/// An endpoint's own limit.
#[derive(Debug, Default, Clone, Copy)]
enum Limit {
    /// It has not been read yet.
    #[default]
    Unread,
    /// It has none.
    None,
    /// So many requests a second.
    PerSecond(u32),
}

#[derive(Debug, Default)]
struct Known {
    limit: Limit,
    /// As it was last seen; `None` before it was read.
    meter: Option<Meter>,
}

impl Slots {
    fn of(&self, name: &str) -> Arc<tokio::sync::Mutex<Known>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(name.to_owned()).or_default())
    }
}

impl<S: Tables, Q: Queues, W: World> Sweeper<S, Q, W> {
    /// When `wanted` deliveries to an endpoint may go, by its limit or else by the deployment's.
    /// None at all if there is no limit.
    pub(crate) async fn slots(
        &self,
        slots: &Slots,
        tenant: &TenantId,
        endpoint: &EndpointId,
        wanted: u32,
    ) -> Result<Vec<Timestamp>, Error> {
        let name = format!("{tenant}#{endpoint}");
        let known = slots.of(&name);
        // Held over the writes: the shards do not race each other.
        let mut known = known.lock().await;
        if let Limit::Unread = known.limit {
            let found = self.store.endpoint(tenant, endpoint).await?;
            known.limit = found
                .and_then(|(endpoint, _)| endpoint.rate_limit_per_second)
                .map_or(Limit::None, Limit::PerSecond);
        }
        if let Limit::PerSecond(per_second) = known.limit {
            return self.take(&mut known, &name, per_second, wanted).await;
        }
        drop(known);
        let Some(per_second) = self.config.deliveries_per_second else {
            return Ok(Vec::new());
        };
        let known = slots.of(DEPLOYMENT);
        let mut known = known.lock().await;
        self.take(&mut known, DEPLOYMENT, per_second, wanted).await
    }

    async fn take(
        &self,
        known: &mut Known,
        name: &str,
        per_second: u32,
        wanted: u32,
    ) -> Result<Vec<Timestamp>, Error> {
        for _ in 0..TRIES {
            let meter = match known.meter {
                Some(meter) => meter,
                None => *known.meter.insert(self.store.meter(name).await?),
            };
            let now = self.world.now();
            let (next, lease) = meter.take(per_second, wanted, now);
            match self.store.store_meter(name, &next, meter.version).await? {
                Write::Won => {
                    known.meter = Some(next);
                    return Ok(spent(lease, wanted, now));
                }
                Write::Lost(other) => known.meter = Some(other.unwrap_or_default()),
            }
        }
        Err(Error {
            call: "taking slots of a rate limit",
            source: "too many instances want some".into(),
        })
    }
}

/// The times of a lease's slots.
fn spent(mut lease: Lease, wanted: u32, now: Timestamp) -> Vec<Timestamp> {
    let mut times = Vec::new();
    for _ in 0..wanted {
        match lease.spend(now) {
            Slot::Now => times.push(now),
            Slot::At(at) => times.push(at),
            Slot::Empty => break,
        }
    }
    times
}

/// Whether the time of a slot is over, as it stands before its delivery has even been sent.
pub(crate) fn has_lapsed(slot: Timestamp, now: Timestamp) -> bool {
    slot.after(SLOT_LIFETIME) < now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_crowd_goes_out_at_its_rate() {
        let now = Timestamp::from_millis(1_000_000);
        let (_, lease) = Meter::default().take(10, 300, now);
        let times = spent(lease, 300, now);
        assert_eq!(times.len(), 300);
        assert!(times.is_sorted());
        let last = times.last().unwrap().since(now).as_millis();
        assert!((29_000..=30_000).contains(&last), "{last}");
    }

    #[test]
    fn a_slot_lapses_a_second_after_its_time() {
        let now = Timestamp::from_millis(1_000_000);
        assert!(!has_lapsed(now, now));
        assert!(!has_lapsed(now, now.after(SLOT_LIFETIME)));
        assert!(has_lapsed(now, Timestamp::from_millis(1_001_001)));
    }
}
