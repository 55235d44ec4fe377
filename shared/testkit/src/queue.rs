//! The delivery queue and the one behind it, in memory.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookpost_domain::Timestamp;
use hookpost_domain::ports::{DeliveryQueue, Error, ExhaustedQueue, Outgoing, World};

use crate::{Clock, Faults, lock};

/// A queue's visibility time-out.
const VISIBILITY: Duration = Duration::from_secs(360);

/// A message that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Its id, which is its receipt too.
    pub id: String,
    /// Its body.
    pub body: String,
    /// How often it has been received, this time included.
    pub receives: u32,
}

#[derive(Debug)]
struct Waiting {
    id: String,
    body: String,
    visible_at: Timestamp,
    receives: u32,
}

#[derive(Debug, Default)]
struct State {
    next_id: u64,
    waiting: Vec<Waiting>,
    exhausted: Vec<String>,
}

/// Both queues.
#[derive(Debug, Clone)]
pub struct Queue {
    state: Arc<Mutex<State>>,
    clock: Clock,
    faults: Arc<Faults>,
}

impl Queue {
    /// Empty queues.
    pub fn new(clock: Clock, faults: Arc<Faults>) -> Self {
        Self {
            state: Arc::default(),
            clock,
            faults,
        }
    }

    /// Puts a body in, as ingest would.
    pub fn put(&self, body: String) {
        self.push(body, self.clock.now());
    }

    /// Takes every message that is visible, at most ten.
    pub fn take(&self) -> Vec<Taken> {
        let now = self.clock.now();
        let mut state = lock(&self.state);
        let visible = state.waiting.iter_mut().filter(|one| one.visible_at <= now);
        visible
            .take(10)
            .map(|one| {
                one.receives += 1;
                one.visible_at = now.after(VISIBILITY);
                Taken {
                    id: one.id.clone(),
                    body: one.body.clone(),
                    receives: one.receives,
                }
            })
            .collect()
    }

    /// Deletes a message.
    pub fn delete(&self, id: &str) {
        lock(&self.state).waiting.retain(|one| one.id != id);
    }

    /// When the next message becomes visible.
    pub fn next_visible(&self) -> Option<Timestamp> {
        lock(&self.state)
            .waiting
            .iter()
            .map(|one| one.visible_at)
            .min()
    }

    /// The bodies that were sent to the `exhausted` queue.
    pub fn exhausted(&self) -> Vec<String> {
        lock(&self.state).exhausted.clone()
    }

    fn push(&self, body: String, visible_at: Timestamp) {
        let mut state = lock(&self.state);
        state.next_id += 1;
        let id = format!("m{}", state.next_id);
        state.waiting.push(Waiting {
            id,
            body,
            visible_at,
            receives: 0,
        });
    }
}

impl DeliveryQueue for Queue {
    async fn send(&self, messages: Vec<(Outgoing, Duration)>) -> Result<(), Error> {
        self.faults.call("SendMessageBatch", || {
            for (message, delay) in messages {
                let body = match &message {
                    Outgoing::Deliver(carrier) => serde_json::to_string(carrier),
                    Outgoing::FanOut(range) => serde_json::to_string(range),
                    Outgoing::Raw(body) => Ok(body.clone()),
                };
                self.push(body.unwrap_or_default(), self.clock.now().after(delay));
            }
        })
    }

    async fn keep_back(&self, receipt: &str, visible_in: Duration) -> Result<(), Error> {
        self.faults.call("ChangeMessageVisibility", || {
            let visible_at = self.clock.now().after(visible_in);
            let mut state = lock(&self.state);
            for one in state.waiting.iter_mut().filter(|one| one.id == receipt) {
                one.visible_at = visible_at;
            }
        })
    }
}

impl ExhaustedQueue for Queue {
    async fn bury(&self, body: impl Fn(Timestamp) -> String + Send + Sync) -> Result<(), Error> {
        self.faults.call("SendMessage exhausted", || {
            let body = body(self.clock.now());
            lock(&self.state).exhausted.push(body);
        })
    }
}
