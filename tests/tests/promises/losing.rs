//! At least once, whatever happens: processes that are killed, messages that get lost.
//!
//! An hour cannot be waited for here: where time has to pass, what the tables say of it is changed.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use futures::future::join_all;
use hookpost_tests::{Accepted, Call, System, Tenant, wait};
use serde_json::{Value, json};

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
pub(crate) async fn item(tenant: &Tenant<'_>, table: &str, event_id: &str) -> Value {
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

pub(crate) async fn put(tenant: &Tenant<'_>, table: &str, item: &Value) {
    let input = json!({ "TableName": tenant.system().table_name(table), "Item": item });
    tenant.dynamodb("PutItem", &input).await;
}

/// Stores an event once more, as if it had been accepted so long ago. Its id.
pub(crate) async fn accept_earlier(tenant: &Tenant<'_>, event_id: &str, ago: Duration) -> String {
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
    // What was found is told as a metric.
    for (name, sum) in [("DeliveriesFound", 1.0), ("DeliveriesResent", 5.0)] {
        let metric = format!("Hookpost/{name}{{Stack=hookpost-local}}");
        wait::until("the metric is published", || async {
            let stats = tenant.stats().await;
            let told = &stats["metrics"][&metric]["sum"];
            if *told == json!(sum) {
                Ok(())
            } else {
                Err(format!("{name} is {told}: {:#}", stats["metrics"]))
            }
        })
        .await;
    }
}
