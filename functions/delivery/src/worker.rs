//! One message, from its arrival to its verdict. What to do is decided in the domain; here it is
//! carried out, and asked again when another instance was faster.

use std::sync::Arc;
use std::time::Duration;

use hookpost_adapters::Config;
use hookpost_adapters::counting::Tally;
use hookpost_adapters::limits::Limits;
use hookpost_adapters::metrics::Metrics;
use hookpost_domain::Timestamp;
use hookpost_domain::breaker::{Breaker, Gate, Health, Slot};
use hookpost_domain::carrier::{Carrier, Exhausted, Message, Poison, VERSION};
use hookpost_domain::counters::Counters;
use hookpost_domain::delivery::{Attempt, DeadReason, Delivery, Status};
use hookpost_domain::endpoint::Endpoint;
use hookpost_domain::lane::Lane;
use hookpost_domain::line::Wake;
use hookpost_domain::outcome::{self, Arrival, Patience, Settled, Step};
use hookpost_domain::ports::{Error, Transport, World, Write};
use hookpost_domain::request::{self, Content};
use hookpost_domain::retry::RetryPolicy;
use hookpost_domain::running;
use serde_json::value::RawValue;

use crate::book::{Book, Page};
use crate::policies::Policies;
use crate::received::Received;
use crate::running::{Place, Places};
use crate::{Queues, Tables, Verdict};

/// A wait this short is spent in the function: going back to the queue would take longer.
const WAIT_INSIDE: Duration = Duration::from_millis(200);
/// How often a place is looked for in the function, and how long it waits for that at least.
const LOOKS_INSIDE: u32 = 5;
const SHORTEST_LOOK: Duration = Duration::from_millis(20);
/// A longer wait of the first in a line is spent in the table: while its message waits in the queue,
/// no other can come for the line, and a call to retry now would not be heard.
const LINES_PARK_AFTER: Duration = Duration::from_secs(60);
/// How often a decision is made anew when the record was changed meanwhile.
pub(crate) const TRIES: u32 = 10;

/// What a deployment says about delivering.
#[derive(Debug, Clone)]
pub struct Settings {
    pub(crate) retry: RetryPolicy,
    pub(crate) patience: Patience,
    deliveries_per_second: Option<u32>,
    dlq_retention: Duration,
    /// The name of the slow lane's queue, if there is one.
    slow_queue: Option<String>,
    /// Whether what is for an endpoint that asked for order is left to its line.
    leaves_to_lines: bool,
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        Self {
            retry: config.retry.clone(),
            patience: config.patience,
            deliveries_per_second: config.deliveries_per_second,
            dlq_retention: config.dlq_retention,
            slow_queue: config
                .slow_queue_url
                .as_ref()
                .and_then(|url| url.rsplit('/').next())
                .map(str::to_owned),
            leaves_to_lines: true,
        }
    }
}

impl Settings {
    /// The same, for whoever works on the lines: each is a lane of its own.
    #[must_use]
    pub fn of_lines(self) -> Self {
        let patience = Patience {
            park_after: self.patience.park_after.min(LINES_PARK_AFTER),
            ..self.patience
        };
        Self {
            leaves_to_lines: false,
            slow_queue: None,
            patience,
            ..self
        }
    }

    /// The lane that a message came by.
    fn lane(&self, received: &Received) -> Lane {
        let name = received.source.rsplit(':').next();
        if name.is_some() && name == self.slow_queue.as_deref() {
            Lane::Slow
        } else {
            Lane::Fast
        }
    }
}

/// Carries deliveries out, over tables `S`, queues `Q`, a way to the endpoints `T`, and clock and
/// dice `W`.
#[derive(Debug)]
pub struct Worker<S, Q, T, W> {
    pub(crate) store: S,
    pub(crate) queues: Q,
    pub(crate) http: T,
    pub(crate) world: W,
    pub(crate) settings: Settings,
    pub(crate) book: Book,
    pub(crate) policies: Policies,
    limits: Limits,
    places: Places,
    tally: Tally,
    pub(crate) metrics: Metrics,
}

/// A payload, and the attributes of the CloudEvent that it came in.
type Posted = (Box<RawValue>, Option<Box<RawValue>>);

/// What comes of preparing a request.
enum Prepared<'a> {
    /// It may go.
    Ready(Ready<'a>, Box<RawValue>),
    /// This is to be done instead.
    Settled(Settled),
    /// It travels by the slow lane.
    Diverted,
}

/// What is known about a delivery that is about to be attempted.
pub(crate) struct Ready<'a> {
    pub(crate) carrier: &'a Carrier,
    pub(crate) delivery: Delivery,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) page: Arc<Page>,
    /// The request's token, if it is a probe.
    pub(crate) probe: Option<u64>,
    /// What is sent.
    pub(crate) body: Content,
    /// Its place, if the endpoint limits how many requests are under way at once.
    pub(crate) place: Option<Place>,
}

impl<S: Tables, Q: Queues, T: Transport, W: World> Worker<S, Q, T, W> {
    /// A worker that knows nothing yet.
    pub fn new(
        store: S,
        queues: Q,
        http: T,
        world: W,
        settings: Settings,
        metrics: Metrics,
    ) -> Self {
        Self {
            store,
            queues,
            http,
            world,
            settings,
            book: Book::default(),
            policies: Policies::default(),
            limits: Limits::default(),
            places: Places::default(),
            tally: Tally::default(),
            metrics,
        }
    }

    /// Works one message. `alike` is how many of the batch go to the same endpoint.
    pub(crate) async fn work(&self, received: &Received, alike: u32) -> Verdict {
        let outcome = match &received.message {
            Ok(Message::Deliver(carrier)) => self.deliver(carrier, received, alike).await,
            Ok(Message::FanOut(range)) => self.fan_out(range, received).await,
            Err(reason) => self.poison(received, reason).await,
        };
        match outcome {
            Ok(verdict) => verdict,
            Err(error) => self.put_off(received, &error).await,
        }
    }

    /// Keeps a message back for which something did not work out.
    pub async fn put_off(&self, received: &Received, error: &Error) -> Verdict {
        let put_off = outcome::after_an_error(received.receives, self.world.roll());
        tracing::error!(message.id = received.message_id, error = %chain(error), "a message was put off");
        if let Err(error) = self.keep_back(received, put_off).await {
            tracing::warn!(message.id = received.message_id, error = %chain(&error), "it comes back at its time-out");
        }
        Verdict::Keep
    }

    /// Leaves a message where it came from, invisible for this long.
    ///
    /// # Errors
    /// The call failed.
    pub async fn keep_back(&self, received: &Received, visible_in: Duration) -> Result<(), Error> {
        let lane = self.settings.lane(received);
        let kept = self.queues.keep_back(lane, &received.receipt, visible_in);
        kept.await
    }

    /// A body that cannot be read goes to the dead-letter queue as it is, with the reason.
    ///
    /// # Errors
    /// It was not sent there.
    pub async fn poison(&self, received: &Received, reason: &str) -> Result<Verdict, Error> {
        tracing::error!(
            message.id = received.message_id,
            reason,
            "a message cannot be delivered"
        );
        let body = |now| {
            let poison = Poison {
                v: VERSION,
                failure_reason: reason.to_owned(),
                poison: received.body.clone(),
                exhausted_at: now,
            };
            serde_json::to_string(&poison).unwrap_or_default()
        };
        self.queues.bury(body).await?;
        Ok(Verdict::Done)
    }

    async fn deliver(
        &self,
        carrier: &Carrier,
        received: &Received,
        alike: u32,
    ) -> Result<Verdict, Error> {
        let record = if carrier.may_have_a_record(received.receives, self.world.now()) {
            self.store.delivery(&carrier.delivery_id).await?
        } else {
            None
        };
        self.carry_out(carrier, record, received, alike).await
    }

    /// Carries a delivery out whose record is, or was a moment ago, `record`, for whoever has
    /// `received` for it.
    ///
    /// # Errors
    /// A call failed: the message is to be put off.
    pub async fn carry_out(
        &self,
        carrier: &Carrier,
        mut record: Option<Delivery>,
        received: &Received,
        alike: u32,
    ) -> Result<Verdict, Error> {
        for _ in 0..TRIES {
            let now = self.world.now();
            let delivery = match outcome::arrive(record, carrier, self.settings.patience, now) {
                Arrival::Due(_) if self.is_for_a_line(carrier, now).await? => {
                    let wake = Wake::seating(&carrier.tenant, &carrier.delivery_id, now);
                    self.queues.wake(&[wake]).await?;
                    return Ok(Verdict::Done);
                }
                Arrival::Due(delivery) => *delivery,
                Arrival::Stale => return Ok(Verdict::Done),
                Arrival::Early(wait) => {
                    self.keep_back(received, wait).await?;
                    return Ok(Verdict::Keep);
                }
                Arrival::Ahead(parked) => {
                    match self.store.store_delivery(&parked, 0).await? {
                        Write::Won => return Ok(Verdict::Done),
                        Write::Lost(other) => record = other,
                    }
                    continue;
                }
                Arrival::Unburied(delivery) => {
                    self.bury(carrier, &delivery, None, received).await?;
                    return Ok(Verdict::Done);
                }
            };
            let before = delivery.clone();
            match self
                .prepare(carrier, delivery, received, alike, now)
                .await?
            {
                Prepared::Ready(mut ready, payload) => {
                    let place = ready.place.take();
                    let verdict = self.attempt(ready, &payload, received).await;
                    if let Some(place) = place
                        && let Err(error) =
                            self.places.give_back(&self.store, &self.world, place).await
                    {
                        tracing::warn!(message.id = received.message_id, error = %chain(&error), "its place is free only when its lease ends");
                    }
                    return verdict;
                }
                Prepared::Diverted => {
                    // Its message may come twice from here on: the record is read first.
                    let carrier = Carrier {
                        resend: true,
                        ..carrier.clone()
                    };
                    self.queues.divert(carrier).await?;
                    return Ok(Verdict::Done);
                }
                Prepared::Settled(settled) => match self
                    .store
                    .store_delivery(&settled.delivery, before.version)
                    .await?
                {
                    Write::Won => {
                        self.count(&before, &settled.delivery, None, now);
                        return self.step(carrier, &settled, None, received).await;
                    }
                    Write::Lost(other) => record = other,
                },
            }
        }
        Err(Error {
            call: "settling a delivery",
            source: "its record changes all the time".into(),
        })
    }

    /// Whether what is for this endpoint is left to the line before it.
    async fn is_for_a_line(&self, carrier: &Carrier, now: Timestamp) -> Result<bool, Error> {
        if !self.settings.leaves_to_lines || !self.queues.keeps_order() {
            return Ok(false);
        }
        let endpoint = self
            .endpoint(&carrier.tenant, &carrier.endpoint_id, now)
            .await?;
        Ok(endpoint.is_some_and(|endpoint| endpoint.ordered.is_some()))
    }

    /// Counts and measures what a write of a delivery's record adds.
    pub(crate) fn count(
        &self,
        before: &Delivery,
        after: &Delivery,
        attempt: Option<&Attempt>,
        now: Timestamp,
    ) {
        let counts = Counters::of_write(before, after, attempt);
        let endpoint = Some(&after.id.endpoint);
        self.tally
            .note(&after.tenant, endpoint, &after.event_type, counts, now);
        self.metrics.note(now, |measures| {
            measures.note_write(before, after, attempt, &counts, now);
        });
    }

    /// Tells what was measured, and writes what was counted, if it is time.
    pub async fn flush_counts(&self) {
        self.metrics.tell();
        self.tally.flush(&self.store, self.world.now()).await;
    }

    /// Everything that can stand between a delivery and its request.
    async fn prepare<'a>(
        &self,
        carrier: &'a Carrier,
        delivery: Delivery,
        received: &Received,
        alike: u32,
        now: Timestamp,
    ) -> Result<Prepared<'a>, Error> {
        let (tenant, id) = (&carrier.tenant, &delivery.id.endpoint);
        let page = self.book.page(tenant, id);
        let (endpoint, health) = page.read(&self.store, tenant, id, now).await?;
        let policy = match endpoint.as_deref() {
            // What has no record has not waited: how long it may does not matter yet.
            Some(endpoint) if delivery.version > 0 => {
                self.policies.ask(&self.store, endpoint, now).await?;
                let deployment = &self.settings.retry;
                let policies = &self.policies;
                policies.policy(endpoint, &delivery.event_type, deployment)
            }
            Some(_) | None => self.settings.retry.clone(),
        };
        let patience = self.settings.patience;
        if let Some(settled) = outcome::admit(
            &delivery,
            endpoint.as_deref(),
            &policy,
            received.receives,
            patience,
            now,
        ) {
            return Ok(Prepared::Settled(settled));
        }
        // `admit` cancels what has no endpoint.
        let Some(endpoint) = endpoint else {
            return Ok(Prepared::Settled(Settled {
                delivery: delivery.cancelled(now),
                step: Step::Complete,
            }));
        };
        // What an open breaker holds needs no lane: no request is made.
        if self.settings.slow_queue.is_some()
            && (health.lane(), self.settings.lane(received)) == (Lane::Slow, Lane::Fast)
            && !health.is_open()
        {
            return Ok(Prepared::Diverted);
        }
        let Some((payload, cloud_event)) = self.payload(carrier).await? else {
            let delivery = delivery.dead(DeadReason::EventMissing, now);
            return Ok(Prepared::Settled(Settled {
                delivery,
                step: Step::Exhaust,
            }));
        };
        // Before the breaker is asked: what cannot be sent must not take the place of its probe.
        let body = request::body(
            &endpoint,
            carrier.event_id,
            &carrier.event_type,
            &payload,
            cloud_event.as_deref(),
        );
        let body = match body {
            Ok(body) => body,
            Err(broken) => {
                let settled = outcome::unrendered(&delivery, &broken, now);
                return Ok(Prepared::Settled(settled));
            }
        };
        let probe = match self.gate(&page, &delivery, &endpoint, &health, now).await? {
            Passage::Free => {
                if let Some(settled) = self.rate(&delivery, &endpoint, alike, now).await? {
                    return Ok(Prepared::Settled(settled));
                }
                None
            }
            Passage::Probe(token) => Some(token),
            Passage::Wait(until) => {
                let longest = outcome::MAX_KEEP_BACK;
                let settled = outcome::wait(&delivery, until, None, longest, now);
                return Ok(Prepared::Settled(settled));
            }
            Passage::Held => return Ok(Prepared::Settled(outcome::hold(&delivery))),
        };
        let place = match self.place(&page, &delivery, &endpoint, alike).await? {
            Ok(place) => place,
            // The next probe comes when this one's lease has ended.
            Err(_) if probe.is_some() => return Ok(Prepared::Settled(outcome::hold(&delivery))),
            Err(settled) => return Ok(Prepared::Settled(settled)),
        };
        let ready = Ready {
            carrier,
            delivery,
            endpoint,
            page,
            probe,
            body,
            place,
        };
        Ok(Prepared::Ready(ready, payload))
    }

    /// The payload, and the attributes of the CloudEvent that it came in: from the message, or from
    /// the event. `None` if the event is gone.
    async fn payload(&self, carrier: &Carrier) -> Result<Option<Posted>, Error> {
        if let Some(payload) = &carrier.payload {
            return Ok(Some((payload.clone(), carrier.cloud_event.clone())));
        }
        let event = self.store.event(&carrier.tenant, carrier.event_id).await?;
        Ok(event.map(|event| (event.payload, event.cloud_event)))
    }

    async fn gate(
        &self,
        page: &Page,
        delivery: &Delivery,
        endpoint: &Endpoint,
        health: &Health,
        now: Timestamp,
    ) -> Result<Passage, Error> {
        if !health.is_open() {
            return Ok(Passage::Free);
        }
        let token = self.world.token();
        let ask = |health: &Health| health.gate(&delivery.id, token, endpoint.timeout(), now);
        let decide = |health: &Health| match ask(health) {
            Gate::Book(next, _) | Gate::Probe(next) => Some(next),
            Gate::Pass | Gate::Hold | Gate::WaitToProbe(_) => None,
        };
        let changed = page
            .change(&self.store, &endpoint.tenant, &endpoint.id, now, decide)
            .await?;
        Ok(match &changed.health.breaker {
            Breaker::Closed => Passage::Free,
            Breaker::Open {
                slot: Slot::Probing { token: running, .. },
                ..
            } if *running == token => Passage::Probe(token),
            Breaker::Open {
                slot:
                    Slot::Booked {
                        delivery: booked,
                        until,
                    },
                next_probe,
                ..
            } if *booked == delivery.id && now < *until && now < *next_probe => {
                Passage::Wait(*next_probe)
            }
            Breaker::Open { .. } => Passage::Held,
        })
    }

    /// The endpoint's rate limit and the deployment's: what to do instead, if it is not time yet.
    async fn rate(
        &self,
        delivery: &Delivery,
        endpoint: &Endpoint,
        alike: u32,
        now: Timestamp,
    ) -> Result<Option<Settled>, Error> {
        if outcome::has_slot(delivery, now) {
            return Ok(None);
        }
        let mut limit = None;
        if let Some(per_second) = endpoint.rate_limit_per_second {
            let name = format!("{}#{}", endpoint.tenant, endpoint.id);
            let slot = self.limits.slot(&self.store, &name, per_second, alike, now);
            limit = slot.await?.map(|due| (due, per_second));
        }
        // A slot of the deployment's is taken only for what may go now by the endpoint's own.
        if let (None, Some(per_second)) = (limit, self.settings.deliveries_per_second) {
            let slot = self
                .limits
                .slot(&self.store, "deployment", per_second, alike, now);
            limit = slot.await?.map(|due| (due, per_second));
        }
        let Some((due, per_second)) = limit else {
            return Ok(None);
        };
        let wait = due.since(now);
        if wait <= WAIT_INSIDE {
            tokio::time::sleep(wait).await;
            return Ok(None);
        }
        let longest = outcome::longest_rate_wait(per_second);
        Ok(Some(outcome::wait(delivery, due, Some(due), longest, now)))
    }

    /// A place under the endpoint's limit of what is under way at once, if it has such a limit. What
    /// finds none waits in a line that moves about as fast as places become free: `Err` is to do that.
    async fn place(
        &self,
        page: &Page,
        delivery: &Delivery,
        endpoint: &Endpoint,
        alike: u32,
    ) -> Result<Result<Option<Place>, Settled>, Error> {
        let Some(most) = endpoint.max_in_flight else {
            return Ok(Ok(None));
        };
        let name = format!("{}#{}", endpoint.tenant, endpoint.id);
        let line = format!("line#{name}");
        let per_second = running::per_second(most, page.usual());
        let longest = outcome::longest_rate_wait(per_second);
        let (store, world) = (&self.store, &self.world);
        for _ in 0..LOOKS_INSIDE {
            let timeout = endpoint.timeout();
            let place = self
                .places
                .take(store, world, name.clone(), most, alike, timeout);
            if let Some(place) = place.await? {
                return Ok(Ok(Some(place)));
            }
            let now = world.now();
            let slot = self.limits.slot(store, &line, per_second, alike, now);
            let wait = slot.await?.map_or(SHORTEST_LOOK, |at| at.since(now));
            if wait > WAIT_INSIDE {
                let until = now.after(wait);
                return Ok(Err(outcome::wait(delivery, until, None, longest, now)));
            }
            tokio::time::sleep(wait.max(SHORTEST_LOOK)).await;
        }
        let now = world.now();
        let until = now.after(Duration::from_secs(1));
        Ok(Err(outcome::wait(delivery, until, None, longest, now)))
    }

    pub(crate) async fn step(
        &self,
        carrier: &Carrier,
        settled: &Settled,
        payload: Option<&RawValue>,
        received: &Received,
    ) -> Result<Verdict, Error> {
        match settled.step {
            Step::Complete => Ok(Verdict::Done),
            Step::KeepBack { visible_in } => {
                self.keep_back(received, visible_in).await?;
                Ok(Verdict::Keep)
            }
            Step::Exhaust => {
                self.bury(carrier, &settled.delivery, payload, received)
                    .await?;
                Ok(Verdict::Done)
            }
        }
    }

    /// Hands a delivery that was given up to the `exhausted` queue, with its whole story.
    async fn bury(
        &self,
        carrier: &Carrier,
        delivery: &Delivery,
        payload: Option<&RawValue>,
        received: &Received,
    ) -> Result<(), Error> {
        let page = self.book.page(&carrier.tenant, &delivery.id.endpoint);
        let known = page
            .read(
                &self.store,
                &carrier.tenant,
                &delivery.id.endpoint,
                self.world.now(),
            )
            .await?;
        let url = known
            .0
            .map(|endpoint| endpoint.url.for_logs())
            .unwrap_or_default();
        let payload = payload
            .map(ToOwned::to_owned)
            .or_else(|| carrier.payload.clone());
        let is_all_there_is = matches!(
            delivery.status,
            Status::Dead {
                reason: DeadReason::EventMissing,
                ..
            }
        );
        let message = is_all_there_is.then(|| received.body.clone());
        let body = |now| {
            let retention = self.settings.dlq_retention;
            let mut last_word =
                Exhausted::of(delivery, url.clone(), payload.clone(), retention, now);
            last_word.message.clone_from(&message);
            serde_json::to_string(&last_word).unwrap_or_default()
        };
        self.queues.bury(body).await
    }
}

/// What the breaker says to a delivery that is about to go.
enum Passage {
    Free,
    Probe(u64),
    Wait(Timestamp),
    Held,
}

pub(crate) fn chain(error: &Error) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| {
        error.source()
    });
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
