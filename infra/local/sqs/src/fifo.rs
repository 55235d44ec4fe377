//! Which visible messages of a FIFO queue go out next.
//!
//! A group's messages go out in the order they came, and none goes out while
//! an earlier receive of the group is still in flight. Groups take turns; one
//! receive takes as many messages of a group as it may.

use std::collections::{BTreeSet, HashMap, VecDeque};

use crate::text::Text;

#[derive(Debug, Default)]
struct Group {
    visible: BTreeSet<u64>,
    delayed: BTreeSet<u64>,
    in_flight: usize,
    /// Whether the group has its place in the turn.
    queued: bool,
}

impl Group {
    /// The next message in order, unless the group is locked or its head still delayed.
    fn next(&self) -> Option<u64> {
        let head = *self.visible.first()?;
        let behind_a_delayed_one = self.delayed.first().is_some_and(|first| *first < head);
        (self.in_flight == 0 && !behind_a_delayed_one).then_some(head)
    }

    fn is_done(&self) -> bool {
        self.visible.is_empty() && self.delayed.is_empty() && self.in_flight == 0
    }
}

/// The waiting messages of a FIFO queue.
#[derive(Debug, Default)]
pub(crate) struct FifoGroups {
    groups: HashMap<Text, Group>,
    /// Groups that can give a message; one that no longer can is dropped when its turn comes.
    turn: VecDeque<Text>,
}

impl FifoGroups {
    /// Whether some group can give a message now.
    pub(crate) fn can_give(&mut self) -> bool {
        while let Some(name) = self.turn.front() {
            if self.groups.get(name).is_some_and(|g| g.next().is_some()) {
                return true;
            }
            self.drop_front();
        }
        false
    }

    /// Takes the group at the front out of the turn, and forgets it if nothing is left of it.
    fn drop_front(&mut self) {
        let Some(name) = self.turn.pop_front() else {
            return;
        };
        if let Some(group) = self.groups.get_mut(&name) {
            group.queued = false;
            if group.is_done() {
                self.groups.remove(&name);
            }
        }
    }

    pub(crate) fn add(&mut self, name: &Text, seq: u64) {
        self.change(name, |group| {
            group.visible.insert(seq);
        });
    }

    pub(crate) fn remove(&mut self, name: &Text, seq: u64) {
        self.change(name, |group| {
            group.visible.remove(&seq);
        });
    }

    /// A delayed message holds back those behind it.
    pub(crate) fn hold(&mut self, name: &Text, seq: u64) {
        self.change(name, |group| {
            group.delayed.insert(seq);
        });
    }

    pub(crate) fn unhold(&mut self, name: &Text, seq: u64) {
        self.change(name, |group| {
            group.delayed.remove(&seq);
        });
    }

    pub(crate) fn started(&mut self, name: &Text) {
        self.change(name, |group| group.in_flight += 1);
    }

    pub(crate) fn finished(&mut self, name: &Text) {
        self.change(name, |group| {
            group.in_flight = group.in_flight.saturating_sub(1);
        });
    }

    /// Takes up to `max` messages, in order, of the group whose turn it is.
    pub(crate) fn take(&mut self, max: usize) -> Vec<u64> {
        if !self.can_give() {
            return Vec::new();
        }
        let Some(name) = self.turn.pop_front() else {
            return Vec::new();
        };
        let mut run = Vec::new();
        self.change(&name, |group| {
            group.queued = false;
            while run.len() < max
                && let Some(head) = group.next()
            {
                group.visible.remove(&head);
                run.push(head);
            }
        });
        run
    }

    /// Changes a group, then sees to its place in the turn.
    fn change(&mut self, name: &Text, change: impl FnOnce(&mut Group)) {
        let group = self.groups.entry(name.clone()).or_default();
        change(group);
        if !group.queued && group.next().is_some() {
            group.queued = true;
            self.turn.push_back(name.clone());
        }
        if group.is_done() && !group.queued {
            self.groups.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Text {
        Text::from(text.to_owned())
    }

    #[test]
    fn a_group_in_flight_gives_nothing_and_goes_on_in_order() {
        let mut groups = FifoGroups::default();
        for seq in 1..=3 {
            groups.add(&name("a"), seq);
        }
        groups.add(&name("b"), 4);
        assert_eq!(groups.take(1), [1]);
        groups.started(&name("a"));
        assert_eq!(groups.take(10), [4]);
        groups.started(&name("b"));
        assert!(!groups.can_give());
        assert!(groups.take(10).is_empty());
        groups.finished(&name("a"));
        groups.add(&name("a"), 1);
        assert_eq!(groups.take(10), [1, 2, 3]);
    }

    #[test]
    fn a_delayed_head_holds_back_those_behind_it() {
        let mut groups = FifoGroups::default();
        groups.hold(&name("a"), 1);
        groups.add(&name("a"), 2);
        assert!(groups.take(10).is_empty());
        groups.unhold(&name("a"), 1);
        groups.add(&name("a"), 1);
        assert_eq!(groups.take(10), [1, 2]);
    }
}
