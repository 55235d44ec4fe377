//! What came by way of the delivery queue gets a place in its line: what had its turn before goes to
//! the front (a retry that waited in the table, a replay), everything else to the end.

use delivery::Queues;
use hookpost_adapters::lines;
use hookpost_domain::line::{Seat, seat};
use hookpost_domain::ports::{Error, Transport, World};

use crate::{Call, Keeper, Tables};

impl<S: Tables, Q: Queues, T: Transport + 'static, W: World + 'static> Keeper<S, Q, T, W> {
    /// Seats the deliveries that the messages bring. To do so twice does no harm.
    pub(crate) async fn seat(&self, call: &Call) -> Result<(), Error> {
        let (store, now) = (self.worker.store(), self.worker.world().now());
        let (tenant, endpoint) = (&call.tenant, &call.endpoint);
        let mut at_the_end = Vec::new();
        let brought = call
            .wakes
            .iter()
            .filter_map(|(_, wake)| wake.delivery_id.as_ref());
        for id in brought.filter(|id| id.endpoint == *endpoint) {
            match seat(store.delivery(id).await?.as_ref()) {
                Seat::Nowhere => {}
                Seat::Front => store.put_in_front(tenant, endpoint, id.event).await?,
                Seat::End => at_the_end.push(id.event),
            }
        }
        if at_the_end.is_empty() {
            return Ok(());
        }
        lines::join(store, tenant, endpoint, &at_the_end, now).await
    }
}
