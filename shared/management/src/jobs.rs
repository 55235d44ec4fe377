//! `jobs`, and `replays`: how far they have got. They are asked for at the replay function.

use hookpost_adapters::api::Problem;
use hookpost_adapters::auth::Caller;
use hookpost_domain::EventId;
use hookpost_domain::job::Job;
use hookpost_domain::ports::{Jobs, World, Write};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::Management;
use crate::page::{self, Page};

/// How often a job is called off anew when it gets on meanwhile.
const TRIES: u32 = 8;

/// Which jobs to list.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JobQuery {
    /// How many, 1 to 200; 50 unless given.
    pub limit: Option<usize>,
    /// The `next` of the page before.
    pub after: Option<String>,
}

fn missing() -> Problem {
    Problem::not_found("no job has this id")
}

impl<W: World> Management<W> {
    /// A job by its id, as it is shown.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id.
    pub async fn get_job(&self, caller: &Caller, id: &str) -> Result<Value, Problem> {
        Ok(self.find_job(caller, id).await?.shown(self.world.now()))
    }

    /// Jobs, newest first.
    ///
    /// # Errors
    /// 422 for a page that cannot be.
    pub async fn list_jobs(
        &self,
        caller: &Caller,
        query: JobQuery,
    ) -> Result<Page<Value>, Problem> {
        let limit = page::limit(query.limit)?;
        let is_place = |id: &str| {
            let id = id.strip_prefix("job_").map(str::parse::<EventId>);
            id.is_some_and(|id| id.is_ok())
        };
        let after = query.after.as_deref();
        let after = self.place("jobs", caller, after).await?;
        if after.as_deref().is_some_and(|after| !is_place(after)) {
            return Err(page::unknown_place());
        }
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let jobs = self.store.jobs(&caller.tenant, after.as_deref(), limit);
        let page = jobs.await?;
        let now = self.world.now();
        Ok(Page {
            data: page.jobs.iter().map(|job| job.shown(now)).collect(),
            next: self.next("jobs", caller, page.next).await?,
        })
    }

    /// Calls a job off. What it has done stays done.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id; 409 if it is finished.
    pub async fn cancel_job(&self, caller: &Caller, id: &str) -> Result<Value, Problem> {
        let mut job = self.find_job(caller, id).await?;
        for _ in 0..TRIES {
            let now = self.world.now();
            if job.cancelled_at.is_some() {
                return Ok(job.shown(now));
            }
            if job.is_over() {
                return Err(Problem::conflict("this job is finished"));
            }
            let next = Job {
                cancelled_at: Some(now),
                finished_at: Some(now),
                version: job.version + 1,
                ..job.clone()
            };
            match self.store.store_job(&next, job.version).await? {
                Write::Won => return Ok(next.shown(now)),
                Write::Lost(other) => job = other.ok_or_else(missing)?,
            }
        }
        Err(Problem::conflict("this job gets on too fast; try again"))
    }

    async fn find_job(&self, caller: &Caller, id: &str) -> Result<Job, Problem> {
        let job = self.store.job(&caller.tenant, id).await?;
        job.ok_or_else(missing)
    }
}
