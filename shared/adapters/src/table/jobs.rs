//! Jobs over many deliveries, in the `settings` table: `replay#tenant` / job id, and the list of
//! those that are not finished.

use hookpost_domain::action::{Action, Asked};
use hookpost_domain::delivery::{DeliveryFilter, Pass, passes};
use hookpost_domain::ports::{Error, Write};
use hookpost_domain::{DeliveryId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

use super::item::{Item, Read, n, s};
use super::{Store, damaged, failed, readable};

const OPEN_JOBS: &str = "replay-jobs";
/// How long a finished job can be looked up.
const LIFETIME: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 3600);

/// Something that is to be done to many deliveries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its id: `job_...`, newest last.
    pub id: String,
    /// Whose deliveries.
    pub tenant: TenantId,
    /// What is done to them.
    #[serde(default = "replay")]
    pub action: Action,
    /// Who asked for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// In whose words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// To which.
    pub filter: DeliveryFilter,
    /// Whether to count only.
    pub dry_run: bool,
    /// At most so many a second.
    pub rate_per_second: u32,
    /// When it was asked for: what died, or was accepted, later is not meant.
    pub created_at: Timestamp,
    /// When nothing was left to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// When somebody called it off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_at: Option<Timestamp>,
    /// Deliveries that were looked at.
    pub examined: u64,
    /// Those that are meant.
    pub matched: u64,
    /// Those that it was done to.
    #[serde(alias = "replayed")]
    pub done: u64,
    /// Which of its parts is being gone through.
    #[serde(default)]
    pub pass: usize,
    /// The shard of it.
    pub shard: u8,
    /// The last delivery in it that was dealt with, in the order of the way it is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<DeliveryId>,
    /// When the next one may be sent, by the rate: microseconds since the epoch, as a rate above
    /// 1000 a second has no other measure.
    #[serde(default)]
    pub next_micros: u64,
    /// Until when some instance works on it.
    pub leased_until: Timestamp,
    /// Counts its writes.
    pub version: u64,
}

const fn replay() -> Action {
    Action::Replay
}

/// A page of jobs, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobPage {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// The last one's id, if there may be more.
    pub next: Option<String>,
}

impl Job {
    /// What is done to each of its deliveries.
    pub fn asked(&self) -> Asked {
        Asked {
            by: self.by.clone(),
            note: self.note.clone(),
            ..Asked::of(self.action)
        }
    }

    /// The part that is being gone through; `None` if all are.
    pub fn current(&self) -> Option<Pass> {
        passes(self.action, &self.filter).into_iter().nth(self.pass)
    }

    /// Whether nothing more will be done.
    pub const fn is_over(&self) -> bool {
        self.finished_at.is_some()
    }

    /// The job as the API shows it, at `now`.
    pub fn shown(&self, now: Timestamp) -> serde_json::Value {
        let status = match (self.finished_at, self.cancelled_at) {
            (_, Some(_)) => "cancelled",
            (Some(_), None) => "finished",
            (None, None) => "running",
        };
        let took = self.finished_at.unwrap_or(now).since(self.created_at);
        let per_second = took.as_millis() > 0;
        let mut shown = serde_json::json!({
            "id": self.id,
            "tenant": self.tenant,
            "action": self.action,
            "status": status,
            "filter": self.filter,
            "dry_run": self.dry_run,
            "rate_per_second": self.rate_per_second,
            "examined": self.examined,
            "matched": self.matched,
            "done": self.done,
            "done_per_second": per_second.then(|| {
                // Two decimals, from whole numbers.
                let hundredths = u128::from(self.done) * 100_000 / took.as_millis().max(1);
                u32::try_from(hundredths).map_or(f64::from(u32::MAX), f64::from) / 100.0
            }),
            "by": self.by,
            "note": self.note,
            "created_at": self.created_at,
            "finished_at": self.finished_at,
            "cancelled_at": self.cancelled_at,
        });
        if let (Action::Replay, Some(fields)) = (self.action, shown.as_object_mut()) {
            fields.insert("replayed".to_owned(), self.done.into());
        }
        shown
    }
}

impl Store {
    /// A job by its id.
    ///
    /// # Errors
    /// The read failed.
    pub async fn job(&self, tenant: &TenantId, id: &str) -> Result<Option<Job>, Error> {
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
        answer.item.as_ref().map(read_job).transpose()
    }

    /// The jobs of a tenant, newest first, after the one called `after`.
    ///
    /// # Errors
    /// The read failed.
    pub async fn jobs(
        &self,
        tenant: &TenantId,
        after: Option<&str>,
        limit: i32,
    ) -> Result<JobPage, Error> {
        let pk = format!("replay#{tenant}");
        let start =
            after.map(|id| Item::from([("pk".to_owned(), s(&pk)), ("sk".to_owned(), s(id))]));
        let answer = self
            .db
            .query()
            .table_name(&self.tables.settings)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", s(&pk))
            .set_exclusive_start_key(start)
            .scan_index_forward(false)
            .limit(limit)
            .send()
            .await
            .map_err(failed("Query settings"))?;
        Ok(JobPage {
            jobs: answer
                .items()
                .iter()
                .filter_map(readable(read_job))
                .collect(),
            next: answer
                .last_evaluated_key()
                .and_then(|key| key.maybe_text("sk"))
                .map(str::to_owned),
        })
    }

    /// Stores a job over the one of version `over`. While it is not finished it is also listed
    /// among the open ones: first there, last from there. So an entry there may be ahead of its
    /// job.
    ///
    /// # Errors
    /// A write failed.
    pub async fn store_job(&self, job: &Job, over: u64) -> Result<Write<Job>, Error> {
        if over == 0 && !job.is_over() {
            self.db
                .put_item()
                .table_name(&self.tables.settings)
                .item("pk", s(OPEN_JOBS))
                .item("sk", s(format!("{}#{}", job.tenant, job.id)))
                .send()
                .await
                .map_err(failed("PutItem settings"))?;
        }
        let mut item = Item::from([
            ("pk".to_owned(), s(format!("replay#{}", job.tenant))),
            ("sk".to_owned(), s(&job.id)),
            ("version".to_owned(), n(job.version)),
            (
                "job".to_owned(),
                s(serde_json::to_string(job).unwrap_or_default()),
            ),
            (
                "expires_at".to_owned(),
                n(job.created_at.after(LIFETIME).as_secs()),
            ),
        ]);
        let write = self.db.put_item().table_name(&self.tables.settings);
        let written =
            super::keys::versioned_put(write, &mut item, over, "PutItem settings").await?;
        if let Write::Lost(other) = written {
            return Ok(Write::Lost(other.as_ref().map(read_job).transpose()?));
        }
        if job.is_over() {
            self.close_job(&job.tenant, &job.id).await?;
        }
        Ok(Write::Won)
    }

    /// Takes a job off the list of open ones.
    ///
    /// # Errors
    /// The write failed.
    pub async fn close_job(&self, tenant: &TenantId, id: &str) -> Result<(), Error> {
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
    pub async fn open_jobs(&self) -> Result<Vec<(TenantId, String)>, Error> {
        let items = self.query_all(OPEN_JOBS).await?;
        let split = |item: &Item| {
            let (tenant, id) = item.maybe_text("sk")?.split_once('#')?;
            Some((tenant.parse().ok()?, id.to_owned()))
        };
        Ok(items.iter().filter_map(split).collect())
    }
}

fn read_job(item: &Item) -> Result<Job, Error> {
    let read = || -> Result<Job, String> {
        serde_json::from_str(item.text("job")?).map_err(|error| error.to_string())
    };
    read().map_err(|what| damaged("settings", item.maybe_text("sk").unwrap_or("?"), what))
}
