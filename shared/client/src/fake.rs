//! The fake: a client that sends nothing and remembers it, for tests of what publishes.
//!
//! It is the API's double as far as a publisher can tell: a repeat of an event is a duplicate and
//! is remembered once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde_json::Value;

use crate::{Accepted, Event, Problem, PublishError};

/// What a [fake client](crate::Client::fake) was given to publish. Clones are the same log.
#[derive(Debug, Clone, Default)]
pub struct FakeLog(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    sent: Vec<Sent>,
    failures: VecDeque<PublishError>,
}

/// An event that would have been sent.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Sent {
    /// Its type.
    pub event_type: String,
    /// Its payload.
    pub payload: Value,
    /// The id that it was given.
    pub id: Option<String>,
    /// The tenant that it was for, where the event names one.
    pub tenant: Option<String>,
    /// When it is to be delivered.
    pub deliver_at: Option<SystemTime>,
    /// What tells a repeat: the key, or the id that stands for it.
    pub idempotency_key: String,
}

impl FakeLog {
    /// All that was published, in order.
    pub fn sent(&self) -> Vec<Sent> {
        self.state().sent.clone()
    }

    /// What was published of one type, in order.
    pub fn sent_of(&self, event_type: &str) -> Vec<Sent> {
        let state = self.state();
        let of_type = state
            .sent
            .iter()
            .filter(|sent| sent.event_type == event_type);
        of_type.cloned().collect()
    }

    /// Forgets what was published.
    pub fn clear(&self) {
        self.state().sent.clear();
    }

    /// Lets the next call fail; several are used in turn.
    pub fn fail_next(&self, error: PublishError) {
        self.state().failures.push_back(error);
    }

    pub(crate) fn publish(&self, event: &Event) -> Result<Accepted, PublishError> {
        let mut state = self.state();
        match state.failures.pop_front() {
            Some(error) => Err(error),
            None => Ok(state.accept(event)),
        }
    }

    pub(crate) fn publish_batch(
        &self,
        events: &[Event],
    ) -> Result<Vec<Result<Accepted, Problem>>, PublishError> {
        let mut state = self.state();
        match state.failures.pop_front() {
            Some(error) => Err(error),
            None => Ok(events.iter().map(|event| Ok(state.accept(event))).collect()),
        }
    }

    /// A test that failed while it held the log has said so itself.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn accept(&mut self, event: &Event) -> Accepted {
        let key = event.key().or(event.own_id()).unwrap_or_default();
        let known = self
            .sent
            .iter()
            .position(|sent| sent.idempotency_key == key);
        let nth = known.unwrap_or(self.sent.len());
        if known.is_none() {
            self.sent.push(Sent {
                event_type: event.event_type().to_owned(),
                payload: read(event.payload().get()),
                id: event.own_id().map(str::to_owned),
                tenant: event.own_tenant().map(str::to_owned),
                deliver_at: event.due(),
                idempotency_key: key.to_owned(),
            });
        }
        Accepted {
            id: format!("fake-{}", nth + 1),
            event_type: event.event_type().to_owned(),
            tenant: event.own_tenant().unwrap_or("default").to_owned(),
            timestamp: "2026-01-01T00:00:00.000Z".to_owned(),
            alias: event.own_id().map(str::to_owned),
            duplicate: known.is_some(),
            delivery_count: 0,
            deliveries: Vec::new(),
        }
    }
}

/// JSON that a [`Value`] cannot hold, such as `1e999`, is kept as its text.
fn read(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|_| Value::String(json.to_owned()))
}
