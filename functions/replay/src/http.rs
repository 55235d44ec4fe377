//! `POST /api/v1/jobs`, `POST /api/v1/replays`, `POST /api/v1/dead-letters/{id}/replay`.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use hookpost_adapters::actions::{self, Acted};
use hookpost_adapters::api::{Call, Problem, Reply};
use hookpost_adapters::auth::{Caller, Needs};
use hookpost_domain::access::Scope;
use hookpost_domain::action::{Action, Asked};
use hookpost_domain::delivery::{Delivery, Status};
use hookpost_domain::ports::{Deliveries, DeliveryQueue, World};
use hookpost_domain::{DeliveryId, Invalid, Timestamp};
use serde_json::json;

use crate::input::{Order, Unreadable};
use crate::{Replay, Replayer};

/// How long a caller is kept waiting before the rest is done in the background.
const ANSWER_WITHIN_MS: u64 = 10_000;

impl<W: World> Replay<W> {
    pub(crate) async fn answer(
        &self,
        request: ApiGatewayV2httpRequest,
        stop_at: Timestamp,
    ) -> Result<Reply, Problem> {
        let call = Call::from_gateway(request)?;
        let segments = call.segments();
        let action = match segments.as_slice() {
            ["dead-letters" | "dlq", _, "replay"] => "POST /dead-letters/{id}/replay",
            ["jobs"] => "POST /jobs",
            _ => "POST /replays",
        };
        let needs = Needs {
            action,
            scope: Some(Scope::Manage),
            audited: true,
        };
        let Replayer { store, world, .. } = &self.replayer;
        let (config, now) = (&self.config, world.now());
        let pass = self.door.pass(&call, needs, store, config, now).await?;
        let outcome = match (call.method.as_str(), segments.as_slice()) {
            ("POST", ["jobs"]) => self.post_job(&call, &pass.caller, stop_at).await,
            ("POST", ["replays"]) => self.post_replay(&call, &pass.caller, stop_at).await,
            ("POST", ["dead-letters" | "dlq", id, "replay"]) => {
                self.replay_one(&pass.caller, id).await
            }
            (_, ["jobs" | "replays"] | ["dead-letters" | "dlq", _, "replay"]) => {
                Err(Problem::method_not_allowed("POST"))
            }
            _ => Err(Problem::not_found(format!(
                "no resource is at {}",
                call.path
            ))),
        };
        let noted = self.door.end(pass, &call, &outcome, store, config, now);
        noted.await;
        outcome
    }

    async fn post_job(
        &self,
        call: &Call,
        caller: &Caller,
        stop_at: Timestamp,
    ) -> Result<Reply, Problem> {
        let order: Order = call.json()?;
        if order.action.is_none() {
            let rule = "must be one of retry, replay, cancel, resolve, delete";
            return Err(Problem::invalid(&Invalid::new("action", rule)));
        }
        self.begin(order, caller, "jobs", stop_at).await
    }

    async fn post_replay(
        &self,
        call: &Call,
        caller: &Caller,
        stop_at: Timestamp,
    ) -> Result<Reply, Problem> {
        let order: Order = call.json()?;
        if order.action() != Action::Replay {
            let rule = "must be replay here: other jobs are asked for at /api/v1/jobs";
            return Err(Problem::invalid(&Invalid::new("action", rule)));
        }
        self.begin(order, caller, "replays", stop_at).await
    }

    async fn begin(
        &self,
        order: Order,
        caller: &Caller,
        resource: &str,
        stop_at: Timestamp,
    ) -> Result<Reply, Problem> {
        order.check()?;
        let answer_by =
            Timestamp::from_millis(self.replayer.world.now().as_millis() + ANSWER_WITHIN_MS);
        let tenant = caller.tenant_or(order.tenant.as_ref())?;
        let by = caller.actor.to_string();
        let job = match self
            .replayer
            .start_job(order, tenant, &by, stop_at.min(answer_by))
            .await
        {
            Ok(job) => job,
            Err(Unreadable::Invalid(invalid)) => return Err(Problem::invalid(&invalid)),
            Err(Unreadable::Unavailable(error)) => return Err(Problem::unavailable(&error)),
            Err(error @ (Unreadable::Unknown | Unreadable::Shape(_))) => {
                return Err(Problem::bad_request(error.to_string()));
            }
        };
        Ok(Reply::json(202, &job.shown(self.replayer.world.now()))
            .with_header("location", format!("/api/v1/{resource}/{}", job.id)))
    }

    async fn replay_one(&self, caller: &Caller, id: &str) -> Result<Reply, Problem> {
        let missing = || Problem::not_found("no dead letter has this id");
        let id: DeliveryId = id.parse().map_err(|_| missing())?;
        let mine = |delivery: &Delivery| {
            delivery.tenant == caller.tenant && !matches!(delivery.status, Status::Deleted { .. })
        };
        let Replayer {
            store,
            queues,
            world,
            ..
        } = &self.replayer;
        let delivery = store
            .delivery(&id)
            .await?
            .filter(mine)
            .ok_or_else(missing)?;
        let now = world.now();
        let asked = Asked::of(Action::Replay);
        let acted = actions::act(store, &asked, delivery, now, now).await?;
        let message = acted.message(now);
        let next = match acted {
            Acted::Send(next, _) => next,
            Acted::Already(delivery) | Acted::Refused(delivery, _) | Acted::Kept(delivery) => {
                let status = delivery.status_name();
                return Err(Problem::conflict(format!(
                    "this delivery is {status}, not dead"
                )));
            }
            Acted::Gone => return Err(missing()),
        };
        queues.send(message.into_iter().collect()).await?;
        self.replayer.note_replayed();
        tracing::info!(delivery.id = %next.id, cycle = next.cycle, "replayed");
        let shown =
            json!({ "delivery_id": next.id, "status": next.status_name(), "cycle": next.cycle });
        Ok(Reply::json(202, &shown)
            .with_header("location", format!("/api/v1/deliveries/{}", next.id)))
    }
}
