//! The `settings` table: endpoints that hold deliveries back, replay jobs, the sweeper's cursor.

use hookpost_domain::ports::{self, Error, Write};
use hookpost_domain::replay::ReplayFilter;
use hookpost_domain::{EndpointId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

use super::item::{Item, Read, n, s};
use super::{Store, damaged, failed, readable};

const HOLDING: &str = "holding";
const OPEN_JOBS: &str = "replay-jobs";
const CURSORS: &str = "cursors";
/// How long a finished job can be looked up.
const JOB_LIFETIME: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 3600);

/// An endpoint that may hold deliveries back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldingNote {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub endpoint: EndpointId,
    /// When that was last noted.
    pub noted_at: Timestamp,
    /// Since when the sweeper has found it quiet: nothing held, and no reason to hold anything.
    pub quiet_since: Option<Timestamp>,
}

/// A replay that has been asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplayJob {
    /// Its id: `rpl_...`, newest last.
    pub id: String,
    /// Whose dead letters.
    pub tenant: TenantId,
    /// Which.
    pub filter: ReplayFilter,
    /// Whether to count only.
    pub dry_run: bool,
    /// At most so many a second.
    pub rate_per_second: u32,
    /// When it was asked for: what died later is not meant.
    pub created_at: Timestamp,
    /// When nothing was left to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Dead letters that were looked at.
    pub examined: u64,
    /// Those that are meant.
    pub matched: u64,
    /// Those that were put back.
    pub replayed: u64,
    /// The shard that is being gone through.
    pub shard: u8,
    /// The last delivery in it that was dealt with, in the order of the index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<hookpost_domain::DeliveryId>,
    /// When the next one may be sent, by the rate: microseconds since the epoch, as a rate above
    /// 1000 a second has no other measure.
    #[serde(default)]
    pub next_micros: u64,
    /// Until when some instance works on it.
    pub leased_until: Timestamp,
    /// Counts its writes.
    pub version: u64,
}

impl ReplayJob {
    /// The job as the API shows it.
    pub fn shown(&self) -> serde_json::Value {
        serde_json::json!({
            "id": self.id,
            "tenant": self.tenant,
            "status": if self.finished_at.is_some() { "finished" } else { "running" },
            "filter": self.filter,
            "dry_run": self.dry_run,
            "rate_per_second": self.rate_per_second,
            "examined": self.examined,
            "matched": self.matched,
            "replayed": self.replayed,
            "created_at": self.created_at,
            "finished_at": self.finished_at,
        })
    }
}

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

impl Store {
    /// The endpoints that may hold deliveries back. A note that cannot be read is logged and left
    /// out.
    ///
    /// # Errors
    /// A read failed.
    pub async fn holding(&self) -> Result<Vec<HoldingNote>, Error> {
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

    /// Notes since when an endpoint has been quiet, or that it is not, unless the note has been
    /// renewed.
    ///
    /// # Errors
    /// The write failed.
    pub async fn set_quiet(
        &self,
        note: &HoldingNote,
        since: Option<Timestamp>,
    ) -> Result<(), Error> {
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

    /// Forgets a note, unless it has been renewed.
    ///
    /// # Errors
    /// The write failed.
    pub async fn forget_holding(&self, note: &HoldingNote) -> Result<(), Error> {
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

    /// A job by its id.
    ///
    /// # Errors
    /// The read failed.
    pub async fn replay_job(
        &self,
        tenant: &TenantId,
        id: &str,
    ) -> Result<Option<ReplayJob>, Error> {
        let answer = self
            .db
            .get_item()
            .table_name(&self.tables.settings)
            .key("pk", s(format!("replay#{tenant}")))
            .key("sk", s(id))
            .consistent_read(true)
            .send()
            .await
            .map_err(failed("GetItem settings"))?;
        answer.item.as_ref().map(job).transpose()
    }

    /// Stores a job over the one of version `over`. While it is not finished it is also listed
    /// among the open ones: first there, last from there. So an entry there may be ahead of its
    /// job.
    ///
    /// # Errors
    /// A write failed.
    pub async fn store_replay_job(
        &self,
        job_: &ReplayJob,
        over: u64,
    ) -> Result<Write<ReplayJob>, Error> {
        if over == 0 && job_.finished_at.is_none() {
            self.db
                .put_item()
                .table_name(&self.tables.settings)
                .item("pk", s(OPEN_JOBS))
                .item("sk", s(format!("{}#{}", job_.tenant, job_.id)))
                .send()
                .await
                .map_err(failed("PutItem settings"))?;
        }
        let mut item = Item::from([
            ("pk".to_owned(), s(format!("replay#{}", job_.tenant))),
            ("sk".to_owned(), s(&job_.id)),
            ("version".to_owned(), n(job_.version)),
            (
                "job".to_owned(),
                s(serde_json::to_string(job_).unwrap_or_default()),
            ),
            (
                "expires_at".to_owned(),
                n(job_.created_at.after(JOB_LIFETIME).as_secs()),
            ),
        ]);
        let write = self.db.put_item().table_name(&self.tables.settings);
        let written =
            super::keys::versioned_put(write, &mut item, over, "PutItem settings").await?;
        if let Write::Lost(other) = written {
            return Ok(Write::Lost(other.as_ref().map(job).transpose()?));
        }
        if job_.finished_at.is_some() {
            self.close_replay_job(&job_.tenant, &job_.id).await?;
        }
        Ok(Write::Won)
    }

    /// Takes a job off the list of open ones.
    ///
    /// # Errors
    /// The write failed.
    pub async fn close_replay_job(&self, tenant: &TenantId, id: &str) -> Result<(), Error> {
        self.db
            .delete_item()
            .table_name(&self.tables.settings)
            .key("pk", s(OPEN_JOBS))
            .key("sk", s(format!("{tenant}#{id}")))
            .send()
            .await
            .map(|_| ())
            .map_err(failed("DeleteItem settings"))
    }

    /// Tenant and id of every job that is not finished.
    ///
    /// # Errors
    /// A read failed.
    pub async fn open_replay_jobs(&self) -> Result<Vec<(TenantId, String)>, Error> {
        let items = self.query_all(OPEN_JOBS).await?;
        let split = |item: &Item| {
            let (tenant, id) = item.maybe_text("sk")?.split_once('#')?;
            Some((tenant.parse().ok()?, id.to_owned()))
        };
        Ok(items.iter().filter_map(split).collect())
    }

    /// How far something has got that goes through time.
    ///
    /// # Errors
    /// The read failed.
    pub async fn cursor(&self, name: &str) -> Result<Option<Timestamp>, Error> {
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

    /// Notes how far it has got.
    ///
    /// # Errors
    /// The write failed.
    pub async fn set_cursor(&self, name: &str, at: Timestamp) -> Result<(), Error> {
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

    async fn query_all(&self, pk: &str) -> Result<Vec<Item>, Error> {
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

fn job(item: &Item) -> Result<ReplayJob, Error> {
    let read = || -> Result<ReplayJob, String> {
        serde_json::from_str(item.text("job")?).map_err(|error| error.to_string())
    };
    read().map_err(|what| damaged("settings", item.maybe_text("sk").unwrap_or("?"), what))
}
