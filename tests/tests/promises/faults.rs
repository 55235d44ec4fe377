//! Real processes, and a fault at one call of theirs at a time: whichever it is, nothing is lost.
//!
//! `tests/simulation` plays every fault at every call; this holds that the real functions over the
//! real SDK do as they do there. Four stories are told at once, once to count the calls and then
//! with a fault at one of them. Which ones is drawn: `HOOKPOST_FAULTS` says how many (4 unless
//! given, `all` for each kind at each call) and `HOOKPOST_SEED` which.

use std::time::Duration;

use hookpost_tests::{Accepted, Call, Endpoint, System, Tenant, wait};
use serde_json::{Value, json};

const FUNCTIONS: [&str; 3] = ["IngestFunction", "DeliveryFunction", "ReplayFunction"];
const KINDS: [&str; 8] = [
    "before",
    "after",
    "throttle",
    "timeout",
    "slow",
    "twice",
    "kill",
    "kill_after",
];
/// What a call failed for is put off ten seconds, and what a process had for three.
const PATIENCE: Duration = Duration::from_secs(60);

/// A fault at a call: whose, which one of it, and how it goes wrong.
#[derive(Debug, Clone)]
struct Fault {
    function: String,
    nth: usize,
    kind: &'static str,
}

async fn control(tenant: &Tenant<'_>, method: &str, path: &str) -> Value {
    let call = Call::new(method, format!("/_local/faults{path}"));
    let lambda = tenant.system().url("lambda");
    tenant.client().call(lambda, call).await.expect(200)
}

async fn endpoint<'a>(tenant: &'a Tenant<'a>, behaviour: &str, delays: &Value) -> Endpoint<'a> {
    tenant
        .endpoint(behaviour)
        .event_types(&[behaviour.split(['/', '?']).nth(1).unwrap()])
        .with("retry", json!({ "delays": delays, "jitter": false }))
        .with("timeout_seconds", json!(3))
        .create()
        .await
}

/// A caller tries again, with the same key, until it is told 202.
async fn publish(tenant: &Tenant<'_>, event_type: &str) -> Accepted {
    wait::within(PATIENCE, "the event is accepted", || async {
        let body = json!({ "event_type": event_type, "payload": { "n": 1 } });
        let call = Call::new("POST", "/api/v1/events").header("idempotency-key", event_type);
        let answer = tenant.call(call.json(&body)).await;
        match answer.status {
            202 => Ok(Accepted::read(&answer.json())),
            409 | 500.. => Err(answer.text().to_owned()),
            other => panic!("{other}: {}", answer.text()),
        }
    })
    .await
}

async fn ends(tenant: &Tenant<'_>, delivery: &str, status: &str) -> Value {
    let what = format!("{delivery} is {status}");
    wait::within(PATIENCE, &what, || async {
        let seen = tenant.get(&format!("/deliveries/{delivery}")).await;
        if seen.status == 200 && seen.json()["status"] == status {
            return Ok(seen.json());
        }
        Err(seen.text().to_owned())
    })
    .await
}

/// Asks for a replay until the delivery is dead no more.
async fn replay(tenant: &Tenant<'_>, delivery: &str) {
    wait::within(PATIENCE, "the replay is accepted", || async {
        let path = format!("/dead-letters/{delivery}/replay");
        let answer = tenant.post(&path, &json!({})).await;
        let seen = tenant.get(&format!("/deliveries/{delivery}")).await;
        if answer.status == 202 || seen.json()["status"] != "dead" {
            return Ok(());
        }
        Err(answer.text().to_owned())
    })
    .await;
}

/// Tells the four stories, with a fault or without one, and holds what has to hold at their end.
async fn play(system: &System, fault: Option<&Fault>) -> Value {
    let tenant = &Tenant::on(system);
    let happy = endpoint(tenant, "/success", &json!([0, 1, 1])).await;
    let flaky = endpoint(tenant, "/flaky?fail=1", &json!([0, 1, 1, 1])).await;
    let broken = endpoint(tenant, "/status/503", &json!([0, 1])).await;
    let mended = endpoint(tenant, "/switch", &json!([0, 1])).await;
    mended.switch(503).await;
    control(tenant, "POST", "").await;
    if let Some(Fault {
        function,
        nth,
        kind,
    }) = fault
    {
        control(tenant, "POST", &format!("/any/{function}/{nth}/{kind}")).await;
    }
    let story = async |endpoint: &Endpoint<'_>, event_type: &str, end: &str| {
        let event = publish(tenant, event_type).await;
        let delivery = endpoint.delivery_of(&event.id);
        ends(tenant, &delivery, end).await;
        delivery
    };
    let replayed = async {
        let delivery = story(&mended, "switch", "dead").await;
        mended.switch(200).await;
        replay(tenant, &delivery).await;
        ends(tenant, &delivery, "delivered").await;
        delivery
    };
    let (happy_id, flaky_id, broken_id, mended_id) = tokio::join!(
        story(&happy, "success", "delivered"),
        story(&flaky, "flaky", "delivered"),
        story(&broken, "status", "dead"),
        replayed,
    );
    let told = control(tenant, "GET", "").await;
    let is_kill = fault.is_some_and(|fault| fault.kind.starts_with("kill"));
    // A process takes at most all four stories' requests with it.
    let most = if is_kill {
        4
    } else {
        usize::from(fault.is_some())
    };
    for (endpoint, id, expected) in [
        (&happy, happy_id, 1),
        (&flaky, flaky_id, 2),
        (&broken, broken_id, 2),
        (&mended, mended_id, 3),
    ] {
        let seen = endpoint.received().await.len();
        let shown = ends(
            tenant,
            &id,
            if expected == 2 && endpoint.path.contains("503") {
                "dead"
            } else {
                "delivered"
            },
        )
        .await;
        let recorded = shown["attempt_log"].as_array().unwrap().len();
        let what = format!("{fault:?} at {}: {shown:#}", endpoint.path);
        assert!(seen <= expected + most, "{seen} requests. {what}");
        // A request that a fault kept from the receiver was one all the same.
        assert!(recorded <= seen + most, "{seen} requests. {what}");
        assert!(
            is_kill || recorded + most >= seen,
            "{seen} requests. {what}"
        );
    }
    told
}

/// All faults that there are at the calls of a run.
fn faults_at(calls: &Value) -> Vec<Fault> {
    let mut all = Vec::new();
    for function in FUNCTIONS {
        let its = calls.as_array().unwrap().iter();
        let its = its.filter(|call| call["function"] == function).count();
        for nth in 0..its {
            all.extend(KINDS.map(|kind| Fault {
                function: function.to_owned(),
                nth,
                kind,
            }));
        }
    }
    all
}

/// As many as are asked for, drawn without another: the same for the same seed.
#[expect(clippy::disallowed_methods, reason = "what a test run is asked for")]
fn drawn(mut all: Vec<Fault>) -> Vec<Fault> {
    let asked = std::env::var("HOOKPOST_FAULTS").unwrap_or_else(|_| "4".to_owned());
    if asked == "all" {
        return all;
    }
    let seed = std::env::var("HOOKPOST_SEED").ok();
    let seed = seed.and_then(|seed| seed.parse().ok());
    let mut state: u64 = seed.unwrap_or_else(wait::epoch_ms);
    eprintln!("HOOKPOST_SEED={state}");
    let most: usize = asked.parse().unwrap();
    let mut out = Vec::new();
    while out.len() < most && !all.is_empty() {
        // Knuth's MMIX generator; its upper bits.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(state >> 33).unwrap() % all.len();
        out.push(all.swap_remove(at));
    }
    out
}

#[tokio::test]
async fn no_fault_at_any_call_of_real_processes_loses_anything() {
    let system = System::start_with(&[], &[]);
    let tenant = Tenant::on(&system);
    // What a killed process had comes back by this: six minutes in a deployment.
    for queue in ["DeliveryQueue", "ExhaustedQueue"] {
        let input = json!({
            "QueueUrl": system.queue_url(queue),
            "Attributes": { "VisibilityTimeout": "3" },
        });
        tenant.sqs("SetQueueAttributes", &input).await;
    }
    let calm = play(&system, None).await;
    let all = faults_at(&calm["calls"]);
    assert!(all.len() > 100, "{} faults at {calm:#}", all.len());
    for fault in drawn(all) {
        let told = play(&system, Some(&fault)).await;
        eprintln!("{fault:?}: {}", told["happened"]);
    }
}
