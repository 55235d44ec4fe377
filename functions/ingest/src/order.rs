//! Events for endpoints that asked for order join the line before each, once they are stored and
//! before the call is answered: in the order of the call, behind everything that was answered before
//! it.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use hookpost_adapters::lines;
use hookpost_domain::event::Event;
use hookpost_domain::line::Wake;
use hookpost_domain::ports::{Error, World};
use hookpost_domain::{EndpointId, EventId, TenantId, Timestamp};

use crate::{Acceptor, Queues, Tables};

/// What joins which line.
#[derive(Debug, Default)]
pub(crate) struct Joining(BTreeMap<(TenantId, EndpointId), Vec<EventId>>);

impl Joining {
    /// An event joins the line before an endpoint, behind those noted before.
    pub(crate) fn note(&mut self, event: &Event, endpoint: &EndpointId) {
        let line = (event.tenant.clone(), endpoint.clone());
        self.0.entry(line).or_default().push(event.id);
    }
}

impl<S: Tables, Q: Queues, W: World> Acceptor<S, Q, W> {
    /// Has them join: what wakes the lines.
    pub(crate) async fn join(&self, joining: Joining, now: Timestamp) -> Result<Vec<Wake>, Error> {
        let joins = joining
            .0
            .iter()
            .map(|((tenant, endpoint), events)| async move {
                lines::join(&self.store, tenant, endpoint, events, now).await?;
                Ok::<_, Error>(Wake::of(tenant, endpoint, now))
            });
        try_join_all(joins).await
    }
}
