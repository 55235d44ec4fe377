//! An endpoint that is down costs one probe at a time: its breaker opens on failures in a row,
//! holds what comes, lets exactly one request through when it is time, and closes on a success.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use hookpost_tests::{Endpoint, Received, Tenant, wait};
use serde_json::{Value, json};

/// How long a delivery function may act on what it read of an endpoint.
const CACHES: Duration = Duration::from_secs(2);

/// An endpoint at a switch, with a breaker that opens after three failures for so long.
async fn endpoint<'a>(tenant: &'a Tenant<'a>, pause_seconds: u32) -> Endpoint<'a> {
    let endpoint = tenant
        .endpoint("/switch")
        .with(
            "retry",
            json!({ "initial_delay": 1, "max_delay": 1, "max_attempts": 30, "jitter": 0 }),
        )
        .with(
            "breaker",
            json!({ "failures": 3, "pause_seconds": pause_seconds }),
        )
        .create()
        .await;
    endpoint.switch(503).await;
    endpoint
}

fn state(health: &Value) -> &str {
    health["breaker"]["state"].as_str().unwrap()
}

async fn health_where(
    endpoint: &Endpoint<'_>,
    what: &str,
    holds: impl Fn(&Value) -> bool,
) -> Value {
    wait::until(what, || async {
        let health = endpoint.health().await;
        if holds(&health) {
            Ok(health)
        } else {
            Err(format!("{health:#}"))
        }
    })
    .await
}

async fn opened(endpoint: &Endpoint<'_>) -> Value {
    health_where(endpoint, "an open breaker", |health| {
        state(health) == "open"
    })
    .await
}

/// Posts so many events; their ids in order.
async fn publish(tenant: &Tenant<'_>, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for first in (0..count).step_by(50) {
        let event = |n| json!({ "event_type": "order.created", "payload": { "n": n } });
        let events: Vec<_> = (first..count.min(first + 50)).map(event).collect();
        let answer = tenant
            .post("/events/batch", &json!({ "events": events }))
            .await
            .expect(202);
        let results = answer["results"].as_array().unwrap();
        ids.extend(
            results
                .iter()
                .map(|result| result["id"].as_str().unwrap().to_owned()),
        );
    }
    ids
}

async fn all_held(tenant: &Tenant<'_>, endpoint: &Endpoint<'_>, ids: &[String]) {
    join_all(ids.iter().map(|id| async {
        let delivery = tenant.delivery_is(&endpoint.delivery_of(id), "held").await;
        assert_eq!(delivery["reason"], "breaker_open", "{delivery:#}");
    }))
    .await;
}

fn ids_of(received: &[Received]) -> BTreeSet<&str> {
    received
        .iter()
        .map(|request| request.header("webhook-id"))
        .collect()
}

#[tokio::test]
async fn it_opens_on_failures_in_a_row_and_probes_with_one_request_at_a_time() {
    let tenant = Tenant::new();
    let endpoint = endpoint(&tenant, 3).await;
    let health = endpoint.health().await;
    assert_eq!(
        (state(&health), &health["consecutive_failures"]),
        ("closed", &json!(0))
    );

    let opener = tenant.publish("order.created", &json!({})).await;
    let health = opened(&endpoint).await;
    assert_eq!(health["breaker"]["pause_seconds"], 3, "{health:#}");
    // Until then another instance may act on what it read before.
    tokio::time::sleep(CACHES).await;
    let before = endpoint.received().await.len();
    assert_eq!(health["consecutive_failures"], before, "{health:#}");
    assert!(
        (3..=4).contains(&before),
        "{before} failures in a streak older than 2 s"
    );

    // Many come, through many instances, before, while and after it is time to probe.
    let waiting = publish(&tenant, 150).await;
    all_held(&tenant, &endpoint, &waiting).await;
    let failed = health_where(&endpoint, "a failed probe", |health| {
        health["breaker"]["pause_seconds"] != 3
    })
    .await;
    let more = publish(&tenant, 50).await;
    all_held(&tenant, &endpoint, &more).await;
    assert_ne!(state(&failed), "closed", "{failed:#}");

    endpoint.switch(200).await;
    let delivered = tenant.delivery_is(opener.delivery(), "delivered").await;
    let health = health_where(&endpoint, "a closed breaker", |health| {
        state(health) == "closed"
    })
    .await;
    assert_eq!(health["consecutive_failures"], 0, "{health:#}");
    assert_eq!(health["failing_since"], Value::Null, "{health:#}");

    // What was held follows by itself: the sweeper lets it go.
    for id in waiting.iter().chain(&more) {
        let delivery = tenant
            .delivery_is(&endpoint.delivery_of(id), "delivered")
            .await;
        assert_eq!(delivery["attempts"], 1, "{delivery:#}");
    }
    // The one that opened it was the probe each time, after twice the pause each time, and nothing
    // else went out until it was accepted.
    let attempts = usize::try_from(delivered["attempts"].as_u64().unwrap()).unwrap();
    let received = endpoint.receives(attempts + 200).await;
    assert_eq!(ids_of(&received[..attempts]), [opener.id.as_str()].into());
    assert_eq!(ids_of(&received[attempts..]).len(), 200);
    let probing = received[before - 1..attempts].windows(2);
    let pauses: Vec<_> = probing.map(|pair| pair[1].at_ms - pair[0].at_ms).collect();
    assert!(pauses.len() >= 2, "{pauses:?}");
    for (pause, least) in pauses.iter().zip([3000, 6000, 12_000, 24_000]) {
        let within = least..least + 10_000;
        assert!(within.contains(pause), "{pauses:?} ms");
    }
}

#[tokio::test]
async fn what_was_held_goes_out_oldest_first_and_paced() {
    const CALL: usize = 5;
    let tenant = Tenant::new();
    let endpoint = endpoint(&tenant, 2).await;
    let opener = tenant.publish("order.created", &json!({})).await;
    opened(&endpoint).await;
    // Until then another instance may act on what it read before.
    tokio::time::sleep(CACHES).await;
    // An event's time is in whole milliseconds: only those of different calls have an order.
    let mut ids = Vec::new();
    for _ in 0..100 / CALL {
        ids.extend(publish(&tenant, CALL).await);
    }
    all_held(&tenant, &endpoint, &ids).await;
    endpoint.switch(200).await;
    let received = wait::until("all of them", || async {
        let received = endpoint.received().await;
        let arrived = ids_of(&received).len();
        if arrived == 101 {
            Ok(received)
        } else {
            Err(format!("{arrived} so far"))
        }
    })
    .await;
    let held: Vec<_> = received
        .iter()
        .filter(|r| ids.contains(&r.header("webhook-id").to_owned()))
        .collect();
    assert_eq!(held.len(), 100, "one was sent twice");
    let probe = received
        .iter()
        .rfind(|request| request.header("webhook-id") == opener.id)
        .unwrap();
    for (n, request) in held.iter().enumerate() {
        let id = request.header("webhook-id");
        let place = ids.iter().position(|other| other == id).unwrap();
        // 20 a second from the success on, at the earliest.
        let paced = probe.at_ms + (place / CALL * CALL) as u64 * 50;
        assert!(request.at_ms >= paced, "number {place} came too early");
        // Those of one second may overtake each other, as in any queue.
        assert!(place.abs_diff(n) <= 60, "number {place} came as number {n}");
    }
}

#[tokio::test]
async fn a_success_in_between_starts_the_count_again() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/flaky?fail=2")
        .with("retry", json!({ "delays": [0, 1, 1], "jitter": false }))
        .with("breaker", json!({ "failures": 3, "pause_seconds": 60 }))
        .create()
        .await;
    for _ in 0..3 {
        let event = tenant.publish("order.created", &json!({})).await;
        tenant.delivery_is(event.delivery(), "delivered").await;
        let health = endpoint.health().await;
        assert_eq!(
            (state(&health), &health["consecutive_failures"]),
            ("closed", &json!(0))
        );
    }
    endpoint.receives(9).await;
}

#[tokio::test]
async fn a_burst_of_failures_younger_than_the_caches_does_not_open_it() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/switch")
        .with("retry", json!({ "delays": [0, 5], "jitter": false }))
        .with("breaker", json!({ "failures": 3, "pause_seconds": 60 }))
        .create()
        .await;
    endpoint.switch(503).await;
    publish(&tenant, 10).await;
    let health = health_where(&endpoint, "ten failures", |health| {
        health["consecutive_failures"] == 10
    })
    .await;
    assert_eq!(state(&health), "closed", "{health:#}");
    endpoint.switch(200).await;
    let received = endpoint.receives(20).await;
    assert_eq!(ids_of(&received).len(), 10);
    let health = endpoint.health().await;
    assert_eq!(
        (state(&health), &health["consecutive_failures"]),
        ("closed", &json!(0))
    );
}

#[tokio::test]
async fn a_probe_that_dies_of_it_is_replaced_by_one_that_was_held() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/switch")
        .with("retry", json!({ "delays": [0, 1, 1, 1], "jitter": false }))
        .with("breaker", json!({ "failures": 3, "pause_seconds": 2 }))
        .create()
        .await;
    endpoint.switch(503).await;
    let opener = tenant.publish("order.created", &json!({})).await;
    opened(&endpoint).await;
    tokio::time::sleep(CACHES).await;
    let ids = publish(&tenant, 20).await;
    // Its third or fourth attempt opened it. If there is one left, it is the probe, and the last.
    tenant.delivery_is(opener.delivery(), "dead").await;
    let health = endpoint.health().await;
    assert_ne!(state(&health), "closed", "{health:#}");
    endpoint.switch(200).await;
    let mut failed = 0;
    for id in &ids {
        let delivery = tenant
            .delivery_is(&endpoint.delivery_of(id), "delivered")
            .await;
        failed += delivery["attempts"].as_u64().unwrap() - 1;
    }
    assert!(
        failed <= 2,
        "{failed} of those that were held failed as a probe"
    );
    let received = endpoint.received().await;
    let late = received
        .iter()
        .filter(|r| r.header("webhook-id") != opener.id)
        .count();
    assert_eq!(late as u64, ids.len() as u64 + failed);
    assert_eq!(state(&endpoint.health().await), "closed");
}

#[tokio::test]
async fn an_open_breaker_is_shown_half_open_while_its_probe_is_under_way() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/slow?ms=1200")
        .with("timeout_seconds", json!(1))
        .with(
            "retry",
            json!({ "delays": [0, 1, 1, 1, 1, 1, 1], "jitter": false }),
        )
        .with("breaker", json!({ "failures": 2, "pause_seconds": 2 }))
        .create()
        .await;
    tenant.publish("order.created", &json!({})).await;
    let open = opened(&endpoint).await;
    assert!(open["breaker"]["next_probe_at"].is_string(), "{open:#}");
    health_where(&endpoint, "a half-open breaker", |health| {
        state(health) == "half_open"
    })
    .await;
    let again = opened(&endpoint).await;
    assert_eq!(
        again["breaker"]["opened_at"], open["breaker"]["opened_at"],
        "{again:#}"
    );
    assert_eq!(again["breaker"]["pause_seconds"], 4, "{again:#}");
}

#[tokio::test]
async fn two_endpoints_have_two_breakers() {
    let tenant = Tenant::new();
    let down = endpoint(&tenant, 60).await;
    let well = tenant.endpoint("/success").create().await;
    tenant.publish("order.created", &json!({})).await;
    opened(&down).await;
    let ids = publish(&tenant, 20).await;
    all_held(&tenant, &down, &ids).await;
    well.receives(21).await;
    assert_eq!(state(&well.health().await), "closed");
    let shown = down.shown().await;
    assert_eq!(
        shown["breaker"],
        json!({ "failures": 3, "pause_seconds": 60 })
    );
    assert_eq!(shown["state"], "active");
}
