//! `audit`: who did what, when, from where.

use hookpost_adapters::api::Problem;
use hookpost_adapters::auth::Caller;
use hookpost_domain::Timestamp;
use hookpost_domain::audit::{AuditFilter, Entry, Outcome};
use hookpost_domain::ids::AuditId;
use hookpost_domain::ports::World;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Management;
use crate::page::{self, Page};

/// Which entries to list.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuditQuery {
    /// How many, 1 to 200; 50 unless given.
    pub limit: Option<usize>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// Those at or after this time.
    pub from: Option<Timestamp>,
    /// Those before this time.
    pub to: Option<Timestamp>,
    /// Those of this key, token, `deploy-key`, `console` or `anonymous`.
    pub actor: Option<String>,
    /// Those of this kind: `DELETE /endpoints/{id}`.
    pub action: Option<String>,
    /// Those that came to this.
    pub outcome: Option<Outcome>,
    /// Those about this, or what is below it: `endpoints/ep_...`.
    pub resource: Option<String>,
    /// Those of no tenant, and not those of the call's own: calls that were refused before it was
    /// known whose they were.
    pub deployment: bool,
}

/// An entry, with its time.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AuditEntryView {
    at: Timestamp,
    #[serde(flatten)]
    entry: Entry,
}

impl<W: World> Management<W> {
    /// The audit log, newest first. A page may be short where a filter fits few.
    ///
    /// # Errors
    /// 422 for a page that cannot be, 403 for the deployment's by a key of one tenant.
    pub async fn list_audit(
        &self,
        caller: &Caller,
        query: AuditQuery,
    ) -> Result<Page<AuditEntryView>, Problem> {
        let limit = page::limit(query.limit)?;
        let list = if query.deployment {
            "deployment-audit"
        } else {
            "audit"
        };
        let after = self.place(list, caller, query.after.as_deref()).await?;
        let after = after.map(|after| after.parse::<AuditId>());
        let after = after.transpose().map_err(|_| page::unknown_place())?;
        if query.deployment && !caller.speaks_for_all() {
            return Err(Problem::forbidden(
                "this key does not speak for all tenants",
            ));
        }
        let tenant = (!query.deployment).then_some(&caller.tenant);
        let filter = AuditFilter {
            from: query.from,
            to: query.to,
            actor: query.actor,
            action: query.action,
            outcome: query.outcome,
            resource: query.resource,
        };
        let page = self.store.audit(tenant, &filter, after, limit).await?;
        let show = |entry: Entry| AuditEntryView {
            at: entry.id.time(),
            entry,
        };
        Ok(Page {
            data: page.entries.into_iter().map(show).collect(),
            next: self
                .next(list, caller, page.next.map(|id| id.to_string()))
                .await?,
        })
    }
}
