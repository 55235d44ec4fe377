//! Endpoints that the deployment declares are there without a call, are not changed by one, and are
//! let go when they are declared no more.

use futures::future::join_all;
use hookpost_tests::{System, Tenant, wait};
use serde_json::{Value, json};

/// Makes what is declared so, and tells what was done.
async fn reconcile(tenant: &Tenant<'_>) -> Value {
    let invocation = tenant.invoke("admin", &json!({ "reconcile": true })).await;
    assert!(!invocation.failed, "{:#}", invocation.payload);
    invocation.payload
}

async fn endpoints(tenant: &Tenant<'_>) -> Vec<Value> {
    let list = tenant.get("/endpoints").await.expect(200);
    let mut all = list["data"].as_array().unwrap().clone();
    all.sort_by_key(|one| one["url"].as_str().unwrap().to_owned());
    all
}

#[tokio::test]
async fn they_come_and_go_with_the_deployments_settings() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("declared-{}", std::process::id()));
    let data = folder.to_str().unwrap();
    let never = ["--data", data, "--schedule-every", "1h"];
    let first = System::start_with(&[], &never);
    let receiver = first.url("receiver").to_owned();
    drop(first);

    let (one, other) = (
        format!("{receiver}/success/a"),
        format!("{receiver}/success/b"),
    );
    let secret = "declared-by-the-deployment";
    let urls = format!("{one},{other}");
    let settings =
        format!("WEBHOOK_0_SECRET={secret} WEBHOOK_1_EVENTS=user.* WEBHOOK_1_MAX_RETRIES=3");
    let both = [
        ("WebhookUrls", urls.as_str()),
        ("WebhookSettings", &settings),
    ];
    let second = System::start_again(&both, data, &receiver);
    let tenant = Tenant::on(&second).called("default");
    // Two at once, and the schedule besides, make no more than there should be.
    let order = json!({ "reconcile": true });
    join_all((0..2).map(|_| tenant.invoke("admin", &order))).await;
    wait::until("both are there", || async {
        match endpoints(&tenant).await.len() {
            2 => Ok(()),
            other => Err(other.to_string()),
        }
    })
    .await;
    wait::until("there is nothing left to do", || async {
        let done = reconcile(&tenant).await;
        if done == json!({ "declared": 2, "changed": 0, "released": 0 }) {
            Ok(())
        } else {
            Err(done.to_string())
        }
    })
    .await;
    let all = endpoints(&tenant).await;
    let [a, b] = all.as_slice() else {
        panic!("{all:#?}");
    };
    assert_eq!(
        (&a["managed_by"], &a["name"]),
        (&json!("deployment"), &json!("webhook-0"))
    );
    assert_eq!(b["event_types"], json!(["user.*"]));
    assert_eq!(b["retry"]["max_attempts"], 3);
    let audit = tenant.get("/audit?actor=deployment").await.expect(200);
    assert!(!audit["data"].as_array().unwrap().is_empty(), "{audit:#}");
    tenant.tell_secret("/success/a", secret).await;
    let event = tenant.publish("order.created", &json!({})).await;
    tenant.delivery_is(event.delivery(), "delivered").await;
    let received = tenant.received_at("/success/a").await;
    assert_eq!(received[0].signature, "verified");

    let path = format!("/endpoints/{}", a["id"].as_str().unwrap());
    let change = json!({ "event_types": ["x"] });
    let refused = tenant.patch(&path, &change).await.problem(409);
    assert!(refused.json["detail"].as_str().unwrap().contains("deploy"));
    tenant.delete(&path).await.problem(409);
    let rotate = format!("{path}/rotate-secret");
    tenant.post(&rotate, &json!({})).await.problem(409);
    // Whoever is on call can stop it all the same.
    let pause = format!("{path}/pause");
    tenant.post(&pause, &json!({})).await.expect(200);
    assert_eq!(reconcile(&tenant).await["changed"], 0);
    drop(second);

    // One is declared no more: its neighbour stays what it is, under its id.
    let third = System::start_again(&[("WebhookUrls", other.as_str())], data, &receiver);
    let tenant = Tenant::on(&third).called("default");
    wait::until("the first is let go", || async {
        reconcile(&tenant).await;
        let gone = tenant.get(&path).await.expect(200);
        if gone["managed_by"].is_null() {
            Ok(())
        } else {
            Err(format!("{gone:#}"))
        }
    })
    .await;
    let all = endpoints(&tenant).await;
    assert_eq!(all[0]["disabled_by"], "deployment");
    assert_eq!(all[1]["id"], b["id"]);
    assert_eq!(all[1]["event_types"], json!(["*"]));
    let event = tenant.publish("order.created", &json!({})).await;
    assert_eq!(event.deliveries.len(), 1);
    tenant.delete(&path).await.expect(204);
    drop(third);
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_declaration_that_makes_no_sense_is_told_and_the_api_goes_on() {
    let wrong = [("WebhookUrls", "http://10.0.0.1/")];
    let system = System::start_with(&wrong, &["--schedule-every", "1h"]);
    let tenant = Tenant::on(&system);
    let invocation = tenant.invoke("admin", &json!({ "reconcile": true })).await;
    assert!(invocation.failed, "{:#}", invocation.payload);
    let told = invocation.payload.to_string();
    assert!(told.contains("make no sense: url"), "{told}");
    tenant.get("/endpoints").await.expect(200);
}
