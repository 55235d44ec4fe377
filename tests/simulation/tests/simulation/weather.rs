//! One request in twenty fails at random, for days.

use hookpost_domain::delivery::{Attempt, Delivery, Status};
use hookpost_simulation::{Plan, play};
use serde_json::json;

/// Events, one every two minutes and a half: three days.
const EVENTS: usize = 1728;

#[test]
fn with_one_request_in_twenty_failing_nearly_everything_is_delivered_within_three_attempts() {
    let plan = Plan {
        bad_weather: 0.05,
        seed: 3,
        ..Plan::default()
    };
    let run = play(plan, &async |system| {
        system.endpoint("ep_1", &json!({}));
        system.endpoint("ep_2", &json!({ "retry": "standard" }));
        for _ in 0..EVENTS {
            assert!(system.publish(None).await.is_some());
            system.pass(150).await;
        }
        system.settle().await;
        let records = system.records();
        assert_eq!(records.len(), 2 * EVENTS);
        let share = |of: usize, all: usize| {
            f64::from(u32::try_from(of).unwrap()) / f64::from(u32::try_from(all).unwrap())
        };
        let is_delivered = |record: &&Delivery| matches!(record.status, Status::Delivered { .. });
        let delivered = records.iter().filter(is_delivered).count();
        assert!(share(delivered, records.len()) >= 0.999, "{delivered}");
        let failed_first = |record: &&Delivery| {
            let first = record.log.first();
            first.is_some_and(|attempt: &Attempt| attempt.failure().is_some())
        };
        let failed: Vec<_> = records.iter().filter(failed_first).collect();
        let recovered = failed.iter().filter(|record| record.attempts <= 3).count();
        assert!(failed.len() > 100, "{}", failed.len());
        assert!(share(recovered, failed.len()) >= 0.95, "{recovered}");
    });
    assert!(run.broken.is_empty(), "{:?}", run.broken);
}
