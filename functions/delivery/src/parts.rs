//! What a function that delivers in a way of its own needs of a worker.

use std::sync::Arc;
use std::time::Duration;

use hookpost_domain::endpoint::Endpoint;
use hookpost_domain::matching::EventType;
use hookpost_domain::ports::{Error, Transport, World};
use hookpost_domain::{EndpointId, TenantId, Timestamp};

use crate::{Queues, Tables, Worker};

impl<S: Tables, Q: Queues, T: Transport, W: World> Worker<S, Q, T, W> {
    /// The tables.
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// Clock and dice.
    pub const fn world(&self) -> &W {
        &self.world
    }

    /// An endpoint, as this process has known it for two seconds at most.
    ///
    /// # Errors
    /// The read failed.
    pub async fn endpoint(
        &self,
        tenant: &TenantId,
        id: &EndpointId,
        now: Timestamp,
    ) -> Result<Option<Arc<Endpoint>>, Error> {
        let page = self.book.page(tenant, id);
        let (endpoint, _) = page.read(&self.store, tenant, id, now).await?;
        Ok(endpoint)
    }

    /// How long the first attempt at an event of this type waits.
    ///
    /// # Errors
    /// The policies of event types could not be read.
    pub async fn first_delay(
        &self,
        endpoint: &Endpoint,
        event_type: &EventType,
        now: Timestamp,
    ) -> Result<Duration, Error> {
        self.policies.ask(&self.store, endpoint, now).await?;
        let deployment = &self.settings.retry;
        let policy = self.policies.policy(endpoint, event_type, deployment);
        Ok(policy.first_delay(self.world.roll()))
    }
}
