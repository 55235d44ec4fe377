use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::delivery::{AttemptResult, DeadReason, FailureKind};
use crate::matching::EventType;
use crate::outcome::{Aftermath, Ahead, Patience, settle};
use crate::retry::RetryPolicy;
use crate::{DeliveryId, EndpointId, EventId, TenantId};

const START: Timestamp = Timestamp::from_millis(1_795_262_400_000);

fn counters() -> impl Strategy<Value = Counters> {
    let sums = proptest::collection::vec(0..1_000_000u64, 20);
    let times = (proptest::option::of(0..9u64), proptest::option::of(0..9u64));
    (sums, times).prop_map(|(sums, (success, failure))| {
        let mut counters = Counters::default();
        for ((_, sum), value) in counters.each().zip(sums) {
            *sum = value;
        }
        counters.last_success = success.map(Timestamp::from_millis);
        counters.last_failure = failure.map(Timestamp::from_millis);
        counters
    })
}

fn sum(of: &[Counters]) -> Counters {
    of.iter().fold(Counters::default(), |mut sum, counts| {
        sum.merge(*counts);
        sum
    })
}

fn delivery() -> Delivery {
    let id = DeliveryId {
        event: EventId::generate(START, [1; 10]),
        endpoint: "ep_1".parse().unwrap(),
    };
    Delivery::new(id, TenantId::default(), event_type("order.created"))
}

fn event_type(name: &str) -> EventType {
    name.parse().unwrap()
}

fn attempt(cycle: u32, status: u16) -> Attempt {
    let result = if status < 300 {
        AttemptResult::Accepted(status)
    } else {
        AttemptResult::Failed {
            kind: FailureKind::Http(status),
            detail: String::new(),
            response: String::new(),
        }
    };
    Attempt {
        number: 0,
        cycle,
        at: START,
        latency_ms: 20,
        result,
    }
}

/// What is counted of a delivery whose attempts end like this, from its first to its last.
fn story(attempts: &[u16], most: u32) -> Counters {
    let policy = RetryPolicy::preset("quick").unwrap();
    let mut total = Counters::default();
    let mut record = delivery();
    for status in attempts {
        let made = attempt(record.cycle, *status);
        let after = Aftermath {
            policy: &policy,
            ends: (record.attempts + 1 >= most).then_some(DeadReason::NotRetried),
            retry_after: None,
            ahead: Ahead::Clear,
            patience: Patience::default(),
            roll: 0.5,
        };
        let settled = settle(&record, made.clone(), &after, START).delivery;
        total.merge(Counters::of_write(&record, &settled, Some(&made)));
        record = settled;
    }
    total
}

#[test]
fn a_delivery_is_counted_by_how_it_came_to_its_end() {
    let first_try = story(&[200], 5);
    assert_eq!((first_try.delivered, first_try.first_try), (1, 1));
    assert_eq!(first_try.recovery_rate(), None);
    let third = story(&[500, 500, 200], 5);
    assert_eq!((third.delivered, third.failed, third.retried), (1, 2, 2));
    assert_eq!(third.recovery_rate(), Some(1.0));
    let fourth = story(&[500, 500, 500, 200], 5);
    assert_eq!((fourth.delivered, fourth.unrecovered), (1, 1));
    assert_eq!(fourth.recovery_rate(), Some(0.0));
    let second_is_last = story(&[500, 500], 2);
    assert_eq!((second_is_last.dead, second_is_last.unrecovered), (1, 1));
    assert_eq!(second_is_last.success_rate(), Some(0.0));
}

#[test]
fn a_duplicate_counts_as_an_attempt_and_nothing_else() {
    let delivered = delivery().delivered(START);
    let made = attempt(0, 500);
    let logged = delivered.with_attempt(made.clone());
    let counts = Counters::of_write(&delivered, &logged, Some(&made));
    assert_eq!((counts.failed, counts.delivered, counts.retried), (1, 0, 0));
}

#[test]
fn what_is_given_up_without_an_attempt_is_dead_and_was_not_to_recover() {
    let before = delivery();
    let counts = Counters::of_write(&before, &before.cancelled(START), None);
    assert_eq!((counts.cancelled, counts.failed), (1, 0));
    let dead = before.dead(DeadReason::EndpointDisabled, START);
    let counts = Counters::of_write(&before, &dead, None);
    assert_eq!((counts.dead, counts.unrecovered), (1, 0));
    assert!(Counters::of_write(&before, &before.held(true), None).is_empty());
}

#[test]
fn a_percentile_lies_in_the_range_that_it_falls_into() {
    let mut latency = Latency::default();
    assert_eq!(latency.percentile_ms(0.5), None);
    for ms in [10, 20, 30, 40, 700, 700, 700, 700, 700, 60_000] {
        latency.observe(ms);
    }
    assert_eq!(latency.percentile_ms(0.2), Some(25.0));
    assert_eq!(latency.percentile_ms(0.9), Some(1000.0));
    assert_eq!(latency.percentile_ms(0.99), Some(30_000.0));
    assert_eq!(latency.count(), 10);
    let cumulative: Vec<u64> = latency.cumulative().map(|(_, count)| count).collect();
    assert_eq!(cumulative, [4, 4, 4, 4, 9, 9, 9, 9, 9, 10]);
}

#[test]
fn every_sum_is_stored_under_a_name_of_its_own() {
    let mut counters = Counters::default();
    let mut names: Vec<_> = counters.each().map(|(name, _)| name).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!((names.len(), all), (20, 20));
}

fn note(ledger: &mut Ledger, nth: u64, now: Timestamp) {
    let endpoint: EndpointId = format!("ep_{}", nth % 7).parse().unwrap();
    let made = Counters {
        delivered: 1,
        ..Counters::default()
    };
    let tenant = TenantId::default();
    ledger.note(&tenant, Some(&endpoint), &event_type("a"), made, now);
}

fn delivered(taken: &[(Key, Counters)], period: impl Fn(Period) -> bool) -> u64 {
    let all = taken
        .iter()
        .filter(|(key, _)| key.scope == Scope::All && period(key.period));
    all.map(|(_, counts)| counts.delivered).sum()
}

#[test]
fn after_a_quiet_time_everything_is_written_at_once() {
    let mut ledger = Ledger::default();
    note(&mut ledger, 1, START);
    let written = ledger.due(START);
    // Minute and hour of the tenant, the endpoint and the type; the totals of the first two.
    assert_eq!(written.len(), 8);
    assert!(ledger.last().is_empty());
}

#[test]
fn at_load_writes_are_few_and_the_patient_ones_fewer() {
    let mut ledger = Ledger::default();
    let (mut urgent, mut patient) = (0, 0);
    for step in 0..60_000u64 {
        let now = START.after(Duration::from_millis(step * 10));
        note(&mut ledger, step, now);
        let written = ledger.due(now);
        urgent += u64::from(written.iter().any(|(key, _)| key.is_urgent()));
        patient += u64::from(written.iter().any(|(key, _)| !key.is_urgent()));
    }
    assert!((100..=140).contains(&urgent), "{urgent}");
    assert!((10..=30).contains(&patient), "{patient}");
}

#[test]
fn no_flood_of_names_makes_it_grow_or_write_without_end() {
    let mut ledger = Ledger::default();
    for nth in 0..20_000u32 {
        let tenant = TenantId::default();
        let name = event_type(&format!("t{nth}"));
        ledger.note(&tenant, None, &name, Counters::of_event(), START);
    }
    let first = ledger.due(START);
    assert_eq!(first.len(), MAX_WRITES);
    assert_eq!(first[0].1.events, 20_000, "the tenant's own come first");
    let mut left = 0;
    loop {
        let more = ledger.last().len();
        if more == 0 {
            break;
        }
        left += more;
    }
    assert!(left < MAX_KEYS);
}

proptest! {
    #[test]
    fn sums_come_out_the_same_in_any_order_and_grouping(
        mut parts in proptest::collection::vec(counters(), 1..8),
        cut in 0..8usize,
        turn in 0..8usize,
    ) {
        let whole = sum(&parts);
        let (left, right) = parts.split_at(cut.min(parts.len()));
        prop_assert_eq!(sum(&[sum(left), sum(right)]), whole);
        let turn = turn % parts.len();
        parts.rotate_left(turn);
        prop_assert_eq!(sum(&parts), whole);
    }

    #[test]
    fn a_delivery_ends_at_most_once_and_each_failure_counts(
        statuses in proptest::collection::vec(prop_oneof![Just(200u16), Just(500), Just(410)], 1..12),
        most in 1..6u32,
    ) {
        let counts = story(&statuses, most);
        let failures = statuses.iter().filter(|status| **status != 200).count() as u64;
        prop_assert_eq!(counts.failed, failures);
        prop_assert_eq!(counts.latency.count(), statuses.len() as u64 - failures);
        prop_assert!(counts.delivered + counts.dead <= 1);
        prop_assert!(counts.first_try + counts.recovered + counts.unrecovered <= 1);
        prop_assert!(counts.first_try + counts.recovered <= counts.delivered);
        prop_assert!(counts.retried <= counts.failed);
    }

    #[test]
    fn percentiles_rise_and_keep_to_what_was_observed(
        observed in proptest::collection::vec(0..40_000u32, 1..60),
        low in 0.0..1.0f64,
        high in 0.0..1.0f64,
    ) {
        let mut latency = Latency::default();
        for ms in &observed {
            latency.observe(*ms);
        }
        let (low, high) = (low.min(high), low.max(high));
        let at = |share| latency.percentile_ms(share).unwrap();
        prop_assert!(at(low) <= at(high));
        let longest = observed.iter().max().unwrap();
        let bound = BOUNDS_MS.iter().find(|bound| *bound >= longest).unwrap_or(&LONGEST_MS);
        prop_assert!(at(1.0) <= f64::from(*bound));
        prop_assert_eq!(latency.cumulative().last(), Some((None, observed.len() as u64)));
    }

    #[test]
    fn whatever_fails_to_be_written_is_written_in_the_end_and_once(
        steps in proptest::collection::vec((any::<bool>(), any::<bool>(), 0..20_000u64), 1..80),
    ) {
        let mut ledger = Ledger::default();
        let mut now = START;
        let (mut noted, mut hours, mut ever) = (0, 0, 0);
        for (counts, fails, wait) in steps {
            now = now.after(Duration::from_millis(wait));
            if counts {
                note(&mut ledger, noted, now);
                noted += 1;
            }
            let written = ledger.due(now);
            if fails {
                for (key, counts) in written {
                    ledger.add(key, counts);
                }
            } else {
                hours += delivered(&written, |period| matches!(period, Period::Hour(_)));
                ever += delivered(&written, |period| period == Period::Ever);
            }
        }
        let rest = ledger.last();
        hours += delivered(&rest, |period| matches!(period, Period::Hour(_)));
        ever += delivered(&rest, |period| period == Period::Ever);
        prop_assert_eq!((hours, ever), (noted, noted));
    }
}
