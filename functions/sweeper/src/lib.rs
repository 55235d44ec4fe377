//! Once a minute: releases what is parked and due, looks after what is held back, and finds what no
//! message carries any more.
//!
//! Guarantees: a record is written before its message is sent, so a crash in between leaves
//! something that the next sweep finds; two sweeps at once do nothing twice; nothing that fails or
//! cannot be read stops the rest, and no part of the work takes the time of another.

mod due;
mod held;
mod lines;
mod lost;
mod settle;
mod slots;
mod telling;

use std::time::{Duration, SystemTime};

use hookpost_adapters::Config;
use hookpost_adapters::counting::Tally;
use hookpost_adapters::metrics::Metrics;
use hookpost_domain::Timestamp;
use hookpost_domain::delivery::Delivery;
use hookpost_domain::measures::{Measures, Metric};
use hookpost_domain::ports::{
    Backlog, Counting, Cursors, DeliveryQueue, EndpointList, Endpoints, Error, EventIntake,
    EventTimes, ExhaustedQueue, HoldingNotes, LineNotes, LineViews, Meters, Notes, Records,
    Rulebook, Waiting, WakeQueue, World,
};
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::lost::Stretch;
use crate::slots::Slots;

/// All tables that sweeping needs.
pub trait Tables:
    Endpoints
    + EndpointList
    + EventIntake
    + Rulebook
    + Records
    + Waiting
    + HoldingNotes
    + Notes
    + LineViews
    + LineNotes
    + Cursors
    + EventTimes
    + Meters
    + Counting
{
}
impl<T> Tables for T where
    T: Endpoints
        + EndpointList
        + EventIntake
        + Rulebook
        + Records
        + Waiting
        + HoldingNotes
        + Notes
        + LineViews
        + LineNotes
        + Cursors
        + EventTimes
        + Meters
        + Counting
{
}

/// All queues that sweeping needs.
pub trait Queues: DeliveryQueue + ExhaustedQueue + WakeQueue + Backlog {}
impl<T: DeliveryQueue + ExhaustedQueue + WakeQueue + Backlog> Queues for T {}

/// The function, over tables `S`, queues `Q`, and clock and dice `W`.
#[derive(Debug)]
pub struct Sweeper<S, Q, W> {
    store: S,
    queues: Q,
    world: W,
    config: Config,
    /// Bounds the records that are written at once.
    writes: Semaphore,
    stretch: Stretch,
    /// What was given up.
    tally: Tally,
    metrics: Metrics,
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
    /// Held deliveries given up: they waited too long behind an open breaker.
    pub expired: u64,
    /// Deliveries that no record or message knew of.
    pub found: u64,
    /// Events about endpoints and replays that were told to whoever asked for them.
    pub told: u64,
    /// Lines in which something waits that nobody was about to see to.
    pub woken: u64,
}

impl Swept {
    fn add(&mut self, other: &Self) {
        let Self {
            released,
            resent,
            reburied,
            let_go,
            probes,
            expired,
            found,
            told,
            woken,
        } = other;
        self.released += released;
        self.resent += resent;
        self.reburied += reburied;
        self.let_go += let_go;
        self.probes += probes;
        self.expired += expired;
        self.found += found;
        self.told += told;
        self.woken += woken;
    }

    /// What of it is told as metrics: what was given up is told where it is.
    fn note(&self, measures: &mut Measures) {
        let released = self.released + self.let_go + self.probes;
        for (metric, count) in [
            (Metric::DeliveriesReleased, released),
            (Metric::DeliveriesFound, self.found),
            (Metric::DeliveriesResent, self.resent),
            (Metric::DeadLettersReburied, self.reburied),
        ] {
            measures.note(metric, count);
        }
    }
}

/// Time that is kept for the last writes before the function's own time-out.
const MARGIN_MS: u64 = 5_000;
/// Records that are written at once.
const CONCURRENT_WRITES: usize = 32;

impl<S: Tables, Q: Queues, W: World> Sweeper<S, Q, W> {
    /// A sweeper over these.
    pub fn new(store: S, queues: Q, world: W, config: Config) -> Self {
        Self {
            metrics: Metrics::new(&config),
            store,
            queues,
            world,
            config,
            writes: Semaphore::new(CONCURRENT_WRITES),
            stretch: Stretch::default(),
            tally: Tally::default(),
        }
    }

    /// Sweeps once, until a little before `deadline` at most.
    pub async fn sweep(&self, deadline: SystemTime) -> Swept {
        let stop_at = Timestamp::from_millis(
            Timestamp::from(deadline)
                .as_millis()
                .saturating_sub(MARGIN_MS),
        );
        let began = self.world.now();
        let slots = Slots::default();
        let mut swept = Swept::default();
        let due_stops = share(began, stop_at, 50);
        let all_due = self.sweep_due(&slots, &mut swept, due_stops).await;
        let held_stops = share(began, stop_at, 75);
        if let Err(error) = self.sweep_held(&mut swept, held_stops).await {
            broken("held", &error);
        }
        if let Err(error) = self.sweep_lines(&mut swept, stop_at).await {
            broken("lines", &error);
        }
        if let Err(error) = self.sweep_lost(&mut swept, stop_at).await {
            broken("lost", &error);
        }
        if let Err(error) = self.tell(&mut swept, stop_at).await {
            broken("told", &error);
        }
        if !all_due {
            // The others left some of their time.
            self.sweep_due(&slots, &mut swept, stop_at).await;
        }
        let now = self.world.now();
        self.metrics.note(now, |measures| swept.note(measures));
        self.metrics.tell();
        self.tally.flush(&self.store, now).await;
        if swept != Swept::default() {
            tracing::info!(
                swept.released,
                swept.resent,
                swept.reburied,
                swept.let_go,
                swept.probes,
                swept.expired,
                swept.found,
                swept.told,
                swept.woken,
                "swept"
            );
        }
        swept
    }

    fn is_over(&self, stop_at: Timestamp) -> bool {
        self.world.now() >= stop_at
    }

    /// Measures how long what was found has waited.
    fn note_ages(&self, found: &[Delivery], now: Timestamp) {
        let waiting = found.iter().filter(|delivery| !delivery.is_final());
        if let Some(oldest) = waiting.map(|delivery| delivery.since).min() {
            let age = now.since(oldest).as_secs();
            self.metrics.count(Metric::OldestUndelivered, age, now);
        }
    }
}

/// When so many percent of the time are over.
fn share(began: Timestamp, stop_at: Timestamp, percent: u32) -> Timestamp {
    began.after(stop_at.since(began) * percent / 100)
}

/// `span` before `now`.
fn before(now: Timestamp, span: Duration) -> Timestamp {
    let ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_millis(now.as_millis().saturating_sub(ms))
}

fn broken(part: &'static str, error: &Error) {
    tracing::error!(part, error = %error, cause = ?error.source, "a part of the sweep broke off");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_takes_all_of_the_time() {
        let began = Timestamp::from_millis(1_000_000);
        let stop_at = began.after(Duration::from_secs(48));
        assert_eq!(
            share(began, stop_at, 50),
            began.after(Duration::from_secs(24))
        );
        assert_eq!(
            share(began, stop_at, 75),
            began.after(Duration::from_secs(36))
        );
        assert_eq!(share(stop_at, began, 50), stop_at);
    }

    #[test]
    fn what_was_lost_is_a_metric_and_an_idle_sweep_is_none() {
        let mut idle = Measures::default();
        Swept::default().note(&mut idle);
        assert!(idle.is_empty());
        let swept = Swept {
            released: 5,
            let_go: 3,
            probes: 1,
            found: 2,
            ..Swept::default()
        };
        let mut measures = Measures::default();
        swept.note(&mut measures);
        let lines = measures.lines("hookpost", Timestamp::default());
        let line: serde_json::Value = serde_json::from_str(&lines.concat()).unwrap();
        assert_eq!(line["DeliveriesReleased"], 9);
        assert_eq!(line["DeliveriesFound"], 2);
        assert_eq!(line.get("DeliveriesResent"), None);
    }
}
