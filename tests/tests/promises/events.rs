//! Events are listed newest first, by type and time, at a cost that does not grow with what is
//! stored.

use hookpost_tests::{Tenant, wait};
use serde_json::{Value, json};

async fn ids(tenant: &Tenant<'_>, path: &str) -> Vec<String> {
    let page = tenant.get(path).await.expect(200);
    let data = page["data"].as_array().unwrap();
    let id = |event: &Value| event["id"].as_str().unwrap().to_owned();
    data.iter().map(id).collect()
}

async fn post_many(tenant: &Tenant<'_>, event_type: &str, count: usize) -> Vec<String> {
    let event = |n: usize| json!({ "event_type": event_type, "payload": { "n": n } });
    let batch = json!({ "events": (0..count).map(event).collect::<Vec<_>>() });
    let answer = tenant.post("/events/batch", &batch).await.expect(202);
    let results = answer["results"].as_array().unwrap();
    let id = |result: &Value| result["id"].as_str().unwrap().to_owned();
    results.iter().map(id).collect()
}

#[tokio::test]
async fn pages_show_every_event_once_the_newest_first() {
    let tenant = Tenant::new();
    let mut posted = post_many(&tenant, "order.created", 30).await;
    posted.extend(post_many(&tenant, "user.created", 20).await);
    posted.sort();
    posted.reverse();
    let mut listed = Vec::new();
    let mut path = "/events?limit=7".to_owned();
    loop {
        let page = tenant.get(&path).await.expect(200);
        let data = page["data"].as_array().unwrap();
        assert!(data.len() <= 7);
        listed.extend(
            data.iter()
                .map(|event| event["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/events?limit=7&after={next}");
    }
    assert_eq!(listed, posted);
    assert_eq!(ids(&tenant, "/events?event_type=user.*").await.len(), 20);
    assert_eq!(
        ids(&tenant, "/events?event_type=order.created&limit=5")
            .await
            .len(),
        5
    );
    assert!(
        ids(&tenant, "/events?event_type=nothing.here")
            .await
            .is_empty()
    );
    assert!(
        ids(&tenant, "/events?to=2020-01-01T00:00:00Z")
            .await
            .is_empty()
    );
    assert_eq!(
        ids(&tenant, "/events?from=2020-01-01T00:00:00Z")
            .await
            .len(),
        50
    );
    // Nothing of it is another's.
    assert!(ids(&Tenant::new(), "/events").await.is_empty());
}

#[tokio::test]
async fn an_event_is_found_by_the_callers_own_id() {
    let tenant = Tenant::new();
    let body = json!({ "id": "order 42", "event_type": "order.created", "payload": {} });
    let event = tenant.post("/events", &body).await.expect(202);
    let found = ids(&tenant, "/events?alias=order%2042").await;
    assert_eq!(json!(found), json!([event["id"]]));
    assert!(ids(&tenant, "/events?alias=order%2043").await.is_empty());
    assert!(
        ids(&Tenant::new(), "/events?alias=order%2042")
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_page_that_cannot_be_is_refused_by_the_parameter() {
    let tenant = Tenant::new();
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=x", "limit"),
        ("after=x", "after"),
        ("event_type=a%20b", "event_type"),
        ("from=yesterday", "from"),
        ("alias=", "alias"),
    ] {
        let path = format!("/events?{query}");
        tenant.get(&path).await.refuses(422, field);
    }
}

/// What the management function has read of the events so far: calls, and read units.
async fn reads(tenant: &Tenant<'_>) -> (u64, f64) {
    let call = hookpost_tests::Call::new("GET", "/_local/stats");
    let url = tenant.system().url("lambda");
    let stats = tenant.client().call(url, call).await.expect(200);
    let rows = stats["dynamodb"].as_array().unwrap();
    let mine = rows.iter().filter(|row| {
        row["caller"] == "AdminFunction"
            && row["operation"] == "Query"
            && row["resource"].as_str().unwrap().ends_with("EventsTable")
    });
    mine.fold((0, 0.0), |(calls, units), row| {
        (
            calls + row["calls"].as_u64().unwrap(),
            units + row["read_units"].as_f64().unwrap(),
        )
    })
}

#[tokio::test]
async fn a_page_costs_the_same_however_much_is_stored() {
    let system = hookpost_tests::System::start_with(&[], &[]);
    let tenant = Tenant::on(&system);
    let cost = async || {
        let (calls, units) = reads(&tenant).await;
        assert_eq!(ids(&tenant, "/events?limit=20").await.len(), 20);
        let after = reads(&tenant).await;
        (after.0 - calls, after.1 - units)
    };
    post_many(&tenant, "order.created", 100).await;
    wait::until("the first page", || async {
        let listed = ids(&tenant, "/events?limit=20").await.len();
        if listed == 20 {
            Ok(())
        } else {
            Err(listed.to_string())
        }
    })
    .await;
    let (few_calls, few_units) = cost().await;
    for _ in 0..20 {
        post_many(&tenant, "order.created", 100).await;
    }
    let (calls, units) = cost().await;
    // A bucket may be asked twice where the newest events are not spread evenly.
    assert!(
        few_calls <= 24 && calls <= 24,
        "{few_calls} and {calls} calls"
    );
    assert!(units <= few_units + 6.0, "{few_units} and {units} units");
}
