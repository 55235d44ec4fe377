//! What is due by time: parked deliveries, and those of which nothing has been heard.

use std::time::Duration;

use hookpost_domain::carrier::Exhausted;
use hookpost_domain::delivery::{Delivery, Status};
use hookpost_domain::ids::DELIVERY_SHARDS;
use hookpost_domain::ports::{Deliveries, Endpoints, Error, ExhaustedQueue, World, Write};
use hookpost_domain::{DeliveryId, Timestamp};

use crate::{Sweeper, Swept};

/// Parked deliveries that are due this soon are sent now, with a delay, so that they go out when
/// they are due and not up to a minute later.
const AHEAD: Duration = Duration::from_secs(60);
/// Records read at once.
const PAGE: usize = 100;

impl<W: World> Sweeper<W> {
    pub(crate) async fn sweep_due(
        &self,
        swept: &mut Swept,
        stop_at: Timestamp,
    ) -> Result<(), Error> {
        for shard in 0..DELIVERY_SHARDS {
            loop {
                if self.is_over(stop_at) {
                    return Ok(());
                }
                let until = self.world.now().after(AHEAD);
                let limit = i32::try_from(PAGE).unwrap_or(i32::MAX);
                let waiting = self.store.due(shard, until, limit).await?;
                let ids: Vec<DeliveryId> = waiting.into_iter().map(|waiting| waiting.id).collect();
                let moved = self.sweep_page(&ids, swept).await?;
                // What is left is not due yet, or the index has not caught up: the next sweep.
                if ids.len() < PAGE || moved == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn sweep_page(&self, ids: &[DeliveryId], swept: &mut Swept) -> Result<u64, Error> {
        let now = self.world.now();
        let (mut parked, mut silent, mut unburied) = (Vec::new(), Vec::new(), Vec::new());
        for delivery in self.store.deliveries(ids).await? {
            let overdue = delivery.check_at.is_some_and(|check_at| check_at <= now);
            match delivery.status {
                Status::Parked { due } if due <= now.after(AHEAD) => {
                    let released = delivery.released(due.max(now));
                    parked.push((delivery, released));
                }
                Status::InQueue { .. } if overdue => {
                    let resent = delivery.resent(now);
                    silent.push((delivery, resent));
                }
                Status::Dead { .. } if overdue => unburied.push(delivery),
                Status::Parked { .. }
                | Status::InQueue { .. }
                | Status::Dead { .. }
                | Status::Held { .. }
                | Status::Delivered { .. }
                | Status::Cancelled { .. } => {}
            }
        }
        let next_attempt = |delivery: &Delivery| match delivery.status {
            Status::InQueue { next_attempt } => next_attempt,
            Status::Parked { .. }
            | Status::Dead { .. }
            | Status::Held { .. }
            | Status::Delivered { .. }
            | Status::Cancelled { .. } => now,
        };
        let released = self.put_back(parked, next_attempt).await?;
        let resent = self.put_back(silent, |_| now).await?;
        let mut reburied = 0;
        for delivery in unburied {
            reburied += u64::from(self.rebury(&delivery, now).await?);
        }
        swept.released += released;
        swept.resent += resent;
        swept.reburied += reburied;
        Ok(released + resent + reburied)
    }

    async fn rebury(&self, delivery: &Delivery, now: Timestamp) -> Result<bool, Error> {
        if let Write::Lost(_) = self
            .store
            .store_delivery(&delivery.resent(now), delivery.version)
            .await?
        {
            return Ok(false);
        }
        let endpoint = self
            .store
            .endpoint(&delivery.tenant, &delivery.id.endpoint)
            .await?;
        let url = endpoint
            .map(|(endpoint, _)| endpoint.url.as_url().to_string())
            .unwrap_or_default();
        let body = |now| {
            let last_word =
                Exhausted::of(delivery, url.clone(), None, self.config.dlq_retention, now);
            serde_json::to_string(&last_word).unwrap_or_default()
        };
        self.queues.bury(body).await?;
        Ok(true)
    }
}
