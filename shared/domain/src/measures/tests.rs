use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::delivery::{AttemptResult, DeadReason};
use crate::{DeliveryId, EventId, TenantId};

const NOW: Timestamp = Timestamp::from_millis(1_795_262_400_000);

/// What CloudWatch makes of lines: all values by metric and dimensions.
fn read(lines: &[String]) -> BTreeMap<(String, String), Vec<u64>> {
    let mut told = BTreeMap::<_, Vec<u64>>::new();
    for line in lines {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["_aws"]["Timestamp"], NOW.as_millis());
        for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
            assert_eq!(directive["Namespace"], NAMESPACE);
            let sets = directive["Dimensions"].as_array().unwrap();
            assert_eq!(sets.len(), 1);
            let names = sets[0].as_array().unwrap().iter();
            let dimensions: Vec<String> = names
                .map(|name| {
                    let name = name.as_str().unwrap();
                    format!("{name}={}", line[name].as_str().unwrap())
                })
                .collect();
            for metric in directive["Metrics"].as_array().unwrap() {
                let name = metric["Name"].as_str().unwrap();
                let known = Metric::ALL.iter().find(|known| known.name() == name);
                assert_eq!(metric["Unit"], known.unwrap().unit());
                let values: Vec<u64> = match line[name].as_array() {
                    Some(values) => values.iter().map(|v| v.as_u64().unwrap()).collect(),
                    None => vec![line[name].as_u64().unwrap()],
                };
                assert!((1..=MAX_VALUES).contains(&values.len()), "{name}");
                let key = (name.to_owned(), dimensions.join(","));
                told.entry(key).or_default().extend(values);
            }
        }
    }
    told
}

fn delivery() -> Delivery {
    let id = DeliveryId {
        event: EventId::generate(NOW, [1; 10]),
        endpoint: "ep_1".parse().unwrap(),
    };
    Delivery::new(id, TenantId::default(), "order.created".parse().unwrap())
}

fn attempt(result: AttemptResult) -> Attempt {
    Attempt {
        number: 1,
        cycle: 0,
        at: NOW,
        latency_ms: 40,
        result,
    }
}

fn of_write(after: &Delivery, attempt: Option<&Attempt>, now: Timestamp) -> Measures {
    let counts = Counters::of_write(&delivery(), after, attempt);
    let mut measures = Measures::default();
    measures.note_write(&delivery(), after, attempt, &counts, now);
    measures
}

#[test]
fn nothing_is_told_of_nothing() {
    let mut measures = Measures::default();
    measures.note(Metric::EventsAccepted, 0);
    measures.note(Metric::OldestUndelivered, 0);
    assert!(measures.is_empty());
    assert!(measures.lines("hookpost", NOW).is_empty());
}

#[test]
fn a_batch_of_successes_is_one_line_to_the_byte() {
    let mut measures = Measures::default();
    for latency in [12, 30] {
        measures.note(Metric::WebhookLatency, latency);
        measures.note_of(Metric::WebhookDelivery, SUCCESS, 1);
    }
    let expected = concat!(
        r#"{"_aws":{"Timestamp":1795262400000,"CloudWatchMetrics":["#,
        r#"{"Namespace":"Hookpost","Dimensions":[["Stack"]],"#,
        r#""Metrics":[{"Name":"WebhookLatency","Unit":"Milliseconds"}]},"#,
        r#"{"Namespace":"Hookpost","Dimensions":[["Stack","Status"]],"#,
        r#""Metrics":[{"Name":"WebhookDelivery","Unit":"Count"}]}]},"#,
        r#""Stack":"hookpost","WebhookLatency":[12,30],"Status":"Success","WebhookDelivery":2}"#,
    );
    assert_eq!(measures.lines("hookpost", NOW), [expected]);
}

#[test]
fn what_became_of_a_delivery_is_told_by_status_and_its_failures_by_type() {
    let accepted = attempt(AttemptResult::Accepted(200));
    let failed = attempt(AttemptResult::Failed {
        kind: FailureKind::Http(503),
        detail: String::new(),
        response: String::new(),
    });
    let later = NOW.after(std::time::Duration::from_secs(7));
    let once = |delivery: Delivery| Delivery {
        attempts: 1,
        ..delivery
    };
    let told = |measures: Measures| read(&measures.lines("s", NOW));
    let key = |name: &str, more: &str| (name.to_owned(), format!("Stack=s{more}"));

    let delivered = told(of_write(
        &once(delivery().delivered(later)),
        Some(&accepted),
        later,
    ));
    assert_eq!(delivered[&key("WebhookDelivery", ",Status=Success")], [1]);
    assert_eq!(delivered[&key("WebhookLatency", "")], [40]);
    assert_eq!(delivered[&key("WebhookDelay", "")], [7000]);
    assert_eq!(delivered[&key("WebhookAttempts", "")], [1]);
    assert_eq!(delivered.len(), 4);

    let parked = delivery().parked(later, None);
    let parked = told(of_write(&once(parked), Some(&failed), later));
    assert_eq!(parked[&key("WebhookError", ",ErrorType=http_5xx")], [1]);
    assert_eq!(parked[&key("DeliveriesParked", "")], [1]);
    assert_eq!(parked[&key("OldestUndelivered", "")], [7]);
    assert_eq!(parked.len(), 3);

    let dead = once(delivery().dead(DeadReason::AttemptsExhausted, later));
    let dead = told(of_write(&dead, Some(&failed), later));
    assert_eq!(dead[&key("WebhookDelivery", ",Status=Failure")], [1]);
    assert_eq!(dead.len(), 3);
}

proptest! {
    /// Whatever was measured: no line has two values of a dimension, or more values than
    /// CloudWatch takes, and nothing is lost or told twice.
    #[test]
    fn everything_is_told_once(
        latencies in proptest::collection::vec(0u64..40_000, 0..350),
        errors in proptest::collection::vec(0u16..600, 0..30),
        dead in 0u64..3, delivered in 0u64..1000, ages in proptest::collection::vec(0u64..100, 0..5),
    ) {
        let mut measures = Measures::default();
        for latency in &latencies {
            measures.note(Metric::WebhookLatency, *latency);
        }
        for status in &errors {
            measures.note_of(Metric::WebhookError, error_type(FailureKind::Http(*status)), 1);
        }
        measures.note_of(Metric::WebhookDelivery, FAILURE, dead);
        measures.note_of(Metric::WebhookDelivery, SUCCESS, delivered);
        for age in &ages {
            measures.note(Metric::OldestUndelivered, *age);
        }
        let told = read(&measures.lines("s", NOW));
        let sum = |name: &str| -> u64 {
            let of = told.iter().filter(|((metric, _), _)| metric == name);
            of.flat_map(|(_, values)| values).sum()
        };
        let none = Vec::new();
        let key = ("WebhookLatency".to_owned(), "Stack=s".to_owned());
        prop_assert_eq!(told.get(&key).unwrap_or(&none), &latencies);
        prop_assert_eq!(sum("WebhookError"), errors.len() as u64);
        prop_assert_eq!(sum("WebhookDelivery"), dead + delivered);
        prop_assert_eq!(sum("OldestUndelivered"), ages.iter().copied().max().unwrap_or(0));
        prop_assert_eq!(measures.is_full(), latencies.len() >= MAX_VALUES);
    }
}
