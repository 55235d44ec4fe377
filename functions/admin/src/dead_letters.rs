//! `dead-letters`: deliveries that were given up, newest event first.

use futures::future::try_join_all;
use hookpost_adapters::api::{Call, Problem, Reply};
use hookpost_adapters::auth::Caller;
use hookpost_domain::delivery::Status;
use hookpost_domain::ids::DELIVERY_SHARDS;
use hookpost_domain::ports::World;
use hookpost_domain::{DeliveryId, Invalid, Timestamp};

use crate::page::{self, Page};
use crate::{Admin, deliveries, view};

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
        // A page ends at an event: what is newer than it, or was on the page before, is left out.
        let after: Option<DeliveryId> = match call.query("after") {
            None => None,
            Some(text) => {
                let rule = "must be the `next` of a page before";
                Some(
                    text.parse()
                        .map_err(|_| Problem::invalid(&Invalid::new("after", rule)))?,
                )
            }
        };
        let until = after
            .as_ref()
            .map(|id| Timestamp::from_millis(id.event.time().as_millis() + 1));
        let read = i32::try_from(limit + 1).unwrap_or(i32::MAX);
        let shards = (0..DELIVERY_SHARDS).map(|shard| {
            self.store.by_status(
                &caller.tenant,
                "dead",
                shard,
                None,
                (None, until),
                true,
                read,
            )
        });
        let mut ids: Vec<DeliveryId> = try_join_all(shards)
            .await?
            .into_iter()
            .flat_map(|page| page.ids)
            .collect();
        ids.sort_by(|one, other| other.cmp(one));
        ids.retain(|id| after.as_ref().is_none_or(|after| id < after));
        let more = ids.len() > limit;
        ids.truncate(limit);
        let next = ids.last().filter(|_| more).map(ToString::to_string);
        let mut found = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(100) {
            found.extend(self.store.deliveries(chunk).await?);
        }
        found.sort_by(|one, other| other.id.cmp(&one.id));
        found.retain(|delivery| {
            matches!(delivery.status, Status::Dead { .. })
                && endpoint.is_none_or(|wanted| delivery.id.endpoint.as_str() == wanted)
        });
        Ok(Reply::json(
            200,
            &Page {
                data: found.iter().map(view::dead_letter).collect(),
                next,
            },
        ))
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
