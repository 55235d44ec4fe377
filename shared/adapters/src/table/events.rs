//! The `events` table: `tenant#hour#shard` / `event_id`, and the markers of buckets that hold any.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};
use hookpost_domain::event::{Bucket, Event, EventOutline};
use hookpost_domain::ports::{self, Error, OutlinePage};
use hookpost_domain::schedule::MAX_AHEAD;
use hookpost_domain::trace::TraceParent;
use hookpost_domain::{EndpointId, EventId, TenantId, Timestamp};
use serde_json::value::RawValue;

use super::item::{Item, Read, n, s};
use super::{Store, damaged, failed, readable};

/// Most items in one `BatchWriteItem`.
const MAX_BATCH_WRITE: usize = 25;
/// Buckets that a process remembers having marked; beyond that it starts anew.
const MAX_MARKED: usize = 10_000;

/// The buckets that this process has marked.
pub(super) type Marked = HashSet<Bucket>;

pub(super) fn pk(bucket: &Bucket) -> String {
    format!("{}#{}#{}", bucket.tenant, bucket.hour, bucket.shard)
}

fn to_item(event: &Event, retention: Duration) -> Item {
    let endpoints: Vec<&str> = event.endpoints.iter().map(EndpointId::as_str).collect();
    let mut item = Item::from([
        ("pk".to_owned(), s(pk(&Bucket::of(&event.tenant, event.id)))),
        ("sk".to_owned(), s(event.id.to_string())),
        ("event_type".to_owned(), s(event.event_type.as_str())),
        ("payload".to_owned(), s(event.payload.get())),
        ("endpoints".to_owned(), s(endpoints.join(" "))),
        (
            "expires_at".to_owned(),
            n(event.due().after(retention).as_secs()),
        ),
    ]);
    if let Some(at) = event.deliver_at {
        item.insert("deliver_at".to_owned(), n(at.as_millis()));
    }
    if let Some(attributes) = &event.cloud_event {
        item.insert("cloud_event".to_owned(), s(attributes.get()));
    }
    if let Some(trace) = event.traceparent {
        item.insert("traceparent".to_owned(), s(trace.to_string()));
    }
    if let Some(alias) = &event.alias {
        item.insert("alias".to_owned(), s(alias));
    }
    item
}

fn from_item(tenant: &TenantId, item: &Item) -> Result<Event, Error> {
    let read = || -> Result<Event, String> {
        let payload = item.text("payload")?.to_owned();
        let endpoints = item.text("endpoints")?.split_ascii_whitespace();
        Ok(Event {
            id: item
                .text("sk")?
                .parse()
                .map_err(|error| format!("{error}"))?,
            tenant: tenant.clone(),
            event_type: item
                .text("event_type")?
                .parse()
                .map_err(|error| format!("{error}"))?,
            payload: RawValue::from_string(payload).map_err(|error| error.to_string())?,
            alias: item.maybe_text("alias").map(str::to_owned),
            endpoints: endpoints
                .map(|id| id.parse().map_err(|error| format!("{error}")))
                .collect::<Result<_, _>>()?,
            deliver_at: deliver_at(item),
            cloud_event: item
                .maybe_text("cloud_event")
                .map(|text| RawValue::from_string(text.to_owned()))
                .transpose()
                .map_err(|error| error.to_string())?,
            traceparent: item.maybe_text("traceparent").and_then(TraceParent::parse),
        })
    };
    read().map_err(|what| damaged("events", item.maybe_text("sk").unwrap_or("?"), what))
}

fn deliver_at(item: &Item) -> Option<Timestamp> {
    item.maybe_number("deliver_at").map(Timestamp::from_millis)
}

pub(super) fn outline(tenant: &TenantId, item: &Item) -> Result<EventOutline, Error> {
    let read = || -> Result<EventOutline, String> {
        let endpoints = item.text("endpoints")?.split_ascii_whitespace();
        let expires_at = Duration::from_secs(item.number("expires_at")?);
        Ok(EventOutline {
            id: item
                .text("sk")?
                .parse()
                .map_err(|error| format!("{error}"))?,
            tenant: tenant.clone(),
            event_type: item
                .text("event_type")?
                .parse()
                .map_err(|error| format!("{error}"))?,
            endpoints: endpoints
                .map(|id| id.parse().map_err(|error| format!("{error}")))
                .collect::<Result<_, _>>()?,
            expires_at: Timestamp::default().after(expires_at),
            deliver_at: deliver_at(item),
            alias: item.maybe_text("alias").map(str::to_owned),
        })
    };
    read().map_err(|what| damaged("events", item.maybe_text("sk").unwrap_or("?"), what))
}

impl ports::Events for Store {
    async fn event(&self, tenant: &TenantId, id: EventId) -> Result<Option<Event>, Error> {
        let answer = self
            .db
            .get_item()
            .table_name(&self.tables.events)
            .key("pk", s(pk(&Bucket::of(tenant, id))))
            .key("sk", s(id.to_string()))
            .consistent_read(true)
            .send()
            .await
            .map_err(failed("GetItem events"))?;
        answer
            .item
            .as_ref()
            .map(|item| from_item(tenant, item))
            .transpose()
    }
}

impl ports::EventIntake for Store {
    async fn store_events(&self, events: &[Event]) -> Result<(), Error> {
        let mut items: Vec<Item> = Vec::with_capacity(events.len() + 2);
        let unmarked: HashSet<Bucket> = {
            let marked = self
                .marked
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            let buckets = events
                .iter()
                .map(|event| Bucket::of(&event.tenant, event.id));
            buckets.filter(|bucket| !marked.contains(bucket)).collect()
        };
        for bucket in &unmarked {
            items.extend(self.markers(bucket, events));
        }
        let scheduled = events.iter().filter(|event| event.deliver_at.is_some());
        let scheduled: HashSet<Bucket> = scheduled
            .map(|event| Bucket::of(&event.tenant, event.id))
            .collect();
        items.extend(
            scheduled
                .iter()
                .map(|bucket| self.long_marker(bucket, events)),
        );
        items.extend(events.iter().map(|event| to_item(event, self.retention)));
        match <[Item; 1]>::try_from(items) {
            Ok([item]) => {
                let put = self
                    .db
                    .put_item()
                    .table_name(&self.tables.events)
                    .set_item(Some(item));
                put.send().await.map_err(failed("PutItem events"))?;
            }
            Err(items) => self.put_all(items).await?,
        }
        let mut marked = self
            .marked
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if marked.len() + unmarked.len() > MAX_MARKED {
            marked.clear();
        }
        marked.extend(unmarked);
        Ok(())
    }
}

impl Store {
    /// One marker for the tenant's own listing, newest hour first, and one for the sweeper, which
    /// goes through an hour of all tenants.
    fn markers(&self, bucket: &Bucket, events: &[Event]) -> [Item; 2] {
        let newest = events
            .iter()
            .map(Event::accepted_at)
            .max()
            .unwrap_or_default();
        let hour = Duration::from_secs(3600);
        let expires = newest.after(self.retention).after(hour);
        let marker = |pk: String, sk: String| {
            Item::from([
                ("pk".to_owned(), s(pk)),
                ("sk".to_owned(), s(sk)),
                ("expires_at".to_owned(), n(expires.as_secs())),
            ])
        };
        [
            marker(
                format!("buckets#{}", bucket.tenant),
                format!("{}#{}", bucket.hour, bucket.shard),
            ),
            marker(
                format!("hour#{}", bucket.hour),
                format!("{}#{}", bucket.tenant, bucket.shard),
            ),
        ]
    }

    /// The marker of a bucket that holds scheduled events, which stay longer than the others.
    fn long_marker(&self, bucket: &Bucket, events: &[Event]) -> Item {
        let newest = events.iter().map(Event::accepted_at).max();
        // The longest that any of them can stay, so that no other's marker cuts it short.
        let lasting = MAX_AHEAD + self.retention + Duration::from_secs(3600);
        let expires = newest.unwrap_or_default().after(lasting);
        Item::from([
            ("pk".to_owned(), s(format!("buckets#{}", bucket.tenant))),
            (
                "sk".to_owned(),
                s(format!("{}#{}#s", bucket.hour, bucket.shard)),
            ),
            ("expires_at".to_owned(), n(expires.as_secs())),
        ])
    }

    async fn put_all(&self, items: Vec<Item>) -> Result<(), Error> {
        let mut requests = Vec::with_capacity(items.len());
        for item in items {
            let put = PutRequest::builder()
                .set_item(Some(item))
                .build()
                .map_err(|error| Error {
                    call: "BatchWriteItem events",
                    source: error.into(),
                })?;
            requests.push(WriteRequest::builder().put_request(put).build());
        }
        let chunks = requests
            .chunks(MAX_BATCH_WRITE)
            .map(|chunk| self.put_chunk(chunk.to_vec()));
        futures::future::try_join_all(chunks).await.map(|_| ())
    }

    async fn put_chunk(&self, mut requests: Vec<WriteRequest>) -> Result<(), Error> {
        for pause_ms in [0u64, 20, 50, 100, 200, 400, 800] {
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            let answer = self
                .db
                .batch_write_item()
                .set_request_items(Some(HashMap::from([(
                    self.tables.events.clone(),
                    requests,
                )])))
                .send()
                .await
                .map_err(failed("BatchWriteItem events"))?;
            let rest = answer
                .unprocessed_items
                .unwrap_or_default()
                .into_values()
                .next();
            match rest {
                Some(rest) if !rest.is_empty() => requests = rest,
                Some(_) | None => return Ok(()),
            }
        }
        Err(Error {
            call: "BatchWriteItem events",
            source: "the table is throttled".into(),
        })
    }
}

impl ports::EventTimes for Store {
    async fn buckets_of_hour(&self, hour: &str) -> Result<Vec<Bucket>, Error> {
        let mut buckets = Vec::new();
        let mut start = None;
        loop {
            let answer = self
                .db
                .query()
                .table_name(&self.tables.events)
                .key_condition_expression("pk = :hour")
                .expression_attribute_values(":hour", s(format!("hour#{hour}")))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(failed("Query events"))?;
            let bucket = |item: &Item| {
                let sk = item.maybe_text("sk").unwrap_or_default();
                let bucket = sk.rsplit_once('#').and_then(|(tenant, shard)| {
                    Some(Bucket {
                        tenant: tenant.parse().ok()?,
                        hour: hour.to_owned(),
                        shard: shard.parse().ok()?,
                    })
                });
                bucket.ok_or_else(|| damaged("events", sk, "it is no marker"))
            };
            buckets.extend(answer.items().iter().filter_map(readable(bucket)));
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(buckets);
            }
        }
    }

    async fn outlines_between(
        &self,
        bucket: &Bucket,
        from: Timestamp,
        to: Timestamp,
        after: Option<EventId>,
    ) -> Result<OutlinePage, Error> {
        let start = after.map(|event| {
            Item::from([
                ("pk".to_owned(), s(pk(bucket))),
                ("sk".to_owned(), s(event.to_string())),
            ])
        });
        let answer = self
            .db
            .query()
            .table_name(&self.tables.events)
            .key_condition_expression("pk = :bucket AND sk BETWEEN :from AND :to")
            .projection_expression("sk, event_type, endpoints, expires_at, deliver_at")
            .expression_attribute_values(":bucket", s(pk(bucket)))
            .expression_attribute_values(":from", s(EventId::floor(from).to_string()))
            .expression_attribute_values(":to", s(EventId::floor(to).to_string()))
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(failed("Query events"))?;
        let outline = |item: &Item| outline(&bucket.tenant, item);
        Ok(OutlinePage {
            found: answer
                .items()
                .iter()
                .filter_map(readable(outline))
                .collect(),
            next: answer
                .last_evaluated_key()
                .and_then(|key| key.maybe_text("sk")?.parse().ok()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outline_is_the_event_without_its_payload() {
        let accepted = Timestamp::from_millis(1_795_262_400_000);
        let event = Event {
            id: EventId::generate(accepted, [1; 10]),
            tenant: TenantId::default(),
            event_type: "order.created".parse().unwrap(),
            payload: RawValue::from_string("{}".to_owned()).unwrap(),
            alias: None,
            endpoints: vec!["ep_1".parse().unwrap(), "ep_2".parse().unwrap()],
            deliver_at: None,
            cloud_event: None,
            traceparent: None,
        };
        let mut item = to_item(&event, Duration::from_secs(60));
        item.remove("payload");
        let outline = outline(&event.tenant, &item).unwrap();
        assert_eq!(outline.id, event.id);
        assert_eq!(outline.endpoints, event.endpoints);
        assert_eq!(outline.expires_at, accepted.after(Duration::from_secs(60)));
    }

    #[test]
    fn a_damaged_event_does_not_hide_the_others() {
        let tenant = TenantId::default();
        let damaged = Item::from([("sk".to_owned(), s("no id"))]);
        assert!(readable(|item: &Item| outline(&tenant, item))(&damaged).is_none());
    }
}
