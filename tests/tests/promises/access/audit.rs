//! The audit log: who did what, when, from where, and what came of it.

use std::collections::BTreeSet;

use hookpost_tests::{Call, Tenant, wait};
use serde_json::{Value, json};

use super::{holder, make_key, owner, system, time_in};

fn data(page: &Value) -> &[Value] {
    page["data"].as_array().unwrap()
}

#[tokio::test]
async fn whatever_changes_something_is_noted_with_what_came_of_it() {
    let owner = owner();
    let (key, made) = make_key(&owner, &["manage"], &json!({})).await;
    let manager = Tenant::on(system()).called(&owner.id).with_key(&key);
    let actor = format!("key:{}", made["id"].as_str().unwrap());
    let body = json!({ "url": "https://example.com/x", "event_types": ["a"] });
    let endpoint = manager.post("/endpoints", &body).await.expect(201);
    let path = format!("/endpoints/{}", endpoint["id"].as_str().unwrap());
    manager.get(&path).await.expect(200);
    manager
        .patch(&path, &json!({ "timeout_seconds": 99 }))
        .await
        .refuses(422, "timeout_seconds");
    let order = json!({ "filter": { "all": true }, "dry_run": true });
    let replay = manager.post("/replays", &order).await.expect(202);
    manager.delete(&path).await.expect(204);

    let log = owner
        .get(&format!("/audit?actor={actor}"))
        .await
        .expect(200);
    let told: Vec<_> = data(&log)
        .iter()
        .map(|entry| {
            let text = |name: &str| entry[name].as_str().unwrap().to_owned();
            (
                text("action"),
                text("resource"),
                text("outcome"),
                entry["status"].clone(),
            )
        })
        .collect();
    let path = path.trim_start_matches('/').to_owned();
    let replay = format!("replays/{}", replay["id"].as_str().unwrap());
    let entry = |action: &str, resource: &str, outcome: &str, status: u16| {
        (
            action.to_owned(),
            resource.to_owned(),
            outcome.to_owned(),
            json!(status),
        )
    };
    assert_eq!(
        told,
        [
            entry("DELETE /endpoints/{id}", &path, "done", 204),
            entry("POST /replays", &replay, "done", 202),
            entry("PATCH /endpoints/{id}", &path, "failed", 422),
            entry("POST /endpoints", &path, "done", 201),
        ]
    );
    for entry in data(&log) {
        assert_eq!(entry["tenant"], owner.id);
        assert_eq!(entry["actor"], actor);
        assert_eq!(entry["source_ip"], "127.0.0.1");
        assert!(!entry["request_id"].as_str().unwrap().is_empty());
        assert!(entry["at"].is_string() && entry["id"].is_string());
    }
    let secret = endpoint["secret"].as_str().unwrap();
    assert!(!log.to_string().contains(secret) && !log.to_string().contains(&key));
}

#[tokio::test]
async fn refused_calls_are_noted_under_whom_they_concern() {
    let owner = owner();
    let reader = holder(&owner, &["read"]).await;
    reader.delete("/endpoints/ep_refused").await.problem(403);
    let refused = owner.get("/audit?outcome=refused").await.expect(200);
    let [entry] = data(&refused) else {
        panic!("{refused:#}");
    };
    assert_eq!(entry["action"], "DELETE /endpoints/{id}");
    assert_eq!(entry["resource"], "endpoints/ep_refused");
    assert_eq!(entry["status"], 403);
    assert!(entry["actor"].as_str().unwrap().starts_with("key:hk_"));
    // Of a call without a key nobody knows whose it is: it is in the deployment's log, if that has
    // not had its share of the minute.
    let call = Call::new("GET", "/api/v1/endpoints").header("x-tenant", &owner.id);
    owner
        .client()
        .call(system().url("api"), call)
        .await
        .problem(401);
    let of_all = owner
        .get("/audit?deployment=true&actor=anonymous")
        .await
        .expect(200);
    for entry in data(&of_all) {
        assert_eq!(entry["outcome"], "refused");
        assert_eq!(entry["tenant"], Value::Null);
    }
    let admin = holder(&owner, &["admin"]).await;
    admin.get("/audit?deployment=true").await.problem(403);
}

#[tokio::test]
async fn the_log_is_listed_newest_first_in_pages_and_by_every_filter() {
    let owner = owner();
    let before = time_in(std::time::Duration::ZERO);
    for n in 0..7 {
        wait::for_the_next_millisecond();
        owner
            .patch(&format!("/endpoints/ep_{}", n % 2), &json!({}))
            .await
            .problem(404);
    }
    let mut ids = Vec::new();
    let mut after = String::new();
    loop {
        let page = owner
            .get(&format!("/audit?limit=3{after}"))
            .await
            .expect(200);
        ids.extend(
            data(&page)
                .iter()
                .map(|entry| entry["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        after = format!("&after={next}");
    }
    assert_eq!(ids.len(), 7);
    assert!(ids.is_sorted_by(|one, other| one > other), "{ids:?}");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 7);
    for (filter, count) in [
        ("resource=endpoints/ep_0", 4),
        ("resource=endpoints", 7),
        ("resource=endpoints/ep_", 0),
        ("outcome=failed", 7),
        ("outcome=done", 0),
        ("actor=deploy-key", 7),
        ("actor=somebody", 0),
        ("action=PATCH%20/endpoints/%7Bid%7D", 7),
        (&format!("from={before}"), 7),
        (&format!("to={before}"), 0),
    ] {
        let found = owner.get(&format!("/audit?{filter}")).await.expect(200);
        assert_eq!(data(&found).len(), count, "{filter}: {found:#}");
    }
    for (query, field) in [
        ("outcome=perhaps", "outcome"),
        ("from=yesterday", "from"),
        ("limit=201", "limit"),
        ("after=x/y", "after"),
        ("colour=red", "colour"),
    ] {
        owner
            .get(&format!("/audit?{query}"))
            .await
            .refuses(422, field);
    }
}
