//! The fake, and the assertions about what was published through it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails where it stands"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use hookpost_client::matchers::{at, equals};
use hookpost_client::{
    Client, Event, FakeLog, Problem, PublishError, assert_not_published, assert_published,
};
use serde_json::{Value, json};

async fn published() -> (Client, FakeLog) {
    let (client, log) = Client::fake();
    for n in 1..=2 {
        let order = json!({ "order": { "id": n }, "paid": n == 1 });
        let event = Event::new("order.created", &order).unwrap();
        client.publish(&event.tenant("acme")).await.unwrap();
    }
    (client, log)
}

/// What a failed assertion says.
fn complaint<T>(assertion: impl FnOnce() -> T) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(assertion)) else {
        panic!("it holds");
    };
    *panic.downcast::<String>().unwrap()
}

#[tokio::test]
async fn what_was_published_can_be_asserted() {
    let (_, log) = published().await;
    let sent = assert_published!(log, "order.created");
    assert_eq!(sent[0].tenant.as_deref(), Some("acme"));
    assert_published!(log, "order.created", times = 2);
    assert_published!(log, "order.created", { "order": { "id": 2 } });
    assert_published!(log, "order.created", at("/order/id", 2));
    assert_published!(log, "order.created", |payload: &Value| payload["paid"]
        == true);
    let whole = json!({ "order": { "id": 2 }, "paid": false });
    assert_published!(log, "order.created", equals(whole));
    assert_not_published!(log, "order.cancelled");
    log.clear();
    assert_not_published!(log);
}

#[tokio::test]
async fn a_failed_assertion_shows_what_was_published_instead() {
    let (_, log) = published().await;
    for text in [
        complaint(|| assert_published!(log, "order.cancelled")),
        complaint(|| assert_published!(log, "order.created", times = 1)),
        complaint(|| assert_published!(log, "order.created", { "order": { "id": 3 } })),
        complaint(|| assert_not_published!(log, "order.created")),
        complaint(|| assert_not_published!(log)),
    ] {
        assert!(
            text.contains(r#"order.created {"order":{"id":1},"paid":true}"#),
            "{text}"
        );
    }
    let text = complaint(|| assert_published!(log, "order.created", { "order": { "id": 3 } }));
    assert!(text.contains("payload.order.id is 1, not 3"), "{text}");
}

#[tokio::test]
async fn a_repeat_is_a_duplicate_as_with_the_api() {
    let (client, log) = Client::fake();
    let event = Event::new("order.created", &json!({})).unwrap();
    let own = Event::new("order.created", &json!({})).unwrap().id("o-1");
    for event in [&event, &own] {
        let first = client.publish(event).await.unwrap();
        let again = client.publish(event).await.unwrap();
        assert_eq!((first.duplicate, again.duplicate), (false, true));
        assert_eq!(first.id, again.id);
    }
    let results = client.publish_batch(&[event, own]).await.unwrap();
    assert!(
        results
            .iter()
            .all(|result| result.as_ref().unwrap().duplicate)
    );
    assert_published!(log, "order.created", times = 2);
}

#[tokio::test]
async fn failures_can_be_ordered() {
    let (client, log) = Client::fake();
    let event = Event::new("order.created", &json!({})).unwrap();
    log.fail_next(PublishError::Refused(Problem::new(422, "invalid", "no")));
    let error = client.publish(&event).await.unwrap_err();
    assert_eq!(error.problem().unwrap().name(), "invalid");
    assert_not_published!(log);
    client.publish(&event).await.unwrap();
    assert_published!(log, "order.created");
}
