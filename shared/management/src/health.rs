//! An endpoint's health, and its breaker by hand.

use std::time::Duration;

use hookpost_adapters::api::Problem;
use hookpost_adapters::auth::Caller;
use hookpost_domain::breaker::{CACHE_LIFETIME, Health};
use hookpost_domain::carrier::Carrier;
use hookpost_domain::delivery::Status;
use hookpost_domain::endpoint::Endpoint;
use hookpost_domain::ports::{
    Deliveries, DeliveryQueue, Endpoints, Error, Holding, Outgoing, World, Write,
};
use hookpost_domain::{DeliveryId, EndpointId, Invalid};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Management;
use crate::endpoints::{TRIES, busy, missing};
use crate::view::HealthView;

/// How long a breaker that is opened by hand stays open unless it is said.
const OPEN_FOR_SECONDS: u32 = 3600;
/// The longest that can be said: a day.
const MAX_OPEN_SECONDS: u32 = 24 * 3600;

/// How long an instance may believe a health that it read: its cache's lifetime, in the whole
/// seconds that SQS waits, and one for clocks.
const BELIEVED_FOR: Duration = Duration::from_secs(CACHE_LIFETIME.as_secs() + 1);

/// For how long to open a breaker.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OpenBreaker {
    /// Seconds, 1 to 86400, until one request goes out as the probe; an hour unless given.
    pub for_seconds: Option<u32>,
}

impl<W: World> Management<W> {
    /// An endpoint's health.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id.
    pub async fn endpoint_health(&self, caller: &Caller, id: &str) -> Result<HealthView, Problem> {
        let (endpoint, health) = self.find_health(caller, id).await?;
        let ids = std::slice::from_ref(&endpoint.id);
        let mut stats = self.endpoint_stats(&endpoint.tenant, ids).await?;
        let line = Box::pin(self.line_of(&endpoint)).await?;
        let (stats, now) = (stats.pop().unwrap_or_default(), self.world.now());
        Ok(HealthView::of(endpoint.id, &health, stats, line, now))
    }

    /// Opens an endpoint's breaker: nothing goes out until the time is over, and then one request
    /// does, as the probe. Functions notice within two seconds.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id, 422 for a time that cannot be, 409 if others change
    /// the health all the time.
    pub async fn open_breaker(
        &self,
        caller: &Caller,
        id: &str,
        draft: OpenBreaker,
    ) -> Result<HealthView, Problem> {
        let seconds = draft.for_seconds.unwrap_or(OPEN_FOR_SECONDS);
        if !(1..=MAX_OPEN_SECONDS).contains(&seconds) {
            let rule = "must be between 1 and 86400";
            return Err(Problem::invalid(&Invalid::new("for_seconds", rule)));
        }
        let now = self.world.now();
        let pause = Duration::from_secs(seconds.into());
        let open = |endpoint: &Endpoint, health: &Health| {
            Some(health.opened_by_hand(endpoint.breaker, pause, now))
        };
        self.change_health(caller, id, open).await
    }

    /// Closes an endpoint's breaker, and starts its count again. What is held goes out with the
    /// next sweep; what waited to be the probe, within seconds.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id, 409 if others change the health all the time.
    pub async fn close_breaker(&self, caller: &Caller, id: &str) -> Result<HealthView, Problem> {
        self.change_health(caller, id, |_, health| health.closed_by_hand())
            .await
    }

    /// Changes a health over the version that `decide` saw; `None` changes nothing.
    async fn change_health(
        &self,
        caller: &Caller,
        id: &str,
        decide: impl Fn(&Endpoint, &Health) -> Option<Health>,
    ) -> Result<HealthView, Problem> {
        for _ in 0..TRIES {
            let (endpoint, health) = self.find_health(caller, id).await?;
            let Some(next) = decide(&endpoint, &health) else {
                return self.endpoint_health(caller, id).await;
            };
            let (tenant, id_) = (&endpoint.tenant, &endpoint.id);
            // Before anything is held, and again before the last of it is let go: somebody has to
            // look after it.
            self.store
                .note_holding(tenant, id_, self.world.now())
                .await?;
            let written = self
                .store
                .store_health(tenant, id_, &next, health.version)
                .await?;
            if written == Write::Won {
                if let Some(booked) = health.booked().filter(|_| !next.is_open()) {
                    self.send_soon(booked).await?;
                }
                return self.endpoint_health(caller, id).await;
            }
        }
        Err(busy())
    }

    /// Sends a delivery that waits in the queue, once nobody believes the old health any more: it
    /// would be told to wait again. Its old message is stale then; a record that was changed
    /// meanwhile no longer waits.
    async fn send_soon(&self, id: &DeliveryId) -> Result<(), Error> {
        let Some(waiting) = self.store.delivery(id).await? else {
            return Ok(());
        };
        if !matches!(waiting.status, Status::InQueue { .. }) {
            return Ok(());
        }
        let now = self.world.now();
        let released = waiting.released(now.after(BELIEVED_FOR));
        if self
            .store
            .store_delivery(&released, waiting.version)
            .await?
            != Write::Won
        {
            return Ok(());
        }
        let carrier = Carrier::pointing(&released, now);
        let message = Outgoing::Deliver(Box::new(carrier));
        self.queues.send(vec![(message, BELIEVED_FOR)]).await
    }

    async fn find_health(&self, caller: &Caller, id: &str) -> Result<(Endpoint, Health), Problem> {
        let id: EndpointId = id.parse().map_err(|_| missing())?;
        self.store
            .config_and_health(&caller.tenant, &id)
            .await?
            .ok_or_else(missing)
    }
}
