//! What happened is told by time, endpoint and event type, and what that costs does not depend on
//! how much of it is stored.
//!
//! Systems of the tests' own: counts are written at once only after a quiet time.

use std::collections::BTreeMap;

use hookpost_tests::{Accepted, Call, Endpoint, System, Tenant, wait};
use serde_json::{Value, json};

fn system() -> System {
    System::start_with(&[("DeliveryConcurrency", "2")], &["--max-instances", "1"])
}

async fn stats(tenant: &Tenant<'_>, query: &str) -> Value {
    tenant.get(&format!("/stats{query}")).await.expect(200)
}

/// Statistics once their totals are these.
async fn stats_with(tenant: &Tenant<'_>, query: &str, totals: &[(&str, u64)]) -> Value {
    wait::until(&format!("{totals:?} in stats{query}"), || async {
        let stats = stats(tenant, query).await;
        let fits = |(name, count): &(&str, u64)| stats["totals"][name] == *count;
        if totals.iter().all(fits) {
            Ok(stats)
        } else {
            Err(format!("{:#}", stats["totals"]))
        }
    })
    .await
}

/// The sum of a count over the points of a series or the groups of a breakdown.
fn sum(of: &Value, name: &str) -> u64 {
    let parts = of.as_array().unwrap();
    parts.iter().map(|part| part[name].as_u64().unwrap()).sum()
}

fn group<'a>(stats: &'a Value, key: &str) -> &'a Value {
    let groups = stats["groups"]["data"].as_array().unwrap();
    let found = groups.iter().find(|group| group["key"] == key);
    found.unwrap_or_else(|| panic!("no group {key} in {stats:#}"))
}

async fn metrics_text(tenant: &Tenant<'_>) -> BTreeMap<String, f64> {
    let answer = tenant.call(Call::new("GET", "/metrics")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(
        answer
            .header("content-type")
            .starts_with("text/plain; version=0.0.4")
    );
    let series = answer.text().lines().filter(|line| !line.starts_with('#'));
    let read = |line: &str| {
        let (series, value) = line.rsplit_once(' ').unwrap();
        (series.to_owned(), value.parse().unwrap())
    };
    series.map(read).collect()
}

/// Three that go straight through, one that is retried and one that is given up.
struct Story<'a> {
    happy: Endpoint<'a>,
    down: Endpoint<'a>,
}

async fn story<'a>(tenant: &'a Tenant<'a>) -> Story<'a> {
    let retry = |delays: Value| json!({ "delays": delays, "jitter": false });
    let happy = tenant
        .endpoint("/success")
        .event_types(&["order.*"])
        .create()
        .await;
    let flaky = tenant
        .endpoint("/flaky?fail=1")
        .event_types(&["user.created"])
        .with("retry", retry(json!([0, 1])))
        .create()
        .await;
    let down = tenant
        .endpoint("/fail")
        .event_types(&["payment.failed"])
        .with("retry", retry(json!([0])))
        .create()
        .await;
    let events = json!({ "events": [
        { "event_type": "order.created", "payload": {} },
        { "event_type": "order.created", "payload": {} },
        { "event_type": "order.updated", "payload": {} },
        { "event_type": "user.created", "payload": {} },
        { "event_type": "payment.failed", "payload": {} },
    ] });
    let answer = tenant.post("/events/batch", &events).await.expect(202);
    let results = answer["results"].as_array().unwrap();
    for (result, status) in
        results
            .iter()
            .zip(["delivered", "delivered", "delivered", "delivered", "dead"])
    {
        let accepted = Accepted::read(result);
        tenant.delivery_is(accepted.delivery(), status).await;
    }
    flaky.receives(2).await;
    Story { happy, down }
}

const TOTALS: [(&str, u64); 7] = [
    ("events", 5),
    ("delivered", 4),
    ("failed_attempts", 2),
    ("retried", 1),
    ("dead", 1),
    ("first_try", 3),
    ("cancelled", 0),
];

async fn by_time_endpoint_and_type(tenant: &Tenant<'_>, story: &Story<'_>) {
    for interval in ["minute", "hour", "day"] {
        let from = if interval == "minute" {
            hour_ago()
        } else {
            day_ago()
        };
        let query = format!("?interval={interval}&from={from}");
        let stats = stats_with(tenant, &query, &TOTALS).await;
        assert_eq!(stats["approximate"], true);
        for (name, count) in TOTALS {
            assert_eq!(sum(&stats["series"], name), count, "{name} by {interval}");
        }
        assert_eq!(stats["totals"]["success_rate"], 0.8);
        let latency = &stats["totals"]["latency"];
        let at = |name: &str| latency[name].as_f64().unwrap();
        assert!(
            at("p50_ms") <= at("p95_ms") && at("p95_ms") <= at("p99_ms"),
            "{latency}"
        );
        assert!(
            stats["queues"]["delivery"]["in_flight"].is_u64(),
            "{stats:#}"
        );
    }
    let by_endpoint = stats(tenant, "?group_by=endpoint").await;
    assert_eq!(group(&by_endpoint, &story.happy.id)["delivered"], 3);
    assert_eq!(group(&by_endpoint, &story.down.id)["success_rate"], 0.0);
    assert_eq!(by_endpoint["groups"]["complete"], true);
    let by_type = stats(tenant, "?group_by=event_type").await;
    assert_eq!(group(&by_type, "order.created")["events"], 2);
    assert_eq!(group(&by_type, "user.created")["failed_attempts"], 1);
    assert_eq!(sum(&by_type["groups"]["data"], "events"), 5);
    let one = stats(tenant, &format!("?endpoint_id={}", story.happy.id)).await;
    assert_eq!(one["totals"]["delivered"], 3);
    let one = stats(tenant, "?event_type=payment.failed").await;
    assert_eq!(
        (&one["totals"]["dead"], &one["totals"]["events"]),
        (&json!(1), &json!(1))
    );
}

async fn criteria_and_metrics(tenant: &Tenant<'_>) {
    let told = tenant.get("/stats/criteria").await.expect(200);
    let value = |name: &str| {
        let all = told["criteria"].as_array().unwrap();
        let found = all.iter().find(|one| one["name"] == name).unwrap();
        (found["value"].clone(), found["met"].clone())
    };
    assert_eq!(value("delivery_success_rate"), (json!(0.8), json!(false)));
    // The one that was given up at its first attempt did not recover either.
    assert_eq!(value("retry_efficiency"), (json!(0.5), json!(false)));
    assert_eq!(value("error_reporting"), (json!(1.0), json!(true)));
    let metrics = tenant.get("/metrics").await.expect(200);
    for (name, count) in [
        ("total_events", 5),
        ("total_deliveries", 5),
        ("successful_deliveries", 4),
        ("failed_deliveries", 1),
        ("total_attempts", 6),
        ("retries", 1),
        ("total_subscribers", 3),
        ("active_subscribers", 3),
        ("open_breakers", 0),
    ] {
        assert_eq!(metrics[name], count, "{name} in {metrics:#}");
    }
}

async fn health_of_all(tenant: &Tenant<'_>, story: &Story<'_>) {
    let first = tenant.get("/subscribers-health?limit=2").await.expect(200);
    let next = first["next"].as_str().unwrap();
    let rest = tenant
        .get(&format!("/endpoints/health?after={next}"))
        .await
        .expect(200);
    assert!(rest["next"].is_null());
    let all: Vec<&Value> = [&first, &rest]
        .into_iter()
        .flat_map(|page| page["data"].as_array().unwrap())
        .collect();
    assert_eq!(all.len(), 3);
    let of = |id: &str| *all.iter().find(|one| one["endpoint_id"] == id).unwrap();
    let (happy, down) = (of(&story.happy.id), of(&story.down.id));
    assert_eq!(happy["last_hour"]["success_rate"], 1.0, "{happy:#}");
    assert!(happy["last_success_at"].is_string() && happy["last_failure_at"].is_null());
    assert_eq!(down["last_hour"]["success_rate"], 0.0, "{down:#}");
    assert!(down["last_success_at"].is_null() && down["last_failure_at"].is_string());
    assert_eq!(down["circuit_state"], "closed");
    assert_eq!(down["consecutive_failures"], 1);
}

async fn prometheus(tenant: &Tenant<'_>) {
    let series = metrics_text(tenant).await;
    for (name, value) in [
        ("webhook_events_total{event_type=\"order.created\"}", 2.0),
        ("webhook_deliveries_total{status=\"delivered\"}", 4.0),
        ("webhook_deliveries_total{status=\"failed\"}", 1.0),
        ("webhook_delivery_duration_seconds_bucket{le=\"+Inf\"}", 4.0),
        ("webhook_delivery_duration_seconds_count", 4.0),
        ("webhook_endpoints_total", 3.0),
    ] {
        let told = series.get(name).copied().unwrap_or(f64::NAN);
        assert!(
            (told - value).abs() < 1e-9,
            "{name} is {told} in {series:#?}"
        );
    }
    assert!(series.contains_key("webhook_queue_size"));
    let also = tenant.get("/metrics/prometheus").await;
    assert_eq!(also.status, 200);
    tenant.publish("order.created", &json!({})).await;
    wait::until("one more event in /metrics", || async {
        let later = metrics_text(tenant).await;
        let events = later["webhook_events_total{event_type=\"order.created\"}"];
        let falls =
            |(name, value): (&String, &f64)| name.contains("_total{") && later[name] < *value;
        assert!(!series.iter().any(falls), "a counter fell: {later:#?}");
        if events > 2.5 {
            Ok(())
        } else {
            Err(format!("{events}"))
        }
    })
    .await;
}

#[tokio::test]
async fn what_happened_is_told_by_time_endpoint_and_type_to_its_tenant_only() {
    let system = system();
    let tenant = Tenant::on(&system);
    let other = Tenant::on(&system);
    let story = story(&tenant).await;
    by_time_endpoint_and_type(&tenant, &story).await;
    criteria_and_metrics(&tenant).await;
    health_of_all(&tenant, &story).await;
    prometheus(&tenant).await;
    let nothing = stats(&other, &format!("?endpoint_id={}", story.happy.id)).await;
    assert_eq!(nothing["totals"]["delivered"], 0);
    assert_eq!(
        stats(&other, "?group_by=endpoint").await["groups"]["data"],
        json!([])
    );
    assert_eq!(other.get("/metrics").await.expect(200)["total_events"], 0);
}

/// Every call for statistics, and what it reads: operation and table or queue, calls and units.
async fn costs(tenant: &Tenant<'_>) -> BTreeMap<String, (u64, f64)> {
    let local = |method: &'static str, path: &'static str| async move {
        let call = Call::new(method, path);
        let answer = tenant
            .client()
            .call(tenant.system().url("lambda"), call)
            .await;
        answer.expect(200)
    };
    local("POST", "/_local/stats/reset").await;
    for path in [
        "/stats?interval=day",
        "/stats?group_by=endpoint",
        "/stats?group_by=event_type",
        "/stats/criteria",
        "/metrics",
        "/metrics/prometheus",
        "/subscribers-health",
    ] {
        assert_eq!(tenant.get(path).await.status, 200, "{path}");
    }
    let told = local("GET", "/_local/stats").await;
    let mut costs = BTreeMap::new();
    for service in ["dynamodb", "sqs"] {
        for row in told[service].as_array().unwrap() {
            if row["caller"] == "AdminFunction" {
                let what = format!("{} {}", row["operation"], row["resource"]);
                let units = row["read_units"].as_f64().unwrap();
                costs.insert(what, (row["calls"].as_u64().unwrap(), units));
            }
        }
    }
    costs
}

#[tokio::test]
async fn what_statistics_cost_does_not_depend_on_how_many_deliveries_are_stored() {
    let system = system();
    let tenant = Tenant::on(&system);
    // What the schedule asks once in a process's life is not asked in between.
    tenant.invoke("admin", &json!({ "reconcile": true })).await;
    tenant.endpoint("/success").create().await;
    tenant.publish("order.created", &json!({})).await;
    stats_with(&tenant, "", &[("events", 1), ("delivered", 1)]).await;
    let before = costs(&tenant).await;
    for what in before.keys() {
        let stored = what.contains("DeliveriesTable") || what.contains("EventsTable");
        assert!(!stored, "statistics read what is stored: {what}");
    }
    let batch =
        json!({ "events": vec![json!({ "event_type": "order.created", "payload": {} }); 100] });
    for _ in 0..5 {
        tenant.post("/events/batch", &batch).await.expect(202);
    }
    let after = costs(&tenant).await;
    assert_eq!(
        before.keys().collect::<Vec<_>>(),
        after.keys().collect::<Vec<_>>()
    );
    for (what, (calls, units)) in &after {
        let (calls_before, units_before) = before[what];
        assert_eq!(*calls, calls_before, "{what}");
        // An hour may have begun in between, with a sum of its own to each scope.
        assert!(
            *units <= units_before + 4.0,
            "{what}: {units_before}, then {units}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_told_is_refused_by_the_name_of_the_field() {
    let tenant = Tenant::new();
    for (query, field) in [
        ("from=2026-11-24T12:00:00Z&to=2026-11-24T11:00:00Z", "from"),
        ("from=yesterday", "from"),
        ("interval=week", "interval"),
        (
            "interval=minute&from=2020-01-01T00:00:00Z&to=2020-01-01T01:00:00Z",
            "interval",
        ),
        ("from=0000-01-01T00:00:00Z", "from"),
        ("endpoint_id=a%23b", "endpoint_id"),
        ("event_type=a%20b", "event_type"),
        ("event_type=a&endpoint_id=ep_1", "event_type"),
        ("group_by=endpoint&event_type=a", "group_by"),
        ("group_by=colour", "group_by"),
    ] {
        tenant
            .get(&format!("/stats?{query}"))
            .await
            .refuses(422, field);
    }
    tenant
        .get("/subscribers-health?limit=0")
        .await
        .refuses(422, "limit");
    tenant
        .get("/subscribers-health?after=x")
        .await
        .refuses(422, "after");
}

fn ago(ms: u64) -> String {
    humantime::format_rfc3339_millis(
        std::time::UNIX_EPOCH + std::time::Duration::from_millis(wait::epoch_ms() - ms),
    )
    .to_string()
}

fn hour_ago() -> String {
    ago(3_600_000)
}

fn day_ago() -> String {
    ago(24 * 3_600_000)
}

#[tokio::test]
async fn what_is_called_off_and_what_goes_to_a_url_is_counted_too() {
    let system = system();
    let tenant = &Tenant::on(&system);
    let endpoint = tenant.endpoint("/success").create().await;
    let mut later = Vec::new();
    for nth in 0..3 {
        let at = wait::epoch_ms() / 1000 + 3600;
        let body =
            json!({ "event_type": "order.created", "payload": { "n": nth }, "deliver_at": at });
        let accepted = tenant.post("/events", &body).await.expect(202);
        later.push(Accepted::read(&accepted));
    }
    for event in &later {
        tenant.delivery_is(event.delivery(), "parked").await;
    }
    let [event, delivery, of_job] = later.as_slice() else {
        panic!("three");
    };
    tenant
        .delete(&format!("/events/{}", event.id))
        .await
        .expect(200);
    let path = format!("/deliveries/{}/cancel", delivery.delivery());
    tenant.post(&path, &json!({})).await.expect(200);
    // Once more is not once more.
    tenant.post(&path, &json!({})).await;
    let job = json!({ "action": "cancel", "filter": { "event_id": of_job.id } });
    tenant.post("/jobs", &job).await.expect(202);
    let url = format!("{}/success/direct", system.url("receiver"));
    let direct = json!({ "url": url, "payload": { "n": 3 } });
    tenant.post("/deliveries", &direct).await.expect(202);
    let totals = [("events", 4), ("cancelled", 3), ("delivered", 1)];
    let stats = stats_with(tenant, "?interval=hour", &totals).await;
    assert_eq!(stats["totals"]["dead"], 0);
    let of_endpoint = format!("?endpoint_id={}&interval=hour", endpoint.id);
    stats_with(tenant, &of_endpoint, &[("cancelled", 3)]).await;
}
