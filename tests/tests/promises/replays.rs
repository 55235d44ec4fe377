//! Dead letters go back: one, or many by a filter, counted first if so wished, at the pace that is
//! asked for, in a fresh cycle; and nothing that is not dead ever does.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use hookpost_tests::{Accepted, Call, Endpoint, EndpointBuilder, Tenant, wait};
use serde_json::{Value, json};

/// An endpoint that gives up at the first failure, and whose breaker stays out of it.
fn dying<'a>(tenant: &'a Tenant<'a>, behaviour: &str) -> EndpointBuilder<'a> {
    tenant
        .endpoint(behaviour)
        .with("retry", json!({ "max_attempts": 1 }))
        .with("breaker", json!({ "failures": 1000 }))
}

/// Publishes so many events, in batches of a hundred.
async fn publish_many(tenant: &Tenant<'_>, count: usize) -> Vec<Accepted> {
    let mut accepted = Vec::new();
    let events: Vec<Value> = (0..count)
        .map(|nth| json!({ "event_type": "order.created", "payload": nth }))
        .collect();
    for events in events.chunks(100) {
        let answer = tenant
            .post("/events/batch", &json!({ "events": events }))
            .await;
        assert!(answer.status < 300, "{}", answer.text());
        let results = &answer.json()["results"];
        accepted.extend(results.as_array().unwrap().iter().map(Accepted::read));
    }
    accepted
}

/// Waits until so many dead letters are listed.
async fn dead_letters(tenant: &Tenant<'_>, count: usize) {
    wait::until(&format!("{count} dead letters"), || async {
        let mut found = 0;
        let mut after = String::new();
        loop {
            let path = format!("/dead-letters?limit=200{after}");
            let page = tenant.get(&path).await.expect(200);
            found += page["data"].as_array().unwrap().len();
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None if found == count => return Ok(()),
                None => return Err(format!("{found} so far")),
            }
        }
    })
    .await;
}

/// Orders a replay, and gives the answer.
async fn order(tenant: &Tenant<'_>, replay: &Value) -> Value {
    let answer = tenant.post("/replays", replay).await;
    let job = answer.expect(202);
    let id = job["id"].as_str().unwrap();
    assert_eq!(answer.header("location"), format!("/api/v1/replays/{id}"));
    job
}

/// Orders a replay, and gives it once it is finished.
async fn replay(tenant: &Tenant<'_>, replay: &Value) -> Value {
    let job = order(tenant, replay).await;
    let path = format!("/replays/{}", job["id"].as_str().unwrap());
    wait::until("the replay is finished", || async {
        let job = tenant.get(&path).await.expect(200);
        if job["status"] == "finished" {
            Ok(job)
        } else {
            Err(format!("{job:#}"))
        }
    })
    .await
}

async fn replay_one(tenant: &Tenant<'_>, id: &str) -> hookpost_tests::Answer {
    let path = format!("/api/v1/dead-letters/{id}/replay");
    tenant.call(Call::new("POST", path)).await
}

#[tokio::test]
async fn one_dead_letter_is_replayed_as_the_same_webhook_in_a_fresh_cycle() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/switch")
        .with("retry", json!({ "delays": ["0s", "1s"] }))
        .with("breaker", json!({ "failures": 1000 }))
        .create()
        .await;
    endpoint.switch(503).await;
    let event = tenant.publish("order.created", &json!({ "a": 1 })).await;
    let id = event.delivery();
    tenant.delivery_is(id, "dead").await;

    let replayed = replay_one(&tenant, id).await;
    assert_eq!(replayed.expect(202)["delivery_id"], id);
    let location = format!("/api/v1/deliveries/{id}");
    assert_eq!(replayed.header("location"), location);
    // It has its whole schedule before it again.
    let again = |cycle: u64| move |d: &Value| d["cycle"] == cycle && d["status"] == "dead";
    let dead = tenant.delivery_where(id, "dead again", again(1)).await;
    assert_eq!(dead["attempts"], 2);
    assert_eq!(endpoint.receives(4).await.len(), 4);

    endpoint.switch(200).await;
    replay_one(&tenant, id).await.expect(202);
    let delivered = tenant.delivery_is(id, "delivered").await;
    assert_eq!(delivered["cycle"], 2);
    assert_eq!(delivered["attempts"], 1);
    let log: Vec<(u64, u64)> = delivered["attempt_log"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| {
            let number = |name: &str| attempt[name].as_u64().unwrap();
            (number("cycle"), number("number"))
        })
        .collect();
    assert_eq!(log, [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1)]);
    for request in endpoint.receives(5).await {
        assert_eq!(request.header("webhook-id"), event.id);
        assert_eq!(request.header("x-webhook-id"), event.id);
        assert_eq!(request.json()["id"], event.id);
        assert_eq!(request.data(), json!({ "a": 1 }));
        assert_eq!(request.signature, "verified");
    }
}

#[tokio::test]
async fn what_is_not_dead_is_not_replayed() {
    let tenant = Tenant::new();
    let alive = tenant.endpoint("/success").create().await;
    let waiting = tenant
        .endpoint("/fail")
        .with("retry", json!({ "delays": ["0s", "10m"] }))
        .create()
        .await;
    let dead = dying(&tenant, "/switch").create().await;
    dead.switch(503).await;
    let event = tenant.publish("order.created", &json!({})).await;
    let (alive, waiting, dead) = (
        alive.delivery_of(&event.id),
        waiting.delivery_of(&event.id),
        (dead.delivery_of(&event.id), dead),
    );
    let delivered = tenant.delivery_is(&alive, "delivered").await;
    let retrying = tenant.delivery_is(&waiting, "retrying").await;
    tenant.delivery_is(&dead.0, "dead").await;

    for id in [&alive, &waiting] {
        replay_one(&tenant, id).await.problem(409);
    }
    let unknown = dead.0.replace("ep_", "ep_x");
    for id in [&unknown, "nonsense"] {
        replay_one(&tenant, id).await.problem(404);
    }
    let other = Tenant::new();
    replay_one(&other, &dead.0).await.problem(404);

    let named = json!({ "filter": { "delivery_ids": [alive, waiting, unknown] } });
    let job = replay(&tenant, &named).await;
    assert_eq!((&job["matched"], &job["replayed"]), (&json!(0), &json!(0)));
    let all = json!({ "filter": { "all": true } });
    assert_eq!(replay(&other, &all).await["matched"], 0);

    dead.1.switch(200).await;
    let job = replay(&tenant, &all).await;
    assert_eq!((&job["matched"], &job["replayed"]), (&json!(1), &json!(1)));
    tenant.delivery_is(&dead.0, "delivered").await;
    // Delivered by a replay it is as final as any.
    replay_one(&tenant, &dead.0).await.problem(409);
    assert_eq!(replay(&tenant, &all).await["matched"], 0);
    dead.1.receives(2).await;
    assert_eq!(tenant.delivery(&alive).await, delivered);
    assert_eq!(tenant.delivery(&waiting).await, retrying);
}

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
async fn a_replay_keeps_to_its_rate() {
    let tenant = Tenant::new();
    let endpoint = dying(&tenant, "/switch").create().await;
    endpoint.switch(503).await;
    publish_many(&tenant, 16).await;
    dead_letters(&tenant, 16).await;
    endpoint.switch(200).await;
    let ordered_at = wait::epoch_ms();
    let paced = json!({ "filter": { "all": true }, "rate_per_second": 4 });
    assert_eq!(replay(&tenant, &paced).await["replayed"], 16);

    let received = endpoint.receives(32).await;
    let mut arrivals: Vec<u64> = received
        .iter()
        .filter(|request| request.status == Some(200))
        .map(|request| request.at_ms - ordered_at)
        .collect();
    arrivals.sort_unstable();
    assert_eq!(arrivals.len(), 16);
    for (nth, arrival) in (0u64..).zip(&arrivals) {
        // The nth is due nth quarters of a second after the first.
        assert!(*arrival + 100 >= nth * 250, "{arrivals:?}");
    }
    dead_letters(&tenant, 0).await;
}

#[tokio::test]
async fn a_large_replay_is_carried_out_whole() {
    let tenant = Tenant::new();
    let endpoint = dying(&tenant, "/switch").create().await;
    endpoint.switch(503).await;
    let events = publish_many(&tenant, 150).await;
    dead_letters(&tenant, 150).await;
    endpoint.switch(200).await;
    let counted = json!({ "filter": { "all": true }, "dry_run": true });
    assert_eq!(replay(&tenant, &counted).await["matched"], 150);

    let quick = json!({ "filter": { "endpoint_id": endpoint.id }, "rate_per_second": 10000 });
    let job = replay(&tenant, &quick).await;
    assert_eq!(
        (&job["matched"], &job["replayed"]),
        (&json!(150), &json!(150))
    );
    assert_eq!(job["rate_per_second"], 10000);
    assert!(job["finished_at"].is_string(), "{job:#}");
    let mut received = endpoint.receives(300).await;
    received.retain(|request| request.status == Some(200));
    let mut ids: Vec<&str> = received.iter().map(|r| r.header("webhook-id")).collect();
    ids.sort_unstable();
    let mut expected: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
    expected.sort_unstable();
    assert_eq!(ids, expected, "each exactly once");
    dead_letters(&tenant, 0).await;
}

#[tokio::test]
async fn a_slow_replay_goes_on_by_itself_and_tells_how_far_it_is() {
    let tenant = Tenant::new();
    let endpoint = dying(&tenant, "/switch").create().await;
    endpoint.switch(503).await;
    publish_many(&tenant, 150).await;
    dead_letters(&tenant, 150).await;
    endpoint.switch(200).await;
    let slow = json!({ "filter": { "all": true }, "rate_per_second": 1 });
    let job = order(&tenant, &slow).await;
    assert_eq!(job["status"], "running", "two minutes and a half at least");
    assert_eq!(job["finished_at"], Value::Null);
    let path = format!("/replays/{}", job["id"].as_str().unwrap());
    let replayed = |job: &Value| job["replayed"].as_u64().unwrap();
    let begun = replayed(&job);
    assert!(begun < 150, "{job:#}");
    wait::until("the schedule goes on with it", || async {
        let job = tenant.get(&path).await.expect(200);
        if replayed(&job) > begun && job["status"] == "running" {
            Ok(())
        } else {
            Err(format!("{job:#}"))
        }
    })
    .await;
    let accepted = |received: &[hookpost_tests::Received]| {
        let accepted = received.iter().filter(|r| r.status == Some(200));
        accepted.count()
    };
    let ordered_at = wait::now();
    wait::until("three have arrived", || async {
        let arrived = accepted(&endpoint.received().await);
        if arrived >= 3 {
            Ok(())
        } else {
            Err(format!("{arrived}"))
        }
    })
    .await;
    let most = (wait::now() - ordered_at + Duration::from_secs(6)).as_secs();
    let arrived = accepted(&endpoint.received().await) as u64;
    assert!(arrived <= most, "{arrived} after at most {most} s");

    // Nobody else sees it.
    Tenant::new().get(&path).await.problem(404);
    tenant.get("/replays/rpl_unknown").await.problem(404);
}

#[tokio::test]
async fn a_replay_that_does_not_say_what_it_means_is_refused() {
    let tenant = Tenant::new();
    let endpoint = dying(&tenant, "/fail").create().await;
    let event = tenant.publish("order.created", &json!({})).await;
    let dead = tenant.delivery_is(event.delivery(), "dead").await;
    let many: Vec<String> = (0..101)
        .map(|nth| format!("{}{nth}", event.delivery()))
        .collect();
    for (body, field) in [
        (json!({}), "filter"),
        (json!({ "filter": {} }), "filter"),
        (json!({ "filter": { "all": false } }), "filter"),
        (
            json!({ "filter": { "all": true, "event_type": "a" } }),
            "filter.all",
        ),
        (
            json!({ "filter": { "delivery_ids": many } }),
            "filter.delivery_ids",
        ),
        (
            json!({ "filter": { "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z" } }),
            "filter.to",
        ),
        (json!({ "filter": { "from": "yesterday" } }), "filter.from"),
        (json!({ "filter": { "all": "yes" } }), "filter.all"),
        (
            json!({ "filter": { "endpoint_id": "a#b" } }),
            "filter.endpoint_id",
        ),
        (
            json!({ "filter": { "event_type": "no type" } }),
            "filter.event_type",
        ),
        (
            json!({ "filter": { "everything": true } }),
            "filter.everything",
        ),
        (
            json!({ "filter": { "all": true }, "rate_per_second": 0 }),
            "rate_per_second",
        ),
        (
            json!({ "filter": { "all": true }, "rate_per_second": 10001 }),
            "rate_per_second",
        ),
        (
            json!({ "filter": { "all": true }, "rate_per_second": "fast" }),
            "rate_per_second",
        ),
        (json!({ "filter": { "all": true }, "dry": true }), "dry"),
    ] {
        tenant.post("/replays", &body).await.refuses(422, field);
    }
    for body in ["", "{", "[]", "null"] {
        let call = Call::new("POST", "/api/v1/replays").body(body);
        tenant.call(call).await.problem(400);
    }
    assert_eq!(tenant.delivery(event.delivery()).await, dead);
    endpoint.receives(1).await;
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
