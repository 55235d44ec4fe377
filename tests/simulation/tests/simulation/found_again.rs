//! Found again: what no message carries any more.

use hookpost_domain::delivery::Delivery;
use hookpost_simulation::{Behaviour, Fault, Plan, System, each_fault, play};
use serde_json::json;

fn all_are_delivered(system: &System) {
    let records = system.records();
    let names: Vec<_> = records.iter().map(Delivery::status_name).collect();
    assert!(names.iter().all(|name| *name == "delivered"), "{names:?}");
}

#[test]
fn a_purge_of_the_main_queue_loses_nothing() {
    let run = play(Plan::default(), &async |system| {
        let retry = json!({ "retry": { "delays": ["0s", "30s", "60s", "60s"] } });
        let endpoint = system.endpoint("ep_1", &retry);
        system.endpoint("ep_2", &json!({}));
        system.behave(&endpoint, Behaviour::Statuses(vec![500, 500, 500, 200]));
        for nth in 0..30 {
            system.publish(Some(&format!("key {nth}"))).await;
            if nth % 10 == 4 {
                // What has been attempted, and what has not.
                system.purge();
            }
            system.pass(7).await;
        }
        system.purge();
        system.settle().await;
        assert_eq!(system.records().len(), 60);
        all_are_delivered(system);
    });
    assert!(run.broken.is_empty(), "{:?}", run.broken);
}

#[test]
fn a_purge_is_survived_whatever_else_fails() {
    each_fault("purge", &async |system| {
        let retry = json!({ "retry": { "delays": ["0s", "30s", "60s", "60s"] } });
        let endpoint = system.endpoint("ep_1", &retry);
        system.behave(&endpoint, Behaviour::Statuses(vec![500, 200]));
        system.publish(Some("a retry waits for its time")).await;
        system.pass(5).await;
        system.purge();
        system
            .publish(Some("an event has just been accepted"))
            .await;
        system.pass(60).await;
        system.settle().await;
        all_are_delivered(system);
    });
}

#[test]
fn a_message_that_was_lost_on_its_way_is_sent_again() {
    // The event is stored, and the process ends before it sends anything.
    let sends = |run: &hookpost_simulation::Run| {
        let mut calls = run.made.iter();
        calls.position(|call| call.name == "SendMessageBatch delivery")
    };
    let scenario = async |system: &System| {
        system.endpoint("ep_1", &json!({}));
        // Nobody asks again: what was stored is delivered all the same.
        system.publish_once().await;
        system.settle().await;
        assert_eq!(system.records().len(), 1);
        all_are_delivered(system);
    };
    let clean = play(Plan::default(), &scenario);
    let at = sends(&clean).unwrap();
    for fault in [Fault::Before, Fault::TimedOut, Fault::KilledBefore] {
        let run = play(Plan::one(at, fault), &scenario);
        assert!(run.broken.is_empty(), "{fault:?}: {:?}", run.broken);
    }
}
