//! `events`: one by its id with where its deliveries stand, lists, and calling one off.

mod list;

use futures::stream::{self, StreamExt, TryStreamExt};
use hookpost_adapters::api::Problem;
use hookpost_adapters::auth::Caller;
use hookpost_domain::delivery::{Delivery, Status};
use hookpost_domain::event::Event;
use hookpost_domain::ports::{Deliveries, Error, Events, Records, World, Write};
use hookpost_domain::{DeliveryId, EventId};

use crate::Management;
use crate::view::{CancelledView, EventView};

pub use list::EventQuery;

/// Records read in one call.
const MAX_READ: usize = 100;
/// Records written at once.
const WRITES_AT_ONCE: usize = 16;
/// How often a record is called off anew when it was changed meanwhile.
const TRIES: u32 = 10;

impl<W: World> Management<W> {
    /// An event with where each of its deliveries stands.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id.
    pub async fn get_event(&self, caller: &Caller, id: &str) -> Result<EventView, Problem> {
        let missing = || Problem::not_found("no event has this id");
        let id: EventId = id.parse().map_err(|_| missing())?;
        let event = self
            .store
            .event(&caller.tenant, id)
            .await?
            .ok_or_else(missing)?;
        let ids: Vec<DeliveryId> = event
            .endpoints
            .iter()
            .map(|endpoint| DeliveryId {
                event: id,
                endpoint: endpoint.clone(),
            })
            .collect();
        let mut deliveries = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(MAX_READ) {
            let mut found = self.store.deliveries(chunk).await?;
            for id in chunk {
                let place = found.iter().position(|delivery| delivery.id == *id);
                deliveries.push(match place {
                    Some(place) => found.swap_remove(place),
                    None => Delivery::of(&event, &id.endpoint),
                });
            }
        }
        Ok(EventView::of(event, &deliveries))
    }
    /// Calls off every delivery of an event that has not ended yet. A request that is under way may
    /// still arrive.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id.
    pub async fn cancel_event(&self, caller: &Caller, id: &str) -> Result<CancelledView, Problem> {
        let missing = || Problem::not_found("no event has this id");
        let id: EventId = id.parse().map_err(|_| missing())?;
        let event = self
            .store
            .event(&caller.tenant, id)
            .await?
            .ok_or_else(missing)?;
        let ids = event.endpoints.iter().map(|endpoint| DeliveryId {
            event: id,
            endpoint: endpoint.clone(),
        });
        let ids: Vec<DeliveryId> = ids.collect();
        let mut cancelled = 0;
        for chunk in ids.chunks(MAX_READ) {
            let mut found = self.store.deliveries(chunk).await?;
            let ended: Vec<_> = chunk
                .iter()
                .map(|id| {
                    let place = found.iter().position(|delivery| delivery.id == *id);
                    let record = place.map(|place| found.swap_remove(place));
                    self.call_off(&event, id.clone(), record)
                })
                .collect();
            let ended: Vec<bool> = stream::iter(ended)
                .buffer_unordered(WRITES_AT_ONCE)
                .try_collect()
                .await?;
            cancelled += ended
                .into_iter()
                .filter(|is_cancelled| *is_cancelled)
                .count();
        }
        Ok(CancelledView {
            id,
            cancelled,
            finished: ids.len() - cancelled,
        })
    }

    /// Whether it ends called off.
    async fn call_off(
        &self,
        event: &Event,
        id: DeliveryId,
        record: Option<Delivery>,
    ) -> Result<bool, Error> {
        let mut record = record;
        for _ in 0..TRIES {
            let current = record.unwrap_or_else(|| Delivery::of(event, &id.endpoint));
            if current.is_final() {
                return Ok(matches!(current.status, Status::Cancelled { .. }));
            }
            let next = current.cancelled(self.world.now());
            match self.store.store_delivery(&next, current.version).await? {
                Write::Won => {
                    self.count_cancelled(&next).await;
                    return Ok(true);
                }
                Write::Lost(other) => record = other,
            }
        }
        Err(Error {
            call: "calling a delivery off",
            source: "its record changes all the time".into(),
        })
    }
}
