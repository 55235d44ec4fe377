//! Takes somebody else's webhooks in.
//!
//! Guarantees: nothing is accepted whose signature does not hold, and whoever sent that is not told
//! why; what is accepted is an event like any other from there on, with the body as it came; a
//! webhook that comes again under its own id is accepted once in 24 hours.
//!
//! A function of its own: it opens the secrets of sources, which the one that takes events in shall
//! not be able to.

mod sources;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use hookpost_adapters::api::{Call, Problem, Reply};
use hookpost_adapters::auth::Caller;
use hookpost_adapters::table::Store;
use hookpost_domain::inbound::{MAX_BODY_BYTES, SourceId};
use hookpost_domain::ports::World;
use ingest::{Acceptor, Queues};
use serde_json::json;

pub use sources::Sources;

/// The function, over the delivery queue `Q` and clock and dice `W`.
#[derive(Debug)]
pub struct Inbound<Q, W> {
    sources: Sources,
    acceptor: Acceptor<Store, Q, W>,
    world: W,
}

fn nowhere() -> Problem {
    Problem::not_found("no source is here")
}

impl<Q: Queues, W: World> Inbound<Q, W> {
    /// A function that knows no source yet.
    pub fn new(sources: Sources, acceptor: Acceptor<Store, Q, W>, world: W) -> Self {
        Self {
            sources,
            acceptor,
            world,
        }
    }

    /// Answers one webhook.
    ///
    /// # Errors
    /// 401 if its signature does not hold, 404 where no source is or is enabled, 409 for an id that
    /// another body had, 413 for a body that is too large, 422 for what cannot become an event.
    pub async fn handle(&self, request: ApiGatewayV2httpRequest) -> Result<Reply, Problem> {
        let call = Call::from_gateway(request)?;
        let segments = call.segments();
        let ["in", id] = segments.as_slice() else {
            return Err(nowhere());
        };
        let id: SourceId = id.parse().map_err(|_| nowhere())?;
        if call.method != "POST" {
            return Err(Problem::method_not_allowed("POST"));
        }
        if call.body.len() > MAX_BODY_BYTES {
            return Err(Problem::too_large("body", "must be at most 256 KiB"));
        }
        let now = self.world.now();
        let source = self.sources.find(&id, now).await?;
        let source = source.filter(|source| source.enabled).ok_or_else(nowhere)?;
        let header = |name: &str| call.header(name);
        let (secrets, body) = (&source.secrets, &call.body);
        if let Err(why) = source.kind.verify(secrets, &header, body, now) {
            tracing::info!(source.id = %id, tenant = %source.tenant, %why, "a webhook is refused");
            return Err(Problem::unsigned());
        }
        let webhook = source.event(&header, body, now)?;
        let caller = Caller::of_aws(source.tenant.clone());
        let accepted = self
            .acceptor
            .post_draft(webhook.event, Some(webhook.key), &caller);
        let accepted = accepted.await?;
        // Whose the endpoints are is none of the sender's business.
        Ok(Reply::json(202, &json!({ "id": accepted.id() })))
    }
}
