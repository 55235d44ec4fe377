//! Accepted events whose deliveries have neither a record nor, it must be feared, a message.
//!
//! Time is gone through in stretches, and how far is noted after each, so that nothing is lost when
//! a sweep ends. A stretch that there was not time for is tried shorter, until it fits.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::stream::{self, StreamExt};
use hookpost_adapters::lines;
use hookpost_domain::delivery::Delivery;
use hookpost_domain::event::{Bucket, EventOutline, hour_of};
use hookpost_domain::line::Wake;
use hookpost_domain::ports::{Error, World};
use hookpost_domain::{DeliveryId, EndpointId, EventId, TenantId, Timestamp};

use crate::settle::Change;
use crate::{Queues, Sweeper, Swept, Tables, before};

const CURSOR: &str = "lost-deliveries";
/// Younger events may still be on their way. A message this old has its record read before it is
/// carried out, so that looking for it does no harm.
const GIVE_IT: Duration = Duration::from_secs(15 * 60);
/// While the delivery queue is not empty, what has no record most likely waits in it, and sending
/// it again would only lengthen the queue.
const GIVE_A_BUSY_QUEUE: Duration = Duration::from_secs(6 * 3600);
/// Where the first sweep of a deployment begins.
const FIRST_LOOK: Duration = Duration::from_secs(24 * 3600);
/// Events that are about to be deleted are not looked at: the records of their deliveries may have
/// gone before them, and what was delivered would seem lost.
const BEFORE_THE_END: Duration = Duration::from_secs(3600);
/// Buckets that are read at once.
const BUCKETS_AT_ONCE: usize = 16;
/// Records that are looked for in one read, and such reads at once.
const RECORDS: usize = 100;
const READS_AT_ONCE: usize = 8;

/// How much time is gone through at once: as much as there has been time for lately.
#[derive(Debug)]
pub(crate) struct Stretch(AtomicU64);

impl Stretch {
    const FIRST: Duration = Duration::from_secs(60);
    const LONGEST: Duration = Duration::from_secs(600);
    const SHORTEST: Duration = Duration::from_millis(10);
    /// A stretch that took no longer might as well have been longer.
    const QUICK: Duration = Duration::from_secs(2);

    fn length(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    /// Learns from a stretch of `length`: what it `took`, or that there was no time to finish it.
    fn learn(&self, length: Duration, took: Option<Duration>) {
        let next = match took {
            None => length / 4,
            Some(took) if took <= Self::QUICK => self.length().max(length * 2),
            Some(_) => self.length(),
        };
        let next = next.clamp(Self::SHORTEST, Self::LONGEST);
        let ms = u64::try_from(next.as_millis()).unwrap_or(u64::MAX);
        self.0.store(ms, Ordering::Relaxed);
    }
}

impl Default for Stretch {
    fn default() -> Self {
        let stretch = Self(AtomicU64::new(0));
        stretch.learn(Self::FIRST * 4, None);
        stretch
    }
}

/// Why a stretch ends early.
#[derive(Default)]
struct Halt {
    halted: AtomicBool,
    failure: Mutex<Option<Error>>,
}

impl Halt {
    fn is_called(&self) -> bool {
        self.halted.load(Ordering::Relaxed)
    }

    fn call(&self, failure: Option<Error>) {
        self.halted.store(true, Ordering::Relaxed);
        if let Some(failure) = failure {
            let mut first = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert(failure);
        }
    }
}

/// A delivery that there should be a record of.
struct Wanted {
    event: Arc<EventOutline>,
    id: DeliveryId,
}

/// One of the buckets of a stretch, as it is read.
struct Reading<'a> {
    bucket: &'a Bucket,
    after: Option<EventId>,
    more: bool,
}

impl<S: Tables, Q: Queues, W: World> Sweeper<S, Q, W> {
    pub(crate) async fn sweep_lost(
        &self,
        swept: &mut Swept,
        stop_at: Timestamp,
    ) -> Result<(), Error> {
        let now = self.world.now();
        let begun = self.store.cursor(CURSOR).await?;
        let oldest = before(now, self.config.retention.saturating_sub(BEFORE_THE_END));
        if begun.is_some_and(|begun| begun < oldest) {
            tracing::error!("the search for lost deliveries has fallen behind the retention");
        }
        let begun = begun.unwrap_or_else(|| before(now, FIRST_LOOK)).max(oldest);
        if begun >= before(now, GIVE_IT) {
            return Ok(());
        }
        let until = if self.queues.are_lanes_empty().await? {
            before(now, GIVE_IT)
        } else {
            before(now, GIVE_A_BUSY_QUEUE)
        };
        let mut hour = None;
        let (mut from, mut noted) = (begun, begun);
        let mut outcome = Ok(());
        while from < until && !self.is_over(stop_at) {
            let name = hour_of(from);
            // One read tells which tenants and shards have events in this hour.
            let buckets = match hour.take() {
                Some((known, buckets)) if known == name => buckets,
                Some(_) | None => match self.store.buckets_of_hour(&name).await {
                    Ok(buckets) => buckets,
                    Err(error) => {
                        outcome = Err(error);
                        break;
                    }
                },
            };
            if buckets.is_empty() {
                from = next_hour(from).min(until);
                continue;
            }
            let to = stretch_end(from, self.stretch.length()).min(until);
            let began = self.world.now();
            let (found, done) = self.sweep_stretch(&buckets, (from, to), stop_at).await;
            swept.found += found;
            match done {
                Ok(true) => {
                    let took = self.world.now().since(began);
                    self.stretch.learn(to.since(from), Some(took));
                }
                Ok(false) => {
                    self.stretch.learn(to.since(from), None);
                    break;
                }
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
            self.store.set_cursor(CURSOR, to).await?;
            (from, noted) = (to, to);
            hour = Some((name, buckets));
        }
        if from > noted {
            self.store.set_cursor(CURSOR, from).await?;
        }
        outcome
    }

    /// Looks for the records of all deliveries of events accepted in `[from, to)`: how many were
    /// lost, and whether there was time for all.
    async fn sweep_stretch(
        &self,
        buckets: &[Bucket],
        (from, to): (Timestamp, Timestamp),
        stop_at: Timestamp,
    ) -> (u64, Result<bool, Error>) {
        let halt = &Halt::default();
        let read = |bucket| {
            let reading = Reading {
                bucket,
                after: None,
                more: true,
            };
            let page = move |reading| self.read_on(reading, (from, to), stop_at, halt);
            stream::unfold(reading, page).boxed()
        };
        let mut counts = stream::iter(buckets)
            .map(read)
            .flatten_unordered(BUCKETS_AT_ONCE)
            .flat_map(stream::iter)
            .chunks(RECORDS)
            .map(|wanted| self.find(wanted, stop_at, halt))
            .buffer_unordered(READS_AT_ONCE);
        let mut found = 0;
        while let Some(count) = counts.next().await {
            found += count;
        }
        drop(counts);
        let mut failure = halt.failure.lock().unwrap_or_else(PoisonError::into_inner);
        let done = failure.take().map_or(Ok(!halt.is_called()), Err);
        drop(failure);
        (found, done)
    }

    /// The next page of a bucket: the deliveries that there should be records of.
    async fn read_on<'a>(
        &self,
        reading: Reading<'a>,
        (from, to): (Timestamp, Timestamp),
        stop_at: Timestamp,
        halt: &Halt,
    ) -> Option<(Vec<Wanted>, Reading<'a>)> {
        if !reading.more || halt.is_called() {
            return None;
        }
        let now = self.world.now();
        if now >= stop_at {
            halt.call(None);
            return None;
        }
        let bucket = reading.bucket;
        let read = self
            .store
            .outlines_between(bucket, from, to, reading.after)
            .await;
        let page = match read {
            Ok(page) => page,
            Err(error) => {
                halt.call(Some(error));
                return None;
            }
        };
        let wanted = page
            .found
            .into_iter()
            .filter(|event| now < event.expires_at)
            .flat_map(wanted_of)
            .collect();
        let next = Reading {
            bucket,
            more: page.next.is_some(),
            after: page.next,
        };
        Some((wanted, next))
    }

    /// Sends those that have no record: how many.
    async fn find(&self, wanted: Vec<Wanted>, stop_at: Timestamp, halt: &Halt) -> u64 {
        if halt.is_called() {
            return 0;
        }
        let now = self.world.now();
        if now >= stop_at {
            halt.call(None);
            return 0;
        }
        let ids: Vec<DeliveryId> = wanted.iter().map(|one| one.id.clone()).collect();
        let known = match self.store.deliveries(&ids).await {
            Ok(known) => known,
            Err(error) => {
                halt.call(Some(error));
                return 0;
            }
        };
        let known: HashSet<&DeliveryId> = known.iter().map(|delivery| &delivery.id).collect();
        let missing = wanted
            .into_iter()
            .filter(|one| !known.contains(&one.id))
            .collect();
        let missing = match self.line_up(missing).await {
            Ok(missing) => missing,
            Err(error) => {
                halt.call(Some(error));
                return 0;
            }
        };
        let changes = missing
            .into_iter()
            .map(|Wanted { event, id }| {
                tracing::warn!(delivery.id = %id, tenant = %event.tenant, "a delivery has no record: it is sent, if it has none");
                let fresh = Delivery::new(id, event.tenant.clone(), event.event_type.clone());
                let Some(at) = event.deliver_at else {
                    return Change::now(&fresh, fresh.kept_back(now, None));
                };
                // Its message may still be on its way, delayed: that one finds it parked, and is
                // dropped.
                let fresh = fresh.beginning(at);
                Change::now(&fresh, fresh.parked(at.max(now), None))
            })
            .collect();
        let (found, outcome) = self.put_back(changes).await;
        if let Err(error) = outcome {
            halt.call(Some(error));
        }
        found
    }
}

impl<S: Tables, Q: Queues, W: World> Sweeper<S, Q, W> {
    /// Has those join their lines that are for an endpoint that asked for order: what waits there has
    /// no record, and may stand there already, which does no harm. The others are given back.
    async fn line_up(&self, missing: Vec<Wanted>) -> Result<Vec<Wanted>, Error> {
        if !self.queues.keeps_order() {
            return Ok(missing);
        }
        let mut by_endpoint = BTreeMap::<(TenantId, EndpointId), Vec<Wanted>>::new();
        for one in missing {
            let place = (one.event.tenant.clone(), one.id.endpoint.clone());
            by_endpoint.entry(place).or_default().push(one);
        }
        let now = self.world.now();
        let mut others = Vec::new();
        for ((tenant, endpoint), missing) in by_endpoint {
            let found = self.store.endpoint(&tenant, &endpoint).await?;
            if found.is_none_or(|(endpoint, _)| endpoint.ordered.is_none()) {
                others.extend(missing);
                continue;
            }
            let (mut events, scheduled): (Vec<_>, Vec<_>) = missing
                .into_iter()
                .partition(|one| one.event.deliver_at.is_none());
            // They join when they are due.
            others.extend(scheduled);
            if events.is_empty() {
                continue;
            }
            events.sort_by_key(|one| one.id.event);
            let events: Vec<EventId> = events.into_iter().map(|one| one.id.event).collect();
            lines::join(&self.store, &tenant, &endpoint, &events, now).await?;
            self.queues
                .wake(&[Wake::of(&tenant, &endpoint, now)])
                .await?;
        }
        Ok(others)
    }
}

/// The deliveries of an event.
fn wanted_of(mut event: EventOutline) -> impl Iterator<Item = Wanted> {
    let event_id = event.id;
    let endpoints = std::mem::take(&mut event.endpoints);
    let event = Arc::new(event);
    endpoints.into_iter().map(move |endpoint| Wanted {
        event: Arc::clone(&event),
        id: DeliveryId {
            event: event_id,
            endpoint,
        },
    })
}

/// The end of the stretch that begins at `from`, within its hour.
fn stretch_end(from: Timestamp, length: Duration) -> Timestamp {
    from.after(length).min(next_hour(from))
}

fn next_hour(from: Timestamp) -> Timestamp {
    const HOUR_MS: u64 = 3_600_000;
    Timestamp::from_millis((from.as_millis() / HOUR_MS + 1) * HOUR_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_ends_within_its_hour() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let minute = Duration::from_secs(60);
        assert_eq!(
            stretch_end(at("2026-11-21T12:00:30Z"), minute),
            at("2026-11-21T12:01:30Z")
        );
        assert_eq!(
            stretch_end(at("2026-11-21T12:59:30Z"), minute),
            at("2026-11-21T13:00:00Z")
        );
        assert_eq!(
            next_hour(at("2026-11-21T12:00:00Z")),
            at("2026-11-21T13:00:00Z")
        );
    }

    #[test]
    fn a_stretch_that_does_not_fit_shrinks_and_grows_again() {
        let stretch = Stretch::default();
        assert_eq!(stretch.length(), Stretch::FIRST);
        stretch.learn(stretch.length(), None);
        assert_eq!(stretch.length(), Duration::from_secs(15));
        for _ in 0..20 {
            stretch.learn(stretch.length(), None);
        }
        assert_eq!(stretch.length(), Stretch::SHORTEST);
        stretch.learn(stretch.length(), Some(Duration::from_secs(10)));
        assert_eq!(stretch.length(), Stretch::SHORTEST);
        for _ in 0..20 {
            stretch.learn(stretch.length(), Some(Duration::from_secs(1)));
        }
        assert_eq!(stretch.length(), Stretch::LONGEST);
        // One that was cut short says nothing against longer ones.
        stretch.learn(Duration::from_secs(1), Some(Duration::ZERO));
        assert_eq!(stretch.length(), Stretch::LONGEST);
    }

    #[test]
    fn an_event_wants_a_record_for_each_endpoint() {
        let event = EventOutline {
            id: EventId::generate(Timestamp::from_millis(1), [1; 10]),
            tenant: TenantId::default(),
            event_type: "order.created".parse().unwrap(),
            endpoints: vec!["ep_1".parse().unwrap(), "ep_2".parse().unwrap()],
            expires_at: Timestamp::from_millis(2),
            deliver_at: None,
            alias: None,
        };
        let wanted: Vec<String> = wanted_of(event.clone())
            .map(|one| one.id.to_string())
            .collect();
        let id = event.id;
        assert_eq!(wanted, [format!("{id}_ep_1"), format!("{id}_ep_2")]);
    }
}
