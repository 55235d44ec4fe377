//! `stats/backlog`: what of a tenant's waits after a failed attempt, or behind a breaker or a
//! pause, and since when. What is on its way for the first time has no record yet, and is in the
//! queue's depth.

use futures::future::try_join_all;
use hookpost_adapters::api::Problem;
use hookpost_adapters::auth::Caller;
use hookpost_domain::delivery::StatusName;
use hookpost_domain::ids::DELIVERY_SHARDS;
use hookpost_domain::ports::{Error, RecordIndex, World};
use hookpost_domain::{DeliveryId, TenantId, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use crate::Management;

/// Every way of waiting.
const WAITING: [StatusName; 4] = [
    StatusName::Pending,
    StatusName::Retrying,
    StatusName::Parked,
    StatusName::Held,
];
/// Records counted of one status and shard: whoever has more wants to know that there are many.
const COUNTED: i32 = 64;

/// What waits.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Backlog")]
pub struct BacklogView {
    /// Always: the index is a moment behind.
    pub approximate: bool,
    /// Each way of waiting.
    pub waiting: Vec<WaitingView>,
}

/// What waits in one way.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Waiting")]
pub struct WaitingView {
    /// `pending`, `retrying`, `parked` or `held`.
    pub status: &'static str,
    /// How many, as far as they were counted: up to a thousand or so.
    pub count: usize,
    /// Whether there are more.
    pub more: bool,
    /// The one that has waited longest.
    pub oldest: Option<DeliveryId>,
    /// When its event was accepted.
    pub oldest_at: Option<Timestamp>,
}

impl<W: World> Management<W> {
    /// What waits.
    ///
    /// # Errors
    /// 503 if it could not be read.
    pub async fn backlog(&self, caller: &Caller) -> Result<BacklogView, Problem> {
        let all = WAITING.map(|status| self.waiting(&caller.tenant, status));
        Ok(BacklogView {
            approximate: true,
            waiting: try_join_all(all).await?,
        })
    }

    async fn waiting(&self, tenant: &TenantId, status: StatusName) -> Result<WaitingView, Error> {
        let name = status.as_str();
        let reads = (0..DELIVERY_SHARDS).map(|shard| {
            self.store
                .by_status(tenant, name, shard, None, (None, None), false, COUNTED)
        });
        let pages = try_join_all(reads).await?;
        let firsts = pages.iter().filter_map(|page| page.ids.first());
        let oldest = firsts.min_by_key(|id| id.event).cloned();
        Ok(WaitingView {
            status: name,
            count: pages.iter().map(|page| page.ids.len()).sum(),
            more: pages.iter().any(|page| page.next.is_some()),
            oldest_at: oldest.as_ref().map(|id| id.event.time()),
            oldest,
        })
    }
}
