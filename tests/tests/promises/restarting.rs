//! The local system keeps what it has in a folder: stopped and started again, it goes on.

use hookpost_tests::{System, Tenant, wait};
use serde_json::json;

#[tokio::test]
async fn what_was_there_before_a_stop_is_there_after_it_and_goes_on() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("restarting-{}", std::process::id()));
    let data = folder.to_str().unwrap();
    let parameters = [("ParkAfterSeconds", "4")];
    let first = System::start_with(&parameters, &["--data", data]);
    let tenant = Tenant::on(&first);
    // A switch is forgotten when the receiver ends: after the restart it answers 200.
    let failing = |event_type: &'static str, delays: serde_json::Value| {
        tenant
            .endpoint("/switch")
            .event_types(&[event_type])
            .with("retry", json!({ "delays": delays }))
    };
    let dying = failing("dying", json!(["0s"])).create().await;
    let waiting = failing("waiting", json!(["0s", "3s"])).create().await;
    let parking = failing("parking", json!(["0s", "8s"])).create().await;
    let paused = tenant
        .endpoint("/success")
        .event_types(&["paused"])
        .with("paused", json!(true))
        .create()
        .await;
    let busy = tenant
        .endpoint("/slow?ms=1500")
        .event_types(&["busy"])
        .create()
        .await;
    for endpoint in [&dying, &waiting, &parking] {
        endpoint.switch(503).await;
    }
    let held = tenant.publish("paused", &json!({})).await;
    tenant.delivery_is(held.delivery(), "held").await;
    let dead = tenant.publish("dying", &json!({ "n": 1 })).await;
    let letter = tenant.delivery_is(dead.delivery(), "dead").await;
    wait::until("it is in the dead-letter queue", || async {
        let attribute = "ApproximateNumberOfMessages";
        match tenant.queue_attribute("DeadLetterQueue", attribute).await {
            count if count == "1" => Ok(()),
            count => Err(count),
        }
    })
    .await;
    let parked = tenant.publish("parking", &json!({ "n": 2 })).await;
    tenant.delivery_is(parked.delivery(), "parked").await;
    let kept = tenant.publish("waiting", &json!({ "n": 3 })).await;
    tenant.delivery_is(kept.delivery(), "retrying").await;
    let endpoints = tenant.get("/endpoints").await.expect(200);
    let event = tenant
        .get(&format!("/events/{}", dead.id))
        .await
        .expect(200);
    let busy_event = tenant.publish("busy", &json!({})).await;
    busy.receives(1).await;
    let receiver = first.url("receiver").to_owned();
    let (id, paths) = (
        tenant.id.clone(),
        [waiting.path.clone(), parking.path.clone()],
    );
    let (paused_id, paused_path) = (paused.id.clone(), paused.path.clone());
    let secrets = [waiting.secret.clone(), parking.secret.clone()];
    drop(first);

    let second = System::start_again(&parameters, data, &receiver);
    let mut tenant = Tenant::on(&second);
    tenant.id = id;
    assert_eq!(second.url("receiver"), receiver);
    for (path, secret) in paths.iter().zip(&secrets) {
        tenant.tell_secret(path, secret).await;
    }
    assert_eq!(tenant.get("/endpoints").await.expect(200), endpoints);
    // What was under way was brought to its end before the stop.
    let delivered = tenant.delivery(busy_event.delivery()).await;
    assert_eq!(
        (&delivered["status"], &delivered["attempts"]),
        (&json!("delivered"), &json!(1))
    );
    let path = format!("/events/{}", dead.id);
    let shown = tenant.get(&path).await.expect(200);
    assert_eq!(shown["payload"], event["payload"]);
    assert_eq!(tenant.delivery(dead.delivery()).await, letter);
    let listed = tenant.get("/dead-letters").await.expect(200);
    assert_eq!(listed["data"][0]["delivery_id"], dead.delivery());
    let buried = tenant.receive("DeadLetterQueue", 60).await;
    assert_eq!(buried.len(), 1);
    assert_eq!(buried[0].json()["delivery_id"], dead.delivery());

    for (event, path) in [&kept, &parked].into_iter().zip(&paths) {
        let delivered = tenant.delivery_is(event.delivery(), "delivered").await;
        assert_eq!(delivered["attempts"], 2);
        let received = tenant.received_at(path).await;
        assert_eq!(received.len(), 1);
        assert_eq!(received[0].header("webhook-id"), event.id);
    }
    let resume = json!({ "paused": false });
    let path = format!("/endpoints/{paused_id}");
    tenant.patch(&path, &resume).await.expect(200);
    tenant.delivery_is(held.delivery(), "delivered").await;
    assert_eq!(tenant.received_at(&paused_path).await.len(), 1);
    drop(second);
    std::fs::remove_dir_all(&folder).unwrap();
}
