//! The visible messages of a queue, of either type, behind one set of verbs.

use crate::fair::FairLanes;
use crate::fifo::FifoGroups;
use crate::message::{Message, Place};
use crate::text::Text;

/// Whose turn it is among the waiting messages.
#[derive(Debug)]
pub(crate) enum Waiting {
    Standard(FairLanes),
    Fifo(FifoGroups),
}

impl Waiting {
    pub(crate) fn new(fifo: bool) -> Self {
        if fifo {
            Self::Fifo(FifoGroups::default())
        } else {
            Self::Standard(FairLanes::default())
        }
    }

    /// Whether a receive would find something.
    pub(crate) fn can_give(&mut self) -> bool {
        match self {
            Self::Standard(lanes) => !lanes.is_empty(),
            Self::Fifo(groups) => groups.can_give(),
        }
    }

    /// Takes out up to `max` messages that go next; on a FIFO queue they are of one group.
    pub(crate) fn take(&mut self, max: usize, in_flight: usize) -> Vec<u64> {
        match self {
            Self::Standard(lanes) => std::iter::from_fn(|| lanes.take(in_flight))
                .take(max)
                .collect(),
            Self::Fifo(groups) => groups.take(max),
        }
    }

    /// A message came to the place that it says.
    pub(crate) fn enter(&mut self, seq: u64, message: &Message) {
        let group = &message.content.group_id;
        match self {
            Self::Standard(lanes) => match message.place {
                Place::Visible { since_ms } => lanes.add(group, since_ms, seq),
                Place::InFlight { .. } => lanes.started(group),
                Place::Delayed { .. } => {}
            },
            Self::Fifo(groups) => match message.place {
                Place::Visible { .. } => groups.add(&named(group.as_ref()), seq),
                Place::InFlight { .. } => groups.started(&named(group.as_ref())),
                Place::Delayed { .. } => groups.hold(&named(group.as_ref()), seq),
            },
        }
    }

    /// A message leaves the place that it says.
    pub(crate) fn leave(&mut self, seq: u64, message: &Message) {
        let group = &message.content.group_id;
        match self {
            Self::Standard(lanes) => match message.place {
                Place::Visible { since_ms } => lanes.remove(group, since_ms, seq),
                Place::InFlight { .. } => lanes.finished(group),
                Place::Delayed { .. } => {}
            },
            Self::Fifo(groups) => match message.place {
                Place::Visible { .. } => groups.remove(&named(group.as_ref()), seq),
                Place::InFlight { .. } => groups.finished(&named(group.as_ref())),
                Place::Delayed { .. } => groups.unhold(&named(group.as_ref()), seq),
            },
        }
    }
}

/// A FIFO queue takes no message without a group; were there one, it would be a group of its own.
fn named(group: Option<&Text>) -> Text {
    group.cloned().unwrap_or_else(|| Text::from(String::new()))
}
