//! The line before an endpoint that asked for order.
//!
//! A line is a row of entries, each behind the last, and a head: the place of the first event that
//! is not over. Nothing is ever numbered before it is stored, so there are no holes to wait for, and
//! nobody comes late with a lower number. An event may stand in a line twice (whoever joined it was
//! not heard and did it again): its first place counts, and at the second it is found to be over.
//!
//! Guarantees, given that an entry is put only where none is, and a head is stored only over the
//! version it was made from: every event that joined is come to, in the order of joining; and what
//! comes after it does not go before its record says that it is over.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::delivery::{Delivery, Status};
use crate::{DeliveryId, EndpointId, EventId, TenantId, Timestamp};

/// Most events of one entry.
pub const MAX_ENTRY: usize = 100;

/// What a line does at a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnDeadLetter {
    /// It goes on with the next event.
    #[default]
    Skip,
    /// It stands until somebody has replayed the dead letter (and it was delivered), resolved or
    /// deleted it.
    Block,
}

/// How far a line has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Line {
    /// Counts the writes; 0 if never written.
    pub version: u64,
    /// The place of the first event that is not known to be over.
    pub head: u64,
    /// The place of the entry in which that is.
    pub entry: u64,
    /// Who works on it.
    pub lease: Option<Lease>,
}

/// That an instance works on a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Which one: drawn at random.
    pub token: u64,
    /// When it must be over.
    pub until: Timestamp,
}

/// Events that joined a line at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The place of the first of them.
    pub place: u64,
    /// The events, in order.
    pub events: Vec<EventId>,
}

/// An event in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Its place.
    pub place: u64,
    /// The place of its entry.
    pub entry: u64,
    /// The event.
    pub event: EventId,
}

/// What there is to do about the first of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It is to be carried out, now or when its time has come.
    Go,
    /// Nothing: it waits in the table, and whoever releases it wakes the line.
    Waits,
    /// Nothing: it is dead, and the line stands until somebody has dealt with it.
    Blocked,
    /// It is over: the next one's turn has come.
    Over,
}

/// Where a delivery belongs that comes to its line by way of the delivery queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seat {
    /// Before everything that waits: it has been the first before.
    Front,
    /// Behind everything that waits.
    End,
    /// Nowhere: it is over.
    Nowhere,
}

impl Line {
    /// The line, taken by an instance until `until`.
    ///
    /// # Errors
    /// Another has it, until when.
    pub fn taken(&self, token: u64, until: Timestamp, now: Timestamp) -> Result<Self, Timestamp> {
        match self.lease {
            Some(lease) if now < lease.until => Err(lease.until),
            Some(_) | None => Ok(Self {
                version: self.version + 1,
                lease: Some(Lease { token, until }),
                ..*self
            }),
        }
    }

    /// The line once what is at `placed` is over.
    #[must_use]
    pub fn past(&self, placed: Placed) -> Self {
        Self {
            head: self.head.max(placed.place + 1),
            entry: self.entry.max(placed.entry),
            ..*self
        }
    }

    /// The line as it is stored on the way, its lease kept.
    #[must_use]
    pub fn kept(&self) -> Self {
        Self {
            version: self.version + 1,
            ..*self
        }
    }

    /// The line, let go of.
    #[must_use]
    pub fn left(&self) -> Self {
        Self {
            version: self.version + 1,
            lease: None,
            ..*self
        }
    }

    /// Whether an instance works on it.
    pub fn is_taken(&self, now: Timestamp) -> bool {
        self.lease.is_some_and(|lease| now < lease.until)
    }

    /// What of `entries` is not known to be over, in order.
    pub fn waiting<'e>(&self, entries: &'e [Entry]) -> impl Iterator<Item = Placed> + use<'e> {
        let head = self.head;
        let places = entries.iter().flat_map(|entry| {
            let numbered = (entry.place..).zip(&entry.events);
            numbered.map(|(place, event)| Placed {
                place,
                entry: entry.place,
                event: *event,
            })
        });
        places.filter(move |placed| placed.place >= head)
    }
}

impl Entry {
    /// The place behind it.
    pub fn end(&self) -> u64 {
        self.place + self.events.len() as u64
    }
}

/// What there is to do about the first of a line, by its record.
pub fn turn(record: Option<&Delivery>, on_dead_letter: OnDeadLetter) -> Turn {
    let Some(delivery) = record else {
        return Turn::Go;
    };
    match delivery.status {
        Status::InQueue { .. } => Turn::Go,
        Status::Parked { .. } | Status::Held { .. } => Turn::Waits,
        Status::Dead { .. }
            if on_dead_letter == OnDeadLetter::Block && delivery.resolution.is_none() =>
        {
            Turn::Blocked
        }
        Status::Dead { .. }
        | Status::Delivered { .. }
        | Status::Cancelled { .. }
        | Status::Deleted { .. } => Turn::Over,
    }
}

/// Where a delivery belongs that comes to its line by way of the delivery queue: a retry that has
/// waited in the table, a replay, or one that was sent before its endpoint asked for order.
pub fn seat(record: Option<&Delivery>) -> Seat {
    match record {
        Some(delivery) if delivery.is_final() => Seat::Nowhere,
        Some(delivery) if delivery.place.is_some() => Seat::Front,
        None | Some(_) => Seat::End,
    }
}

/// From when the age of a delivery counts whose turn has come. Behind a dead letter that blocks, it
/// waits for a person, and that does not count.
pub fn begins(event: EventId, on_dead_letter: OnDeadLetter, now: Timestamp) -> Timestamp {
    match on_dead_letter {
        OnDeadLetter::Skip => event.time(),
        OnDeadLetter::Block => now,
    }
}

/// The version of the bodies written here.
pub const VERSION: u8 = 1;

/// A message of the queue that wakes lines. It is only a hint: the tables know what there is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wake {
    /// The version of this body.
    pub v: u8,
    /// Whose line.
    pub tenant: TenantId,
    /// Before which endpoint.
    pub line: EndpointId,
    /// A delivery that came by way of the delivery queue, and has to be seated first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery_id: Option<DeliveryId>,
    /// When it was sent.
    pub sent_at: Timestamp,
}

impl Wake {
    /// A wake for a line.
    pub fn of(tenant: &TenantId, line: &EndpointId, now: Timestamp) -> Self {
        Self {
            v: VERSION,
            tenant: tenant.clone(),
            line: line.clone(),
            delivery_id: None,
            sent_at: now,
        }
    }

    /// A wake for a delivery that has to be seated first.
    pub fn seating(tenant: &TenantId, delivery: &DeliveryId, now: Timestamp) -> Self {
        Self {
            delivery_id: Some(delivery.clone()),
            ..Self::of(tenant, &delivery.endpoint, now)
        }
    }
}

/// The longest that a wake waits for another instance to let go of a line.
const LONGEST_WAIT_FOR_A_LEASE: Duration = Duration::from_secs(20);

/// How long a wake waits while another instance has the line until `until`.
pub fn wait_for_lease(until: Timestamp, now: Timestamp) -> Duration {
    until
        .since(now)
        .clamp(Duration::from_secs(1), LONGEST_WAIT_FOR_A_LEASE)
}

#[cfg(test)]
mod tests;
