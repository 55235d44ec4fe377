//! Jobs over many deliveries, in the `settings` table: `replay#tenant` / job id, and the list of
//! those that are not finished.

use hookpost_domain::TenantId;
use hookpost_domain::job::Job;
use hookpost_domain::ports::{self, Error, Write};

use super::item::{Item, Read, n, s};
use super::{Store, damaged, failed, readable};

const OPEN_JOBS: &str = "replay-jobs";
/// How long a finished job can be looked up.
const LIFETIME: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 3600);

/// A page of jobs, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobPage {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// The last one's id, if there may be more.
    pub next: Option<String>,
}

impl Store {
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
}

impl ports::Jobs for Store {
    async fn job(&self, tenant: &TenantId, id: &str) -> Result<Option<Job>, Error> {
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

    async fn store_job(&self, job: &Job, over: u64) -> Result<Write<Job>, Error> {
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

    async fn close_job(&self, tenant: &TenantId, id: &str) -> Result<(), Error> {
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

    async fn open_jobs(&self) -> Result<Vec<(TenantId, String)>, Error> {
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
