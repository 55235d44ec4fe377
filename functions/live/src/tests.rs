//! Whole invocations, over ports in memory, with a fault at each call.

use std::sync::Arc;
use std::time::Duration;

use hookpost_domain::Timestamp;
use hookpost_domain::live::{Outcome as Came, Shown, TICKET_LIFETIME};
use hookpost_domain::ports::Watched;
use hookpost_domain::{DeliveryId, EventId};
use hookpost_testkit::live::SIGNING_KEY;
use hookpost_testkit::tables::Truth;
use hookpost_testkit::{Clock, Fault, Faults, Plan, Process, Sockets, Tables};
use serde_json::{Value, json};

use super::*;

const START: Timestamp = Timestamp::from_millis(1_795_262_400_000);

struct Stage {
    live: Live<Tables, Sockets, Process>,
    tables: Tables,
    sockets: Sockets,
    process: Process,
}

fn config() -> Config {
    Config::parse(|name| {
        let named = name.ends_with("_TABLE") || name.ends_with("_URL");
        named.then(|| "x".to_owned())
    })
    .unwrap()
}

fn stage(plan: Plan) -> Stage {
    let clock = Clock::starting(START, plan.seed);
    let process = Process::new(Arc::new(Faults::new(plan)), clock);
    let tables = Truth::default().from(process.clone());
    let sockets = Sockets::new(process.clone());
    Stage {
        live: Live::new(tables.clone(), sockets.clone(), process.clone(), &config()),
        tables,
        sockets,
        process,
    }
}

impl Stage {
    fn ticket(&self, tenant: &str) -> String {
        let ticket = Ticket {
            tenant: tenant.parse().unwrap(),
            expires_at: self.process.now().after(TICKET_LIFETIME),
        };
        ticket.sign(&SIGNING_KEY)
    }

    async fn socket(&self, route: &str, connection: &str, rest: Value) -> Value {
        let mut event = json!({
            "requestContext": {"routeKey": route, "connectionId": connection, "identity": {"sourceIp": "192.0.2.1"}},
        });
        for (name, value) in rest.as_object().unwrap() {
            event[name] = value.clone();
        }
        let invocation: Invocation = serde_json::from_value(event).unwrap();
        serde_json::to_value(self.live.invoke(invocation).await).unwrap()
    }

    async fn say(&self, connection: &str, said: Value) -> Value {
        let answer = self
            .socket("$default", connection, json!({"body": said.to_string()}))
            .await;
        serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
    }

    async fn watch(&self, tenant: &str, connection: &str, filter: Value) -> Value {
        let ticket = self.ticket(tenant);
        let said = json!({"action": "watch", "ticket": ticket, "filter": filter});
        self.say(connection, said).await
    }

    async fn show(&self, tenant: &str, outcomes: &[Came]) -> usize {
        let attempts = outcomes.iter().map(|outcome| shown(*outcome)).collect();
        let handover = Handover {
            tenant: tenant.parse().unwrap(),
            attempts,
            left_out: 0,
        };
        let text = serde_json::to_string(&json!({ "show": handover })).unwrap();
        match self.live.invoke(serde_json::from_str(&text).unwrap()).await {
            Outcome::Shown { shown } => shown,
            Outcome::Answered { .. } => panic!("it is no socket"),
        }
    }

    fn sent(&self, connection: &str) -> Vec<Value> {
        let texts = self.sockets.sent(&connection.parse().unwrap());
        texts
            .iter()
            .map(|text| serde_json::from_str(text).unwrap())
            .collect()
    }
}

fn shown(outcome: Came) -> Shown {
    let event: EventId = "019ab3c0-7e00-7000-8000-000000000001".parse().unwrap();
    let endpoint: hookpost_domain::EndpointId = "ep_1".parse().unwrap();
    Shown {
        at: START,
        delivery_id: DeliveryId {
            event,
            endpoint: endpoint.clone(),
        },
        event_id: event,
        endpoint_id: endpoint,
        event_type: "order.created".parse().unwrap(),
        attempt: 1,
        outcome,
        status_code: Some(200),
        failure: None,
        latency_ms: 3,
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_comes_in_without_a_good_ticket() {
    let stage = stage(Plan::default());
    let connect = async |query: Value| {
        let rest = json!({ "queryStringParameters": query });
        stage.socket("$connect", "a=", rest).await["statusCode"].clone()
    };
    assert_eq!(connect(Value::Null).await, 401);
    assert_eq!(connect(json!({"ticket": "hl_x.y"})).await, 401);
    let ticket = stage.ticket("acme");
    assert_eq!(connect(json!({"ticket": ticket})).await, 200);
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(connect(json!({"ticket": ticket})).await, 401);
}

#[tokio::test(start_paused = true)]
async fn a_watcher_sees_what_its_filter_wants_of_its_tenant_until_its_time_is_over() {
    let stage = stage(Plan::default());
    let told = stage
        .watch("acme", "a=", json!({"outcomes": ["dead"]}))
        .await;
    assert_eq!(told["type"], "watching", "{told}");
    assert_eq!(stage.show("other", &[Came::Dead]).await, 0);
    assert_eq!(stage.show("acme", &[Came::Delivered]).await, 0);
    assert_eq!(stage.show("acme", &[Came::Delivered, Came::Dead]).await, 1);
    let sent = stage.sent("a=");
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(sent[0]["attempts"][0]["outcome"], "dead");
    tokio::time::advance(WATCH_LIFETIME).await;
    assert_eq!(stage.show("acme", &[Came::Dead]).await, 0);
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let stage = stage(Plan::default());
    for (said, reason) in [
        (json!("hello"), "message"),
        (json!({"action": "dance"}), "message"),
        (json!({"action": "watch"}), "message"),
        (json!({"action": "watch", "ticket": "x"}), "ticket"),
        (
            json!({"action": "watch", "ticket": stage.ticket("acme"), "filter": {"nope": 1}}),
            "message",
        ),
    ] {
        let told = stage.say("a=", said.clone()).await;
        assert_eq!(told["type"], "refused", "{said}: {told}");
        assert_eq!(told["reason"], reason, "{said}: {told}");
    }
    assert_eq!(stage.show("acme", &[Came::Dead]).await, 0);
    assert_eq!(
        stage.say("a=", json!({"action": "ping"})).await["type"],
        "pong"
    );
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_gone_is_called_once_and_harms_nobody() {
    let stage = stage(Plan::default());
    stage.watch("acme", "a=", json!({})).await;
    stage.watch("acme", "b=", json!({})).await;
    stage.sockets.close(&"a=".parse().unwrap());
    assert_eq!(stage.show("acme", &[Came::Delivered]).await, 1);
    let watch = stage.tables.watch(&"acme".parse().unwrap()).await.unwrap();
    assert_eq!(watch.watchers.len(), 1);
    let ticket = stage.ticket("acme");
    let told = stage
        .say("b=", json!({"action": "unwatch", "ticket": ticket}))
        .await;
    assert_eq!(told["type"], "unwatched");
    assert_eq!(stage.show("acme", &[Came::Delivered]).await, 0);
}

#[tokio::test(start_paused = true)]
async fn no_more_watch_than_may() {
    let stage = stage(Plan::default());
    for nth in 0..MAX_WATCHERS {
        let told = stage.watch("acme", &format!("c{nth}"), json!({})).await;
        assert_eq!(told["type"], "watching");
    }
    let told = stage.watch("acme", "late", json!({})).await;
    assert_eq!(
        (&told["type"], &told["reason"]),
        (&json!("refused"), &json!("full"))
    );
    let again = stage.watch("acme", "c3", json!({})).await;
    assert_eq!(again["type"], "watching");
}

/// Whoever is told that they watch does, and delivery will hear of it, whichever call fails, and
/// whether before or after its effect.
#[tokio::test(start_paused = true)]
async fn whoever_is_told_that_they_watch_does() {
    for fault in [Fault::Before, Fault::After] {
        for call in 0..3 {
            let stage = stage(Plan::one(call, fault));
            let told = stage.watch("acme", "a=", json!({})).await;
            if told["type"] != "watching" {
                assert_eq!(told["reason"], "unavailable");
                let told = stage.watch("acme", "a=", json!({})).await;
                assert_eq!(told["type"], "watching", "it is said again");
            }
            let until = stage.tables.watched_until(None).await.unwrap();
            assert!(until > Some(stage.process.now()));
            assert_eq!(stage.show("acme", &[Came::Dead]).await, 1);
        }
    }
}
