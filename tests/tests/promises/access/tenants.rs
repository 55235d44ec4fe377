//! Nothing of one tenant is visible to another, whatever it is asked by.

use hookpost_tests::{Accepted, Tenant, wait};
use serde_json::{Value, json};

use super::{holder, make_key, owner};

/// One of everything, by its path.
async fn one_of_each(owner: &Tenant<'_>) -> Vec<String> {
    let endpoint = owner.endpoint("/gone").create().await;
    let event: Accepted = owner.publish("order.created", &json!({})).await;
    let delivery = event.delivery().to_owned();
    owner.delivery_is(&delivery, "dead").await;
    let order = json!({ "filter": { "delivery_ids": [delivery] }, "dry_run": true });
    let replay = owner.post("/replays", &order).await.expect(202);
    let (_, key) = make_key(owner, &["read"], &json!({})).await;
    let text = |of: &Value| of["id"].as_str().unwrap().to_owned();
    vec![
        format!("/endpoints/{}", endpoint.id),
        format!("/endpoints/{}/health", endpoint.id),
        format!("/events/{}", event.id),
        format!("/deliveries/{delivery}"),
        format!("/dead-letters/{delivery}"),
        format!("/replays/{}", text(&replay)),
        format!("/api-keys/{}", text(&key)),
    ]
}

#[tokio::test]
async fn what_is_anothers_is_not_there() {
    let (owner, other) = (owner(), owner());
    let paths = one_of_each(&owner).await;
    let admin = holder(&other, &["admin", "publish"]).await;
    for path in &paths {
        owner.get(path).await.expect(200);
        let missing = admin.get(path).await.problem(404);
        let (parent, id) = path.rsplit_once('/').unwrap();
        assert!(
            !missing.detail.contains(id) || parent.ends_with(id),
            "{missing:?}"
        );
    }
    for list in ["/endpoints", "/dead-letters", "/api-keys", "/audit"] {
        let listed = admin.get(list).await.expect(200).to_string();
        assert!(!listed.contains(&owner.id), "{list}: {listed}");
    }
    for path in [&paths[0], &paths[6]] {
        admin.delete(path).await.problem(404);
        owner.get(path).await.expect(200);
    }
    let path = format!("{}/replay", paths[4]);
    admin.post(&path, &json!({})).await.problem(404);
    admin
        .patch(&paths[0], &json!({ "name": "mine" }))
        .await
        .problem(404);
}

#[tokio::test]
async fn a_tenant_named_in_a_body_has_to_be_the_keys_own() {
    let (owner, other) = (owner(), owner());
    let holder = holder(&owner, &["publish", "manage"]).await;
    let event = |tenant: &str| json!({ "event_type": "a", "payload": {}, "tenant": tenant });
    holder.post("/events", &event(&owner.id)).await.expect(202);
    holder.post("/events", &event(&other.id)).await.problem(403);
    let batch = json!({ "events": [event(&owner.id), event(&other.id)] });
    let answer = holder.post("/events/batch", &batch).await.expect(202);
    assert_eq!(answer["accepted"], 1);
    assert_eq!(answer["results"][1]["status"], 403);
    let order = json!({ "filter": { "all": true }, "tenant": other.id });
    holder.post("/replays", &order).await.problem(403);
    // Both refusals of events are in the log of the key's own tenant.
    wait::until("the refused calls in the audit log", || async {
        let refused = owner
            .get("/audit?outcome=refused&resource=events")
            .await
            .expect(200);
        match refused["data"].as_array().unwrap().len() {
            2 => Ok(()),
            _ => Err(format!("{refused:#}")),
        }
    })
    .await;
}
