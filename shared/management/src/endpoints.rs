//! `endpoints`: create, list, get, change, delete, health.

use hookpost_adapters::api::Problem;
use hookpost_adapters::auth::Caller;
use hookpost_adapters::table::Creation;
use hookpost_adapters::world::{random_bytes, secret_bytes};
use hookpost_domain::endpoint::{Endpoint, EndpointDraft, EndpointState, ManagedBy, RotationDraft};
use hookpost_domain::news::Note;
use hookpost_domain::ports::{EndpointList, Endpoints, Error, Holding, Notes, World, Write};
use hookpost_domain::signature::Secret;
use hookpost_domain::{EndpointId, Invalid};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Management;
use crate::page::{self, Page};
use crate::view::{EndpointView, unmask_headers};

/// How often a change is made anew when another changes the same endpoint.
pub(crate) const TRIES: u32 = 5;

pub(crate) fn missing() -> Problem {
    Problem::not_found("no endpoint has this id")
}

pub(crate) fn busy() -> Problem {
    Problem::conflict("this endpoint is being changed by others; try again")
}

/// What an endpoint is like is not changed here if it is said elsewhere.
fn changeable(endpoint: &Endpoint) -> Result<(), Problem> {
    let why = match endpoint.managed_by {
        None => return Ok(()),
        Some(ManagedBy::Deployment) => {
            "this endpoint is declared by the deployment: change `WebhookUrls` or \
             `WebhookSettings` there, and deploy"
        }
        Some(ManagedBy::Delivery) => {
            "this endpoint was made for deliveries to its URL: post them with other settings"
        }
    };
    Err(Problem::conflict(why))
}

/// Which endpoints to list.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EndpointQuery {
    /// How many, 1 to 200; 50 unless given.
    pub limit: Option<usize>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// Only those that are `active`, `paused` or `disabled`.
    pub state: Option<String>,
    /// Only those with this text in their URL, name or description, whatever its case.
    pub text: Option<String>,
    /// Only those with this entry in their metadata: `key:value`, or `key` for any value.
    pub metadata: Option<String>,
}

impl EndpointQuery {
    /// Which endpoints are meant.
    fn filter(&self) -> Result<impl Fn(&Endpoint) -> bool + use<>, Problem> {
        let state = self.state.clone();
        if state
            .as_ref()
            .is_some_and(|state| !["active", "paused", "disabled"].contains(&state.as_str()))
        {
            let rule = "must be `active`, `paused` or `disabled`";
            return Err(Problem::invalid(&Invalid::new("state", rule)));
        }
        let text = self.text.as_ref().map(|text| text.to_lowercase());
        let entry = self.metadata.clone();
        Ok(move |endpoint: &Endpoint| {
            let said = [
                endpoint.url.as_url().as_str(),
                &endpoint.name,
                &endpoint.description,
            ];
            let has_text = |text: &String| said.iter().any(|s| s.to_lowercase().contains(text));
            let has_entry = |entry: &String| match entry.split_once(':') {
                Some((key, value)) => endpoint.metadata.get(key).is_some_and(|own| own == value),
                None => endpoint.metadata.contains_key(entry),
            };
            state
                .as_ref()
                .is_none_or(|state| *state == endpoint.state.name())
                && text.as_ref().is_none_or(has_text)
                && entry.as_ref().is_none_or(has_entry)
        })
    }
}

impl<W: World> Management<W> {
    /// Makes an endpoint. Its secret is in the answer, and in none after it.
    ///
    /// # Errors
    /// 422 for a field that breaks its rule, or a tenant that has as many as it may.
    pub async fn create_endpoint(
        &self,
        caller: &Caller,
        draft: EndpointDraft,
    ) -> Result<EndpointView, Problem> {
        let now = self.world.now();
        let secret = secret_bytes().map_err(|error| Problem::unavailable(&error))?;
        let endpoint = draft.create(
            EndpointId::generate(now, random_bytes()),
            caller.tenant.clone(),
            Secret::generate(secret),
            &self.config.allowed_targets,
            now,
        )?;
        self.note_before(None, &endpoint).await?;
        self.note_if_ordered(&endpoint).await?;
        let most = self.config.max_endpoints;
        match self.store.create_endpoint(&endpoint, most).await? {
            Creation::Made => {}
            Creation::Full => {
                let rule = format!("are limited to {most} a tenant in this deployment");
                return Err(Problem::invalid(&Invalid::new("endpoints", rule)));
            }
            // Its id is new: somebody has changed it since it was made here.
            Creation::Exists => return Err(busy()),
        }
        Ok(EndpointView::with_secrets(&endpoint, &self.config.retry))
    }

    /// A tenant's endpoints, newest first.
    ///
    /// # Errors
    /// 422 for a page that cannot be.
    pub async fn list_endpoints(
        &self,
        caller: &Caller,
        query: EndpointQuery,
    ) -> Result<Page<EndpointView>, Problem> {
        let limit = page::limit(query.limit)?;
        let meant = query.filter()?;
        let mut endpoints = self.store.endpoints(&caller.tenant).await?;
        endpoints
            .sort_by(|one, other| (other.created_at, &other.id).cmp(&(one.created_at, &one.id)));
        let after = query.after.as_deref();
        if let Some(after) = self.place("endpoints", caller, after).await? {
            let place = endpoints
                .iter()
                .position(|endpoint| endpoint.id.as_str() == after);
            endpoints.drain(..=place.ok_or_else(page::unknown_place)?);
        }
        endpoints.retain(meant);
        let more = endpoints.len() > limit;
        endpoints.truncate(limit);
        let next = endpoints
            .last()
            .filter(|_| more)
            .map(|endpoint| endpoint.id.to_string());
        let next = self.next("endpoints", caller, next).await?;
        let show = |endpoint: &Endpoint| EndpointView::of(endpoint, &self.config.retry);
        Ok(Page {
            data: endpoints.iter().map(show).collect(),
            next,
        })
    }

    /// One endpoint.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id.
    pub async fn get_endpoint(&self, caller: &Caller, id: &str) -> Result<EndpointView, Problem> {
        let endpoint = self.find_endpoint(caller, id).await?;
        Ok(EndpointView::of(&endpoint, &self.config.retry))
    }

    /// Changes what the draft names, and nothing else.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id, 422 for a field that breaks its rule, 409 if others
    /// change it all the time, or what it is like is said elsewhere.
    pub async fn change_endpoint(
        &self,
        caller: &Caller,
        id: &str,
        draft: EndpointDraft,
    ) -> Result<EndpointView, Problem> {
        let now = self.world.now();
        let change = |current: &Endpoint| {
            changeable(current)?;
            let mut next = draft
                .clone()
                .change(current, &self.config.allowed_targets, now)?;
            unmask_headers(&mut next.headers, &current.headers);
            Ok(Some(next))
        };
        self.change_endpoint_by(caller, id, change).await
    }

    /// Changes an endpoint as `change` says, over the version that it saw; `None` changes nothing.
    ///
    /// # Errors
    /// What `change` refuses; 404 if the tenant has none of this id, 409 if others change it all
    /// the time.
    pub(crate) async fn change_endpoint_by(
        &self,
        caller: &Caller,
        id: &str,
        change: impl Fn(&Endpoint) -> Result<Option<Endpoint>, Problem>,
    ) -> Result<EndpointView, Problem> {
        let mut current = self.whole_endpoint(caller, id).await?;
        for _ in 0..TRIES {
            let Some(next) = change(&current)? else {
                return Ok(EndpointView::of(&current, &self.config.retry));
            };
            self.note_before(Some(&current), &next).await?;
            if current.ordered.is_none() {
                self.note_if_ordered(&next).await?;
            }
            match self.store.store_endpoint(&next, current.version).await? {
                Write::Won => return Ok(EndpointView::of(&next, &self.config.retry)),
                Write::Lost(other) => current = other.ok_or_else(missing)?,
            }
        }
        Err(busy())
    }

    /// Puts a new secret in the place of the present one, which signs on for a while beside it. The
    /// new one is in the answer, and in none after it.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id, 422 for a field that breaks its rule, 409 if others
    /// change it all the time.
    pub async fn rotate_secret(
        &self,
        caller: &Caller,
        id: &str,
        draft: RotationDraft,
    ) -> Result<EndpointView, Problem> {
        let now = self.world.now();
        let secret = secret_bytes().map_err(|error| Problem::unavailable(&error))?;
        let secret = Secret::generate(secret);
        let mut current = self.whole_endpoint(caller, id).await?;
        for _ in 0..TRIES {
            changeable(&current)?;
            let next = draft.clone().rotate(&current, secret.clone(), now)?;
            match self.store.store_endpoint(&next, current.version).await? {
                Write::Won => return Ok(EndpointView::rotated(&next, &self.config.retry)),
                Write::Lost(other) => current = other.ok_or_else(missing)?,
            }
        }
        Err(busy())
    }

    /// Deletes an endpoint; its deliveries end cancelled.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id, 409 for one that the deployment declares.
    pub async fn delete_endpoint(&self, caller: &Caller, id: &str) -> Result<(), Problem> {
        let endpoint = self.find_endpoint(caller, id).await?;
        if endpoint.managed_by == Some(ManagedBy::Deployment) {
            changeable(&endpoint)?;
        }
        let id = endpoint.id;
        // What is held back for it has to be cancelled by somebody.
        self.store
            .note_holding(&caller.tenant, &id, self.world.now())
            .await?;
        if self.store.delete_endpoint(&caller.tenant, &id).await? {
            Ok(())
        } else {
            Err(missing())
        }
    }

    /// Before an endpoint becomes what it is to be. Before the first delivery is held back, and again
    /// before the last ones are let go, somebody has to look after them; whoever wants to know is
    /// told that it is disabled; and one that wants to know such things has to be known.
    pub(crate) async fn note_before(
        &self,
        before: Option<&Endpoint>,
        next: &Endpoint,
    ) -> Result<(), Error> {
        let now = self.world.now();
        let states = || before.into_iter().chain([next]);
        let is_paused = states().any(|one| one.state == EndpointState::Paused);
        let was_disabled =
            before.is_some_and(|one| matches!(one.state, EndpointState::Disabled(_)));
        let is_disabled = matches!(next.state, EndpointState::Disabled(_));
        if is_paused || (is_disabled && !was_disabled) {
            let noted = self.store.note_holding(&next.tenant, &next.id, now);
            noted.await?;
        }
        if next.is_operational() {
            self.store.note(&Note::listener(&next.tenant, now)).await?;
        }
        Ok(())
    }

    /// With its secrets: what a change is made from.
    pub(crate) async fn whole_endpoint(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Endpoint, Problem> {
        let id: EndpointId = id.parse().map_err(|_| missing())?;
        self.store
            .whole_endpoint(&caller.tenant, &id)
            .await?
            .ok_or_else(missing)
    }

    pub(crate) async fn find_endpoint(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Endpoint, Problem> {
        let id: EndpointId = id.parse().map_err(|_| missing())?;
        self.store
            .endpoint_config(&caller.tenant, &id)
            .await?
            .ok_or_else(missing)
    }
}
