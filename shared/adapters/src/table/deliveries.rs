//! The `deliveries` table: `endpoint_id#shard` / `event_id`.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use hookpost_domain::delivery::{
    Attempt, DeadReason, Delivery, Status, due_key, held_key, status_key,
};
use hookpost_domain::ports::{
    self, DeliveryPage, Error, RecordPage, WaitingPage, WaitingRef, Write,
};
use hookpost_domain::{DeliveryId, EndpointId, EventId, TenantId, Timestamp};

use super::item::{Item, Read, n, s};
use super::{Store, damaged, failed, readable};

/// How long to wait before each try to read what a throttled table left out.
const READ_PAUSES_MS: [u64; 7] = [0, 20, 50, 100, 200, 400, 800];

fn key(id: &DeliveryId) -> [(String, AttributeValue); 2] {
    let pk = format!("{}#{:02}", id.endpoint, id.event.delivery_shard());
    [
        ("pk".to_owned(), s(pk)),
        ("sk".to_owned(), s(id.event.to_string())),
    ]
}

fn id_of(item: &Item) -> Result<DeliveryId, Error> {
    let read = || -> Result<DeliveryId, String> {
        let (endpoint, _) = item
            .text("pk")?
            .rsplit_once('#')
            .ok_or("its pk has no shard")?;
        let endpoint = endpoint.parse().map_err(|error| format!("{error}"))?;
        let event = item
            .text("sk")?
            .parse()
            .map_err(|error| format!("{error}"))?;
        Ok(DeliveryId { event, endpoint })
    };
    read().map_err(|what| damaged("deliveries", item.maybe_text("sk").unwrap_or("?"), what))
}

fn to_item(delivery: &Delivery, retention: Duration) -> Item {
    let mut item = Item::from(key(&delivery.id));
    let mut set = |name: &str, value| {
        item.insert(name.to_owned(), value);
    };
    set("tenant", s(delivery.tenant.as_str()));
    set("event_type", s(delivery.event_type.as_str()));
    set("version", n(delivery.version));
    let (status, at) = match delivery.status {
        Status::InQueue { next_attempt } => ("in_queue", Some(next_attempt)),
        Status::Parked { due } => ("parked", Some(due)),
        Status::Held { paused: false } => ("held", None),
        Status::Held { paused: true } => ("paused", None),
        Status::Delivered { at } => ("delivered", Some(at)),
        Status::Dead { at, .. } => ("dead", Some(at)),
        Status::Cancelled { at } => ("cancelled", Some(at)),
        Status::Deleted { at } => ("deleted", Some(at)),
    };
    set("status", s(status));
    if let Some(at) = at {
        set("at", n(at.as_millis()));
    }
    if let Status::Dead { reason, .. } = delivery.status {
        set("reason", s(reason.as_str()));
    }
    for (name, value) in [
        ("cycle", delivery.cycle),
        ("release", delivery.release),
        ("resends", delivery.resends),
    ] {
        if value > 0 {
            set(name, n(value));
        }
    }
    set("attempts", n(delivery.attempts));
    let accepted_at = delivery.id.event.time();
    if delivery.since != accepted_at {
        set("since", n(delivery.since.as_millis()));
    }
    for (name, value) in [("slot", delivery.slot), ("check_at", delivery.check_at)] {
        if let Some(value) = value {
            set(name, n(value.as_millis()));
        }
    }
    if let Some(place) = delivery.place {
        set("place", n(place));
    }
    if let Some(resolution) = &delivery.resolution {
        let text = serde_json::to_string(resolution).unwrap_or_default();
        set("resolution", s(text));
    }
    // The log is one attribute: names and types of nested ones would double its size.
    set(
        "log",
        s(serde_json::to_string(&delivery.log).unwrap_or_default()),
    );
    let keys = delivery.index_keys();
    if let Some(status_key) = keys.status {
        set("status_key", s(status_key));
    }
    if let Some(wait) = keys.wait {
        set("wait_key", s(wait.key));
        set("wait_at", n(wait.at));
    }
    // What is not final is kept however long its schedule is.
    if delivery.is_final() {
        let last = at.unwrap_or(accepted_at).max(accepted_at);
        set("expires_at", n(last.after(retention).as_secs()));
    }
    item
}

fn from_item(item: &Item) -> Result<Delivery, Error> {
    let id = id_of(item)?;
    let read = || -> Result<Delivery, String> {
        let at = || item.number("at").map(Timestamp::from_millis);
        let status = match item.text("status")? {
            "in_queue" => Status::InQueue {
                next_attempt: at()?,
            },
            "parked" => Status::Parked { due: at()? },
            "held" => Status::Held { paused: false },
            "paused" => Status::Held { paused: true },
            "delivered" => Status::Delivered { at: at()? },
            "dead" => Status::Dead {
                reason: dead_reason(item.text("reason")?)?,
                at: at()?,
            },
            "cancelled" => Status::Cancelled { at: at()? },
            "deleted" => Status::Deleted { at: at()? },
            other => return Err(format!("it has an unknown status {other}")),
        };
        let log: Vec<Attempt> =
            serde_json::from_str(item.text("log")?).map_err(|error| error.to_string())?;
        let resolution = item.maybe_text("resolution").map(serde_json::from_str);
        let resolution = resolution.transpose().map_err(|error| error.to_string())?;
        let zero_or = |name| item.maybe_number(name).map_or(Ok(0), |_| item.small(name));
        let time = |name| item.maybe_number(name).map(Timestamp::from_millis);
        Ok(Delivery {
            tenant: item
                .text("tenant")?
                .parse()
                .map_err(|error| format!("{error}"))?,
            event_type: item
                .text("event_type")?
                .parse()
                .map_err(|error| format!("{error}"))?,
            status,
            cycle: zero_or("cycle")?,
            release: zero_or("release")?,
            attempts: item.small("attempts")?,
            since: time("since").unwrap_or_else(|| id.event.time()),
            slot: time("slot"),
            check_at: time("check_at"),
            place: item.maybe_number("place"),
            resends: zero_or("resends")?,
            resolution,
            log,
            version: item.number("version")?,
            id: id.clone(),
        })
    };
    read().map_err(|what| damaged("deliveries", id.to_string(), what))
}

fn dead_reason(text: &str) -> Result<DeadReason, String> {
    serde_json::from_value(text.into()).map_err(|_| format!("it has an unknown reason {text}"))
}

impl ports::Deliveries for Store {
    async fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>, Error> {
        let answer = self
            .db
            .get_item()
            .table_name(&self.tables.deliveries)
            .set_key(Some(HashMap::from(key(id))))
            .consistent_read(true)
            .send()
            .await
            .map_err(failed("GetItem deliveries"))?;
        answer.item.as_ref().map(from_item).transpose()
    }

    async fn store_delivery(
        &self,
        delivery: &Delivery,
        over: u64,
    ) -> Result<Write<Delivery>, Error> {
        let mut item = to_item(delivery, self.retention);
        let write = self.db.put_item().table_name(&self.tables.deliveries);
        let won = super::keys::versioned_put(write, &mut item, over, "PutItem deliveries").await?;
        Ok(match won {
            Write::Won => Write::Won,
            Write::Lost(other) => Write::Lost(other.as_ref().map(from_item).transpose()?),
        })
    }
}

impl Store {
    async fn waiting(
        &self,
        key: String,
        until: Timestamp,
        after: Option<WaitingRef>,
        limit: i32,
    ) -> Result<WaitingPage, Error> {
        let start = after.map(|last| {
            let mut start = Item::from(self::key(&last.id));
            start.insert("wait_key".to_owned(), s(&key));
            start.insert("wait_at".to_owned(), n(last.at.as_millis()));
            start
        });
        let answer = self
            .db
            .query()
            .table_name(&self.tables.deliveries)
            .index_name("by-wait")
            .key_condition_expression("wait_key = :key AND wait_at <= :until")
            .expression_attribute_values(":key", s(key))
            .expression_attribute_values(":until", n(until.as_millis()))
            .set_exclusive_start_key(start)
            .limit(limit)
            .send()
            .await
            .map_err(failed("Query deliveries by-wait"))?;
        let waiting = |item: &Item| {
            let at = item.maybe_number("wait_at").unwrap_or_default();
            Ok(WaitingRef {
                id: id_of(item)?,
                at: Timestamp::from_millis(at),
            })
        };
        let found = answer
            .items()
            .iter()
            .filter_map(readable(waiting))
            .collect();
        Ok(WaitingPage {
            found,
            next: answer.last_evaluated_key().map(waiting).transpose()?,
        })
    }
}

impl ports::Records for Store {
    async fn deliveries(&self, ids: &[DeliveryId]) -> Result<Vec<Delivery>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let keys = ids.iter().map(|id| HashMap::from(key(id))).collect();
        let mut wanted = KeysAndAttributes::builder()
            .set_keys(Some(keys))
            .consistent_read(true)
            .build()
            .map_err(|error| Error {
                call: "BatchGetItem deliveries",
                source: error.into(),
            })?;
        let mut found = Vec::with_capacity(ids.len());
        for pause_ms in READ_PAUSES_MS {
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            let answer = self
                .db
                .batch_get_item()
                .request_items(&self.tables.deliveries, wanted)
                .send()
                .await
                .map_err(failed("BatchGetItem deliveries"))?;
            let items = answer.responses.unwrap_or_default();
            found.extend(items.values().flatten().filter_map(readable(from_item)));
            let rest = answer
                .unprocessed_keys
                .unwrap_or_default()
                .into_values()
                .next();
            match rest {
                Some(rest) if !rest.keys().is_empty() => wanted = rest,
                Some(_) | None => return Ok(found),
            }
        }
        Err(Error {
            call: "BatchGetItem deliveries",
            source: "the table is throttled".into(),
        })
    }
}

impl ports::Waiting for Store {
    async fn due(
        &self,
        shard: u8,
        until: Timestamp,
        after: Option<WaitingRef>,
        limit: i32,
    ) -> Result<WaitingPage, Error> {
        self.waiting(due_key(shard), until, after, limit).await
    }

    async fn held(
        &self,
        endpoint: &EndpointId,
        shard: u8,
        until: Timestamp,
        after: Option<WaitingRef>,
        limit: i32,
    ) -> Result<WaitingPage, Error> {
        self.waiting(held_key(endpoint, shard), until, after, limit)
            .await
    }
}

impl ports::RecordIndex for Store {
    async fn by_status(
        &self,
        tenant: &TenantId,
        status: &str,
        shard: u8,
        after: Option<&DeliveryId>,
        range: (Option<Timestamp>, Option<Timestamp>),
        newest: bool,
        limit: i32,
    ) -> Result<DeliveryPage, Error> {
        let status_key = status_key(tenant, status, shard);
        let from = EventId::floor(range.0.unwrap_or_default()).to_string();
        let to = EventId::floor(range.1.unwrap_or(Timestamp::from_millis(u64::MAX))).to_string();
        let start = after.map(|id| {
            let mut start = HashMap::from(key(id));
            start.insert("status_key".to_owned(), s(&status_key));
            start
        });
        let answer = self
            .db
            .query()
            .table_name(&self.tables.deliveries)
            .index_name("by-status")
            .key_condition_expression("status_key = :key AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":key", s(&status_key))
            .expression_attribute_values(":from", s(from))
            .expression_attribute_values(":to", s(to))
            .set_exclusive_start_key(start)
            .scan_index_forward(!newest)
            .limit(limit)
            .send()
            .await
            .map_err(failed("Query deliveries by-status"))?;
        let ids = answer.items().iter().filter_map(readable(id_of)).collect();
        let next = answer.last_evaluated_key().map(id_of).transpose()?;
        Ok(DeliveryPage { ids, next })
    }

    async fn of_endpoint(
        &self,
        endpoint: &EndpointId,
        shard: u8,
        after: Option<EventId>,
        range: (Option<Timestamp>, Option<Timestamp>),
        newest: bool,
        limit: i32,
    ) -> Result<RecordPage, Error> {
        let pk = format!("{endpoint}#{shard:02}");
        let from = EventId::floor(range.0.unwrap_or_default()).to_string();
        let to = EventId::floor(range.1.unwrap_or(Timestamp::from_millis(u64::MAX))).to_string();
        let start = after.map(|event| {
            Item::from([
                ("pk".to_owned(), s(&pk)),
                ("sk".to_owned(), s(event.to_string())),
            ])
        });
        let answer = self
            .db
            .query()
            .table_name(&self.tables.deliveries)
            .key_condition_expression("pk = :key AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":key", s(&pk))
            .expression_attribute_values(":from", s(from))
            .expression_attribute_values(":to", s(to))
            .set_exclusive_start_key(start)
            .scan_index_forward(!newest)
            .limit(limit)
            .send()
            .await
            .map_err(failed("Query deliveries"))?;
        let next = answer.last_evaluated_key().map(id_of).transpose()?;
        Ok(RecordPage {
            found: answer
                .items()
                .iter()
                .filter_map(readable(from_item))
                .collect(),
            next: next.map(|id| id.event),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookpost_domain::delivery::{AttemptResult, FailureKind, Resolution};

    fn delivery() -> Delivery {
        let event = EventId::generate(Timestamp::from_millis(1_795_262_400_000), [1; 10]);
        let endpoint = EndpointId::generate(Timestamp::from_millis(1), [2; 10]);
        let id = DeliveryId { event, endpoint };
        Delivery::new(id, TenantId::default(), "order.created".parse().unwrap())
    }

    fn size(item: &Item) -> usize {
        let value = |value: &AttributeValue| {
            let text = value.as_s().or_else(|_| value.as_n());
            text.map_or(0, String::len)
        };
        item.iter().map(|(name, v)| name.len() + value(v)).sum()
    }

    #[test]
    fn a_record_reads_back_in_every_status() {
        let now = Timestamp::from_millis(1_795_262_401_234);
        let retention = Duration::from_secs(3600);
        let fresh = delivery();
        for record in [
            fresh.kept_back(now, Some(now)),
            Delivery {
                place: Some(7),
                ..fresh.held(false)
            },
            fresh.parked(now, None).released(now).resent(now),
            fresh.held(true),
            fresh.held(false),
            fresh.delivered(now),
            fresh.dead(DeadReason::AttemptsExhausted, now),
            fresh.dead(DeadReason::Expired, now).buried().replayed(now),
            fresh.cancelled(now),
            fresh.delivered(now).deleted(now),
            fresh.dead(DeadReason::Gone, now).resolved(Resolution {
                at: now,
                by: "alice".to_owned(),
                note: String::new(),
            }),
        ] {
            assert_eq!(from_item(&to_item(&record, retention)).unwrap(), record);
        }
    }

    #[test]
    fn a_happy_delivery_is_in_no_index_and_one_write_unit() {
        let attempt = Attempt {
            number: 0,
            cycle: 0,
            at: Timestamp::from_millis(1_795_262_400_100),
            latency_ms: 15_000,
            result: AttemptResult::Accepted(200),
        };
        let now = Timestamp::from_millis(1_795_262_401_234);
        let item = to_item(
            &delivery().with_attempt(attempt).delivered(now),
            Duration::from_secs(1),
        );
        assert!(!item.contains_key("status_key") && !item.contains_key("wait_key"));
        assert!(size(&item) <= 512, "{} bytes", size(&item));
    }

    #[test]
    fn five_failures_with_full_answers_stay_under_three_write_units() {
        let attempt = Attempt {
            number: 0,
            cycle: 0,
            at: Timestamp::from_millis(1_795_262_400_100),
            latency_ms: 15_000,
            result: AttemptResult::Failed {
                kind: FailureKind::Http(503),
                detail: "Service Unavailable".to_owned(),
                response: "x".repeat(256),
            },
        };
        let record = (0..5).fold(delivery(), |record, _| record.with_attempt(attempt.clone()));
        let item = to_item(
            &record.dead(
                DeadReason::AttemptsExhausted,
                Timestamp::from_millis(1_795_262_500_000),
            ),
            Duration::from_secs(1),
        );
        assert!(size(&item) <= 3 * 1024, "{} bytes", size(&item));
    }
}
