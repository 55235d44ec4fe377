//! The trace of a request: from who publishes to who receives.

use hookpost_tests::{Accepted, Call, Received, Tenant};
use serde_json::{Value, json};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

/// The trace and the span that a request came with.
fn trace_of(received: &Received) -> (String, String) {
    let parts: Vec<&str> = received.header("traceparent").split('-').collect();
    assert_eq!((parts.len(), parts[0]), (4, "00"), "{parts:?}");
    assert_eq!((parts[1].len(), parts[2].len()), (32, 16), "{parts:?}");
    (parts[1].to_owned(), parts[2].to_owned())
}

async fn post(tenant: &Tenant<'_>, path: &str, trace: &str, body: &Value) -> Value {
    let call = Call::new("POST", format!("/api/v1{path}"));
    let call = call.header("traceparent", trace).json(body);
    tenant.call(call).await.expect(202)
}

#[tokio::test]
async fn the_trace_of_a_call_reaches_the_receiver_with_a_span_for_each_attempt() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/flaky?fail=1")
        .with("retry", json!({ "delays": [0, 1], "jitter": false }))
        .create()
        .await;
    // One that travels in the message, and one that is read from the table.
    for payload in [json!({ "n": 1 }), json!("x".repeat(40 * 1024))] {
        let before = endpoint.received().await.len();
        let event = json!({ "event_type": "order.created", "payload": payload });
        let given = format!("00-{TRACE}-{SPAN}-01");
        let accepted = Accepted::read(&post(&tenant, "/events", &given, &event).await);
        tenant.all_delivered(&accepted).await;
        let received = endpoint.received().await.split_off(before);
        let traces: Vec<_> = received.iter().map(trace_of).collect();
        assert_eq!(traces.len(), 2);
        for (nth, (trace, span)) in traces.iter().enumerate() {
            assert_eq!(trace, TRACE);
            assert_ne!(span, SPAN);
            let alike = traces.iter().filter(|(_, other)| other == span).count();
            assert_eq!(alike, 1, "attempt {nth}");
            assert!(received[nth].header("traceparent").ends_with("-01"));
        }
    }
}

#[tokio::test]
async fn a_batch_is_part_of_its_calls_trace() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let event = json!({ "event_type": "order.created", "payload": {} });
    let body = json!({ "events": [event, event] });
    let given = format!("00-{TRACE}-{SPAN}-00");
    post(&tenant, "/events/batch", &given, &body).await;
    for received in endpoint.receives(2).await {
        assert_eq!(trace_of(&received).0, TRACE);
    }
}

#[tokio::test]
async fn without_a_trace_or_with_one_that_is_none_it_is_the_events_own_id() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let event = json!({ "event_type": "order.created", "payload": {} });
    for (nth, wrong) in ["", "00-0-0-00", "Root=1-5759e988-bd862e3fe1be46a994272793"]
        .into_iter()
        .enumerate()
    {
        let accepted = Accepted::read(&post(&tenant, "/events", wrong, &event).await);
        let received = endpoint.receives(nth + 1).await;
        let ids: Vec<_> = received.iter().map(|one| trace_of(one).0).collect();
        assert!(ids.contains(&accepted.id.replace('-', "")), "{ids:?}");
    }
}
