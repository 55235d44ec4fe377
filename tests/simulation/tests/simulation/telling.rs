//! What Hookpost tells of itself is told whatever fails, and as one event however often it is tried.

use hookpost_simulation::{Behaviour, System, each_fault};
use serde_json::json;

fn told(system: &System, kind: &str) -> usize {
    let types = system.event_types();
    types.iter().filter(|name| *name == kind).count()
}

#[test]
fn an_endpoint_that_was_disabled_is_told_of() {
    each_fault("disabled", &async |system| {
        let asks = json!({ "event_types": ["hookpost.*"] });
        let asks = system.endpoint("ep_asks", &asks);
        let gone = system.endpoint("ep_gone", &json!({ "retry": { "delays": ["0s"] } }));
        system.behave(&gone, Behaviour::Statuses(vec![410]));
        assert!(system.publish(Some("key")).await.is_some());
        system.settle().await;
        // The sweeper comes by, and what it tells is delivered.
        system.pass(300).await;
        system.settle().await;
        // If it could not be disabled, its next delivery would hear the same.
        let expected = usize::from(system.is_disabled(&gone));
        assert_eq!(told(system, "hookpost.endpoint.disabled"), expected);
        let records = system.records();
        let of_news = records.iter().filter(|one| one.id.endpoint == asks);
        assert!(of_news.clone().all(|one| one.status_name() == "delivered"));
        assert!(of_news.count() >= expected);
    });
}

#[test]
fn a_breaker_that_was_told_to_be_open_is_told_to_be_closed() {
    each_fault("told breaker", &async |system| {
        system.endpoint("ep_asks", &json!({ "event_types": ["hookpost.breaker.*"] }));
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
        system.pass(300).await;
        system.settle().await;
        let opened = told(system, "hookpost.breaker.opened");
        assert_eq!(told(system, "hookpost.breaker.closed"), opened);
        assert_eq!(opened, 1);
    });
}
