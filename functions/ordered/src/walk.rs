//! The way along a line: what is over is passed, the first that is not is carried out, and where it
//! has to wait, the line waits.

use std::sync::Arc;
use std::time::Duration;

use delivery::{Queues, Received, Verdict};
use hookpost_domain::carrier::Carrier;
use hookpost_domain::delivery::Delivery;
use hookpost_domain::endpoint::Endpoint;
use hookpost_domain::event::Event;
use hookpost_domain::line::{self, Line, OnDeadLetter, Turn, turn};
use hookpost_domain::outcome::MAX_RECEIVES;
use hookpost_domain::ports::{Error, Transport, World, Write};
use hookpost_domain::{DeliveryId, EventId, Timestamp};

use crate::{Call, Keeper, Tables, told};

/// Entries read at once.
const PAGE: i32 = 10;
/// After so many events it is looked whether anything has come to the front, and noted how far the
/// line has got.
const STRETCH: usize = 10;
/// How long after its time a lease holds: until the process has ended for sure.
const LEASE_MARGIN: Duration = Duration::from_secs(5);
/// How long it takes at most, besides the request, to carry a delivery out and to record it.
const BESIDES: Duration = Duration::from_secs(8);
/// How long a line is left alone whose first delivery says that it goes, and did not.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How often a lease is asked for when others change the line at the same time.
const TRIES: u32 = 5;

/// How far the walk got.
enum Step {
    /// This one is over.
    Past,
    /// It is not: what becomes of the message.
    Stop(Verdict),
}

/// One walk.
struct Walk<'a> {
    call: &'a Call,
    wake: &'a Received,
    /// No request is begun that could outlast this.
    stop_at: Timestamp,
}

impl<S: Tables, Q: Queues, T: Transport + 'static, W: World + 'static> Keeper<S, Q, T, W> {
    /// Works on a line for `time` at most: what becomes of the message.
    pub(crate) async fn serve(
        &self,
        call: &Call,
        wake: &Received,
        time: Duration,
    ) -> Result<Verdict, Error> {
        let now = self.worker.world().now();
        let walk = Walk {
            call,
            wake,
            stop_at: now.after(time),
        };
        let mut line = match self.take_lease(&walk, now).await? {
            Ok(line) => line,
            Err(verdict) => return Ok(verdict),
        };
        let verdict = self.walk(&walk, &mut line).await;
        if let Err(error) = self.store_line(&walk, line.left(), line.version).await {
            // What it got done is in the records; the lease runs out.
            told(&error);
        }
        verdict
    }

    /// The line, ours for a while; or what becomes of the message, if there is nothing to do or
    /// another has it.
    async fn take_lease(
        &self,
        walk: &Walk<'_>,
        now: Timestamp,
    ) -> Result<Result<Line, Verdict>, Error> {
        let (store, world) = (self.worker.store(), self.worker.world());
        let (tenant, endpoint) = (&walk.call.tenant, &walk.call.endpoint);
        let mut line = store.line(tenant, endpoint).await?;
        if self.is_empty(walk, &line).await? {
            return Ok(Err(Verdict::Done));
        }
        let until = walk.stop_at.after(LEASE_MARGIN);
        for _ in 0..TRIES {
            let taken = match line.taken(world.token(), until, now) {
                Ok(taken) => taken,
                Err(until) => {
                    let wait = line::wait_for_lease(until, now);
                    return self.keep(walk, wait).await.map(Err);
                }
            };
            match self.store_line(walk, taken, line.version).await? {
                Write::Won => return Ok(Ok(taken)),
                Write::Lost(other) => line = other.unwrap_or_default(),
            }
        }
        self.keep(walk, LOOK_AGAIN).await.map(Err)
    }

    async fn is_empty(&self, walk: &Walk<'_>, line: &Line) -> Result<bool, Error> {
        let store = self.worker.store();
        let (tenant, endpoint) = (&walk.call.tenant, &walk.call.endpoint);
        if !store.front(tenant, endpoint, 1).await?.is_empty() {
            return Ok(false);
        }
        let entries = store.entries(tenant, endpoint, line.entry, 2).await?;
        Ok(line.waiting(&entries).next().is_none())
    }

    async fn walk(&self, walk: &Walk<'_>, line: &mut Line) -> Result<Verdict, Error> {
        let store = self.worker.store();
        let (tenant, endpoint) = (&walk.call.tenant, &walk.call.endpoint);
        loop {
            let front = store.front(tenant, endpoint, PAGE).await?;
            for event in &front {
                match self.step(walk, *event, None).await? {
                    Step::Past => store.take_from_front(tenant, endpoint, *event).await?,
                    Step::Stop(verdict) => return Ok(verdict),
                }
            }
            if front.len() == usize::try_from(PAGE).unwrap_or_default() {
                continue;
            }
            let entries = store.entries(tenant, endpoint, line.entry, PAGE).await?;
            let began = line.head;
            for placed in line.waiting(&entries).take(STRETCH) {
                match self.step(walk, placed.event, Some(placed.place)).await? {
                    Step::Past => *line = line.past(placed),
                    Step::Stop(verdict) => return Ok(verdict),
                }
            }
            if line.head == began {
                return Ok(Verdict::Done);
            }
            let kept = line.kept();
            match self.store_line(walk, kept, line.version).await? {
                Write::Won => *line = kept,
                // The lease was over: another goes on from here.
                Write::Lost(_) => return self.keep(walk, LOOK_AGAIN).await,
            }
        }
    }

    /// Passes one event, or carries it out.
    async fn step(
        &self,
        walk: &Walk<'_>,
        event: EventId,
        place: Option<u64>,
    ) -> Result<Step, Error> {
        let (store, now) = (self.worker.store(), self.worker.world().now());
        let (tenant, endpoint) = (&walk.call.tenant, &walk.call.endpoint);
        let id = DeliveryId {
            event,
            endpoint: endpoint.clone(),
        };
        let endpoint = self.worker.endpoint(tenant, endpoint, now).await?;
        // What still stands in the line of one that has given up order, or is gone, blocks nothing.
        let ordered = endpoint.as_ref().and_then(|endpoint| endpoint.ordered);
        let on_dead_letter = ordered.unwrap_or_default();
        let record = store.delivery(&id).await?;
        match turn(record.as_ref(), on_dead_letter) {
            Turn::Over => return Ok(Step::Past),
            Turn::Waits | Turn::Blocked => return Ok(Step::Stop(Verdict::Done)),
            Turn::Go => {}
        }
        let request = endpoint.as_ref().map(|endpoint| endpoint.timeout());
        if now.after(request.unwrap_or_default() + BESIDES) > walk.stop_at {
            return self.go_on_later(walk).await.map(Step::Stop);
        }
        let record = record.map(|record| Delivery {
            place: record.place.or(place),
            ..record
        });
        let event = store.event(tenant, event).await?;
        let carrier = self
            .carrier(
                walk,
                &id,
                event.as_ref(),
                record.as_ref(),
                endpoint.as_ref(),
            )
            .await?;
        let carrier = Carrier {
            place: carrier.place.or(place),
            ..carrier
        };
        match self
            .worker
            .carry_out(&carrier, record, walk.wake, 1)
            .await?
        {
            Verdict::Keep => return Ok(Step::Stop(Verdict::Keep)),
            Verdict::Done => {}
        }
        let record = store.delivery(&id).await?;
        match turn(record.as_ref(), on_dead_letter) {
            Turn::Over => Ok(Step::Past),
            Turn::Waits | Turn::Blocked => Ok(Step::Stop(Verdict::Done)),
            Turn::Go => self.keep(walk, LOOK_AGAIN).await.map(Step::Stop),
        }
    }

    /// What the worker gets for a delivery, in place of a message.
    async fn carrier(
        &self,
        walk: &Walk<'_>,
        id: &DeliveryId,
        event: Option<&Event>,
        record: Option<&Delivery>,
        endpoint: Option<&Arc<Endpoint>>,
    ) -> Result<Carrier, Error> {
        let now = self.worker.world().now();
        let Some(event) = event else {
            let unknown = || {
                let event_type = "unknown".parse().ok()?;
                Some(Delivery::new(
                    id.clone(),
                    walk.call.tenant.clone(),
                    event_type,
                ))
            };
            let known = record.cloned().or_else(unknown).ok_or_else(|| Error {
                call: "carrying out a delivery",
                source: "its event is no longer stored".into(),
            })?;
            return Ok(Carrier::pointing(&known, now));
        };
        let fresh = || Delivery::of(event, &id.endpoint);
        let delivery = record.map_or_else(fresh, Clone::clone);
        let mut carrier = Carrier {
            // It travels no further: it may be as large as it is.
            payload: Some(event.payload.clone()),
            cloud_event: event.cloud_event.clone(),
            ..Carrier::of(event, &delivery, true, now)
        };
        if record.is_none() {
            let ordered = endpoint.and_then(|endpoint| endpoint.ordered);
            let on_dead_letter: OnDeadLetter = ordered.unwrap_or_default();
            let wait = match endpoint {
                Some(endpoint) => {
                    self.worker
                        .first_delay(endpoint, &event.event_type, now)
                        .await?
                }
                None => Duration::ZERO,
            };
            let begins = line::begins(event.id, on_dead_letter, now);
            carrier.not_before = Some(begins.max(event.due().after(wait)));
        }
        Ok(carrier)
    }

    /// The time of this invocation is over, and not the line.
    async fn go_on_later(&self, walk: &Walk<'_>) -> Result<Verdict, Error> {
        if walk.wake.receives >= MAX_RECEIVES {
            // Another message of the line goes on, or the sweeper sends one within a minute: this one
            // must not come near its queue's maxReceiveCount.
            return Ok(Verdict::Done);
        }
        self.keep(walk, Duration::ZERO).await
    }

    /// Has the message, and with it the line, wait.
    async fn keep(&self, walk: &Walk<'_>, wait: Duration) -> Result<Verdict, Error> {
        self.worker.keep_back(walk.wake, wait).await?;
        Ok(Verdict::Keep)
    }

    async fn store_line(
        &self,
        walk: &Walk<'_>,
        line: Line,
        over: u64,
    ) -> Result<Write<Line>, Error> {
        let (store, now) = (self.worker.store(), self.worker.world().now());
        let (tenant, endpoint) = (&walk.call.tenant, &walk.call.endpoint);
        store.store_line(tenant, endpoint, &line, over, now).await
    }
}
