//! A tenant's events, newest first: through the markers of the hours and shards that hold any, so
//! that neither a quiet tenant's empty hours nor a busy one's number of events cost anything.

use futures::future::try_join_all;
use hookpost_domain::event::{Bucket, EventOutline, hour_of};
use hookpost_domain::merge::{self, Shard};
use hookpost_domain::ports::{self, Error, EventWalk};
use hookpost_domain::{EventId, TenantId, Timestamp};

use super::events::{outline, pk};
use super::item::{Item, Read, s};
use super::{Store, failed, readable};

/// Markers that are read at once: three hours of a busy tenant.
const MARKERS: i32 = 24;
/// Buckets that are read at once.
const BUCKETS: usize = 8;

impl ports::EventHistory for Store {
    async fn events_back(
        &self,
        tenant: &TenantId,
        upto: Option<EventId>,
        from: Option<Timestamp>,
        limit: usize,
    ) -> Result<EventWalk, Error> {
        let from = from.unwrap_or_default();
        let last = EventId::floor(Timestamp::from_millis(u64::MAX));
        let mut upto = upto.unwrap_or(last);
        let mut found: Vec<EventOutline> = Vec::new();
        while found.len() < limit {
            let buckets = self.buckets_back(tenant, upto.time(), from).await?;
            let Some(oldest) = buckets.last().map(|bucket| bucket.hour.clone()) else {
                return Ok(EventWalk { found, more: false });
            };
            // Some more than its share, as shards are not alike.
            let share = (limit - found.len()) / 4 + 4;
            let reads = buckets
                .iter()
                .map(|bucket| self.bucket_back(bucket, upto, from, share));
            let merged = merge::newest_first(try_join_all(reads).await?, |event| event.id);
            found.extend(merged.items);
            upto = match merged.read_to {
                Some(read_to) => read_to.just_before(),
                None => EventId::floor(hour_start(&oldest)).just_before(),
            };
            if upto < EventId::floor(from) {
                return Ok(EventWalk { found, more: false });
            }
        }
        Ok(EventWalk { found, more: true })
    }
}

impl Store {
    /// Some buckets of whole hours, newest hour first, from that of `upto`.
    async fn buckets_back(
        &self,
        tenant: &TenantId,
        upto: Timestamp,
        from: Timestamp,
    ) -> Result<Vec<Bucket>, Error> {
        if upto < from {
            return Ok(Vec::new());
        }
        let answer = self
            .db
            .query()
            .table_name(&self.tables.events)
            .key_condition_expression("pk = :buckets AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":buckets", s(format!("buckets#{tenant}")))
            .expression_attribute_values(":from", s(hour_of(from)))
            .expression_attribute_values(":to", s(format!("{}#~", hour_of(upto))))
            .scan_index_forward(false)
            .limit(MARKERS)
            .send()
            .await
            .map_err(failed("Query events"))?;
        let bucket = |item: &Item| {
            let mut parts = item.maybe_text("sk")?.split('#');
            let (hour, shard) = (parts.next()?, parts.next()?);
            Some(Bucket {
                tenant: tenant.clone(),
                hour: hour.to_owned(),
                shard: shard.parse().ok()?,
            })
        };
        let mut buckets: Vec<Bucket> = answer.items().iter().filter_map(bucket).collect();
        // One that holds scheduled events has two markers.
        buckets.dedup();
        if answer.last_evaluated_key.is_some()
            && let Some(cut) = buckets.last().map(|bucket| bucket.hour.clone())
            && buckets.first().is_some_and(|first| first.hour != cut)
        {
            // Perhaps not all of this hour's were read.
            buckets.retain(|bucket| bucket.hour != cut);
        }
        if let Some(last) = buckets.get(BUCKETS - 1).map(|bucket| bucket.hour.clone()) {
            buckets.retain(|bucket| bucket.hour >= last);
        }
        Ok(buckets)
    }

    async fn bucket_back(
        &self,
        bucket: &Bucket,
        upto: EventId,
        from: Timestamp,
        limit: usize,
    ) -> Result<Shard<EventOutline>, Error> {
        let answer = self
            .db
            .query()
            .table_name(&self.tables.events)
            .key_condition_expression("pk = :bucket AND sk BETWEEN :from AND :to")
            .projection_expression("sk, event_type, endpoints, expires_at, deliver_at, alias")
            .expression_attribute_values(":bucket", s(pk(bucket)))
            .expression_attribute_values(":from", s(EventId::floor(from).to_string()))
            .expression_attribute_values(":to", s(upto.to_string()))
            .scan_index_forward(false)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(failed("Query events"))?;
        let outline = |item: &Item| outline(&bucket.tenant, item);
        let read_to = answer
            .last_evaluated_key()
            .and_then(|key| key.maybe_text("sk")?.parse().ok());
        Ok(Shard {
            items: answer
                .items()
                .iter()
                .filter_map(readable(outline))
                .collect(),
            read_to,
        })
    }
}

fn hour_start(hour: &str) -> Timestamp {
    format!("{hour}:00:00Z").parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_begins_where_it_is_named() {
        let now = Timestamp::from_millis(1_795_262_401_234);
        let start = hour_start(&hour_of(now));
        assert!(start <= now && hour_of(start) == hour_of(now));
        assert_eq!(start.as_millis() % 3_600_000, 0);
    }
}
