//! Events come in from an SQS queue and from an EventBridge bus as they do by HTTP: once however
//! often they are handed over, and what cannot be taken ends in a dead-letter queue of its own and
//! holds up nothing else.

use std::sync::OnceLock;

use hookpost_tests::{System, Tenant, wait};
use serde_json::{Value, json};

/// One that takes events in both ways.
fn system() -> &'static System {
    static SYSTEM: OnceLock<System> = OnceLock::new();
    SYSTEM.get_or_init(|| {
        let parameters = [
            ("EventsQueue", "on"),
            ("EventBusName", "default"),
            ("EventBusPattern", r#"{"source":["shop"]}"#),
            ("EventBusTenant", "$.detail.account"),
        ];
        System::start_with(&parameters, &[])
    })
}

/// What the queue's own dead-letter queue holds with this in it.
async fn refused(tenant: &Tenant<'_>, with: &str) -> String {
    wait::until(&format!("{with} is refused"), || async {
        let messages = tenant.receive("InDeadLetterQueue", 0).await;
        let bodies: Vec<_> = messages.into_iter().map(|message| message.body).collect();
        let found = bodies.iter().find(|body| body.contains(with)).cloned();
        found.ok_or_else(|| format!("{bodies:?}"))
    })
    .await
}

/// The batch that Lambda hands over for these messages, each with its id.
fn batch(messages: &[(&str, String)]) -> Value {
    let record = |(id, body): &(&str, String)| {
        json!({
            "messageId": id, "receiptHandle": "none", "body": body, "attributes": {},
            "messageAttributes": {}, "eventSource": "aws:sqs", "awsRegion": "us-east-1",
        })
    };
    json!({ "Records": messages.iter().map(record).collect::<Vec<_>>() })
}

#[tokio::test]
async fn a_queue_takes_events_in_all_forms() {
    let tenant = Tenant::on(system());
    let endpoint = tenant.endpoint("/success").create().await;
    let own = |nth: u32| json!({ "tenant": tenant.id, "event_type": "order.created", "payload": { "nth": nth } });
    let account = &tenant.id;
    let bus = json!({
        "version": "0", "id": tenant.unique_name(), "detail-type": "Order Placed", "source": "shop",
        "detail": { "account": account, "nth": 4 },
    });
    for body in [
        own(1),
        json!({ "events": [own(2), own(3)] }),
        bus,
        // What Lambda puts into a dead-letter queue, sent on from there.
        json!({ "requestPayload": {
            "id": tenant.unique_name(), "detail-type": "Order Placed", "source": "shop",
            "detail": { "account": account, "nth": 5 },
        } }),
    ] {
        tenant.send("InQueue", &body.to_string()).await;
    }
    let got = endpoint.receives(5).await;
    let mut seen: Vec<_> = got
        .iter()
        .map(|request| {
            let body = request.json();
            let event = body["event"].as_str().unwrap().to_owned();
            (body["data"]["nth"].as_u64().unwrap(), event)
        })
        .collect();
    seen.sort();
    let expected = [1, 2, 3, 4, 5].map(|nth| {
        let event = if nth < 4 {
            "order.created"
        } else {
            "Order_Placed"
        };
        (nth, event.to_owned())
    });
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_message_that_is_handed_over_twice_is_one_event() {
    let tenant = Tenant::on(system());
    let endpoint = tenant.endpoint("/success").create().await;
    let event = json!({ "tenant": tenant.id, "event_type": "a", "payload": {} });
    let with_id = json!({ "tenant": tenant.id, "event_type": "a", "payload": {}, "id": "own" });
    let cloud = json!([{ "specversion": "1.0", "id": "1", "source": "/s", "type": "a" }]);
    let ids = [
        tenant.unique_name(),
        tenant.unique_name(),
        tenant.unique_name(),
    ];
    let messages = [
        (ids[0].as_str(), event.to_string()),
        // An event's own id holds across messages.
        (ids[1].as_str(), with_id.to_string()),
        (ids[2].as_str(), with_id.to_string()),
    ];
    for _ in 0..2 {
        let answer = tenant.invoke("ingest", &batch(&messages)).await.answer();
        assert_eq!(answer["batchItemFailures"], json!([]));
    }
    endpoint.receives(2).await;
    assert_eq!(tenant.stored_events().await.len(), 2);
    // Whoever names no tenant writes for the default one.
    let of_default = [(ids[0].as_str(), cloud.to_string())];
    let answer = tenant.invoke("ingest", &batch(&of_default)).await.answer();
    assert_eq!(answer["batchItemFailures"], json!([]));
}

#[tokio::test]
async fn what_is_no_event_ends_in_a_dead_letter_queue_and_what_is_beside_it_is_taken() {
    let tenant = Tenant::on(system());
    let endpoint = tenant.endpoint("/success").create().await;
    let good = |nth: u32| json!({ "tenant": tenant.id, "event_type": "a", "payload": nth });
    let bad = json!({ "tenant": tenant.id, "event_type": "not a type", "payload": {} });
    let garbage = format!("no JSON {}", tenant.id);
    tenant.send("InQueue", &good(1).to_string()).await;
    tenant.send("InQueue", &garbage).await;
    tenant
        .send("InQueue", &json!([good(2), bad, good(3)]).to_string())
        .await;
    endpoint.receives(3).await;
    refused(&tenant, &garbage).await;
    let kept = refused(&tenant, &format!(r#""{}""#, tenant.id)).await;
    assert!(kept.contains("not a type"), "{kept}");
    // It was handed over ten times.
    endpoint.receives(3).await;
    assert_eq!(tenant.stored_events().await.len(), 3);
    let log = std::fs::read_to_string(system().log()).unwrap();
    assert!(
        log.contains("an event of the queue is not accepted"),
        "{log}"
    );
    let waiting = tenant.queue_attribute("InQueue", "ApproximateNumberOfMessages");
    assert_eq!(waiting.await, "0");
}

#[tokio::test]
async fn an_event_of_a_bus_is_taken_once_and_one_that_is_none_fails() {
    let tenant = Tenant::on(system());
    let endpoint = tenant.endpoint("/success").create().await;
    let event = |detail: Value| {
        json!({
            "version": "0", "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
            "detail-type": "Order Placed", "source": "shop", "account": "111122223333",
            "time": "2026-11-21T12:00:00Z", "region": "us-east-1", "resources": [],
            "detail": detail,
        })
    };
    let placed = event(json!({ "account": tenant.id, "total": 42.5 }));
    let first = tenant.invoke("ingest", &placed).await.answer();
    assert_eq!(first["tenant"], tenant.id.as_str());
    let again = tenant.invoke("ingest", &placed).await.answer();
    assert_eq!(
        (&again["id"], &again["duplicate"]),
        (&first["id"], &json!(true))
    );
    let got = endpoint.receives(1).await;
    assert_eq!(got[0].json()["event"], "Order_Placed");
    assert_eq!(got[0].json()["data"], placed["detail"]);
    for bad in [
        event(json!({})),
        event(json!({ "account": "a b" })),
        json!({ "x": 1 }),
    ] {
        let failed = tenant.invoke("ingest", &bad).await;
        assert!(failed.failed, "{:#}", failed.payload);
    }
}
