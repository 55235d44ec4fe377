//! An event that was answered with 202 is stored, and goes to every endpoint
//! that asked for its type, and to no other.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use futures::stream;
use hookpost_tests::{Accepted, Problem, Tenant, wait};
use serde_json::{Value, json};

#[tokio::test]
async fn an_accepted_event_is_answered_with_the_ids_of_all_that_follows() {
    let tenant = Tenant::new();
    let one = tenant.endpoint("/success").create().await;
    let other = tenant.endpoint("/success").create().await;
    let began = wait::epoch_ms();
    let body = json!({ "event_type": "order.created", "payload": { "order": 42 } });
    let answer = tenant.post("/events", &body).await.expect(202);
    assert_eq!(answer["event_type"], "order.created");
    assert_eq!(answer["tenant"], tenant.id.as_str());
    let event = Accepted::read(&answer);
    let ids: BTreeSet<_> = event.deliveries.iter().map(|d| d.id.as_str()).collect();
    let (one, other) = (one.delivery_of(&event.id), other.delivery_of(&event.id));
    assert_eq!(ids, BTreeSet::from([one.as_str(), other.as_str()]));
    // A UUIDv7 tells its time.
    let time = u64::from_str_radix(&event.id.replace('-', "")[..12], 16).unwrap();
    assert!((began..=wait::epoch_ms()).contains(&time), "{}", event.id);
    assert_eq!(event.id.as_bytes()[14], b'7');
}

#[tokio::test]
async fn what_was_accepted_can_be_read_at_once_and_ends_delivered() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let payload = json!({ "order": 42 });
    let event = tenant.publish("order.created", &payload).await;
    let shown = tenant
        .get(&format!("/events/{}", event.id))
        .await
        .expect(200);
    assert_eq!(shown["id"], event.id.as_str());
    assert_eq!(shown["event_type"], "order.created");
    assert_eq!(shown["payload"], payload);
    assert_eq!(shown["deliveries"][0]["id"], event.delivery());
    assert_eq!(shown["deliveries"][0]["endpoint_id"], endpoint.id.as_str());
    let delivery = tenant.delivery(event.delivery()).await;
    assert_eq!(delivery["event_id"], event.id.as_str());
    assert_eq!(delivery["endpoint_id"], endpoint.id.as_str());
    assert_eq!(delivery["event_type"], "order.created");

    let delivery = tenant.delivery_is(event.delivery(), "delivered").await;
    assert_eq!(delivery["attempts"], 1);
    let attempt = &delivery["attempt_log"][0];
    assert_eq!(
        (&attempt["number"], &attempt["status_code"]),
        (&json!(1), &json!(200))
    );
    assert!(attempt["latency_ms"].is_number(), "{attempt}");
    assert!(attempt["at"].is_string(), "{attempt}");
    assert_eq!(endpoint.receives(1).await[0].data(), payload);
    let shown = tenant
        .get(&format!("/events/{}", event.id))
        .await
        .expect(200);
    assert_eq!(shown["deliveries"][0]["status"], "delivered");
}

#[tokio::test]
async fn an_event_goes_to_whoever_asked_for_its_type() {
    const PATTERNS: [&[&str]; 6] = [
        &["*"],
        &["order.*"],
        &["order.created"],
        &["order.created", "order.*", "*"],
        &["user.*", "order.created.v2"],
        &["nothing.like.it"],
    ];
    let tenant = Tenant::new();
    let mut endpoints = Vec::new();
    for patterns in PATTERNS {
        let endpoint = tenant.endpoint("/success").event_types(patterns);
        endpoints.push(endpoint.create().await);
    }
    let mut expected = vec![0; endpoints.len()];
    for (event_type, goes_to) in [
        ("order.created", &[0, 1, 2, 3][..]),
        ("order.created.v2", &[0, 1, 3, 4]),
        ("order", &[0, 3]),
        ("orders.created", &[0, 3]),
        ("user.created", &[0, 3, 4]),
        ("Order.created", &[0, 3]),
        ("a:b/c-d_e.F9", &[0, 3]),
    ] {
        let event = tenant.publish(event_type, &json!({})).await;
        let to: BTreeSet<_> = event
            .deliveries
            .iter()
            .map(|d| d.endpoint_id.clone())
            .collect();
        let wanted: BTreeSet<_> = goes_to.iter().map(|i| endpoints[*i].id.clone()).collect();
        assert_eq!(to, wanted, "{event_type}");
        assert_eq!(event.deliveries.len(), goes_to.len(), "{event_type}");
        tenant.all_delivered(&event).await;
        for place in goes_to {
            expected[*place] += 1;
        }
    }
    for (endpoint, expected) in endpoints.iter().zip(expected) {
        assert_eq!(endpoint.received().await.len(), expected, "{endpoint:?}");
    }
}

#[tokio::test]
async fn an_event_that_nobody_asked_for_is_kept_all_the_same() {
    let tenant = Tenant::new();
    let event = tenant.publish("order.created", &json!({ "a": 1 })).await;
    assert_eq!(event.deliveries, []);
    let shown = tenant
        .get(&format!("/events/{}", event.id))
        .await
        .expect(200);
    assert_eq!(shown["payload"], json!({ "a": 1 }));
    assert_eq!(shown["deliveries"], json!([]));
}

#[tokio::test]
async fn a_batch_is_answered_event_by_event() {
    let tenant = Tenant::new();
    let orders = tenant
        .endpoint("/success")
        .event_types(&["order.*"])
        .create()
        .await;
    let all = tenant.endpoint("/success").create().await;
    let body = json!({ "events": [
        { "event_type": "order.created", "payload": { "n": 0 } },
        { "event_type": "not a type", "payload": { "n": 1 } },
        { "event_type": "user.created", "payload": { "n": 2 } },
        { "event_type": "order.paid" },
        { "event_type": "order.paid", "payload": { "n": 4 } },
    ] });
    let answer = tenant.post("/events/batch", &body).await.expect(202);
    assert_eq!(
        (&answer["accepted"], &answer["rejected"]),
        (&json!(3), &json!(2))
    );
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), 5);
    let mut accepted = BTreeMap::new();
    for (index, result) in results.iter().enumerate() {
        assert_eq!(result["index"], index);
        let refused = match index {
            1 => "events[1].event_type",
            3 => "events[3].payload",
            _ => {
                assert_eq!(result["status"], 202, "{result:#}");
                accepted.insert(index, Accepted::read(result));
                continue;
            }
        };
        let problem = Problem::check(&result["problem"], 422);
        assert_eq!(result["status"], 422);
        assert_eq!(problem.fields, [refused]);
        assert_eq!(result["id"], Value::Null);
    }
    for (index, event) in &accepted {
        let wanted = if *index == 2 { 1 } else { 2 };
        assert_eq!(event.deliveries.len(), wanted, "{event:?}");
        tenant.all_delivered(event).await;
    }
    let numbers = |received: &[hookpost_tests::Received]| -> BTreeSet<u64> {
        received
            .iter()
            .map(|r| r.data()["n"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(numbers(&orders.receives(2).await), BTreeSet::from([0, 4]));
    assert_eq!(numbers(&all.receives(3).await), BTreeSet::from([0, 2, 4]));
    assert_eq!(tenant.stored_events().await.len(), 3);
}

#[tokio::test]
async fn a_batch_takes_a_hundred_events() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let batch = |count: usize| {
        let event = |n| json!({ "event_type": "order.created", "payload": { "n": n } });
        json!({ "events": (0..count).map(event).collect::<Vec<_>>() })
    };
    let before = tenant.stored_events().await;
    for count in [0, 101] {
        let answer = tenant.post("/events/batch", &batch(count)).await;
        answer.refuses(422, "events");
    }
    assert_eq!(tenant.stored_events().await, before);
    let answer = tenant.post("/events/batch", &batch(100)).await.expect(202);
    assert_eq!(answer["accepted"], 100);
    let received = endpoint.receives(100).await;
    let numbers: BTreeSet<_> = received
        .iter()
        .map(|r| r.data()["n"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (0..100).collect());
    let results = answer["results"].as_array().unwrap();
    for result in results {
        tenant.all_delivered(&Accepted::read(result)).await;
    }
}

#[tokio::test]
async fn a_large_fan_out_reaches_every_endpoint_once() {
    const ENDPOINTS: usize = 250;
    let tenant = Tenant::new();
    let endpoints: Vec<_> = stream::iter(0..ENDPOINTS)
        .map(|_| tenant.endpoint("/success").create())
        .buffer_unordered(16)
        .collect()
        .await;
    let event = tenant
        .publish("order.created", &json!({ "to": "all" }))
        .await;
    let ids: BTreeSet<_> = event.deliveries.iter().map(|d| &d.endpoint_id).collect();
    assert_eq!(ids, endpoints.iter().map(|e| &e.id).collect());
    wait::until("all of them delivered", || async {
        let path = format!("/events/{}", event.id);
        let shown = tenant.get(&path).await.expect(200);
        let deliveries = shown["deliveries"].as_array().unwrap();
        assert_eq!(deliveries.len(), ENDPOINTS);
        let left = deliveries.iter().filter(|d| d["status"] != "delivered");
        match left.count() {
            0 => Ok(()),
            left => Err(format!("{left} are not")),
        }
    })
    .await;
    // What was sent twice would be behind this in the queue.
    let fence = tenant
        .publish("order.created", &json!({ "to": "all" }))
        .await;
    tenant.all_delivered(&fence).await;
    for endpoint in &endpoints {
        let received = endpoint.received().await;
        let ids: Vec<_> = received.iter().map(|r| r.header("webhook-id")).collect();
        assert_eq!(
            ids.iter().filter(|id| **id == event.id).count(),
            1,
            "{ids:?}"
        );
        assert!(received.iter().all(|r| r.signature == "verified"));
    }
}
