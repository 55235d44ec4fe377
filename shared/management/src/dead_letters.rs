//! `dead-letters`: deliveries that were given up, newest event first.

use futures::future::try_join_all;
use hookpost_adapters::api::Problem;
use hookpost_adapters::auth::Caller;
use hookpost_adapters::table::DeliveryPage;
use hookpost_domain::delivery::Status;
use hookpost_domain::ids::DELIVERY_SHARDS;
use hookpost_domain::ports::World;
use hookpost_domain::{DeliveryId, EventId, TenantId, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::page::{self, Page};
use crate::view::DeadLetterView;
use crate::{Management, deliveries};

/// Ids looked at for one page of one endpoint's dead letters before it is answered short.
const MAX_LOOKED_AT: usize = 2_000;

/// Which dead letters to list.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeadLetterQuery {
    /// How many, 1 to 200; 50 unless given.
    pub limit: Option<usize>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// Those of one endpoint.
    #[serde(alias = "subscriber_id")]
    pub endpoint_id: Option<String>,
}

impl<W: World> Management<W> {
    /// Dead letters, newest event first.
    ///
    /// # Errors
    /// 422 for a page that cannot be.
    pub async fn list_dead_letters(
        &self,
        caller: &Caller,
        query: DeadLetterQuery,
    ) -> Result<Page<DeadLetterView>, Problem> {
        let limit = page::limit(query.limit)?;
        let endpoint = query.endpoint_id.as_deref();
        let mut after = query.after.as_deref().map(read_after).transpose()?;
        let wanted = |id: &DeliveryId| endpoint.is_none_or(|one| id.endpoint.as_str() == one);
        let read = if endpoint.is_some() {
            limit.max(100)
        } else {
            limit
        };
        let mut ids: Vec<DeliveryId> = Vec::with_capacity(limit);
        let mut more = true;
        let mut looked_at = 0;
        while more && ids.len() < limit && looked_at < MAX_LOOKED_AT {
            let merged = self
                .dead_after(&caller.tenant, after.as_ref(), read)
                .await?;
            more = merged.more && !merged.ids.is_empty();
            let all = merged.ids.len();
            for (nth, id) in merged.ids.into_iter().enumerate() {
                after = Some(id.clone());
                looked_at += 1;
                if wanted(&id) {
                    ids.push(id);
                }
                if ids.len() == limit {
                    more |= nth + 1 < all;
                    break;
                }
            }
        }
        let mut data = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(100) {
            let mut found = self.store.deliveries(chunk).await?;
            found.retain(|delivery| matches!(delivery.status, Status::Dead { .. }));
            for id in chunk {
                // An index is behind its table: what is dead no more is left out.
                let letter = found.iter().find(|delivery| delivery.id == *id);
                data.extend(letter.map(DeadLetterView::of));
            }
        }
        let next = after.filter(|_| more).map(|id| id.to_string());
        Ok(Page { data, next })
    }

    /// The next `limit` dead letters after `after`, newest event first.
    ///
    /// An event's deliveries are all in one shard, so that one of them is a place in every shard:
    /// in its own the index knows its neighbours of the same event apart, and in the others the
    /// event is a time between two.
    async fn dead_after(
        &self,
        tenant: &TenantId,
        after: Option<&DeliveryId>,
        limit: usize,
    ) -> Result<Merged, Problem> {
        let read = i32::try_from(limit + 1).unwrap_or(i32::MAX);
        let shards = (0..DELIVERY_SHARDS).map(|shard| {
            self.store
                .by_status(tenant, "dead", shard, after, (None, None), true, read)
        });
        Ok(merge(try_join_all(shards).await?, limit))
    }

    /// A dead letter by its delivery's id.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id.
    pub async fn get_dead_letter(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<DeadLetterView, Problem> {
        let delivery = self.find_delivery(caller, id).await?;
        if !matches!(delivery.status, Status::Dead { .. }) {
            return Err(deliveries::missing());
        }
        Ok(DeadLetterView::of(&delivery))
    }
}

/// The first ones of all shards.
#[derive(Debug)]
struct Merged {
    ids: Vec<DeliveryId>,
    /// Whether there are more.
    more: bool,
}

fn merge(shards: Vec<DeliveryPage>, limit: usize) -> Merged {
    let unread = shards.iter().any(|page| page.next.is_some());
    let mut ids: Vec<DeliveryId> = shards.into_iter().flat_map(|page| page.ids).collect();
    // Stable: in one event the order is the index's own, which is what it goes on from.
    ids.sort_by_key(|id| std::cmp::Reverse(id.event));
    let more = unread || ids.len() > limit;
    ids.truncate(limit);
    Merged { ids, more }
}

fn read_after(text: &str) -> Result<DeliveryId, Problem> {
    let last = EventId::floor(Timestamp::from_millis(u64::MAX));
    text.parse()
        .ok()
        .filter(|id: &DeliveryId| id.event <= last)
        .ok_or_else(page::unknown_place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(ms: u64) -> EventId {
        EventId::generate(Timestamp::from_millis(ms), [1; 10])
    }

    fn id(event: EventId, endpoint: &str) -> DeliveryId {
        let endpoint = endpoint.parse().unwrap();
        DeliveryId { event, endpoint }
    }

    #[test]
    fn shards_are_merged_newest_first_in_the_order_of_the_index() {
        let fan_out = ["c", "a", "b"].map(|endpoint| id(event(5), endpoint));
        let others = [id(event(9), "z"), id(event(1), "z")];
        let shard = |ids: &[DeliveryId], next: Option<&DeliveryId>| DeliveryPage {
            ids: ids.to_vec(),
            next: next.cloned(),
        };
        let merged = merge(vec![shard(&fan_out, None), shard(&others, None)], 5);
        let [newest, oldest] = &others;
        let [c, a, b] = &fan_out;
        let expected = [newest, c, a, b, oldest].map(Clone::clone);
        assert_eq!((merged.ids.as_slice(), merged.more), (&expected[..], false));

        let merged = merge(vec![shard(&fan_out, None), shard(&others, None)], 3);
        assert_eq!((merged.ids.as_slice(), merged.more), (&expected[..3], true));
        assert!(merge(vec![shard(&[], Some(c))], 3).more);
    }

    #[test]
    fn a_place_that_no_page_could_have_ended_at_is_refused() {
        let place = id(event(5), "a");
        assert_eq!(read_after(&place.to_string()).unwrap(), place);
        for bad in ["", "x", "ffffffff-ffff-7fff-8fff-ffffffffffff_a"] {
            assert!(read_after(bad).is_err(), "{bad}");
        }
    }
}
