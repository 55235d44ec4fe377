//! Event types, in the `settings` table: `event-types#tenant` / name for what is told of each, and
//! `rules#tenant` / `rules` for what has to be known of them all.
//!
//! Guarantees: every change of either is one transaction over the version of the rules that it was
//! made from; and the tenant's `#version`, which ingest reads once a second as it is, tells which
//! version that has become.

use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem, Update};
use hookpost_domain::TenantId;
use hookpost_domain::catalogue::{Retries, Rules, TypeEntry};
use hookpost_domain::matching::EventType;
use hookpost_domain::ports::{self, Error};
use serde::de::DeserializeOwned;

use super::endpoints::counts_key;
use super::item::{Item, Read, n, s};
use super::{Store, damaged, failed, readable};

/// What a change does to the entry of a type.
#[derive(Debug, Clone, PartialEq)]
pub enum TypeChange {
    /// It is told of so.
    Put(Box<TypeEntry>),
    /// It is not told of any more.
    Delete(EventType),
}

fn types_pk(tenant: &TenantId) -> String {
    format!("event-types#{tenant}")
}

fn rules_key(tenant: &TenantId) -> Item {
    Item::from([
        ("pk".to_owned(), s(format!("rules#{tenant}"))),
        ("sk".to_owned(), s("rules")),
    ])
}

fn entry(item: &Item) -> Result<TypeEntry, Error> {
    let read = || -> Result<TypeEntry, String> {
        serde_json::from_str(item.text("entry")?).map_err(|error| error.to_string())
    };
    read().map_err(|what| damaged("settings", item.maybe_text("sk").unwrap_or("?"), what))
}

fn built<T>(built: Result<T, aws_sdk_dynamodb::error::BuildError>) -> Result<T, Error> {
    built.map_err(|error| Error {
        call: "TransactWriteItems settings",
        source: error.into(),
    })
}

impl ports::Rulebook for Store {
    async fn rules(&self, tenant: &TenantId) -> Result<Rules, Error> {
        self.of_rules(tenant, "rules").await
    }

    async fn retries(&self, tenant: &TenantId) -> Result<Retries, Error> {
        self.of_rules(tenant, "retries").await
    }
}

impl ports::EventTypes for Store {
    async fn event_type(
        &self,
        tenant: &TenantId,
        name: &EventType,
    ) -> Result<Option<TypeEntry>, Error> {
        let answer = self
            .db
            .get_item()
            .table_name(&self.tables.settings)
            .key("pk", s(types_pk(tenant)))
            .key("sk", s(name.as_str()))
            .consistent_read(true)
            .send()
            .await
            .map_err(failed("GetItem settings"))?;
        answer.item.as_ref().map(entry).transpose()
    }
}

impl Store {
    /// An attribute of the rules, as of now.
    async fn of_rules<T: DeserializeOwned + Default>(
        &self,
        tenant: &TenantId,
        name: &'static str,
    ) -> Result<T, Error> {
        let answer = self
            .db
            .get_item()
            .table_name(&self.tables.settings)
            .set_key(Some(rules_key(tenant)))
            // `rules` is a word of DynamoDB's own.
            .projection_expression("#name")
            .expression_attribute_names("#name", name)
            .consistent_read(true)
            .send()
            .await
            .map_err(failed("GetItem settings"))?;
        let item = answer.item.unwrap_or_default();
        let Some(text) = item.maybe_text(name) else {
            return Ok(T::default());
        };
        let damaged = |error: serde_json::Error| {
            damaged("settings", format!("rules#{tenant}"), error.to_string())
        };
        serde_json::from_str(text).map_err(damaged)
    }

    /// What is told of all types, by their names.
    ///
    /// # Errors
    /// A read failed.
    pub async fn event_types(&self, tenant: &TenantId) -> Result<Vec<TypeEntry>, Error> {
        let items = self.query_all(&types_pk(tenant)).await?;
        Ok(items.iter().filter_map(readable(entry)).collect())
    }

    /// Stores rules over those of version `over`, and what that changes of types; `false` if they
    /// have been changed meanwhile.
    ///
    /// # Errors
    /// The write failed.
    pub async fn store_rules(
        &self,
        tenant: &TenantId,
        rules: &Rules,
        over: u64,
        changes: &[TypeChange],
    ) -> Result<bool, Error> {
        let mut item = rules_key(tenant);
        item.insert("version".to_owned(), n(rules.version));
        let text = serde_json::to_string(rules).unwrap_or_default();
        item.insert("rules".to_owned(), s(text));
        let text = serde_json::to_string(&rules.retries()).unwrap_or_default();
        item.insert("retries".to_owned(), s(text));
        let put = Put::builder()
            .table_name(&self.tables.settings)
            .set_item(Some(item));
        let put = if over == 0 {
            put.condition_expression("attribute_not_exists(pk)")
        } else {
            put.condition_expression("version = :over")
                .expression_attribute_values(":over", n(over))
        };
        let told = Update::builder()
            .table_name(&self.tables.endpoints)
            .set_key(Some(counts_key(tenant)))
            .update_expression("SET rules_version = :version")
            .expression_attribute_values(":version", n(rules.version));
        let mut writes = vec![
            TransactWriteItem::builder()
                .put(built(put.build())?)
                .build(),
            TransactWriteItem::builder()
                .update(built(told.build())?)
                .build(),
        ];
        for change in changes {
            let write = TransactWriteItem::builder();
            writes.push(match change {
                TypeChange::Put(entry) => {
                    let text = serde_json::to_string(entry).unwrap_or_default();
                    let put = Put::builder()
                        .table_name(&self.tables.settings)
                        .item("pk", s(types_pk(tenant)))
                        .item("sk", s(entry.name.as_str()))
                        .item("entry", s(text));
                    write.put(built(put.build())?).build()
                }
                TypeChange::Delete(name) => {
                    let delete = Delete::builder()
                        .table_name(&self.tables.settings)
                        .key("pk", s(types_pk(tenant)))
                        .key("sk", s(name.as_str()));
                    write.delete(built(delete.build())?).build()
                }
            });
        }
        let refused = self.transact(writes, "TransactWriteItems settings").await?;
        Ok(refused.is_empty())
    }
}
