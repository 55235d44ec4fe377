//! `live/tickets`: leave to watch attempts as they happen.

use hookpost_adapters::api::Problem;
use hookpost_adapters::auth::Caller;
use hookpost_domain::live::{TICKET_LIFETIME, Ticket};
use hookpost_domain::ports::World;
use hookpost_domain::{TenantId, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use crate::Management;

/// Leave to watch the caller's tenant.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TicketView {
    /// Where to connect, with the ticket as `?ticket=`.
    url: String,
    /// Good for connecting, and for each `watch`; another is needed once it has expired.
    ticket: String,
    tenant: TenantId,
    expires_at: Timestamp,
}

impl<W: World> Management<W> {
    /// Makes a ticket. It is good for this one purpose, and for a minute.
    ///
    /// # Errors
    /// 404 where there is no live feed.
    pub async fn create_ticket(&self, caller: &Caller) -> Result<TicketView, Problem> {
        let Some(url) = self.config.live_url.clone() else {
            let detail = "this deployment has no live feed: LiveFeed is off";
            return Err(Problem::not_found(detail));
        };
        let ticket = Ticket {
            tenant: caller.tenant.clone(),
            expires_at: self.world.now().after(TICKET_LIFETIME),
        };
        let key = self.store.signing_key().await?;
        Ok(TicketView {
            url,
            ticket: ticket.sign(key),
            tenant: ticket.tenant,
            expires_at: ticket.expires_at,
        })
    }
}
