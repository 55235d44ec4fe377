//! An endpoint gets the events whose payload its filter lets through, and no other; what it says of
//! an event that is only asked about is what happens to one that is posted.

use hookpost_tests::{Accepted, Tenant};
use serde_json::{Value, json};

const LARGE: &str =
    r#"{"data":{"amount":[{"numeric":[">",100]}],"country":[{"anything-but":"XX"}]}}"#;

fn filter() -> Value {
    serde_json::from_str(LARGE).unwrap()
}

fn reached(event: &Accepted) -> Vec<&str> {
    let mut ids: Vec<&str> = event
        .deliveries
        .iter()
        .map(|delivery| delivery.endpoint_id.as_str())
        .collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn an_event_reaches_the_endpoints_whose_filter_holds() {
    let tenant = Tenant::new();
    let all = tenant.endpoint("/success").create().await;
    let large = tenant
        .endpoint("/success")
        .with("filter", filter())
        .create()
        .await;
    assert_eq!(large.created["filter"], filter());
    let both = {
        let mut both = vec![all.id.as_str(), &large.id];
        both.sort_unstable();
        both
    };
    let paid = |amount: Value| json!({ "amount": amount, "country": "DE" });
    let event = tenant.publish("order.paid", &paid(json!(100.01))).await;
    assert_eq!(reached(&event), both);
    tenant.all_delivered(&event).await;
    let event = tenant.publish("order.paid", &paid(json!(100))).await;
    assert_eq!(reached(&event), [&all.id]);
    // In a batch each event is judged for itself.
    let post = |amount: u32| json!({ "event_type": "order.paid", "payload": paid(json!(amount)) });
    let batch = json!({ "events": [post(7), post(700), { "event_type": "a", "payload": [[]] }] });
    let answer = tenant.post("/events/batch", &batch).await.expect(202);
    let ids = |nth: usize| {
        let accepted = Accepted::read(&answer["results"][nth]);
        reached(&accepted).len()
    };
    assert_eq!([ids(0), ids(1), ids(2)], [1, 2, 1]);
    large.receives(2).await;
}

#[tokio::test]
async fn a_filter_is_taken_away_by_null() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/success")
        .with("filter", filter())
        .create()
        .await;
    assert_eq!(endpoint.shown().await["filter"], filter());
    let changed = endpoint.change(&json!({ "name": "a" })).await;
    assert_eq!(changed["filter"], filter());
    let changed = endpoint.change(&json!({ "filter": null })).await;
    assert_eq!(changed["filter"], Value::Null);
}

#[tokio::test]
async fn what_an_event_would_reach_is_told_with_the_reason() {
    let tenant = Tenant::new();
    let wanting = tenant
        .endpoint("/success")
        .with("filter", filter())
        .create()
        .await;
    let other_type = tenant
        .endpoint("/success")
        .event_types(&["user.*"])
        .create()
        .await;
    let paused = tenant
        .endpoint("/success")
        .with("paused", json!(true))
        .create()
        .await;
    let disabled = tenant
        .endpoint("/success")
        .with("active", json!(false))
        .create()
        .await;
    let ask = async |amount: Value| {
        let event =
            json!({ "event_type": "order.paid", "payload": { "amount": amount, "country": "DE" } });
        tenant.post("/endpoints/match", &event).await.expect(200)
    };
    let of = |answer: &Value, id: &str| {
        let all = answer["endpoints"].as_array().unwrap();
        all.iter()
            .find(|one| one["endpoint_id"] == id)
            .unwrap()
            .clone()
    };
    let answer = ask(json!(500)).await;
    assert_eq!(answer["matched"], 3);
    let one = of(&answer, &wanting.id);
    assert_eq!(
        (&one["outcome"], &one["pattern"]),
        (&json!("sent"), &json!("*"))
    );
    assert_eq!(one["filter"], json!({ "matched": true, "unmet": [] }));
    assert_eq!(of(&answer, &other_type.id)["outcome"], "not_wanted");
    assert_eq!(of(&answer, &paused.id)["outcome"], "held");
    assert_eq!(of(&answer, &disabled.id)["outcome"], "dead_letter");
    let one = of(&ask(json!(99)).await, &wanting.id);
    assert_eq!(one["matched"], false);
    let unmet = &one["filter"]["unmet"][0];
    assert_eq!(
        (&unmet["path"], &unmet["found"]),
        (&json!("data.amount"), &json!("99"))
    );
    // Nothing was sent, and nothing stored.
    assert_eq!(wanting.received().await.len(), 0);
    assert_eq!(tenant.stored_events().await.len(), 0);
    let bad = json!({ "event_type": "a b", "payload": 1 });
    tenant
        .post("/endpoints/match", &bad)
        .await
        .refuses(422, "event_type");
}

#[tokio::test]
async fn a_malformed_filter_is_refused_by_its_place() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    for (filter, place) in [
        (json!("paid"), "filter"),
        (json!({ "amount": [1] }), "filter.amount"),
        (
            json!({ "data": { "amount": [{ "numeric": [">", "1"] }] } }),
            "filter.data.amount[0].numeric",
        ),
        (
            json!({ "data": { "a": [{ "contains": "x" }] } }),
            "filter.data.a[0].contains",
        ),
    ] {
        let url = format!("/endpoints/{}", endpoint.id);
        let change = json!({ "filter": filter });
        tenant.patch(&url, &change).await.refuses(422, place);
    }
    assert_eq!(endpoint.shown().await["filter"], Value::Null);
}
