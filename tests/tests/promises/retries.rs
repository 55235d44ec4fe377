//! A failed delivery is tried again when its schedule says, never earlier, no more often, and its
//! log of attempts is what the receiver saw.

use std::collections::BTreeSet;
use std::time::UNIX_EPOCH;

use futures::future::join_all;
use hookpost_tests::{Call, Received, Tenant, wait};
use serde_json::{Value, json};

use crate::wire::{Wire, register};

/// What a busy machine may add to a wait, beyond the rounding up to whole seconds.
const SLACK_MS: u64 = 10_000;

/// Milliseconds since 1970 of a time as the API shows it.
pub(crate) fn millis(time: &Value) -> u64 {
    let time = humantime::parse_rfc3339(time.as_str().unwrap()).unwrap();
    let since = time.duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// Between the requests, in milliseconds.
fn gaps(received: &[Received]) -> Vec<u64> {
    received
        .windows(2)
        .map(|pair| pair[1].at_ms - pair[0].at_ms)
        .collect()
}

/// Each gap lies within its bounds in seconds, but for what a busy machine adds.
#[track_caller]
fn assert_gaps(received: &[Received], bounds: &[(u64, u64)]) {
    let gaps = gaps(received);
    assert_eq!(gaps.len(), bounds.len(), "{gaps:?}");
    for (gap, (least, most)) in gaps.iter().zip(bounds) {
        let within = least * 1000..=most * 1000 + SLACK_MS;
        assert!(within.contains(gap), "{gaps:?} ms, not {bounds:?} s");
    }
}

#[tokio::test]
async fn a_list_of_delays_is_kept() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/fail")
        .with(
            "retry",
            json!({ "delays": ["0s", "1s", 2], "jitter": false }),
        )
        .create()
        .await;
    let event = tenant.publish("order.created", &json!({})).await;
    tenant.delivery_is(event.delivery(), "dead").await;
    assert_gaps(&endpoint.receives(3).await, &[(1, 1), (2, 2)]);
}

#[tokio::test]
async fn a_delay_before_the_first_attempt_is_kept() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/success")
        .with("retry", json!({ "delays": ["2s", "1s"], "jitter": false }))
        .create()
        .await;
    let began = wait::epoch_ms();
    let event = tenant.publish("order.created", &json!({})).await;
    tenant.delivery_is(event.delivery(), "delivered").await;
    let waited = endpoint.receives(1).await[0].at_ms - began;
    assert!((2000..3000 + SLACK_MS).contains(&waited), "{waited} ms");
}

#[tokio::test]
async fn backoff_grows_by_its_factor_up_to_its_cap() {
    let tenant = Tenant::new();
    let retry = json!({
        "initial_delay": 1, "multiplier": 3, "max_delay": 2, "max_attempts": 4, "jitter": 0,
    });
    let endpoint = tenant.endpoint("/fail").with("retry", retry).create().await;
    let event = tenant.publish("order.created", &json!({})).await;
    tenant.delivery_is(event.delivery(), "dead").await;
    assert_gaps(&endpoint.receives(4).await, &[(1, 1), (2, 2), (2, 2)]);
}

#[tokio::test]
async fn jitter_spreads_retries_within_its_bounds_and_none_is_early() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/flaky?fail=1")
        .with("retry", json!({ "delays": [0, 4], "jitter": 0.75 }))
        .with("breaker", json!({ "failures": 1000 }))
        .create()
        .await;
    let event = json!({ "event_type": "order.created", "payload": {} });
    let batch = json!({ "events": vec![event; 40] });
    let answer = tenant.post("/events/batch", &batch).await.expect(202);
    let results = answer["results"].as_array().unwrap();
    let waits = join_all(results.iter().map(|result| async {
        let event_id = result["id"].as_str().unwrap();
        let id = endpoint.delivery_of(event_id);
        let delivery = tenant
            .delivery_where(&id, "its first attempt", |delivery| {
                delivery["attempts"] != 0
            })
            .await;
        if delivery["status"] != "retrying" {
            // This machine was too busy to look in time.
            return None;
        }
        let first = &delivery["attempt_log"][0];
        let failed_at = millis(&first["at"]) + first["latency_ms"].as_u64().unwrap();
        Some((event_id, failed_at, millis(&delivery["next_attempt_at"])))
    }))
    .await;
    let received = endpoint.receives(80).await;
    let mut seconds = BTreeSet::new();
    for (event_id, failed_at, next) in waits.into_iter().flatten() {
        // From 1 to 7 s, rounded up.
        let wait = next - failed_at;
        assert!((1000..=7000).contains(&wait), "{wait} ms");
        seconds.insert(wait / 1000);
        let second = received
            .iter()
            .rfind(|request| request.header("webhook-id") == event_id);
        let second = second.unwrap().at_ms;
        assert!(second >= next, "{} ms early", next - second);
    }
    assert!(seconds.len() >= 4, "no spread: {seconds:?} s");
}

#[tokio::test]
async fn the_log_of_attempts_is_what_the_receiver_saw() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/flaky?fail=3")
        .with("retry", json!({ "delays": [0, 1, 1, 1], "jitter": false }))
        .create()
        .await;
    let accepted_from = wait::epoch_ms();
    let event = tenant.publish("order.created", &json!({ "n": 1 })).await;
    let kept = tenant
        .delivery_where(event.delivery(), "its second attempt", |delivery| {
            delivery["attempts"] == 2
        })
        .await;
    let next = millis(&kept["next_attempt_at"]);
    let delivery = tenant.delivery_is(event.delivery(), "delivered").await;
    let received = endpoint.receives(4).await;
    assert!(
        received[2].at_ms >= next,
        "{} before {next}",
        received[2].at_ms
    );

    let log = delivery["attempt_log"].as_array().unwrap();
    assert_eq!((log.len(), &delivery["attempts"]), (4, &json!(4)));
    for (index, (attempt, request)) in log.iter().zip(&received).enumerate() {
        assert_eq!(attempt["number"], index + 1, "{attempt:#}");
        assert_eq!(attempt["cycle"], 0, "{attempt:#}");
        assert_eq!(attempt["status_code"], json!(request.status), "{attempt:#}");
        let (at, latency) = (
            millis(&attempt["at"]),
            attempt["latency_ms"].as_u64().unwrap(),
        );
        let span = at..=at + latency + 1;
        assert!(
            span.contains(&request.at_ms),
            "{} not in {span:?}",
            request.at_ms
        );
        assert!(at >= accepted_from);
        assert_eq!(request.header("webhook-timestamp"), (at / 1000).to_string());
        assert_eq!(request.header("webhook-id"), event.id);
        assert_eq!(request.signature, "verified");
        assert_eq!(request.body, received[0].body);
        if index < 3 {
            let error = json!({ "kind": "http_500", "detail": "Internal Server Error" });
            assert_eq!(attempt["error"], error);
            assert_eq!(attempt["response"], format!("failure {} of 3", index + 1));
        } else {
            assert_eq!(
                (&attempt["error"], &attempt["response"]),
                (&Value::Null, &Value::Null)
            );
        }
    }
    assert_eq!(delivery["last_attempt_at"], log[3]["at"]);
    assert_eq!(delivery["next_attempt_at"], Value::Null);
    assert!(millis(&delivery["ended_at"]) >= millis(&log[3]["at"]));
}

/// The two requests of a delivery that is refused once, with this `Retry-After`, and would be
/// tried again after a second.
async fn refused_once(query: &str) -> Vec<Received> {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint(&format!("/throttle?{query}"))
        .with("retry", json!({ "delays": [0, 1], "jitter": false }))
        .create()
        .await;
    let event = tenant.publish("order.created", &json!({})).await;
    tenant.delivery_is(event.delivery(), "delivered").await;
    endpoint.receives(2).await
}

#[tokio::test]
async fn retry_after_is_honoured_in_seconds_and_as_a_date() {
    let seconds = async { assert_gaps(&refused_once("after=3").await, &[(3, 3)]) };
    let date = async {
        let received = refused_once("after=date&in=4").await;
        // The header's date has whole seconds.
        let date_ms = (received[0].at_ms + 4000) / 1000 * 1000;
        let late = received[1].at_ms.checked_sub(date_ms).expect("early");
        assert!(late < 1000 + SLACK_MS, "{late} ms late");
    };
    let shorter = async { assert_gaps(&refused_once("after=0").await, &[(1, 1)]) };
    let past = async {
        let received = refused_once("after=Wed,+21+Oct+2015+07:28:00+GMT").await;
        assert_gaps(&received, &[(1, 1)]);
    };
    let nonsense = async { assert_gaps(&refused_once("after=soon").await, &[(1, 1)]) };
    let negative = async { assert_gaps(&refused_once("after=-5").await, &[(1, 1)]) };
    futures::join!(seconds, date, shorter, past, nonsense, negative);
}

#[tokio::test]
async fn retry_after_counts_on_any_failure_and_for_a_day_at_most() {
    let tenant = Tenant::new();
    let waits = [
        ("503?after=3600", 3600),
        ("400?after=120", 120),
        ("500?after=9999999", 86_400),
    ];
    let endpoints = join_all(waits.map(|(status, _)| {
        let endpoint = tenant
            .endpoint(&format!("/status/{status}"))
            .with("retry", json!({ "delays": [0, 1] }));
        endpoint.create()
    }))
    .await;
    let event = tenant.publish("order.created", &json!({})).await;
    for (endpoint, (_, seconds)) in endpoints.iter().zip(waits) {
        let id = endpoint.delivery_of(&event.id);
        let delivery = tenant
            .delivery_where(&id, "its first attempt", |delivery| {
                delivery["attempts"] == 1
            })
            .await;
        let first = &delivery["attempt_log"][0];
        let asked_at = millis(&first["at"]) + first["latency_ms"].as_u64().unwrap();
        let wait = millis(&delivery["next_attempt_at"]) - asked_at;
        let expected = seconds * 1000..=seconds * 1000 + SLACK_MS;
        assert!(expected.contains(&wait), "{wait} ms: {delivery:#}");
    }
}

#[tokio::test]
async fn attempts_are_bounded_by_each_endpoints_own_policy() {
    let tenant = Tenant::new();
    let policies = [
        (json!({ "max_attempts": 1 }), 1),
        (json!({ "max_attempts": 2 }), 2),
        (json!({ "preset": "capped", "max_attempts": 3 }), 3),
        (json!({ "delays": [0, 1, 1] }), 3),
    ];
    let mut endpoints = Vec::new();
    for (retry, attempts) in policies {
        let endpoint = tenant.endpoint("/fail").with("retry", retry).create().await;
        endpoints.push((endpoint, attempts));
    }
    let seeds = tenant
        .endpoint("/fail")
        .with("max_retries", json!(2))
        .create()
        .await;
    endpoints.push((seeds, 2));
    let event = tenant.publish("order.created", &json!({})).await;
    for (endpoint, attempts) in &endpoints {
        let id = endpoint.delivery_of(&event.id);
        let delivery = tenant.delivery_is(&id, "dead").await;
        assert_eq!(delivery["attempts"], *attempts, "{delivery:#}");
        assert_eq!(delivery["reason"], "attempts_exhausted");
    }
    // Whatever would still go out to them has had the time that the longest of them took.
    for (endpoint, attempts) in &endpoints {
        assert_eq!(endpoint.received().await.len(), *attempts);
    }
}

#[tokio::test]
async fn presets_are_accepted_and_shown_as_what_they_mean() {
    let tenant = Tenant::new();
    let exponential = |first: u32, max: u32, jitter: Value| {
        json!({
            "initial_delay": f64::from(first), "multiplier": 2.0, "max_delay": f64::from(max),
            "max_attempts": 5, "jitter": jitter,
        })
    };
    let standard = [
        0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400,
    ];
    let presets = [
        ("quick", exponential(1, 300, json!(0.25))),
        (
            "standard",
            json!({ "delays": standard.map(f64::from), "max_attempts": 10, "jitter": 0.2 }),
        ),
        ("minutes", exponential(60, 480, json!(0.25))),
        ("capped", exponential(1, 60, json!(0.1))),
        (
            "doubling",
            exponential(2, 16, json!({ "added_seconds": 1.0 })),
        ),
    ];
    for (name, meaning) in presets {
        for retry in [json!(name), json!({ "preset": name })] {
            let endpoint = tenant
                .endpoint("/success")
                .with("retry", retry)
                .create()
                .await;
            assert_eq!(endpoint.shown().await["retry"], meaning, "{name}");
        }
    }
    let unnamed = tenant.endpoint("/success").create().await;
    assert_eq!(
        unnamed.shown().await["retry"],
        exponential(1, 300, json!(0.25))
    );
}

#[tokio::test]
async fn a_deployment_sets_its_own_schedule() {
    let wire = Wire::shared();
    let tenant = Tenant::on(&wire.system);
    let id = register(&tenant, &wire.plain.url("/close/policy"), &json!({})).await;
    let shown = tenant.get(&format!("/endpoints/{id}")).await.expect(200);
    // RetryPreset=doubling and RetryMaxAttempts=2.
    assert_eq!(shown["retry"]["initial_delay"], 2.0, "{shown:#}");
    assert_eq!(shown["retry"]["max_attempts"], 2, "{shown:#}");
    let event = tenant.publish("order.created", &json!({})).await;
    let once = tenant
        .delivery_where(event.delivery(), "its first attempt", |delivery| {
            delivery["attempts"] == 1
        })
        .await;
    let wait = millis(&once["next_attempt_at"]) - millis(&once["attempt_log"][0]["at"]);
    assert!((2000..=4000 + SLACK_MS).contains(&wait), "{wait} ms");
}

#[tokio::test]
async fn a_changed_policy_counts_from_the_next_attempt_on() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/fail")
        .with(
            "retry",
            json!({ "delays": [0, 3, 1, 1, 1, 1], "jitter": false }),
        )
        .create()
        .await;
    let event = tenant.publish("order.created", &json!({})).await;
    endpoint.receives(1).await;
    endpoint
        .change(&json!({ "retry": { "max_attempts": 2 } }))
        .await;
    let delivery = tenant.delivery_is(event.delivery(), "dead").await;
    assert_eq!(delivery["attempts"], 2, "{delivery:#}");
    let gone = tenant
        .call(Call::new(
            "GET",
            format!("/api/v1/deliveries/{}", event.delivery()),
        ))
        .await;
    assert_eq!(gone.expect(200)["attempt_log"].as_array().unwrap().len(), 2);
}
