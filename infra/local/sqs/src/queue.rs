//! One queue: where each message stands, and what the passing of time does to it.
//!
//! Pure: `now_ms` is an argument. A receive, send, delete or change of
//! visibility costs O(log n) of the messages held: visible messages are
//! ordered by turn, delayed and in-flight ones by when they become visible,
//! all of them by when they were sent. At any moment a message is in exactly
//! one place, and the counts say how many are where.

use std::collections::{BTreeMap, BTreeSet};

use crate::dedup::Deduplication;
use crate::errors::SqsError;
use crate::message::{Delivered, Message, Place};
use crate::receipt::Receipt;
use crate::settings::Settings;
use crate::waiting::Waiting;

/// Messages in flight that a queue holds at most.
pub(crate) const MAX_IN_FLIGHT: usize = 120_000;
/// The longest that a message may stay in flight, counted from its receive.
pub(crate) const MAX_VISIBILITY_MS: u64 = 43_200_000;
const PURGE_INTERVAL_MS: u64 = 60_000;

/// How many messages are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueCounts {
    /// Waiting to be received.
    pub visible: usize,
    /// Received and not deleted.
    pub in_flight: usize,
    /// Sent with a delay that still runs.
    pub delayed: usize,
    /// Age of the oldest message, in milliseconds since it was sent.
    pub oldest_age_ms: Option<u64>,
}

/// What a receive asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) max: usize,
    pub(crate) visibility_ms: Option<u64>,
    /// maxReceiveCount, if there is a dead-letter queue to move to.
    pub(crate) redrive_after: Option<u32>,
}

/// What a receive took.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) delivered: Vec<Delivered>,
    /// Received too often: to be moved to the dead-letter queue.
    pub(crate) exhausted: Vec<Message>,
}

/// A queue.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) id: u64,
    pub(crate) settings: Settings,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created_ms: u64,
    pub(crate) modified_ms: u64,
    pub(crate) purged_ms: Option<u64>,
    pub(crate) deduplication: Deduplication,
    messages: BTreeMap<u64, Message>,
    waiting: Waiting,
    /// (visible again at, sequence) of the delayed and the in-flight ones.
    timed: BTreeSet<(u64, u64)>,
    /// (sent at, sequence) of all.
    by_age: BTreeSet<(u64, u64)>,
    in_flight: usize,
    delayed: usize,
}

impl Queue {
    pub(crate) fn new(id: u64, settings: Settings, now_ms: u64) -> Self {
        Self {
            id,
            waiting: Waiting::new(settings.fifo),
            settings,
            tags: BTreeMap::new(),
            created_ms: now_ms,
            modified_ms: now_ms,
            purged_ms: None,
            deduplication: Deduplication::default(),
            messages: BTreeMap::new(),
            timed: BTreeSet::new(),
            by_age: BTreeSet::new(),
            in_flight: 0,
            delayed: 0,
        }
    }

    /// Brings the queue up to `now_ms`: delays and visibility timeouts end, what is too old is dropped.
    pub(crate) fn settle(&mut self, now_ms: u64) {
        while let Some(&(at_ms, seq)) = self.timed.first().filter(|(at_ms, _)| *at_ms <= now_ms) {
            self.timed.pop_first();
            self.move_to(seq, Place::Visible { since_ms: at_ms });
        }
        let retention_ms = self.settings.retention_ms;
        while let Some(&(sent_ms, seq)) = self.by_age.first()
            && sent_ms.saturating_add(retention_ms) <= now_ms
        {
            self.by_age.pop_first();
            self.remove(seq);
        }
    }

    /// When the next delay or visibility timeout ends.
    pub(crate) fn next_due_ms(&self) -> Option<u64> {
        self.timed.first().map(|(at_ms, _)| *at_ms)
    }

    /// Whether a receive would find something now.
    pub(crate) fn can_give(&mut self) -> bool {
        self.in_flight < MAX_IN_FLIGHT && self.waiting.can_give()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.in_flight >= MAX_IN_FLIGHT
    }

    pub(crate) fn counts(&self, now_ms: u64) -> QueueCounts {
        QueueCounts {
            visible: self.messages.len() - self.in_flight - self.delayed,
            in_flight: self.in_flight,
            delayed: self.delayed,
            oldest_age_ms: self
                .by_age
                .first()
                .map(|(sent_ms, _)| now_ms.saturating_sub(*sent_ms)),
        }
    }

    /// Takes a message in, at the place that it says.
    pub(crate) fn insert(&mut self, seq: u64, message: Message) {
        self.by_age.insert((message.sent_ms, seq));
        self.enter(seq, &message);
        self.messages.insert(seq, message);
    }

    /// Takes a message out, wherever it stands.
    pub(crate) fn remove(&mut self, seq: u64) -> Option<Message> {
        let message = self.messages.remove(&seq)?;
        self.leave(seq, &message);
        self.by_age.remove(&(message.sent_ms, seq));
        Some(message)
    }

    pub(crate) fn receive(&mut self, ask: Ask, now_ms: u64) -> Taken {
        let visibility_ms = ask.visibility_ms.unwrap_or(self.settings.visibility_ms);
        let mut taken = Taken::default();
        let mut back_at_once = Vec::new();
        loop {
            let room =
                (ask.max - taken.delivered.len()).min(MAX_IN_FLIGHT.saturating_sub(self.in_flight));
            let run = if room == 0 {
                Vec::new()
            } else {
                self.waiting.take(room, self.in_flight)
            };
            if run.is_empty() {
                break;
            }
            for seq in run {
                let Some(mut message) = self.messages.remove(&seq) else {
                    continue;
                };
                if ask
                    .redrive_after
                    .is_some_and(|most| message.receives_here >= most)
                {
                    self.by_age.remove(&(message.sent_ms, seq));
                    taken.exhausted.push(message);
                    continue;
                }
                message.receive_count = message.receive_count.saturating_add(1);
                message.receives_here = message.receives_here.saturating_add(1);
                message.first_received_ms.get_or_insert(now_ms);
                message.place = Place::InFlight {
                    received_ms: now_ms,
                    until_ms: now_ms.saturating_add(visibility_ms),
                };
                self.enter(seq, &message);
                if visibility_ms == 0 {
                    back_at_once.push(seq);
                }
                taken.delivered.push(self.delivered(seq, message.clone()));
                self.messages.insert(seq, message);
            }
        }
        // Only now, or one receive would hand out the same message twice.
        for seq in back_at_once {
            self.move_to(seq, Place::Visible { since_ms: now_ms });
        }
        taken
    }

    fn delivered(&self, seq: u64, message: Message) -> Delivered {
        let receipt = Receipt {
            queue: self.id,
            message: seq,
            receive: message.receive_count,
        };
        Delivered {
            handle: receipt.to_handle(),
            sequence_number: self.settings.fifo.then(|| sequence_number(seq)),
            message,
        }
    }

    /// Deletes what the handle stands for. A handle that a later receive made
    /// stale, or whose message is gone, is taken and changes nothing.
    pub(crate) fn delete(&mut self, handle: &str) -> Result<(), SqsError> {
        let receipt = Receipt::parse(handle, self.id)?;
        let Some(message) = self.messages.get(&receipt.message) else {
            return Ok(());
        };
        let is_current = message.receive_count == receipt.receive;
        let is_held = matches!(message.place, Place::InFlight { .. });
        if self.settings.fifo && !(is_current && is_held) {
            return Err(SqsError::value(
                handle,
                "ReceiptHandle",
                "The receipt handle has expired.",
            ));
        }
        if is_current {
            self.remove(receipt.message);
        }
        Ok(())
    }

    pub(crate) fn change_visibility(
        &mut self,
        handle: &str,
        visible_in_ms: u64,
        now_ms: u64,
    ) -> Result<(), SqsError> {
        let receipt = Receipt::parse(handle, self.id)?;
        check_visibility(visible_in_ms)?;
        let message = self
            .messages
            .get(&receipt.message)
            .filter(|message| message.receive_count == receipt.receive)
            .ok_or_else(|| {
                SqsError::value(
                    handle,
                    "ReceiptHandle",
                    "Message does not exist or is not available for visibility timeout change.",
                )
            })?;
        let Place::InFlight { received_ms, .. } = message.place else {
            return Err(SqsError::MessageNotInflight);
        };
        let until_ms = now_ms.saturating_add(visible_in_ms);
        if until_ms > received_ms.saturating_add(MAX_VISIBILITY_MS) {
            return Err(SqsError::value(
                visible_in_ms / 1000,
                "VisibilityTimeout",
                "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]",
            ));
        }
        let place = if visible_in_ms == 0 {
            Place::Visible { since_ms: now_ms }
        } else {
            Place::InFlight {
                received_ms,
                until_ms,
            }
        };
        self.move_to(receipt.message, place);
        Ok(())
    }

    /// Drops everything, what is in flight included: once a minute at most.
    pub(crate) fn purge(&mut self, name: &str, now_ms: u64) -> Result<(), SqsError> {
        if self
            .purged_ms
            .is_some_and(|at_ms| now_ms < at_ms.saturating_add(PURGE_INTERVAL_MS))
        {
            return Err(SqsError::PurgeQueueInProgress(name.to_owned()));
        }
        self.purged_ms = Some(now_ms);
        self.messages.clear();
        self.timed.clear();
        self.by_age.clear();
        self.waiting = Waiting::new(self.settings.fifo);
        self.in_flight = 0;
        self.delayed = 0;
        Ok(())
    }

    /// The first visible message at or after `from` and before `end`.
    pub(crate) fn next_visible(&self, from: u64, end: u64) -> Option<(u64, &Message)> {
        if from >= end {
            return None;
        }
        self.messages
            .range(from..end)
            .find(|(_, message)| matches!(message.place, Place::Visible { .. }))
            .map(|(seq, message)| (*seq, message))
    }

    /// Every message with its sequence: what a snapshot keeps.
    pub(crate) fn messages(&self) -> impl Iterator<Item = (u64, &Message)> {
        self.messages.iter().map(|(seq, message)| (*seq, message))
    }

    fn move_to(&mut self, seq: u64, place: Place) {
        let Some(mut message) = self.messages.remove(&seq) else {
            return;
        };
        self.leave(seq, &message);
        message.place = place;
        self.enter(seq, &message);
        self.messages.insert(seq, message);
    }

    fn enter(&mut self, seq: u64, message: &Message) {
        match message.place {
            Place::Visible { .. } => {}
            Place::Delayed { until_ms } => {
                self.delayed += 1;
                self.timed.insert((until_ms, seq));
            }
            Place::InFlight { until_ms, .. } => {
                self.in_flight += 1;
                self.timed.insert((until_ms, seq));
            }
        }
        self.waiting.enter(seq, message);
    }

    fn leave(&mut self, seq: u64, message: &Message) {
        match message.place {
            Place::Visible { .. } => {}
            Place::Delayed { until_ms } => {
                self.delayed -= 1;
                self.timed.remove(&(until_ms, seq));
            }
            Place::InFlight { until_ms, .. } => {
                self.in_flight -= 1;
                self.timed.remove(&(until_ms, seq));
            }
        }
        self.waiting.leave(seq, message);
    }
}

/// Twenty digits that grow with every message, as a FIFO queue's are.
pub(crate) fn sequence_number(seq: u64) -> String {
    format!("{:020}", 18_000_000_000_000_000_000_u64.saturating_add(seq))
}

/// 0 to 12 hours.
pub(crate) fn check_visibility(visible_in_ms: u64) -> Result<(), SqsError> {
    if visible_in_ms <= MAX_VISIBILITY_MS {
        return Ok(());
    }
    Err(SqsError::value(
        visible_in_ms / 1000,
        "VisibilityTimeout",
        "VisibilityTimeout must be an integer between 0 and 43200",
    ))
}
