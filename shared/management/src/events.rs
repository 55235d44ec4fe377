//! `events`: one by its id, with where its deliveries stand.

use hookpost_adapters::api::Problem;
use hookpost_adapters::auth::Caller;
use hookpost_domain::delivery::Delivery;
use hookpost_domain::ports::{Events, World};
use hookpost_domain::{DeliveryId, EventId};

use crate::Management;
use crate::view::EventView;

/// Records read in one call.
const MAX_READ: usize = 100;

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
                    None => {
                        Delivery::new(id.clone(), event.tenant.clone(), event.event_type.clone())
                    }
                });
            }
        }
        Ok(EventView::of(event, &deliveries))
    }
}
