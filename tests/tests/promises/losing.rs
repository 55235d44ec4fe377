//! At least once, whatever happens: processes that are killed, messages that get lost, that come
//! twice, late or early.
//!
//! An hour cannot be waited for here: where time has to pass, what the tables say of it is changed.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use futures::future::join_all;
use hookpost_tests::{Accepted, Call, Endpoint, System, Tenant, wait};
use serde_json::{Value, json};

/// A time so long ago that a message of it has its delivery's record read first.
const LONG_AGO: &str = "2026-01-01T00:00:00.000Z";

/// Kills all instances of these functions, as a crash or the end of a machine does.
async fn kill(tenant: &Tenant<'_>, functions: &[&str]) -> usize {
    let call = Call::new("GET", "/_local/stats");
    let lambda = tenant.system().url("lambda");
    let stats = tenant.client().call(lambda, call).await.json();
    let mut killed = 0;
    for function in functions {
        let stats = &stats["functions"][function];
        let binary = stats["binary"].as_str().unwrap();
        for pid in stats["pids"].as_array().unwrap() {
            killed += usize::from(kill_instance(pid.as_u64().unwrap(), binary));
        }
    }
    killed
}

/// Kills a process if it still is what it is taken for.
fn kill_instance(pid: u64, binary: &str) -> bool {
    let program = std::fs::read_link(format!("/proc/{pid}/exe"));
    if !program.is_ok_and(|program| program.ends_with(binary)) {
        return false;
    }
    let kill = Command::new("kill").args(["-9", &pid.to_string()]).output();
    kill.unwrap().status.success()
}

async fn set_visibility(tenant: &Tenant<'_>, queue: &str, seconds: u32) {
    let url = tenant.system().queue_url(queue);
    let attributes = json!({ "VisibilityTimeout": seconds.to_string() });
    let input = json!({ "QueueUrl": url, "Attributes": attributes });
    tenant.sqs("SetQueueAttributes", &input).await;
}

#[tokio::test]
async fn killed_functions_lose_nothing() {
    let system = System::start_with(&[], &[]);
    let tenant = Tenant::on(&system);
    // What a killed instance had comes back by this: six minutes in a deployment.
    for queue in ["DeliveryQueue", "ExhaustedQueue"] {
        set_visibility(&tenant, queue, 3).await;
    }
    let slow = tenant.endpoint("/slow?ms=150").create().await;
    let broken = tenant
        .endpoint("/status/503")
        .with("retry", json!({ "max_attempts": 1 }))
        .with("breaker", json!({ "failures": 1000 }))
        .create()
        .await;
    let functions = ["IngestFunction", "DeliveryFunction", "ReplayFunction"];
    let killing = async {
        let end = wait::now() + Duration::from_secs(3);
        let mut killed = 0;
        while wait::now() < end {
            tokio::time::sleep(Duration::from_millis(120)).await;
            killed += kill(&tenant, &functions).await;
        }
        killed
    };
    let publishing = async {
        let mut events = Vec::new();
        for nth in 0..60 {
            // A caller tries again until it is told 202.
            events.push(
                wait::until("the event is accepted", || async {
                    let body = json!({ "event_type": "order.created", "payload": nth });
                    let call = Call::new("POST", "/api/v1/events")
                        .header("idempotency-key", format!("nth-{nth}"))
                        .json(&body);
                    let answer = tenant.call(call).await;
                    match answer.status {
                        202 => Ok(Accepted::read(&answer.json())),
                        500.. => Err(answer.text().to_owned()),
                        other => panic!("{other}: {}", answer.text()),
                    }
                })
                .await,
            );
        }
        events
    };
    let (killed, events) = tokio::join!(killing, publishing);
    assert!(killed >= 10, "{killed}");

    let accepted: BTreeSet<&str> = events.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(accepted.len(), 60, "an event a key");
    for event in &events {
        let id = slow.delivery_of(&event.id);
        tenant.delivery_is(&id, "delivered").await;
        let id = broken.delivery_of(&event.id);
        let dead = tenant.delivery_is(&id, "dead").await;
        assert_eq!(dead["reason"], "attempts_exhausted");
    }
    for endpoint in [&slow, &broken] {
        let received = endpoint.received().await;
        let came: BTreeSet<&str> = received.iter().map(|r| r.header("webhook-id")).collect();
        assert_eq!(came, accepted);
    }
    let mut buried = BTreeSet::new();
    let deadline = wait::now() + wait::DEADLINE;
    while buried.len() < 60 {
        assert!(wait::now() < deadline, "{} are buried", buried.len());
        for message in tenant.receive("DeadLetterQueue", 600).await {
            buried.insert(message.json()["event_id"].as_str().unwrap().to_owned());
        }
        tokio::time::sleep(wait::POLL).await;
    }
    assert!(buried.iter().all(|id| accepted.contains(id.as_str())));
}

#[tokio::test]
async fn a_message_that_crashes_the_function_ends_in_the_dead_letter_queue_and_can_be_sent_home() {
    let system = System::start_with(&[], &[]);
    let tenant = Tenant::on(&system);
    // A hundred crashes, six minutes apart, are too many to wait for: here two, a second apart.
    let target = tenant.queue_attribute("DeadLetterQueue", "QueueArn").await;
    let redrive = json!({ "deadLetterTargetArn": target, "maxReceiveCount": 2 });
    let url = system.queue_url("DeliveryQueue");
    let attributes = json!({ "VisibilityTimeout": "1", "RedrivePolicy": redrive.to_string() });
    let input = json!({ "QueueUrl": url, "Attributes": attributes });
    tenant.sqs("SetQueueAttributes", &input).await;
    let endpoint = tenant.endpoint("/slow?ms=1000").create().await;
    let event = tenant.publish("order.created", &json!({ "a": 1 })).await;
    wait::until("the message is in the dead-letter queue", || async {
        kill(&tenant, &["DeliveryFunction"]).await;
        let attribute = "ApproximateNumberOfMessages";
        match tenant.queue_attribute("DeadLetterQueue", attribute).await {
            count if count == "1" => Ok(()),
            count => Err(count),
        }
    })
    .await;
    let message = tenant.receive("DeadLetterQueue", 0).await.remove(0);
    assert_eq!(message.json()["event_id"], event.id);
    let source = tenant.queue_attribute("DeliveryQueue", "QueueArn").await;
    assert_eq!(message.attributes["DeadLetterQueueSourceArn"], source);

    set_visibility(&tenant, "DeliveryQueue", 360).await;
    assert_eq!(tenant.redrive().await, 1);
    let delivered = tenant.delivery_is(event.delivery(), "delivered").await;
    // Nobody was left to tell of the requests before.
    assert_eq!(delivered["attempts"], 1);
    let received = endpoint.received().await;
    let last = received.last().unwrap();
    assert_eq!(
        (last.state.as_str(), last.data()),
        ("answered", json!({ "a": 1 }))
    );
    assert_eq!(last.header("webhook-id"), event.id);
}

/// The stored item of an event or a delivery.
async fn item(tenant: &Tenant<'_>, table: &str, event_id: &str) -> Value {
    let input = json!({
        "TableName": tenant.system().table_name(table),
        "FilterExpression": "sk = :event",
        "ExpressionAttributeValues": { ":event": { "S": event_id } },
        "ConsistentRead": true,
    });
    let mut found = tenant.dynamodb("Scan", &input).await;
    assert_eq!(found["Count"], 1, "{event_id}: {found:#}");
    found["Items"][0].take()
}

async fn put(tenant: &Tenant<'_>, table: &str, item: &Value) {
    let input = json!({ "TableName": tenant.system().table_name(table), "Item": item });
    tenant.dynamodb("PutItem", &input).await;
}

/// Stores an event once more, as if it had been accepted so long ago. Its id.
async fn accept_earlier(tenant: &Tenant<'_>, event_id: &str, ago: Duration) -> String {
    let mut item = item(tenant, "EventsTable", event_id).await;
    let at_ms = wait::epoch_ms() - u64::try_from(ago.as_millis()).unwrap();
    let time = format!("{at_ms:012x}");
    let earlier = format!("{}-{}{}", &time[..8], &time[8..], &event_id[13..]);
    let at = humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(at_ms));
    let hour = at.to_string()[..13].to_owned();
    let pk = item["pk"]["S"].as_str().unwrap();
    let shard = pk.rsplit('#').next().unwrap().to_owned();
    let id = &tenant.id;
    item["pk"] = json!({ "S": format!("{id}#{hour}#{shard}") });
    item["sk"] = json!({ "S": earlier });
    put(tenant, "EventsTable", &item).await;
    for (pk, sk) in [
        (format!("hour#{hour}"), format!("{id}#{shard}")),
        (format!("buckets#{id}"), format!("{hour}#{shard}")),
    ] {
        let marker = json!({ "pk": { "S": pk }, "sk": { "S": sk } });
        put(tenant, "EventsTable", &marker).await;
    }
    earlier
}

#[tokio::test]
async fn what_no_message_carries_any_more_is_found_and_sent() {
    let system = System::start_with(&[], &["--schedule-every", "1h"]);
    let tenant = Tenant::on(&system);
    let endpoint = tenant
        .endpoint("/switch")
        .with("retry", json!({ "delays": ["0s", "10m"] }))
        .with("breaker", json!({ "failures": 1000 }))
        .create()
        .await;

    // Accepted and delivered, but of one twin there is neither a record nor a message.
    let known = tenant.publish("order.created", &json!("twin")).await;
    tenant.all_delivered(&known).await;
    let recent = accept_earlier(&tenant, &known.id, Duration::from_secs(10 * 60)).await;
    let lost = accept_earlier(&tenant, &known.id, Duration::from_secs(20 * 60)).await;
    wait::until("the lost delivery is found", || async {
        let swept = tenant.sweep().await;
        if swept["found"] == 1 {
            Ok(())
        } else {
            Err(format!("{swept:#}"))
        }
    })
    .await;
    let id = endpoint.delivery_of(&lost);
    let delivered = tenant.delivery_is(&id, "delivered").await;
    assert_eq!(delivered["attempts"], 1);
    let received = endpoint.receives(2).await;
    assert_eq!(received[1].header("webhook-id"), lost);
    assert_eq!(received[1].data(), json!("twin"));
    // What may still be on its way is left alone.
    assert_eq!(tenant.sweep().await["found"], 0);
    let young = tenant.delivery(&endpoint.delivery_of(&recent)).await;
    assert_eq!(young["status"], "pending");

    // They wait in the queue for their next attempt, and the queue is lost.
    endpoint.switch(503).await;
    let mut waiting = Vec::new();
    for nth in 0..5 {
        waiting.push(tenant.publish("order.created", &json!(nth)).await);
    }
    for event in &waiting {
        tenant.delivery_is(event.delivery(), "retrying").await;
    }
    let url = system.queue_url("DeliveryQueue");
    tenant.sqs("PurgeQueue", &json!({ "QueueUrl": url })).await;
    endpoint.switch(200).await;
    assert_eq!(tenant.sweep().await["resent"], 0, "not yet");
    for event in &waiting {
        // 25 minutes later: past the next attempt, and the time that it is given.
        let mut record = item(&tenant, "DeliveriesTable", &event.id).await;
        let past = json!({ "N": (wait::epoch_ms() - 1000).to_string() });
        for field in ["at", "check_at", "wait_at"] {
            assert!(record[field].is_object(), "{record:#}");
            record[field] = past.clone();
        }
        put(&tenant, "DeliveriesTable", &record).await;
    }
    // Two sweeps at once send nothing twice.
    let swept = join_all((0..2).map(|_| tenant.sweep())).await;
    let resent: Vec<u64> = swept
        .iter()
        .map(|s| s["resent"].as_u64().unwrap())
        .collect();
    assert_eq!(resent.iter().sum::<u64>(), 5, "{resent:?}");
    for event in &waiting {
        let delivered = tenant.delivery_is(event.delivery(), "delivered").await;
        assert_eq!(
            (&delivered["attempts"], &delivered["cycle"]),
            (&json!(2), &json!(0))
        );
    }
    endpoint.receives(2 + 5 + 5).await;
    assert_eq!(tenant.sweep().await["resent"], 0);
}

/// A delivery once its record tells of all requests that its endpoint got for it.
async fn told(tenant: &Tenant<'_>, endpoint: &Endpoint<'_>, id: &str) -> Value {
    wait::until("the record tells of every request", || async {
        let requests = endpoint.received().await;
        let its = |r: &&hookpost_tests::Received| id.starts_with(r.header("webhook-id"));
        let delivery = tenant.delivery(id).await;
        let log = delivery["attempt_log"].as_array().unwrap().len();
        let came = requests.iter().filter(its).count();
        if log == came && delivery["attempts"] == came {
            Ok(delivery)
        } else {
            Err(format!("{came} requests, {delivery:#}"))
        }
    })
    .await
}

/// Sends an event after what was sent before, and waits until it has arrived.
async fn fence(tenant: &Tenant<'_>) {
    let fence = tenant.publish("fence", &json!({})).await;
    for delivery in &fence.deliveries {
        tenant.delivery_is(&delivery.id, "delivered").await;
    }
}

#[tokio::test]
async fn a_message_that_comes_twice_makes_at_most_one_more_request_each_time() {
    let tenant = Tenant::new();
    let fences = tenant.endpoint("/success").event_types(&["fence"]);
    fences.create().await;
    let well = tenant.endpoint("/success").event_types(&["well"]);
    let well = well.create().await;
    let ill = tenant
        .endpoint("/status/500")
        .event_types(&["ill"])
        .with("retry", json!({ "delays": ["0s", "1s", "1s"] }))
        .create()
        .await;
    for (endpoint, event_type, status) in [(&well, "well", "delivered"), (&ill, "ill", "dead")] {
        let event = tenant.publish(event_type, &json!({})).await;
        let id = event.delivery();
        let copy = tenant.carrier(id).await;
        let copies = (0..5).map(|_| async {
            tenant.send("DeliveryQueue", &copy.to_string()).await;
        });
        join_all(copies).await;
        tenant.delivery_is(id, status).await;
        fence(&tenant).await;
        let settled = told(&tenant, endpoint, id).await;
        assert_eq!(settled["status"], status, "{settled:#}");
        let most = if status == "delivered" { 1 } else { 3 } + 5;
        assert!(endpoint.received().await.len() <= most);
        for attempt in settled["attempt_log"].as_array().unwrap() {
            assert_eq!(attempt["cycle"], 0);
        }

        // Long after the end of it, one that says that it may not be the first is not even sent.
        let mut late = copy.clone();
        late["sent_at"] = json!(LONG_AGO);
        let mut again = copy;
        again["resend"] = json!(true);
        for message in [late, again] {
            tenant.send("DeliveryQueue", &message.to_string()).await;
        }
        fence(&tenant).await;
        let after = told(&tenant, endpoint, id).await;
        assert_eq!(after["attempt_log"], settled["attempt_log"]);
        assert_eq!(after["status"], status);
    }
}

#[tokio::test]
async fn a_message_of_an_older_cycle_or_release_is_dropped() {
    let tenant = Tenant::new();
    tenant
        .endpoint("/success")
        .event_types(&["fence"])
        .create()
        .await;
    let endpoint = tenant
        .endpoint("/switch")
        .event_types(&["order"])
        .with("retry", json!({ "delays": ["0s", "3s"] }))
        .with("paused", json!(true))
        .create()
        .await;
    endpoint.switch(503).await;
    let event = tenant.publish("order", &json!({})).await;
    let id = event.delivery();
    tenant.delivery_is(id, "held").await;
    let mut first = tenant.carrier(id).await;
    first["sent_at"] = json!(LONG_AGO);
    let first = first.to_string();
    tenant.send("DeliveryQueue", &first).await;
    fence(&tenant).await;
    endpoint.receives(0).await;

    // Released, it waits for its second attempt, and the message from before the release comes.
    endpoint.change(&json!({ "paused": false })).await;
    tenant.delivery_is(id, "retrying").await;
    for _ in 0..3 {
        tenant.send("DeliveryQueue", &first).await;
    }
    let dead = tenant.delivery_is(id, "dead").await;
    assert_eq!(dead["attempts"], 2);
    fence(&tenant).await;
    endpoint.receives(2).await;

    // Replayed, it waits again, and messages of the cycle before come.
    let path = format!("/api/v1/dead-letters/{id}/replay");
    tenant.call(Call::new("POST", path)).await.expect(202);
    let retrying = |d: &Value| d["cycle"] == 1 && d["status"] == "retrying";
    tenant.delivery_where(id, "retrying again", retrying).await;
    for release in [0, 1, 7] {
        let mut older: Value = serde_json::from_str(&first).unwrap();
        older["release"] = json!(release);
        tenant.send("DeliveryQueue", &older.to_string()).await;
    }
    endpoint.switch(200).await;
    let delivered = tenant.delivery_is(id, "delivered").await;
    assert_eq!(
        (&delivered["cycle"], &delivered["attempts"]),
        (&json!(1), &json!(2))
    );
    fence(&tenant).await;
    endpoint.receives(4).await;
    assert_eq!(tenant.delivery(id).await, delivered);
}

#[tokio::test]
async fn a_message_that_comes_early_waits() {
    let tenant = Tenant::new();
    tenant
        .endpoint("/success")
        .event_types(&["fence"])
        .create()
        .await;
    let endpoint = tenant
        .endpoint("/switch")
        .event_types(&["order"])
        .with("retry", json!({ "delays": ["0s", "4s"], "jitter": false }))
        .create()
        .await;
    endpoint.switch(503).await;
    let event = tenant.publish("order", &json!({})).await;
    let retrying = tenant.delivery_is(event.delivery(), "retrying").await;
    endpoint.switch(200).await;
    let mut copy = tenant.carrier(event.delivery()).await;
    copy["sent_at"] = json!(LONG_AGO);
    for _ in 0..3 {
        tenant.send("DeliveryQueue", &copy.to_string()).await;
    }
    fence(&tenant).await;
    endpoint.receives(1).await;
    assert_eq!(tenant.delivery(event.delivery()).await, retrying);

    tenant.delivery_is(event.delivery(), "delivered").await;
    told(&tenant, &endpoint, event.delivery()).await;
    let due = retrying["next_attempt_at"].as_str().unwrap();
    let due = humantime::parse_rfc3339(due).unwrap();
    let due_ms = due.duration_since(UNIX_EPOCH).unwrap().as_millis();
    let received = endpoint.received().await;
    assert!(received.len() <= 1 + 4, "{received:#?}");
    for request in &received[1..] {
        assert!(u128::from(request.at_ms) >= due_ms, "{request:#?}");
    }
}
