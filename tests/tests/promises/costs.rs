//! What a delivery costs in calls and in units: the price list is a budget.
//!
//! One system, and one test that goes from case to case, so that nothing else is counted. What is
//! counted is held against the table in ARCHITECTURE.md, so that the document cannot lie.

mod table;

use std::collections::BTreeMap;

use hookpost_tests::{Call, Endpoint, System, Tenant, wait};
use serde_json::{Value, json};

use table::Row;

/// How often one call was made, and what it is billed as.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Cost {
    calls: u64,
    entries: u64,
    write_units: f64,
    read_units: f64,
    sqs_requests: f64,
    grouped: f64,
}

/// By function, operation and table or queue, as they are named in the template.
type Bill = BTreeMap<String, Cost>;

async fn local(tenant: &Tenant<'_>, method: &str, path: &str) -> Value {
    let call = Call::new(method, format!("/_local/{path}"));
    let answer = tenant
        .client()
        .call(tenant.system().url("lambda"), call)
        .await;
    answer.expect(200)
}

/// Messages that the event sources took from their queues, and deleted.
async fn polled(tenant: &Tenant<'_>) -> (f64, f64) {
    let stats = local(tenant, "GET", "stats").await;
    let entries = |operation: &str| {
        let rows = stats["sqs"].as_array().unwrap().iter();
        let its = rows.filter(|row| {
            row["caller"] == "event-source"
                && row["operation"].as_str().unwrap().starts_with(operation)
        });
        its.map(|row| row["entries"].as_f64().unwrap()).sum::<f64>()
    };
    (entries("ReceiveMessage"), entries("DeleteMessage"))
}

/// Waits until no queue but the one of dead letters holds anything.
async fn at_rest(tenant: &Tenant<'_>) {
    wait::until("empty queues", || async {
        let queues = local(tenant, "GET", "queues").await;
        let busy = ["DeliveryQueue", "SlowQueue", "ExhaustedQueue"]
            .iter()
            .any(|queue| {
                ["visible", "in_flight", "delayed"]
                    .iter()
                    .any(|part| queues[queue][part] != 0)
            });
        if busy {
            Err(format!("{queues:#}"))
        } else {
            Ok(())
        }
    })
    .await;
}

async fn bill(tenant: &Tenant<'_>) -> Bill {
    let stats = local(tenant, "GET", "stats").await;
    let mut bill = Bill::new();
    for service in ["dynamodb", "sqs"] {
        for row in stats[service].as_array().unwrap() {
            let text = |name: &str| row[name].as_str().unwrap();
            let number = |name: &str| row[name].as_u64().unwrap();
            let units = |name: &str| row[name].as_f64().unwrap();
            let Some(function) = text("caller").strip_suffix("Function") else {
                continue;
            };
            if function == "Admin" {
                continue;
            }
            let resource = text("resource").trim_start_matches("hookpost-local-");
            let cost = Cost {
                calls: number("calls"),
                entries: number("entries"),
                write_units: units("write_units"),
                read_units: units("read_units"),
                sqs_requests: units("billed_requests"),
                grouped: units("grouped"),
            };
            let operation = text("operation");
            bill.insert(
                format!("{} {operation} {resource}", function.to_lowercase()),
                cost,
            );
        }
    }
    bill
}

/// What a process reads when it starts, and into its caches: once every second or two at most for
/// each endpoint, and once in half an hour for the data key of the secrets, however much is
/// delivered. It is counted apart.
const CACHED: [&str; 6] = [
    "delivery BatchGetItem EndpointsTable",
    "delivery GetItem KeysTable",
    "delivery GetItem SettingsTable",
    "ingest GetItem EndpointsTable",
    "ingest Query EndpointsTable",
    // Whether anybody wants to know of dead letters.
    "replay Query SettingsTable",
];

/// What counts for statistics: shared by all that is delivered, bounded by time, counted apart.
const COUNTING: [&str; 2] = [
    "delivery UpdateItem CountersTable",
    "ingest UpdateItem CountersTable",
];
/// Most writes of counters at once.
const MAX_COUNTS: u64 = 100;
/// How often at once after a quiet time, beyond once in five seconds.
const COUNTS_AT_ONCE: u64 = 10;

/// The cases, and the table of what they cost.
struct Book<'a> {
    tenant: &'a Tenant<'a>,
    rows: Vec<Row>,
}

impl Book<'_> {
    /// Does something with one call that makes so many deliveries, and holds what it costs against what it has to
    /// cost: a line a call, with calls, entries, write units and read units.
    async fn costs<T>(
        &mut self,
        title: &str,
        deliveries: u32,
        act: impl AsyncFnOnce() -> T,
        expected: &str,
    ) -> T {
        at_rest(self.tenant).await;
        local(self.tenant, "POST", "stats/reset").await;
        let began = wait::now();
        let logged = log(self.tenant).len();
        let out = act().await;
        at_rest(self.tenant).await;
        let (received, deleted) = polled(self.tenant).await;
        let logged = log(self.tenant).split_off(logged);
        let mut bill = bill(self.tenant).await;
        let seconds = began.elapsed().as_secs();
        let mut cached = 0.0;
        for what in CACHED {
            let cost = bill.remove(what).unwrap_or_default();
            cached += cost.read_units;
            // Two instances deliver, to ten endpoints at most.
            let most = 20 * (seconds / 2 + 1);
            assert!(
                cost.calls <= most,
                "{title}: {} x {what} in {seconds} s",
                cost.calls
            );
        }
        for what in COUNTING {
            let cost = bill.remove(what).unwrap_or_default();
            let times = seconds / 5 + 1 + COUNTS_AT_ONCE;
            // Both instances may; each has a minute, an hour and a total of the tenant, of the type
            // and of ten endpoints at most to write, and what was left from before.
            let most = u32::try_from(2 * times * MAX_COUNTS.min(3 * 12)).unwrap();
            assert!(
                cost.calls <= u64::from(most) && cost.write_units <= f64::from(most),
                "{title}: {cost:?} for {what} in {seconds} s"
            );
        }
        eprintln!("{title}: {cached} units read into caches");
        let sum = |part: fn(&Cost) -> f64| bill.values().map(part).sum::<f64>();
        self.rows.push(Row {
            title: title.to_owned(),
            deliveries: deliveries.into(),
            calls: 1.0,
            writes: sum(|cost| cost.write_units),
            reads: sum(|cost| cost.read_units),
            requests: sum(|cost| cost.sqs_requests),
            grouped: sum(|cost| cost.grouped),
            received,
            deleted,
            log_bytes: table::log_bytes(&logged, received),
        });
        let counted: Vec<_> = bill
            .iter()
            .map(|(what, cost)| {
                let Cost {
                    calls,
                    entries,
                    write_units,
                    read_units,
                    ..
                } = cost;
                format!("{what} {calls} {entries} {write_units} {read_units}")
            })
            .collect();
        let expected: Vec<_> = expected
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        assert_eq!(counted, expected, "{title}");
        out
    }
}

/// All that the functions and the system have printed.
fn log(tenant: &Tenant<'_>) -> String {
    std::fs::read_to_string(tenant.system().log()).unwrap()
}

fn event(event_type: &str) -> Value {
    json!({ "event_type": event_type, "payload": { "n": 1 } })
}

async fn publish_batch(tenant: &Tenant<'_>, event_type: &str, count: usize) {
    let batch = json!({ "events": vec![event(event_type); count] });
    tenant.post("/events/batch", &batch).await.expect(202);
}

async fn publish_with_key(tenant: &Tenant<'_>, event_type: &str, key: &str) {
    let call = Call::new("POST", "/api/v1/events").header("idempotency-key", key);
    tenant.call(call.json(&event(event_type))).await.expect(202);
}

/// An endpoint for the events of one type, which has so long a wait before its only retry.
async fn endpoint<'a>(
    tenant: &'a Tenant<'a>,
    behaviour: &str,
    event_type: &str,
    retry_s: u32,
) -> Endpoint<'a> {
    tenant
        .endpoint(behaviour)
        .event_types(&[event_type])
        .with("retry", json!({ "delays": [0, retry_s], "jitter": false }))
        .create()
        .await
}

/// Marks the tenant's buckets of this hour, which is done once by each process that ingests.
async fn mark(tenant: &Tenant<'_>) {
    publish_batch(tenant, "marking", 100).await;
}

/// What comes straight through.
async fn happy_deliveries(book: &mut Book<'_>) {
    let tenant = &Tenant::on(book.tenant.system());
    let happy = endpoint(tenant, "/success", "happy", 1).await;
    let mut wide = Vec::new();
    for _ in 0..10 {
        wide.push(endpoint(tenant, "/success", "wide", 1).await);
    }
    mark(tenant).await;
    book.costs(
        "one event to one endpoint",
        1,
        async || {
            tenant.publish("happy", &json!({})).await;
            happy.receives(1).await;
        },
        "delivery PutItem DeliveriesTable 1 1 1 0
         ingest PutItem EventsTable 1 1 1 0
         ingest SendMessage delivery 1 1 0 0",
    )
    .await;
    book.costs(
        "ten events in a call",
        10,
        async || {
            publish_batch(tenant, "happy", 10).await;
            happy.receives(11).await;
        },
        "delivery PutItem DeliveriesTable 10 10 10 0
         ingest BatchWriteItem EventsTable 1 10 10 0
         ingest SendMessageBatch delivery 1 10 0 0",
    )
    .await;
    book.costs(
        "a hundred events in a call",
        100,
        async || {
            publish_batch(tenant, "happy", 100).await;
            happy.receives(111).await;
        },
        "delivery PutItem DeliveriesTable 100 100 100 0
         ingest BatchWriteItem EventsTable 4 100 100 0
         ingest SendMessageBatch delivery 10 100 0 0",
    )
    .await;
    book.costs(
        "one event to ten endpoints",
        10,
        async || {
            tenant.publish("wide", &json!({})).await;
            for endpoint in &wide {
                endpoint.receives(1).await;
            }
        },
        "delivery PutItem DeliveriesTable 10 10 10 0
         ingest PutItem EventsTable 1 1 1 0
         ingest SendMessageBatch delivery 1 10 0 0",
    )
    .await;
    assert!(happy.health().await["failing_since"].is_null());
}

async fn idempotency_keys(book: &mut Book<'_>) {
    let tenant = &Tenant::on(book.tenant.system());
    let endpoint = endpoint(tenant, "/success", "keyed", 1).await;
    mark(tenant).await;
    book.costs(
        "one event with an Idempotency-Key",
        1,
        async || {
            publish_with_key(tenant, "keyed", "key").await;
            endpoint.receives(1).await;
        },
        "delivery PutItem DeliveriesTable 1 1 1 0
         ingest PutItem EventsTable 1 1 1 0
         ingest PutItem KeysTable 1 1 1 0
         ingest SendMessage delivery 1 1 0 0
         ingest UpdateItem KeysTable 1 1 1 0",
    )
    .await;
    // Refused, and billed all the same.
    book.costs(
        "its repeat",
        1,
        async || publish_with_key(tenant, "keyed", "key").await,
        "ingest GetItem EventsTable 1 1 0 1
         ingest PutItem KeysTable 1 1 1 0",
    )
    .await;
}

/// What fails at first. Two indexes are entered after the failure and left after the success; the
/// endpoint's health counts the failure and forgets it.
async fn retries(book: &mut Book<'_>) {
    let tenant = &Tenant::on(book.tenant.system());
    let flaky = endpoint(tenant, "/flaky?fail=1", "flaky", 1).await;
    let parked = endpoint(tenant, "/flaky?fail=1", "parked", 2).await;
    mark(tenant).await;
    book.costs(
        "one event that is tried twice",
        1,
        async || {
            tenant.publish("flaky", &json!({})).await;
            flaky.receives(2).await;
        },
        "delivery ChangeMessageVisibility delivery 1 1 0 0
         delivery GetItem DeliveriesTable 1 1 0 1
         delivery PutItem DeliveriesTable 2 2 6 0
         delivery PutItem EndpointsTable 2 2 2 0
         ingest PutItem EventsTable 1 1 1 0
         ingest SendMessage delivery 1 1 0 0",
    )
    .await;
    let event = book
        .costs(
            "one event that is parked",
            1,
            async || {
                let event = tenant.publish("parked", &json!({})).await;
                tenant.delivery_is(event.delivery(), "parked").await;
                event
            },
            "delivery PutItem DeliveriesTable 1 1 3 0
             delivery PutItem EndpointsTable 1 1 1 0
             ingest PutItem EventsTable 1 1 1 0
             ingest SendMessage delivery 1 1 0 0",
        )
        .await;
    tenant.sweep().await;
    parked.receives(2).await;
    tenant.all_delivered(&event).await;
}

async fn given_up(book: &mut Book<'_>) {
    let tenant = &Tenant::on(book.tenant.system());
    let down = endpoint(tenant, "/switch", "down", 1).await;
    down.switch(500).await;
    mark(tenant).await;
    // Its record enters two indexes when it is to be tried again, and moves in both when it is
    // dead. SQS moves its message after five receives, each of which is refused if the record is
    // still dead.
    let dead = book
        .costs(
            "one event that is given up after two",
            1,
            async || {
                let event = tenant.publish("down", &json!({})).await;
                tenant.delivery_is(event.delivery(), "dead").await;
                event
            },
            "delivery ChangeMessageVisibility delivery 1 1 0 0
             delivery GetItem DeliveriesTable 1 1 0 1
             delivery PutItem DeliveriesTable 2 2 8 0
             delivery PutItem EndpointsTable 2 2 2 0
             delivery SendMessage exhausted 1 1 0 0
             ingest PutItem EventsTable 1 1 1 0
             ingest SendMessage delivery 1 1 0 0
             replay ChangeMessageVisibility exhausted 5 5 0 0
             replay GetItem DeliveriesTable 5 5 0 5
             replay PutItem DeliveriesTable 1 1 2 0",
        )
        .await;
    down.switch(200).await;
    // Somebody asked for it: the audit log has that before, and what came of it.
    book.costs(
        "its replay",
        1,
        async || {
            let path = format!("/dead-letters/{}/replay", dead.delivery());
            tenant.post(&path, &json!({})).await.expect(202);
            tenant.delivery_is(dead.delivery(), "delivered").await;
        },
        "delivery GetItem DeliveriesTable 1 1 0 1
         delivery GetItem EventsTable 1 1 0 1
         delivery PutItem DeliveriesTable 1 1 3 0
         delivery PutItem EndpointsTable 1 1 1 0
         replay GetItem DeliveriesTable 1 1 0 1
         replay PutItem DeliveriesTable 1 1 4 0
         replay PutItem SettingsTable 2 2 2 0
         replay SendMessage delivery 1 1 0 0",
    )
    .await;
}

#[tokio::test]
async fn each_kind_of_delivery_costs_what_it_has_to() {
    let parameters = [("ParkAfterSeconds", "1"), ("DeliveryConcurrency", "2")];
    let arguments = [
        "--schedule-every",
        "1h",
        "--max-instances",
        "1",
        "--log",
        "json",
    ];
    let system = System::start_with(&parameters, &arguments);
    let tenant = Tenant::on(&system);
    let mut book = Book {
        tenant: &tenant,
        rows: Vec::new(),
    };
    happy_deliveries(&mut book).await;
    idempotency_keys(&mut book).await;
    retries(&mut book).await;
    given_up(&mut book).await;
    table::holds(&book.rows);
}
