//! The `settings` table: notes of what Hookpost has to tell of itself.

use std::time::Duration;

use hookpost_domain::Timestamp;
use hookpost_domain::news::Note;
use hookpost_domain::ports::{self, Error};

use super::item::{Item, Read, n, s};
use super::{Store, damaged, failed, readable};

const NEWS: &str = "news";
/// How long a note stays that nobody drops.
const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

impl ports::Notes for Store {
    async fn notes(&self) -> Result<Vec<Note>, Error> {
        let items = self.query_all(NEWS).await?;
        let note = |item: &Item| -> Option<Note> {
            Some(Note {
                name: item.maybe_text("sk")?.to_owned(),
                count: item.maybe_number("counted")?,
                text: item.maybe_text("noted").unwrap_or_default().to_owned(),
                at: Timestamp::from_millis(item.maybe_number("noted_at")?),
            })
        };
        let note = |item: &Item| {
            let sk = item.maybe_text("sk").unwrap_or("?");
            note(item).ok_or_else(|| damaged("settings", sk, "it is no note"))
        };
        Ok(items.iter().filter_map(readable(note)).collect())
    }

    async fn note(&self, note: &Note) -> Result<(), Error> {
        let update = self
            .db
            .update_item()
            .table_name(&self.tables.settings)
            .key("pk", s(NEWS))
            .key("sk", s(&note.name))
            .expression_attribute_values(":at", n(note.at.as_millis()))
            .expression_attribute_values(":noted", s(&note.text))
            .expression_attribute_values(":count", n(note.count));
        let update = if note.is_lasting() {
            update.update_expression("SET noted_at = :at, noted = :noted ADD counted :count")
        } else {
            let until = note.at.after(KEPT_FOR);
            update
                .update_expression(
                    "SET noted_at = :at, noted = :noted, expires_at = :until ADD counted :count",
                )
                .expression_attribute_values(":until", n(until.as_secs()))
        };
        let sent = update.send().await;
        sent.map(|_| ()).map_err(failed("UpdateItem settings"))
    }

    async fn drop_note(&self, note: &Note) -> Result<(), Error> {
        use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
        let answer = self
            .db
            .delete_item()
            .table_name(&self.tables.settings)
            .key("pk", s(NEWS))
            .key("sk", s(&note.name))
            .condition_expression("noted_at = :at AND counted = :count")
            .expression_attribute_values(":at", n(note.at.as_millis()))
            .expression_attribute_values(":count", n(note.count))
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
