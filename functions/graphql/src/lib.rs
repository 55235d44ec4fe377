//! The management API as GraphQL: the same services, names, rules and problems as over HTTP.
//!
//! Guarantees: the types are those that the services answer and read, so that a field that is added
//! there is here too (`schema.graphql` shows them, and a test holds it against the code); what a
//! service refuses is an error with the problem's own fields in `extensions`; one document a call,
//! of bounded size, depth and fields, so that no call costs more than a few calls of the API.

mod document;
mod given;
mod operations;
mod schema;
mod shapes;

use std::sync::Arc;

use async_graphql::dynamic::{Schema, SchemaError};
use async_graphql::{Request, Variables};
use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use hookpost_adapters::api::{Call, Problem, Reply};
use hookpost_adapters::auth::{Caller, Door, Needs};
use hookpost_domain::access::Scope;
use hookpost_domain::ports::World;
use hookpost_management::Management;
use serde::Deserialize;
use serde_json::Value;

use document::Intent;

/// The largest call.
const MAX_BYTES: usize = 256 * 1024;

/// The function, over the services with clock and dice `W`.
#[derive(Debug)]
pub struct GraphQl<W> {
    services: Arc<Management<W>>,
    schema: Schema,
    door: Door,
}

/// A call's body.
#[derive(Debug, Deserialize)]
struct Asked {
    query: String,
    #[serde(default, rename = "operationName", alias = "operation_name")]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Value,
    #[serde(default, rename = "extensions")]
    _extensions: serde::de::IgnoredAny,
}

impl<W: World + std::fmt::Debug + Send + Sync + 'static> GraphQl<W> {
    /// A function over these services, for whoever comes in by `door`.
    ///
    /// # Errors
    /// The services' types make no schema.
    pub fn new(services: Management<W>, door: Door) -> Result<Self, SchemaError> {
        Ok(Self {
            services: Arc::new(services),
            schema: schema::build::<W>()?,
            door,
        })
    }

    /// Answers one HTTP call.
    ///
    /// # Errors
    /// Problem details, for what is no readable call, or of nobody who may make it. What goes wrong
    /// with a part of a document is told in the answer.
    pub async fn handle(&self, request: ApiGatewayV2httpRequest) -> Result<Reply, Problem> {
        let call = Call::from_gateway(request)?;
        if call.method != "POST" {
            return Err(Problem::method_not_allowed("POST".to_owned()));
        }
        let asked = read(&call);
        let (action, changes) = match &asked {
            Ok((_, intent)) => (intent.action(), intent.changes),
            // Whoever has no key learns nothing, not even that.
            Err(_) => ("graphql".to_owned(), false),
        };
        let needs = Needs {
            action: &action,
            scope: Some(if changes { Scope::Manage } else { Scope::Read }),
            audited: changes,
        };
        let (store, config) = (self.services.store(), self.services.config());
        let now = self.services.world().now();
        let pass = self.door.pass(&call, needs, store, config, now).await?;
        let outcome = match asked {
            Ok((asked, _)) => Ok(self.execute(asked, pass.caller.clone()).await),
            Err(problem) => Err(problem),
        };
        let noted = self.door.end(pass, &call, &outcome, store, config, now);
        noted.await;
        outcome
    }

    async fn execute(&self, asked: Asked, caller: Caller) -> Reply {
        let mut request = Request::new(asked.query)
            .variables(Variables::from_json(asked.variables))
            .data(Arc::clone(&self.services))
            .data(caller);
        if let Some(name) = asked.operation_name {
            request = request.operation_name(name);
        }
        Reply::json(200, &self.schema.execute(request).await)
    }
}

fn read(call: &Call) -> Result<(Asked, Intent), Problem> {
    if call.body.len() > MAX_BYTES {
        return Err(Problem::too_large("body", "must be at most 256 KiB"));
    }
    let asked: Asked = call.json()?;
    let intent = Intent::of(&asked.query)?;
    Ok((asked, intent))
}
