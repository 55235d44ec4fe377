//! The lines before endpoints that get their events in order.

use std::collections::HashSet;

use hookpost_adapters::api::Problem;
use hookpost_domain::delivery::Delivery;
use hookpost_domain::endpoint::Endpoint;
use hookpost_domain::line::{Turn, turn};
use hookpost_domain::ports::{EndpointList, Error, LineEnds, LineViews, Records, WakeQueue, World};
use hookpost_domain::{DeliveryId, EventId, Invalid};

use crate::Management;
use crate::view::LineView;

/// How many are looked at to find the first that is not over: how far a line has got is noted after
/// every few.
const LOOKED_AT: usize = 20;

impl<W: World> Management<W> {
    /// What a line looks like, of an endpoint that has one.
    pub(crate) async fn line_of(&self, endpoint: &Endpoint) -> Result<Option<LineView>, Error> {
        let Some(on_dead_letter) = endpoint.ordered else {
            return Ok(None);
        };
        let (tenant, id) = (&endpoint.tenant, &endpoint.id);
        let (line, front, end) = futures::try_join!(
            Box::pin(self.store.line(tenant, id)),
            Box::pin(self.store.front(tenant, id, 100)),
            Box::pin(self.store.line_end(tenant, id)),
        )?;
        let entries = self.store.entries(tenant, id, line.entry, 20).await?;
        let behind = line.waiting(&entries).map(|placed| placed.event);
        let mut seen = HashSet::new();
        let ids: Vec<DeliveryId> = front
            .iter()
            .copied()
            .chain(behind)
            // What went back to the front still has its place, and none may be asked for twice.
            .filter(|event| seen.insert(*event))
            .take(LOOKED_AT)
            .map(|event: EventId| DeliveryId {
                event,
                endpoint: id.clone(),
            })
            .collect();
        let records = self.store.deliveries(&ids).await?;
        let record = |id: &DeliveryId| records.iter().find(|record| record.id == *id);
        let turn_of = |id: &DeliveryId| turn(record(id), on_dead_letter);
        let first = ids.iter().find(|id| turn_of(id) != Turn::Over);
        let over = ids.iter().take_while(|id| turn_of(id) == Turn::Over);
        let waiting = (end.saturating_sub(line.head) + front.len() as u64)
            .saturating_sub(over.count() as u64);
        let status = |id| record(id).map_or("pending", Delivery::status_name);
        Ok(Some(LineView {
            waiting,
            first_status: first.map(status),
            blocked: first.is_some_and(|id| turn_of(id) == Turn::Blocked),
            first: first.cloned(),
        }))
    }

    /// The delivery that this one waits for.
    pub(crate) async fn waited_for(
        &self,
        delivery: &Delivery,
    ) -> Result<Option<DeliveryId>, Error> {
        if delivery.is_final() || !self.queues.keeps_order() {
            return Ok(None);
        }
        let endpoint = self
            .store
            .endpoint_config(&delivery.tenant, &delivery.id.endpoint)
            .await?;
        let Some(endpoint) = endpoint else {
            return Ok(None);
        };
        let line = Box::pin(self.line_of(&endpoint)).await?;
        Ok(line
            .and_then(|line| line.first)
            .filter(|first| *first != delivery.id))
    }

    /// Before an endpoint has a line: the sweeper has to know of it.
    ///
    /// # Errors
    /// 422 where the deployment keeps no order.
    pub(crate) async fn note_if_ordered(&self, endpoint: &Endpoint) -> Result<(), Problem> {
        if endpoint.ordered.is_none() {
            return Ok(());
        }
        if !self.queues.keeps_order() {
            let rule = "is off in this deployment: deploy it with `Ordered=on`";
            return Err(Problem::invalid(&Invalid::new("ordered", rule)));
        }
        let now = self.world.now();
        let noted = self.store.note_line(&endpoint.tenant, &endpoint.id, now);
        Ok(noted.await?)
    }
}
