//! Many faults at once, from seeds. `HOOKPOST_SEED=7` plays that one again, `HOOKPOST_SEEDS=5000`
//! so many.

use std::time::Duration;

use hookpost_domain::endpoint::EndpointState;
use hookpost_domain::signature::Secret;
use hookpost_simulation::{Behaviour, System, seeded};
use serde_json::json;

/// Seeds in a usual run.
const SEEDS: u64 = 40;

#[expect(
    clippy::disallowed_methods,
    reason = "whoever runs the tests says how many seeds"
)]
pub(crate) fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn nothing_is_lost_or_doubled_under_many_faults_at_once() {
    let seeds = match asked("HOOKPOST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..asked("HOOKPOST_SEEDS").unwrap_or(SEEDS),
    };
    let mut broken = Vec::new();
    for seed in seeds {
        // From one call in two hundred to one in twenty.
        let chance = 0.005 * f64::from(u32::try_from(1 + seed % 10).unwrap());
        let run = seeded(seed, chance, &async |system| live(system, seed).await);
        if !run.broken.is_empty() {
            let faults = run.happened.len();
            let told = run.broken.join("; ");
            broken.push(format!("HOOKPOST_SEED={seed} ({faults} faults): {told}"));
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// Half an hour of everything.
async fn live(system: &System, seed: u64) {
    let mut dice = fastrand::Rng::with_seed(seed);
    let quick = json!({
        "retry": { "delays": ["0s", "1s", "2s", "5s", "20s", "60s"] },
        "breaker": { "failures": 3, "pause_seconds": 30 },
    });
    let slow = json!({ "retry": { "delays": ["0s", "10s", "20m", "1h"] } });
    let limited = json!({ "rate_limit_per_second": 1 });
    let mut narrow = quick.clone();
    narrow["max_in_flight"] = json!(2);
    let endpoints = [
        system.endpoint("ep_1", &json!({})),
        system.endpoint("ep_2", &quick),
        system.endpoint("ep_3", &slow),
        system.endpoint("ep_4", &limited),
        system.endpoint("ep_5", &narrow),
    ];
    for step in 0..40_u64 {
        let endpoint = dice.choice(&endpoints).unwrap();
        match dice.u32(0..20) {
            0..=8 => {
                system.publish(Some(&format!("key {step}"))).await;
            }
            9 => {
                let event = json!({ "event_type": "order.created", "payload": {} });
                let bad = json!({ "event_type": "no good", "payload": {} });
                let batch = json!({ "events": [event, bad, event, event] });
                system
                    .publish_batch(&batch, Some(&format!("batch {step}")))
                    .await;
            }
            10 | 11 => {
                let statuses = (0..30).map(|_| *dice.choice(&[200, 500, 503, 429]).unwrap());
                system.behave(endpoint, Behaviour::Statuses(statuses.collect()));
            }
            12 => {
                let seconds = Duration::from_secs(dice.u64(1..14));
                system.behave(endpoint, Behaviour::After(seconds));
            }
            13 => {
                let end = system.now().after(Duration::from_secs(dice.u64(10..600)));
                system.behave(endpoint, Behaviour::DownUntil(end));
            }
            14 => system.replay(json!({ "filter": { "all": true } })).await,
            15 => system.redrive().await,
            16 => system.rotate(endpoint, Secret::generate([dice.u8(..); 32]), 60),
            17 => system.set_state(endpoint, EndpointState::Paused),
            18 => system.set_state(endpoint, EndpointState::Active),
            _ if dice.bool() => system.purge(),
            _ => system.delete_endpoint(&endpoints[4]),
        }
        system.pass(dice.u64(0..60)).await;
    }
    for endpoint in &endpoints {
        system.set_state(endpoint, EndpointState::Active);
        system.behave(endpoint, Behaviour::Statuses(vec![200]));
    }
}
