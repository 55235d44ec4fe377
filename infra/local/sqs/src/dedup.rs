//! A FIFO queue's memory of what was sent in the last five minutes.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::message::MessageId;
use crate::text::Text;

const WINDOW_MS: u64 = 300_000;

/// A deduplication id, and its group where ids count within groups only.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct DeduplicationKey {
    pub(crate) group: Option<Text>,
    pub(crate) id: String,
}

/// The message that came first under a deduplication id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Original {
    pub(crate) message: MessageId,
    pub(crate) seq: u64,
}

/// Ids that are still in their window, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deduplication {
    known: HashMap<DeduplicationKey, Original>,
    order: VecDeque<(u64, DeduplicationKey)>,
}

impl Deduplication {
    /// The message sent first under this id, while its window lasts.
    pub(crate) fn original(&mut self, key: &DeduplicationKey, now_ms: u64) -> Option<Original> {
        while let Some((_, old)) = self.order.pop_front_if(|(until, _)| *until <= now_ms) {
            self.known.remove(&old);
        }
        self.known.get(key).copied()
    }

    pub(crate) fn remember(&mut self, key: DeduplicationKey, original: Original, now_ms: u64) {
        self.known.insert(key.clone(), original);
        self.order
            .push_back((now_ms.saturating_add(WINDOW_MS), key));
    }

    /// What a snapshot keeps: each id with the end of its window.
    pub(crate) fn entries(&self) -> Vec<(u64, DeduplicationKey, Original)> {
        self.order
            .iter()
            .filter_map(|(until, key)| Some((*until, key.clone(), *self.known.get(key)?)))
            .collect()
    }

    pub(crate) fn restored(entries: Vec<(u64, DeduplicationKey, Original)>) -> Self {
        let mut restored = Self::default();
        for (until, key, original) in entries {
            restored.known.insert(key.clone(), original);
            restored.order.push_back((until, key));
        }
        restored
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_remembered_for_five_minutes() {
        let mut memory = Deduplication::default();
        let key = DeduplicationKey {
            group: None,
            id: "a".to_owned(),
        };
        let original = Original {
            message: MessageId(uuid::Uuid::nil()),
            seq: 1,
        };
        memory.remember(key.clone(), original, 1000);
        assert_eq!(memory.original(&key, 300_999), Some(original));
        assert_eq!(memory.original(&key, 301_000), None);
    }
}
