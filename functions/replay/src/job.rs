//! Replays by filter, as stored jobs: a paced replay outlives any invocation.
//!
//! A job goes through the tenant's dead letters shard by shard, oldest event first, and notes how
//! far it has got after every page, in the order of the index. What it puts back leaves the dead
//! letters; what dies again has died after the job was asked for, and is not meant. One instance at
//! a time works on a job, by lease. What goes wrong is logged, and tried again by the next resume.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::stream::{self, StreamExt};
use hookpost_adapters::table::ReplayJob;
use hookpost_adapters::world::random_bytes;
use hookpost_domain::carrier::Carrier;
use hookpost_domain::delivery::Delivery;
use hookpost_domain::ids::DELIVERY_SHARDS;
use hookpost_domain::ports::{DeliveryQueue, Error, Outgoing, World, Write};
use hookpost_domain::{DeliveryId, EventId, TenantId, Timestamp};

use crate::Replay;
use crate::cycle::Begun;
use crate::input::{Order, Unreadable};
use crate::pace::{self, Fate, Pace, Step};

/// Dead letters read at once.
const PAGE: usize = 100;
/// Records written at once.
const WRITES: usize = 16;
/// How long a lease holds without a sign of life.
const LEASE: Duration = Duration::from_secs(90);
/// How long a job on the list may be missing: it is listed before it is stored.
const STORED_WITHIN: Duration = Duration::from_secs(5 * 60);

impl<W: World> Replay<W> {
    /// Stores a job and works on it until `stop_at`. Once it is stored it goes on, whatever happens
    /// here.
    pub(crate) async fn start_job(
        &self,
        order: Order,
        tenant: TenantId,
        stop_at: Timestamp,
    ) -> Result<ReplayJob, Unreadable> {
        let rate_per_second = order.check()?;
        let now = self.world.now();
        let mut job = ReplayJob {
            id: format!("rpl_{}", EventId::generate(now, random_bytes())),
            tenant,
            filter: order.filter,
            dry_run: order.dry_run,
            rate_per_second,
            created_at: now,
            finished_at: None,
            examined: 0,
            matched: 0,
            replayed: 0,
            shard: 0,
            after: None,
            next_micros: 0,
            leased_until: now.after(LEASE),
            version: 1,
        };
        self.store.store_replay_job(&job, 0).await?;
        self.run(&mut job, stop_at).await;
        Ok(job)
    }

    /// Goes on with every job that nobody works on. How many there were.
    pub(crate) async fn resume_jobs(&self, stop_at: Timestamp) -> Result<usize, Error> {
        let mut jobs = self.store.open_replay_jobs().await?;
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
                    tracing::error!(replay.id = id, %tenant, %error, cause = ?error.source, "a replay was not resumed");
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
        let Some(mut job) = self.store.replay_job(tenant, id).await? else {
            if should_be_stored(id, now) {
                self.store.close_replay_job(tenant, id).await?;
            }
            return Ok(false);
        };
        if job.finished_at.is_some() {
            self.store.close_replay_job(tenant, id).await?;
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

    async fn run(&self, job: &mut ReplayJob, stop_at: Timestamp) {
        let Err(error) = self.work(job, stop_at).await else {
            return;
        };
        tracing::error!(replay.id = job.id, tenant = %job.tenant, %error, cause = ?error.source, "a replay was interrupted; it goes on within minutes");
        // What was done is done: neither counts nor pace begin again.
        if let Err(error) = self.pause(job).await {
            tracing::error!(replay.id = job.id, %error, cause = ?error.source, "nor is it noted how far it got");
        }
    }

    async fn work(&self, job: &mut ReplayJob, stop_at: Timestamp) -> Result<(), Error> {
        while job.shard < DELIVERY_SHARDS {
            if self.world.now() >= stop_at {
                return self.pause(job).await;
            }
            let (ids, next) = self.page(job).await?;
            match self.replay_page(job, &ids, stop_at).await? {
                Pace::Spent => return self.pause(job).await,
                Pace::On => {
                    job.shard += u8::from(next.is_none());
                    job.after = next;
                }
            }
            job.leased_until = self.world.now().after(LEASE);
            if job.shard < DELIVERY_SHARDS && !self.save(job).await? {
                return Ok(());
            }
        }
        job.finished_at = Some(self.world.now());
        self.save(job).await?;
        tracing::info!(replay.id = job.id, tenant = %job.tenant, job.matched, job.replayed, job.dry_run, "replay finished");
        Ok(())
    }

    /// The next dead letters to look at, in the order they have there, and where to go on in this
    /// shard.
    async fn page(&self, job: &ReplayJob) -> Result<(Vec<DeliveryId>, Option<DeliveryId>), Error> {
        if !job.filter.delivery_ids.is_empty() {
            let of_shard = |id: &&DeliveryId| id.event.delivery_shard() == job.shard;
            let mut ids: Vec<_> = job
                .filter
                .delivery_ids
                .iter()
                .filter(of_shard)
                .cloned()
                .collect();
            ids.sort();
            ids.dedup();
            ids.retain(|id| job.after.as_ref().is_none_or(|after| id > after));
            return Ok((ids, None));
        }
        let range = (job.filter.from, job.filter.to);
        let limit = i32::try_from(PAGE).unwrap_or(i32::MAX);
        let page = self
            .store
            .by_status(
                &job.tenant,
                "dead",
                job.shard,
                job.after.as_ref(),
                range,
                false,
                limit,
            )
            .await?;
        Ok((page.ids, page.next))
    }

    /// Deals with a page of ids in its order; `Spent` if it was left early.
    async fn replay_page(
        &self,
        job: &mut ReplayJob,
        ids: &[DeliveryId],
        stop_at: Timestamp,
    ) -> Result<Pace, Error> {
        let found = self.store.deliveries(ids).await?;
        let found: HashMap<_, _> = found
            .into_iter()
            .map(|delivery| (delivery.id.clone(), delivery))
            .collect();
        let now = self.world.now();
        let (steps, mut pace) = pace::plan(job, ids, found, now);
        let stop = AtomicBool::new(false);
        let fates: Vec<(DeliveryId, Fate)> = stream::iter(steps)
            .map(|(id, step)| {
                let stop = &stop;
                async move { (id, self.take(step, now, stop_at, stop).await) }
            })
            .buffered(WRITES)
            .collect()
            .await;
        let sum = pace::tally(job, fates);
        // Before any error is told: should this fail, the records know, and the sweeper sends what
        // nobody hears of.
        let sent = if sum.messages.is_empty() {
            Ok(())
        } else {
            self.queues.send(sum.messages).await
        };
        if let Some(error) = sum.error {
            if let Err(error) = sent {
                tracing::error!(replay.id = job.id, %error, cause = ?error.source, "what was put back is not sent yet");
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
        step: Step,
        now: Timestamp,
        stop_at: Timestamp,
        stop: &AtomicBool,
    ) -> Fate {
        let (delivery, due_micros) = match step {
            Step::Pass => return Fate::Passed,
            Step::Count => return Fate::Counted,
            Step::PutBack {
                delivery,
                due_micros,
            } => (delivery, due_micros),
        };
        if stop.load(Ordering::Relaxed) || self.world.now() >= stop_at {
            stop.store(true, Ordering::Relaxed);
            return Fate::Left;
        }
        match self.put_back(&delivery, pace::time(due_micros), now).await {
            Ok(Some(message)) => Fate::PutBack {
                message,
                due_micros,
            },
            Ok(None) => {
                tracing::info!(delivery.id = %delivery.id, "somebody else was faster");
                Fate::Counted
            }
            Err(error) => {
                stop.store(true, Ordering::Relaxed);
                Fate::Failed(error)
            }
        }
    }

    async fn put_back(
        &self,
        delivery: &Delivery,
        due: Timestamp,
        now: Timestamp,
    ) -> Result<Option<(Outgoing, Duration)>, Error> {
        let Begun::Fresh(next) = self.begin_cycle(delivery.clone(), due).await? else {
            return Ok(None);
        };
        let carrier = Carrier::pointing(&next, now);
        let message = Outgoing::Deliver(Box::new(carrier));
        Ok(Some((message, due.since(now))))
    }

    async fn pause(&self, job: &mut ReplayJob) -> Result<(), Error> {
        job.leased_until = self.world.now();
        self.save(job).await.map(|_| ())
    }

    /// `false` if another instance has the job.
    async fn save(&self, job: &mut ReplayJob) -> Result<bool, Error> {
        let over = job.version;
        job.version += 1;
        let written = self.store.store_replay_job(job, over).await;
        if written.is_err() {
            // Perhaps it can be saved later.
            job.version = over;
        }
        Ok(written? == Write::Won)
    }
}

/// Whether a job with this id, if there ever was one, was stored long ago.
fn should_be_stored(id: &str, now: Timestamp) -> bool {
    id.strip_prefix("rpl_")
        .and_then(|id| id.parse::<EventId>().ok())
        .is_some_and(|id| now.since(id.time()) > STORED_WITHIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_is_listed_but_missing_may_be_about_to_be_stored() {
        let made = Timestamp::from_millis(1_795_262_400_000);
        let id = format!("rpl_{}", EventId::generate(made, [1; 10]));
        assert!(!should_be_stored(&id, made));
        assert!(!should_be_stored(&id, made.after(STORED_WITHIN)));
        assert!(should_be_stored(
            &id,
            made.after(STORED_WITHIN + Duration::from_millis(1))
        ));
        assert!(!should_be_stored("rpl_x", made));
    }
}
