//! Once a minute: releases what is parked and due, looks after what is held back, and finds what no
//! message carries any more.
//!
//! Guarantees: a record is written before its message is sent, so a crash in between leaves
//! something that the next sweep finds; two sweeps at once do nothing twice; one part that fails
//! does not stop the others.

mod due;
mod held;
mod lost;

use std::time::{Duration, SystemTime};

use hookpost_adapters::Config;
use hookpost_adapters::queue::Queues;
use hookpost_adapters::table::Store;
use hookpost_domain::Timestamp;
use hookpost_domain::carrier::Carrier;
use hookpost_domain::delivery::Delivery;
use hookpost_domain::ports::{Deliveries, DeliveryQueue, Error, Outgoing, World, Write};
use serde::Serialize;

/// The function, over the tables, the queues, and clock and dice `W`.
#[derive(Debug)]
pub struct Sweeper<W> {
    store: Store,
    queues: Queues,
    world: W,
    config: Config,
}

/// What a sweep did.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// Parked deliveries that were due, or are within the next minute.
    pub released: u64,
    /// Deliveries that nothing had been heard of, sent again.
    pub resent: u64,
    /// Dead letters whose way to the dead-letter queue had broken off, sent there again.
    pub reburied: u64,
    /// Held deliveries let go: their breaker has closed, or their endpoint is active again or gone.
    pub let_go: u64,
    /// Held deliveries sent as a probe.
    pub probes: u64,
    /// Deliveries that no record or message knew of.
    pub found: u64,
}

/// Time that is kept for the last writes before the function's own time-out.
const MARGIN_MS: u64 = 5_000;

impl<W: World> Sweeper<W> {
    /// A sweeper over these.
    pub fn new(store: Store, queues: Queues, world: W, config: Config) -> Self {
        Self {
            store,
            queues,
            world,
            config,
        }
    }

    /// Sweeps once, until a little before `deadline` at most.
    pub async fn sweep(&self, deadline: SystemTime) -> Swept {
        let stop_at = Timestamp::from_millis(
            Timestamp::from(deadline)
                .as_millis()
                .saturating_sub(MARGIN_MS),
        );
        let mut swept = Swept::default();
        let due = self.sweep_due(&mut swept, stop_at).await;
        let held = self.sweep_held(&mut swept, stop_at).await;
        let lost = self.sweep_lost(&mut swept, stop_at).await;
        for (part, outcome) in [("due", due), ("held", held), ("lost", lost)] {
            if let Err(error) = outcome {
                tracing::error!(part, error = %error, cause = ?error.source, "a part of the sweep broke off");
            }
        }
        if swept != Swept::default() {
            tracing::info!(
                swept.released,
                swept.resent,
                swept.reburied,
                swept.let_go,
                swept.probes,
                swept.found,
                "swept"
            );
        }
        swept
    }

    fn is_over(&self, stop_at: Timestamp) -> bool {
        self.world.now() >= stop_at
    }

    /// Writes the records, each over the one that was read, and then sends the messages of those
    /// that were won. How many.
    async fn put_back(
        &self,
        changes: Vec<(Delivery, Delivery)>,
        due: impl Fn(&Delivery) -> Timestamp,
    ) -> Result<u64, Error> {
        let mut messages = Vec::with_capacity(changes.len());
        for (before, after) in changes {
            if self.store.store_delivery(&after, before.version).await? == Write::Won {
                let now = self.world.now();
                let delay = due(&after).since(now).min(Duration::from_secs(900));
                messages.push((
                    Outgoing::Deliver(Box::new(Carrier::pointing(&after, now))),
                    delay,
                ));
            }
        }
        let sent = messages.len() as u64;
        if sent > 0 {
            self.queues.send(messages).await?;
        }
        Ok(sent)
    }
}
