//! A key's own limit of calls, and what a key costs.

use hookpost_tests::{Call, System, Tenant, wait};
use serde_json::json;

use super::{KEY, make_key, owner, sha256, system};

#[tokio::test]
async fn a_key_makes_no_more_calls_than_its_limit() {
    let owner = owner();
    let more = json!({ "requests_per_second": 2 });
    let (key, _) = make_key(&owner, &["read"], &more).await;
    let caller = Tenant::on(system()).called(&owner.id).with_key(&key);
    let began = wait::now();
    let mut let_in = 0;
    for _ in 0..30 {
        let answer = caller.get("/endpoints").await;
        if answer.status == 200 {
            let_in += 1;
            continue;
        }
        answer.problem(429);
        let after: u64 = answer.header("retry-after").parse().unwrap();
        // However often it was refused.
        assert!((1..=2).contains(&after), "{after}");
    }
    let most = 2 * (began.elapsed().as_secs() + 2) + 1;
    assert!((2..=most).contains(&let_in), "{let_in} of {most}");
    wait::until("a call to be let in again", || async {
        match caller.get("/endpoints").await.status {
            200 => Ok(()),
            status => Err(status.to_string()),
        }
    })
    .await;
    owner.get("/endpoints").await.expect(200);
}

#[tokio::test]
async fn a_key_that_is_known_costs_a_call_nothing() {
    let hash = sha256(KEY);
    let parameters = [("Auth", "required"), ("AdminKeySha256", &*hash)];
    let system = System::start_with(&parameters, &["--max-instances", "1"]);
    let owner = Tenant::on(&system).with_key(KEY);
    let (key, _) = make_key(&owner, &["publish"], &json!({})).await;
    let caller = Tenant::on(&system).called(&owner.id).with_key(&key);
    let began = wait::now();
    for _ in 0..60 {
        caller.publish("order.created", &json!({})).await;
    }
    let call = Call::new("GET", "/_local/stats");
    let stats = owner.client().call(system.url("lambda"), call).await;
    let stats = stats.expect(200);
    let rows = stats["dynamodb"].as_array().unwrap();
    let ingest = rows.iter().filter(|row| row["caller"] == "IngestFunction");
    let calls = |operation: &str, table: &str| -> u64 {
        ingest
            .clone()
            .filter(|row| row["operation"] == operation)
            .filter(|row| row["resource"].as_str().unwrap().contains(table))
            .map(|row| row["calls"].as_u64().unwrap_or_default())
            .sum()
    };
    // One read in ten seconds, and the one that warms the instance up.
    let most = 2 + began.elapsed().as_secs() / 10;
    assert!(calls("GetItem", "KeysTable") <= most, "{stats:#}");
    assert_eq!(calls("PutItem", "KeysTable"), 0);
    assert_eq!(calls("PutItem", "SettingsTable"), 0);
    assert_eq!(calls("Query", "SettingsTable"), 0);
}
