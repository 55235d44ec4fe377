//! Whoever is on call sees what is wrong: metrics, logs, and the trace of a request, and what the
//! template makes of them.

mod template;
mod tracing;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hookpost_tests::{System, Tenant, hex, wait};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::losing::{accept_earlier, item, put};
use template::{Template, Use};

/// The key that may do everything.
const KEY: &str = "an-admin-key-of-watching";
/// What no log may tell.
const MARKER: &str = "payload-that-no-log-tells";
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/monitoring.md");

fn document() -> String {
    std::fs::read_to_string(DOCUMENT).unwrap()
}

/// The first column of the document's table with this heading of it, without its marks.
fn column(heading: &str) -> BTreeSet<String> {
    let document = document();
    let rows = document
        .lines()
        .skip_while(|line| !line.starts_with(&format!("| {heading} |")))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.split('|').nth(1).unwrap().to_owned());
    let names = cells.flat_map(|cell| {
        let names = cell.split('`').skip(1).step_by(2);
        names.map(str::to_owned).collect::<Vec<_>>()
    });
    names.collect()
}

/// The metrics that a run has told, by name, with the dimensions that each has.
async fn told(tenant: &Tenant<'_>) -> BTreeMap<String, BTreeSet<String>> {
    let stats = tenant.stats().await;
    let mut told = BTreeMap::<_, BTreeSet<String>>::new();
    for key in stats["metrics"].as_object().unwrap().keys() {
        let name = key.strip_prefix("Hookpost/").unwrap();
        let (name, dimensions) = name.strip_suffix('}').unwrap().split_once('{').unwrap();
        let all = told.entry(name.to_owned()).or_default();
        all.insert(dimensions.to_owned());
    }
    told
}

/// Has something fail, die, and be replayed.
async fn die_and_be_replayed(tenant: &Tenant<'_>) {
    let dead = tenant
        .endpoint("/status/503?token=secret-of-a-query")
        .with("retry", json!({ "delays": ["0s"] }))
        .with("breaker", json!({ "failures": 1000 }))
        .create()
        .await;
    let event = tenant.publish("dies", &json!(MARKER)).await;
    tenant.delivery_is(event.delivery(), "dead").await;
    let path = format!("/dead-letters/{}/replay", event.delivery());
    tenant.post(&path, &json!({})).await.expect(202);
    dead.receives(2).await;
}

/// Has a breaker open by itself.
async fn open_a_breaker(tenant: &Tenant<'_>) {
    let endpoint = tenant
        .endpoint("/status/500")
        .with(
            "retry",
            json!({ "delays": [0, 1, 1, 1, 1, 1], "jitter": false }),
        )
        .with("breaker", json!({ "failures": 2 }))
        .create()
        .await;
    tenant.publish("breaks", &json!(MARKER)).await;
    wait::until("the breaker opens", || async {
        let health = endpoint.health().await;
        if health["breaker"]["state"] == "open" {
            Ok(())
        } else {
            Err(format!("{health:#}"))
        }
    })
    .await;
}

/// Has a delivery wait behind a breaker, and let go.
async fn wait_and_be_let_go(tenant: &Tenant<'_>) {
    let endpoint = tenant.endpoint("/success").create().await;
    let breaker = format!("/endpoints/{}/breaker", endpoint.id);
    let hour = json!({ "for_seconds": 3600 });
    let opened = tenant.post(&format!("{breaker}/open"), &hour).await;
    opened.expect(200);
    let event = tenant.publish("waits", &json!(MARKER)).await;
    tenant.delivery_is(event.delivery(), "held").await;
    let closed = tenant.post(&format!("{breaker}/close"), &json!({})).await;
    closed.expect(200);
    // A process that still believes the breaker open holds it once more.
    wait::until("it is let go", || async {
        tenant.sweep().await;
        let delivery = tenant.delivery(event.delivery()).await;
        if delivery["status"] == "delivered" {
            Ok(())
        } else {
            Err(format!("{delivery:#}"))
        }
    })
    .await;
}

/// Has deliveries get lost, and be found. The first is looked for only while the queue is empty.
async fn get_lost_and_be_found(tenant: &Tenant<'_>) {
    let endpoint = tenant
        .endpoint("/switch")
        .with("retry", json!({ "delays": ["0s", "10m"] }))
        .create()
        .await;
    let event = tenant.publish("gets.lost", &json!(MARKER)).await;
    tenant.delivery_is(event.delivery(), "delivered").await;
    let lost = accept_earlier(tenant, &event.id, Duration::from_secs(20 * 60)).await;
    wait::until("the lost delivery is found", || async {
        let swept = tenant.sweep().await;
        if swept["found"] == 1 {
            Ok(())
        } else {
            Err(format!("{swept:#}"))
        }
    })
    .await;
    let found = endpoint.delivery_of(&lost);
    tenant.delivery_is(&found, "delivered").await;
    endpoint.switch(503).await;
    let event = tenant.publish("gets.lost", &json!(MARKER)).await;
    tenant.delivery_is(event.delivery(), "retrying").await;
    let mut record = item(tenant, "DeliveriesTable", &event.id).await;
    for field in ["at", "check_at", "wait_at"] {
        record[field] = json!({ "N": (wait::epoch_ms() - 1000).to_string() });
    }
    put(tenant, "DeliveriesTable", &record).await;
    endpoint.switch(200).await;
    assert_eq!(tenant.sweep().await["resent"], 1);
    tenant.delivery_is(event.delivery(), "delivered").await;
}

/// A tenant of its own for each, so that its first event knows its endpoint.
fn anybody(system: &System) -> Tenant<'_> {
    Tenant::on(system).with_key(KEY)
}

/// Everything of which there is a metric but for dead letters that the dead-letter queue did not
/// get.
async fn let_everything_happen(system: &System) {
    get_lost_and_be_found(&anybody(system)).await;
    let tenant = anybody(system);
    let well = tenant
        .endpoint("/success")
        .with("headers", json!({ "x-token": "secret-of-a-header" }))
        .create()
        .await;
    let event = tenant.publish("is.well", &json!(MARKER)).await;
    tenant.delivery_is(event.delivery(), "delivered").await;
    well.receives(1).await;
    die_and_be_replayed(&anybody(system)).await;
    open_a_breaker(&anybody(system)).await;
    wait_and_be_let_go(&anybody(system)).await;
    let stranger = Tenant::on(system).with_key("a-key-of-nobody");
    stranger.get("/endpoints").await.problem(401);
}

/// What every line of a log is: JSON, with a time, a level and a message, and fields that the
/// document names; or metrics.
fn check_logs(text: &str, secrets: &[&str]) -> Vec<Value> {
    let fields = column("field");
    let mut lines = Vec::new();
    for line in text.lines().filter(|line| line.starts_with('{')) {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        if line.get("_aws").is_some() {
            continue;
        }
        for name in ["timestamp", "level", "message"] {
            assert!(line[name].is_string(), "no {name} in {line:#}");
        }
        for name in line.as_object().unwrap().keys() {
            assert!(
                fields.contains(name),
                "{name} of {line:#} is not in the document"
            );
        }
        lines.push(line);
    }
    for secret in secrets {
        assert!(!text.contains(secret), "a log tells {secret}");
    }
    lines
}

#[tokio::test]
async fn what_a_widget_an_alarm_or_a_query_looks_at_is_told_by_a_run() {
    let parameters = [
        ("Auth", "required"),
        ("AdminKeySha256", &*hex(&Sha256::digest(KEY.as_bytes()))),
        ("LogLevel", "DEBUG"),
    ];
    let arguments = ["--schedule-every", "1h", "--log", "json"];
    let system = System::start_with(&parameters, &arguments);
    let tenant = anybody(&system);
    let_everything_happen(&system).await;

    let template = Template::read();
    let looked_at = template.metrics();
    let own: BTreeSet<String> = looked_at
        .iter()
        .filter(|one| one.namespace == "Hookpost")
        .map(|one| one.name.clone())
        .collect();
    // Told at once after a quiet time, and otherwise within seconds.
    let told = wait::until("all metrics", || async {
        let told = told(&tenant).await;
        let missing: Vec<_> = own
            .iter()
            .filter(|name| !told.contains_key(*name))
            .collect();
        if missing.is_empty() {
            Ok(told)
        } else {
            Err(format!("{missing:?} of {told:#?}"))
        }
    })
    .await;
    for Use {
        name,
        dimensions,
        place,
        ..
    } in looked_at.iter().filter(|u| u.namespace == "Hookpost")
    {
        let has = |known: &String| known.as_str() == dimensions || dimensions.ends_with("=*");
        assert!(
            told[name].iter().any(has),
            "{place}: {name} has {:?}, not {dimensions}",
            told[name]
        );
    }
    // What is told and what is written about it are the same, and nothing grows with customers.
    let written = column("metric");
    for (name, all) in &told {
        assert!(written.contains(name), "{name} is not in the document");
        for dimensions in all {
            let names = dimensions
                .split(',')
                .map(|one| one.split('=').next().unwrap());
            for dimension in names {
                assert!(
                    ["Stack", "Status", "ErrorType"].contains(&dimension),
                    "{dimension}"
                );
            }
        }
    }
    let untold: Vec<_> = written
        .iter()
        .filter(|name| !told.contains_key(*name))
        .collect();
    assert_eq!(untold, ["DeadLettersReburied"]);

    let log = std::fs::read_to_string(system.log()).unwrap();
    let secrets = [
        MARKER,
        KEY,
        "whsec_",
        "secret-of-a-query",
        "secret-of-a-header",
    ];
    let lines = check_logs(&log, &secrets);
    let failed = lines
        .iter()
        .find(|line| line["message"] == "an attempt failed");
    assert_eq!(failed.unwrap()["trace_id"].as_str().unwrap().len(), 32);
    for query in template.queries() {
        for message in template::quoted(&query, "message = \"") {
            let is_it = |line: &&Value| line["message"] == *message;
            assert!(
                lines.iter().any(|line| is_it(&line)),
                "{message:?} of {query}"
            );
        }
        for field in template::fields_of(&query) {
            assert!(column("field").contains(&field), "{field} of {query}");
        }
    }
}

#[tokio::test]
async fn an_idle_system_tells_no_metric() {
    let system = System::start_with(&[], &["--schedule-every", "500ms"]);
    let tenant = Tenant::on(&system);
    wait::until("some sweeps", || async {
        let stats = tenant.stats().await;
        let runs = &stats["functions"]["SweeperFunction"]["invocations"];
        if runs.as_u64().unwrap_or_default() >= 3 {
            Ok(())
        } else {
            Err(format!("{:#}", stats["functions"]["SweeperFunction"]))
        }
    })
    .await;
    assert_eq!(tenant.stats().await["metrics"], json!({}));
}

#[tokio::test]
async fn metrics_can_be_switched_off() {
    let system = System::start_with(&[("Metrics", "off")], &[]);
    let tenant = Tenant::on(&system);
    let endpoint = tenant.endpoint("/success").create().await;
    let event = tenant.publish("order.created", &json!({})).await;
    tenant.all_delivered(&event).await;
    endpoint.receives(1).await;
    assert_eq!(tenant.stats().await["metrics"], json!({}));
}

#[test]
fn what_the_template_watches_is_there_and_has_a_runbook() {
    let template = Template::read();
    let looked_at = template.metrics();
    assert!(looked_at.len() > 50, "{looked_at:#?}");
    for one in looked_at.iter().filter(|one| one.namespace != "Hookpost") {
        template.check_aws(one);
    }
    let document = document();
    for (name, description) in template.alarms() {
        assert!(description.len() > 60, "{name}: {description}");
        assert!(
            document.contains(&format!("| `{name}` |")),
            "{name} is not in the document"
        );
    }
    // Up to fifty metrics a dashboard cost nothing.
    assert!(
        template.metrics_on_dashboard() <= 50,
        "{}",
        template.metrics_on_dashboard()
    );
    for question in [
        "Are we delivering?",
        "To whom not?",
        "What waits?",
        "What does it cost?",
    ] {
        assert!(
            template.texts_on_dashboard().contains(question),
            "{question}"
        );
    }
    assert!(template.queries().len() >= 5);
}
