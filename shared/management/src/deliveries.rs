//! `deliveries`: one by its id, with every attempt.

use hookpost_adapters::api::Problem;
use hookpost_adapters::auth::Caller;
use hookpost_domain::DeliveryId;
use hookpost_domain::delivery::Delivery;
use hookpost_domain::ports::{Deliveries, Events, World};

use crate::Management;
use crate::view::DeliveryView;

pub(crate) fn missing() -> Problem {
    Problem::not_found("no delivery has this id")
}

impl<W: World> Management<W> {
    /// A delivery with every attempt.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id.
    pub async fn get_delivery(&self, caller: &Caller, id: &str) -> Result<DeliveryView, Problem> {
        let delivery = self.find_delivery(caller, id).await?;
        Ok(DeliveryView::of(&delivery))
    }

    /// A delivery that has not been attempted yet has no record: its event tells of it.
    pub(crate) async fn find_delivery(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Delivery, Problem> {
        let id: DeliveryId = id.parse().map_err(|_| missing())?;
        if let Some(delivery) = self.store.delivery(&id).await? {
            return Some(delivery)
                .filter(|delivery| delivery.tenant == caller.tenant)
                .ok_or_else(missing);
        }
        let event = self
            .store
            .event(&caller.tenant, id.event)
            .await?
            .ok_or_else(missing)?;
        if !event.endpoints.contains(&id.endpoint) {
            return Err(missing());
        }
        Ok(Delivery::new(id, event.tenant, event.event_type))
    }
}
