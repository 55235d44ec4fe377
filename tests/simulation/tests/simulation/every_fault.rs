//! Every fault, one at a time.

use hookpost_domain::delivery::Status;
use hookpost_domain::signature::Secret;
use hookpost_simulation::{Behaviour, Plan, System, each_fault};
use serde_json::json;

fn status_names(system: &System) -> Vec<&'static str> {
    let records = system.records();
    records
        .iter()
        .map(hookpost_domain::delivery::Delivery::status_name)
        .collect()
}

#[test]
fn a_happy_delivery() {
    each_fault("happy", &async |system| {
        system.endpoint("ep_1", &json!({}));
        assert!(system.publish(None).await.is_some());
        system.settle().await;
        assert!(status_names(system).iter().all(|name| *name == "delivered"));
    });
}

#[test]
fn a_fan_out_of_five() {
    each_fault("fan-out", &async |system| {
        for nth in 1..=5 {
            system.endpoint(&format!("ep_{nth}"), &json!({}));
        }
        assert!(system.publish(Some("key")).await.is_some());
        system.settle().await;
        assert_eq!(status_names(system), ["delivered"; 5]);
    });
}

#[test]
fn a_retry_and_then_success() {
    each_fault("retry", &async |system| {
        let retry = json!({ "retry": { "delays": ["0s", "5s", "30s", "30s"] } });
        let endpoint = system.endpoint("ep_1", &retry);
        system.behave(&endpoint, Behaviour::Statuses(vec![500, 503, 200]));
        assert!(system.publish(Some("key")).await.is_some());
        system.settle().await;
        assert_eq!(status_names(system), ["delivered"]);
    });
}

/// Whatever becomes of showing it.
#[test]
fn a_delivery_that_is_watched() {
    each_fault("watched", &async |system| {
        system.watch();
        let retry = json!({ "retry": { "delays": ["0s", "5s", "30s", "30s"] } });
        let endpoint = system.endpoint("ep_1", &retry);
        system.behave(&endpoint, Behaviour::Statuses(vec![500, 503, 200]));
        assert!(system.publish(Some("key")).await.is_some());
        system.settle().await;
        assert_eq!(status_names(system), ["delivered"]);
    });
}

#[test]
fn attempts_run_out() {
    each_fault("exhaustion", &async |system| {
        let retry = json!({ "retry": { "delays": ["0s", "5s", "30s"] } });
        let endpoint = system.endpoint("ep_1", &retry);
        system.behave(&endpoint, Behaviour::Statuses(vec![500]));
        assert!(system.publish(Some("key")).await.is_some());
        system.settle().await;
        assert_eq!(status_names(system), ["dead"]);
    });
}

#[test]
fn a_long_wait_is_parked() {
    each_fault("parking", &async |system| {
        let retry = json!({ "retry": { "delays": ["0s", "1h", "2h"] } });
        let endpoint = system.endpoint("ep_1", &retry);
        system.behave(&endpoint, Behaviour::Statuses(vec![500, 500, 200]));
        assert!(system.publish(Some("key")).await.is_some());
        system.settle().await;
        assert!(matches!(
            system.records()[0].status,
            Status::Delivered { .. } | Status::Dead { .. }
        ));
    });
}

#[test]
fn a_breaker_opens_and_closes() {
    each_fault("breaker", &async |system| {
        let fields = json!({
            "retry": { "delays": ["0s", "2s", "2s", "2s", "5s", "5s", "5s", "5s", "5s"] },
            "breaker": { "failures": 3, "pause_seconds": 60 },
        });
        let endpoint = system.endpoint("ep_1", &fields);
        let up_again = system.now().after(std::time::Duration::from_secs(150));
        system.behave(&endpoint, Behaviour::DownUntil(up_again));
        for nth in 0..3 {
            system.publish(Some(&format!("key {nth}"))).await;
            system.pass(3).await;
        }
        system.settle().await;
        assert_eq!(status_names(system), ["delivered"; 3]);
    });
}

#[test]
fn dead_letters_are_replayed_by_a_filter() {
    each_fault("replay", &async |system| {
        let endpoint = system.endpoint("ep_1", &json!({ "retry": { "delays": ["0s", "1s"] } }));
        system.behave(&endpoint, Behaviour::Statuses(vec![500]));
        for nth in 0..2 {
            system.publish(Some(&format!("key {nth}"))).await;
        }
        system.settle().await;
        system.behave(&endpoint, Behaviour::Statuses(vec![200]));
        let order = json!({ "filter": { "endpoint_id": "ep_1" } });
        system.replay(order.clone()).await;
        system.settle().await;
        assert_eq!(status_names(system), ["delivered"; 2]);
        // There is nothing left to do for another.
        let before = system.requests().len();
        system.replay(order).await;
        system.settle().await;
        assert_eq!(system.requests().len(), before);
    });
}

#[test]
fn dead_letters_are_redriven_from_the_console() {
    each_fault("redrive", &async |system| {
        let endpoint = system.endpoint("ep_1", &json!({ "retry": { "delays": ["0s", "1s"] } }));
        system.behave(&endpoint, Behaviour::Statuses(vec![500]));
        for nth in 0..2 {
            system.publish(Some(&format!("key {nth}"))).await;
        }
        system.settle().await;
        system.behave(&endpoint, Behaviour::Statuses(vec![200]));
        system.redrive().await;
        system.settle().await;
        assert_eq!(status_names(system), ["delivered"; 2]);
        let before = system.requests().len();
        system.redrive().await;
        system.settle().await;
        assert_eq!(system.requests().len(), before);
    });
}

#[test]
fn a_letter_of_an_older_death_brings_nothing_back() {
    each_fault("older death", &async |system| {
        let endpoint = system.endpoint("ep_1", &json!({ "retry": { "delays": ["0s", "1s"] } }));
        system.behave(&endpoint, Behaviour::Statuses(vec![500]));
        system.publish(Some("key")).await;
        system.settle().await;
        let older = system.take_letters().await;
        system.replay(json!({ "filter": { "all": true } })).await;
        system.settle().await;
        assert_eq!(status_names(system), ["dead"]);
        let before = (system.requests().len(), system.records()[0].cycle);
        assert!(before.1 > 0);
        // It died again: its last word is the newer one.
        system.behave(&endpoint, Behaviour::Statuses(vec![200]));
        for letter in older {
            system.send_home(letter).await;
        }
        system.settle().await;
        assert_eq!(status_names(system), ["dead"]);
        let after = (system.requests().len(), system.records()[0].cycle);
        assert_eq!(after, before);
    });
}

#[test]
fn publishing_twice_with_one_key() {
    each_fault("idempotency", &async |system| {
        system.endpoint("ep_1", &json!({}));
        let first = system.publish(Some("key")).await;
        let second = system.publish(Some("key")).await;
        assert!(first.is_some() && first == second, "{first:?} {second:?}");
        system.settle().await;
        assert_eq!(status_names(system), ["delivered"]);
    });
}

#[test]
fn a_batch_with_a_bad_event() {
    each_fault("batch", &async |system| {
        system.endpoint("ep_1", &json!({}));
        let good = json!({ "event_type": "order.created", "payload": {} });
        let bad = json!({ "event_type": "no good", "payload": {} });
        let batch = json!({ "events": [good, bad, good] });
        let accepted = system.publish_batch(&batch, Some("key")).await;
        assert_eq!(accepted.len(), 2);
        system.settle().await;
        assert_eq!(status_names(system), ["delivered"; 2]);
    });
}

#[test]
fn a_secret_is_rotated_midway() {
    each_fault("rotation", &async |system| {
        let retry = json!({ "retry": { "delays": ["0s", "20s", "20s", "20s"] } });
        let endpoint = system.endpoint("ep_1", &retry);
        system.behave(&endpoint, Behaviour::Statuses(vec![500, 200]));
        system.publish(Some("key")).await;
        system.pass(10).await;
        system.rotate(&endpoint, Secret::generate([2; 32]), 5);
        system.settle().await;
        assert_eq!(status_names(system), ["delivered"]);
        let new = Secret::generate([2; 32]);
        for request in system.requests() {
            // What was begun before the rotation, and a moment after, is signed with the old one.
            if request.at.as_millis() > system.requests()[0].at.as_millis() + 25_000 {
                let at = request.at.into();
                hookpost_client::verify(new.reveal(), &request.headers, &request.body, at).unwrap();
            }
        }
    });
}

#[test]
fn an_endpoint_is_deleted_midway() {
    each_fault("deletion", &async |system| {
        let retry = json!({ "retry": { "delays": ["0s", "20s", "20s"] } });
        let endpoint = system.endpoint("ep_1", &retry);
        system.behave(&endpoint, Behaviour::Statuses(vec![500]));
        system.publish(Some("key")).await;
        system.pass(10).await;
        system.delete_endpoint(&endpoint);
        system.settle().await;
        assert!(status_names(system).iter().all(|name| *name == "cancelled"));
    });
}

#[test]
fn an_endpoint_without_a_policy_is_tried_as_the_type_says() {
    each_fault("policy", &async |system| {
        let endpoint = system.endpoint("ep_1", &json!({}));
        let orders = json!({ "events": ["order.*"], "retry": { "delays": ["0s", "20s"] } });
        system.retry_policy("orders", orders);
        system.behave(&endpoint, Behaviour::Statuses(vec![500]));
        system.publish(Some("key")).await;
        system.settle().await;
        assert_eq!(status_names(system), ["dead"]);
        // One that came twice may count twice.
        assert!((2..=3).contains(&system.records()[0].attempts));
    });
}

#[test]
fn an_endpoint_that_is_gone_is_disabled() {
    each_fault("gone", &async |system| {
        let endpoint = system.endpoint("ep_1", &json!({}));
        system.behave(&endpoint, Behaviour::Statuses(vec![410]));
        system.publish(Some("key")).await;
        system.settle().await;
        assert_eq!(status_names(system), ["dead"]);
    });
}

#[test]
fn a_happy_delivery_reads_its_endpoint_and_writes_its_outcome_and_nothing_else() {
    let run = hookpost_simulation::play(Plan::default(), &async |system| {
        system.endpoint("ep_1", &json!({}));
        system.publish(None).await;
        system.settle().await;
        let counted = system.counted();
        assert_eq!(
            (counted.events, counted.delivered, counted.first_try),
            (1, 1, 1)
        );
    });
    let names: Vec<_> = run.made.iter().map(|call| call.name).collect();
    let at = |name| names.iter().position(|one| *one == name).unwrap();
    let delivering = &names[at("SendMessageBatch delivery") + 1..];
    assert_eq!(
        delivering,
        [
            "BatchGetItem endpoints",
            "POST to an endpoint",
            "PutItem deliveries"
        ]
    );
}

#[test]
fn what_happened_is_counted() {
    let counted = |statuses: Vec<u16>| {
        let mut counted = hookpost_domain::counters::Counters::default();
        let sum = std::cell::RefCell::new(&mut counted);
        let run = hookpost_simulation::play(Plan::default(), &async |system| {
            let retry = json!({ "retry": { "delays": ["0s", "60s", "60s"] } });
            let endpoint = system.endpoint("ep_1", &retry);
            system.behave(&endpoint, Behaviour::Statuses(statuses.clone()));
            system.publish(None).await;
            system.settle().await;
            **sum.borrow_mut() = system.counted();
        });
        assert!(run.broken.is_empty(), "{:?}", run.broken);
        counted
    };
    let retried = counted(vec![500, 503, 200]);
    assert_eq!((retried.delivered, retried.failed), (1, 2));
    assert_eq!((retried.recovered, retried.first_try), (1, 0));
    let dead = counted(vec![500]);
    assert_eq!((dead.dead, dead.failed, dead.unrecovered), (1, 3, 1));
}
