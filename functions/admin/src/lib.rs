//! The management API over HTTP. What may be seen and changed is decided in `hookpost-management`;
//! here calls are told apart, let in, and answered.

mod catalogue;
mod dashboard;
mod docs;
mod invocation;
mod openapi;
mod routes;
mod statistics;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use hookpost_adapters::api::{self, Call, Problem, Reply};
use hookpost_adapters::auth::{Caller, Door, Needs};
use hookpost_domain::ports::World;
use hookpost_management::{Format, Management, Reconciled, Todo, Undeclared};
use serde_json::json;

pub use invocation::{Invocation, Outcome};
use routes::{Access, Event, Found, Key, Op, Operate, Source};

/// The function, over the services with clock and dice `W`.
#[derive(Debug)]
pub struct Admin<W> {
    services: Management<W>,
    door: Door,
}

/// A call that was let in.
struct Admitted<'a> {
    call: &'a Call,
    caller: Caller,
    /// What the path's template leaves open.
    open: Vec<&'a str>,
}

impl Admitted<'_> {
    /// The resource that the path names.
    fn id(&self) -> &str {
        self.open.first().copied().unwrap_or_default()
    }
}

impl<W: World> Admin<W> {
    /// A function over these services, for whoever comes in by `door`.
    pub fn new(services: Management<W>, door: Door) -> Self {
        Self { services, door }
    }

    /// Does what the function is invoked for. A call is always answered.
    ///
    /// # Errors
    /// What the deployment declares was not carried out: the schedule's next try will, unless it
    /// makes no sense.
    pub async fn invoke(
        &self,
        invocation: Invocation,
        request_id: &str,
    ) -> Result<Outcome, Undeclared> {
        match invocation {
            Invocation::Reconcile { .. } => {
                let reconciled = Box::pin(self.reconcile(request_id)).await;
                reconciled.map(Outcome::Reconciled)
            }
            Invocation::Call(request) => {
                let outcome = Box::pin(self.handle(*request)).await;
                Ok(Outcome::Answered(Box::new(api::to_gateway(outcome))))
            }
        }
    }

    async fn reconcile(&self, request_id: &str) -> Result<Reconciled, Undeclared> {
        let work = match self.services.declared_anew().await? {
            Todo::Nothing(done) => return Ok(done),
            Todo::Reconcile(work) => work,
        };
        let (store, config) = (self.services.store(), self.services.config());
        let now = self.services.world().now();
        let action = "declared endpoints";
        let begun = self
            .door
            .begin_for_deployment(action, request_id, store, config, now);
        let trail = begun.await?;
        let outcome = self.services.reconcile_declared(*work).await;
        let status = if outcome.is_ok() { 200 } else { 500 };
        trail.end(store, status, None).await;
        outcome
    }

    /// Answers one HTTP call.
    ///
    /// # Errors
    /// Problem details.
    pub async fn handle(&self, request: ApiGatewayV2httpRequest) -> Result<Reply, Problem> {
        let call = Call::from_gateway(request)?;
        if let Some(reply) = dashboard::answer(&call, self.services.config())? {
            return Ok(reply);
        }
        let found = routes::find(&call.method, &call.path);
        let (scope, action, audited) = match &found {
            Found::Route(route, open) => match route.access {
                Access::Open => {
                    let caller = Caller::anybody();
                    let open = open.clone();
                    let admitted = Admitted {
                        call: &call,
                        caller,
                        open,
                    };
                    return self.run(route.op, &admitted).await;
                }
                Access::Needs(scope) => (Some(scope), route.action(), route.is_audited()),
            },
            // Whoever has no key learns nothing of what there is.
            Found::OtherMethods(_) | Found::Nothing => (None, "unknown".to_owned(), false),
        };
        let needs = Needs {
            action: &action,
            scope,
            audited,
        };
        Box::pin(self.answer(&call, needs, found)).await
    }

    /// Lets the call in, does what it is after, and notes what came of it.
    async fn answer(
        &self,
        call: &Call,
        needs: Needs<'_>,
        found: Found<'_>,
    ) -> Result<Reply, Problem> {
        let (store, config) = (self.services.store(), self.services.config());
        let now = self.services.world().now();
        let pass = self.door.pass(call, needs, store, config, now).await?;
        let outcome = match found {
            Found::Route(route, open) => {
                let caller = pass.caller.clone();
                let admitted = Admitted { call, caller, open };
                self.run(route.op, &admitted).await
            }
            Found::OtherMethods(allow) => Err(Problem::method_not_allowed(allow)),
            Found::Nothing => {
                let detail = format!("no resource is at {}", call.path);
                Err(Problem::not_found(detail))
            }
        };
        let noted = self.door.end(pass, call, &outcome, store, config, now);
        noted.await;
        outcome
    }

    async fn operate(&self, what: Operate, admitted: &Admitted<'_>) -> Result<Reply, Problem> {
        let Admitted { call, caller, .. } = admitted;
        let (services, id) = (&self.services, admitted.id());
        Ok(match what {
            Operate::Enable => Reply::json(200, &services.enable_endpoint(caller, id).await?),
            Operate::Disable => Reply::json(200, &services.disable_endpoint(caller, id).await?),
            Operate::Pause => Reply::json(200, &services.pause_endpoint(caller, id).await?),
            Operate::Resume => Reply::json(200, &services.resume_endpoint(caller, id).await?),
            Operate::Test => {
                let draft = call.json_or_default()?;
                Reply::json(202, &services.test_endpoint(caller, id, draft).await?)
            }
            Operate::OpenBreaker => {
                let draft = call.json_or_default()?;
                Reply::json(200, &services.open_breaker(caller, id, draft).await?)
            }
            Operate::CloseBreaker => Reply::json(200, &services.close_breaker(caller, id).await?),
        })
    }

    async fn event(&self, what: Event, admitted: &Admitted<'_>) -> Result<Reply, Problem> {
        let Admitted { call, caller, .. } = admitted;
        let (services, id) = (&self.services, admitted.id());
        Ok(match what {
            Event::List => {
                let listed = services.list_events(caller, call.query_as()?).await?;
                Reply::json(200, &listed)
            }
            Event::Cancel | Event::Delete => {
                Reply::json(200, &services.cancel_event(caller, id).await?)
            }
            Event::Get => Reply::json(200, &services.get_event(caller, id).await?),
        })
    }

    async fn key(&self, what: Key, admitted: &Admitted<'_>) -> Result<Reply, Problem> {
        let Admitted { call, caller, .. } = admitted;
        let (services, id) = (&self.services, admitted.id());
        Ok(match what {
            Key::List => Reply::json(200, &services.list_keys(caller, call.query_as()?).await?),
            Key::Create => {
                let made = services.create_key(caller, call.json()?).await?;
                let location = format!("/api/v1/api-keys/{}", made.key_id());
                Reply::json(201, &made).with_header("location", location)
            }
            Key::Get => Reply::json(200, &services.get_key(caller, id).await?),
            Key::Revoke => {
                services.revoke_key(caller, id).await?;
                Reply::empty()
            }
            Key::Token => Reply::json(201, &services.create_token(caller, call.json()?).await?),
        })
    }

    async fn source(&self, what: Source, admitted: &Admitted<'_>) -> Result<Reply, Problem> {
        let Admitted { call, caller, .. } = admitted;
        let (services, id) = (&self.services, admitted.id());
        Ok(match what {
            Source::List => {
                let listed = services.list_sources(caller, call.query_as()?).await?;
                Reply::json(200, &listed)
            }
            Source::Create => {
                let made = services.create_source(caller, call.json()?).await?;
                let location = format!("/api/v1/sources/{}", made.id);
                Reply::json(201, &made).with_header("location", location)
            }
            Source::Get => Reply::json(200, &services.get_source(caller, id).await?),
            Source::Change => {
                let draft = call.json()?;
                Reply::json(200, &services.change_source(caller, id, draft).await?)
            }
            Source::Delete => {
                services.delete_source(caller, id).await?;
                Reply::empty()
            }
        })
    }

    async fn run(&self, op: Op, admitted: &Admitted<'_>) -> Result<Reply, Problem> {
        let Admitted { call, caller, .. } = admitted;
        let (services, id) = (&self.services, admitted.id());
        Ok(match op {
            Op::ListEndpoints => {
                let listed = services.list_endpoints(caller, call.query_as()?).await?;
                Reply::json(200, &listed)
            }
            Op::CreateEndpoint => {
                let made = services.create_endpoint(caller, call.json()?).await?;
                let location = format!("/api/v1/endpoints/{}", made.id);
                Reply::json(201, &made).with_header("location", location)
            }
            Op::GetEndpoint => Reply::json(200, &services.get_endpoint(caller, id).await?),
            Op::ChangeEndpoint => {
                let draft = call.json()?;
                Reply::json(200, &services.change_endpoint(caller, id, draft).await?)
            }
            Op::DeleteEndpoint => {
                services.delete_endpoint(caller, id).await?;
                Reply::empty()
            }
            Op::RotateSecret => {
                let draft = call.json_or_default()?;
                Reply::json(200, &services.rotate_secret(caller, id, draft).await?)
            }
            Op::EndpointHealth => Reply::json(200, &services.endpoint_health(caller, id).await?),
            Op::MatchEvent => Reply::json(200, &services.match_event(caller, call.json()?).await?),
            Op::PreviewRequest => {
                let input = call.json()?;
                Reply::json(200, &services.preview(caller, id, input).await?)
            }
            Op::Operate(what) => self.operate(what, admitted).await?,
            Op::Event(what) => self.event(what, admitted).await?,
            Op::Catalogue(what) => self.catalogue(what, admitted).await?,
            Op::GetDelivery => Reply::json(200, &services.get_delivery(caller, id).await?),
            Op::ListDeliveries => {
                let listed = services.list_deliveries(caller, call.query_as()?).await?;
                Reply::json(200, &listed)
            }
            Op::PostDelivery => {
                let key = call.idempotency_key()?;
                let begun = Box::pin(services.post_delivery(caller, call.json()?, key)).await?;
                let location = format!("/api/v1/deliveries/{}", begun.id);
                Reply::json(202, &begun).with_header("location", location)
            }
            Op::ExportDeliveries => self.export(admitted).await?,
            Op::RetryDelivery => {
                let order = call.json_or_default()?;
                Reply::json(202, &services.retry_delivery(caller, id, order).await?)
            }
            Op::CancelDelivery => Reply::json(200, &services.cancel_delivery(caller, id).await?),
            Op::DeleteDelivery => {
                services.delete_delivery(caller, id).await?;
                Reply::empty()
            }
            Op::EventStatus => {
                Reply::json(200, &services.event_status(caller, call.query_as()?).await?)
            }
            Op::ListDeadLetters => {
                let listed = services.list_dead_letters(caller, call.query_as()?).await?;
                Reply::json(200, &listed)
            }
            Op::GroupDeadLetters => {
                let groups = services.group_dead_letters(caller, call.query_as()?);
                Reply::json(200, &groups.await?)
            }
            Op::GetDeadLetter => Reply::json(200, &services.get_dead_letter(caller, id).await?),
            Op::Statistics(what) => self.statistics(what, admitted).await?,
            Op::Key(what) => self.key(what, admitted).await?,
            Op::Source(what) => self.source(what, admitted).await?,
            Op::ListAudit => {
                Reply::json(200, &services.list_audit(caller, call.query_as()?).await?)
            }
            Op::WhoAmI => Reply::json(200, &services.whoami(caller)),
            Op::LiveTicket => Reply::json(201, &services.create_ticket(caller).await?),
            Op::Deployment => Reply::json(200, &services.deployment()),
            Op::ResolveDeadLetter => {
                let order = call.json_or_default()?;
                let resolved = services.resolve_dead_letter(caller, id, order).await?;
                Reply::json(200, &resolved)
            }
            Op::DeleteDeadLetter => {
                services.delete_dead_letter(caller, id).await?;
                Reply::empty()
            }
            Op::GetReplay | Op::GetJob => Reply::json(200, &services.get_job(caller, id).await?),
            Op::ListJobs => Reply::json(200, &services.list_jobs(caller, call.query_as()?).await?),
            Op::CancelJob => Reply::json(200, &services.cancel_job(caller, id).await?),
            Op::Health => health(),
            Op::OpenApi => Reply::document("application/json", openapi::text().to_owned())
                .with_header("cache-control", "public, max-age=300"),
            Op::Docs => docs::page(),
            // API Gateway sends these elsewhere.
            Op::Elsewhere(_) => {
                let detail = "this function does not serve this call";
                return Err(Problem::not_found(detail));
            }
        })
    }
}

impl<W: World> Admin<W> {
    async fn export(&self, admitted: &Admitted<'_>) -> Result<Reply, Problem> {
        let call = admitted.call;
        let format = call
            .query("format")
            .map_or(Ok(Format::default()), str::parse)?;
        let query = call.query_without("format")?;
        let part = self
            .services
            .export_deliveries(&admitted.caller, format, query)
            .await?;
        let reply = Reply::document(format.content_type(), part.body);
        Ok(match part.next {
            None => reply,
            Some(next) => {
                let query = call.query_with("after", &next);
                let link = format!("</api/v1/deliveries/export?{query}>; rel=\"next\"");
                reply
                    .with_header("link", link)
                    .with_header("x-next-after", next)
            }
        })
    }
}

fn health() -> Reply {
    Reply::json(
        200,
        &json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }),
    )
}
