//! The management API: endpoints, events, deliveries, dead letters.
//!
//! Nothing of one tenant is visible to another, and what is another's is answered as what is not
//! there.

mod dead_letters;
mod deliveries;
mod endpoints;
mod events;
mod page;
mod replays;
mod view;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use hookpost_adapters::Config;
use hookpost_adapters::api::{Call, Problem, Reply};
use hookpost_adapters::auth::{self, Caller};
use hookpost_adapters::table::Store;
use hookpost_domain::ports::World;
use serde_json::json;

/// The function, over the tables, and clock and dice `W`.
#[derive(Debug)]
pub struct Admin<W> {
    store: Store,
    world: W,
    config: Config,
}

/// The names that the documents this product was wished for in have for our resources.
const ALIASES: [(&str, &str); 4] = [
    ("webhooks", "endpoints"),
    ("subscribers", "endpoints"),
    ("dlq", "dead-letters"),
    ("dead_letters", "dead-letters"),
];

impl<W: World> Admin<W> {
    /// A function over these.
    pub fn new(store: Store, world: W, config: Config) -> Self {
        Self {
            store,
            world,
            config,
        }
    }

    /// Answers one HTTP call.
    ///
    /// # Errors
    /// Problem details.
    pub async fn handle(&self, request: ApiGatewayV2httpRequest) -> Result<Reply, Problem> {
        let call = Call::from_gateway(request)?;
        let mut path = call.segments();
        if let Some(first) = path.first_mut()
            && let Some((_, name)) = ALIASES.iter().find(|(alias, _)| alias == first)
        {
            *first = name;
        }
        if let (method, ["health"]) = (call.method.as_str(), path.as_slice()) {
            return match method {
                "GET" | "HEAD" => Ok(health()),
                _ => Err(Problem::method_not_allowed("GET")),
            };
        }
        let caller = auth::authenticate(&call, &self.config)?;
        self.route(&call, &caller, &path).await
    }

    async fn route(&self, call: &Call, caller: &Caller, path: &[&str]) -> Result<Reply, Problem> {
        match (call.method.as_str(), path) {
            ("GET", ["endpoints"]) => self.list_endpoints(call, caller).await,
            ("POST", ["endpoints"]) => self.create_endpoint(call, caller).await,
            (_, ["endpoints"]) => Err(Problem::method_not_allowed("GET, POST")),
            ("GET", ["endpoints", id]) => self.get_endpoint(caller, id).await,
            ("PATCH" | "PUT", ["endpoints", id]) => self.change_endpoint(call, caller, id).await,
            ("DELETE", ["endpoints", id]) => self.delete_endpoint(caller, id).await,
            (_, ["endpoints", _]) => Err(Problem::method_not_allowed("GET, PATCH, DELETE")),
            ("GET", ["endpoints", id, "health"]) => self.endpoint_health(caller, id).await,
            // Served by the ingest and replay functions, for these methods only.
            (_, ["events" | "replays"] | ["events", "batch"] | ["dead-letters", _, "replay"]) => {
                Err(Problem::method_not_allowed("POST"))
            }
            ("GET", ["events", id]) => self.get_event(caller, id).await,
            ("GET", ["deliveries", id]) => self.get_delivery(caller, id).await,
            ("GET", ["dead-letters"]) => self.list_dead_letters(call, caller).await,
            ("GET", ["dead-letters", id]) => self.get_dead_letter(caller, id).await,
            ("GET", ["replays", id]) => self.get_replay(caller, id).await,
            (
                _,
                ["dead-letters"]
                | ["endpoints", _, "health"]
                | ["events" | "deliveries" | "dead-letters" | "replays", _],
            ) => Err(Problem::method_not_allowed("GET")),
            _ => Err(Problem::not_found(format!(
                "no resource is at {}",
                call.path
            ))),
        }
    }
}

fn health() -> Reply {
    Reply::json(
        200,
        &json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }),
    )
}
