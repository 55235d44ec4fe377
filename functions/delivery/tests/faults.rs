//! The whole function, over tables and queues in memory, with one fault at each call it makes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails where it stands"
)]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use delivery::{Settings, Worker};
use hookpost_adapters::Config;
use hookpost_domain::carrier::Carrier;
use hookpost_domain::catalogue::{RetryPolicyDraft, Rules};
use hookpost_domain::counters::Counters;
use hookpost_domain::delivery::{Delivery, Status};
use hookpost_domain::endpoint::EndpointDraft;
use hookpost_domain::event::Event;
use hookpost_domain::ports::World;
use hookpost_domain::signature::Secret;
use hookpost_domain::target::AllowedTargets;
use hookpost_domain::{DeliveryId, EndpointId, EventId, TenantId, Timestamp};
use hookpost_testkit::{Clock, Fault, Faults, Queue, Receiver, Tables};
use serde_json::value::RawValue;

/// How a run ended.
#[derive(Debug)]
struct End {
    record: Delivery,
    requests: Vec<String>,
    exhausted: usize,
    calls: usize,
    noted: usize,
    counted: Counters,
}

/// Writes of counters for one delivery: minute, hour and total of the tenant and of the endpoint,
/// minute and hour of the event's type.
const COUNTS: usize = 8;

/// One event to one endpoint whose receiver answers by `script`, until no message is left.
async fn run(script: &[u16], retry: &str, faults: Faults) -> End {
    let faults = Arc::new(faults);
    let start = Timestamp::from_millis(1_795_262_400_000);
    let clock = Clock::at(start);
    let tables = Tables::new(Arc::clone(&faults));
    let queue = Queue::new(clock.clone(), Arc::clone(&faults));
    let receiver = Receiver::scripted(script);

    let endpoint: EndpointId = "ep_1".parse().unwrap();
    let draft = format!(r#"{{"url":"https://example.com/","event_types":["*"],"retry":{retry}}}"#);
    let draft: EndpointDraft = serde_json::from_str(&draft).unwrap();
    let secret = Secret::generate([1; 32]);
    let none = AllowedTargets::default();
    let made = draft.create(endpoint.clone(), TenantId::default(), secret, &none, start);
    tables.put_endpoint(made.unwrap());
    tables.put_rules(rules());
    let event = Event {
        id: EventId::generate(start, [7; 10]),
        tenant: TenantId::default(),
        event_type: "order.created".parse().unwrap(),
        payload: RawValue::from_string("{}".to_owned()).unwrap(),
        alias: None,
        endpoints: vec![endpoint.clone()],
        deliver_at: None,
    };
    tables.put_event(event.clone());
    let (first, _) = Carrier::first(
        &event,
        &endpoint,
        Duration::ZERO,
        Duration::ZERO,
        false,
        start,
    );
    queue.put(serde_json::to_string(&first).unwrap());

    let config = Config::parse(|name| {
        let named = name.ends_with("_TABLE") || name.ends_with("_URL");
        named.then(|| "x".to_owned())
    });
    let settings = Settings::from(&config.unwrap());
    let worker = Worker::new(
        tables.clone(),
        queue.clone(),
        receiver.clone(),
        clock.clone(),
        settings,
    );
    let worker = Arc::new(worker);
    for _ in 0..200 {
        let Some(next) = queue.next_visible() else {
            break;
        };
        clock.advance(next.since(clock.now()));
        let taken = queue.take();
        let records = taken.iter().map(|one| {
            let mut message = SqsMessage::default();
            message.message_id = Some(one.id.clone());
            message.receipt_handle = Some(one.id.clone());
            message.body = Some(one.body.clone());
            message.attributes = HashMap::from([(
                "ApproximateReceiveCount".to_owned(),
                one.receives.to_string(),
            )]);
            message
        });
        let mut event = SqsEvent::default();
        event.records = records.collect();
        let answer = delivery::handle(event, Duration::from_secs(50), Arc::clone(&worker)).await;
        for one in taken {
            let kept = answer
                .batch_item_failures
                .iter()
                .any(|kept| kept.item_identifier == one.id);
            if !kept {
                queue.delete(&one.id);
            }
        }
    }
    assert_eq!(queue.next_visible(), None, "a message is left");
    let id = DeliveryId {
        event: event.id,
        endpoint,
    };
    End {
        record: tables.record(&id).expect("there is a record"),
        requests: receiver.got(),
        exhausted: queue.exhausted().len(),
        calls: faults.calls(),
        noted: tables.noted().len(),
        counted: tables.counted(&TenantId::default()),
    }
}

/// What the tenant says of its event types: orders are tried twice.
fn rules() -> Rules {
    let draft = r#"{"events": ["order.*"], "retry": {"delays": ["0s", "20s"]}}"#;
    let draft: RetryPolicyDraft = serde_json::from_str(draft).unwrap();
    let policy = draft.check("orders").unwrap();
    Rules::default()
        .with_policy("orders".to_owned(), policy)
        .unwrap()
}

const THREE: &str = r#"{"delays":["0s","5s","10m"]}"#;

/// Plays a scenario once to count its calls, and then with each fault at each call.
async fn with_each_fault(script: &[u16], check: impl Fn(&End)) {
    let clean = run(script, THREE, Faults::none()).await;
    check(&clean);
    assert_eq!(clean.record.log.len(), clean.requests.len());
    for nth in 0..clean.calls {
        for fault in [Fault::Before, Fault::After, Fault::Panic] {
            let end = run(script, THREE, Faults::at(nth, fault)).await;
            let told = format!("{fault:?} at call {nth} of {script:?}: {end:?}");
            check(&end);
            assert!(
                end.requests.len() <= clean.requests.len() + 1,
                "more duplicates than faults: {told}"
            );
            assert!(
                end.record.log.len() <= end.requests.len(),
                "an attempt that was none: {told}"
            );
            assert!(
                end.record.log.len() + 1 >= end.requests.len(),
                "attempts unrecorded: {told}"
            );
            assert!(end.record.attempts <= 3, "too many attempts: {told}");
            assert!(
                end.requests.windows(2).all(|pair| pair[0] == pair[1]),
                "another id: {told}"
            );
        }
    }
}

#[tokio::test]
async fn a_happy_delivery_ends_delivered_whatever_fails() {
    with_each_fault(&[200], |end| {
        assert_eq!(end.record.status_name(), "delivered");
    })
    .await;
}

#[tokio::test]
async fn a_happy_delivery_reads_its_endpoint_and_writes_its_outcome_and_nothing_else() {
    let end = run(&[200], THREE, Faults::none()).await;
    assert_eq!(end.calls, 2 + COUNTS, "beyond the shared writing of counts");
}

#[tokio::test]
async fn what_happened_is_counted() {
    let retried = run(&[500, 503, 200], THREE, Faults::none()).await.counted;
    assert_eq!((retried.delivered, retried.failed), (1, 2));
    assert_eq!((retried.recovered, retried.first_try), (1, 0));
    let dead = run(&[500], THREE, Faults::none()).await.counted;
    assert_eq!((dead.dead, dead.failed, dead.unrecovered), (1, 3, 1));
}

#[tokio::test]
async fn a_retried_delivery_ends_delivered_whatever_fails() {
    with_each_fault(&[500, 503, 200], |end| {
        // A fault may cost an attempt: the third may then be a failure that was scripted earlier.
        assert!(matches!(
            end.record.status,
            Status::Delivered { .. } | Status::Dead { .. }
        ));
    })
    .await;
}

#[tokio::test]
async fn an_exhausted_delivery_reaches_the_exhausted_queue_whatever_fails() {
    with_each_fault(&[500], |end| {
        assert_eq!(end.record.status_name(), "dead");
        assert!((1..=2).contains(&end.exhausted), "{end:?}");
        assert_eq!(end.record.attempts, 3);
    })
    .await;
}

#[tokio::test]
async fn a_gone_endpoint_is_a_dead_letter_whatever_fails() {
    with_each_fault(&[410], |end| {
        assert_eq!(end.record.status_name(), "dead");
        // Where the outcome was lost, the endpoint is disabled by the time the message is back.
        let reason = end.record.status;
        assert!(end.exhausted >= 1 || end.requests.len() == 1, "{reason:?}");
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_without_a_policy_is_tried_as_the_type_says_whatever_fails() {
    let clean = run(&[500], "null", Faults::none()).await;
    assert_eq!((clean.record.attempts, clean.requests.len()), (2, 2));
    let log = &clean.record.log;
    let wait = log[1].at.since(log[0].at);
    assert!((15..=26).contains(&wait.as_secs()), "{wait:?}");
    for nth in 0..clean.calls {
        for fault in [Fault::Before, Fault::After, Fault::Panic] {
            let end = run(&[500], "null", Faults::at(nth, fault)).await;
            assert_eq!(end.record.status_name(), "dead", "{fault:?} at {nth}");
            assert_eq!(end.record.attempts, 2, "{fault:?} at {nth}: {end:?}");
        }
    }
    let happy = run(&[200], "null", Faults::none()).await;
    assert_eq!(happy.calls, 2 + COUNTS, "no policy is asked for");
}

#[tokio::test]
async fn a_breaker_that_opens_notes_its_endpoint_first() {
    let many = r#"{"delays":["0s","1s","1s","1s","1s","1s","1s"]}"#;
    let end = run(&[500], many, Faults::none()).await;
    assert_eq!(end.noted, 1);
    assert_eq!(end.record.status_name(), "dead");
    assert_eq!(end.requests.len(), 7);
}
