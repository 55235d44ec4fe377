//! From checked drafts to stored events and sent messages.

use std::collections::HashMap;
use std::time::Duration;

use futures::future::try_join_all;
use hookpost_adapters::api::Problem;
use hookpost_adapters::auth::Caller;
use hookpost_adapters::repeats;
use hookpost_adapters::world::random_bytes;
use hookpost_domain::carrier::{Carrier, FanOut, VERSION};
use hookpost_domain::counters::Counters;
use hookpost_domain::endpoint::Endpoint;
use hookpost_domain::event::{CheckedDraft, Event, Payload};
use hookpost_domain::matching::EventType;
use hookpost_domain::measures::Metric;
use hookpost_domain::ports::{Claim, Error, Outgoing, World};
use hookpost_domain::{DeliveryId, EndpointId, EventId, TenantId, Timestamp};
use serde::Serialize;

use crate::order::Joining;
use crate::{Acceptor, Queues, Tables};

/// Events that match more endpoints than this are fanned out in the background, this many a
/// message.
const FAN_OUT_ABOVE: usize = 100;

/// One event to accept.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    draft: CheckedDraft,
    tenant: TenantId,
    /// The idempotency key: the header's, or the caller's own id of the event.
    key: Option<String>,
}

impl Request {
    /// # Errors
    /// The event names a tenant that the caller does not speak for.
    pub(crate) fn new(
        draft: CheckedDraft,
        header_key: Option<String>,
        caller: &Caller,
    ) -> Result<Self, Problem> {
        let tenant = caller.tenant_or(draft.tenant.as_ref())?;
        let alias_key = || draft.alias.as_ref().map(|alias| format!("id:{alias}"));
        // What an event of a batch says of itself is said of no other.
        let key = draft
            .idempotency_key
            .clone()
            .or(header_key)
            .map(|key| format!("key:{key}"))
            .or_else(alias_key);
        Ok(Self { draft, tenant, key })
    }
}

/// The answer for an event that was accepted.
#[derive(Debug, Serialize)]
pub struct Accepted {
    id: EventId,
    event_type: EventType,
    tenant: TenantId,
    timestamp: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    deliver_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alias: Option<String>,
    /// Whether an earlier call with the same key had been accepted already.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
    delivery_count: usize,
    deliveries: Vec<AcceptedDelivery>,
}

#[derive(Debug, Serialize)]
struct AcceptedDelivery {
    id: DeliveryId,
    endpoint_id: EndpointId,
}

impl Accepted {
    /// The event's id.
    pub const fn id(&self) -> EventId {
        self.id
    }

    fn of(event: &Event, duplicate: bool) -> Self {
        let delivery = |endpoint: &EndpointId| AcceptedDelivery {
            id: DeliveryId {
                event: event.id,
                endpoint: endpoint.clone(),
            },
            endpoint_id: endpoint.clone(),
        };
        Self {
            id: event.id,
            event_type: event.event_type.clone(),
            tenant: event.tenant.clone(),
            timestamp: event.accepted_at(),
            deliver_at: event.deliver_at,
            alias: event.alias.clone(),
            duplicate,
            delivery_count: event.endpoints.len(),
            deliveries: event.endpoints.iter().map(delivery).collect(),
        }
    }
}

/// A Lambda answer ends at 6 MB: a batch lists this many deliveries, and of the events beyond that
/// the counts only. `GET /api/v1/events/{id}` lists them all.
const MAX_LISTED: usize = 20_000;

/// Cuts a batch's answers to what Lambda takes.
pub(crate) fn shorten(answers: &mut [Result<Accepted, Problem>]) {
    let mut listed = 0;
    for accepted in answers.iter_mut().flatten() {
        listed += accepted.deliveries.len();
        if listed > MAX_LISTED {
            accepted.deliveries = Vec::new();
        }
    }
}

/// What there is to do for one request.
enum Task {
    /// Nothing: it had been done.
    Done(Event),
    /// It cannot be.
    Refused(Problem),
    /// Store, if it is not, and send.
    Send {
        event: Event,
        stored: bool,
        repeat: bool,
        key: Option<String>,
    },
}

impl<S: Tables, Q: Queues, W: World> Acceptor<S, Q, W> {
    /// Accepts events: each is answered for itself; an error means that nothing was promised for
    /// any.
    pub(crate) async fn accept(
        &self,
        requests: Vec<Request>,
    ) -> Result<Vec<Result<Accepted, Problem>>, Error> {
        let mut tasks = self.tasks(requests).await?;
        refuse_twins(&mut tasks);
        let fresh: Vec<Event> = tasks.iter().filter_map(Task::to_store).cloned().collect();
        if !fresh.is_empty() {
            self.store.store_events(&fresh).await?;
        }
        let now = self.world.now();
        let (mut messages, mut joining) = (Vec::new(), Joining::default());
        for task in &tasks {
            if let Task::Send { event, repeat, .. } = task {
                messages.extend(self.messages(event, *repeat, &mut joining, now).await?);
            }
        }
        // Whoever is answered after this stands behind them.
        let wakes = self.join(joining, now).await?;
        // What is stored is delivered, whatever the sending comes to: it counts from here on.
        for event in &fresh {
            let counts = Counters::of_event();
            self.tally
                .note(&event.tenant, None, &event.event_type, counts, now);
            self.metrics.note(now, |measures| {
                measures.note(Metric::EventsAccepted, 1);
                let deliveries = u64::try_from(event.endpoints.len()).unwrap_or_default();
                measures.note(Metric::DeliveriesQueued, deliveries);
            });
        }
        self.metrics.tell_at_times(now);
        let send = async {
            if !messages.is_empty() {
                self.queues.send(messages).await?;
            }
            if wakes.is_empty() {
                return Ok(());
            }
            self.queues.wake(&wakes).await
        };
        let (sent, ()) = tokio::join!(send, self.tally.flush(&self.store, now));
        sent?;
        let sent = tasks.iter().filter_map(|task| match task {
            Task::Send {
                event,
                key: Some(key),
                ..
            } => Some(self.store.mark_sent(&event.tenant, key, event.id)),
            Task::Send { .. } | Task::Done(_) | Task::Refused(_) => None,
        });
        try_join_all(sent).await?;
        Ok(tasks.into_iter().map(Task::answer).collect())
    }

    /// What there is to do for each. Where several of a batch have the same key, the first is
    /// judged before the others, and they against it.
    async fn tasks(&self, requests: Vec<Request>) -> Result<Vec<Task>, Error> {
        let mut seen = std::collections::HashSet::new();
        let mut twins = Vec::new();
        let mut firsts = Vec::with_capacity(requests.len());
        for (place, request) in requests.into_iter().enumerate() {
            let key = request.key.clone().map(|key| (request.tenant.clone(), key));
            if key.is_none_or(|key| seen.insert(key)) {
                firsts.push((place, request));
            } else {
                twins.push((place, request));
            }
        }
        let judge = |(place, request)| async move {
            Ok::<_, Error>((place, self.task(request, false).await?))
        };
        let mut tasks = try_join_all(firsts.into_iter().map(judge)).await?;
        for (place, request) in twins {
            tasks.push((place, self.task(request, true).await?));
        }
        tasks.sort_by_key(|(place, _)| *place);
        Ok(tasks.into_iter().map(|(_, task)| task).collect())
    }

    async fn task(&self, request: Request, twin: bool) -> Result<Task, Error> {
        let Request { draft, tenant, key } = request;
        let now = self.world.now();
        let mut id = EventId::generate(now, random_bytes());
        let mut repeated = None;
        let known = self.directory.tenant(&self.store, &tenant, now).await?;
        let payload = Payload::new(&draft.payload);
        let refusal = self
            .schemas
            .refusal(&self.store, &tenant, &known.rules, &draft, &payload);
        // Before a key is taken: whoever mends the event may use it again.
        if let Some(problem) = refusal.await?
            && !self.was_taken(&tenant, key.as_deref(), &draft).await?
        {
            return Ok(Task::Refused(problem));
        }
        if let Some(key) = &key {
            let fingerprint = draft.fingerprint();
            if let Claim::Known(used) = self
                .store
                .claim(&tenant, key, id, &fingerprint, now)
                .await?
            {
                if used.fingerprint != fingerprint {
                    let field = if key.starts_with("id:") {
                        "id"
                    } else {
                        "Idempotency-Key"
                    };
                    return Ok(Task::Refused(Problem::conflict_of(
                        field,
                        "was used with another type, payload or schedule in the last 24 hours",
                    )));
                }
                // Nobody else finishes what this very call is about to send.
                let used = if twin {
                    used
                } else {
                    repeats::settled(&self.store, &self.world, &tenant, key, used).await?
                };
                if let Some(event) = self.store.event(&tenant, used.event).await? {
                    return Ok(if used.sent {
                        Task::Done(event)
                    } else {
                        Task::Send {
                            event,
                            stored: true,
                            repeat: true,
                            key: Some(key.clone()),
                        }
                    });
                }
                let old = used.event;
                if used.sent || now.since(old.time()) <= repeats::GIVEN_UP {
                    // Whoever stores it, now or in a moment, stores the same event.
                    repeated = Some(old);
                } else {
                    // An event belongs where its time is: there it is listed, and looked for.
                    id = self.store.take_over(&tenant, key, old, id, now).await?;
                    repeated = Some(id).filter(|id| id.time() != now);
                }
            }
        }
        let endpoints = wanting(&known.endpoints, &draft.event_type, &payload);
        let event = Event {
            id: repeated.unwrap_or(id),
            tenant,
            event_type: draft.event_type,
            payload: draft.payload,
            alias: draft.alias,
            endpoints,
            deliver_at: draft.deliver_at.filter(|at| *at > now),
            cloud_event: draft.cloud_event,
        };
        Ok(Task::Send {
            event,
            stored: false,
            repeat: repeated.is_some(),
            key,
        })
    }

    /// Whether the same event has been accepted under its key before the rules changed.
    async fn was_taken(
        &self,
        tenant: &TenantId,
        key: Option<&str>,
        draft: &CheckedDraft,
    ) -> Result<bool, Error> {
        let Some(key) = key else {
            return Ok(false);
        };
        let used = self.store.claimed(tenant, key).await?;
        Ok(used.is_some_and(|used| used.fingerprint == draft.fingerprint()))
    }

    async fn messages(
        &self,
        event: &Event,
        resend: bool,
        joining: &mut Joining,
        now: Timestamp,
    ) -> Result<Vec<(Outgoing, Duration)>, Error> {
        let known = self
            .directory
            .tenant(&self.store, &event.tenant, now)
            .await?;
        let of_type = known.retries.of(&event.event_type);
        let endpoints: HashMap<&EndpointId, &Endpoint> = known
            .endpoints
            .iter()
            .map(|endpoint| (&endpoint.id, endpoint))
            .collect();
        let in_order = |id: &&EndpointId| {
            let endpoint = endpoints.get(id);
            self.queues.keeps_order()
                // What is scheduled joins its line when it is due.
                && event.deliver_at.is_none()
                && endpoint.is_some_and(|endpoint| endpoint.ordered.is_some())
        };
        for endpoint in event.endpoints.iter().filter(in_order) {
            joining.note(event, endpoint);
        }
        let delay = |id: &EndpointId| {
            let own = endpoints
                .get(id)
                .and_then(|endpoint| endpoint.retry.as_ref());
            own.or(of_type)
                .unwrap_or(&self.config.retry)
                .first_delay(self.world.roll())
        };
        if event.endpoints.len() > FAN_OUT_ABOVE {
            return Ok(ranges(event, delay));
        }
        let longest = self.config.patience.park_after;
        let message = |id: &EndpointId| {
            let (carrier, wait) = Carrier::first(event, id, delay(id), longest, resend, now);
            (Outgoing::Deliver(Box::new(carrier)), wait)
        };
        let unordered = event.endpoints.iter().filter(|id| !in_order(id));
        Ok(unordered.map(message).collect())
    }
}

/// The endpoints that want an event.
fn wanting(known: &[Endpoint], event_type: &EventType, payload: &Payload<'_>) -> Vec<EndpointId> {
    known
        .iter()
        .filter(|endpoint| endpoint.wants(event_type, payload))
        .map(|endpoint| endpoint.id.clone())
        .collect()
}

/// A message for each hundred endpoints of an event.
fn ranges(event: &Event, delay: impl Fn(&EndpointId) -> Duration) -> Vec<(Outgoing, Duration)> {
    let range = |(nth, endpoints): (usize, &[EndpointId])| {
        let seconds = |id| u32::try_from(delay(id).as_secs()).unwrap_or(u32::MAX);
        let mut delays: Vec<u32> = endpoints.iter().map(seconds).collect();
        if delays.iter().all(|seconds| *seconds == 0) {
            delays.clear();
        }
        let from = nth * FAN_OUT_ABOVE;
        let range = FanOut {
            v: VERSION,
            fan_out: event.id,
            tenant: event.tenant.clone(),
            from,
            to: from + endpoints.len(),
            delays,
        };
        (Outgoing::FanOut(range), Duration::ZERO)
    };
    let chunks = event.endpoints.chunks(FAN_OUT_ABOVE);
    chunks.enumerate().map(range).collect()
}

/// The same key twice in one batch: the second is a repeat of the first.
fn refuse_twins(tasks: &mut [Task]) {
    let mut seen = std::collections::HashSet::new();
    for task in tasks {
        let Task::Send {
            event,
            key: Some(_),
            ..
        } = task
        else {
            continue;
        };
        if !seen.insert(event.id) {
            *task = Task::Done(event.clone());
        }
    }
}

impl Task {
    fn to_store(&self) -> Option<&Event> {
        match self {
            Self::Send {
                event,
                stored: false,
                ..
            } => Some(event),
            Self::Send { .. } | Self::Done(_) | Self::Refused(_) => None,
        }
    }

    fn answer(self) -> Result<Accepted, Problem> {
        match self {
            Self::Done(event) => Ok(Accepted::of(&event, true)),
            Self::Send { event, repeat, .. } => Ok(Accepted::of(&event, repeat)),
            Self::Refused(problem) => Err(problem),
        }
    }
}
