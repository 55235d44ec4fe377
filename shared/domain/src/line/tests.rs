use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::delivery::{DeadReason, Resolution};

const NOW: Timestamp = Timestamp::from_millis(1_795_262_400_000);

fn event(nth: u64) -> EventId {
    let mut bytes = [0; 10];
    bytes[2..].copy_from_slice(&nth.to_be_bytes());
    EventId::generate(NOW, bytes)
}

fn delivery(nth: u64) -> Delivery {
    let id = DeliveryId {
        event: event(nth),
        endpoint: "ep_1".parse().unwrap(),
    };
    Delivery::new(id, TenantId::default(), "order.created".parse().unwrap())
}

/// Whoever joins a line, between its calls.
#[derive(Debug, Clone, Copy)]
struct Joiner {
    /// The events that it brings.
    brings: (u64, usize),
    /// Where it believes the end is, once it has asked.
    end: Option<u64>,
    joined: bool,
}

fn entries(row: &BTreeMap<u64, Entry>) -> Vec<Entry> {
    row.values().cloned().collect()
}

proptest! {
    /// Any number of instances join, each with an old view of the end, interleaved in any way.
    #[test]
    fn whoever_joins_stands_behind_all_that_had_joined_before_it_asked(
        sizes in proptest::collection::vec(1..4usize, 1..8),
        steps in proptest::collection::vec(0..8usize, 0..100),
    ) {
        let mut row = BTreeMap::<u64, Entry>::new();
        let end_of = |row: &BTreeMap<u64, Entry>| row.values().last().map_or(0, Entry::end);
        let mut joiners: Vec<Joiner> = sizes
            .iter()
            .enumerate()
            .map(|(nth, size)| Joiner { brings: (nth as u64 * 10, *size), end: None, joined: false })
            .collect();
        let mut asked_at = vec![0; joiners.len()];
        let everybody = (0..joiners.len()).flat_map(|nth| std::iter::repeat_n(nth, 20));
        for nth in steps.into_iter().chain(everybody) {
            let Some(joiner) = joiners.get_mut(nth).filter(|joiner| !joiner.joined) else { continue };
            let Some(end) = joiner.end else {
                joiner.end = Some(end_of(&row));
                asked_at[nth] = end_of(&row);
                continue;
            };
            if let Some(other) = row.get(&end) {
                joiner.end = Some(other.end());
                continue;
            }
            let (first, size) = joiner.brings;
            let events = (first..).take(size).map(event).collect();
            row.insert(end, Entry { place: end, events });
            joiner.joined = true;
            prop_assert!(end >= asked_at[nth]);
        }
        // There is no hole, and nothing is there twice.
        let all = entries(&row);
        let placed: Vec<Placed> = Line::default().waiting(&all).collect();
        for (place, one) in (0..).zip(&placed) {
            prop_assert_eq!(one.place, place);
        }
        let mut events: Vec<EventId> = placed.iter().map(|one| one.event).collect();
        prop_assert_eq!(events.len(), sizes.iter().sum::<usize>());
        events.sort_unstable();
        events.dedup();
        prop_assert_eq!(events.len(), placed.len());
    }

    /// Two instances walk a line at once (a lease was lost), each with a head of its own, while the
    /// records change under them.
    #[test]
    fn nothing_goes_while_anything_before_it_is_not_over(
        sizes in proptest::collection::vec(1..4usize, 1..5),
        block in any::<bool>(),
        steps in proptest::collection::vec((0..2usize, 0..6u8), 1..80),
    ) {
        let on_dead_letter = if block { OnDeadLetter::Block } else { OnDeadLetter::Skip };
        let mut all = Vec::<Entry>::new();
        let mut next = 0;
        for size in sizes {
            let place = all.last().map_or(0, Entry::end);
            all.push(Entry { place, events: (next..).take(size).map(event).collect() });
            next += size as u64;
        }
        let order: Vec<EventId> = Line::default().waiting(&all).map(|one| one.event).collect();
        let mut records = BTreeMap::<EventId, Delivery>::new();
        let mut lines = [Line::default(); 2];
        for (who, what) in steps {
            let Some(first) = lines[who].waiting(&all).next() else { continue };
            let record = records.get(&first.event).cloned();
            match turn(record.as_ref(), on_dead_letter) {
                Turn::Over => lines[who] = lines[who].past(first),
                Turn::Go => {
                    for before in order.iter().take_while(|one| **one != first.event) {
                        let record = records.get(before);
                        prop_assert!(record.is_some_and(Delivery::is_final), "{before} is not over");
                        if block {
                            let is_dead = |one: &Delivery| matches!(one.status, Status::Dead { .. })
                                && one.resolution.is_none();
                            prop_assert!(!record.is_some_and(is_dead), "{before} is dead");
                        }
                    }
                    let record = record.unwrap_or_else(|| delivery(0));
                    let after = match what {
                        0 => record.kept_back(NOW, None),
                        1 => record.parked(NOW, None),
                        2 => record.held(false),
                        3 => record.dead(DeadReason::AttemptsExhausted, NOW),
                        _ => record.delivered(NOW),
                    };
                    records.insert(first.event, after);
                }
                Turn::Waits => {
                    if let Some(record) = record {
                        records.insert(first.event, record.released(NOW));
                    }
                }
                Turn::Blocked => {
                    if let Some(record) = record {
                        records.insert(first.event, record.replayed(NOW));
                    }
                }
            }
        }
    }
}

#[test]
fn a_dead_letter_blocks_until_somebody_has_dealt_with_it() {
    let dead = delivery(1).dead(DeadReason::AttemptsExhausted, NOW);
    assert_eq!(turn(Some(&dead), OnDeadLetter::Skip), Turn::Over);
    assert_eq!(turn(Some(&dead), OnDeadLetter::Block), Turn::Blocked);
    assert_eq!(
        turn(Some(&dead.buried()), OnDeadLetter::Block),
        Turn::Blocked
    );
    let replayed = dead.replayed(NOW);
    assert_eq!(turn(Some(&replayed), OnDeadLetter::Block), Turn::Go);
    let resolution = Resolution {
        at: NOW,
        by: String::new(),
        note: String::new(),
    };
    for over in [
        replayed.delivered(NOW),
        dead.resolved(resolution),
        dead.deleted(NOW),
        delivery(1).cancelled(NOW),
    ] {
        assert_eq!(
            turn(Some(&over), OnDeadLetter::Block),
            Turn::Over,
            "{over:?}"
        );
    }
}

#[test]
fn what_has_been_the_first_goes_to_the_front_and_everything_else_to_the_end() {
    assert_eq!(seat(None), Seat::End);
    let scheduled = delivery(1).parked(NOW, None).released(NOW);
    assert_eq!(seat(Some(&scheduled)), Seat::End);
    let first = Delivery {
        place: Some(7),
        ..delivery(1)
    };
    let released = first.parked(NOW, None).released(NOW);
    assert_eq!(seat(Some(&released)), Seat::Front);
    let replayed = first.dead(DeadReason::Expired, NOW).replayed(NOW);
    assert_eq!(seat(Some(&replayed)), Seat::Front);
    assert_eq!(seat(Some(&first.delivered(NOW))), Seat::Nowhere);
}

#[test]
fn one_instance_has_a_line_until_it_lets_go_or_its_time_is_over() {
    let until = NOW.after(Duration::from_secs(60));
    let taken = Line::default().taken(1, until, NOW).unwrap();
    assert_eq!(taken.taken(2, until, NOW), Err(until));
    assert!(taken.left().taken(2, until, NOW).is_ok());
    assert!(
        taken
            .taken(2, until.after(Duration::from_secs(9)), until)
            .is_ok()
    );
    assert_eq!(wait_for_lease(until, NOW), Duration::from_secs(20));
    assert_eq!(wait_for_lease(until, until), Duration::from_secs(1));
}
