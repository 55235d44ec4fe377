//! The lines before endpoints that asked for order, in the `deliveries` table:
//! `line#tenant#endpoint` / `state` for how far it has got, `front#event` for what goes before
//! everything else, and `place#number` for the entries. Which endpoints have a line is noted in
//! `settings`.

use std::time::Duration;

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use hookpost_domain::line::{Entry, Lease, Line};
use hookpost_domain::ports::{self, Error, LineNote, Write};
use hookpost_domain::{EndpointId, EventId, TenantId, Timestamp};

use super::item::{Item, Read, n, s};
use super::keys::versioned_put;
use super::{Store, damaged, failed, readable};

const NOTES: &str = "lines";
const STATE: &str = "state";
const FRONT: &str = "front#";
const PLACE: &str = "place#";

/// Entries are kept for so much longer than the events they name that nobody can mean their places
/// any more, and that whatever waits behind a blocked line has been told dead before.
const ENTRY_SPARE: Duration = Duration::from_secs(90 * 24 * 3600);
/// How far a line has got is kept longer than its entries.
const STATE_SPARE: Duration = Duration::from_secs(120 * 24 * 3600);

fn pk(tenant: &TenantId, endpoint: &EndpointId) -> String {
    format!("line#{tenant}#{endpoint}")
}

fn place_key(place: u64) -> String {
    format!("{PLACE}{place:020}")
}

fn entry(item: &Item) -> Result<Entry, Error> {
    let read = || -> Result<Entry, String> {
        let place = item.text("sk")?.strip_prefix(PLACE);
        let events = item.text("events")?.split_ascii_whitespace();
        Ok(Entry {
            place: place
                .and_then(|place| place.parse().ok())
                .ok_or("it has no place")?,
            events: events
                .map(|id| id.parse().map_err(|error| format!("{error}")))
                .collect::<Result<_, _>>()?,
        })
    };
    read().map_err(|what| damaged("deliveries", item.maybe_text("pk").unwrap_or("?"), what))
}

fn line(item: &Item) -> Result<Line, Error> {
    let read = || -> Result<Line, String> {
        let lease = item.maybe_number("lease").map(|token| {
            Ok::<_, String>(Lease {
                token,
                until: Timestamp::from_millis(item.number("leased_until")?),
            })
        });
        Ok(Line {
            version: item.number("version")?,
            head: item.number("head")?,
            entry: item.number("entry")?,
            lease: lease.transpose()?,
        })
    };
    read().map_err(|what| damaged("deliveries", item.maybe_text("pk").unwrap_or("?"), what))
}

fn to_item(pk: String, line: &Line) -> Item {
    let mut item = Item::from([
        ("pk".to_owned(), s(pk)),
        ("sk".to_owned(), s(STATE)),
        ("version".to_owned(), n(line.version)),
        ("head".to_owned(), n(line.head)),
        ("entry".to_owned(), n(line.entry)),
    ]);
    if let Some(lease) = line.lease {
        item.insert("lease".to_owned(), n(lease.token));
        item.insert("leased_until".to_owned(), n(lease.until.as_millis()));
    }
    item
}

impl Store {
    /// What stands in a line between two keys.
    fn in_line(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        from: String,
        to: String,
    ) -> QueryFluentBuilder {
        self.db
            .query()
            .table_name(&self.tables.deliveries)
            .key_condition_expression("pk = :line AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":line", s(pk(tenant, endpoint)))
            .expression_attribute_values(":from", s(from))
            .expression_attribute_values(":to", s(to))
            // An entry that is seen too late would be overtaken.
            .consistent_read(true)
    }
}

impl ports::LineEnds for Store {
    async fn line_end(&self, tenant: &TenantId, endpoint: &EndpointId) -> Result<u64, Error> {
        let answer = self
            .in_line(tenant, endpoint, place_key(0), place_key(u64::MAX))
            .scan_index_forward(false)
            .limit(1)
            .send()
            .await
            .map_err(failed("Query deliveries line"))?;
        if let Some(last) = answer.items().first() {
            return Ok(entry(last)?.end());
        }
        // All that ever stood there has expired, or nothing has.
        Ok(ports::LineViews::line(self, tenant, endpoint).await?.head)
    }

    async fn put_entry(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        new: &Entry,
        now: Timestamp,
    ) -> Result<Write<Entry>, Error> {
        let events: Vec<String> = new.events.iter().map(EventId::to_string).collect();
        let expires = now.after(self.retention + ENTRY_SPARE);
        let mut item = Item::from([
            ("pk".to_owned(), s(pk(tenant, endpoint))),
            ("sk".to_owned(), s(place_key(new.place))),
            ("events".to_owned(), s(events.join(" "))),
            ("expires_at".to_owned(), n(expires.as_secs())),
        ]);
        let write = self.db.put_item().table_name(&self.tables.deliveries);
        let written = versioned_put(write, &mut item, 0, "PutItem deliveries entry");
        Ok(match written.await? {
            Write::Won => Write::Won,
            Write::Lost(other) => Write::Lost(other.as_ref().map(entry).transpose()?),
        })
    }
}

impl ports::LineViews for Store {
    async fn line(&self, tenant: &TenantId, endpoint: &EndpointId) -> Result<Line, Error> {
        let answer = self
            .db
            .get_item()
            .table_name(&self.tables.deliveries)
            .key("pk", s(pk(tenant, endpoint)))
            .key("sk", s(STATE))
            .consistent_read(true)
            .send()
            .await
            .map_err(failed("GetItem deliveries line"))?;
        let line = answer.item.as_ref().map(line).transpose()?;
        Ok(line.unwrap_or_default())
    }

    async fn entries(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        from: u64,
        limit: i32,
    ) -> Result<Vec<Entry>, Error> {
        let answer = self
            .in_line(tenant, endpoint, place_key(from), place_key(u64::MAX))
            .limit(limit)
            .send()
            .await
            .map_err(failed("Query deliveries line"))?;
        // One that cannot be read must not be passed over: what is behind it would overtake it.
        answer.items().iter().map(entry).collect()
    }

    async fn front(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        limit: i32,
    ) -> Result<Vec<EventId>, Error> {
        let (from, to) = (FRONT.to_owned(), format!("{FRONT}~"));
        let answer = self
            .in_line(tenant, endpoint, from, to)
            .limit(limit)
            .send()
            .await
            .map_err(failed("Query deliveries line"))?;
        let event = |item: &Item| {
            let sk = item.maybe_text("sk").unwrap_or_default();
            let event = sk.strip_prefix(FRONT).and_then(|id| id.parse().ok());
            event.ok_or_else(|| damaged("deliveries", sk, "it names no event"))
        };
        Ok(answer.items().iter().filter_map(readable(event)).collect())
    }
}

impl ports::Lines for Store {
    async fn store_line(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        new: &Line,
        over: u64,
        now: Timestamp,
    ) -> Result<Write<Line>, Error> {
        let mut item = to_item(pk(tenant, endpoint), new);
        let expires = now.after(self.retention + STATE_SPARE);
        item.insert("expires_at".to_owned(), n(expires.as_secs()));
        let write = self.db.put_item().table_name(&self.tables.deliveries);
        let written = versioned_put(write, &mut item, over, "PutItem deliveries line");
        Ok(match written.await? {
            Write::Won => Write::Won,
            Write::Lost(other) => Write::Lost(other.as_ref().map(line).transpose()?),
        })
    }

    async fn put_in_front(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        event: EventId,
    ) -> Result<(), Error> {
        self.db
            .put_item()
            .table_name(&self.tables.deliveries)
            .item("pk", s(pk(tenant, endpoint)))
            .item("sk", s(format!("{FRONT}{event}")))
            .send()
            .await
            .map(|_| ())
            .map_err(failed("PutItem deliveries front"))
    }

    async fn take_from_front(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        event: EventId,
    ) -> Result<(), Error> {
        self.db
            .delete_item()
            .table_name(&self.tables.deliveries)
            .key("pk", s(pk(tenant, endpoint)))
            .key("sk", s(format!("{FRONT}{event}")))
            .send()
            .await
            .map(|_| ())
            .map_err(failed("DeleteItem deliveries front"))
    }
}

impl ports::LineNotes for Store {
    async fn lines(&self) -> Result<Vec<LineNote>, Error> {
        let items = self.query_all(NOTES).await?;
        let note = |item: &Item| -> Option<LineNote> {
            let (tenant, endpoint) = item.maybe_text("sk")?.split_once('#')?;
            Some(LineNote {
                tenant: tenant.parse().ok()?,
                endpoint: endpoint.parse().ok()?,
                noted_at: Timestamp::from_millis(item.maybe_number("noted_at")?),
            })
        };
        let note = |item: &Item| {
            let sk = item.maybe_text("sk").unwrap_or("?");
            note(item).ok_or_else(|| damaged("settings", sk, "it is no note"))
        };
        Ok(items.iter().filter_map(readable(note)).collect())
    }

    async fn forget_line(&self, note: &LineNote) -> Result<(), Error> {
        let answer = self
            .db
            .delete_item()
            .table_name(&self.tables.settings)
            .key("pk", s(NOTES))
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

impl Store {
    /// Notes that an endpoint has a line, before it has. Again is fine.
    ///
    /// # Errors
    /// The write failed.
    pub async fn note_line(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.db
            .put_item()
            .table_name(&self.tables.settings)
            .item("pk", s(NOTES))
            .item("sk", s(format!("{tenant}#{endpoint}")))
            .item("noted_at", n(now.as_millis()))
            .send()
            .await
            .map(|_| ())
            .map_err(failed("PutItem settings"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_back_taken_and_free() {
        let until = Timestamp::from_millis(1_795_262_400_000);
        let free = Line {
            version: 3,
            head: 12,
            entry: 10,
            lease: None,
        };
        let taken = free.taken(u64::MAX, until, Timestamp::default()).unwrap();
        for one in [free, taken, taken.left()] {
            assert_eq!(line(&to_item("line#t#ep_1".to_owned(), &one)).unwrap(), one);
        }
    }

    #[test]
    fn places_sort_as_numbers() {
        assert!(place_key(9) < place_key(10));
        assert!(place_key(u64::MAX) > place_key(99_999_999));
    }
}
