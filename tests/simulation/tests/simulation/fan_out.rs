//! An event for more endpoints than ingest sends to by itself.

use std::collections::BTreeMap;

use hookpost_domain::delivery::Status;
use hookpost_simulation::{System, faults_at};
use serde_json::json;

const ENDPOINTS: usize = 130;

#[test]
fn an_event_for_many_reaches_each_whatever_fails() {
    // The calls that fan it out come first; after them, all deliveries are alike.
    let matters = |nth| nth < 24 || nth % 61 == 0;
    let scenario = async |system: &System| {
        for nth in 0..ENDPOINTS {
            system.endpoint(&format!("ep_{nth}"), &json!({}));
        }
        assert!(system.publish(Some("key")).await.is_some());
        system.settle().await;
        let records = system.records();
        assert_eq!(records.len(), ENDPOINTS);
        let is_delivered = |status| matches!(status, Status::Delivered { .. });
        assert!(records.iter().all(|record| is_delivered(record.status)));
        let mut seen = BTreeMap::<_, usize>::new();
        for request in system.requests() {
            *seen.entry(request.endpoint).or_default() += 1;
        }
        assert_eq!(seen.len(), ENDPOINTS);
    };
    faults_at("fan-out of many", &scenario, matters);
}
