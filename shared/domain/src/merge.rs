//! One list, newest event first, out of shards that were each read a little.

use crate::EventId;

/// What was read of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard<T> {
    /// What was found, newest event first.
    pub items: Vec<T>,
    /// The last event that was looked at, if there may be more at it or before it.
    pub read_to: Option<EventId>,
}

/// What is known to be the beginning of the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged<T> {
    /// The items, newest event first; those of one event of one shard in that shard's order.
    pub items: Vec<T>,
    /// Whether there may be more.
    pub more: bool,
    /// The last event up to which all shards were read; all of them to their end, if `None`.
    pub read_to: Option<EventId>,
}

/// Merges shards as far down as every one of them has been read.
pub fn newest_first<T>(shards: Vec<Shard<T>>, event: impl Fn(&T) -> EventId) -> Merged<T> {
    let read_to = shards.iter().filter_map(|shard| shard.read_to).max();
    let mut items: Vec<T> = shards.into_iter().flat_map(|shard| shard.items).collect();
    let all = items.len();
    items.retain(|item| read_to.is_none_or(|last| event(item) >= last));
    let more = read_to.is_some() || items.len() < all;
    // Stable: what belongs to one event stays in the order of its shard.
    items.sort_by_key(|item| std::cmp::Reverse(event(item)));
    Merged {
        items,
        more,
        read_to,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use proptest::prelude::*;

    fn event(ms: u64) -> EventId {
        EventId::generate(Timestamp::from_millis(ms), [1; 10])
    }

    proptest! {
        #[test]
        fn a_page_is_the_beginning_of_the_whole(
            shards in proptest::collection::vec(
                (proptest::collection::btree_set(1..1000u64, 0..20), 0..20usize),
                1..6,
            ),
        ) {
            let mut whole: Vec<u64> = shards.iter().flat_map(|(all, _)| all.iter().copied()).collect();
            whole.sort_unstable();
            whole.reverse();
            let read = shards.into_iter().map(|(all, limit)| {
                let mut items: Vec<u64> = all.into_iter().rev().collect();
                let cut = limit.max(1) < items.len();
                items.truncate(limit.max(1));
                let read_to = items.last().copied().filter(|_| cut).map(event);
                Shard { items, read_to }
            });
            let merged = newest_first(read.collect(), |ms| event(*ms));
            // Equal times of two shards stand for one event of both.
            let floor = merged.read_to;
            let expected: Vec<u64> = whole
                .iter()
                .copied()
                .filter(|ms| floor.is_none_or(|floor| event(*ms) >= floor))
                .collect();
            prop_assert!(merged.items.len() <= expected.len());
            prop_assert!(expected.starts_with(merged.items.get(..merged.items.len().saturating_sub(1)).unwrap_or_default()));
            prop_assert!(merged.more || merged.items == whole);
            prop_assert!(whole.is_empty() || !merged.items.is_empty());
        }
    }
}
