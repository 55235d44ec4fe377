//! The tables, in memory: what DynamoDB promises of single items, and no more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use hookpost_domain::breaker::Health;
use hookpost_domain::catalogue::Rules;
use hookpost_domain::counters::{Counters, Key, Period, Scope};
use hookpost_domain::delivery::Delivery;
use hookpost_domain::endpoint::Endpoint;
use hookpost_domain::event::Event;
use hookpost_domain::ports::{
    Counting, Deliveries, Endpoints, Error, Events, Holding, Meters, Rulebook, Write,
};
use hookpost_domain::quota::Meter;
use hookpost_domain::{DeliveryId, EndpointId, EventId, TenantId, Timestamp};

use crate::{Faults, lock};

#[derive(Debug, Default)]
struct State {
    endpoints: HashMap<EndpointId, Endpoint>,
    healths: HashMap<EndpointId, Health>,
    events: HashMap<EventId, Event>,
    deliveries: HashMap<DeliveryId, Delivery>,
    meters: HashMap<String, Meter>,
    holding: Vec<EndpointId>,
    counts: HashMap<Key, Counters>,
    rules: Rules,
}

/// All tables.
#[derive(Debug, Clone)]
pub struct Tables {
    state: Arc<Mutex<State>>,
    faults: Arc<Faults>,
}

impl Tables {
    /// Empty tables.
    pub fn new(faults: Arc<Faults>) -> Self {
        Self {
            state: Arc::default(),
            faults,
        }
    }

    /// Puts an endpoint in, as the API would.
    pub fn put_endpoint(&self, endpoint: Endpoint) {
        lock(&self.state)
            .endpoints
            .insert(endpoint.id.clone(), endpoint);
    }

    /// Puts an event in, as ingest would.
    pub fn put_event(&self, event: Event) {
        lock(&self.state).events.insert(event.id, event);
    }

    /// Says what holds for event types, as the API would.
    pub fn put_rules(&self, rules: Rules) {
        lock(&self.state).rules = rules;
    }

    /// The record of a delivery, past all faults.
    pub fn record(&self, id: &DeliveryId) -> Option<Delivery> {
        lock(&self.state).deliveries.get(id).cloned()
    }

    /// All that was counted of a tenant's from the beginning.
    pub fn counted(&self, tenant: &TenantId) -> Counters {
        let key = Key {
            tenant: tenant.clone(),
            scope: Scope::All,
            period: Period::Ever,
        };
        let counts = lock(&self.state).counts.get(&key).copied();
        counts.unwrap_or_default()
    }

    /// The endpoints that were noted for the sweeper.
    pub fn noted(&self) -> Vec<EndpointId> {
        lock(&self.state).holding.clone()
    }
}

/// Stores `new` under `key` if what is there has version `over` (0: nothing is).
fn swap<K: std::hash::Hash + Eq, T: Clone>(
    all: &mut HashMap<K, T>,
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
        self.faults.call("BatchGetItem endpoints", || {
            let state = lock(&self.state);
            let health = state.healths.get(id).cloned().unwrap_or_default();
            state
                .endpoints
                .get(id)
                .map(|endpoint| (endpoint.clone(), health))
        })
    }

    async fn store_health(
        &self,
        _tenant: &TenantId,
        id: &EndpointId,
        health: &Health,
        over: u64,
    ) -> Result<Write<Health>, Error> {
        self.faults.call("PutItem endpoints", || {
            let healths = &mut lock(&self.state).healths;
            swap(healths, id.clone(), health, over, |health| health.version)
        })
    }

    async fn store_endpoint(
        &self,
        endpoint: &Endpoint,
        over: u64,
    ) -> Result<Write<Endpoint>, Error> {
        self.faults.call("TransactWriteItems endpoints", || {
            let endpoints = &mut lock(&self.state).endpoints;
            swap(endpoints, endpoint.id.clone(), endpoint, over, |one| {
                one.version
            })
        })
    }
}

impl Rulebook for Tables {
    async fn rules(&self, _tenant: &TenantId) -> Result<Rules, Error> {
        self.faults
            .call("GetItem settings", || lock(&self.state).rules.clone())
    }
}

impl Events for Tables {
    async fn event(&self, _tenant: &TenantId, id: EventId) -> Result<Option<Event>, Error> {
        self.faults.call("GetItem events", || {
            lock(&self.state).events.get(&id).cloned()
        })
    }
}

impl Deliveries for Tables {
    async fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>, Error> {
        self.faults.call("GetItem deliveries", || self.record(id))
    }

    async fn store_delivery(
        &self,
        delivery: &Delivery,
        over: u64,
    ) -> Result<Write<Delivery>, Error> {
        self.faults.call("PutItem deliveries", || {
            let deliveries = &mut lock(&self.state).deliveries;
            swap(deliveries, delivery.id.clone(), delivery, over, |one| {
                one.version
            })
        })
    }
}

impl Meters for Tables {
    async fn meter(&self, name: &str) -> Result<Meter, Error> {
        self.faults.call("GetItem keys", || {
            lock(&self.state)
                .meters
                .get(name)
                .copied()
                .unwrap_or_default()
        })
    }

    async fn store_meter(
        &self,
        name: &str,
        meter: &Meter,
        over: u64,
    ) -> Result<Write<Meter>, Error> {
        self.faults.call("PutItem keys", || {
            let meters = &mut lock(&self.state).meters;
            swap(meters, name.to_owned(), meter, over, |meter| meter.version)
        })
    }
}

impl Holding for Tables {
    async fn note_holding(
        &self,
        _tenant: &TenantId,
        id: &EndpointId,
        _now: Timestamp,
    ) -> Result<(), Error> {
        self.faults.call("PutItem settings", || {
            lock(&self.state).holding.push(id.clone());
        })
    }
}

impl Counting for Tables {
    async fn add_counts(&self, key: &Key, counts: Counters) -> Result<(), Error> {
        self.faults.call("UpdateItem counters", || {
            let sums = &mut lock(&self.state).counts;
            sums.entry(key.clone()).or_default().merge(counts);
        })
    }
}
