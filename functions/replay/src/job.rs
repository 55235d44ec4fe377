//! Replays by filter, as stored jobs: a paced replay outlives any invocation.
//!
//! A job goes through the tenant's dead letters shard by shard, oldest first, and notes how far it
//! has got after every page. What it puts back leaves the dead letters; what dies again has died
//! after the job was asked for, and is not meant. One instance at a time works on a job, by lease.

use std::time::Duration;

use hookpost_adapters::table::ReplayJob;
use hookpost_adapters::world::random_bytes;
use hookpost_domain::carrier::Carrier;
use hookpost_domain::delivery::Delivery;
use hookpost_domain::ids::DELIVERY_SHARDS;
use hookpost_domain::ports::{Deliveries, DeliveryQueue, Error, Outgoing, World, Write};
use hookpost_domain::{DeliveryId, EventId, TenantId, Timestamp};

use crate::Replay;
use crate::input::{Order, Unreadable};

/// Dead letters read at once.
const PAGE: usize = 100;
/// How far ahead messages are sent, each with its delay: until the next resume, and some.
const HORIZON: Duration = Duration::from_secs(120);
/// How long a lease holds without a sign of life.
const LEASE: Duration = Duration::from_secs(90);

/// How a run over a job ended.
enum Pace {
    /// Go on with the next page.
    On,
    /// The rate is spent for now.
    Spent,
}

impl<W: World> Replay<W> {
    /// Stores a job and works on it until `stop_at`.
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
            next_at: now,
            leased_until: now.after(LEASE),
            version: 1,
        };
        self.store.store_replay_job(&job, 0).await?;
        self.run(&mut job, stop_at).await?;
        Ok(job)
    }

    /// Goes on with every job that nobody works on. How many there were.
    pub(crate) async fn resume_jobs(&self, stop_at: Timestamp) -> Result<usize, Error> {
        let mut resumed = 0;
        for (tenant, id) in self.store.open_replay_jobs().await? {
            let now = self.world.now();
            if now >= stop_at {
                break;
            }
            let Some(mut job) = self.store.replay_job(&tenant, &id).await? else {
                self.store.close_replay_job(&tenant, &id).await?;
                continue;
            };
            if job.finished_at.is_some() {
                self.store.close_replay_job(&tenant, &id).await?;
                continue;
            }
            if now < job.leased_until {
                continue;
            }
            job.leased_until = now.after(LEASE);
            if self.save(&mut job).await? {
                resumed += 1;
                self.run(&mut job, stop_at).await?;
            }
        }
        Ok(resumed)
    }

    async fn run(&self, job: &mut ReplayJob, stop_at: Timestamp) -> Result<(), Error> {
        while job.shard < DELIVERY_SHARDS {
            if self.world.now() >= stop_at {
                return self.pause(job).await;
            }
            let (ids, next) = self.page(job).await?;
            match self.replay_page(job, &ids).await? {
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

    /// The next dead letters to look at, and where to go on in this shard.
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

    async fn replay_page(&self, job: &mut ReplayJob, ids: &[DeliveryId]) -> Result<Pace, Error> {
        let mut found = self.store.deliveries(ids).await?;
        found.sort_by(|one, other| one.id.cmp(&other.id));
        let mut messages = Vec::new();
        let mut pace = Pace::On;
        for delivery in found {
            if delivery.tenant == job.tenant && job.filter.matches(&delivery, job.created_at) {
                let now = self.world.now();
                let due = job.next_at.max(now);
                if !job.dry_run && due.since(now) > HORIZON {
                    pace = Pace::Spent;
                    break;
                }
                job.matched += 1;
                if !job.dry_run
                    && self
                        .put_back(job, &delivery, due, now, &mut messages)
                        .await?
                {
                    job.replayed += 1;
                    job.next_at = due.after(Duration::from_micros(
                        1_000_000 / u64::from(job.rate_per_second),
                    ));
                }
            }
            job.examined += 1;
            job.after = Some(delivery.id);
        }
        if !messages.is_empty() {
            // Should this fail, the records know: the sweeper sends what nobody hears of.
            self.queues.send(messages).await?;
        }
        Ok(pace)
    }

    async fn put_back(
        &self,
        job: &ReplayJob,
        delivery: &Delivery,
        due: Timestamp,
        now: Timestamp,
        messages: &mut Vec<(Outgoing, Duration)>,
    ) -> Result<bool, Error> {
        let next = delivery.replayed(due);
        if let Write::Lost(_) = self.store.store_delivery(&next, delivery.version).await? {
            tracing::info!(delivery.id = %delivery.id, replay.id = job.id, "somebody else was faster");
            return Ok(false);
        }
        let carrier = Carrier::pointing(&next, now);
        messages.push((Outgoing::Deliver(Box::new(carrier)), due.since(now)));
        Ok(true)
    }

    async fn pause(&self, job: &mut ReplayJob) -> Result<(), Error> {
        job.leased_until = self.world.now();
        self.save(job).await.map(|_| ())
    }

    /// `false` if another instance has the job.
    async fn save(&self, job: &mut ReplayJob) -> Result<bool, Error> {
        let over = job.version;
        job.version += 1;
        Ok(self.store.store_replay_job(job, over).await? == Write::Won)
    }
}
