//! The live feed: lets watchers in over a WebSocket API, and shows them what delivery hands over.
//!
//! Guarantees: nobody comes in, or goes on watching, without a ticket that is still good; what is
//! shown is of the tenant that the ticket names; a connection that is gone costs one call, and
//! nobody else anything.

mod invocation;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use futures::future::join_all;
use hookpost_adapters::Config;
use hookpost_domain::TenantId;
use hookpost_domain::access::Networks;
use hookpost_domain::live::{
    ConnectionId, Full, Handover, LiveFilter, MAX_WATCHERS, Ticket, WATCH_LIFETIME, Watch, frames,
};
use hookpost_domain::ports::{Connections, Error, Sent, SigningKeys, Watches, World, Write};

pub use invocation::{Invocation, Outcome, SocketEvent};
use invocation::{Said, Told};

/// How often who watches is decided anew when others write it at the same time.
const TRIES: u32 = 10;

/// The function, over tables `S`, connections `C`, and clock and dice `W`.
#[derive(Debug)]
pub struct Live<S, C, W> {
    store: S,
    connections: C,
    world: W,
    networks: Networks,
}

/// Why somebody does not watch.
enum Unwatched {
    Full,
    Failed(Error),
}

impl From<Error> for Unwatched {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl<S: Watches + SigningKeys, C: Connections, W: World> Live<S, C, W> {
    /// A function over these.
    pub fn new(store: S, connections: C, world: W, config: &Config) -> Self {
        Self {
            store,
            connections,
            world,
            networks: config.allowed_networks.clone(),
        }
    }

    /// Does what the function is invoked for. A client is always answered.
    pub async fn invoke(&self, invocation: Invocation) -> Outcome {
        match invocation {
            Invocation::Show { show } => Outcome::Shown {
                shown: self.show(&show).await,
            },
            Invocation::Socket(event) if event.request_context.route_key == "$connect" => {
                Outcome::status(self.connect(&event).await)
            }
            Invocation::Socket(event) => Outcome::told(&self.message(&event).await),
        }
    }

    /// The status that a new connection is answered with: 200 lets it in.
    async fn connect(&self, event: &SocketEvent) -> u16 {
        let from = event.request_context.identity.source_ip.as_deref();
        let from: Option<IpAddr> = from.and_then(|address| address.parse().ok());
        if !self.networks.allow(from) {
            return 403;
        }
        let query = event.query_string_parameters.as_ref();
        let ticket = query.and_then(|query| query.get("ticket"));
        let Some(ticket) = ticket else {
            return 401;
        };
        match self.admits(ticket).await {
            Ok(Some(_)) => 200,
            Ok(None) => 401,
            Err(error) => {
                unavailable(&error);
                503
            }
        }
    }

    /// The tenant that a ticket shows, if it is good.
    async fn admits(&self, ticket: &str) -> Result<Option<TenantId>, Error> {
        let Some(key) = self.store.key_to_check().await? else {
            return Ok(None);
        };
        let ticket = Ticket::verify(ticket, &key, self.world.now()).ok();
        Ok(ticket.map(|ticket| ticket.tenant))
    }

    async fn message(&self, event: &SocketEvent) -> Told {
        let refused = |detail: String| Told::Refused {
            reason: "message",
            detail,
        };
        let connection: ConnectionId = match event.request_context.connection_id.parse() {
            Ok(connection) => connection,
            Err(invalid) => return refused(invalid.to_string()),
        };
        let said: Said = match serde_json::from_str(event.body.as_deref().unwrap_or_default()) {
            Ok(said) => said,
            Err(error) => return refused(error.to_string()),
        };
        let ticket = match &said {
            Said::Ping => return Told::Pong,
            Said::Watch { ticket, .. } | Said::Unwatch { ticket } => ticket,
        };
        let tenant = match self.admits(ticket).await {
            Ok(Some(tenant)) => tenant,
            Ok(None) => {
                return Told::Refused {
                    reason: "ticket",
                    detail: "the ticket is not good, or not any more: get another".to_owned(),
                };
            }
            Err(error) => return unavailable(&error),
        };
        let (outcome, told) = match said {
            Said::Watch { filter, .. } => {
                let filter = match filter.bounded() {
                    Ok(filter) => filter,
                    Err(invalid) => return refused(invalid.to_string()),
                };
                let seconds = WATCH_LIFETIME.as_secs();
                let told = Told::Watching {
                    for_seconds: seconds,
                    renew_in_seconds: seconds / 2,
                };
                (self.join(&tenant, &connection, filter).await, told)
            }
            Said::Unwatch { .. } => {
                let left = self.leave(&tenant, &[connection]).await;
                (left.map_err(Unwatched::Failed), Told::Unwatched)
            }
            Said::Ping => return Told::Pong,
        };
        match outcome {
            Ok(()) => told,
            Err(Unwatched::Full) => Told::Refused {
                reason: "full",
                detail: format!("{MAX_WATCHERS} watch already, and no more can"),
            },
            Err(Unwatched::Failed(error)) => unavailable(&error),
        }
    }

    async fn join(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        filter: LiveFilter,
    ) -> Result<(), Unwatched> {
        let now = self.world.now();
        let mut watch = self.store.watch(tenant).await?;
        for _ in 0..TRIES {
            let joined = watch
                .joined(connection, filter.clone(), now)
                .map_err(|Full| Unwatched::Full)?;
            match self
                .store
                .store_watch(tenant, &joined, watch.version)
                .await?
            {
                Write::Won => {
                    // Delivery asks for this first, and for the tenant's own after it.
                    let until = now.after(WATCH_LIFETIME);
                    return Ok(self.store.note_watched(until).await?);
                }
                Write::Lost(other) => watch = other.unwrap_or_default(),
            }
        }
        Err(raced().into())
    }

    async fn leave(&self, tenant: &TenantId, gone: &[ConnectionId]) -> Result<(), Error> {
        let mut watch = self.store.watch(tenant).await?;
        for _ in 0..TRIES {
            let Some(left) = watch.left(gone, self.world.now()) else {
                return Ok(());
            };
            match self.store.store_watch(tenant, &left, watch.version).await? {
                Write::Won => return Ok(()),
                Write::Lost(other) => watch = other.unwrap_or_default(),
            }
        }
        Err(raced())
    }

    /// Shows a handover to all who watch its tenant, all at once; to how many.
    async fn show(&self, handover: &Handover) -> usize {
        let tenant = &handover.tenant;
        let watch: Watch = match self.store.watch(tenant).await {
            Ok(watch) => watch,
            Err(error) => {
                unavailable(&error);
                return 0;
            }
        };
        let frames = frames(&watch, handover, self.world.now());
        let sending = frames.iter().map(|frame| async {
            let sent = self.connections.send_text(&frame.connection, &frame.text);
            (frame.connection.clone(), sent.await)
        });
        let mut gone = Vec::new();
        let mut shown = 0;
        for (connection, sent) in join_all(sending).await {
            match sent {
                Ok(Sent::Taken) => shown += 1,
                Ok(Sent::Gone) => gone.push(connection),
                Err(error) => {
                    tracing::warn!(tenant = %tenant, error = %error, "a watcher was not shown something");
                }
            }
        }
        if !gone.is_empty()
            && let Err(error) = self.leave(tenant, &gone).await
        {
            unavailable(&error);
        }
        shown
    }
}

fn raced() -> Error {
    Error {
        call: "storing who watches",
        source: "it changes all the time".into(),
    }
}

fn unavailable(error: &Error) -> Told {
    tracing::error!(error = %error, cause = %error.source, "the live feed is not available");
    Told::Refused {
        reason: "unavailable",
        detail: "try again in a moment".to_owned(),
    }
}
