//! Which visible message of a standard queue goes out next.
//!
//! Each message group waits in a lane of its own, oldest first, and the lanes
//! take turns. As in SQS's fair queues, a group is noisy while it holds more
//! than a tenth of the messages in flight, and at least 30: its lane lets the
//! quiet ones go first. Every tenth turn goes by order alone, so that a noisy
//! group is slowed but never shut out. At most nine groups can be noisy at
//! once, which bounds the search for a quiet one.

use std::collections::{BTreeSet, HashMap, VecDeque};

use crate::text::Text;

/// A group, or the lane of the messages without one.
type Group = Option<Text>;

const NOISY_FROM: usize = 30;

#[derive(Debug, Default)]
struct Lane {
    /// (visible since, sequence): what has waited longest goes first.
    waiting: BTreeSet<(u64, u64)>,
    in_flight: usize,
    /// Whether the lane has its place in the turn.
    queued: bool,
}

/// The visible messages of a standard queue.
#[derive(Debug, Default)]
pub(crate) struct FairLanes {
    lanes: HashMap<Group, Lane>,
    turn: VecDeque<Group>,
    waiting: usize,
    taken: u64,
}

impl FairLanes {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    pub(crate) fn add(&mut self, group: &Group, since_ms: u64, seq: u64) {
        let lane = self.lanes.entry(group.clone()).or_default();
        if lane.waiting.insert((since_ms, seq)) {
            self.waiting += 1;
        }
        if !lane.queued {
            lane.queued = true;
            self.turn.push_back(group.clone());
        }
    }

    pub(crate) fn remove(&mut self, group: &Group, since_ms: u64, seq: u64) {
        if let Some(lane) = self.lanes.get_mut(group)
            && lane.waiting.remove(&(since_ms, seq))
        {
            self.waiting -= 1;
        }
    }

    /// A message of the group went into flight.
    pub(crate) fn started(&mut self, group: &Group) {
        self.lanes.entry(group.clone()).or_default().in_flight += 1;
    }

    /// A message of the group is no longer in flight.
    pub(crate) fn finished(&mut self, group: &Group) {
        if let Some(lane) = self.lanes.get_mut(group) {
            lane.in_flight = lane.in_flight.saturating_sub(1);
            if lane.in_flight == 0 && !lane.queued {
                self.lanes.remove(group);
            }
        }
    }

    /// Takes out the next message. `in_flight` is the whole queue's count.
    pub(crate) fn take(&mut self, in_flight: usize) -> Option<u64> {
        let group = self.next_group(in_flight)?;
        let lane = self.lanes.get_mut(&group)?;
        let (_, seq) = lane.waiting.pop_first()?;
        self.waiting -= 1;
        self.taken = self.taken.wrapping_add(1);
        self.requeue(group);
        Some(seq)
    }

    /// Takes the group out of the turn whose message goes next.
    fn next_group(&mut self, in_flight: usize) -> Option<Group> {
        let by_order_alone = self.taken.is_multiple_of(10);
        let mut position = 0;
        while position < self.turn.len() {
            let group = self.turn.get(position)?;
            let Some(lane) = self.lanes.get(group).filter(|l| !l.waiting.is_empty()) else {
                self.drop_idle(position);
                continue;
            };
            let noisy =
                group.is_some() && lane.in_flight >= NOISY_FROM && lane.in_flight * 10 > in_flight;
            if by_order_alone || !noisy {
                return self.turn.remove(position);
            }
            position += 1;
        }
        self.turn.pop_front()
    }

    /// Drops a lane with nothing waiting from the turn.
    fn drop_idle(&mut self, position: usize) {
        if let Some(group) = self.turn.remove(position)
            && let Some(lane) = self.lanes.get_mut(&group)
        {
            lane.queued = false;
            if lane.in_flight == 0 {
                self.lanes.remove(&group);
            }
        }
    }

    /// Puts a lane that was just served at the end of the turn.
    fn requeue(&mut self, group: Group) {
        let Some(lane) = self.lanes.get_mut(&group) else {
            return;
        };
        if !lane.waiting.is_empty() {
            self.turn.push_back(group);
            return;
        }
        lane.queued = false;
        if lane.in_flight == 0 {
            self.lanes.remove(&group);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str) -> Group {
        Text::from(name.to_owned()).into()
    }

    #[test]
    fn groups_take_turns_whatever_waits_in_each() {
        let mut lanes = FairLanes::default();
        for seq in 0..1000 {
            lanes.add(&group("noisy"), 0, seq);
        }
        lanes.add(&group("quiet"), 5, 1000);
        lanes.add(&None, 6, 1001);
        let first: Vec<_> = (0..4).filter_map(|_| lanes.take(0)).collect();
        assert_eq!(first, [0, 1000, 1001, 1]);
    }

    #[test]
    fn a_noisy_group_lets_quiet_ones_go_first_but_is_not_shut_out() {
        let mut lanes = FairLanes::default();
        for seq in 0..200 {
            lanes.add(&group("noisy"), 0, seq);
            lanes.add(&group("quiet"), 0, 1000 + seq);
        }
        for _ in 0..40 {
            lanes.started(&group("noisy"));
        }
        let taken: Vec<_> = (0..100).filter_map(|_| lanes.take(40)).collect();
        let noisy = taken.iter().filter(|seq| **seq < 1000).count();
        assert!((1..=10).contains(&noisy), "{noisy} of 100");
        for _ in 0..40 {
            lanes.finished(&group("noisy"));
        }
        let taken: Vec<_> = (0..100).filter_map(|_| lanes.take(0)).collect();
        assert_eq!(taken.iter().filter(|seq| **seq < 1000).count(), 50);
    }

    #[test]
    fn only_noisy_groups_waiting_are_served_all_the_same() {
        let mut lanes = FairLanes::default();
        lanes.add(&group("noisy"), 0, 1);
        for _ in 0..40 {
            lanes.started(&group("noisy"));
        }
        lanes.taken = 1;
        assert_eq!(lanes.take(40), Some(1));
        assert_eq!(lanes.take(40), None);
    }

    #[test]
    fn nothing_is_kept_of_groups_that_are_done() {
        let mut lanes = FairLanes::default();
        for seq in 0..100 {
            let group = group(&format!("g{seq}"));
            lanes.add(&group, 0, seq);
            if seq % 2 == 0 {
                lanes.remove(&group, 0, seq);
            }
        }
        while lanes.take(0).is_some() {}
        assert!(lanes.is_empty());
        assert!(lanes.lanes.is_empty() && lanes.turn.is_empty());
    }
}
