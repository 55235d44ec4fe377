//! What is given up ends in the dead-letter queue, moved there by SQS itself, and is a dead letter
//! in the API: with its whole story in both.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use hookpost_tests::{Accepted, Tenant};
use serde_json::{Value, json};

use super::graveyard::{buried_delivery, is_buried, system};

fn time(json: &Value) -> SystemTime {
    let text = json.as_str().unwrap_or_default();
    humantime::parse_rfc3339(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn texts<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    let texts = list.as_array().unwrap().iter();
    texts.map(|item| item[field].as_str().unwrap()).collect()
}

#[tokio::test]
async fn sqs_moves_an_exhausted_delivery_to_the_dead_letter_queue_with_its_story() {
    let tenant = Tenant::on(system());
    let endpoint = tenant
        .endpoint("/status/503")
        .with("retry", json!({ "delays": ["0s", "1s"] }))
        .create()
        .await;
    let payload = json!({ "order": 42, "price": "42.00", "to": "Zoë" });
    let event = tenant.publish("order.created", &payload).await;
    let delivery = tenant.delivery_is(event.delivery(), "dead").await;

    let message = buried_delivery(&tenant, event.delivery()).await;
    let exhausted = tenant.queue_attribute("ExhaustedQueue", "QueueArn").await;
    // Only what SQS moved has a source, and only what has one can be redriven from the console.
    assert_eq!(message.attributes["DeadLetterQueueSourceArn"], exhausted);

    let body = message.json();
    assert_eq!(body["v"], 1);
    assert_eq!(body["cycle"], 0);
    assert_eq!(body["tenant"], tenant.id);
    assert!(!body["id"].as_str().unwrap().is_empty());
    assert_eq!(body["delivery_id"], event.delivery());
    assert_eq!(body["event_id"], event.id);
    assert_eq!(body["endpoint_id"], endpoint.id);
    assert_eq!(body["event_type"], "order.created");
    assert_eq!(body["payload"], payload);
    assert_eq!(body["endpoint_url"], endpoint.created["url"]);
    assert_eq!(body["failure_reason"], "HTTP 503: Service Unavailable");
    assert_eq!(body["attempts"], 2);
    assert_eq!(body["attempt_log"].as_array().unwrap().len(), 2);
    assert_eq!(body["created_at"], delivery["created_at"]);
    let exhausted_at = time(&body["exhausted_at"]);
    let week = Duration::from_secs(7 * 24 * 3600);
    assert_eq!(
        time(&body["expires_at"])
            .duration_since(exhausted_at)
            .unwrap(),
        week
    );

    assert_eq!(endpoint.receives(2).await[1].status, Some(503));
    let letter = tenant
        .get(&format!("/dead-letters/{}", event.delivery()))
        .await
        .expect(200);
    assert_eq!(letter["delivery_id"], event.delivery());
    assert_eq!(letter["event_id"], event.id);
    assert_eq!(letter["endpoint_id"], endpoint.id);
    assert_eq!(letter["event_type"], "order.created");
    assert_eq!(letter["failure_reason"], "HTTP 503: Service Unavailable");
    assert_eq!(letter["attempts"], 2);
    assert_eq!(letter["attempt_log"], delivery["attempt_log"]);
    assert_eq!(letter["attempt_log"][1]["status_code"], 503);
    let died = time(&letter["ended_at"]);
    let between = exhausted_at.duration_since(died).unwrap_or_default();
    assert!(between < Duration::from_secs(5), "{between:?}");
}

#[tokio::test]
async fn whatever_ended_a_delivery_is_told_in_both_places() {
    let tenant = Tenant::on(system());
    let once = json!({ "max_attempts": 1 });
    let cases = [
        (
            "/gone",
            "breaker",
            json!({ "failures": 1000 }),
            "gone",
            "HTTP 410: Gone",
        ),
        (
            "/status/404",
            "no_retry_statuses",
            json!([404]),
            "not_retried",
            "HTTP 404: Not Found",
        ),
        (
            "/redirect",
            "retry",
            once.clone(),
            "attempts_exhausted",
            "HTTP 302: Found",
        ),
        (
            "/status/599",
            "retry",
            once.clone(),
            "attempts_exhausted",
            "HTTP 599",
        ),
        (
            "/hang",
            "retry",
            once.clone(),
            "attempts_exhausted",
            "timeout: ",
        ),
    ];
    let mut endpoints = Vec::new();
    for (behaviour, field, value, ..) in &cases {
        let endpoint = tenant.endpoint(behaviour).with(field, value.clone());
        endpoints.push(endpoint.with("timeout_seconds", json!(1)).create().await);
    }
    let event = tenant.publish("order.created", &json!({})).await;
    for (endpoint, (behaviour, _, _, reason, told)) in endpoints.iter().zip(cases) {
        let id = endpoint.delivery_of(&event.id);
        let delivery = tenant.delivery_is(&id, "dead").await;
        assert_eq!(delivery["reason"], reason, "{behaviour}");
        assert_eq!(delivery["attempts"], 1, "{behaviour}");
        let letter = tenant.get(&format!("/dead-letters/{id}")).await.expect(200);
        let failure = letter["failure_reason"].as_str().unwrap();
        assert!(failure.starts_with(told), "{behaviour}: {failure:?}");
        assert_eq!(failure, failure.trim_end_matches([':', ' ']), "{behaviour}");
        let buried = buried_delivery(&tenant, &id).await.json();
        assert_eq!(buried["failure_reason"], failure, "{behaviour}");
        endpoint.receives(1).await;
    }
}

#[tokio::test]
async fn dead_letters_are_listed_newest_first_page_by_page() {
    let tenant = Tenant::on(system());
    let dying = |pattern: &'static str| {
        tenant
            .endpoint("/status/500")
            .event_types(&[pattern])
            .with("retry", json!({ "max_attempts": 1 }))
            .with("breaker", json!({ "failures": 1000 }))
    };
    let orders = dying("order.*").create().await;
    let users = dying("user.*").create().await;
    let alive = tenant.endpoint("/success").create().await;
    let event =
        |nth: usize| json!({ "event_type": (["order.a", "user.a"][nth % 2]), "payload": nth });
    let events: Vec<Value> = (0..60).map(event).collect();
    let answer = tenant
        .post("/events/batch", &json!({ "events": events }))
        .await;
    let accepted: Vec<Accepted> = answer.json()["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(Accepted::read)
        .collect();
    let mut expected = Vec::new();
    for (nth, event) in accepted.iter().enumerate() {
        let endpoint = [&orders, &users][nth % 2];
        let id = endpoint.delivery_of(&event.id);
        tenant.delivery_is(&id, "dead").await;
        tenant
            .delivery_is(&alive.delivery_of(&event.id), "delivered")
            .await;
        expected.push(id);
    }
    expected.sort_by(|one, other| other.cmp(one));

    let pages = |query: String, limit: usize| {
        let tenant = &tenant;
        async move {
            let mut ids = Vec::new();
            let mut after = String::new();
            loop {
                let path = format!("/dead-letters?limit={limit}{query}{after}");
                let page = tenant.get(&path).await.expect(200);
                let found = texts(&page["data"], "delivery_id");
                assert!(found.len() <= limit, "{page:#}");
                ids.extend(found.into_iter().map(str::to_owned));
                match page["next"].as_str() {
                    Some(next) => after = format!("&after={next}"),
                    None => return ids,
                }
            }
        }
    };
    assert_eq!(pages(String::new(), 7).await, expected);
    assert_eq!(pages(String::new(), 60).await, expected);
    for endpoint in [&orders, &users] {
        let of_endpoint = |id: &&String| id.ends_with(&endpoint.id);
        let expected: Vec<_> = expected.iter().filter(of_endpoint).cloned().collect();
        assert_eq!(expected.len(), 30);
        for name in ["endpoint_id", "subscriber_id"] {
            let query = format!("&{name}={}", endpoint.id);
            assert_eq!(pages(query.clone(), 7).await, expected);
            let path = format!("/dead-letters?limit=7{query}");
            let first = tenant.get(&path).await.expect(200);
            assert_eq!(texts(&first["data"], "delivery_id"), expected[..7]);
        }
    }
    let listed = tenant.get("/dead-letters").await.expect(200);
    assert_eq!(texts(&listed["data"], "delivery_id"), expected[..50]);
    for alias in ["dlq", "dead_letters"] {
        assert_eq!(tenant.get(&format!("/{alias}")).await.expect(200), listed);
    }
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=many", "limit"),
        ("after=x", "after"),
    ] {
        let answer = tenant.get(&format!("/dead-letters?{query}")).await;
        answer.refuses(422, field);
    }
}

#[tokio::test]
async fn only_what_is_dead_is_a_dead_letter_and_only_its_own_tenant_sees_it() {
    let tenant = Tenant::on(system());
    let dying = tenant
        .endpoint("/status/500")
        .with("retry", json!({ "max_attempts": 1 }))
        .create()
        .await;
    let alive = tenant.endpoint("/success").create().await;
    let waiting = tenant
        .endpoint("/status/500")
        .with("retry", json!({ "delays": ["0s", "10m"] }))
        .create()
        .await;
    let event = tenant.publish("order.created", &json!({})).await;
    let id = dying.delivery_of(&event.id);
    tenant.delivery_is(&id, "dead").await;
    let delivered = alive.delivery_of(&event.id);
    tenant.delivery_is(&delivered, "delivered").await;
    let retrying = waiting.delivery_of(&event.id);
    tenant.delivery_is(&retrying, "retrying").await;

    let listed = tenant.get("/dead-letters").await.expect(200);
    assert_eq!(texts(&listed["data"], "delivery_id"), [&id]);
    let unknown = id.replace("ep_", "ep_x");
    for missing in [&delivered, &retrying, &unknown, "nonsense"] {
        let answer = tenant.get(&format!("/dead-letters/{missing}")).await;
        answer.problem(404);
    }
    let other = Tenant::on(system());
    let listed = other.get("/dead-letters").await.expect(200);
    assert_eq!(listed["data"], json!([]));
    other.get(&format!("/dead-letters/{id}")).await.problem(404);

    // Looked into until the dead one is there, the queue has none of the others.
    buried_delivery(&tenant, &id).await;
    assert!(!is_buried(&delivered) && !is_buried(&retrying));
}

#[tokio::test]
async fn the_queues_have_the_nets_that_the_design_says() {
    let tenant = Tenant::on(system());
    let policy = |queue: &'static str, name: &'static str| {
        let tenant = &tenant;
        async move {
            let text = tenant.queue_attribute(queue, name).await;
            serde_json::from_str::<Value>(&text).unwrap()
        }
    };
    let graveyard = tenant.queue_attribute("DeadLetterQueue", "QueueArn").await;
    let mut sources = BTreeSet::new();
    for (queue, receives) in [
        ("DeliveryQueue", 100),
        ("SlowQueue", 100),
        ("ExhaustedQueue", 5),
    ] {
        let redrive = policy(queue, "RedrivePolicy").await;
        assert_eq!(redrive["deadLetterTargetArn"], graveyard);
        assert_eq!(redrive["maxReceiveCount"], receives);
        sources.insert(tenant.queue_attribute(queue, "QueueArn").await);
        // A move to the dead-letter queue keeps the time of the first enqueue.
        let retention = |queue| tenant.queue_attribute(queue, "MessageRetentionPeriod");
        let (source, target) = (retention(queue).await, retention("DeadLetterQueue").await);
        assert!(source.parse::<u32>().unwrap() < target.parse::<u32>().unwrap());
    }
    let allow = policy("DeadLetterQueue", "RedriveAllowPolicy").await;
    assert_eq!(allow["redrivePermission"], "byQueue");
    let allowed: BTreeSet<String> =
        serde_json::from_value(allow["sourceQueueArns"].clone()).unwrap();
    assert_eq!(allowed, sources);
}
