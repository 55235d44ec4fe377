//! Slow and silent endpoints, and what the others notice of them.

use std::time::Duration;

use hookpost_domain::delivery::Status;
use hookpost_domain::lane::Lane;
use hookpost_simulation::{Behaviour, Plan, each_fault, play};
use serde_json::{Value, json};

/// A batch of events of one type.
fn events(event_type: &str, count: usize) -> Value {
    let event = json!({ "event_type": event_type, "payload": {} });
    json!({ "events": vec![event; count] })
}

#[test]
fn a_slow_endpoint_changes_its_lane_and_comes_back() {
    each_fault("slow", &async |system| {
        let endpoint = system.endpoint("ep_1", &json!({}));
        system.behave(&endpoint, Behaviour::After(Duration::from_secs(4)));
        system
            .publish_batch(&events("order.created", 2), None)
            .await;
        system.pass(10).await;
        system.publish(None).await;
        system.pass(10).await;
        system.behave(&endpoint, Behaviour::Statuses(vec![200]));
        system.publish(None).await;
        system.settle().await;
        let is_delivered = |status| matches!(status, Status::Delivered { .. });
        assert!(system.records().iter().all(|one| is_delivered(one.status)));
    });
}

#[test]
fn the_health_says_which_lane_and_lets_back() {
    let run = play(Plan::default(), &async |system| {
        let endpoint = system.endpoint("ep_1", &json!({}));
        system.behave(&endpoint, Behaviour::After(Duration::from_secs(4)));
        system
            .publish_batch(&events("order.created", 5), None)
            .await;
        // While it still is waited for.
        system.pass(3).await;
        assert_eq!(system.health(&endpoint).lane(), Lane::Slow);
        system.pass(10).await;
        system.behave(&endpoint, Behaviour::Statuses(vec![200]));
        let mut quick = 0;
        while system.health(&endpoint).lane() == Lane::Slow {
            assert!(quick < 40, "it is not let back");
            system.publish(None).await;
            system.pass(3).await;
            quick += 1;
        }
        assert!(quick >= 12, "let back by {quick} quick answers");
    });
    assert!(run.broken.is_empty(), "{:?}", run.broken);
}

/// How long the deliveries of the quick endpoint take, in milliseconds, at most 95 in a hundred of
/// them; and the most messages in flight.
fn quick_ones(silent: usize) -> (u64, usize) {
    const EVERY_MS: u64 = 400;
    let figures = std::sync::Mutex::new((0, 0));
    let run = play(Plan::default(), &async |system| {
        let quick = system.endpoint("ep_quick", &json!({ "event_types": ["quick"] }));
        let other = system.endpoint("ep_silent", &json!({ "event_types": ["silent"] }));
        system.behave(&other, Behaviour::Silent);
        for _ in 0..silent / 100 {
            system.publish_batch(&events("silent", 100), None).await;
        }
        let mut most = 0;
        for nth in 0..1_500u64 {
            system.publish_batch(&events("quick", 1), None).await;
            tokio::time::sleep(Duration::from_millis(EVERY_MS)).await;
            most = most.max(system.in_flight());
            if nth % 100 == 0 && silent > 0 {
                system.publish_batch(&events("silent", 100), None).await;
            }
        }
        // It is not gone through to the end of its three days.
        system.delete_endpoint(&other);
        let mut took: Vec<u64> = system
            .requests()
            .iter()
            .filter(|request| request.endpoint == quick)
            .map(|request| request.at.as_millis() - request.event.time().as_millis())
            .collect();
        took.sort_unstable();
        assert_eq!(took.len(), 1_500);
        *figures.lock().unwrap() = (took[took.len() * 95 / 100], most);
    });
    assert!(run.broken.is_empty(), "{:?}", run.broken);
    figures.into_inner().unwrap()
}

#[test]
fn a_silent_endpoint_leaves_the_others_their_pace_and_the_queue_its_places() {
    let (alone, _) = quick_ones(0);
    let (beside, most) = quick_ones(2_000);
    assert!(beside * 2 <= alone * 3, "{beside} ms instead of {alone} ms");
    assert!(most <= 1_000, "{most} in flight");
}

#[test]
fn retries_beyond_the_places_park_however_short_their_wait() {
    let run = play(Plan::default(), &async |system| {
        let fields = json!({
            "retry": { "delays": ["0s", "100s", "100s"] },
            "breaker": { "failures": 1000 },
        });
        let endpoint = system.endpoint("ep_1", &fields);
        system.behave(&endpoint, Behaviour::Statuses(vec![500; 600]));
        for _ in 0..6 {
            system
                .publish_batch(&events("order.created", 100), None)
                .await;
        }
        system.pass(20).await;
        let count = |wanted: fn(&Status) -> bool| {
            let records = system.records();
            records.iter().filter(|one| wanted(&one.status)).count()
        };
        let waiting = count(|status| matches!(status, Status::InQueue { .. }));
        let parked = count(|status| matches!(status, Status::Parked { .. }));
        assert_eq!(waiting + parked, 600);
        assert!((200..=300).contains(&waiting), "{waiting}");
        assert!(system.in_flight() <= 300, "{}", system.in_flight());
    });
    assert!(run.broken.is_empty(), "{:?}", run.broken);
}
