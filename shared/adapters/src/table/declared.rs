//! The `settings` table: which endpoints the deployment declared last.

use hookpost_domain::EndpointId;
use hookpost_domain::ports::{Error, Write};

use super::item::{Item, Read, n, s};
use super::{Store, damaged, failed};

const DECLARED: &str = "declared";
const ENDPOINTS: &str = "endpoints";

/// What was made of a deployment's declarations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeclaredNote {
    /// A keyed hash of the declarations that are all carried out; empty while they are not.
    pub done: String,
    /// Every endpoint that is, or may be, the deployment's.
    pub ids: Vec<EndpointId>,
    /// Counts the writes; 0 if never written.
    pub version: u64,
}

fn note(item: &Item) -> Result<DeclaredNote, Error> {
    let read = || -> Result<DeclaredNote, String> {
        Ok(DeclaredNote {
            done: item.text("done")?.to_owned(),
            ids: serde_json::from_str(item.text("ids")?).map_err(|error| error.to_string())?,
            version: item.number("version")?,
        })
    };
    read().map_err(|what| damaged("settings", DECLARED, what))
}

impl Store {
    /// The note as of now; one never written is the default one.
    ///
    /// # Errors
    /// The read failed.
    pub async fn declared(&self) -> Result<DeclaredNote, Error> {
        let answer = self
            .db
            .get_item()
            .table_name(&self.tables.settings)
            .key("pk", s(DECLARED))
            .key("sk", s(ENDPOINTS))
            .consistent_read(true)
            .send()
            .await
            .map_err(failed("GetItem settings"))?;
        answer
            .item
            .as_ref()
            .map_or(Ok(DeclaredNote::default()), note)
    }

    /// Stores a note over the one of version `over` (0: none).
    ///
    /// # Errors
    /// The write failed.
    pub async fn note_declared(
        &self,
        declared: &DeclaredNote,
        over: u64,
    ) -> Result<Write<DeclaredNote>, Error> {
        let ids = serde_json::to_string(&declared.ids).unwrap_or_default();
        let mut item = Item::from([
            ("pk".to_owned(), s(DECLARED)),
            ("sk".to_owned(), s(ENDPOINTS)),
            ("version".to_owned(), n(declared.version)),
            ("done".to_owned(), s(declared.done.as_str())),
            ("ids".to_owned(), s(ids)),
        ]);
        let write = self.db.put_item().table_name(&self.tables.settings);
        Ok(
            match super::keys::versioned_put(write, &mut item, over, "PutItem settings").await? {
                Write::Won => Write::Won,
                Write::Lost(other) => Write::Lost(other.as_ref().map(note).transpose()?),
            },
        )
    }
}
