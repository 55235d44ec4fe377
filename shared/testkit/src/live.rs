//! The live feed in memory: who watches is kept with the tables, and what is handed over or sent is
//! there to be looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use hookpost_domain::access::SigningKey;
use hookpost_domain::live::{ConnectionId, Handover, LiveFilter, Watch, Watcher};
use hookpost_domain::ports::{
    Connections, Error, Feed, Sent, SigningKeys, Watched, Watches, Write,
};
use hookpost_domain::{TenantId, Timestamp};

use crate::{Process, Queues, Tables, lock};

/// What the server signs with here.
pub const SIGNING_KEY: SigningKey = SigningKey::new([7; 32]);

/// Who watches.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    watches: BTreeMap<TenantId, Watch>,
    until: Option<Timestamp>,
}

impl Seats {
    pub(crate) fn take(&mut self, tenant: &TenantId, until: Timestamp) {
        let watch = Watch {
            version: 1,
            watchers: vec![Watcher {
                connection: ConnectionId::default(),
                until,
                filter: LiveFilter::default(),
            }],
        };
        self.watches.insert(tenant.clone(), watch);
        self.until = Some(until);
    }

    pub(crate) const fn is_taken(&self) -> bool {
        self.until.is_some()
    }
}

impl Watched for Tables {
    async fn watched_until(&self, tenant: Option<&TenantId>) -> Result<Option<Timestamp>, Error> {
        let read = || {
            let seats = lock(self.seats());
            match tenant {
                None => seats.until,
                Some(tenant) => seats.watches.get(tenant).and_then(Watch::until),
            }
        };
        self.process().call("GetItem settings", read).await
    }
}

impl Watches for Tables {
    async fn watch(&self, tenant: &TenantId) -> Result<Watch, Error> {
        let read = || lock(self.seats()).watches.get(tenant).cloned();
        let watch = self.process().call("GetItem settings", read).await?;
        Ok(watch.unwrap_or_default())
    }

    async fn store_watch(
        &self,
        tenant: &TenantId,
        watch: &Watch,
        over: u64,
    ) -> Result<Write<Watch>, Error> {
        let write = || {
            let watches = &mut lock(self.seats()).watches;
            let current = watches.get(tenant).cloned();
            if current.as_ref().map_or(0, |current| current.version) != over {
                return Write::Lost(current);
            }
            watches.insert(tenant.clone(), watch.clone());
            Write::Won
        };
        self.process().call("PutItem settings", write).await
    }

    async fn note_watched(&self, until: Timestamp) -> Result<(), Error> {
        let write = || lock(self.seats()).until = Some(until);
        self.process().call("PutItem settings", write).await
    }
}

impl SigningKeys for Tables {
    async fn key_to_check(&self) -> Result<Option<SigningKey>, Error> {
        Ok(Some(SIGNING_KEY))
    }
}

impl Feed for Queues {
    async fn hand_over(&self, handover: &Handover) -> Result<(), Error> {
        let hand = || lock(self.handed_over()).push(handover.clone());
        self.process().call("Invoke live", hand).await
    }
}

/// Connections: what was sent over each, and which are gone.
#[derive(Debug, Clone)]
pub struct Sockets {
    process: Process,
    state: Arc<Mutex<SocketState>>,
}

#[derive(Debug, Default)]
struct SocketState {
    sent: BTreeMap<String, Vec<String>>,
    gone: BTreeSet<String>,
}

impl Sockets {
    /// The way of `process` to any number of open connections.
    pub fn new(process: Process) -> Self {
        Self {
            process,
            state: Arc::default(),
        }
    }

    /// Closes a connection.
    pub fn close(&self, connection: &ConnectionId) {
        lock(&self.state).gone.insert(connection.to_string());
    }

    /// What was sent over a connection.
    pub fn sent(&self, connection: &ConnectionId) -> Vec<String> {
        let state = lock(&self.state);
        state
            .sent
            .get(connection.as_str())
            .cloned()
            .unwrap_or_default()
    }
}

impl Connections for Sockets {
    async fn send_text(&self, connection: &ConnectionId, text: &str) -> Result<Sent, Error> {
        let send = || {
            let mut state = lock(&self.state);
            if state.gone.contains(connection.as_str()) {
                return Sent::Gone;
            }
            let sent = state.sent.entry(connection.to_string()).or_default();
            sent.push(text.to_owned());
            Sent::Taken
        };
        self.process.call("PostToConnection", send).await
    }
}
