//! When a breaker closes, what was held goes out paced and oldest first.

use std::time::Duration;

use hookpost_domain::Timestamp;
use hookpost_simulation::{Behaviour, Plan, play};
use serde_json::json;

const HELD: usize = 1_500;
/// What the sweeper lets go to one endpoint each second.
const PACE: usize = 20;

#[test]
fn what_a_breaker_held_goes_out_at_a_pace_and_oldest_first() {
    let run = play(Plan::default(), &async |system| {
        let fields = json!({ "breaker": { "failures": 3, "pause_seconds": 300 } });
        let endpoint = system.endpoint("ep_1", &fields);
        let up_again = system.now().after(Duration::from_secs(200));
        system.behave(&endpoint, Behaviour::DownUntil(up_again));
        for _ in 0..4 {
            system.publish(None).await;
            system.pass(2).await;
        }
        assert!(system.health(&endpoint).is_open());
        let event = json!({ "event_type": "order.created", "payload": {} });
        for _ in 0..HELD / 100 {
            let batch = json!({ "events": vec![event.clone(); 100] });
            system.publish_batch(&batch, None).await;
            system.pass(1).await;
        }
        system.settle().await;
        let requests = system.requests();
        let after = requests.iter().filter(|request| request.at > up_again);
        let after: Vec<_> = after.collect();
        assert!(after.len() > HELD);
        // Any second of it, and a message for the one that is probed with.
        for (nth, first) in after.iter().enumerate() {
            let end = first.at.after(Duration::from_secs(1));
            let within = after[nth..].iter().take_while(|one| one.at < end).count();
            assert!(
                within <= 2 * PACE + 1,
                "{within} in a second from {}",
                first.at
            );
        }
        // Any ten seconds of it.
        for (nth, first) in after.iter().enumerate() {
            let end = first.at.after(Duration::from_secs(10));
            let within = after[nth..].iter().take_while(|one| one.at < end).count();
            assert!(
                within <= 11 * PACE + 1,
                "{within} in 10 s from {}",
                first.at
            );
        }
        // Oldest first, but for what goes out within the same few seconds.
        let mut newest = Timestamp::default();
        for request in &after[1..] {
            let accepted = request.event.time();
            assert!(
                newest.since(accepted) <= Duration::from_secs(5),
                "{accepted} after {newest}"
            );
            newest = newest.max(accepted);
        }
    });
    assert!(run.broken.is_empty(), "{:?}", run.broken);
}
