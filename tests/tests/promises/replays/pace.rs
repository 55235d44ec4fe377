//! Replays keep to their rate, however many dead letters there are.

use hookpost_tests::{Accepted, Received, Tenant, wait};
use serde_json::{Value, json};

use super::{dying, order, replay};

/// Publishes so many events, in batches of a hundred.
async fn publish_many(tenant: &Tenant<'_>, count: usize) -> Vec<Accepted> {
    let mut accepted = Vec::new();
    let events: Vec<Value> = (0..count)
        .map(|nth| json!({ "event_type": "order.created", "payload": nth }))
        .collect();
    for events in events.chunks(100) {
        let answer = tenant
            .post("/events/batch", &json!({ "events": events }))
            .await;
        assert!(answer.status < 300, "{}", answer.text());
        let results = &answer.json()["results"];
        accepted.extend(results.as_array().unwrap().iter().map(Accepted::read));
    }
    accepted
}

/// Waits until so many dead letters are listed.
async fn dead_letters(tenant: &Tenant<'_>, count: usize) {
    wait::until(&format!("{count} dead letters"), || async {
        let mut found = 0;
        let mut after = String::new();
        loop {
            let path = format!("/dead-letters?limit=200{after}");
            let page = tenant.get(&path).await.expect(200);
            found += page["data"].as_array().unwrap().len();
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None if found == count => return Ok(()),
                None => return Err(format!("{found} so far")),
            }
        }
    })
    .await;
}

/// When each request was accepted, in milliseconds after `since`, in order.
fn arrivals(received: &[Received], since: u64) -> Vec<u64> {
    let accepted = received.iter().filter(|r| r.status == Some(200));
    let mut arrivals: Vec<u64> = accepted.map(|r| r.at_ms - since).collect();
    arrivals.sort_unstable();
    arrivals
}

/// None came earlier than so many a second allow.
fn keeps_to(per_second: u64, arrivals: &[u64]) {
    for (nth, arrival) in (0u64..).zip(arrivals) {
        assert!(*arrival + 100 >= nth * 1000 / per_second, "{arrivals:?}");
    }
}

#[tokio::test]
async fn a_replay_keeps_to_its_rate() {
    let tenant = Tenant::new();
    let endpoint = dying(&tenant, "/switch").create().await;
    endpoint.switch(503).await;
    publish_many(&tenant, 16).await;
    dead_letters(&tenant, 16).await;
    endpoint.switch(200).await;
    let ordered_at = wait::epoch_ms();
    let paced = json!({ "filter": { "all": true }, "rate_per_second": 4 });
    assert_eq!(replay(&tenant, &paced).await["replayed"], 16);

    let arrived = arrivals(&endpoint.receives(32).await, ordered_at);
    assert_eq!(arrived.len(), 16);
    keeps_to(4, &arrived);
    dead_letters(&tenant, 0).await;
}

#[tokio::test]
async fn a_large_replay_is_carried_out_whole() {
    let tenant = Tenant::new();
    let endpoint = dying(&tenant, "/switch").create().await;
    endpoint.switch(503).await;
    let events = publish_many(&tenant, 150).await;
    dead_letters(&tenant, 150).await;
    endpoint.switch(200).await;
    let counted = json!({ "filter": { "all": true }, "dry_run": true });
    assert_eq!(replay(&tenant, &counted).await["matched"], 150);

    let quick = json!({ "filter": { "endpoint_id": endpoint.id }, "rate_per_second": 10000 });
    let job = replay(&tenant, &quick).await;
    assert_eq!(
        (&job["matched"], &job["replayed"]),
        (&json!(150), &json!(150))
    );
    assert_eq!(job["rate_per_second"], 10000);
    assert!(job["finished_at"].is_string(), "{job:#}");
    let mut received = endpoint.receives(300).await;
    received.retain(|request| request.status == Some(200));
    let mut ids: Vec<&str> = received.iter().map(|r| r.header("webhook-id")).collect();
    ids.sort_unstable();
    let mut expected: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
    expected.sort_unstable();
    assert_eq!(ids, expected, "each exactly once");
    dead_letters(&tenant, 0).await;
}

#[tokio::test]
async fn a_slow_replay_goes_on_by_itself_and_tells_how_far_it_is() {
    let tenant = Tenant::new();
    let endpoint = dying(&tenant, "/switch").create().await;
    endpoint.switch(503).await;
    publish_many(&tenant, 150).await;
    dead_letters(&tenant, 150).await;
    endpoint.switch(200).await;
    let slow = json!({ "filter": { "all": true }, "rate_per_second": 1 });
    let ordered_at = wait::epoch_ms();
    let job = order(&tenant, &slow).await;
    assert_eq!(job["status"], "running", "two minutes and a half at least");
    assert_eq!(job["finished_at"], Value::Null);
    let path = format!("/replays/{}", job["id"].as_str().unwrap());
    let replayed = |job: &Value| job["replayed"].as_u64().unwrap();
    let begun = replayed(&job);
    assert!(begun < 150, "{job:#}");
    wait::until("the schedule goes on with it", || async {
        let job = tenant.get(&path).await.expect(200);
        if replayed(&job) > begun && job["status"] == "running" {
            Ok(())
        } else {
            Err(format!("{job:#}"))
        }
    })
    .await;
    wait::until("three have arrived", || async {
        match arrivals(&endpoint.received().await, ordered_at) {
            arrived if arrived.len() >= 3 => Ok(()),
            arrived => Err(format!("{arrived:?}")),
        }
    })
    .await;
    keeps_to(1, &arrivals(&endpoint.received().await, ordered_at));

    // Nobody else sees it.
    Tenant::new().get(&path).await.problem(404);
    tenant.get("/replays/rpl_unknown").await.problem(404);
}
