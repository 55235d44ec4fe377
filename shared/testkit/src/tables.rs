//! The tables, in memory: what DynamoDB promises of single items and of indexes, and no more.

mod finding;
mod intake;
mod lines;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use hookpost_domain::breaker::Health;
use hookpost_domain::catalogue::Rules;
use hookpost_domain::counters::{Counters, Key, Period, Scope};
use hookpost_domain::delivery::{Delivery, Status};
use hookpost_domain::endpoint::Endpoint;
use hookpost_domain::event::{Bucket, Event};
use hookpost_domain::job::Job;
use hookpost_domain::line::{Turn, turn};
use hookpost_domain::news::Note;
use hookpost_domain::ports::{
    Concurrency, Counting, Deliveries, Endpoints, Error, Events, Holding, HoldingNote,
    IdempotencyKey, Meters, Rulebook, Versions, Write,
};
use hookpost_domain::quota::Meter;
use hookpost_domain::running::Running;
use hookpost_domain::{DeliveryId, EndpointId, EventId, TenantId, Timestamp};

use crate::{Process, lock};

/// How long events are kept.
pub const RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);

#[derive(Debug, Default)]
struct State {
    endpoints: BTreeMap<EndpointId, Endpoint>,
    versions: Versions,
    rules: Rules,
    healths: BTreeMap<EndpointId, Health>,
    events: BTreeMap<EventId, Event>,
    buckets: BTreeSet<(String, TenantId, u8)>,
    keys: BTreeMap<(TenantId, String), (IdempotencyKey, Timestamp)>,
    deliveries: BTreeMap<DeliveryId, Delivery>,
    by_wait: BTreeMap<String, BTreeSet<(Timestamp, DeliveryId)>>,
    by_status: BTreeMap<String, BTreeSet<DeliveryId>>,
    meters: BTreeMap<String, Meter>,
    running: BTreeMap<String, Running>,
    holding: BTreeMap<(TenantId, EndpointId), HoldingNote>,
    cursors: BTreeMap<String, Timestamp>,
    notes: BTreeMap<String, Note>,
    jobs: BTreeMap<(TenantId, String), Job>,
    open_jobs: BTreeSet<(TenantId, String)>,
    rows: BTreeMap<(TenantId, EndpointId), lines::Row>,
    line_notes: BTreeMap<(TenantId, EndpointId), Timestamp>,
    counts: Vec<(Key, Counters)>,
    violations: Vec<String>,
}

impl State {
    fn put(&mut self, delivery: &Delivery) {
        let id = &delivery.id;
        if let Some(old) = self.deliveries.insert(id.clone(), delivery.clone()) {
            let keys = old.index_keys();
            if let Some(wait) = keys.wait {
                let place = (Timestamp::from_millis(wait.at), id.clone());
                self.by_wait.entry(wait.key).or_default().remove(&place);
            }
            if let Some(status) = keys.status {
                self.by_status.entry(status).or_default().remove(id);
            }
            let was_delivered = matches!(old.status, Status::Delivered { .. });
            let is_sent_again =
                delivery.cycle > old.cycle || !matches!(delivery.status, Status::Delivered { .. });
            if was_delivered && is_sent_again {
                let told = format!("{id} was delivered, and is {}", delivery.status_name());
                self.violations.push(told);
            }
        }
        let keys = delivery.index_keys();
        if let Some(wait) = keys.wait {
            let place = (Timestamp::from_millis(wait.at), id.clone());
            self.by_wait.entry(wait.key).or_default().insert(place);
        }
        if let Some(status) = keys.status {
            self.by_status.entry(status).or_default().insert(id.clone());
        }
    }
}

/// What is in the tables, past all processes and faults: for whoever holds a run against it.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    state: Arc<Mutex<State>>,
}

impl Truth {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Puts an endpoint in, or changes it, as the API would.
    pub fn put_endpoint(&self, endpoint: Endpoint) {
        let mut state = self.state();
        if endpoint.ordered.is_some() {
            let place = (endpoint.tenant.clone(), endpoint.id.clone());
            state.line_notes.insert(place, endpoint.updated_at);
        }
        state.endpoints.insert(endpoint.id.clone(), endpoint);
        state.versions.endpoints += 1;
    }

    /// Says what holds for event types, as the API would.
    pub fn put_rules(&self, rules: Rules) {
        let mut state = self.state();
        state.rules = rules;
        state.versions.rules += 1;
    }

    /// All endpoints.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.state().endpoints.values().cloned().collect()
    }

    /// An endpoint's configuration.
    pub fn endpoint(&self, id: &EndpointId) -> Option<Endpoint> {
        self.state().endpoints.get(id).cloned()
    }

    /// All endpoints.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.state().endpoints.values().cloned().collect()
    }

    /// Deletes an endpoint and its health, as the API would.
    pub fn delete_endpoint(&self, id: &EndpointId) {
        let mut state = self.state();
        state.endpoints.remove(id);
        state.healths.remove(id);
        state.versions.endpoints += 1;
    }

    /// Notes that an endpoint may hold deliveries back, as the API would before it pauses one.
    pub fn note_holding(&self, tenant: &TenantId, id: &EndpointId, now: Timestamp) {
        let note = HoldingNote {
            tenant: tenant.clone(),
            endpoint: id.clone(),
            noted_at: now,
            quiet_since: None,
        };
        let place = (tenant.clone(), id.clone());
        self.state().holding.insert(place, note);
    }

    /// Notes something to tell, or who is to be told, as the API would.
    pub fn note(&self, note: &Note) {
        let mut state = self.state();
        let before = state.notes.get(&note.name).map_or(0, |note| note.count);
        let note = Note {
            count: before + note.count,
            ..note.clone()
        };
        state.notes.insert(note.name.clone(), note);
    }

    /// An endpoint's health.
    pub fn health(&self, id: &EndpointId) -> Health {
        self.state().healths.get(id).cloned().unwrap_or_default()
    }

    /// All events.
    pub fn events(&self) -> Vec<Event> {
        self.state().events.values().cloned().collect()
    }

    /// The record of a delivery.
    pub fn record(&self, id: &DeliveryId) -> Option<Delivery> {
        self.state().deliveries.get(id).cloned()
    }

    /// All records.
    pub fn records(&self) -> Vec<Delivery> {
        self.state().deliveries.values().cloned().collect()
    }

    /// Whether any job is not finished.
    pub fn has_open_jobs(&self) -> bool {
        !self.state().open_jobs.is_empty()
    }

    /// Whether anything waits for the sweeper by `until`: by its time, or for its endpoint.
    pub fn has_something_due(&self, until: Timestamp) -> bool {
        let state = self.state();
        let due = state
            .by_wait
            .iter()
            .filter(|(key, _)| key.starts_with("due#"))
            .filter_map(|(_, places)| places.first());
        let mut due = due.map(|(at, _)| *at);
        !state.holding.is_empty() || due.any(|at| at <= until)
    }

    /// Whether an event accepted before `then` has a delivery without a record.
    pub fn has_something_lost(&self, then: Timestamp) -> bool {
        let state = self.state();
        let older = state.events.range(..EventId::floor(then));
        older
            .flat_map(|(_, event)| ids_of(event))
            .any(|id| !state.deliveries.contains_key(&id))
    }

    /// Whether a line has to be woken: what is first in it is over, or has no record.
    pub fn has_a_sleeping_line(&self) -> bool {
        let state = self.state();
        let mut firsts = state.rows.iter().filter_map(|((_, endpoint), row)| {
            Some(DeliveryId {
                event: row.first()?,
                endpoint: endpoint.clone(),
            })
        });
        firsts.any(|first| {
            let endpoint = state.endpoints.get(&first.endpoint);
            let ordered = endpoint.and_then(|endpoint| endpoint.ordered);
            let record = state.deliveries.get(&first);
            match turn(record, ordered.unwrap_or_default()) {
                Turn::Go => record.is_none(),
                Turn::Over => true,
                Turn::Waits | Turn::Blocked => false,
            }
        })
    }

    /// The events that joined the line before an endpoint, in order.
    pub fn order(&self, tenant: &TenantId, endpoint: &EndpointId) -> Vec<EventId> {
        let state = self.state();
        let row = state.rows.get(&(tenant.clone(), endpoint.clone()));
        row.map(lines::Row::order).unwrap_or_default()
    }

    /// All that was counted of a tenant's from the beginning.
    pub fn counted(&self, tenant: &TenantId) -> Counters {
        let key = Key {
            tenant: tenant.clone(),
            scope: Scope::All,
            period: Period::Ever,
        };
        let mut sum = Counters::default();
        for (_, counts) in self.state().counts.iter().filter(|(one, _)| *one == key) {
            sum.merge(*counts);
        }
        sum
    }

    /// What no table should see.
    pub fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    /// The way of `process` to them.
    pub fn from(&self, process: Process) -> Tables {
        Tables {
            truth: self.clone(),
            process,
        }
    }
}

/// The deliveries of an event.
pub fn ids_of(event: &Event) -> impl Iterator<Item = DeliveryId> {
    event.endpoints.iter().map(|endpoint| DeliveryId {
        event: event.id,
        endpoint: endpoint.clone(),
    })
}

/// The tables as one process reaches them.
#[derive(Debug, Clone)]
pub struct Tables {
    truth: Truth,
    process: Process,
}

impl Tables {
    fn state(&self) -> MutexGuard<'_, State> {
        self.truth.state()
    }
}

/// Stores `new` under `key` if what is there has version `over` (0: nothing is).
fn swap<K: Ord, T: Clone>(
    all: &mut BTreeMap<K, T>,
    key: K,
    new: &T,
    over: u64,
    version: impl Fn(&T) -> u64,
) -> Write<T> {
    if all.get(&key).map_or(0, version) == over {
        all.insert(key, new.clone());
        return Write::Won;
    }
    Write::Lost(all.get(&key).cloned())
}

impl Endpoints for Tables {
    async fn endpoint(
        &self,
        _tenant: &TenantId,
        id: &EndpointId,
    ) -> Result<Option<(Endpoint, Health)>, Error> {
        let read = || {
            let state = self.state();
            let health = state.healths.get(id).cloned().unwrap_or_default();
            let endpoint = state.endpoints.get(id).cloned();
            endpoint.map(|endpoint| (endpoint, health))
        };
        self.process.call("BatchGetItem endpoints", read).await
    }

    async fn store_health(
        &self,
        _tenant: &TenantId,
        id: &EndpointId,
        health: &Health,
        over: u64,
    ) -> Result<Write<Health>, Error> {
        let write = || {
            let healths = &mut self.state().healths;
            swap(healths, id.clone(), health, over, |health| health.version)
        };
        self.process.call("PutItem endpoints", write).await
    }

    async fn store_endpoint(
        &self,
        endpoint: &Endpoint,
        over: u64,
    ) -> Result<Write<Endpoint>, Error> {
        let write = || {
            let mut state = self.state();
            let id = endpoint.id.clone();
            let written = swap(&mut state.endpoints, id, endpoint, over, |one| one.version);
            state.versions.endpoints += u64::from(written == Write::Won);
            written
        };
        self.process
            .call("TransactWriteItems endpoints", write)
            .await
    }
}

impl Rulebook for Tables {
    async fn rules(&self, _tenant: &TenantId) -> Result<Rules, Error> {
        let read = || self.state().rules.clone();
        self.process.call("GetItem settings rules", read).await
    }
}

impl Events for Tables {
    async fn event(&self, _tenant: &TenantId, id: EventId) -> Result<Option<Event>, Error> {
        let read = || self.state().events.get(&id).cloned();
        self.process.call("GetItem events", read).await
    }
}

impl Deliveries for Tables {
    async fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>, Error> {
        let read = || self.truth.record(id);
        self.process.call("GetItem deliveries", read).await
    }

    async fn store_delivery(
        &self,
        delivery: &Delivery,
        over: u64,
    ) -> Result<Write<Delivery>, Error> {
        let write = || {
            let mut state = self.state();
            let current = state.deliveries.get(&delivery.id).cloned();
            if current.as_ref().map_or(0, |current| current.version) != over {
                return Write::Lost(current);
            }
            state.put(delivery);
            Write::Won
        };
        self.process.call("PutItem deliveries", write).await
    }
}

impl Meters for Tables {
    async fn meter(&self, name: &str) -> Result<Meter, Error> {
        let read = || self.state().meters.get(name).copied().unwrap_or_default();
        self.process.call("GetItem keys", read).await
    }

    async fn store_meter(
        &self,
        name: &str,
        meter: &Meter,
        over: u64,
    ) -> Result<Write<Meter>, Error> {
        let write = || {
            let meters = &mut self.state().meters;
            swap(meters, name.to_owned(), meter, over, |meter| meter.version)
        };
        self.process.call("PutItem keys", write).await
    }
}

impl Concurrency for Tables {
    async fn running(&self, name: &str) -> Result<Running, Error> {
        let read = || self.state().running.get(name).cloned().unwrap_or_default();
        self.process.call("GetItem keys", read).await
    }

    async fn store_running(
        &self,
        name: &str,
        running: &Running,
        over: u64,
    ) -> Result<Write<Running>, Error> {
        let write = || {
            let all = &mut self.state().running;
            swap(all, name.to_owned(), running, over, |one| one.version)
        };
        self.process.call("PutItem keys", write).await
    }
}

impl Holding for Tables {
    async fn note_holding(
        &self,
        tenant: &TenantId,
        id: &EndpointId,
        now: Timestamp,
    ) -> Result<(), Error> {
        let write = || self.truth.note_holding(tenant, id, now);
        self.process.call("PutItem settings", write).await
    }
}

/// Counts are approximate whatever happens, and written by many small calls: no fault is wasted on
/// them.
impl Counting for Tables {
    async fn add_counts(&self, key: &Key, counts: Counters) -> Result<(), Error> {
        let add = || self.state().counts.push((key.clone(), counts));
        self.process.uncounted(add).await;
        Ok(())
    }
}

fn bucket_of(event: &Event) -> (String, TenantId, u8) {
    let bucket = Bucket::of(&event.tenant, event.id);
    (bucket.hour, bucket.tenant, bucket.shard)
}
