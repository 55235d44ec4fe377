//! The `endpoints` table: `tenant` / `endpoint_id` for the configuration, `endpoint_id#health` for
//! the breaker beside it, and `#version` for the tenant's counts: of changes of its
//! endpoints and of the rules for its event types, and of endpoints.
//!
//! Endpoints that are in no list (of URLs that are delivered to without being registered) have a
//! partition each, `tenant#endpoint_id`, so that whoever reads a tenant's endpoints does not read
//! them. They are in no count, and go by themselves once they have not been used for long.
//!
//! The configuration is stored without its secrets; they are in `sealed`, encrypted under the data
//! key that `data_key` names, for this endpoint and no other.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, Delete, KeysAndAttributes, Put, ReturnValue,
    TransactWriteItem, Update,
};
use hookpost_domain::breaker::Health;
use hookpost_domain::endpoint::{Endpoint, EndpointSecrets};
use hookpost_domain::ports::{self, Error, Versions, World, Write};
use hookpost_domain::{EndpointId, TenantId, Timestamp};

use super::item::{Item, Read, n, s};
use super::{Store, damaged, failed};
use crate::RealWorld;
use crate::vault::Sealed;

const VERSION_KEY: &str = "#version";

/// What came of making an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// It is stored.
    Made,
    /// The tenant has as many as it may.
    Full,
    /// There was one of this id.
    Exists,
}

/// What a change makes of the number of a tenant's endpoints.
#[derive(Debug, Clone, Copy)]
enum Number {
    Same,
    /// One more, of at most so many.
    More(usize),
    Less,
}

/// What came of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Changed {
    Done,
    /// The write's own condition did not hold.
    Refused,
    /// There are as many endpoints as there may be.
    Full,
}

/// For how long an endpoint that is in no list is kept, beyond what is kept of its last delivery:
/// more than a delivery can wait, and a day in which its use need not be noted.
const SPARE: Duration = Duration::from_secs(16 * 24 * 3600);
const NOTED_EVERY: Duration = Duration::from_secs(24 * 3600);

/// Where an endpoint and its health are.
fn partition(tenant: &TenantId, id: &EndpointId) -> String {
    if id.is_unlisted() {
        format!("{tenant}#{id}")
    } else {
        tenant.to_string()
    }
}

fn health_key(id: &EndpointId) -> String {
    format!("{id}#health")
}

/// Whom an endpoint's secrets are sealed for.
fn owner(endpoint: &Endpoint) -> String {
    format!("{}#{}", endpoint.tenant, endpoint.id)
}

/// `endpoint` is what may be seen of it, and `secrets` is the rest.
fn to_item(endpoint: &Endpoint, secrets: Sealed) -> Item {
    Item::from([
        ("data_key".to_owned(), s(secrets.key)),
        (
            "sealed".to_owned(),
            AttributeValue::B(Blob::new(secrets.bytes)),
        ),
        (
            "pk".to_owned(),
            s(partition(&endpoint.tenant, &endpoint.id)),
        ),
        ("sk".to_owned(), s(endpoint.id.as_str())),
        ("version".to_owned(), n(endpoint.version)),
        // For whoever looks at the table.
        ("url".to_owned(), s(endpoint.url.for_logs())),
        (
            "config".to_owned(),
            s(serde_json::to_string(endpoint).unwrap_or_default()),
        ),
    ])
}

fn sealed(item: &Item) -> Result<Sealed, String> {
    let bytes = item.get("sealed").and_then(|value| value.as_b().ok());
    Ok(Sealed {
        key: item.text("data_key")?.to_owned(),
        bytes: bytes.ok_or("it has no sealed")?.as_ref().to_vec(),
    })
}

/// An endpoint without its secrets.
fn endpoint(item: &Item) -> Result<Endpoint, Error> {
    let read = || -> Result<Endpoint, String> {
        serde_json::from_str(item.text("config")?).map_err(|error| error.to_string())
    };
    read().map_err(|what| damaged("endpoints", item.maybe_text("sk").unwrap_or("?"), what))
}

fn health(item: &Item) -> Result<Health, Error> {
    let read = || -> Result<Health, String> {
        serde_json::from_str(item.text("health")?).map_err(|error| error.to_string())
    };
    read().map_err(|what| damaged("endpoints", item.maybe_text("sk").unwrap_or("?"), what))
}

fn key(tenant: &TenantId, id: &EndpointId, sk: &str) -> HashMap<String, AttributeValue> {
    HashMap::from([
        ("pk".to_owned(), s(partition(tenant, id))),
        ("sk".to_owned(), s(sk)),
    ])
}

pub(super) fn counts_key(tenant: &TenantId) -> HashMap<String, AttributeValue> {
    HashMap::from([
        ("pk".to_owned(), s(tenant.as_str())),
        ("sk".to_owned(), s(VERSION_KEY)),
    ])
}

impl ports::Endpoints for Store {
    async fn endpoint(
        &self,
        tenant: &TenantId,
        id: &EndpointId,
    ) -> Result<Option<(Endpoint, Health)>, Error> {
        let (config, state) = self.item_and_health(tenant, id).await?;
        match config {
            Some(item) => Ok(Some((self.readable(&item).await?, state))),
            None => Ok(None),
        }
    }

    async fn store_health(
        &self,
        tenant: &TenantId,
        id: &EndpointId,
        state: &Health,
        over: u64,
    ) -> Result<Write<Health>, Error> {
        let mut item = key(tenant, id, &health_key(id));
        item.insert("version".to_owned(), n(state.version));
        item.insert(
            "health".to_owned(),
            s(serde_json::to_string(state).unwrap_or_default()),
        );
        if id.is_unlisted() {
            let end = self.unlisted_until(RealWorld.now());
            item.insert("expires_at".to_owned(), n(end.as_secs()));
        }
        let write = self.db.put_item().table_name(&self.tables.endpoints);
        Ok(
            match super::keys::versioned_put(write, &mut item, over, "PutItem endpoints").await? {
                Write::Won => Write::Won,
                Write::Lost(other) => Write::Lost(other.as_ref().map(health).transpose()?),
            },
        )
    }

    async fn store_endpoint(&self, config: &Endpoint, over: u64) -> Result<Write<Endpoint>, Error> {
        if config.id.is_unlisted() {
            // A delivery that is due later than usual may need it.
            let known = self.endpoint_item(&config.tenant, &config.id).await?;
            let until = known.and_then(|item| item.maybe_number("expires_at"));
            let usual = self.unlisted_until(RealWorld.now()).as_secs();
            return self
                .put_unlisted(config, over, usual.max(until.unwrap_or_default()))
                .await;
        }
        let number = match over {
            0 => Number::More(usize::MAX),
            _ => Number::Same,
        };
        if self.put_endpoint(config, over, number).await? == Changed::Done {
            return Ok(Write::Won);
        }
        let current = self.whole_endpoint(&config.tenant, &config.id).await?;
        // A retried call may meet its own first try.
        if current.as_ref() == Some(config) {
            return Ok(Write::Won);
        }
        Ok(Write::Lost(current))
    }
}

impl Store {
    /// Stores an endpoint that was not there, unless its tenant has `most` of them: the count is
    /// part of the same transaction, so that no number of calls at once makes more.
    ///
    /// # Errors
    /// The write failed.
    pub async fn create_endpoint(&self, config: &Endpoint, most: usize) -> Result<Creation, Error> {
        let number = Number::More(most);
        Ok(match self.put_endpoint(config, 0, number).await? {
            Changed::Done => Creation::Made,
            Changed::Full => Creation::Full,
            Changed::Refused => {
                let current = self.whole_endpoint(&config.tenant, &config.id).await?;
                // A retried call may meet its own first try.
                if current.as_ref() == Some(config) {
                    Creation::Made
                } else {
                    Creation::Exists
                }
            }
        })
    }

    /// Stores an endpoint that is in no list, or sees to it that it stays for as long as a delivery
    /// that is due then can need it. The one that is there already is the same but for its state.
    ///
    /// # Errors
    /// A call failed.
    pub async fn keep_unlisted(&self, config: &Endpoint, due: Timestamp) -> Result<(), Error> {
        let key = || Some(key(&config.tenant, &config.id, config.id.as_str()));
        let until = self.unlisted_until(due).as_secs();
        let long_enough = until - NOTED_EVERY.as_secs();
        let kept = |item: &Item| item.maybe_number("expires_at") >= Some(long_enough);
        for _ in 0..3 {
            let Some(item) = self.endpoint_item(&config.tenant, &config.id).await? else {
                match self.put_unlisted(config, 0, until).await? {
                    Write::Won => return Ok(()),
                    Write::Lost(_) => continue,
                }
            };
            if kept(&item) {
                return Ok(());
            }
            let answer = self
                .db
                .update_item()
                .table_name(&self.tables.endpoints)
                .set_key(key())
                .update_expression("SET expires_at = :until")
                .condition_expression("attribute_exists(pk)")
                .expression_attribute_values(":until", n(until))
                .send()
                .await;
            match answer {
                Ok(_) => return Ok(()),
                // Its time was over just now.
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(failed("UpdateItem endpoints")(error)),
            }
        }
        Err(Error {
            call: "keep an endpoint",
            source: "it comes and goes all the time".into(),
        })
    }

    fn unlisted_until(&self, now: Timestamp) -> Timestamp {
        now.after(self.retention + SPARE)
    }

    async fn put_unlisted(
        &self,
        config: &Endpoint,
        over: u64,
        until: u64,
    ) -> Result<Write<Endpoint>, Error> {
        let mut item = self.seal(config).await?;
        item.insert("expires_at".to_owned(), n(until));
        let write = self.db.put_item().table_name(&self.tables.endpoints);
        let written = super::keys::versioned_put(write, &mut item, over, "PutItem endpoints");
        match written.await? {
            Write::Won => Ok(Write::Won),
            Write::Lost(None) => Ok(Write::Lost(None)),
            Write::Lost(Some(item)) => Ok(Write::Lost(Some(self.open(&item).await?))),
        }
    }

    async fn put_endpoint(
        &self,
        config: &Endpoint,
        over: u64,
        number: Number,
    ) -> Result<Changed, Error> {
        let put = Put::builder()
            .table_name(&self.tables.endpoints)
            .set_item(Some(self.seal(config).await?));
        let put = if over == 0 {
            put.condition_expression("attribute_not_exists(pk)")
        } else {
            put.condition_expression("version = :over")
                .expression_attribute_values(":over", n(over))
        };
        let put = put.build().map_err(|error| Error {
            call: "store endpoint",
            source: error.into(),
        })?;
        let write = TransactWriteItem::builder().put(put).build();
        self.change(&config.tenant, write, number).await
    }

    /// The item of an endpoint, its secrets sealed.
    async fn seal(&self, endpoint: &Endpoint) -> Result<Item, Error> {
        if !endpoint.has_secrets() {
            return Err(Error {
                call: "store endpoint",
                source: "it was read without its secrets".into(),
            });
        }
        let (shown, secrets) = endpoint.split();
        let plain = serde_json::to_vec(&secrets).unwrap_or_default();
        let vault = self.vault()?;
        let sealed = vault
            .seal(&owner(endpoint), &plain, RealWorld.now())
            .await?;
        Ok(to_item(&shown, sealed))
    }

    /// An endpoint with its secrets.
    async fn open(&self, item: &Item) -> Result<Endpoint, Error> {
        let shown = endpoint(item)?;
        let told = |what| damaged("endpoints", shown.id.as_str(), what);
        let sealed = sealed(item).map_err(told)?;
        let (vault, owner) = (self.vault()?, owner(&shown));
        let opened = vault.open(&owner, &sealed, RealWorld.now()).await?;
        // The library's error could quote what it has read.
        let secrets: EndpointSecrets = serde_json::from_slice(&opened)
            .map_err(|_| told("its secrets cannot be read".to_owned()))?;
        let whole = shown.clone().join(secrets);
        whole.map_err(|unfitting| told(unfitting.to_string()))
    }

    /// An endpoint with its secrets, if this function may open them.
    async fn readable(&self, item: &Item) -> Result<Endpoint, Error> {
        if self.vault.is_some() {
            self.open(item).await
        } else {
            endpoint(item)
        }
    }

    /// An endpoint with its secrets, as of now: what a change is made from.
    ///
    /// # Errors
    /// The read failed, or the secrets are not to be had.
    pub async fn whole_endpoint(
        &self,
        tenant: &TenantId,
        id: &EndpointId,
    ) -> Result<Option<Endpoint>, Error> {
        match self.endpoint_item(tenant, id).await? {
            Some(item) => self.open(&item).await.map(Some),
            None => Ok(None),
        }
    }

    /// An endpoint without its secrets, and its health, as of now: for whoever sends nothing.
    ///
    /// # Errors
    /// The read failed.
    pub async fn config_and_health(
        &self,
        tenant: &TenantId,
        id: &EndpointId,
    ) -> Result<Option<(Endpoint, Health)>, Error> {
        let (config, state) = self.item_and_health(tenant, id).await?;
        let config = config.as_ref().map(endpoint).transpose()?;
        Ok(config.map(|config| (config, state)))
    }

    async fn item_and_health(
        &self,
        tenant: &TenantId,
        id: &EndpointId,
    ) -> Result<(Option<Item>, Health), Error> {
        let health_key = health_key(id);
        let mut wanted = KeysAndAttributes::builder()
            .keys(key(tenant, id, id.as_str()))
            .keys(key(tenant, id, &health_key))
            // A health from before a probe began would undo what is known of it.
            .consistent_read(true)
            .build()
            .map_err(|error| Error {
                call: "BatchGetItem endpoints",
                source: error.into(),
            })?;
        let (mut config, mut state) = (None, Health::default());
        loop {
            let answer = self
                .db
                .batch_get_item()
                .request_items(&self.tables.endpoints, wanted)
                .send()
                .await
                .map_err(failed("BatchGetItem endpoints"))?;
            for item in answer.responses.unwrap_or_default().into_values().flatten() {
                if item.maybe_text("sk") == Some(health_key.as_str()) {
                    state = health(&item)?;
                } else {
                    config = Some(item);
                }
            }
            match answer
                .unprocessed_keys
                .unwrap_or_default()
                .into_values()
                .next()
            {
                Some(rest) if !rest.keys().is_empty() => wanted = rest,
                Some(_) | None => return Ok((config, state)),
            }
        }
    }

    async fn endpoint_item(
        &self,
        tenant: &TenantId,
        id: &EndpointId,
    ) -> Result<Option<Item>, Error> {
        let answer = self
            .db
            .get_item()
            .table_name(&self.tables.endpoints)
            .set_key(Some(key(tenant, id, id.as_str())))
            .consistent_read(true)
            .send()
            .await
            .map_err(failed("GetItem endpoints"))?;
        Ok(answer.item)
    }

    /// All endpoints of a tenant with their healths, in no order.
    ///
    /// # Errors
    /// A read failed.
    pub async fn endpoints_and_healths(
        &self,
        tenant: &TenantId,
    ) -> Result<Vec<(Endpoint, Health)>, Error> {
        let (mut found, mut healths) = (Vec::new(), HashMap::new());
        let mut start = None;
        loop {
            let answer = self
                .db
                .query()
                .table_name(&self.tables.endpoints)
                .key_condition_expression("pk = :tenant")
                .expression_attribute_values(":tenant", s(tenant.as_str()))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(failed("Query endpoints"))?;
            for item in answer.items() {
                if item.contains_key("config") {
                    found.push(endpoint(item)?);
                } else if item.contains_key("health")
                    && let Some(sk) = item.maybe_text("sk")
                {
                    healths.insert(sk.to_owned(), health(item)?);
                }
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        let with_health = |endpoint: Endpoint| {
            let health = healths.remove(&health_key(&endpoint.id));
            (endpoint, health.unwrap_or_default())
        };
        Ok(found.into_iter().map(with_health).collect())
    }

    /// Deletes an endpoint, if it is there. Its health goes by itself: nothing reads it any more.
    ///
    /// # Errors
    /// The write failed.
    pub async fn delete_endpoint(&self, tenant: &TenantId, id: &EndpointId) -> Result<bool, Error> {
        let deleted = if id.is_unlisted() {
            let delete = self.db.delete_item().table_name(&self.tables.endpoints);
            let answer = delete
                .set_key(Some(key(tenant, id, id.as_str())))
                .return_values(ReturnValue::AllOld)
                .send()
                .await;
            let answer = answer.map_err(failed("DeleteItem endpoints"))?;
            answer.attributes.is_some()
        } else {
            self.delete_listed(tenant, id).await?
        };
        let health = self
            .db
            .delete_item()
            .table_name(&self.tables.endpoints)
            .set_key(Some(key(tenant, id, &health_key(id))))
            .send()
            .await;
        health.map_err(failed("DeleteItem endpoints"))?;
        Ok(deleted)
    }

    async fn delete_listed(&self, tenant: &TenantId, id: &EndpointId) -> Result<bool, Error> {
        let delete = Delete::builder()
            .table_name(&self.tables.endpoints)
            .set_key(Some(key(tenant, id, id.as_str())))
            .condition_expression("attribute_exists(pk)")
            .build()
            .map_err(|error| Error {
                call: "delete endpoint",
                source: error.into(),
            })?;
        let delete = TransactWriteItem::builder().delete(delete).build();
        Ok(self.change(tenant, delete, Number::Less).await? == Changed::Done)
    }

    /// Writes, and counts the change and the endpoints, in one.
    async fn change(
        &self,
        tenant: &TenantId,
        write: TransactWriteItem,
        number: Number,
    ) -> Result<Changed, Error> {
        let count = Update::builder()
            .table_name(&self.tables.endpoints)
            .set_key(Some(counts_key(tenant)))
            .expression_attribute_values(":one", n(1u8));
        let count = match number {
            Number::Same => count.update_expression("ADD n :one"),
            Number::More(most) => count
                .update_expression("ADD n :one, live :one")
                .condition_expression("attribute_not_exists(live) OR live < :most")
                .expression_attribute_values(":most", AttributeValue::N(most.to_string())),
            Number::Less => count
                .update_expression("ADD n :one, live :less")
                .expression_attribute_values(":less", AttributeValue::N("-1".to_owned())),
        };
        let count = count.build().map_err(|error| Error {
            call: "count a change",
            source: error.into(),
        })?;
        let count = TransactWriteItem::builder().update(count).build();
        let call = "TransactWriteItems endpoints";
        let refused = self.transact(vec![write, count], call).await?;
        Ok(match refused.as_slice() {
            [] => Changed::Done,
            [true, ..] => Changed::Refused,
            [false, ..] => Changed::Full,
        })
    }

    /// Writes all or nothing: which of the writes' conditions did not hold, or none if it is done.
    pub(super) async fn transact(
        &self,
        writes: Vec<TransactWriteItem>,
        call: &'static str,
    ) -> Result<Vec<bool>, Error> {
        for pause_ms in [0u64, 10, 30, 90, 200] {
            // Other changes of the same tenant count at the same item.
            let jitter = fastrand::u64(0..=pause_ms);
            tokio::time::sleep(Duration::from_millis(pause_ms + jitter)).await;
            let answer = self
                .db
                .transact_write_items()
                .set_transact_items(Some(writes.clone()))
                .send()
                .await;
            let Err(error) = answer else {
                return Ok(Vec::new());
            };
            let refused: Vec<bool> = codes(&error).map(|code| code == Some(FAILED)).collect();
            if refused.contains(&true) {
                return Ok(refused);
            }
            if !codes(&error).any(|code| code == Some(CONFLICT)) {
                return Err(failed(call)(error));
            }
        }
        let source = "too many changes of this tenant's at once".into();
        Err(Error { call, source })
    }
}

impl ports::EndpointList for Store {
    async fn versions(&self, tenant: &TenantId) -> Result<Versions, Error> {
        let answer = self
            .db
            .get_item()
            .table_name(&self.tables.endpoints)
            .set_key(Some(counts_key(tenant)))
            .consistent_read(true)
            .send()
            .await
            .map_err(failed("GetItem endpoints"))?;
        let number = |name| answer.item.as_ref()?.maybe_number(name);
        Ok(Versions {
            endpoints: number("n").unwrap_or_default(),
            rules: number("rules_version").unwrap_or_default(),
        })
    }

    async fn endpoints(&self, tenant: &TenantId) -> Result<Vec<Endpoint>, Error> {
        let mut found = Vec::new();
        let mut start = None;
        loop {
            let answer = self
                .db
                .query()
                .table_name(&self.tables.endpoints)
                .key_condition_expression("pk = :tenant")
                .expression_attribute_values(":tenant", s(tenant.as_str()))
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(failed("Query endpoints"))?;
            for item in answer.items() {
                if item.contains_key("config") {
                    found.push(endpoint(item)?);
                }
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(found);
            }
        }
    }

    async fn endpoint_config(
        &self,
        tenant: &TenantId,
        id: &EndpointId,
    ) -> Result<Option<Endpoint>, Error> {
        let item = self.endpoint_item(tenant, id).await?;
        item.as_ref().map(endpoint).transpose()
    }
}

const FAILED: &str = "ConditionalCheckFailed";
const CONFLICT: &str = "TransactionConflict";

/// Why each of the writes cancelled its transaction, if it did.
fn codes<R>(error: &SdkError<TransactWriteItemsError, R>) -> impl Iterator<Item = Option<&str>> {
    let reasons = match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            cancelled.cancellation_reasons()
        }
        Some(_) | None => &[],
    };
    reasons.iter().map(CancellationReason::code)
}

fn is_gone<R>(error: &SdkError<UpdateItemError, R>) -> bool {
    error
        .as_service_error()
        .is_some_and(UpdateItemError::is_conditional_check_failed_exception)
}
