//! What a list, a filter or a statistic costs does not grow with what is stored: as many calls and
//! read units with 100,000 deliveries as with 1,000.
//!
//! Deliveries that were really made are copied, as the system itself stores them, to other times.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use futures::{StreamExt, stream};
use hookpost_tests::{Call, System, Tenant, wait};
use serde_json::{Value, json};

const HOUR_MS: u64 = 3_600_000;
/// Deliveries of one event: four that are delivered, one that is dead.
const OF_AN_EVENT: u64 = 5;
/// Events that are copied: enough for each shard of the tables.
const MODELS: usize = 48;

/// What a call costs: calls to the tables, and read units.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Cost {
    calls: u64,
    read_units: f64,
}

async fn local(tenant: &Tenant<'_>, method: &str, path: &str) -> Value {
    let call = Call::new(method, format!("/_local/{path}"));
    let url = tenant.system().url("lambda");
    tenant.client().call(url, call).await.expect(200)
}

/// What `GET path` costs a function that has its caches filled.
async fn cost(tenant: &Tenant<'_>, path: &str) -> Cost {
    tenant.get(path).await.expect(200);
    local(tenant, "POST", "stats/reset").await;
    tenant.get(path).await.expect(200);
    let stats = local(tenant, "GET", "stats").await;
    let rows = stats["dynamodb"].as_array().unwrap().iter();
    let admin = rows.filter(|row| row["caller"] == "AdminFunction");
    admin.fold(
        Cost {
            calls: 0,
            read_units: 0.0,
        },
        |sum, row| Cost {
            calls: sum.calls + row["calls"].as_u64().unwrap(),
            read_units: sum.read_units + row["read_units"].as_f64().unwrap(),
        },
    )
}

/// All items of a table.
async fn items(tenant: &Tenant<'_>, table: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut input = json!({ "TableName": tenant.system().table_name(table) });
    loop {
        let mut page = tenant.dynamodb("Scan", &input).await;
        found.append(page["Items"].as_array_mut().unwrap());
        if page["LastEvaluatedKey"].is_null() {
            return found;
        }
        input["ExclusiveStartKey"] = page["LastEvaluatedKey"].take();
    }
}

fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item[name]["S"].as_str().unwrap_or_default()
}

fn hour_of(at_ms: u64) -> String {
    let at = humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(at_ms));
    at.to_string()[..13].to_owned()
}

/// What is copied: an event, its deliveries, and the marker of its hour.
struct Model {
    event: Value,
    deliveries: Vec<Value>,
}

impl Model {
    /// The same at another time, by table.
    fn at(&self, at_ms: u64, marker: &Value) -> Vec<(&'static str, Value)> {
        let old = text(&self.event, "sk");
        let time = format!("{at_ms:012x}");
        let id = format!("{}-{}{}", &time[..8], &time[8..], &old[13..]);
        let pk = text(&self.event, "pk");
        let (tenant_and_hour, shard) = pk.rsplit_once('#').unwrap();
        let (tenant, _) = tenant_and_hour.rsplit_once('#').unwrap();
        let mut event = self.event.clone();
        event["sk"]["S"] = json!(id);
        event["pk"]["S"] = json!(format!("{tenant}#{}#{shard}", hour_of(at_ms)));
        let mut mark = marker.clone();
        mark["sk"]["S"] = json!(format!("{}#{shard}", hour_of(at_ms)));
        let deliveries = self.deliveries.iter().cloned().map(|mut delivery| {
            delivery["sk"]["S"] = json!(id);
            ("DeliveriesTable", delivery)
        });
        let events = [("EventsTable", mark), ("EventsTable", event)];
        events.into_iter().chain(deliveries).collect()
    }
}

/// Stores copies of the models, one every `every_ms` back from `newest_ms`.
async fn fill(
    tenant: &Tenant<'_>,
    models: &[Model],
    marker: &Value,
    count: u64,
    newest_ms: u64,
    every_ms: u64,
) {
    let mut put: BTreeMap<(&str, String, String), Value> = BTreeMap::new();
    for nth in 0..count {
        let model = &models[usize::try_from(nth).unwrap() % models.len()];
        for (table, item) in model.at(newest_ms - nth * every_ms, marker) {
            // A call may not put the same item twice, and one marker is enough.
            let key = (text(&item, "pk").to_owned(), text(&item, "sk").to_owned());
            put.insert((table, key.0, key.1), item);
        }
    }
    let items: Vec<((&str, String, String), Value)> = put.into_iter().collect();
    let calls = items.chunks(25).map(|chunk| {
        let mut requests = BTreeMap::<&str, Vec<Value>>::new();
        for ((table, ..), item) in chunk {
            let put = json!({ "PutRequest": { "Item": item } });
            let name = tenant.system().table_name(table);
            requests.entry(name).or_default().push(put);
        }
        json!({ "RequestItems": requests })
    });
    stream::iter(calls)
        .for_each_concurrent(4, async |input| {
            let done = tenant.dynamodb("BatchWriteItem", &input).await;
            assert_eq!(done["UnprocessedItems"], json!({}), "{done:#}");
        })
        .await;
}

/// Events of two types, to four endpoints that accept and one that does not.
async fn models(tenant: &Tenant<'_>) -> (Vec<Model>, Value, Vec<String>) {
    let mut endpoints = Vec::new();
    for nth in 0..OF_AN_EVENT {
        let path = if nth == 0 { "/fail" } else { "/success" };
        let endpoint = tenant
            .endpoint(path)
            .with("retry", json!({ "delays": [0], "jitter": false }))
            .with("breaker", json!({ "failures": 100 }))
            .create()
            .await;
        endpoints.push(endpoint.id.clone());
    }
    let mut events = Vec::new();
    for nth in 0..MODELS {
        let kind = if nth % 2 == 0 {
            "order.created"
        } else {
            "user.created"
        };
        events.push(tenant.publish(kind, &json!({ "n": nth })).await);
    }
    for delivery in events.iter().flat_map(|event| &event.deliveries) {
        tenant
            .delivery_where(&delivery.id, "its end", |delivery| {
                delivery["status"] == "delivered" || delivery["status"] == "dead"
            })
            .await;
    }
    let deliveries = items(tenant, "DeliveriesTable").await;
    let stored = items(tenant, "EventsTable").await;
    let marker = stored
        .iter()
        .find(|item| text(item, "pk").starts_with("buckets#"));
    let marker = marker.unwrap().clone();
    let is_event = |item: &Value| !item["payload"].is_null();
    let models: Vec<Model> = stored
        .into_iter()
        .filter(is_event)
        .map(|event| {
            let mine = |delivery: &&Value| text(delivery, "sk") == text(&event, "sk");
            Model {
                deliveries: deliveries.iter().filter(mine).cloned().collect(),
                event,
            }
        })
        .collect();
    assert_eq!(models.len(), MODELS);
    for model in &models {
        assert_eq!(model.deliveries.len() as u64, OF_AN_EVENT);
    }
    (models, marker, endpoints)
}

/// What is asked, at the newest end, on a second page, and in the middle of the past.
async fn questions(tenant: &Tenant<'_>, endpoint: &str, event: &str, past: u64) -> Vec<String> {
    let past = humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(past));
    let mut asked: Vec<String> = [
        "/deliveries?limit=50".to_owned(),
        "/deliveries?limit=50&status=delivered".to_owned(),
        "/deliveries?limit=50&status=dead".to_owned(),
        format!("/deliveries?limit=50&endpoint_id={endpoint}"),
        "/deliveries?limit=50&event_type=user.created".to_owned(),
        format!("/deliveries?event_id={event}"),
        format!("/deliveries?limit=50&to={past}"),
        "/dead-letters?limit=50".to_owned(),
        format!("/dead-letters?limit=50&endpoint_id={endpoint}"),
        "/events?limit=50".to_owned(),
        "/events?limit=50&event_type=user.created".to_owned(),
        "/stats".to_owned(),
        "/stats?group_by=endpoint".to_owned(),
        "/metrics".to_owned(),
        "/subscribers-health".to_owned(),
    ]
    .into();
    for list in [
        "/deliveries?limit=50",
        "/dead-letters?limit=50",
        "/events?limit=50",
    ] {
        let page = tenant.get(list).await.expect(200);
        let next = page["next"].as_str().unwrap();
        asked.push(format!("{list}&after={next}"));
    }
    asked
}

async fn costs(tenant: &Tenant<'_>, questions: &[String]) -> Vec<Cost> {
    let mut costs = Vec::new();
    for path in questions {
        costs.push(cost(tenant, path).await);
    }
    costs
}

#[tokio::test]
async fn with_100_000_deliveries_stored_lists_and_statistics_cost_what_they_cost_with_1_000() {
    let arguments = ["--schedule-every", "1h", "--max-instances", "1"];
    let system = System::start_with(&[], &arguments);
    let tenant = &Tenant::on(&system);
    let (models, marker, endpoints) = models(tenant).await;
    let [failing, .., healthy] = endpoints.as_slice() else {
        unreachable!("one fails, the others do not");
    };
    let now = wait::epoch_ms();
    let few = 1_000 / OF_AN_EVENT;
    fill(tenant, &models, &marker, few, now - HOUR_MS, 10_000).await;
    let middle = now - HOUR_MS - few * 5_000;
    let event = text(&models[0].event, "sk");
    let asked = questions(tenant, failing, event, middle).await;
    let small = costs(tenant, &asked).await;

    let many = 100_000 / OF_AN_EVENT - few;
    fill(tenant, &models, &marker, many, now - 3 * HOUR_MS, 1_500).await;
    let large = costs(tenant, &asked).await;
    // And where the many are.
    let middle = now - 3 * HOUR_MS - many * 750;
    let there = questions(tenant, failing, event, middle).await;
    let inside = cost(tenant, &there[6]).await;

    eprintln!("{:<64} {:>16} {:>16}", "GET", "1,000", "100,000");
    for ((path, small), large) in asked.iter().zip(&small).zip(&large) {
        let path: String = path.chars().take(64).collect();
        eprintln!(
            "{path:<64} {:>6} {:>9} {:>6} {:>9}",
            small.calls, small.read_units, large.calls, large.read_units
        );
    }
    // What there is no index for is looked through, a bounded part at a time: a thousand, in twenty
    // reads of sixteen shards at most.
    for path in [
        "/deliveries?q=no+such+text".to_owned(),
        format!("/dead-letters?limit=50&endpoint_id={healthy}"),
    ] {
        let page = tenant.get(&path).await.expect(200);
        assert_eq!(page["data"], json!([]), "{page:#}");
        assert!(page["next"].is_string(), "{page:#}");
        let bounded = cost(tenant, &path).await;
        eprintln!("{path}: {bounded:?}");
        assert!(
            bounded.calls <= 20 * 16 + 5 && bounded.read_units <= 1_500.0,
            "{path}: {bounded:?}"
        );
    }
    eprintln!("in the middle of the many: {inside:?}");
    for ((path, small), large) in asked.iter().zip(&small).zip(&large) {
        assert!(
            large.calls <= small.calls && large.read_units <= small.read_units * 1.1,
            "{path}: {small:?} with 1,000, {large:?} with 100,000"
        );
    }
    let small = small[6];
    assert!(
        inside.calls <= small.calls * 2 && inside.read_units <= small.read_units * 2.0,
        "{small:?} in the middle of 1,000, {inside:?} in the middle of 100,000"
    );
}
