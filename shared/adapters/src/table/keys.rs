//! The `keys` table: what must not share a partition. Idempotency keys, meters of rate limits, places
//! under limits of concurrency.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use hookpost_domain::ports::World;
use hookpost_domain::ports::{self, Claim, Error, IdempotencyKey, Write};
use hookpost_domain::quota::Meter;
use hookpost_domain::running::Running;
use hookpost_domain::{EventId, TenantId, Timestamp};

use super::item::{Item, Read, n, s};
use super::{Store, damaged, failed};
use crate::RealWorld;

/// How long an idempotency key is remembered.
const KEY_LIFETIME: std::time::Duration = std::time::Duration::from_secs(24 * 3600);
/// How long a meter that nobody moves is kept.
const METER_LIFETIME: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// Puts `item` over version `over` (0: none). The random `w` tells our own first try, whose answer
/// was lost, from somebody else's write.
pub(super) async fn versioned_put(
    write: PutItemFluentBuilder,
    item: &mut Item,
    over: u64,
    call: &'static str,
) -> Result<Write<Item>, Error> {
    let mark = n(fastrand::u64(..));
    item.insert("w".to_owned(), mark.clone());
    let write = if over == 0 {
        write.condition_expression("attribute_not_exists(pk)")
    } else {
        write
            .condition_expression("version = :over")
            .expression_attribute_values(":over", n(over))
    };
    let answer = write
        .set_item(Some(std::mem::take(item)))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await;
    let Err(error) = answer else {
        return Ok(Write::Won);
    };
    match lost(&error) {
        None => Err(failed(call)(error)),
        Some(other) if other.get("w") == Some(&mark) => Ok(Write::Won),
        Some(other) => Ok(Write::Lost(Some(other).filter(|other| !other.is_empty()))),
    }
}

/// The item that was there instead (empty if none was), if the condition did not hold.
fn lost<R>(error: &SdkError<PutItemError, R>) -> Option<Item> {
    match error.as_service_error() {
        Some(PutItemError::ConditionalCheckFailedException(failure)) => {
            Some(failure.item.clone().unwrap_or_default())
        }
        Some(_) | None => None,
    }
}

fn idempotency_key(item: &Item) -> Result<IdempotencyKey, String> {
    Ok(IdempotencyKey {
        event: item
            .text("event_id")?
            .parse()
            .map_err(|error| format!("{error}"))?,
        fingerprint: item.text("fingerprint")?.to_owned(),
        sent: item.contains_key("sent"),
    })
}

fn idempotency_pk(tenant: &TenantId, key: &str) -> String {
    use sha2::Digest;
    let hash = sha2::Sha256::digest(key.as_bytes());
    let hex: String = hash.iter().fold(String::new(), |mut hex, byte| {
        use std::fmt::Write;
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    format!("idem#{tenant}#{hex}")
}

impl ports::IdempotencyKeys for Store {
    async fn claim(
        &self,
        tenant: &TenantId,
        key: &str,
        event: EventId,
        fingerprint: &str,
        now: Timestamp,
    ) -> Result<Claim, Error> {
        let pk = idempotency_pk(tenant, key);
        let answer = self
            .db
            .put_item()
            .table_name(&self.tables.keys)
            .item("pk", s(&pk))
            .item("event_id", s(event.to_string()))
            .item("fingerprint", s(fingerprint))
            .item("expires_at", n(now.after(KEY_LIFETIME).as_secs()))
            // TTL deletes within days: what has expired is judged here.
            .condition_expression("attribute_not_exists(pk) OR expires_at < :now")
            .expression_attribute_values(":now", n(now.as_secs()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(Claim::New);
        };
        let Some(other) = lost(&error) else {
            return Err(failed("PutItem keys")(error));
        };
        let known = idempotency_key(&other).map_err(|what| damaged("keys", &*pk, what))?;
        // Our own first try, whose answer was lost.
        if known.event == event {
            return Ok(Claim::New);
        }
        Ok(Claim::Known(known))
    }

    async fn take_over(
        &self,
        tenant: &TenantId,
        key: &str,
        old: EventId,
        new: EventId,
        now: Timestamp,
    ) -> Result<EventId, Error> {
        use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
        let answer = self
            .db
            .update_item()
            .table_name(&self.tables.keys)
            .key("pk", s(idempotency_pk(tenant, key)))
            .update_expression("SET event_id = :new, expires_at = :expires")
            .condition_expression("event_id = :old")
            .expression_attribute_values(":old", s(old.to_string()))
            .expression_attribute_values(":new", s(new.to_string()))
            .expression_attribute_values(":expires", n(now.after(KEY_LIFETIME).as_secs()))
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(new);
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => {
                let now_known = self.claimed(tenant, key).await?;
                Ok(now_known.map_or(new, |known| known.event))
            }
            Some(_) | None => Err(failed("UpdateItem keys")(error)),
        }
    }

    async fn claimed(&self, tenant: &TenantId, key: &str) -> Result<Option<IdempotencyKey>, Error> {
        let pk = idempotency_pk(tenant, key);
        let item = self.key_item(pk.clone()).await?;
        let known = item.as_ref().map(idempotency_key);
        known.transpose().map_err(|what| damaged("keys", pk, what))
    }

    async fn mark_sent(&self, tenant: &TenantId, key: &str, event: EventId) -> Result<(), Error> {
        self.db
            .update_item()
            .table_name(&self.tables.keys)
            .key("pk", s(idempotency_pk(tenant, key)))
            .update_expression("SET sent = :yes")
            .condition_expression("event_id = :event")
            .expression_attribute_values(":yes", n(1u8))
            .expression_attribute_values(":event", s(event.to_string()))
            .send()
            .await
            .map(|_| ())
            .map_err(failed("UpdateItem keys"))
    }
}

impl Store {
    async fn key_item(&self, pk: String) -> Result<Option<Item>, Error> {
        let answer = self
            .db
            .get_item()
            .table_name(&self.tables.keys)
            .key("pk", s(pk))
            .consistent_read(true)
            .send()
            .await
            .map_err(failed("GetItem keys"))?;
        Ok(answer.item)
    }
}

impl ports::Meters for Store {
    async fn meter(&self, name: &str) -> Result<Meter, Error> {
        let item = self.key_item(format!("rate#{name}")).await?;
        item.as_ref().map_or(Ok(Meter::default()), meter)
    }

    async fn store_meter(
        &self,
        name: &str,
        meter_: &Meter,
        over: u64,
    ) -> Result<Write<Meter>, Error> {
        let expires = Timestamp::from_millis(meter_.next_micros / 1000).after(METER_LIFETIME);
        let mut item = Item::from([
            ("pk".to_owned(), s(format!("rate#{name}"))),
            ("version".to_owned(), n(meter_.version)),
            ("next_micros".to_owned(), n(meter_.next_micros)),
            ("per_second".to_owned(), n(meter_.per_second)),
            ("expires_at".to_owned(), n(expires.as_secs())),
        ]);
        let write = self.db.put_item().table_name(&self.tables.keys);
        Ok(
            match versioned_put(write, &mut item, over, "PutItem keys").await? {
                Write::Won => Write::Won,
                Write::Lost(other) => Write::Lost(other.as_ref().map(meter).transpose()?),
            },
        )
    }
}

impl ports::Concurrency for Store {
    async fn running(&self, name: &str) -> Result<Running, Error> {
        let item = self.key_item(format!("running#{name}")).await?;
        item.as_ref().map_or(Ok(Running::default()), running)
    }

    async fn store_running(
        &self,
        name: &str,
        next: &Running,
        over: u64,
    ) -> Result<Write<Running>, Error> {
        let leases = serde_json::to_string(&next.leases).unwrap_or_default();
        let expires = RealWorld.now().after(METER_LIFETIME);
        let mut item = Item::from([
            ("pk".to_owned(), s(format!("running#{name}"))),
            ("version".to_owned(), n(next.version)),
            ("leases".to_owned(), s(leases)),
            ("expires_at".to_owned(), n(expires.as_secs())),
        ]);
        let write = self.db.put_item().table_name(&self.tables.keys);
        Ok(
            match versioned_put(write, &mut item, over, "PutItem keys").await? {
                Write::Won => Write::Won,
                Write::Lost(other) => Write::Lost(other.as_ref().map(running).transpose()?),
            },
        )
    }
}

fn running(item: &Item) -> Result<Running, Error> {
    let read = || -> Result<Running, String> {
        Ok(Running {
            version: item.number("version")?,
            leases: serde_json::from_str(item.text("leases")?)
                .map_err(|error| error.to_string())?,
        })
    };
    read().map_err(|what| damaged("keys", item.maybe_text("pk").unwrap_or("?"), what))
}

fn meter(item: &Item) -> Result<Meter, Error> {
    let read = || -> Result<Meter, String> {
        Ok(Meter {
            version: item.number("version")?,
            next_micros: item.number("next_micros")?,
            per_second: item.small("per_second")?,
        })
    };
    read().map_err(|what| damaged("keys", item.maybe_text("pk").unwrap_or("?"), what))
}
