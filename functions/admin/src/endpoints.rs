//! `endpoints`: create, list, get, change, delete, health.

use hookpost_adapters::api::{Call, Problem, Reply};
use hookpost_adapters::auth::Caller;
use hookpost_adapters::world::{random_bytes, secret_bytes};
use hookpost_domain::breaker::Breaker;
use hookpost_domain::endpoint::{Endpoint, EndpointDraft, EndpointState};
use hookpost_domain::ports::{Endpoints, Error, Holding, World, Write};
use hookpost_domain::signature::Secret;
use hookpost_domain::{EndpointId, Invalid};
use serde_json::json;

use crate::page::{self, Page};
use crate::{Admin, view};

/// How often a change is made anew when another changes the same endpoint.
const TRIES: u32 = 5;

pub(crate) fn missing() -> Problem {
    Problem::not_found("no endpoint has this id")
}

impl<W: World> Admin<W> {
    pub(crate) async fn create_endpoint(
        &self,
        call: &Call,
        caller: &Caller,
    ) -> Result<Reply, Problem> {
        let draft: EndpointDraft = call.json()?;
        let now = self.world.now();
        let secret = secret_bytes().map_err(|error| Problem::unavailable(&error))?;
        let endpoint = draft.create(
            EndpointId::generate(now, random_bytes()),
            caller.tenant.clone(),
            Secret::generate(secret),
            &self.config.allowed_targets,
            now,
        )?;
        let have = self.store.endpoints(&caller.tenant).await?.len();
        if have >= self.config.max_endpoints {
            let rule = format!(
                "are limited to {} a tenant in this deployment",
                self.config.max_endpoints
            );
            return Err(Problem::invalid(&Invalid::new("endpoints", rule)));
        }
        self.note_if_paused(&[&endpoint]).await?;
        self.store.store_endpoint(&endpoint, 0).await?;
        let shown = view::endpoint(&endpoint, &self.config.retry, true);
        Ok(Reply::json(201, &shown)
            .with_header("location", format!("/api/v1/endpoints/{}", endpoint.id)))
    }

    pub(crate) async fn list_endpoints(
        &self,
        call: &Call,
        caller: &Caller,
    ) -> Result<Reply, Problem> {
        let limit = page::limit(call)?;
        let mut endpoints = self.store.endpoints(&caller.tenant).await?;
        endpoints
            .sort_by(|one, other| (other.created_at, &other.id).cmp(&(one.created_at, &one.id)));
        if let Some(after) = call.query("after") {
            let place = endpoints
                .iter()
                .position(|endpoint| endpoint.id.as_str() == after);
            let Some(place) = place else {
                return Err(Problem::invalid(&Invalid::new(
                    "after",
                    "must be the `next` of a page before",
                )));
            };
            endpoints.drain(..=place);
        }
        let more = endpoints.len() > limit;
        endpoints.truncate(limit);
        let next = endpoints
            .last()
            .filter(|_| more)
            .map(|endpoint| endpoint.id.to_string());
        let show = |endpoint: &Endpoint| view::endpoint(endpoint, &self.config.retry, false);
        Ok(Reply::json(
            200,
            &Page {
                data: endpoints.iter().map(show).collect(),
                next,
            },
        ))
    }

    pub(crate) async fn get_endpoint(&self, caller: &Caller, id: &str) -> Result<Reply, Problem> {
        let endpoint = self.find_endpoint(caller, id).await?;
        Ok(Reply::json(
            200,
            &view::endpoint(&endpoint, &self.config.retry, false),
        ))
    }

    pub(crate) async fn change_endpoint(
        &self,
        call: &Call,
        caller: &Caller,
        id: &str,
    ) -> Result<Reply, Problem> {
        let draft: EndpointDraft = call.json()?;
        let now = self.world.now();
        let mut current = self.find_endpoint(caller, id).await?;
        for _ in 0..TRIES {
            let mut next = draft
                .clone()
                .change(&current, &self.config.allowed_targets, now)?;
            view::unmask_headers(&mut next.headers, &current.headers);
            self.note_if_paused(&[&current, &next]).await?;
            match self.store.store_endpoint(&next, current.version).await? {
                Write::Won => {
                    return Ok(Reply::json(
                        200,
                        &view::endpoint(&next, &self.config.retry, false),
                    ));
                }
                Write::Lost(other) => current = other.ok_or_else(missing)?,
            }
        }
        Err(Problem::conflict(
            "this endpoint is being changed by others; try again",
        ))
    }

    pub(crate) async fn delete_endpoint(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Reply, Problem> {
        let id: EndpointId = id.parse().map_err(|_| missing())?;
        // What is held back for it has to be cancelled by somebody.
        self.store
            .note_holding(&caller.tenant, &id, self.world.now())
            .await?;
        if self.store.delete_endpoint(&caller.tenant, &id).await? {
            Ok(Reply::empty())
        } else {
            Err(missing())
        }
    }

    pub(crate) async fn endpoint_health(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Reply, Problem> {
        let id: EndpointId = id.parse().map_err(|_| missing())?;
        let (_, health) = self
            .store
            .endpoint(&caller.tenant, &id)
            .await?
            .ok_or_else(missing)?;
        let breaker = match &health.breaker {
            Breaker::Closed => json!({ "state": "closed" }),
            Breaker::Open {
                opened_at,
                pause_seconds,
                next_probe,
                ..
            } => json!({
                "state": if self.world.now() < *next_probe { "open" } else { "half_open" },
                "opened_at": opened_at,
                "pause_seconds": pause_seconds,
                "next_probe_at": next_probe,
            }),
        };
        let shown = json!({
            "endpoint_id": id,
            "breaker": breaker,
            "consecutive_failures": health.failures,
            "failing_since": health.failing_since,
        });
        Ok(Reply::json(200, &shown))
    }

    /// Before the first delivery is held back, and again before the last ones are let go: somebody
    /// has to look after them.
    async fn note_if_paused(&self, states: &[&Endpoint]) -> Result<(), Error> {
        let paused = |endpoint: &&&Endpoint| endpoint.state == EndpointState::Paused;
        let Some(endpoint) = states.iter().find(paused) else {
            return Ok(());
        };
        let now = self.world.now();
        self.store
            .note_holding(&endpoint.tenant, &endpoint.id, now)
            .await
    }

    async fn find_endpoint(&self, caller: &Caller, id: &str) -> Result<Endpoint, Problem> {
        let id: EndpointId = id.parse().map_err(|_| missing())?;
        self.store
            .endpoint_config(&caller.tenant, &id)
            .await?
            .ok_or_else(missing)
    }
}
