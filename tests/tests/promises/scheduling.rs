//! An event can be posted for later: it goes out then, once, and can be called off until then.

use hookpost_tests::{Accepted, Tenant, wait};
use serde_json::json;

/// Seconds since the epoch, `ahead` from now.
fn unix(ahead: u64) -> u64 {
    wait::epoch_ms() / 1000 + ahead
}

#[tokio::test]
async fn a_scheduled_event_goes_out_when_it_is_due_and_not_before() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let due = unix(3);
    let body = json!({ "event_type": "order.due", "payload": { "n": 1 }, "deliver_at": due });
    let answer = tenant.post("/events", &body).await.expect(202);
    assert!(!answer["deliver_at"].is_null(), "{answer:#}");
    let event = Accepted::read(&answer);
    let shown = tenant
        .get(&format!("/events/{}", event.id))
        .await
        .expect(200);
    assert_eq!(shown["deliver_at"], answer["deliver_at"]);
    tenant.delivery_is(event.delivery(), "delivered").await;
    let received = endpoint.receives(1).await;
    assert!(
        received[0].at_ms >= due * 1000,
        "{} < {due}",
        received[0].at_ms
    );
}

#[tokio::test]
async fn a_far_schedule_is_parked_and_called_off_with_its_event() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let body = json!({ "event_type": "order.due", "payload": {}, "deliver_at": unix(86_400) });
    let event = Accepted::read(&tenant.post("/events", &body).await.expect(202));
    let parked = tenant.delivery_is(event.delivery(), "parked").await;
    assert!(!parked["next_attempt_at"].is_null(), "{parked:#}");
    let path = format!("/events/{}/cancel", event.id);
    for _ in 0..2 {
        let called_off = tenant.post(&path, &json!({})).await.expect(200);
        assert_eq!(called_off["cancelled"], 1, "{called_off:#}");
        assert_eq!(called_off["finished"], 0);
    }
    assert_eq!(
        tenant.delivery(event.delivery()).await["status"],
        "cancelled"
    );
    assert!(endpoint.received().await.is_empty());
    // What is over stays as it is.
    let over = tenant.publish("order.created", &json!({})).await;
    tenant.all_delivered(&over).await;
    let late = tenant
        .delete(&format!("/events/{}", over.id))
        .await
        .expect(200);
    assert_eq!(late["finished"], 1, "{late:#}");
    // Nor does another tenant call anything off.
    let other = Tenant::new();
    other
        .delete(&format!("/events/{}", over.id))
        .await
        .problem(404);
}

#[tokio::test]
async fn a_delayed_message_of_what_was_called_off_sends_nothing() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let body = json!({ "event_type": "order.due", "payload": {}, "deliver_at": unix(2) });
    let event = Accepted::read(&tenant.post("/events", &body).await.expect(202));
    tenant
        .delete(&format!("/events/{}", event.id))
        .await
        .expect(200);
    // An event that is due later has gone out, so this one's message has come and gone.
    let body = json!({ "event_type": "order.due", "payload": {}, "deliver_at": unix(3) });
    let later = Accepted::read(&tenant.post("/events", &body).await.expect(202));
    tenant.delivery_is(later.delivery(), "delivered").await;
    let received = endpoint.receives(1).await;
    assert_eq!(received[0].header("webhook-id"), later.id);
    assert_eq!(
        tenant.delivery(event.delivery()).await["status"],
        "cancelled"
    );
}

#[tokio::test]
async fn a_schedule_is_part_of_what_a_key_stands_for_and_the_past_means_now() {
    let tenant = Tenant::new();
    tenant.endpoint("/success").create().await;
    let body =
        |at: &str| json!({ "id": "once", "event_type": "a", "payload": {}, "deliver_at": at });
    let past = tenant
        .post("/events", &body("2020-01-01T01:00:00+01:00"))
        .await;
    let event = Accepted::read(&past.expect(202));
    tenant.all_delivered(&event).await;
    let same = tenant
        .post("/events", &body("2020-01-01T00:00:00Z"))
        .await
        .expect(202);
    assert_eq!(same["id"], json!(event.id));
    assert_eq!(same["duplicate"], true);
    tenant
        .post("/events", &body("2020-01-02T00:00:00Z"))
        .await
        .refuses(409, "id");
}

#[tokio::test]
async fn what_is_no_time_or_too_far_ahead_is_refused_by_name() {
    let tenant = Tenant::new();
    for at in [
        json!("soon"),
        json!({}),
        json!(true),
        json!(unix(366 * 86_400)),
        json!("2999-01-01T00:00:00Z"),
    ] {
        let body = json!({ "event_type": "a", "payload": {}, "deliver_at": at });
        tenant
            .post("/events", &body)
            .await
            .refuses(422, "deliver_at");
    }
}

#[tokio::test]
async fn a_large_fan_out_heeds_the_schedule_and_each_first_delay() {
    let tenant = Tenant::new();
    let slow = tenant
        .endpoint("/success")
        .with("retry", json!({ "delays": ["3s"], "jitter": false }))
        .create()
        .await;
    for chunk in (0..101).collect::<Vec<_>>().chunks(25) {
        let made = chunk.iter().map(|_| tenant.endpoint("/success").create());
        futures::future::join_all(made).await;
    }
    // Until ingest knows them all.
    let event = wait::until("all endpoints", || async {
        let event = tenant.publish("order.created", &json!({})).await;
        if event.deliveries.len() == 102 {
            Ok(event)
        } else {
            Err("not yet".to_owned())
        }
    })
    .await;
    let delivery = slow.delivery_of(&event.id);
    let delivered = tenant.delivery_is(&delivery, "delivered").await;
    let at = |text: &str| -> u128 {
        let time = humantime::parse_rfc3339(text).unwrap();
        time.duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_millis()
    };
    let first = delivered["attempt_log"][0]["at"].as_str().unwrap();
    let waited = at(first) - at(delivered["created_at"].as_str().unwrap());
    assert!(waited >= 3000, "{waited} ms");
}
