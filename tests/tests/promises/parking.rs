//! What waits long leaves the queue for the table, and comes out again when it is due: not before,
//! and once.

use std::collections::BTreeMap;

use futures::future::join_all;
use hookpost_tests::{Received, Tenant, wait};
use serde_json::{Value, json};

use crate::wire::{SWEEPS, Wire};

/// Messages of the delivery queue, in whatever state.
async fn messages(tenant: &Tenant<'_>) -> u64 {
    let names = ["", "NotVisible", "Delayed"];
    let counts = names.map(|name| async move {
        let name = format!("ApproximateNumberOfMessages{name}");
        let count = tenant.queue_attribute("DeliveryQueue", &name).await;
        count.parse::<u64>().unwrap()
    });
    join_all(counts).await.into_iter().sum()
}

fn by_id(received: &[Received]) -> BTreeMap<String, Vec<u64>> {
    let mut times = BTreeMap::<_, Vec<_>>::new();
    for request in received {
        let id = request.header("webhook-id").to_owned();
        times.entry(id).or_default().push(request.at_ms);
    }
    times
}

#[tokio::test]
async fn a_long_wait_is_spent_in_the_table_and_ended_by_the_sweeper() {
    let tenant = Tenant::on(&Wire::shared().system);
    let endpoint = tenant
        .endpoint("/flaky?fail=1")
        .with("retry", json!({ "delays": [0, 3], "jitter": false }))
        .create()
        .await;
    // Waits that are short enough for the queue, and together longer than the one that is not.
    let fence = tenant
        .endpoint("/flaky?fail=3")
        .event_types(&["fence.*"])
        .with("retry", json!({ "delays": [1, 1, 1, 1], "jitter": false }))
        .create()
        .await;
    let alone = SWEEPS.write().await;
    let event = tenant.publish("order.created", &json!({ "n": 1 })).await;
    let parked = tenant.delivery_is(event.delivery(), "parked").await;
    assert_eq!(parked["attempts"], 1);
    assert!(!parked["next_attempt_at"].is_null(), "{parked:#}");

    // Without the sweeper nothing moves, however long it has been due.
    let late = tenant.publish("fence.set", &json!({})).await;
    tenant
        .delivery_is(&fence.delivery_of(&late.id), "delivered")
        .await;
    assert_eq!(tenant.delivery(event.delivery()).await["status"], "parked");
    assert_eq!(by_id(&endpoint.received().await)[&event.id].len(), 1);

    tenant.sweep().await;
    drop(alone);
    let delivered = tenant.delivery_is(event.delivery(), "delivered").await;
    assert_eq!(delivered["attempts"], 2, "{delivered:#}");
    let received = endpoint.received().await;
    let mine: Vec<_> = received
        .iter()
        .filter(|request| request.header("webhook-id") == event.id)
        .collect();
    assert_eq!(mine.len(), 2);
    // The payload that went with the first message comes from the event this time.
    assert_eq!(mine[1].body, mine[0].body);
    assert_eq!(mine[1].signature, "verified");
}

#[tokio::test]
async fn a_sweep_before_the_time_does_not_make_it_early() {
    let tenant = Tenant::on(&Wire::shared().system);
    let endpoint = tenant
        .endpoint("/flaky?fail=1")
        .with("retry", json!({ "delays": [0, 3], "jitter": false }))
        .create()
        .await;
    let event = tenant.publish("order.created", &json!({})).await;
    tenant
        .delivery_where(event.delivery(), "its first attempt", |delivery| {
            delivery["attempts"] == 1
        })
        .await;
    // The sweeper looks a minute ahead, so that what it releases goes out on time.
    wait::until("its release", || async {
        let _sweeping = SWEEPS.read().await;
        tenant.sweep().await;
        let delivery = tenant.delivery(event.delivery()).await;
        if delivery["status"] == "parked" {
            Err(format!("{delivery:#}"))
        } else {
            Ok(())
        }
    })
    .await;
    tenant.delivery_is(event.delivery(), "delivered").await;
    let received = endpoint.receives(2).await;
    let gap = received[1].at_ms - received[0].at_ms;
    assert!(gap >= 3000, "{gap} ms");
}

#[tokio::test]
async fn nothing_that_is_parked_is_lost_or_doubled_however_many_sweep() {
    const EVENTS: usize = 100;
    let tenant = Tenant::on(&Wire::shared().system);
    let endpoint = tenant
        .endpoint("/flaky?fail=2")
        .with("retry", json!({ "delays": [0, 2, 3], "jitter": false }))
        .with("breaker", json!({ "failures": 1000 }))
        .create()
        .await;
    let mut ids = Vec::new();
    for chunk in (0..EVENTS).collect::<Vec<_>>().chunks(50) {
        let event = |n: &usize| json!({ "event_type": "order.created", "payload": { "n": n } });
        let batch = json!({ "events": chunk.iter().map(event).collect::<Vec<_>>() });
        let answer = tenant.post("/events/batch", &batch).await.expect(202);
        let results = answer["results"].as_array().unwrap();
        ids.extend(
            results
                .iter()
                .map(|result| result["id"].as_str().unwrap().to_owned()),
        );
    }
    let swept = wait::within(2 * wait::DEADLINE, "all attempts", || async {
        let _sweeping = SWEEPS.read().await;
        join_all((0..4).map(|_| tenant.sweep())).await;
        let received = endpoint.received().await.len();
        if received >= EVENTS * 3 {
            Ok(())
        } else {
            Err(format!("{received} requests"))
        }
    });
    swept.await;
    let deliveries = join_all(ids.iter().map(|id| {
        let id = endpoint.delivery_of(id);
        let tenant = &tenant;
        async move { tenant.delivery_is(&id, "delivered").await }
    }))
    .await;
    assert!(deliveries.iter().all(|delivery| delivery["attempts"] == 3));
    let times = by_id(&endpoint.receives(EVENTS * 3).await);
    assert_eq!(times.len(), EVENTS);
    for (id, times) in times {
        assert_eq!(times.len(), 3, "{id}");
        assert!(
            times[1] - times[0] >= 2000 && times[2] - times[1] >= 3000,
            "{id}: {times:?}"
        );
    }
}

#[tokio::test]
async fn what_is_parked_takes_no_place_in_the_queue() {
    let tenant = Tenant::on(&Wire::shared().system);
    let endpoint = tenant
        .endpoint("/fail")
        .with("retry", json!({ "delays": [0, 600], "jitter": false }))
        .with("breaker", json!({ "failures": 1000 }))
        .create()
        .await;
    let event = json!({ "event_type": "order.created", "payload": {} });
    let batch = json!({ "events": vec![event; 100] });
    let mut ids = Vec::new();
    for _ in 0..2 {
        let answer = tenant.post("/events/batch", &batch).await.expect(202);
        let results = answer["results"].as_array().unwrap();
        let id = |result: &Value| endpoint.delivery_of(result["id"].as_str().unwrap());
        ids.extend(results.iter().map(id));
    }
    for id in &ids {
        tenant.delivery_is(id, "parked").await;
    }
    wait::until("fewer messages than are parked", || async {
        let left = messages(&tenant).await;
        if left < 200 {
            Ok(())
        } else {
            Err(format!("{left} messages"))
        }
    })
    .await;
}
