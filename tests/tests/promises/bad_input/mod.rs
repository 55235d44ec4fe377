//! Bad input gets problem details that name the field, and nothing is written.

mod endpoints;
mod events;
mod replays;
mod urls;

use hookpost_tests::{Answer, Call, Tenant};
use serde_json::{Value, json};

const TABLES: [&str; 5] = [
    "EndpointsTable",
    "EventsTable",
    "DeliveriesTable",
    "SettingsTable",
    "KeysTable",
];
const NOTHING: [Vec<String>; 5] = [const { Vec::new() }; 5];

/// Every key that a tenant has in any table.
async fn written(tenant: &Tenant<'_>) -> [Vec<String>; 5] {
    let mut keys = NOTHING;
    for (keys, table) in keys.iter_mut().zip(TABLES) {
        *keys = tenant.keys_in(table).await;
    }
    keys
}

async fn post_raw(tenant: &Tenant<'_>, path: &str, body: impl Into<Vec<u8>>) -> Answer {
    let call = Call::new("POST", format!("/api/v1{path}"));
    tenant.call(call.body(body.into())).await
}

/// Reads a table of bodies and the fields that are wrong in them.
fn cases(table: &'static str) -> Vec<(Value, &'static str)> {
    let lines = table.lines().map(str::trim).filter(|line| !line.is_empty());
    let case = |line: &'static str| {
        let (body, field) = line.rsplit_once(" -> ").unwrap();
        let body = serde_json::from_str(body).unwrap_or_else(|error| panic!("{line}: {error}"));
        (body, field)
    };
    lines.map(case).collect()
}

/// What is wrong with an answer that has to refuse a field, if anything is:
/// a table tells more when it is told as a whole.
fn mistake(answer: &Answer, field: &str) -> Option<String> {
    let named = &answer.json()["errors"][0]["field"];
    if answer.status == 422 && *named == field {
        answer.refuses(422, field);
        return None;
    }
    let status = answer.status;
    Some(format!("{status} {named} instead of 422 \"{field}\""))
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_refused() {
    const BODIES: [&str; 18] = [
        "",
        " \n\t ",
        "{",
        r#"{"event_type":"#,
        r#"{"event_type":"a","payload":{}"#,
        r#"{"event_type":"a","payload":{}} x"#,
        r#"{"event_type":"a","payload":{},}"#,
        "{'event_type':'a','payload':{}}",
        r#"{"event_type":"a","payload":NaN}"#,
        r#"{"event_type":"a","payload":01}"#,
        "\u{feff}{}",
        "event_type=a&payload=b",
        "[]",
        r#"[{"event_type":"a","payload":{}}]"#,
        r#""text""#,
        "7",
        "null",
        "true",
    ];
    let tenant = Tenant::new();
    for path in ["/events", "/events/batch", "/endpoints", "/replays"] {
        for body in BODIES {
            let problem = post_raw(&tenant, path, body).await.problem(400);
            let detail = problem.detail;
            assert!(detail.contains("body"), "{path} {body}: {detail}");
        }
    }
    assert_eq!(written(&tenant).await, NOTHING);
}

#[tokio::test]
async fn text_that_is_no_utf8_is_refused() {
    let tenant = Tenant::new();
    for body in [
        &b"{\"event_type\":\"\xff\",\"payload\":{}}"[..],
        b"{\"event_type\":\"a\",\"payload\":{\"\xc3\x28\":1}}",
        b"{\"event_type\":\"a\",\"payload\":\"\xed\xa0\x80\"}",
        b"{\"event_type\":\"a\",\"payload\":\"\xf8\x88\x80\x80\x80\"}",
        b"{\"event_type\":\"a\",\"payload\":1,\"\xff\":2}",
    ] {
        for path in ["/events", "/events/batch"] {
            let answer = post_raw(&tenant, path, body).await;
            assert!((400..500).contains(&answer.status), "{}", answer.text());
            answer.problem(answer.status);
        }
    }
    assert_eq!(written(&tenant).await, NOTHING);
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    const KIB: usize = 1024;
    let tenant = Tenant::new();
    let event = |bytes: usize| {
        let payload = format!("\"{}\"", "x".repeat(bytes - 2));
        format!(r#"{{"event_type":"a","payload":{payload}}}"#)
    };
    for bytes in [256 * KIB + 1, 600 * KIB] {
        let answer = post_raw(&tenant, "/events", event(bytes)).await;
        answer.refuses(413, "payload");
    }
    // White space counts for the body, and not for the payload.
    let spaces = " ".repeat(3 * KIB * KIB);
    let padded = format!(r#"{{"event_type":"a",{spaces}"payload":1}}"#);
    let answer = post_raw(&tenant, "/events", padded).await;
    answer.refuses(413, "body");
    let batch = format!(r#"{{"events":[{spaces}{}]}}"#, event(2));
    let answer = post_raw(&tenant, "/events/batch", batch).await;
    answer.refuses(413, "body");

    let batch = format!(r#"{{"events":[{}]}}"#, event(256 * KIB + 1));
    let answer = post_raw(&tenant, "/events/batch", batch).await;
    assert_eq!(answer.status, 422);
    let problem = &answer.json()["results"][0]["problem"];
    assert_eq!(problem["status"], 413);
    assert_eq!(problem["errors"][0]["field"], "events[0].payload");

    // Beyond what a function can be given, the gateway answers.
    let huge = " ".repeat(7 * KIB * KIB);
    assert_eq!(post_raw(&tenant, "/events", huge).await.status, 413);
    assert_eq!(written(&tenant).await, NOTHING);
}

#[tokio::test]
async fn an_unknown_id_is_not_found() {
    const EVENT: &str = "01a1fdfa-4600-75b8-9b11-545f20f923f3";
    const ENDPOINT: &str = "ep_01970b3e6c0074d28f3c5a9be1d20001";
    let tenant = Tenant::new();
    let delivery = format!("{EVENT}_{ENDPOINT}");
    let long = "x".repeat(1000);
    for (resource, known) in [
        ("events", EVENT),
        ("endpoints", ENDPOINT),
        ("deliveries", &delivery),
        ("dead-letters", &delivery),
        ("replays", EVENT),
    ] {
        let odd = [
            "x", "0", "%00", "a%2Fb", "..%2f..", "a%23b", "%C3%A9", "%ff", &long,
        ];
        for id in odd.into_iter().chain([known]) {
            tenant.get(&format!("/{resource}/{id}")).await.problem(404);
        }
    }
    let change = json!({ "name": "a" });
    for id in [ENDPOINT, "x", "a%23b"] {
        let path = format!("/endpoints/{id}");
        tenant.delete(&path).await.problem(404);
        tenant.patch(&path, &change).await.problem(404);
        tenant.get(&format!("{path}/health")).await.problem(404);
    }
    for id in [&delivery, "x"] {
        let path = format!("/dead-letters/{id}/replay");
        tenant.post(&path, &json!({})).await.problem(404);
    }
    assert_eq!(written(&tenant).await, NOTHING);
}

#[tokio::test]
async fn a_tenant_that_cannot_be_one_is_refused() {
    let tenant = Tenant::new();
    let body = json!({ "event_type": "a", "payload": {} });
    for name in ["", "a#b", "a b", "é", &"x".repeat(65)] {
        let call = Call::new("POST", "/api/v1/events").header("x-tenant", name);
        let api = tenant.system().url("api");
        let answer = tenant.client().call(api, call.json(&body)).await;
        answer.refuses(422, "X-Tenant");
    }
}

#[tokio::test]
async fn a_page_that_cannot_be_is_refused() {
    let tenant = Tenant::new();
    for list in ["endpoints", "dead-letters"] {
        for limit in ["0", "201", "-1", "x", "", "1.5", "99999999999999999999"] {
            let path = format!("/{list}?limit={limit}");
            tenant.get(&path).await.refuses(422, "limit");
        }
        for after in ["x", "%00", "ep_01970b3e6c0074d28f3c5a9be1d20001"] {
            let path = format!("/{list}?after={after}");
            tenant.get(&path).await.refuses(422, "after");
        }
    }
}
