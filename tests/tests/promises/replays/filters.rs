//! Which dead letters a filter means, from the API, from the console's Test button and from
//! `cargo lambda invoke`.

use std::collections::BTreeMap;

use futures::future::join_all;
use hookpost_tests::{Endpoint, Tenant, wait};
use serde_json::{Value, json};

use super::{dying, replay};

/// Dead letters of several kinds, by a name for each, and which cycle each is in.
struct Graves<'a> {
    tenant: &'a Tenant<'a>,
    ids: BTreeMap<&'static str, String>,
    cycles: BTreeMap<&'static str, u64>,
    endpoints: Vec<Endpoint<'a>>,
    /// When the user's event was accepted, after all of the orders.
    later: Value,
}

impl<'a> Graves<'a> {
    async fn dig(tenant: &'a Tenant<'a>) -> Self {
        let unavailable = dying(tenant, "/status/503").create().await;
        let broken = dying(tenant, "/status/500").create().await;
        let missing = dying(tenant, "/status/404").create().await;
        let silent = dying(tenant, "/hang")
            .event_types(&["order.*"])
            .with("timeout_seconds", json!(1))
            .create()
            .await;
        let order = tenant.publish("order.created", &json!({})).await;
        tokio::time::sleep(wait::POLL).await;
        let user = tenant.publish("user.created", &json!({})).await;
        let ids = BTreeMap::from([
            ("order 503", unavailable.delivery_of(&order.id)),
            ("order 500", broken.delivery_of(&order.id)),
            ("order 404", missing.delivery_of(&order.id)),
            ("order timeout", silent.delivery_of(&order.id)),
            ("user 503", unavailable.delivery_of(&user.id)),
            ("user 500", broken.delivery_of(&user.id)),
            ("user 404", missing.delivery_of(&user.id)),
        ]);
        let user = tenant.delivery(&ids["user 503"]).await;
        let graves = Self {
            tenant,
            cycles: ids.keys().map(|name| (*name, 0)).collect(),
            ids,
            endpoints: vec![unavailable, broken, missing, silent],
            later: user["created_at"].clone(),
        };
        graves.are_dead().await;
        graves
    }

    /// All are dead, each in its cycle.
    async fn are_dead(&self) {
        join_all(self.ids.iter().map(|(name, id)| {
            let cycle = self.cycles[name];
            let dead = move |d: &Value| d["status"] == "dead" && d["cycle"] == cycle;
            let what = format!("{name} is dead in cycle {cycle}");
            async move { self.tenant.delivery_where(id, &what, dead).await }
        }))
        .await;
    }

    async fn records(&self) -> Vec<Value> {
        join_all(self.ids.values().map(|id| self.tenant.delivery(id))).await
    }

    async fn requests(&self) -> usize {
        let received = self.endpoints.iter().map(Endpoint::received);
        join_all(received).await.iter().map(Vec::len).sum()
    }

    /// A filter is counted, which touches nothing, and then carried out.
    async fn replay(&mut self, filter: Value, meant: &[&'static str]) {
        let (records, requests) = (self.records().await, self.requests().await);
        let counted = json!({ "filter": filter, "dry_run": true });
        let counted = replay(self.tenant, &counted).await;
        assert_eq!(counted["dry_run"], true);
        assert_eq!(counted["matched"], meant.len(), "{filter}: {counted:#}");
        assert_eq!(counted["replayed"], 0, "{filter}: {counted:#}");
        assert_eq!(self.records().await, records, "{filter}");
        assert_eq!(self.requests().await, requests, "{filter}");

        let job = replay(self.tenant, &json!({ "filter": filter })).await;
        assert_eq!(job["matched"], meant.len(), "{filter}: {job:#}");
        assert_eq!(job["replayed"], meant.len(), "{filter}: {job:#}");
        for name in meant {
            *self.cycles.get_mut(name).unwrap() += 1;
        }
        // What dies again is not replayed by the same job, and what is not meant is left alone.
        self.are_dead().await;
        assert_eq!(self.requests().await, requests + meant.len(), "{filter}");
    }
}

#[tokio::test]
async fn a_filter_replays_what_it_means_and_a_dry_run_only_counts_it() {
    let tenant = Tenant::new();
    let mut graves = Graves::dig(&tenant).await;
    let all: Vec<&'static str> = graves.ids.keys().copied().collect();
    let orders: Vec<&'static str> = all
        .iter()
        .copied()
        .filter(|name| name.starts_with("order"))
        .collect();
    let users: Vec<&'static str> = all
        .iter()
        .copied()
        .filter(|name| name.starts_with("user"))
        .collect();
    let later = graves.later.clone();
    let unavailable = graves.endpoints[0].id.clone();
    let named = [&graves.ids["order 404"], &graves.ids["user 500"]];
    let named = json!({ "delivery_ids": named });

    graves.replay(named, &["order 404", "user 500"]).await;
    let filter = json!({ "endpoint_id": unavailable });
    graves.replay(filter, &["order 503", "user 503"]).await;
    let filter = json!({ "event_type": "user.created" });
    graves.replay(filter, &users).await;
    let filter = json!({ "failure": "http_503" });
    graves.replay(filter, &["order 503", "user 503"]).await;
    let filter = json!({ "failure": "http_5xx" });
    let meant = ["order 503", "order 500", "user 503", "user 500"];
    graves.replay(filter, &meant).await;
    let filter = json!({ "failure": "timeout" });
    graves.replay(filter, &["order timeout"]).await;
    graves.replay(json!({ "from": later }), &users).await;
    graves.replay(json!({ "to": later }), &orders).await;
    let filter = json!({ "from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z" });
    graves.replay(filter, &[]).await;
    let filter =
        json!({ "endpoint_id": unavailable, "event_type": "user.created", "failure": "http_5xx" });
    graves.replay(filter, &["user 503"]).await;
    graves
        .replay(json!({ "failure": "endpoint_disabled" }), &[])
        .await;
    graves.replay(json!({ "all": true }), &all).await;
}

#[tokio::test]
async fn the_consoles_test_button_replays_with_the_json_of_the_events_folder() {
    let tenant = Tenant::new();
    let graves = Graves::dig(&tenant).await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../events/replay");
    let mut orders = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let mut event: Value = serde_json::from_str(&text).unwrap();
        if name == "resume" {
            let answer = tenant.invoke("replay", &event).await.answer();
            assert!(answer["resumed"].is_u64(), "{answer:#}");
            continue;
        }
        if event.get("replay").is_none() {
            continue;
        }
        // Samples name what nobody has: here they get what is there.
        orders += 1;
        event["replay"]["tenant"] = json!(tenant.id);
        let dry = event["replay"]["dry_run"] == true;
        event["replay"]["dry_run"] = json!(true);
        let filter = &mut event["replay"]["filter"];
        let real = [
            ("endpoint_id", json!(graves.endpoints[0].id)),
            (
                "delivery_ids",
                json!([graves.ids["order 404"], graves.ids["user 404"]]),
            ),
            ("from", json!("2020-01-01T00:00:00Z")),
            ("to", graves.later.clone()),
        ];
        for (field, value) in real {
            if filter.get(field).is_some() {
                filter[field] = value;
            }
        }
        let answer = tenant.invoke("replay", &event).await.answer();
        let matched = match name {
            "all" | "dry-run" => 7,
            "by-id" | "by-endpoint" => 2,
            "by-event-type" | "by-failure" | "by-time-range" => 4,
            "by-failure-timeout" | "combined" => 1,
            "by-endpoint-disabled" => 0,
            other => panic!("which dead letters does {other}.json mean?"),
        };
        assert_eq!(answer["matched"], matched, "{name}: {answer:#}");
        assert_eq!(answer["replayed"], 0, "{name}: {answer:#}");
        assert_eq!(answer["status"], "finished", "{name}: {answer:#}");
        assert_eq!(dry, name == "dry-run");
    }
    assert!(orders >= 9, "{orders}");
    graves.are_dead().await;

    let all = json!({ "replay": { "filter": { "all": true }, "tenant": tenant.id } });
    let answer = tenant.invoke("replay", &all).await.answer();
    assert_eq!(answer["replayed"], 7, "{answer:#}");
    let path = format!("/replays/{}", answer["id"].as_str().unwrap());
    assert_eq!(tenant.get(&path).await.expect(200)["replayed"], 7);
    for id in graves.ids.values() {
        let again = |delivery: &Value| delivery["cycle"] == 1 && delivery["status"] == "dead";
        tenant.delivery_where(id, "dead again", again).await;
    }

    for (wrong, told) in [
        (json!({ "replay": {} }), "which dead letters"),
        (json!({ "replay": { "filter": { "alll": true } } }), "alll"),
        (json!({ "hello": 1 }), "events/replay"),
        (json!([]), "events/replay"),
    ] {
        let answer = tenant.invoke("replay", &wrong).await;
        let text = answer.payload.to_string();
        assert!(answer.failed && text.contains(told), "{wrong}: {text}");
    }
}

#[tokio::test]
async fn cargo_lambda_invokes_it_with_the_same_json() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let program = format!("{root}/.tools/cargo-lambda/bin/cargo-lambda");
    if !std::path::Path::new(&program).exists() {
        println!("left out: cargo-lambda is not set up, see the README");
        return;
    }
    let tenant = Tenant::new();
    let endpoint = dying(&tenant, "/switch").create().await;
    endpoint.switch(503).await;
    let event = tenant.publish("order.created", &json!({})).await;
    tenant.delivery_is(event.delivery(), "dead").await;
    endpoint.switch(200).await;
    let lambda = tenant.system().authority("lambda");
    let (address, port) = lambda.split_once(':').unwrap();
    let order = json!({ "replay": { "filter": { "all": true }, "tenant": tenant.id } });
    let order = order.to_string();
    let flags = ["--invoke-address", address, "--invoke-port", port];
    let invoked = std::process::Command::new(program)
        .args(["lambda", "invoke", "replay", "--data-ascii", &order])
        .args(flags)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&invoked.stdout);
    assert!(
        invoked.status.success(),
        "{told}{}",
        String::from_utf8_lossy(&invoked.stderr)
    );
    let answer: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(answer["replayed"], 1, "{answer:#}");
    tenant.delivery_is(event.delivery(), "delivered").await;
}
