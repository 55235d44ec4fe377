//! Events, deliveries and the audit log expire as the deployment says: every item carries its end.

use hookpost_tests::{System, Tenant, wait};
use serde_json::{Value, json};

const DAY_S: u64 = 24 * 3600;

/// The ends, in seconds from now, of all items of a table whose keys begin so.
async fn ends(tenant: &Tenant<'_>, table: &str, of: impl Fn(&str) -> bool) -> Vec<i64> {
    let input = json!({ "TableName": tenant.system().table_name(table), "ConsistentRead": true });
    let scanned = tenant.dynamodb("Scan", &input).await;
    let items = scanned["Items"].as_array().unwrap();
    let items = items
        .iter()
        .filter(|item| of(item["pk"]["S"].as_str().unwrap()));
    let now = i64::try_from(wait::epoch_ms() / 1000).unwrap();
    let end = |item: &Value| {
        let end = item["expires_at"]["N"].as_str();
        let end = end.unwrap_or_else(|| panic!("it never ends: {item:#}"));
        end.parse::<i64>().unwrap() - now
    };
    items.map(end).collect()
}

fn assert_days(ends: &[i64], days: u64, what: &str) {
    assert!(!ends.is_empty(), "there is no {what}");
    let expected = i64::try_from(days * DAY_S).unwrap();
    // A marker of an hour stays an hour longer than its events.
    let holds = |end: &i64| (expected - 120..=expected + 7200).contains(end);
    assert!(ends.iter().all(holds), "{what}: {ends:?}");
}

#[tokio::test]
async fn everything_ends_when_the_parameters_say() {
    let parameters = [("RetentionDays", "2"), ("AuditRetentionDays", "3")];
    let system = System::start_with(&parameters, &[]);
    let tenant = Tenant::on(&system);
    tenant.endpoint("/success").create().await;
    let once = json!({ "max_attempts": 1 });
    let failing = tenant.endpoint("/fail").with("retry", once);
    failing.create().await;
    let event = tenant.publish("order.created", &json!({})).await;
    for (delivery, status) in event.deliveries.iter().zip(["delivered", "dead"]) {
        tenant.delivery_is(&delivery.id, status).await;
    }
    let all = |_: &str| true;
    assert_days(&ends(&tenant, "EventsTable", all).await, 2, "event");
    assert_days(&ends(&tenant, "DeliveriesTable", all).await, 2, "delivery");
    let audit = |pk: &str| pk.starts_with("audit#");
    assert_days(&ends(&tenant, "SettingsTable", audit).await, 3, "entry");
}
