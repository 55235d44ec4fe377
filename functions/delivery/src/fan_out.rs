//! One message that stands for a range of an event's deliveries becomes a message for each.

use hookpost_domain::carrier::{Carrier, FanOut, READ_AFTER};
use hookpost_domain::ports::{Error, Outgoing, Transport, World};

use crate::received::Received;
use crate::{Queues, Tables, Verdict, Worker};

impl<S: Tables, Q: Queues, T: Transport, W: World> Worker<S, Q, T, W> {
    /// Sends every delivery of the range. The range's message is deleted only then, so a range
    /// that broke off is sent again as a whole, marked so that what was sent twice is noticed.
    pub(crate) async fn fan_out(
        &self,
        range: &FanOut,
        received: &Received,
    ) -> Result<Verdict, Error> {
        let Some(event) = self.store.event(&range.tenant, range.fan_out).await? else {
            return self.poison(received, "the event is no longer stored").await;
        };
        let Some(endpoints) = event.endpoints.get(range.from..range.to) else {
            return self
                .poison(received, "the event has no such range of endpoints")
                .await;
        };
        let now = self.world.now();
        // The sweeper may have found them already.
        let resend = received.receives > 1 || now.since(event.accepted_at()) > READ_AFTER;
        let longest = self.settings.patience.park_after;
        let messages = endpoints.iter().enumerate().map(|(nth, endpoint)| {
            let first_delay = range.first_delay(nth);
            let (carrier, delay) =
                Carrier::first(&event, endpoint, first_delay, longest, resend, now);
            (Outgoing::Deliver(Box::new(carrier)), delay)
        });
        self.queues.send(messages.collect()).await?;
        tracing::debug!(event.id = %event.id, trace_id = event.trace().trace_id(), deliveries = endpoints.len(), "fanned out");
        Ok(Verdict::Done)
    }
}
