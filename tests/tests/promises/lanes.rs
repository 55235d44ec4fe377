//! Slow endpoints travel in a lane of their own, and no more requests run at once than an endpoint
//! allows.

use futures::future::join_all;
use hookpost_tests::{Call, Endpoint, Tenant, wait};
use serde_json::{Value, json};

async fn publish(tenant: &Tenant<'_>, count: usize) -> Vec<String> {
    let event = json!({ "event_type": "order.created", "payload": {} });
    let batch = json!({ "events": vec![event; count] });
    let answer = tenant.post("/events/batch", &batch).await.expect(202);
    let results = answer["results"].as_array().unwrap();
    let ids = results.iter().map(|one| one["id"].as_str().unwrap());
    ids.map(str::to_owned).collect()
}

async fn all_delivered(tenant: &Tenant<'_>, endpoint: &Endpoint<'_>, ids: &[String]) {
    join_all(ids.iter().map(|id| async {
        let id = endpoint.delivery_of(id);
        tenant.delivery_is(&id, "delivered").await;
    }))
    .await;
}

async fn in_lane(endpoint: &Endpoint<'_>, lane: &str) -> Result<Value, String> {
    let health = endpoint.health().await;
    if health["lane"] == lane {
        Ok(health)
    } else {
        Err(format!("{health:#}"))
    }
}

/// Messages that the delivery function has sent by the slow lane.
async fn diverted(tenant: &Tenant<'_>) -> u64 {
    let call = Call::new("GET", "/_local/stats");
    let answer = tenant.client().call(tenant.system().url("lambda"), call);
    let stats = answer.await.expect(200);
    let rows = stats["sqs"].as_array().unwrap();
    let sent = rows.iter().filter(|row| {
        row["operation"] == "SendMessage" && row["resource"].as_str().unwrap().ends_with("-slow")
    });
    sent.map(|row| row["calls"].as_u64().unwrap()).sum()
}

#[tokio::test]
async fn a_slow_endpoint_travels_in_a_lane_of_its_own_until_it_is_quick_again() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/slow?ms=2600").create().await;
    assert!(in_lane(&endpoint, "fast").await.is_ok());
    let first = publish(&tenant, 20).await;
    let health = wait::until("the slow lane", || in_lane(&endpoint, "slow")).await;
    assert!(health["slow_since"].is_string(), "{health:#}");

    let later = publish(&tenant, 5).await;
    all_delivered(&tenant, &endpoint, &first).await;
    all_delivered(&tenant, &endpoint, &later).await;
    assert!(diverted(&tenant).await > 0);
    // Neither twice.
    assert_eq!(endpoint.received().await.len(), 25);

    let quick = format!("{}/success", tenant.system().url("receiver"));
    endpoint.change(&json!({ "url": quick })).await;
    let back = wait::until("the fast lane", || async {
        let ids = publish(&tenant, 20).await;
        all_delivered(&tenant, &endpoint, &ids).await;
        in_lane(&endpoint, "fast").await
    });
    assert_eq!(back.await["slow_since"], Value::Null);
}

#[tokio::test]
async fn no_more_requests_run_at_once_than_an_endpoint_allows() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/slow?ms=200")
        .with("max_in_flight", json!(2))
        .create()
        .await;
    assert_eq!(endpoint.shown().await["max_in_flight"], 2);
    let ids = publish(&tenant, 20).await;
    all_delivered(&tenant, &endpoint, &ids).await;
    let call = Call::new("GET", format!("/_counts?prefix={}", endpoint.path));
    let answer = tenant.client().call(tenant.system().url("receiver"), call);
    let counts = answer.await.expect(200);
    let seen = &counts["paths"][&endpoint.path];
    assert_eq!(seen["distinct_ids"], 20, "{counts:#}");
    assert_eq!(seen["max_in_flight"], 2, "{counts:#}");

    let changed = endpoint.change(&json!({ "max_in_flight": null })).await;
    assert_eq!(changed["max_in_flight"], Value::Null);
}
