//! Who watches the live feed, in the `settings` table: an item a tenant, and one that says until when
//! anybody watches at all, which is all that delivery has to read while nobody does.

use hookpost_domain::live::{Watch, Watcher};
use hookpost_domain::ports::{self, Error, Write};
use hookpost_domain::{TenantId, Timestamp};

use super::item::{Item, Read, n, s};
use super::keys::versioned_put;
use super::{Store, damaged, failed};

const ANYBODY: &str = "watching";
const WATCH: &str = "watch";

fn pk(tenant: Option<&TenantId>) -> String {
    tenant.map_or_else(
        || ANYBODY.to_owned(),
        |tenant| format!("{ANYBODY}#{tenant}"),
    )
}

impl ports::Watched for Store {
    async fn watched_until(&self, tenant: Option<&TenantId>) -> Result<Option<Timestamp>, Error> {
        let answer = self
            .db
            .get_item()
            .table_name(&self.tables.settings)
            .key("pk", s(pk(tenant)))
            .key("sk", s(WATCH))
            .send()
            .await
            .map_err(failed("GetItem settings"))?;
        let until = answer.item.and_then(|item| item.maybe_number("until"));
        Ok(until.map(Timestamp::from_millis))
    }
}

impl ports::Watches for Store {
    async fn watch(&self, tenant: &TenantId) -> Result<Watch, Error> {
        let answer = self
            .db
            .get_item()
            .table_name(&self.tables.settings)
            .key("pk", s(pk(Some(tenant))))
            .key("sk", s(WATCH))
            .consistent_read(true)
            .send()
            .await
            .map_err(failed("GetItem settings"))?;
        answer.item.as_ref().map_or(Ok(Watch::default()), read)
    }

    async fn store_watch(
        &self,
        tenant: &TenantId,
        watch: &Watch,
        over: u64,
    ) -> Result<Write<Watch>, Error> {
        let until = watch.until().unwrap_or_default();
        let watchers = serde_json::to_string(&watch.watchers).unwrap_or_default();
        // Kept for good, and small: a version that starts anew could be taken for an old one.
        let mut item = Item::from([
            ("pk".to_owned(), s(pk(Some(tenant)))),
            ("sk".to_owned(), s(WATCH)),
            ("version".to_owned(), n(watch.version)),
            ("until".to_owned(), n(until.as_millis())),
            ("watchers".to_owned(), s(watchers)),
        ]);
        let write = self.db.put_item().table_name(&self.tables.settings);
        Ok(
            match versioned_put(write, &mut item, over, "PutItem settings").await? {
                Write::Won => Write::Won,
                Write::Lost(other) => Write::Lost(other.as_ref().map(read).transpose()?),
            },
        )
    }

    async fn note_watched(&self, until: Timestamp) -> Result<(), Error> {
        self.db
            .put_item()
            .table_name(&self.tables.settings)
            .item("pk", s(pk(None)))
            .item("sk", s(WATCH))
            .item("until", n(until.as_millis()))
            .send()
            .await
            .map(|_| ())
            .map_err(failed("PutItem settings"))
    }
}

fn read(item: &Item) -> Result<Watch, Error> {
    let read = || -> Result<Watch, String> {
        let watchers: Vec<Watcher> =
            serde_json::from_str(item.text("watchers")?).map_err(|error| error.to_string())?;
        Ok(Watch {
            version: item.number("version")?,
            watchers,
        })
    };
    read().map_err(|what| damaged("settings", item.maybe_text("pk").unwrap_or("?"), what))
}
