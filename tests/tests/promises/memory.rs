//! Memory: no payload and no answer makes a function need more than a small Lambda has.

use hookpost_tests::{Accepted, Call, System, Tenant};
use serde_json::{Value, json};

/// The most that a process may ever have held.
const BOUND_KIB: u64 = 64 * 1024;

async fn peak_kib(tenant: &Tenant<'_>, function: &str) -> u64 {
    let stats = tenant.stats().await;
    let stats = &stats["functions"][function];
    assert!(stats["invocations"].as_u64().unwrap() > 0, "{stats:#}");
    assert_eq!(stats["crashes"], 0, "{stats:#}");
    stats["peak_rss_kib"].as_u64().unwrap()
}

#[tokio::test]
async fn ten_payloads_of_256_kib_and_answers_without_end_stay_under_64_mb() {
    let system = System::start_with(&[("DeliveryConcurrency", "2")], &["--max-instances", "1"]);
    let tenant = Tenant::on(&system);
    let endpoint = tenant
        .endpoint("/success")
        .event_types(&["large"])
        .create()
        .await;
    // A call takes 2.5 MiB with what is around the payloads.
    let payload = json!("x".repeat(262_000));
    let events = vec![json!({ "event_type": "large", "payload": payload }); 10];
    for _ in 0..3 {
        let call = Call::new("POST", "/api/v1/events/batch").json(&json!({ "events": events }));
        tenant.call(call).await.expect(202);
    }
    endpoint.receives(30).await;

    let mut hostile = Vec::new();
    for behaviour in ["/big?bytes=1073741824", "/drip?ms=1", "/reset"] {
        let endpoint = tenant.endpoint(behaviour).event_types(&["hostile"]);
        let endpoint = endpoint
            .with("retry", json!({ "max_attempts": 1 }))
            .with("timeout_seconds", json!(2))
            .with("breaker", json!({ "failures": 1000 }))
            .with(
                "response_rules",
                json!([{ "when": { "body_contains": "needle" }, "then": "fail" }]),
            );
        hostile.push(endpoint.create().await);
    }
    let batch = json!({ "events": vec![json!({ "event_type": "hostile", "payload": 1 }); 10] });
    let answer = tenant.post("/events/batch", &batch).await.expect(202);
    for result in answer["results"].as_array().unwrap() {
        let event = Accepted::read(result);
        for endpoint in &hostile {
            let id = endpoint.delivery_of(&event.id);
            tenant
                .delivery_where(&id, "it is over", |delivery: &Value| {
                    delivery["status"] == "delivered" || delivery["status"] == "dead"
                })
                .await;
        }
    }
    for function in ["IngestFunction", "DeliveryFunction"] {
        let peak = peak_kib(&tenant, function).await;
        eprintln!("{function}: {peak} KiB");
        assert!(peak < BOUND_KIB, "{function} held {peak} KiB");
    }
}
