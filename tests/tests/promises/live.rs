//! Whoever watches sees attempts of their tenant as they happen, and nobody else pays for it.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use hookpost_tests::{Answer, Call, Client, System, Tenant, wait};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// A connection, and what came over it.
struct Watcher {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    attempts: Vec<Value>,
}

async fn ticket(tenant: &Tenant<'_>) -> Value {
    tenant.post("/live/tickets", &json!({})).await.expect(201)
}

/// The address that a ticket is for, with this ticket.
fn address(made: &Value, ticket: &str) -> String {
    format!("{}?ticket={ticket}", made["url"].as_str().unwrap())
}

/// The status that a connection is refused with.
async fn refused(address: &str) -> u16 {
    match connect_async(address).await {
        Err(tungstenite::Error::Http(answer)) => answer.status().as_u16(),
        Err(error) => panic!("{address}: {error}"),
        Ok(_) => panic!("{address} let somebody in"),
    }
}

impl Watcher {
    /// Connects, without watching yet.
    async fn connect(tenant: &Tenant<'_>) -> Self {
        let made = ticket(tenant).await;
        let address = address(&made, made["ticket"].as_str().unwrap());
        let (socket, _) = connect_async(address).await.unwrap();
        Self {
            socket,
            attempts: Vec::new(),
        }
    }

    /// Connects, and watches.
    async fn new(tenant: &Tenant<'_>, filter: Value) -> Self {
        let mut watcher = Self::connect(tenant).await;
        let told = watcher.watch(tenant, filter).await;
        assert_eq!(told["type"], "watching", "{told}");
        watcher
    }

    async fn watch(&mut self, tenant: &Tenant<'_>, filter: Value) -> Value {
        let ticket = ticket(tenant).await["ticket"].clone();
        let said = json!({ "action": "watch", "ticket": ticket, "filter": filter });
        self.say(&said.to_string()).await
    }

    /// Says something, and waits for the answer.
    async fn say(&mut self, said: &str) -> Value {
        self.socket.send(Message::text(said)).await.unwrap();
        loop {
            let told = self.next(Duration::from_secs(20)).await;
            let told = told.unwrap_or_else(|| panic!("no answer to {said}"));
            if told["type"] != "attempts" {
                return told;
            }
        }
    }

    /// What comes next, if anything does; attempts are kept.
    async fn next(&mut self, within: Duration) -> Option<Value> {
        loop {
            let said = tokio::time::timeout(within, self.socket.next())
                .await
                .ok()?;
            let Message::Text(text) = said?.unwrap() else {
                continue;
            };
            let told: Value = serde_json::from_str(&text).unwrap();
            if told["type"] == "attempts" {
                self.attempts
                    .extend(told["attempts"].as_array().unwrap().iter().cloned());
            }
            return Some(told);
        }
    }

    /// Waits until an attempt of a delivery came to something.
    async fn sees(&mut self, delivery: &str, outcome: &str) -> Value {
        let end = wait::now() + wait::DEADLINE;
        loop {
            let seen = self
                .attempts
                .iter()
                .find(|one| one["delivery_id"] == delivery && one["outcome"] == outcome);
            if let Some(seen) = seen {
                return seen.clone();
            }
            let left = end.saturating_duration_since(wait::now());
            assert!(
                !left.is_zero(),
                "{outcome} of {delivery} not among {:#?}",
                self.attempts
            );
            let _more = self.next(left).await;
        }
    }

    /// Publishes until the watching has been heard of, and by every process.
    async fn is_heard_of(&mut self, tenant: &Tenant<'_>, event_type: &str) {
        let end = wait::now() + wait::DEADLINE;
        while self.attempts.is_empty() {
            assert!(wait::now() < end, "nothing is shown");
            tenant.publish(event_type, &json!({})).await;
            let _more = self.next(Duration::from_millis(500)).await;
        }
        // Another process believes for five seconds what it read before.
        tokio::time::sleep(Duration::from_secs(6)).await;
    }
}

#[tokio::test]
async fn nobody_connects_without_a_ticket() {
    let tenant = Tenant::new();
    let made = ticket(&tenant).await;
    let url = made["url"].as_str().unwrap();
    assert_eq!(refused(url).await, 401);
    assert_eq!(refused(&address(&made, "hl_made.up")).await, 401);
    let good = made["ticket"].as_str().unwrap();
    assert_eq!(refused(&address(&made, &format!("{good}x"))).await, 401);
    // A token, which reads over HTTP, is no ticket, and the other way round.
    let token = tenant.post("/tokens", &json!({})).await.expect(201);
    assert_eq!(
        refused(&address(&made, token["token"].as_str().unwrap())).await,
        401
    );

    let mut watcher = Watcher::connect(&tenant).await;
    for (said, reason) in [
        ("hello", "message"),
        (r#"{"action":"watch","ticket":"hl_made.up"}"#, "ticket"),
    ] {
        let told = watcher.say(said).await;
        assert_eq!(told["reason"], reason, "{told}");
    }
    let told = watcher.watch(&tenant, json!({ "endpoint": "x" })).await;
    assert_eq!(told["reason"], "message", "{told}");
}

#[tokio::test]
async fn a_watcher_sees_every_attempt_and_what_it_came_to() {
    let tenant = Tenant::new();
    let retry = json!({ "initial_delay": 1, "multiplier": 1, "jitter": 0, "max_attempts": 2 });
    let good = tenant
        .endpoint("/success")
        .event_types(&["a.*"])
        .create()
        .await;
    let flaky = tenant.endpoint("/flaky?fail=1").event_types(&["a.b"]);
    let flaky = flaky.with("retry", retry.clone()).create().await;
    let bad = tenant.endpoint("/fail").event_types(&["a.b"]);
    let bad = bad.with("retry", retry).create().await;
    let mut watcher = Watcher::new(&tenant, json!({})).await;
    watcher.is_heard_of(&tenant, "a.warm").await;

    let event = tenant.publish("a.b", &json!({})).await;
    let delivery = |endpoint: &str| {
        let found = event
            .deliveries
            .iter()
            .find(|one| one.endpoint_id == endpoint);
        found.unwrap().id.clone()
    };
    let green = watcher.sees(&delivery(&good.id), "delivered").await;
    assert_eq!(green["status_code"], 200);
    assert_eq!(green["event_id"], event.id);
    assert_eq!(green["endpoint_id"], good.id);
    assert_eq!(
        (&green["event_type"], &green["attempt"]),
        (&json!("a.b"), &json!(1))
    );
    watcher.sees(&delivery(&flaky.id), "retrying").await;
    let second = watcher.sees(&delivery(&flaky.id), "delivered").await;
    assert_eq!(second["attempt"], 2);
    let yellow = watcher.sees(&delivery(&bad.id), "retrying").await;
    assert_eq!(
        (&yellow["failure"], &yellow["status_code"]),
        (&json!("http_500"), &json!(500))
    );
    watcher.sees(&delivery(&bad.id), "dead").await;
}

#[tokio::test]
async fn a_watcher_sees_its_own_tenant_only_and_what_its_filter_wants() {
    let (mine, other) = (Tenant::new(), Tenant::new());
    let endpoint = mine.endpoint("/success").create().await;
    let second = mine
        .endpoint("/success")
        .event_types(&["b.*"])
        .create()
        .await;
    let theirs = other.endpoint("/success").create().await;
    let filter = json!({ "endpoint_ids": [endpoint.id], "event_types": ["b.*"] });
    let mut filtering = Watcher::new(&mine, filter).await;
    let mut seeing_all = Watcher::new(&mine, json!({})).await;
    let mut elsewhere = Watcher::new(&other, json!({})).await;
    for (watcher, tenant) in [
        (&mut filtering, &mine),
        (&mut seeing_all, &mine),
        (&mut elsewhere, &other),
    ] {
        watcher.is_heard_of(tenant, "b.warm").await;
    }
    mine.publish("a.x", &json!({})).await;
    other.publish("b.x", &json!({})).await;
    let wanted = mine.publish("b.x", &json!({})).await;
    let to = |id: &str| {
        let found = wanted.deliveries.iter().find(|one| one.endpoint_id == id);
        found.unwrap().id.clone()
    };
    filtering.sees(&to(&endpoint.id), "delivered").await;
    seeing_all.sees(&to(&endpoint.id), "delivered").await;
    seeing_all.sees(&to(&second.id), "delivered").await;
    let seen_by = |watcher: &Watcher, field: &str| -> Vec<String> {
        let texts = watcher.attempts.iter().map(|one| one[field].to_string());
        texts.collect()
    };
    let own = format!("\"{}\"", endpoint.id);
    assert!(
        seen_by(&filtering, "endpoint_id")
            .iter()
            .all(|id| *id == own)
    );
    assert!(
        seen_by(&filtering, "event_type")
            .iter()
            .all(|kind| kind.starts_with("\"b."))
    );
    let foreign = format!("\"{}\"", theirs.id);
    assert!(!seen_by(&seeing_all, "endpoint_id").contains(&foreign));
    assert!(
        seen_by(&elsewhere, "endpoint_id")
            .iter()
            .all(|id| *id == foreign)
    );
}

async fn local(tenant: &Tenant<'_>, method: &str, path: &str) -> Answer {
    let call = Call::new(method, format!("/_local/{path}"));
    let system = tenant.system();
    Client::default().call(system.url("lambda"), call).await
}

fn calls(stats: &Value, service: &str, caller: &str, operation: &str, resource: &str) -> u64 {
    let rows = stats[service].as_array().unwrap().iter();
    rows.filter(|row| row["caller"] == caller && row["operation"] == operation)
        .filter(|row| row["resource"].as_str().unwrap().ends_with(resource))
        .map(|row| row["calls"].as_u64().unwrap())
        .sum()
}

/// On a system of its own: what is counted is of these deliveries only.
#[tokio::test]
async fn nothing_is_called_for_a_delivery_that_nobody_watches() {
    let system = System::start_with(&[], &["--max-instances", "1"]);
    let tenant = Tenant::on(&system);
    tenant.endpoint("/success").create().await;
    tenant
        .all_delivered(&tenant.publish("a", &json!({})).await)
        .await;
    local(&tenant, "POST", "stats/reset").await.expect(200);
    let began = wait::now();
    for _ in 0..40 {
        tenant
            .all_delivered(&tenant.publish("a", &json!({})).await)
            .await;
    }
    let took = began.elapsed().as_secs();
    let stats = tenant.stats().await;
    assert_eq!(stats["functions"]["LiveFunction"]["invocations"], 0);
    let asked = calls(
        &stats,
        "dynamodb",
        "DeliveryFunction",
        "GetItem",
        "SettingsTable",
    );
    // Each instance asks once in five seconds; besides that it reads its data key.
    let instances = stats["functions"]["DeliveryFunction"]["instances"]
        .as_u64()
        .unwrap();
    let most = instances * (took / 5 + 2);
    assert!(
        asked <= most,
        "{asked} reads in {took} s by {instances} instances"
    );

    // Watched, each batch is a call to the function and one to the connection, and no read more.
    let mut watcher = Watcher::new(&tenant, json!({})).await;
    watcher.is_heard_of(&tenant, "a").await;
    let stats = tenant.stats().await;
    assert!(
        stats["functions"]["LiveFunction"]["invocations"]
            .as_u64()
            .unwrap()
            >= 1
    );
    assert!(
        calls(
            &stats,
            "connections",
            "LiveFunction",
            "PostToConnection",
            "LiveApi"
        ) >= 1
    );

    // Gone without a word, it is called once more, and harms nothing.
    drop(watcher);
    let refusals = async || {
        let stats = tenant.stats().await;
        let rows = stats["connections"].as_array().unwrap().iter();
        rows.map(|row| row["errors"].as_u64().unwrap()).sum::<u64>()
    };
    wait::until("the connection is found gone", || async {
        tenant
            .all_delivered(&tenant.publish("a", &json!({})).await)
            .await;
        match refusals().await {
            0 => Err("no call was refused".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
    let table = system.table_name("SettingsTable");
    let key = json!({ "pk": {"S": format!("watching#{}", tenant.id)}, "sk": {"S": "watch"} });
    wait::until("nobody is noted any more", || async {
        let input = json!({ "TableName": table, "Key": key });
        let item = tenant.dynamodb("GetItem", &input).await;
        match item["Item"]["watchers"]["S"].as_str() {
            Some("[]") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

/// The function that shows is taken away: its role may not send to connections any more.
#[tokio::test]
async fn deliveries_go_on_when_nothing_can_be_shown() {
    let template = include_str!("../../../infra/template.yaml");
    let broken = template.replace(
        "Action: execute-api:ManageConnections",
        "Action: execute-api:Nothing",
    );
    assert_ne!(broken, template);
    let folder = std::env::temp_dir().join(format!("hookpost-live-{}", std::process::id()));
    let infra = folder.join("infra");
    std::fs::create_dir_all(&infra).unwrap();
    let path = infra.join("template.yaml");
    std::fs::write(&path, broken).unwrap();
    let system = System::start_with(&[], &["--template", path.to_str().unwrap(), "--no-build"]);
    let tenant = Tenant::on(&system);
    tenant.endpoint("/success").create().await;
    let mut watcher = Watcher::new(&tenant, json!({})).await;
    wait::until("a call that is refused", || async {
        tenant
            .all_delivered(&tenant.publish("a", &json!({})).await)
            .await;
        let stats = tenant.stats().await;
        match calls(
            &stats,
            "connections",
            "LiveFunction",
            "PostToConnection",
            "LiveApi",
        ) {
            0 => Err(format!("{:#}", stats["functions"]["LiveFunction"])),
            _ => Ok(()),
        }
    })
    .await;
    tenant
        .all_delivered(&tenant.publish("a", &json!({})).await)
        .await;
    assert!(watcher.next(Duration::from_millis(200)).await.is_none());
    let stats = tenant.stats().await;
    assert_eq!(stats["functions"]["LiveFunction"]["errors"], 0);
    assert_eq!(stats["functions"]["DeliveryFunction"]["errors"], 0);
    drop(system);
    let _removed = std::fs::remove_dir_all(folder);
}

#[tokio::test]
async fn without_a_live_feed_the_api_says_so() {
    let system = System::start_with(&[("LiveFeed", "off")], &[]);
    let tenant = Tenant::on(&system);
    let deployment = tenant.get("/deployment").await.expect(200);
    assert_eq!(deployment["live"], false);
    assert_eq!(deployment["test_receiver_url"], system.url("receiver"));
    tenant.post("/live/tickets", &json!({})).await.problem(404);
    tenant.endpoint("/success").create().await;
    tenant
        .all_delivered(&tenant.publish("a", &json!({})).await)
        .await;
}
