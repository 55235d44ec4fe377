use proptest::prelude::*;

use super::*;
use crate::answer::Rules;
use crate::carrier::VERSION;
use crate::delivery::{AttemptResult, FailureKind};
use crate::retry::{Backoff, Jitter};
use crate::{DeliveryId, EndpointId, EventId, TenantId};

fn at(secs: u64) -> Timestamp {
    Timestamp::from_millis(1_000_000_000 + secs * 1000)
}

fn carrier() -> Carrier {
    let event = EventId::generate(at(0), [3; 10]);
    let endpoint: EndpointId = "ep_1".parse().unwrap();
    Carrier {
        v: VERSION,
        delivery_id: DeliveryId {
            event,
            endpoint: endpoint.clone(),
        },
        tenant: TenantId::default(),
        endpoint_id: endpoint,
        event_id: event,
        event_type: "a".parse().unwrap(),
        timestamp: at(0),
        cycle: 0,
        release: 0,
        sent_at: at(0),
        resend: false,
        not_before: None,
        place: None,
        payload: None,
        cloud_event: None,
    }
}

fn attempt(result: AttemptResult, now: Timestamp) -> Attempt {
    Attempt {
        number: 0,
        cycle: 0,
        at: now,
        latency_ms: 5,
        result,
    }
}

fn ok() -> AttemptResult {
    AttemptResult::Accepted(200)
}

fn failed(kind: FailureKind) -> AttemptResult {
    AttemptResult::Failed {
        kind,
        detail: String::new(),
        response: String::new(),
    }
}

fn kind() -> impl Strategy<Value = FailureKind> {
    prop_oneof![
        (300..600u16).prop_map(FailureKind::Http),
        Just(FailureKind::Timeout),
        Just(FailureKind::Connect),
        Just(FailureKind::Tls),
    ]
}

fn ahead() -> impl Strategy<Value = Ahead> {
    prop_oneof![
        Just(Ahead::Clear),
        Just(Ahead::Crowded),
        (0..900u64).prop_map(|secs| Ahead::Probe(at(secs))),
        Just(Ahead::Hold)
    ]
}

/// As an endpoint without rules means it.
fn ends(kind: FailureKind) -> Option<DeadReason> {
    Rules::default().judge(failed(kind), b"").ends
}

fn aftermath(policy: &RetryPolicy, ahead: Ahead, roll: f64) -> Aftermath<'_> {
    Aftermath {
        policy,
        ends: None,
        retry_after: None,
        ahead,
        patience: Patience::default(),
        roll,
    }
}

proptest! {
    #[test]
    fn an_accepted_delivery_always_completes(ahead in ahead(), roll in 0.0..1.0f64) {
        let policy = RetryPolicy::preset("quick").unwrap();
        let delivery = Delivery::unwritten(&carrier());
        let settled = settle(&delivery, attempt(ok(), at(1)), &aftermath(&policy, ahead, roll), at(1));
        prop_assert_eq!(settled.step, Step::Complete);
        prop_assert_eq!(settled.delivery.status, Status::Delivered { at: at(1) });
    }

    #[test]
    fn attempts_are_bounded_and_the_end_is_the_dead_letter_queue(
        kinds in proptest::collection::vec(kind(), 60),
        aheads in proptest::collection::vec(ahead(), 60),
        max in 1..50u32,
    ) {
        let backoff = Backoff::Exponential { first: 1.0, factor: 2.0, max: 3600.0, attempts: max };
        let policy = RetryPolicy::new(backoff, Jitter::Ratio(0.25)).unwrap();
        let mut delivery = Delivery::unwritten(&carrier());
        let mut now = at(0);
        for (made, (kind, ahead)) in (1..).zip(kinds.into_iter().zip(aheads)) {
            let after = Aftermath { ends: ends(kind), ..aftermath(&policy, ahead, 0.5) };
            let settled = settle(&delivery, attempt(failed(kind), now), &after, now);
            prop_assert_eq!(settled.delivery.attempts, made);
            prop_assert!(made <= max);
            delivery = settled.delivery;
            match (settled.step, delivery.status) {
                (Step::Exhaust, Status::Dead { .. }) => return Ok(()),
                (Step::KeepBack { visible_in }, Status::InQueue { next_attempt }) => {
                    prop_assert!(visible_in <= MAX_KEEP_BACK);
                    prop_assert!(now.after(visible_in) >= next_attempt, "early");
                    now = now.after(visible_in);
                }
                (Step::Complete, Status::Parked { due }) => { now = due; delivery = delivery.released(due); }
                (Step::Complete, Status::Held { .. }) => delivery = delivery.released(now),
                other => prop_assert!(false, "{other:?}"),
            }
        }
        prop_assert!(false, "never ended");
    }

    #[test]
    fn an_open_breaker_only_delays(kind in kind(), roll in 0.0..1.0f64, probe in 0..900u64) {
        let policy = RetryPolicy::preset("quick").unwrap();
        let delivery = Delivery::unwritten(&carrier());
        let next = |ahead| {
            let after = Aftermath { ends: ends(kind), ..aftermath(&policy, ahead, roll) };
            settle(&delivery, attempt(failed(kind), at(0)), &after, at(0))
        };
        let (clear, open, held) = (next(Ahead::Clear), next(Ahead::Probe(at(probe))), next(Ahead::Hold));
        prop_assert_eq!(clear.delivery.is_final(), open.delivery.is_final());
        prop_assert_eq!(clear.delivery.is_final(), held.delivery.is_final());
        if let (Status::InQueue { next_attempt: a }, Status::InQueue { next_attempt: b }) =
            (clear.delivery.status, open.delivery.status)
        {
            prop_assert!(b >= a && b >= at(probe));
        }
    }

    /// Duplicates of one message are settled in any order, each over the record that won before.
    #[test]
    fn duplicates_end_alike_in_any_order(
        // Fewer than the policy's attempts: after ten failures in a row the order does matter.
        results in proptest::collection::vec(proptest::bool::weighted(0.3), 1..10),
        seed in any::<u64>(),
    ) {
        let policy = RetryPolicy::preset("standard").unwrap();
        let end = |order: &[bool]| {
            order.iter().fold(Delivery::unwritten(&carrier()), |delivery, accepted| {
                let result = if *accepted { ok() } else { failed(FailureKind::Timeout) };
                settle(&delivery, attempt(result, at(1)), &aftermath(&policy, Ahead::Clear, 0.5), at(1)).delivery
            })
        };
        let mut shuffled = results.clone();
        let by = usize::try_from(seed % results.len() as u64).unwrap();
        shuffled.rotate_left(by);
        let (one, other) = (end(&results), end(&shuffled));
        if results.contains(&true) {
            prop_assert_eq!(one.status_name(), "delivered");
        }
        prop_assert_eq!(one.log.len(), results.len());
        prop_assert_eq!(one.status_name(), other.status_name());
    }

    #[test]
    fn nothing_undoes_a_final_status(kind in kind(), accepted in any::<bool>(), ahead in ahead()) {
        let policy = RetryPolicy::preset("quick").unwrap();
        let start = Delivery::unwritten(&carrier());
        for fixed in [start.delivered(at(1)), start.cancelled(at(1)), start.dead(DeadReason::Expired, at(1))] {
            let result = if accepted { ok() } else { failed(kind) };
            let settled = settle(&fixed, attempt(result, at(2)), &aftermath(&policy, ahead, 0.5), at(2));
            prop_assert_eq!(settled.delivery.status, fixed.status);
            prop_assert_eq!(settled.delivery.log.len(), 1);
            prop_assert_eq!(settled.step, Step::Complete);
        }
    }

    #[test]
    fn a_longer_wait_is_spent_in_the_table(secs in 0..200_000u64) {
        let delivery = Delivery::unwritten(&carrier());
        let settled = wait(&delivery, at(secs), None, MAX_KEEP_BACK, at(0));
        match settled.step {
            Step::KeepBack { visible_in } => prop_assert!(secs <= 900 && visible_in.as_secs() >= secs),
            Step::Complete => prop_assert!(secs > 900),
            Step::Exhaust => prop_assert!(false),
        }
    }
}

#[test]
fn a_message_that_was_overtaken_is_stale() {
    let carrier = carrier();
    let fresh = Delivery::unwritten(&carrier);
    let now = at(10);
    let stale = |record: Delivery| {
        arrive(Some(record), &carrier, Patience::default(), now) == Arrival::Stale
    };
    assert!(stale(fresh.delivered(now)));
    assert!(stale(fresh.cancelled(now)));
    assert!(stale(fresh.parked(now, None)));
    assert!(stale(fresh.held(false)));
    assert!(
        stale(fresh.parked(now, None).released(now)),
        "a lower release"
    );
    assert!(
        stale(fresh.dead(DeadReason::Gone, now).replayed(now)),
        "a lower cycle"
    );
    assert!(stale(fresh.dead(DeadReason::Gone, now).buried()));
    assert!(matches!(
        arrive(None, &carrier, Patience::default(), now),
        Arrival::Due(_)
    ));
    assert!(matches!(
        arrive(
            Some(fresh.kept_back(now, None)),
            &carrier,
            Patience::default(),
            now
        ),
        Arrival::Due(_)
    ));
    assert_eq!(
        arrive(
            Some(fresh.kept_back(at(12), None)),
            &carrier,
            Patience::default(),
            now
        ),
        Arrival::Early(Duration::from_secs(2))
    );
    let scheduled = |secs| Carrier {
        not_before: Some(at(secs)),
        ..carrier.clone()
    };
    let patience = Patience::default();
    assert_eq!(
        arrive(None, &scheduled(12), patience, now),
        Arrival::Early(Duration::from_secs(2))
    );
    let Arrival::Ahead(parked) = arrive(None, &scheduled(90_000), patience, now) else {
        panic!("a long wait is spent in the table");
    };
    assert_eq!(parked.status, Status::Parked { due: at(90_000) });
    assert_eq!(parked.since, at(90_000));
    assert!(matches!(
        arrive(None, &scheduled(9), patience, now),
        Arrival::Due(_)
    ));
    assert!(scheduled(9).may_have_a_record(1, now));
    let dead = fresh.dead(DeadReason::Gone, now);
    assert!(matches!(
        arrive(Some(dead), &carrier, Patience::default(), now),
        Arrival::Unburied(_)
    ));
}

#[test]
fn an_attempt_of_an_older_cycle_is_logged_and_changes_nothing() {
    let policy = RetryPolicy::preset("quick").unwrap();
    let replayed = Delivery::unwritten(&carrier())
        .dead(DeadReason::Gone, at(1))
        .replayed(at(2));
    let settled = settle(
        &replayed,
        attempt(failed(FailureKind::Timeout), at(3)),
        &aftermath(&policy, Ahead::Clear, 0.5),
        at(3),
    );
    assert_eq!(
        (settled.delivery.attempts, settled.delivery.status),
        (0, replayed.status)
    );
    assert_eq!(settled.delivery.log.len(), 1);
}

#[test]
fn a_failure_that_ends_it_is_not_retried() {
    let policy = RetryPolicy::preset("quick").unwrap();
    let delivery = Delivery::unwritten(&carrier());
    for reason in [DeadReason::Gone, DeadReason::NotRetried] {
        let after = Aftermath {
            ends: Some(reason),
            ..aftermath(&policy, Ahead::Clear, 0.5)
        };
        let result = failed(FailureKind::Http(422));
        let settled = settle(&delivery, attempt(result, at(1)), &after, at(1));
        assert_eq!(settled.delivery.status, Status::Dead { reason, at: at(1) });
        assert_eq!(settled.step, Step::Exhaust);
    }
}

fn endpoint() -> Endpoint {
    let draft: crate::endpoint::EndpointDraft =
        serde_json::from_str(r#"{"url":"https://a.example/","event_types":["*"]}"#).unwrap();
    draft
        .create(
            carrier().endpoint_id,
            TenantId::default(),
            crate::signature::Secret::generate([1; 32]),
            &crate::target::AllowedTargets::default(),
            at(0),
        )
        .unwrap()
}

#[test]
fn what_has_no_endpoint_any_more_is_cancelled() {
    let policy = RetryPolicy::preset("quick").unwrap();
    let delivery = Delivery::unwritten(&carrier());
    let admitted = admit(&delivery, None, &policy, 1, Patience::default(), at(0)).unwrap();
    assert_eq!(admitted.delivery.status_name(), "cancelled");
}

#[test]
fn what_waited_too_long_expires_and_no_pause_counts() {
    let policy = RetryPolicy::preset("quick").unwrap();
    let days = |days: u64| at(days * 24 * 3600);
    let delivery = Delivery::unwritten(&carrier());
    assert_eq!(delivery.held(true).released(days(4)).since, days(4));
    // Held by a breaker, and then its endpoint was paused for days.
    let released = delivery.held(false).released(days(4));
    assert_eq!(released.since, delivery.since);
    let admitted = |endpoint: &Endpoint, now| {
        admit(
            &released,
            Some(endpoint),
            &policy,
            1,
            Patience::default(),
            now,
        )
    };
    let never_paused = endpoint();
    let settled = admitted(&never_paused, days(4)).unwrap();
    assert_eq!(settled.step, Step::Exhaust);
    let resumed = never_paused
        .with_state(EndpointState::Paused, at(60))
        .with_state(EndpointState::Active, days(4));
    assert_eq!(admitted(&resumed, days(4)), None);
    assert_eq!(admitted(&resumed, days(6)), None);
    assert_eq!(admitted(&resumed, days(8)).unwrap().step, Step::Exhaust);
}

#[test]
fn no_outage_of_hours_takes_a_message_to_the_dead_letter_queue() {
    let until_redrive: Duration = (1..100).map(|receives| after_an_error(receives, 0.0)).sum();
    assert!(
        until_redrive > Duration::from_secs(12 * 3600),
        "{until_redrive:?}"
    );
    assert!((0..1000).all(|receives| after_an_error(receives, 0.999) <= MAX_KEEP_BACK));
}

#[test]
fn a_rate_limit_keeps_at_most_a_thousand_messages_in_flight_or_five_seconds_worth() {
    for per_second in 1..2000 {
        let wait = longest_rate_wait(per_second).as_secs();
        assert!((5..=75).contains(&wait));
        assert!(wait == 5 || wait * u64::from(per_second) <= 1000);
    }
}

#[test]
fn what_cannot_be_rendered_dies_at_once_and_says_why() {
    let broken = Unrendered {
        at: ".text".to_owned(),
        why: "this event has no `data.x`".to_owned(),
    };
    let fresh = Delivery::unwritten(&carrier());
    let settled = unrendered(&fresh, &broken, at(1));
    assert_eq!(settled.step, Step::Exhaust);
    assert_eq!(settled.delivery.attempts, 1);
    assert_eq!(
        settled.delivery.failure_reason(),
        "template.text: this event has no `data.x`"
    );
    let kind = settled.delivery.last_failure().and_then(Attempt::failure);
    assert!(kind.is_some_and(|kind| kind.is_named("template")));
}

#[test]
fn a_time_that_the_endpoint_named_is_kept_behind_a_breaker_too() {
    let policy = RetryPolicy::preset("quick").unwrap();
    let delivery = Delivery::unwritten(&carrier());
    let hour = Duration::from_secs(3600);
    for (retry_after, status) in [
        (None, Status::Held { paused: false }),
        (Some(Duration::ZERO), Status::Held { paused: false }),
        (Some(hour), Status::Parked { due: at(3601) }),
    ] {
        let after = Aftermath {
            retry_after,
            ..aftermath(&policy, Ahead::Hold, 0.5)
        };
        let busy = attempt(failed(FailureKind::Http(503)), at(1));
        let settled = settle(&delivery, busy, &after, at(1));
        assert_eq!(settled.delivery.status, status);
        assert_eq!(settled.step, Step::Complete);
    }
}
