//! Limits of single endpoints, whatever fails.

use std::collections::BTreeSet;
use std::time::Duration;

use hookpost_simulation::{Behaviour, Plan, System, each_fault, faults_at, play};
use serde_json::{Value, json};

/// A batch of events.
fn events(count: usize) -> Value {
    let event = json!({ "event_type": "order.created", "payload": {} });
    json!({ "events": vec![event; count] })
}

/// How late a slot of a rate may be used: one that was kept for what waited in the queue.
const KEPT_MS: u64 = 3_000;
/// By how much a call that is slow may add to that.
const SLOW_MS: u64 = 3_000;

/// Holds the times of all requests against a rate, where slots are used so late at most.
fn assert_paced(system: &System, per_second: u64, late_ms: u64) {
    // A message that comes twice takes its slot twice: the fault is counted elsewhere.
    let mut seen = BTreeSet::new();
    let mut times: Vec<u64> = system
        .requests()
        .iter()
        .filter(|request| seen.insert(request.event))
        .map(|request| request.at.as_millis())
        .collect();
    times.sort_unstable();
    for (nth, from) in times.iter().enumerate() {
        for (count, to) in (1..).zip(&times[nth..]) {
            // What went unused is caught up with.
            let ms = to - from + 1_250 + late_ms;
            let most = per_second * ms / 1000 + 1;
            assert!(count <= most, "{count} in {} ms", to - from);
        }
    }
}

#[test]
fn a_rate_limit_holds_whatever_fails() {
    each_fault("rate", &async |system| {
        let fields = json!({ "rate_limit_per_second": 2 });
        system.endpoint("ep_1", &fields);
        system.publish_batch(&events(24), Some("key")).await;
        system.settle().await;
        assert_paced(system, 2, KEPT_MS + SLOW_MS);
    });
}

#[test]
fn a_rate_is_held_to_the_request() {
    let run = play(Plan::default(), &async |system| {
        let fields = json!({ "rate_limit_per_second": 5 });
        system.endpoint("ep_1", &fields);
        for _ in 0..3 {
            system.publish_batch(&events(100), None).await;
        }
        system.settle().await;
        assert_paced(system, 5, KEPT_MS);
        let last = system.requests().iter().map(|one| one.at).max().unwrap();
        let first = system.requests().iter().map(|one| one.at).min().unwrap();
        assert!(last.since(first) <= Duration::from_secs(120));
    });
    assert!(run.broken.is_empty(), "{:?}", run.broken);
}

#[test]
fn a_rate_limit_holds_for_what_is_parked_for_it() {
    let scenario = async |system: &System| {
        let fields = json!({ "rate_limit_per_second": 1 });
        system.endpoint("ep_1", &fields);
        // More than wait in the queue for it: the sweeper brings the rest.
        system.publish_batch(&events(100), Some("key")).await;
        system.settle().await;
        assert_paced(system, 1, KEPT_MS + SLOW_MS);
    };
    faults_at("parked for a rate", &scenario, |nth| nth % 41 == 0);
}

#[test]
fn no_more_requests_run_at_once_than_an_endpoint_allows_whatever_fails() {
    let scenario = async |system: &System| {
        let endpoint = system.endpoint("ep_1", &json!({ "max_in_flight": 2 }));
        system.behave(&endpoint, Behaviour::After(Duration::from_millis(300)));
        for _ in 0..3 {
            system.publish_batch(&events(4), None).await;
        }
        system.settle().await;
    };
    faults_at("at once", &scenario, |nth| nth < 60 || nth % 5 == 0);
}

#[test]
fn what_waits_for_a_place_goes_as_soon_as_there_is_one() {
    let run = play(Plan::default(), &async |system| {
        let endpoint = system.endpoint("ep_1", &json!({ "max_in_flight": 5 }));
        system.behave(&endpoint, Behaviour::After(Duration::from_millis(500)));
        let began = system.now();
        system.publish_batch(&events(100), None).await;
        system.settle().await;
        let last = system.requests().iter().map(|one| one.at).max().unwrap();
        // Ten seconds' worth.
        assert!(
            last.since(began) <= Duration::from_secs(40),
            "{:?}",
            last.since(began)
        );
    });
    assert!(run.broken.is_empty(), "{:?}", run.broken);
}

#[test]
fn who_has_no_such_limit_pays_nothing_for_it() {
    let calls = |fields: Value| {
        let run = play(Plan::default(), &async |system| {
            system.endpoint("ep_1", &fields);
            system.publish(None).await;
            system.settle().await;
        });
        let about_keys = |name: &&str| name.ends_with(" keys");
        run.made
            .iter()
            .map(|call| call.name)
            .filter(about_keys)
            .count()
    };
    assert_eq!(calls(json!({})), 0);
    // It is read once a process; places are taken, and given back.
    assert_eq!(calls(json!({ "max_in_flight": 5 })), 3);
}
