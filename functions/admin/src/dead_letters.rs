//! `dead-letters`: deliveries that were given up, newest event first.

use futures::future::try_join_all;
use hookpost_adapters::api::{Call, Problem, Reply};
use hookpost_adapters::auth::Caller;
use hookpost_adapters::table::DeliveryPage;
use hookpost_domain::delivery::Status;
use hookpost_domain::ids::DELIVERY_SHARDS;
use hookpost_domain::ports::World;
use hookpost_domain::{DeliveryId, EventId, Invalid, TenantId, Timestamp};

use crate::page::{self, Page};
use crate::{Admin, deliveries, view};

/// Ids looked at for one page of one endpoint's dead letters before it is answered short.
const MAX_LOOKED_AT: usize = 2_000;

impl<W: World> Admin<W> {
    pub(crate) async fn list_dead_letters(
        &self,
        call: &Call,
        caller: &Caller,
    ) -> Result<Reply, Problem> {
        let limit = page::limit(call)?;
        let endpoint = call
            .query("endpoint_id")
            .or_else(|| call.query("subscriber_id"));
        let mut after = call.query("after").map(read_after).transpose()?;
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
                data.extend(letter.map(view::dead_letter));
            }
        }
        let next = after.filter(|_| more).map(|id| id.to_string());
        Ok(Reply::json(200, &Page { data, next }))
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

    pub(crate) async fn get_dead_letter(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Reply, Problem> {
        let delivery = self.find_delivery(caller, id).await?;
        if !matches!(delivery.status, Status::Dead { .. }) {
            return Err(deliveries::missing());
        }
        Ok(Reply::json(200, &view::dead_letter(&delivery)))
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
        .ok_or_else(|| {
            let rule = "must be the `next` of a page before";
            Problem::invalid(&Invalid::new("after", rule))
        })
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
