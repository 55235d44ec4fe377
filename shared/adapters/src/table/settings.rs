//! The `settings` table: endpoints that hold deliveries back, the sweeper's cursor.

use hookpost_domain::ports::{self, Error, HoldingNote};
use hookpost_domain::{EndpointId, TenantId, Timestamp};

use super::item::{Item, Read, n, s};
use super::{Store, damaged, failed, readable};

const HOLDING: &str = "holding";
const CURSORS: &str = "cursors";

impl ports::Holding for Store {
    async fn note_holding(
        &self,
        tenant: &TenantId,
        id: &EndpointId,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.db
            .put_item()
            .table_name(&self.tables.settings)
            .item("pk", s(HOLDING))
            .item("sk", s(format!("{tenant}#{id}")))
            .item("noted_at", n(now.as_millis()))
            .send()
            .await
            .map(|_| ())
            .map_err(failed("PutItem settings"))
    }
}

impl ports::HoldingNotes for Store {
    async fn holding(&self) -> Result<Vec<HoldingNote>, Error> {
        let items = self.query_all(HOLDING).await?;
        let note = |item: &Item| -> Option<HoldingNote> {
            let (tenant, endpoint) = item.maybe_text("sk")?.split_once('#')?;
            Some(HoldingNote {
                tenant: tenant.parse().ok()?,
                endpoint: endpoint.parse().ok()?,
                noted_at: Timestamp::from_millis(item.maybe_number("noted_at")?),
                quiet_since: item.maybe_number("quiet_since").map(Timestamp::from_millis),
            })
        };
        let note = |item: &Item| {
            let sk = item.maybe_text("sk").unwrap_or("?");
            note(item).ok_or_else(|| damaged("settings", sk, "it is no note"))
        };
        Ok(items.iter().filter_map(readable(note)).collect())
    }

    async fn set_quiet(&self, note: &HoldingNote, since: Option<Timestamp>) -> Result<(), Error> {
        use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
        let update = self
            .db
            .update_item()
            .table_name(&self.tables.settings)
            .key("pk", s(HOLDING))
            .key("sk", s(format!("{}#{}", note.tenant, note.endpoint)))
            .condition_expression("noted_at = :then")
            .expression_attribute_values(":then", n(note.noted_at.as_millis()));
        let update = match since {
            Some(since) => update
                .update_expression("SET quiet_since = :since")
                .expression_attribute_values(":since", n(since.as_millis())),
            None => update.update_expression("REMOVE quiet_since"),
        };
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
                Some(_) | None => Err(failed("UpdateItem settings")(error)),
            },
        }
    }

    async fn forget_holding(&self, note: &HoldingNote) -> Result<(), Error> {
        use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
        let answer = self
            .db
            .delete_item()
            .table_name(&self.tables.settings)
            .key("pk", s(HOLDING))
            .key("sk", s(format!("{}#{}", note.tenant, note.endpoint)))
            .condition_expression("noted_at = :then")
            .expression_attribute_values(":then", n(note.noted_at.as_millis()))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(()),
                Some(_) | None => Err(failed("DeleteItem settings")(error)),
            },
        }
    }
}

impl ports::Cursors for Store {
    async fn cursor(&self, name: &str) -> Result<Option<Timestamp>, Error> {
        let answer = self
            .db
            .get_item()
            .table_name(&self.tables.settings)
            .key("pk", s(CURSORS))
            .key("sk", s(name))
            .send()
            .await
            .map_err(failed("GetItem settings"))?;
        Ok(answer
            .item
            .and_then(|item| item.maybe_number("at"))
            .map(Timestamp::from_millis))
    }

    async fn set_cursor(&self, name: &str, at: Timestamp) -> Result<(), Error> {
        self.db
            .put_item()
            .table_name(&self.tables.settings)
            .item("pk", s(CURSORS))
            .item("sk", s(name))
            .item("at", n(at.as_millis()))
            .send()
            .await
            .map(|_| ())
            .map_err(failed("PutItem settings"))
    }
}

impl Store {
    pub(super) async fn query_all(&self, pk: &str) -> Result<Vec<Item>, Error> {
        let mut items = Vec::new();
        let mut start = None;
        loop {
            let answer = self
                .db
                .query()
                .table_name(&self.tables.settings)
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(":pk", s(pk))
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(failed("Query settings"))?;
            items.extend(answer.items.unwrap_or_default());
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(items);
            }
        }
    }
}
