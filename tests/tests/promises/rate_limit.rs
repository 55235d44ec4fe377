//! A rate limit holds for all instances together, delays instead of dropping, and costs no write a
//! delivery.

use std::sync::OnceLock;

use futures::future::join_all;
use hookpost_tests::{Endpoint, Received, System, Tenant, wait};
use serde_json::json;

use crate::retries::millis;
use crate::wire::{SWEEPS, Wire};

/// What a slot may be late by and still be used.
const LATE_MS: u64 = 1_000;
/// Slots that went unused for so long may be caught up with.
const BURST_MS: u64 = 250;
/// Slots lie one interval apart, and a request takes a moment to arrive.
const EDGE: u64 = 3;

/// 20 deliveries a second in all.
fn limited() -> &'static System {
    static SYSTEM: OnceLock<System> = OnceLock::new();
    SYSTEM.get_or_init(|| System::start_with(&[("DeliveriesPerSecond", "20")], &[]))
}

/// In no stretch of time more requests than the rate allows for it, and for what may be late.
fn assert_rate(received: &[Received], per_second: u64) {
    let mut times: Vec<_> = received.iter().map(|request| request.at_ms).collect();
    times.sort_unstable();
    for (first, from) in times.iter().enumerate() {
        for (last, to) in times.iter().enumerate().skip(first) {
            let span = to - from + LATE_MS + BURST_MS;
            let most = per_second * span / 1000 + EDGE;
            let got = (last - first + 1) as u64;
            assert!(got <= most, "{got} requests within {} ms", to - from);
        }
    }
    // On the whole it is the rate, but for the burst at the beginning.
    let took = times[times.len() - 1] - times[0];
    let least = (times.len() as u64 - EDGE) * 1000 / per_second - BURST_MS - 1000;
    assert!(took >= least, "all within {took} ms");
}

async fn publish(tenant: &Tenant<'_>, count: usize) -> Vec<String> {
    let event = json!({ "event_type": "order.created", "payload": {} });
    let batch = json!({ "events": vec![event; count] });
    let answer = tenant.post("/events/batch", &batch).await.expect(202);
    let results = answer["results"].as_array().unwrap();
    results
        .iter()
        .map(|result| result["id"].as_str().unwrap().to_owned())
        .collect()
}

async fn all_delivered(tenant: &Tenant<'_>, endpoint: &Endpoint<'_>, ids: &[String]) {
    join_all(ids.iter().map(|id| async {
        let delivery = tenant
            .delivery_is(&endpoint.delivery_of(id), "delivered")
            .await;
        assert_eq!(delivery["attempts"], 1, "{delivery:#}");
    }))
    .await;
}

/// How often a limit's meter was written.
async fn writes(tenant: &Tenant<'_>, meter: &str) -> u64 {
    let input = json!({
        "TableName": tenant.system().table_name("KeysTable"),
        "Key": { "pk": { "S": format!("rate#{meter}") } },
        "ConsistentRead": true,
    });
    let item = tenant.dynamodb("GetItem", &input).await;
    item["Item"]["version"]["N"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

#[tokio::test]
async fn an_endpoint_gets_no_more_than_its_rate_from_all_instances_together() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/success")
        .with("rate_limit_per_second", json!(10))
        .create()
        .await;
    let unlimited = tenant.endpoint("/success").create().await;
    let ids = publish(&tenant, 60).await;
    all_delivered(&tenant, &unlimited, &ids).await;
    all_delivered(&tenant, &endpoint, &ids).await;
    let received = endpoint.receives(60).await;
    assert_rate(&received, 10);
    // Nobody else had to wait for it.
    let quick = unlimited.receives(60).await;
    assert!(quick[59].at_ms < received[59].at_ms);
    let writes = writes(&tenant, &format!("{}#{}", tenant.id, endpoint.id)).await;
    assert!(writes <= 40, "{writes} writes for 60 deliveries");
}

#[tokio::test]
async fn a_wait_that_the_sweeper_can_end_in_time_is_spent_in_the_table() {
    let tenant = Tenant::on(&Wire::shared().system);
    let endpoint = tenant
        .endpoint("/success")
        .with("rate_limit_per_second", json!(1))
        .create()
        .await;
    let alone = SWEEPS.write().await;
    let began = wait::epoch_ms();
    let ids = publish(&tenant, 100).await;
    // One a second: the last ones have more than 75 s to wait.
    let parked = wait::until("parked deliveries", || async {
        let shown = join_all(ids.iter().map(|id| {
            let id = endpoint.delivery_of(id);
            let tenant = &tenant;
            async move { tenant.delivery(&id).await }
        }))
        .await;
        let parked = shown
            .into_iter()
            .filter(|delivery| delivery["status"] == "parked");
        let parked: Vec<_> = parked.collect();
        if parked.len() >= 10 {
            Ok(parked)
        } else {
            Err(format!("{} are parked", parked.len()))
        }
    })
    .await;
    drop(alone);
    for delivery in &parked {
        assert_eq!(delivery["attempts"], 0, "{delivery:#}");
        let due = millis(&delivery["next_attempt_at"]);
        assert!(due > began + 75_000, "{delivery:#}");
    }
    // It goes back to the queue when it is due within a minute.
    let first = parked
        .iter()
        .min_by_key(|delivery| millis(&delivery["next_attempt_at"]));
    let id = first.unwrap()["id"].as_str().unwrap();
    wait::within(2 * wait::DEADLINE, "its release", || async {
        let _sweeping = SWEEPS.read().await;
        tenant.sweep().await;
        let delivery = tenant.delivery(id).await;
        if delivery["status"] == "pending" {
            Ok(())
        } else {
            Err(format!("{delivery:#}"))
        }
    })
    .await;
    let received = endpoint.received().await;
    assert_rate(&received, 1);
}

#[tokio::test]
async fn a_deployment_sends_no_more_than_its_rate_to_all_endpoints_together() {
    let tenants = [Tenant::on(limited()), Tenant::on(limited())];
    let paths = join_all(tenants.iter().map(|tenant| async move {
        let (one, other) = (
            tenant.endpoint("/success").create().await,
            tenant.endpoint("/success").create().await,
        );
        let ids = publish(tenant, 20).await;
        all_delivered(tenant, &one, &ids).await;
        all_delivered(tenant, &other, &ids).await;
        [one.receives(20).await, other.receives(20).await].concat()
    }))
    .await;
    let received = paths.concat();
    assert_eq!(received.len(), 80);
    assert_rate(&received, 20);
    let writes = writes(&tenants[0], "deployment").await;
    assert!(writes <= 40, "{writes} writes for 80 deliveries");
}
