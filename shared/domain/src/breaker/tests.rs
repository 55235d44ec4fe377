//! What the breaker promises.

use super::*;
use crate::{EndpointId, EventId};
use proptest::prelude::*;

const TIMEOUT: Duration = Duration::from_secs(15);

fn delivery(n: u8) -> DeliveryId {
    DeliveryId {
        event: EventId::generate(Timestamp::from_millis(1), [n; 10]),
        endpoint: "ep".parse::<EndpointId>().unwrap(),
    }
}

fn at(secs: u64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + secs * 1000)
}

fn open_at_20() -> Health {
    let mut health = Health::default();
    for second in [0, 5, 10, 15, 20] {
        let policy = BreakerPolicy::default();
        health = health
            .after_failure(policy, None, Some(&delivery(1)), TIMEOUT, at(second))
            .unwrap();
    }
    health
}

#[test]
fn five_failures_in_a_row_open_it_for_thirty_seconds() {
    let health = open_at_20();
    let Breaker::Open { next_probe, .. } = health.breaker else {
        panic!("closed")
    };
    assert_eq!(next_probe, at(50));
}

#[test]
fn a_success_in_between_starts_the_count_again() {
    let mut health = Health::default();
    for second in 0..20 {
        let policy = BreakerPolicy::default();
        health = health
            .after_failure(policy, None, None, TIMEOUT, at(second))
            .unwrap();
        if second % 4 == 3 {
            health = health.after_success(None, at(0)).unwrap();
            assert!(health.is_spotless());
        }
    }
    assert!(!health.is_open());
}

#[test]
fn a_streak_younger_than_the_caches_does_not_open_it() {
    let mut health = Health::default();
    for _ in 0..100 {
        let policy = BreakerPolicy::default();
        health = health
            .after_failure(policy, None, None, TIMEOUT, at(0))
            .unwrap();
    }
    assert!(!health.is_open());
}

#[test]
fn the_one_that_opened_it_probes_and_the_others_hold() {
    let health = open_at_20();
    assert_eq!(
        health.gate(&delivery(1), 7, TIMEOUT, at(30)),
        Gate::WaitToProbe(at(50))
    );
    assert_eq!(health.gate(&delivery(2), 7, TIMEOUT, at(30)), Gate::Hold);
    assert_eq!(health.gate(&delivery(2), 7, TIMEOUT, at(50)), Gate::Hold);
    let Gate::Probe(probing) = health.gate(&delivery(1), 7, TIMEOUT, at(50)) else {
        panic!()
    };
    assert_eq!(probing.gate(&delivery(1), 8, TIMEOUT, at(50)), Gate::Hold);
    assert!(probing.after_success(None, at(0)).is_none());
    assert!(probing.after_success(Some(8), at(60)).is_none());
    assert!(
        probing
            .after_success(Some(7), at(60))
            .unwrap()
            .is_spotless()
    );
}

#[test]
fn each_failed_probe_doubles_the_pause_up_to_fifteen_minutes() {
    let mut health = open_at_20();
    let mut now = at(50);
    let mut pauses = Vec::new();
    for token in 0..7 {
        let Gate::Probe(probing) = health.gate(&delivery(1), token, TIMEOUT, now) else {
            panic!()
        };
        let policy = BreakerPolicy::default();
        health = probing
            .after_failure(policy, Some(token), Some(&delivery(1)), TIMEOUT, now)
            .unwrap();
        let Breaker::Open {
            next_probe,
            pause_seconds,
            ..
        } = health.breaker
        else {
            panic!()
        };
        pauses.push(pause_seconds);
        now = next_probe;
    }
    assert_eq!(pauses, [60, 120, 240, 480, 900, 900, 900]);
}

#[test]
fn a_lost_probe_frees_its_slot_in_time() {
    let health = open_at_20();
    assert!(!health.needs_a_probe(at(60)));
    let lapsed = at(50).after(TIMEOUT).after(LEASE_MARGIN);
    assert!(health.needs_a_probe(lapsed));
    assert!(matches!(
        health.gate(&delivery(2), 9, TIMEOUT, lapsed),
        Gate::Probe(_)
    ));
}

#[test]
fn one_opened_by_hand_lets_nothing_out_until_its_time_and_then_one_probe() {
    let hour = Duration::from_secs(3600);
    let open = Health::default().opened_by_hand(BreakerPolicy::default(), hour, at(0));
    for second in [0, 60, 2699] {
        assert_eq!(
            open.gate(&delivery(1), 7, TIMEOUT, at(second)),
            Gate::Hold,
            "{second}"
        );
        assert!(!open.needs_a_probe(at(second)));
    }
    assert!(matches!(
        open.gate(&delivery(1), 7, TIMEOUT, at(2700)),
        Gate::Book(..)
    ));
    assert!(open.needs_a_probe(at(3600)));
    let Gate::Probe(probing) = open.gate(&delivery(1), 7, TIMEOUT, at(3600)) else {
        panic!()
    };
    let policy = BreakerPolicy::default();
    let again = probing
        .after_failure(policy, Some(7), None, TIMEOUT, at(3601))
        .unwrap();
    let Breaker::Open { next_probe, .. } = again.breaker else {
        panic!()
    };
    assert_eq!(next_probe, at(3661));
    assert!(
        probing
            .after_success(Some(7), at(3601))
            .unwrap()
            .is_spotless()
    );
}

#[test]
fn one_closed_by_hand_is_as_good_as_new_but_remembers() {
    assert_eq!(Health::default().closed_by_hand(), None);
    let open = open_at_20();
    assert_eq!(open.booked(), Some(&delivery(1)));
    let closed = open.closed_by_hand().unwrap();
    assert!(closed.is_spotless());
    assert_eq!(closed.version, open.version + 1);
    assert_eq!(closed.last_failure, Some(at(20)));
    // What was the probe, and what began before, changes nothing for the better or worse.
    assert_eq!(closed.after_success(Some(7), at(21)), None);
    let failed = closed.after_failure(BreakerPolicy::default(), Some(7), None, TIMEOUT, at(21));
    assert_eq!(failed.unwrap().failures, 1);
}

#[test]
fn a_recovery_is_remembered_and_so_is_the_failure_before_it() {
    let policy = BreakerPolicy::default();
    let failed = Health::default()
        .after_failure(policy, None, None, TIMEOUT, at(5))
        .unwrap();
    let well = failed.after_success(None, at(9)).unwrap();
    assert_eq!(well.last_failure, Some(at(5)));
    assert_eq!(well.last_recovery, Some(at(9)));
    assert_eq!(well.after_success(None, at(10)), None, "no write");
}

/// What instances that race may do to one health; each write is over the version it saw.
#[derive(Debug, Clone)]
enum Act {
    Ask(u8),
    Finish { success: bool },
    Open(u64),
    Close,
    Stray { success: bool },
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (1..6u8).prop_map(Act::Ask),
        any::<bool>().prop_map(|success| Act::Finish { success }),
        any::<bool>().prop_map(|success| Act::Stray { success }),
        (0..60u64).prop_map(Act::Wait),
        (1..2000u64).prop_map(Act::Open),
        Just(Act::Close),
    ]
}

proptest! {
    #[test]
    fn no_two_probes_are_ever_under_way(acts in proptest::collection::vec(act(), 1..200)) {
        let policy = BreakerPolicy { failures: 2, pause_seconds: 5 };
        let mut health = Health::default();
        let mut now = at(0);
        // Token and deadline of the probe that is under way.
        let mut probe: Option<(u64, Timestamp)> = None;
        let mut token = 0;
        for act in acts {
            if probe.is_some_and(|(_, deadline)| now > deadline) {
                probe = None;
            }
            match act {
                Act::Wait(secs) => now = now.after(Duration::from_secs(secs)),
                // A probe that is under way then counts no more.
                Act::Open(secs) => {
                    probe = None;
                    health = health.opened_by_hand(policy, Duration::from_secs(secs), now);
                }
                Act::Close => {
                    probe = None;
                    health = health.closed_by_hand().unwrap_or(health);
                }
                Act::Ask(n) => {
                    token += 1;
                    match health.gate(&delivery(n), token, TIMEOUT, now) {
                        Gate::Probe(next) => {
                            prop_assert!(probe.is_none(), "two probes");
                            probe = Some((token, now.after(TIMEOUT)));
                            health = next;
                        }
                        Gate::Book(next, when) => {
                            prop_assert!(when > now);
                            health = next;
                        }
                        Gate::WaitToProbe(when) => prop_assert!(when > now),
                        Gate::Pass => prop_assert!(!health.is_open()),
                        Gate::Hold => prop_assert!(health.is_open()),
                    }
                }
                Act::Finish { success } => if let Some((token, _)) = probe.take() {
                    let next = if success {
                        health.after_success(Some(token), now)
                    } else {
                        health.after_failure(policy, Some(token), None, TIMEOUT, now)
                    };
                    health = next.unwrap_or(health);
                },
                Act::Stray { success } => {
                    let was_open = health.is_open();
                    let next = if success {
                        health.after_success(None, now)
                    } else {
                        health.after_failure(policy, None, None, TIMEOUT, now)
                    };
                    prop_assert!(!was_open || next.is_none(), "a stray result counted");
                    health = next.unwrap_or(health);
                }
            }
        }
    }
}
