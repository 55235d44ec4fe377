//! Accepted events whose deliveries have neither a record nor, it must be feared, a message.

use std::time::Duration;

use hookpost_adapters::table::hour_of;
use hookpost_domain::delivery::Delivery;
use hookpost_domain::event::Event;
use hookpost_domain::ports::{Error, World};
use hookpost_domain::{DeliveryId, Timestamp};

use crate::{Sweeper, Swept};

const CURSOR: &str = "lost-deliveries";
/// Younger events may still be on their way. A message this old has its record read before it is
/// carried out, so that looking for it does no harm.
const GIVE_IT: Duration = Duration::from_secs(15 * 60);
/// While the delivery queue is not empty, what has no record most likely waits in it, and sending
/// it again would only lengthen the queue.
const GIVE_A_BUSY_QUEUE: Duration = Duration::from_secs(6 * 3600);
/// Where the first sweep of a deployment begins.
const FIRST_LOOK: Duration = Duration::from_secs(24 * 3600);
/// Events are gone through in stretches of this length.
const STRETCH: Duration = Duration::from_secs(60);

impl<W: World> Sweeper<W> {
    pub(crate) async fn sweep_lost(
        &self,
        swept: &mut Swept,
        stop_at: Timestamp,
    ) -> Result<(), Error> {
        let now = self.world.now();
        let before = |span: Duration| {
            let ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
            Timestamp::from_millis(now.as_millis().saturating_sub(ms))
        };
        let begun = self
            .store
            .cursor(CURSOR)
            .await?
            .unwrap_or_else(|| before(FIRST_LOOK));
        if begun >= before(GIVE_IT) {
            return Ok(());
        }
        let until = if self.queues.is_delivery_queue_empty().await? {
            before(GIVE_IT)
        } else {
            before(GIVE_A_BUSY_QUEUE)
        };
        let mut from = begun;
        let mut hour = None;
        while from < until && !self.is_over(stop_at) {
            let name = hour_of(from);
            // One read tells which tenants and shards have events in this hour.
            let buckets = match hour.take() {
                Some((known, buckets)) if known == name => buckets,
                Some(_) | None => self.store.buckets_of_hour(&name).await?,
            };
            let to = if buckets.is_empty() {
                next_hour(from)
            } else {
                stretch_end(from)
            }
            .min(until);
            for bucket in &buckets {
                for event in self.store.events_between(bucket, from, to).await? {
                    swept.found += self.find(&event, now).await?;
                }
            }
            hour = Some((name, buckets));
            from = to;
        }
        if from > begun {
            self.store.set_cursor(CURSOR, from).await?;
        }
        Ok(())
    }

    /// Sends the deliveries of an event that have no record.
    async fn find(&self, event: &Event, now: Timestamp) -> Result<u64, Error> {
        let mut found = 0;
        for endpoints in event.endpoints.chunks(100) {
            let ids: Vec<DeliveryId> = endpoints
                .iter()
                .map(|endpoint| DeliveryId {
                    event: event.id,
                    endpoint: endpoint.clone(),
                })
                .collect();
            let known = self.store.deliveries(&ids).await?;
            let missing = ids
                .into_iter()
                .filter(|id| known.iter().all(|delivery| delivery.id != *id));
            let changes: Vec<_> = missing
                .map(|id| {
                    tracing::warn!(delivery.id = %id, tenant = %event.tenant, "a delivery had got lost");
                    let fresh = Delivery::new(id, event.tenant.clone(), event.event_type.clone());
                    let written = fresh.kept_back(now, None);
                    (fresh, written)
                })
                .collect();
            found += self.put_back(changes, |_| now).await?;
        }
        Ok(found)
    }
}

/// The end of the stretch that begins at `from`, within its hour.
fn stretch_end(from: Timestamp) -> Timestamp {
    from.after(STRETCH).min(next_hour(from))
}

fn next_hour(from: Timestamp) -> Timestamp {
    const HOUR_MS: u64 = 3_600_000;
    Timestamp::from_millis((from.as_millis() / HOUR_MS + 1) * HOUR_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_ends_within_its_hour() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(
            stretch_end(at("2026-11-21T12:00:30Z")),
            at("2026-11-21T12:01:30Z")
        );
        assert_eq!(
            stretch_end(at("2026-11-21T12:59:30Z")),
            at("2026-11-21T13:00:00Z")
        );
        assert_eq!(
            next_hour(at("2026-11-21T12:00:00Z")),
            at("2026-11-21T13:00:00Z")
        );
    }
}
