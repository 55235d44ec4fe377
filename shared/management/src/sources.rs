//! `sources`: where webhooks come from.

use hookpost_adapters::api::Problem;
use hookpost_adapters::auth::Caller;
use hookpost_adapters::world::{random_bytes, secret_bytes};
use hookpost_domain::inbound::{Kind, Source, SourceDraft, SourceId, TypeFrom};
use hookpost_domain::ports::{World, Write};
use hookpost_domain::signature::Secret;
use hookpost_domain::{Invalid, TenantId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Management;
use crate::page::{self, Page};

/// How often a source is changed anew when others change it.
const TRIES: u32 = 5;

/// Which sources to list.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SourceQuery {
    /// How many, 1 to 200; 50 unless given.
    pub limit: Option<usize>,
    /// The `next` of the page before.
    pub after: Option<String>,
}

/// A source as it is shown.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SourceView {
    /// Its id.
    pub id: SourceId,
    /// Where the sender is to send to: a path of this API.
    path: String,
    tenant: TenantId,
    name: String,
    kind: Kind,
    event_type: TypeFrom,
    forward_headers: Vec<String>,
    enabled: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// What the sender is to sign with: only in the answer to whoever has just made it without
    /// giving one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("type" = "string"))]
    secret: Option<String>,
}

impl From<Source> for SourceView {
    fn from(source: Source) -> Self {
        Self {
            path: format!("/in/{}", source.id),
            id: source.id,
            tenant: source.tenant,
            name: source.name,
            kind: source.kind,
            event_type: source.event_type,
            forward_headers: source.forward_headers,
            enabled: source.enabled,
            created_at: source.created_at,
            updated_at: source.updated_at,
            secret: None,
        }
    }
}

fn missing() -> Problem {
    Problem::not_found("no source has this id")
}

impl<W: World> Management<W> {
    /// Makes a source.
    ///
    /// # Errors
    /// 422 for a field that breaks its rule.
    pub async fn create_source(
        &self,
        caller: &Caller,
        draft: SourceDraft,
    ) -> Result<SourceView, Problem> {
        let now = self.world.now();
        let made = secret_bytes().map_err(|error| Problem::unavailable(&error))?;
        let made = Secret::generate(made);
        let is_given = draft.secret.is_some() || draft.secrets.is_some();
        let id = SourceId::generate(now, random_bytes());
        let source = draft.create(id, caller.tenant.clone(), made.clone(), now)?;
        self.store.store_source(&source, 0).await?;
        Ok(SourceView {
            secret: (!is_given).then(|| made.reveal().to_owned()),
            ..source.into()
        })
    }

    /// A tenant's sources, newest first.
    ///
    /// # Errors
    /// 422 for a page that cannot be.
    pub async fn list_sources(
        &self,
        caller: &Caller,
        query: SourceQuery,
    ) -> Result<Page<SourceView>, Problem> {
        let limit = page::limit(query.limit)?;
        let after = self.place("sources", caller, query.after.as_deref());
        let after = after.await?.map(|after| after.parse::<SourceId>());
        let after = after.transpose().map_err(|_| page::unknown_place())?;
        let tenant = &caller.tenant;
        let (sources, more) = self.store.sources(tenant, after.as_ref(), limit).await?;
        let next = sources.last().filter(|_| more);
        let next = next.map(|source| source.id.to_string());
        Ok(Page {
            next: self.next("sources", caller, next).await?,
            data: sources.into_iter().map(SourceView::from).collect(),
        })
    }

    /// One source.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id.
    pub async fn get_source(&self, caller: &Caller, id: &str) -> Result<SourceView, Problem> {
        Ok(self.find_source(caller, id).await?.into())
    }

    /// Changes what the draft names, and nothing else.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id, 422 for a field that breaks its rule.
    pub async fn change_source(
        &self,
        caller: &Caller,
        id: &str,
        draft: SourceDraft,
    ) -> Result<SourceView, Problem> {
        let mut current = self.find_source(caller, id).await?;
        for _ in 0..TRIES {
            let next = draft.clone().change(&current, self.world.now())?;
            match self.store.store_source(&next, current.version).await? {
                Write::Won => return Ok(next.into()),
                Write::Lost(other) => current = other.ok_or_else(missing)?,
            }
        }
        Err(Problem::conflict("others change it all the time"))
    }

    /// Deletes a source: what its sender sends from then on is refused.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id.
    pub async fn delete_source(&self, caller: &Caller, id: &str) -> Result<(), Problem> {
        let source = self.find_source(caller, id).await?;
        let deleted = self.store.delete_source(&source.tenant, &source.id);
        Ok(deleted.await?)
    }

    async fn find_source(&self, caller: &Caller, id: &str) -> Result<Source, Problem> {
        let id: SourceId = id.parse().map_err(|_: Invalid| missing())?;
        let found = self.store.source(&caller.tenant, &id).await?;
        found.ok_or_else(missing)
    }
}
