//! Wrapped keys in the `settings` table, under `vault`: so that all of them can be wrapped anew
//! under another KMS key without touching a single secret.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use hookpost_domain::Timestamp;
use hookpost_domain::ports::{Error, Write};

use super::{KeyShelf, WrappedKey};
use crate::table::{Item, Read, damaged, failed, n, s};

const PK: &str = "vault";
/// Before a data key's id.
const DATA: &str = "data#";

/// Where wrapped keys are kept.
#[derive(Debug, Clone)]
pub struct Shelf {
    db: Client,
    table: String,
}

impl Shelf {
    /// In the `settings` table of this name.
    pub(crate) fn new(db: Client, table: String) -> Self {
        Self { db, table }
    }
}

fn sort_key(id: &str) -> String {
    format!("{DATA}{id}")
}

fn read(item: &Item) -> Result<WrappedKey, Error> {
    let sk = item.maybe_text("sk").unwrap_or("?");
    let wrapped = item.get("wrapped").and_then(|value| value.as_b().ok());
    let wrapped = wrapped.ok_or_else(|| damaged("settings", sk, "it has no wrapped"))?;
    let made_at = item
        .number("made_at")
        .map_err(|what| damaged("settings", sk, what))?;
    Ok(WrappedKey {
        id: sk.strip_prefix(DATA).unwrap_or(sk).to_owned(),
        made_at: Timestamp::from_millis(made_at),
        wrapped: wrapped.as_ref().to_vec(),
    })
}

impl KeyShelf for Shelf {
    async fn key(&self, id: &str) -> Result<Option<WrappedKey>, Error> {
        let answer = self
            .db
            .get_item()
            .table_name(&self.table)
            .key("pk", s(PK))
            .key("sk", s(sort_key(id)))
            .consistent_read(true)
            .send()
            .await
            .map_err(failed("GetItem settings"))?;
        answer.item.as_ref().map(read).transpose()
    }

    async fn newest(&self) -> Result<Option<WrappedKey>, Error> {
        let answer = self
            .db
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :data)")
            .expression_attribute_values(":pk", s(PK))
            .expression_attribute_values(":data", s(DATA))
            .scan_index_forward(false)
            .limit(1)
            .consistent_read(true)
            .send()
            .await
            .map_err(failed("Query settings"))?;
        answer.items().first().map(read).transpose()
    }

    async fn put(&self, key: &WrappedKey) -> Result<Write<WrappedKey>, Error> {
        let wrapped = AttributeValue::B(Blob::new(key.wrapped.clone()));
        let answer = self
            .db
            .put_item()
            .table_name(&self.table)
            .item("pk", s(PK))
            .item("sk", s(sort_key(&key.id)))
            .item("made_at", n(key.made_at.as_millis()))
            .item("wrapped", wrapped)
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(Write::Won);
        };
        let refused = error.as_service_error();
        if !refused.is_some_and(PutItemError::is_conditional_check_failed_exception) {
            return Err(failed("PutItem settings")(error));
        }
        // It may be our own first try, whose answer was lost.
        let stored = self.key(&key.id).await?;
        if stored.as_ref() == Some(key) {
            return Ok(Write::Won);
        }
        Ok(Write::Lost(stored))
    }
}
