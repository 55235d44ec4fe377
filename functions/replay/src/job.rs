//! What is to be done to many deliveries, as stored jobs: a paced one outlives any invocation.
//!
//! A job goes through what can be meant part by part and shard by shard, and notes how far it has
//! got after every page, in the order in which that is found. What it puts back leaves the dead
//! letters; what dies again has died after the job was asked for, and is not meant. One instance at
//! a time works on a job, by lease. What goes wrong is logged, and tried again by the next resume.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::stream::{self, StreamExt};
use hookpost_adapters::actions::{self, Acted};
use hookpost_adapters::world::random_bytes;
use hookpost_domain::action::{Action, Asked};
use hookpost_domain::counters::Counters;
use hookpost_domain::delivery::{Only, Status};
use hookpost_domain::job::Job;
use hookpost_domain::ports::{Error, World, Write};
use hookpost_domain::{DeliveryId, EventId, TenantId, Timestamp};

use crate::finding::{Page, shards};
use crate::input::{Order, Unreadable};
use crate::pace::{self, Fate, Pace, Step};
use crate::{Queues, Replayer, Tables};

/// Records written at once.
const WRITES: usize = 16;
/// How long a lease holds without a sign of life.
const LEASE: Duration = Duration::from_secs(90);
/// How long a job on the list may be missing: it is listed before it is stored.
const STORED_WITHIN: Duration = Duration::from_secs(5 * 60);

impl<S: Tables, Q: Queues, W: World> Replayer<S, Q, W> {
    /// Stores a job and works on it until `stop_at`. Once it is stored it goes on, whatever happens
    /// here.
    ///
    /// # Errors
    /// The order is not valid, or the job may not be stored.
    pub async fn start_job(
        &self,
        order: Order,
        tenant: TenantId,
        by: &str,
        stop_at: Timestamp,
    ) -> Result<Job, Unreadable> {
        let rate_per_second = order.check()?;
        let now = self.world.now();
        let mut job = Job {
            id: format!("job_{}", EventId::generate(now, random_bytes())),
            tenant,
            action: order.action(),
            by: by.to_owned(),
            note: order.note,
            filter: order.filter,
            dry_run: order.dry_run,
            rate_per_second,
            created_at: now,
            finished_at: None,
            cancelled_at: None,
            examined: 0,
            matched: 0,
            done: 0,
            pass: 0,
            shard: 0,
            after: None,
            next_micros: 0,
            leased_until: now.after(LEASE),
            version: 1,
        };
        self.store.store_job(&job, 0).await?;
        self.run(&mut job, stop_at).await;
        Ok(job)
    }

    /// Goes on with every job that nobody works on. How many there were.
    ///
    /// # Errors
    /// It is not known which jobs there are.
    pub async fn resume_jobs(&self, stop_at: Timestamp) -> Result<usize, Error> {
        let mut jobs = self.store.open_jobs().await?;
        if !jobs.is_empty() {
            // Each is the first at times: one that takes all the time must not do so for ever.
            let first = self.world.token() % jobs.len() as u64;
            jobs.rotate_left(usize::try_from(first).unwrap_or_default());
        }
        let mut resumed = 0;
        for (tenant, id) in jobs {
            if self.world.now() >= stop_at {
                break;
            }
            match self.resume_job(&tenant, &id, stop_at).await {
                Ok(was_free) => resumed += usize::from(was_free),
                Err(error) => {
                    tracing::error!(job.id = id, %tenant, %error, cause = ?error.source, "a job was not resumed");
                }
            }
        }
        Ok(resumed)
    }

    /// `false` if there is nothing to do, or another instance does it.
    async fn resume_job(
        &self,
        tenant: &TenantId,
        id: &str,
        stop_at: Timestamp,
    ) -> Result<bool, Error> {
        let now = self.world.now();
        let Some(mut job) = self.store.job(tenant, id).await? else {
            if should_be_stored(id, now) {
                self.store.close_job(tenant, id).await?;
            }
            return Ok(false);
        };
        if job.is_over() {
            self.store.close_job(tenant, id).await?;
            return Ok(false);
        }
        if now < job.leased_until {
            return Ok(false);
        }
        job.leased_until = now.after(LEASE);
        let is_ours = self.save(&mut job).await?;
        if is_ours {
            self.run(&mut job, stop_at).await;
        }
        Ok(is_ours)
    }

    async fn run(&self, job: &mut Job, stop_at: Timestamp) {
        let Err(error) = self.work(job, stop_at).await else {
            return;
        };
        tracing::error!(job.id = job.id, tenant = %job.tenant, %error, cause = ?error.source, "a job was interrupted; it goes on within minutes");
        // What was done is done: neither counts nor pace begin again.
        if let Err(error) = self.pause(job).await {
            tracing::error!(job.id = job.id, %error, cause = ?error.source, "nor is it noted how far it got");
        }
    }

    async fn work(&self, job: &mut Job, stop_at: Timestamp) -> Result<(), Error> {
        while let Some(pass) = job.current() {
            if self.world.now() >= stop_at {
                return self.pause(job).await;
            }
            let page = self.page(job, &pass.way).await?;
            match self.work_page(job, &page, pass.only, stop_at).await? {
                Pace::Spent => return self.pause(job).await,
                Pace::On => {
                    if page.next.is_none() {
                        job.shard += 1;
                        if job.shard >= shards(&pass.way) {
                            job.shard = 0;
                            job.pass += 1;
                        }
                    }
                    job.after = page.next;
                }
            }
            job.leased_until = self.world.now().after(LEASE);
            if job.current().is_some() && !self.save(job).await? {
                return Ok(());
            }
        }
        job.finished_at = Some(self.world.now());
        if self.save(job).await? {
            self.note_done(job).await;
        }
        tracing::info!(job.id = job.id, tenant = %job.tenant, action = job.action.as_str(), job.matched, job.done, job.dry_run, "job finished");
        Ok(())
    }

    /// Deals with a page of ids in its order; `Spent` if it was left early.
    async fn work_page(
        &self,
        job: &mut Job,
        page: &Page,
        only: Only,
        stop_at: Timestamp,
    ) -> Result<Pace, Error> {
        let found: HashMap<_, _> = page
            .found
            .iter()
            .map(|delivery| (delivery.id.clone(), delivery.clone()))
            .collect();
        let now = self.world.now();
        let (steps, mut pace) = pace::plan(job, &page.ids, found, only, now);
        let asked = &job.asked();
        let stop = AtomicBool::new(false);
        let fates: Vec<(DeliveryId, Fate)> = stream::iter(steps)
            .map(|(id, step)| {
                let stop = &stop;
                async move { (id, self.take(asked, step, now, stop_at, stop).await) }
            })
            .buffered(WRITES)
            .collect()
            .await;
        let sum = pace::tally(job, fates);
        self.tally.flush(&self.store, now).await;
        // Before any error is told: should this fail, the records know, and the sweeper sends what
        // nobody hears of.
        let sent = if sum.messages.is_empty() {
            Ok(())
        } else {
            self.queues.send(sum.messages).await
        };
        if let Some(error) = sum.error {
            if let Err(error) = sent {
                tracing::error!(job.id = job.id, %error, cause = ?error.source, "what was put back is not sent yet");
            }
            return Err(error);
        }
        sent?;
        if !sum.complete {
            pace = Pace::Spent;
        }
        Ok(pace)
    }

    /// Carries out a step, unless time is over or one before it has failed.
    async fn take(
        &self,
        asked: &Asked,
        step: Step,
        now: Timestamp,
        stop_at: Timestamp,
        stop: &AtomicBool,
    ) -> Fate {
        let (delivery, due_micros) = match step {
            Step::Pass => return Fate::Passed,
            Step::Count => return Fate::Counted,
            Step::Act {
                delivery,
                due_micros,
            } => (delivery, due_micros),
        };
        let due = pace::time(due_micros);
        if !asked.action.sends() && due < stop_at {
            // A message waits for its time in the queue; what sends none is waited for here.
            tokio::time::sleep(due.since(self.world.now())).await;
        }
        let is_early = !asked.action.sends() && due >= stop_at;
        if is_early || stop.load(Ordering::Relaxed) || self.world.now() >= stop_at {
            stop.store(true, Ordering::Relaxed);
            return Fate::Left;
        }
        let id = delivery.id.clone();
        match actions::act(&self.store, asked, *delivery, due, now).await {
            Ok(acted @ (Acted::Send(..) | Acted::Kept(_))) => {
                if asked.action == Action::Replay {
                    self.note_replayed();
                }
                if let Acted::Kept(delivery) = &acted
                    && matches!(delivery.status, Status::Cancelled { .. })
                {
                    let endpoint = Some(&delivery.id.endpoint);
                    let counts = Counters::of_cancelling();
                    self.tally.note(
                        &delivery.tenant,
                        endpoint,
                        &delivery.event_type,
                        counts,
                        now,
                    );
                }
                Fate::Done {
                    message: acted.message(now),
                    due_micros,
                }
            }
            Ok(Acted::Already(_) | Acted::Refused(..) | Acted::Gone) => {
                tracing::info!(delivery.id = %id, "there was nothing to do, or somebody else was faster");
                Fate::Counted
            }
            Err(error) => {
                stop.store(true, Ordering::Relaxed);
                Fate::Failed(error)
            }
        }
    }

    async fn pause(&self, job: &mut Job) -> Result<(), Error> {
        job.leased_until = self.world.now();
        self.save(job).await.map(|_| ())
    }

    /// `false` if another instance has the job, or it has been called off.
    async fn save(&self, job: &mut Job) -> Result<bool, Error> {
        let over = job.version;
        job.version += 1;
        let written = self.store.store_job(job, over).await;
        match written {
            Ok(Write::Won) => Ok(true),
            Ok(Write::Lost(Some(other))) if other.cancelled_at.is_some() => {
                // It has been called off meanwhile: what was done until then still counts.
                let over = other.version;
                job.cancelled_at = other.cancelled_at;
                job.finished_at = other.finished_at;
                job.version = over + 1;
                self.store.store_job(job, over).await?;
                Ok(false)
            }
            Ok(Write::Lost(_)) => Ok(false),
            Err(error) => {
                // Perhaps it can be saved later.
                job.version = over;
                Err(error)
            }
        }
    }
}

/// Whether a job with this id, if there ever was one, was stored long ago.
fn should_be_stored(id: &str, now: Timestamp) -> bool {
    id.strip_prefix("job_")
        .and_then(|id| id.parse::<EventId>().ok())
        .is_some_and(|id| now.since(id.time()) > STORED_WITHIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_is_listed_but_missing_may_be_about_to_be_stored() {
        let made = Timestamp::from_millis(1_795_262_400_000);
        let id = format!("job_{}", EventId::generate(made, [1; 10]));
        assert!(!should_be_stored(&id, made));
        assert!(!should_be_stored(&id, made.after(STORED_WITHIN)));
        assert!(should_be_stored(
            &id,
            made.after(STORED_WITHIN + Duration::from_millis(1))
        ));
        assert!(!should_be_stored("job_x", made));
    }
}
