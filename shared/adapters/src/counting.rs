//! Counts in memory, written to the table now and then.
//!
//! Guarantees: counting never fails or holds up what is counted beyond [`WITHIN`]; what could not
//! be written is written with what comes next.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::stream::{self, StreamExt};
use hookpost_domain::counters::{Counters, Key, Ledger};
use hookpost_domain::matching::EventType;
use hookpost_domain::ports::Counting;
use hookpost_domain::{EndpointId, TenantId, Timestamp};

/// How long writing may take.
pub const WITHIN: Duration = Duration::from_millis(500);
/// Writes that are under way at once: each may need a connection of its own.
const CONCURRENT_WRITES: usize = 4;

/// What this process has counted.
#[derive(Debug, Default)]
pub struct Tally {
    ledger: Mutex<Ledger>,
}

impl Tally {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts something.
    pub fn note(
        &self,
        tenant: &TenantId,
        endpoint: Option<&EndpointId>,
        event_type: &EventType,
        counts: Counters,
        now: Timestamp,
    ) {
        self.ledger()
            .note(tenant, endpoint, event_type, counts, now);
    }

    /// Writes what it is time to write.
    pub async fn flush(&self, store: &impl Counting, now: Timestamp) {
        let due = self.ledger().due(now);
        self.write(store, due).await;
    }

    async fn write(&self, store: &impl Counting, sums: Vec<(Key, Counters)>) {
        if sums.is_empty() {
            return;
        }
        let deadline = tokio::time::Instant::now() + WITHIN;
        let write = |(key, counts): (Key, Counters)| async move {
            let written = tokio::time::timeout_at(deadline, store.add_counts(&key, counts)).await;
            let error = match written {
                Ok(Ok(())) => return 0,
                Ok(Err(error)) => error.to_string(),
                Err(late) => late.to_string(),
            };
            tracing::debug!(tenant = %key.tenant, error, "a sum was not written");
            self.ledger().add(key, counts);
            1
        };
        let failures: usize = stream::iter(sums)
            .map(write)
            .buffer_unordered(CONCURRENT_WRITES)
            .fold(0, async |sum, failed| sum + failed)
            .await;
        if failures > 0 {
            tracing::warn!(sums = failures, "counts are written later");
        }
    }
}
