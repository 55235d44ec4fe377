//! `deliveries`: one by its id, with every attempt.

use hookpost_adapters::api::{Problem, Reply};
use hookpost_adapters::auth::Caller;
use hookpost_domain::DeliveryId;
use hookpost_domain::delivery::Delivery;
use hookpost_domain::ports::{Deliveries, Events, World};

use crate::{Admin, view};

pub(crate) fn missing() -> Problem {
    Problem::not_found("no delivery has this id")
}

impl<W: World> Admin<W> {
    pub(crate) async fn get_delivery(&self, caller: &Caller, id: &str) -> Result<Reply, Problem> {
        let delivery = self.find_delivery(caller, id).await?;
        Ok(Reply::json(200, &view::delivery(&delivery)))
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
