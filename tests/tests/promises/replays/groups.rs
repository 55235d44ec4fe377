//! Dead letters are counted by what failed where, and what a group says is what a replay means.

use hookpost_tests::Tenant;
use serde_json::{Value, json};

use super::replay;

fn group<'a>(groups: &'a Value, endpoint: &str, failure: &str) -> &'a Value {
    let mut all = groups["data"].as_array().unwrap().iter();
    let found = all.find(|one| one["endpoint_id"] == endpoint && one["failure"] == failure);
    found.unwrap_or_else(|| panic!("no group of {endpoint} and {failure}: {groups:#}"))
}

#[tokio::test]
async fn dead_letters_are_counted_by_what_failed_where_and_a_group_is_replayed_by_its_names() {
    let tenant = Tenant::new();
    let none = tenant.get("/dead-letters/groups").await.expect(200);
    assert_eq!(none["data"], json!([]));
    assert_eq!(none["complete"], true);
    let dying = |behaviour: &'static str, pattern: &'static str| {
        tenant
            .endpoint(behaviour)
            .event_types(&[pattern])
            .with("retry", json!({ "max_attempts": 1 }))
            .with("breaker", json!({ "failures": 1000 }))
    };
    let orders = dying("/status/503", "order.*").create().await;
    let users = dying("/status/400", "user.*").create().await;
    let mut letters = Vec::new();
    for (nth, event_type) in ["order.a", "user.a", "order.b"].into_iter().enumerate() {
        let event = tenant.publish(event_type, &json!({ "nth": nth })).await;
        let endpoint = if event_type.starts_with("order") {
            &orders
        } else {
            &users
        };
        let id = endpoint.delivery_of(&event.id);
        letters.push(tenant.delivery_is(&id, "dead").await);
    }

    let groups = tenant.get("/dead-letters/groups").await.expect(200);
    assert_eq!(groups["complete"], true);
    assert_eq!(groups["counted"], 3);
    assert_eq!(groups["next"], Value::Null);
    assert_eq!(groups["data"].as_array().unwrap().len(), 2);
    let most = &groups["data"][0];
    assert_eq!(most, group(&groups, &orders.id, "http_503"));
    assert_eq!(most["count"], 2);
    assert_eq!(most["reason"], "HTTP 503: Service Unavailable");
    assert_eq!(most["oldest_at"], letters[0]["created_at"]);
    assert_eq!(most["newest_at"], letters[2]["created_at"]);
    assert_eq!(most["example_id"], letters[2]["id"]);
    assert_eq!(group(&groups, &users.id, "http_400")["count"], 1);

    // As the lists filter.
    for (query, counts) in [
        (format!("endpoint_id={}", users.id), vec![1]),
        ("failure=http_5xx".to_owned(), vec![2]),
        ("event_type=order.b".to_owned(), vec![1]),
        (
            format!("to={}", letters[1]["created_at"].as_str().unwrap()),
            vec![1],
        ),
        ("resolved=true".to_owned(), vec![]),
        ("q=bad+request".to_owned(), vec![1]),
    ] {
        let path = format!("/dead-letters/groups?{query}");
        let found = tenant.get(&path).await.expect(200);
        let told: Vec<u64> = found["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|group| group["count"].as_u64().unwrap())
            .collect();
        assert_eq!(told, counts, "{query}");
    }
    tenant
        .get("/dead-letters/groups?after=x")
        .await
        .refuses(422, "after");

    // What a group is called means it, and nothing else.
    let filter = json!({ "endpoint_id": orders.id, "failure": most["failure"] });
    let order = json!({ "filter": filter, "dry_run": true });
    let dry = replay(&tenant, &order).await;
    assert_eq!(dry["matched"], 2, "{dry:#}");

    let path = format!(
        "/dead-letters/{}/resolve",
        letters[2]["id"].as_str().unwrap()
    );
    tenant
        .post(&path, &json!({ "note": "known" }))
        .await
        .expect(200);
    let other = Tenant::new();
    assert_eq!(
        other.get("/dead-letters/groups").await.expect(200)["counted"],
        0
    );
    let left = tenant.get("/dead-letters/groups").await.expect(200);
    assert_eq!(group(&left, &orders.id, "http_503")["count"], 1);
}
