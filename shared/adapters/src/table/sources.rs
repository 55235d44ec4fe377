//! The `settings` table: where webhooks come from.
//!
//! A source is kept among its tenant's, its secrets sealed; beside it an item says whose an id is,
//! as that is all a sender tells. That comes first and goes last: a source that is there is found.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use hookpost_domain::TenantId;
use hookpost_domain::inbound::{Source, SourceId};
use hookpost_domain::ports::{Error, Write};
use hookpost_domain::signature::Secret;

use super::item::{Item, Read, n, s};
use super::{Store, damaged, failed, readable};
use crate::RealWorld;
use crate::vault::Sealed;
use hookpost_domain::ports::World;

const OWNERS: &str = "source-owners";

fn list_pk(tenant: &TenantId) -> String {
    format!("sources#{tenant}")
}

/// Whom a source's secrets are sealed for.
fn owner(source: &Source) -> String {
    format!("{}#{}", source.tenant, source.id)
}

/// A source without its secrets.
fn source(item: &Item) -> Result<Source, Error> {
    let read = || -> Result<Source, String> {
        serde_json::from_str(item.text("config")?).map_err(|error| error.to_string())
    };
    read().map_err(|what| damaged("settings", item.maybe_text("sk").unwrap_or("?"), what))
}

impl Store {
    /// Stores a source over the one of version `over` (0: none).
    ///
    /// # Errors
    /// A call failed, or this function may not seal.
    pub async fn store_source(&self, new: &Source, over: u64) -> Result<Write<Source>, Error> {
        let secrets: Vec<&str> = new.secrets.iter().map(Secret::reveal).collect();
        let plain = serde_json::to_vec(&secrets).unwrap_or_default();
        let vault = self.vault()?;
        let sealed = vault.seal(&owner(new), &plain, RealWorld.now()).await?;
        if over == 0 {
            self.db
                .put_item()
                .table_name(&self.tables.settings)
                .item("pk", s(OWNERS))
                .item("sk", s(new.id.as_str()))
                .item("tenant", s(new.tenant.as_str()))
                .send()
                .await
                .map_err(failed("PutItem settings"))?;
        }
        let mut item = Item::from([
            ("pk".to_owned(), s(list_pk(&new.tenant))),
            ("sk".to_owned(), s(new.id.as_str())),
            ("version".to_owned(), n(new.version)),
            ("data_key".to_owned(), s(sealed.key)),
            (
                "sealed".to_owned(),
                AttributeValue::B(Blob::new(sealed.bytes)),
            ),
            (
                "config".to_owned(),
                s(serde_json::to_string(new).unwrap_or_default()),
            ),
        ]);
        let write = self.db.put_item().table_name(&self.tables.settings);
        Ok(
            match super::keys::versioned_put(write, &mut item, over, "PutItem settings").await? {
                Write::Won => Write::Won,
                Write::Lost(None) => Write::Lost(None),
                Write::Lost(Some(other)) => Write::Lost(Some(self.open_source(&other).await?)),
            },
        )
    }

    async fn open_source(&self, item: &Item) -> Result<Source, Error> {
        let shown = source(item)?;
        let told = |what: &str| damaged("settings", shown.id.as_str(), what);
        let bytes = item.get("sealed").and_then(|value| value.as_b().ok());
        let sealed = Sealed {
            key: item
                .text("data_key")
                .map_err(|what| told(&what))?
                .to_owned(),
            bytes: bytes
                .ok_or_else(|| told("it has no sealed"))?
                .as_ref()
                .to_vec(),
        };
        let vault = self.vault()?;
        let opened = vault.open(&owner(&shown), &sealed, RealWorld.now()).await?;
        // An error of the library could quote what it has read.
        let secrets: Vec<String> =
            serde_json::from_slice(&opened).map_err(|_| told("its secrets cannot be read"))?;
        let secrets: Result<Vec<Secret>, _> =
            secrets.iter().map(|text| Secret::given(text)).collect();
        Ok(Source {
            secrets: secrets.map_err(|_| told("its secrets are none"))?,
            ..shown
        })
    }

    /// A source with its secrets, as of now.
    ///
    /// # Errors
    /// A call failed, or its secrets do not open.
    pub async fn source(&self, tenant: &TenantId, id: &SourceId) -> Result<Option<Source>, Error> {
        let answer = self
            .db
            .get_item()
            .table_name(&self.tables.settings)
            .key("pk", s(list_pk(tenant)))
            .key("sk", s(id.as_str()))
            .consistent_read(true)
            .send()
            .await
            .map_err(failed("GetItem settings"))?;
        match &answer.item {
            Some(item) => Ok(Some(self.open_source(item).await?)),
            None => Ok(None),
        }
    }

    /// The same by its id alone.
    ///
    /// # Errors
    /// A call failed, or its secrets do not open.
    pub async fn source_of_id(&self, id: &SourceId) -> Result<Option<Source>, Error> {
        let answer = self
            .db
            .get_item()
            .table_name(&self.tables.settings)
            .key("pk", s(OWNERS))
            .key("sk", s(id.as_str()))
            .consistent_read(true)
            .send()
            .await
            .map_err(failed("GetItem settings"))?;
        let Some(item) = answer.item else {
            return Ok(None);
        };
        let tenant = item
            .text("tenant")
            .map_err(|what| damaged("settings", id.as_str(), what))?;
        let tenant: TenantId = tenant
            .parse()
            .map_err(|_| damaged("settings", id.as_str(), "it has no tenant"))?;
        self.source(&tenant, id).await
    }

    /// A tenant's sources without their secrets, newest first: up to `limit` after `after`. And
    /// whether there are more.
    ///
    /// # Errors
    /// The read failed.
    pub async fn sources(
        &self,
        tenant: &TenantId,
        after: Option<&SourceId>,
        limit: usize,
    ) -> Result<(Vec<Source>, bool), Error> {
        let pk = list_pk(tenant);
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
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", s(&*pk))
            .consistent_read(true)
            .scan_index_forward(false)
            .set_exclusive_start_key(start)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(failed("Query settings"))?;
        let items = answer.items.unwrap_or_default();
        let more = answer.last_evaluated_key.is_some();
        Ok((items.iter().filter_map(readable(source)).collect(), more))
    }

    /// Deletes a source. Again is fine.
    ///
    /// # Errors
    /// A call failed: some of it may be left.
    pub async fn delete_source(&self, tenant: &TenantId, id: &SourceId) -> Result<(), Error> {
        for pk in [list_pk(tenant), OWNERS.to_owned()] {
            self.db
                .delete_item()
                .table_name(&self.tables.settings)
                .key("pk", s(pk))
                .key("sk", s(id.as_str()))
                .send()
                .await
                .map_err(failed("DeleteItem settings"))?;
        }
        Ok(())
    }
}
