//! API keys: in `keys` under the hash of each, for whoever is called with it, and in `settings`
//! under whom it speaks for, for lists.
//!
//! Guarantees: both are written, and ended, in one transaction. So no key works that is not
//! listed, and none is listed as revoked that works.

use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};
use hookpost_domain::Timestamp;
use hookpost_domain::access::{ApiKey, KeyDigest, KeyId, KeyRecord, Reach, SigningKey};
use hookpost_domain::ports::{self, Error, Write};

use super::item::{Item, Read, n, s};
use super::{Store, damaged, failed, readable};
use crate::world::secret_bytes;

/// How long a key that has ended is still listed.
const LISTED_FOR: Duration = Duration::from_secs(90 * 24 * 3600);
/// Where the key that the server signs with is.
const SIGNING_KEY: &str = "signing-key";

fn hash_pk(digest: &KeyDigest) -> String {
    format!("api-key#{digest}")
}

fn list_pk(reach: &Reach) -> String {
    format!("api-key#{}", reach.partition())
}

/// A listed key, as it is stored.
fn listed(record: &KeyRecord, digest: &KeyDigest) -> Item {
    let mut item = Item::from([
        ("pk".to_owned(), s(list_pk(&record.reach))),
        ("sk".to_owned(), s(record.id.as_str())),
        ("digest".to_owned(), s(digest.to_string())),
        (
            "record".to_owned(),
            s(serde_json::to_string(record).unwrap_or_default()),
        ),
    ]);
    if let Some(end) = record.revoked_at.or(record.expires_at) {
        let until = end.after(LISTED_FOR);
        item.insert("expires_at".to_owned(), n(until.as_secs()));
    }
    item
}

fn read(item: &Item) -> Result<KeyRecord, Error> {
    let read = || -> Result<KeyRecord, String> {
        serde_json::from_str(item.text("record")?).map_err(|error| error.to_string())
    };
    read().map_err(|what| damaged("keys", item.maybe_text("sk").unwrap_or("?"), what))
}

fn digest(item: &Item) -> Result<KeyDigest, Error> {
    let text = item.text("digest");
    let read = text.and_then(|text| text.parse().map_err(|_| "its digest is none".to_owned()));
    read.map_err(|what| damaged("settings", item.maybe_text("sk").unwrap_or("?"), what))
}

/// Whether another write was there first.
fn lost<R>(error: &SdkError<TransactWriteItemsError, R>) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
        error.as_service_error()
    else {
        return false;
    };
    let reasons = cancelled.cancellation_reasons();
    let mut codes = reasons.iter().filter_map(|reason| reason.code());
    codes.any(|code| code == "ConditionalCheckFailed")
}

impl Store {
    /// The key with this hash, if there is one that has not been revoked.
    ///
    /// # Errors
    /// The read failed.
    pub async fn api_key(&self, digest: &KeyDigest) -> Result<Option<KeyRecord>, Error> {
        let answer = self
            .db
            .get_item()
            .table_name(&self.tables.keys)
            .key("pk", s(hash_pk(digest)))
            // A key works from the moment that its maker is answered.
            .consistent_read(true)
            .send()
            .await
            .map_err(failed("GetItem keys"))?;
        answer.item.as_ref().map(read).transpose()
    }

    /// Stores a new key.
    ///
    /// # Errors
    /// The write failed.
    pub async fn store_api_key(&self, key: &ApiKey, record: &KeyRecord) -> Result<(), Error> {
        let digest = key.digest();
        let mut by_hash = Item::from([
            ("pk".to_owned(), s(hash_pk(&digest))),
            (
                "record".to_owned(),
                s(serde_json::to_string(record).unwrap_or_default()),
            ),
        ]);
        if let Some(end) = record.expires_at {
            by_hash.insert("expires_at".to_owned(), n(end.as_secs()));
        }
        let list = Put::builder()
            .table_name(&self.tables.settings)
            .set_item(Some(listed(record, &digest)))
            .condition_expression("attribute_not_exists(pk)");
        let hash = Put::builder()
            .table_name(&self.tables.keys)
            .set_item(Some(by_hash));
        let put = |put: aws_sdk_dynamodb::types::builders::PutBuilder| {
            let put = put.build().map_err(|error| Error {
                call: "TransactWriteItems keys",
                source: error.into(),
            });
            Ok::<_, Error>(TransactWriteItem::builder().put(put?).build())
        };
        // The SDK's tries carry one token: the second of them does nothing.
        self.db
            .transact_write_items()
            .transact_items(put(list)?)
            .transact_items(put(hash)?)
            .send()
            .await
            .map(|_| ())
            .map_err(failed("TransactWriteItems keys"))
    }

    /// Ends a key: it is not found by its hash any more, and listed as revoked. `Lost` if another
    /// has ended it in the meantime.
    ///
    /// # Errors
    /// A call failed.
    pub async fn revoke_api_key(
        &self,
        record: &KeyRecord,
        now: Timestamp,
    ) -> Result<Write<()>, Error> {
        let Some(item) = self.listed_item(&record.reach, &record.id).await? else {
            return Ok(Write::Lost(None));
        };
        let digest = digest(&item)?;
        let before = item.maybe_text("record").unwrap_or_default().to_owned();
        let ended = KeyRecord {
            revoked_at: Some(now),
            ..read(&item)?
        };
        let failure = |error: aws_sdk_dynamodb::error::BuildError| Error {
            call: "TransactWriteItems keys",
            source: error.into(),
        };
        let list = Put::builder()
            .table_name(&self.tables.settings)
            .set_item(Some(listed(&ended, &digest)))
            .condition_expression("#record = :before")
            .expression_attribute_names("#record", "record")
            .expression_attribute_values(":before", s(before))
            .build()
            .map_err(failure)?;
        let hash = Delete::builder()
            .table_name(&self.tables.keys)
            .key("pk", s(hash_pk(&digest)))
            .build()
            .map_err(failure)?;
        let answer = self
            .db
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(list).build())
            .transact_items(TransactWriteItem::builder().delete(hash).build())
            .send()
            .await;
        match answer {
            Ok(_) => Ok(Write::Won),
            Err(error) if lost(&error) => Ok(Write::Lost(None)),
            Err(error) => Err(failed("TransactWriteItems keys")(error)),
        }
    }

    /// A listed key, whether or not it still works.
    ///
    /// # Errors
    /// The read failed.
    pub async fn listed_api_key(
        &self,
        reach: &Reach,
        id: &KeyId,
    ) -> Result<Option<KeyRecord>, Error> {
        let item = self.listed_item(reach, id).await?;
        item.as_ref().map(read).transpose()
    }

    async fn listed_item(&self, reach: &Reach, id: &KeyId) -> Result<Option<Item>, Error> {
        let answer = self
            .db
            .get_item()
            .table_name(&self.tables.settings)
            .key("pk", s(list_pk(reach)))
            .key("sk", s(id.as_str()))
            .consistent_read(true)
            .send()
            .await
            .map_err(failed("GetItem settings"))?;
        Ok(answer.item)
    }

    /// Keys that speak for `reach`, newest first: up to `limit` whose ids begin with `prefix`,
    /// after `after`. And whether there are more.
    ///
    /// # Errors
    /// The read failed.
    pub async fn api_keys(
        &self,
        reach: &Reach,
        prefix: &str,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<(Vec<KeyRecord>, bool), Error> {
        let pk = list_pk(reach);
        let start = after.map(|id| {
            Item::from([
                ("pk".to_owned(), s(&*pk)),
                ("sk".to_owned(), s(id.as_str())),
            ])
        });
        let answer = self
            .db
            .query()
            .table_name(&self.tables.settings)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", s(&*pk))
            .expression_attribute_values(":prefix", s(prefix))
            .consistent_read(true)
            .scan_index_forward(false)
            .set_exclusive_start_key(start)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(failed("Query settings"))?;
        let items = answer.items.unwrap_or_default();
        let more = answer.last_evaluated_key.is_some();
        Ok((items.iter().filter_map(readable(read)).collect(), more))
    }

    /// What the server signs with: made when it is first needed, and read once a process. It is
    /// worth no more than the tables: whoever can read it can read all that a token shows.
    ///
    /// # Errors
    /// A call failed.
    pub async fn signing_key(&self) -> Result<&SigningKey, Error> {
        let stored = || async {
            let fresh = secret_bytes().map_err(|error| Error {
                call: "making a signing key",
                source: error.into(),
            })?;
            self.stored_signing_key(fresh).await
        };
        self.signing_key.get_or_try_init(stored).await
    }

    async fn read_signing_key(&self) -> Result<Option<SigningKey>, Error> {
        let answer = self
            .db
            .get_item()
            .table_name(&self.tables.keys)
            .key("pk", s(SIGNING_KEY))
            .consistent_read(true)
            .send()
            .await
            .map_err(failed("GetItem keys"))?;
        let Some(item) = answer.item else {
            return Ok(None);
        };
        let bytes = item.get("key").and_then(|value| value.as_b().ok());
        let bytes = bytes.and_then(|blob| blob.as_ref().try_into().ok());
        let bytes = bytes.ok_or_else(|| damaged("keys", SIGNING_KEY, "it is no key"))?;
        Ok(Some(SigningKey::new(bytes)))
    }

    /// As it is stored, or else `fresh` from now on.
    async fn stored_signing_key(&self, fresh: [u8; 32]) -> Result<SigningKey, Error> {
        for _ in 0..2 {
            if let Some(key) = self.read_signing_key().await? {
                return Ok(key);
            }
            let mut item = Item::from([
                ("pk".to_owned(), s(SIGNING_KEY)),
                ("key".to_owned(), AttributeValue::B(fresh.to_vec().into())),
            ]);
            let write = self.db.put_item().table_name(&self.tables.keys);
            // Whoever was first, it is read back.
            super::keys::versioned_put(write, &mut item, 0, "PutItem keys").await?;
        }
        Err(damaged("keys", SIGNING_KEY, "it is not there once written"))
    }
}

impl ports::SigningKeys for Store {
    async fn key_to_check(&self) -> Result<Option<SigningKey>, Error> {
        if let Some(key) = self.signing_key.get() {
            return Ok(Some(key.clone()));
        }
        let key = self.read_signing_key().await?;
        if let Some(key) = &key {
            // Another call may have been faster, with the same one.
            let _ = self.signing_key.set(key.clone());
        }
        Ok(key)
    }
}
