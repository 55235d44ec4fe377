//! What each answer means: 2xx is delivered, everything else is not; 410 disables the endpoint;
//! no receiver costs more time or memory than its bounds, and none is reached that must not be.

use std::net::ToSocketAddrs as _;
use std::time::Duration;

use futures::future::join_all;
use hookpost_tests::{Call, Tenant, wait};
use serde_json::{Value, json};

use crate::wire::{WITHOUT_END, Wire, only_attempt, register};

/// How long a delivery function may act on what it read of an endpoint.
const CACHES: Duration = Duration::from_secs(2);

fn kind(attempt: &Value) -> &str {
    attempt["error"]["kind"].as_str().unwrap()
}

/// A delivery to a path of the receiver that may be attempted only once, when it has ended.
async fn single(tenant: &Tenant<'_>, behaviour: &str, fields: Value) -> Value {
    let ended = end(tenant, behaviour, fields).await;
    assert_eq!(ended["attempts"], 1, "{ended:#}");
    ended
}

/// How a delivery to an endpoint with these fields ends; one attempt unless they say otherwise.
async fn end(tenant: &Tenant<'_>, behaviour: &str, fields: Value) -> Value {
    let mut endpoint = tenant
        .endpoint(behaviour)
        .with("retry", json!({ "max_attempts": 1 }));
    for (field, value) in fields.as_object().unwrap() {
        endpoint = endpoint.with(field, value.clone());
    }
    let endpoint = endpoint.create().await;
    let event = tenant.publish("answer.wanted", &json!({})).await;
    let ended = tenant
        .delivery_where(event.delivery(), "its end", |delivery| {
            !delivery["ended_at"].is_null()
        })
        .await;
    assert_eq!(ended["attempts"], endpoint.received().await.len());
    ended
}

#[tokio::test]
async fn every_2xx_is_delivered_at_once() {
    join_all(
        [200, 201, 202, 203, 204, 205, 206, 226, 299].map(|status| async move {
            let tenant = Tenant::new();
            let ended = single(&tenant, &format!("/status/{status}"), json!({})).await;
            assert_eq!(ended["status"], "delivered", "{ended:#}");
            let attempt = &ended["attempt_log"][0];
            assert_eq!(attempt["status_code"], status, "{ended:#}");
            assert_eq!(attempt["error"], Value::Null, "{ended:#}");
        }),
    )
    .await;
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let tenant = Tenant::new();
    let target = format!("/success/{}", tenant.unique_name());
    let to = format!("{}{target}", tenant.system().url("receiver"));
    let ended = single(&tenant, &format!("/redirect?to={to}"), json!({})).await;
    assert_eq!(ended["status"], "dead");
    assert_eq!(ended["attempt_log"][0]["status_code"], 302);
    assert_eq!(kind(&ended["attempt_log"][0]), "http_302");
    // The receiver counts what comes there: the path is right.
    let (client, receiver) = (tenant.client(), tenant.system().url("receiver"));
    client
        .call(receiver, Call::new("POST", &target))
        .await
        .expect(200);
    assert_eq!(tenant.received_at(&target).await.len(), 1);
}

#[tokio::test]
async fn every_other_status_is_tried_again() {
    let statuses = [
        300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 406, 408, 409, 411, 413,
        415, 418, 421, 422, 423, 425, 426, 428, 431, 451, 500, 501, 502, 503, 504, 505, 507, 511,
        520, 599, 600, 999,
    ];
    let tenant = Tenant::new();
    let endpoints = join_all(statuses.map(|status| {
        let endpoint = tenant
            .endpoint(&format!("/status/{status}"))
            .with("retry", json!({ "delays": ["0s", "1s"], "jitter": false }));
        endpoint.create()
    }))
    .await;
    let event = tenant.publish("answer.wanted", &json!({})).await;
    assert_eq!(event.deliveries.len(), statuses.len());
    for (endpoint, status) in endpoints.iter().zip(statuses) {
        let delivery = tenant
            .delivery_is(&endpoint.delivery_of(&event.id), "dead")
            .await;
        assert_eq!(delivery["reason"], "attempts_exhausted", "{delivery:#}");
        assert_eq!(delivery["attempts"], 2, "{delivery:#}");
        for attempt in delivery["attempt_log"].as_array().unwrap() {
            assert_eq!(attempt["status_code"], status, "{delivery:#}");
            assert_eq!(kind(attempt), format!("http_{status}"), "{delivery:#}");
        }
        endpoint.receives(2).await;
        assert_eq!(endpoint.shown().await["state"], "active");
    }
}

#[tokio::test]
async fn gone_ends_the_delivery_and_disables_the_endpoint() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/switch").create().await;
    endpoint.switch(410).await;
    let last = tenant.publish("user.deleted", &json!({})).await;
    let delivery = tenant.delivery_is(last.delivery(), "dead").await;
    assert_eq!(
        (&delivery["reason"], &delivery["attempts"]),
        (&json!("gone"), &json!(1))
    );
    let shown = endpoint.shown().await;
    assert_eq!(shown["state"], "disabled");
    assert_eq!(shown["disabled_by"], "gone");

    // Until then another instance may act on what it read before.
    tokio::time::sleep(CACHES).await;
    let received = endpoint.received().await.len();
    endpoint.switch(200).await;
    for _ in 0..3 {
        let skipped = tenant.publish("user.deleted", &json!({})).await;
        let delivery = tenant.delivery_is(skipped.delivery(), "dead").await;
        assert_eq!(delivery["reason"], "endpoint_disabled", "{delivery:#}");
        assert_eq!(delivery["attempts"], 0, "{delivery:#}");
        let path = format!("/dead-letters/{}", skipped.delivery());
        let letter = tenant.get(&path).await.expect(200);
        assert_eq!(letter["reason"], "endpoint_disabled", "{letter:#}");
    }
    assert_eq!(endpoint.received().await.len(), received);

    endpoint.change(&json!({ "active": true })).await;
    tokio::time::sleep(CACHES).await;
    let again = tenant.publish("user.deleted", &json!({})).await;
    tenant.delivery_is(again.delivery(), "delivered").await;
    assert_eq!(endpoint.received().await.len(), received + 1);
}

#[tokio::test]
async fn a_status_that_the_endpoint_lists_is_not_tried_again() {
    let tenant = Tenant::new();
    let listed = tenant
        .endpoint("/status/422")
        .with("no_retry_statuses", json!([400, 422]))
        .create()
        .await;
    let other = tenant
        .endpoint("/status/409")
        .with("no_retry_statuses", json!([400, 422]))
        .with("retry", json!({ "delays": ["0s", "1s"] }))
        .create()
        .await;
    let event = tenant.publish("answer.wanted", &json!({})).await;
    let ended = tenant
        .delivery_is(&listed.delivery_of(&event.id), "dead")
        .await;
    assert_eq!(
        (&ended["reason"], &ended["attempts"]),
        (&json!("not_retried"), &json!(1))
    );
    assert_eq!(listed.shown().await["state"], "active");
    let ended = tenant
        .delivery_is(&other.delivery_of(&event.id), "dead")
        .await;
    assert_eq!(
        (&ended["reason"], &ended["attempts"]),
        (&json!("attempts_exhausted"), &json!(2))
    );
    assert_eq!(
        (listed.received().await.len(), other.received().await.len()),
        (1, 2)
    );
}

#[tokio::test]
async fn a_code_that_is_to_be_retried_is_so_whatever_its_class() {
    let fields = |status: u16| {
        json!({
            "no_retry_statuses": ["4xx"],
            "retry_statuses": [status],
            "retry": { "delays": ["0s", "1s"] },
        })
    };
    let retried = end(&Tenant::new(), "/status/429", fields(429)).await;
    assert_eq!(retried["attempts"], 2, "{retried:#}");
    let not_retried = end(&Tenant::new(), "/status/404", fields(429)).await;
    assert_eq!(not_retried["attempts"], 1, "{not_retried:#}");
    assert_eq!(not_retried["reason"], "not_retried");
    // 410 is a failure like any other where it is to be retried.
    let gone = end(&Tenant::new(), "/gone", fields(410)).await;
    assert_eq!(
        (&gone["attempts"], &gone["reason"]),
        (&json!(2), &json!("attempts_exhausted"))
    );
}

#[tokio::test]
async fn rules_on_the_answer_decide_what_it_means() {
    let with_rule = |when: Value, then: &str| {
        json!({
            "response_rules": [{ "when": when, "then": then }],
            "retry": { "delays": ["0s", "1s"] },
            "timeout_seconds": 1,
        })
    };
    let twice = with_rule(json!({ "status": 409 }), "succeed");
    let ended = end(&Tenant::new(), "/status/409", twice).await;
    assert_eq!(
        (&ended["status"], &ended["attempts"]),
        (&json!("delivered"), &json!(1))
    );
    let body = json!({ "status": "2xx", "body_contains": "x" });
    let no = with_rule(json!({ "status": "2xx" }), "retry");
    let ended = end(&Tenant::new(), "/success", no).await;
    assert_eq!(
        (&ended["status"], &ended["attempts"]),
        (&json!("dead"), &json!(2))
    );
    assert_eq!(ended["attempt_log"][0]["status_code"], 200);
    // An answer that has to be looked into and does not end is none.
    let ended = end(&Tenant::new(), "/drip", with_rule(body, "fail")).await;
    assert_eq!(kind(&ended["attempt_log"][0]), "timeout", "{ended:#}");
}

#[tokio::test]
async fn a_request_ends_at_its_timeout() {
    join_all(["/hang", "/slow?ms=20000"].map(|behaviour| async move {
        let tenant = Tenant::new();
        let ended = single(&tenant, behaviour, json!({ "timeout_seconds": 1 })).await;
        let attempt = &ended["attempt_log"][0];
        assert_eq!(kind(attempt), "timeout", "{ended:#}");
        assert_eq!(attempt["status_code"], Value::Null, "{ended:#}");
        let latency_ms = attempt["latency_ms"].as_u64().unwrap();
        assert!((1000..10_000).contains(&latency_ms), "{latency_ms} ms");
    }))
    .await;
}

#[tokio::test]
async fn a_receiver_may_use_its_time() {
    let tenant = Tenant::new();
    let ended = single(&tenant, "/slow?ms=1500", json!({ "timeout_seconds": 30 })).await;
    assert_eq!(ended["status"], "delivered", "{ended:#}");
    assert!(ended["attempt_log"][0]["latency_ms"].as_u64().unwrap() >= 1500);
}

#[tokio::test]
async fn a_long_answer_to_a_success_is_not_read_to_its_end() {
    let tenant = Tenant::new();
    let began = wait::now();
    let ended = single(&tenant, "/big?bytes=1073741824", json!({})).await;
    assert_eq!(ended["status"], "delivered", "{ended:#}");
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn an_answer_that_drips_on_holds_nothing_up() {
    let tenant = Tenant::new();
    let ended = single(&tenant, "/drip", json!({})).await;
    assert_eq!(ended["status"], "delivered", "{ended:#}");
    let wire = Wire::shared();
    let tenant = Tenant::on(&wire.system);
    let attempt = only_attempt(&tenant, &wire.plain.url("/drip"), &json!({})).await;
    assert_eq!(kind(&attempt), "http_500", "{attempt:#}");
    assert!(
        attempt["latency_ms"].as_u64().unwrap() < 10_000,
        "{attempt:#}"
    );
    let kept = attempt["response"].as_str().unwrap();
    assert!(
        !kept.is_empty() && kept.bytes().all(|byte| byte == b'.'),
        "{kept}"
    );
}

#[tokio::test]
async fn a_failure_is_kept_with_at_most_256_bytes_of_its_answer() {
    let wire = Wire::shared();
    let tenant = Tenant::on(&wire.system);
    let attempt = only_attempt(&tenant, &wire.plain.url("/long"), &json!({})).await;
    assert_eq!(kind(&attempt), "http_500", "{attempt:#}");
    let kept = attempt["response"].as_str().unwrap();
    assert_eq!(kept, "\u{e9}".repeat(128));

    let tenant = Tenant::on(&wire.system);
    let attempt = only_attempt(&tenant, &wire.plain.url("/binary"), &json!({})).await;
    let kept = attempt["response"].as_str().unwrap();
    assert!(
        !kept.is_empty() && kept.len() <= 256,
        "{} bytes",
        kept.len()
    );
    assert!(
        !kept.contains(|c: char| c.is_control() && c != '\n' && c != '\t'),
        "{kept:?}"
    );
}

#[tokio::test]
async fn a_receiver_that_sends_without_end_costs_little_memory() {
    let wire = Wire::shared();
    let attempts = ["/long/m", "/endless-head/m"].map(|path| async move {
        let tenant = Tenant::on(&wire.system);
        only_attempt(&tenant, &wire.plain.url(path), &json!({})).await
    });
    let attempts = join_all(attempts).await;
    assert_eq!(kind(&attempts[0]), "http_500");
    assert_eq!(kind(&attempts[1]), "protocol", "{:#}", attempts[1]);
    // The sockets' buffers take some megabytes.
    assert!(
        wire.plain.sent() < WITHOUT_END as u64 / 4,
        "{} bytes",
        wire.plain.sent()
    );
    let tenant = Tenant::on(&wire.system);
    let stats = Call::new("GET", "/_local/stats");
    let stats = tenant.client().call(wire.system.url("lambda"), stats).await;
    let peak = stats.json()["functions"]["DeliveryFunction"]["peak_rss_kib"].as_u64();
    assert!(peak.unwrap() < 80 * 1024, "{:#}", stats.json()["functions"]);
}

/// What the only attempt at a path of the bare socket failed as.
async fn failure_at(path: &str, fields: Value) -> String {
    let Wire { system, plain, .. } = Wire::shared();
    let tenant = Tenant::on(system);
    let attempt = only_attempt(&tenant, &plain.url(path), &fields).await;
    assert_eq!(attempt["status_code"], Value::Null, "{attempt:#}");
    let detail = attempt["error"]["detail"].as_str().unwrap();
    assert!(!detail.is_empty(), "{attempt:#}");
    assert_eq!(plain.requests(path), 1, "a request went out twice unasked");
    kind(&attempt).to_owned()
}

#[tokio::test]
async fn a_connection_that_breaks_is_a_failure_of_its_own_kind() {
    assert_eq!(failure_at("/close", json!({})).await, "reset");
    assert_eq!(failure_at("/abort", json!({})).await, "reset");
    assert_eq!(failure_at("/garbage", json!({})).await, "protocol");
    let fields = json!({ "timeout_seconds": 1 });
    assert_eq!(failure_at("/slow-head", fields).await, "timeout");
}

#[tokio::test]
async fn an_answer_that_breaks_off_after_its_status_counts_as_that_status() {
    let tenant = Tenant::new();
    let ended = single(&tenant, "/reset", json!({})).await;
    assert_eq!(ended["status"], "delivered", "{ended:#}");
}

#[tokio::test]
async fn hints_before_the_answer_are_not_the_answer() {
    let wire = Wire::shared();
    let tenant = Tenant::on(&wire.system);
    let attempt = only_attempt(&tenant, &wire.plain.url("/hints"), &json!({})).await;
    assert_eq!(attempt["status_code"], 200, "{attempt:#}");
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_a_failed_connection() {
    let wire = Wire::shared();
    let tenant = Tenant::on(&wire.system);
    let url = format!("http://{}/", wire.closed);
    let attempt = only_attempt(&tenant, &url, &json!({})).await;
    assert_eq!(kind(&attempt), "connect", "{attempt:#}");
    let detail = attempt["error"]["detail"].as_str().unwrap();
    assert!(detail.to_lowercase().contains("refused"), "{detail}");
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_a_failure_of_dns() {
    let tenant = Tenant::new();
    let url = "https://hooks.hookpost-tests.invalid/";
    let attempt = only_attempt(&tenant, url, &json!({ "timeout_seconds": 30 })).await;
    assert_eq!(kind(&attempt), "dns", "{attempt:#}");
    let detail = attempt["error"]["detail"].as_str().unwrap();
    assert!(detail.contains("hooks.hookpost-tests.invalid"), "{detail}");
}

/// A name that this machine's own list of hosts resolves to an address that is not public, if it
/// has one that does not look like it.
fn innocent_name() -> Option<String> {
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let names = hosts
        .lines()
        .filter_map(|line| line.split('#').next())
        .flat_map(|line| line.split_whitespace().skip(1))
        .map(str::to_owned);
    names.into_iter().find(|name| {
        let private = |addresses: &[std::net::SocketAddr]| match addresses {
            [] => false,
            some => some.iter().any(|address| match address.ip() {
                std::net::IpAddr::V4(v4) => v4.is_loopback() || v4.is_private(),
                std::net::IpAddr::V6(v6) => v6.is_loopback(),
            }),
        };
        let found: Vec<_> = (name.as_str(), 443)
            .to_socket_addrs()
            .into_iter()
            .flatten()
            .collect();
        !name.contains("localhost") && private(&found)
    })
}

#[tokio::test]
async fn a_name_that_resolves_to_a_private_address_is_not_dialled() {
    let Some(name) = innocent_name() else {
        // The resolver's own tests hold it to that everywhere.
        return;
    };
    let tenant = Tenant::new();
    let attempt = only_attempt(&tenant, &format!("https://{name}/"), &json!({})).await;
    assert_eq!(kind(&attempt), "refused_address", "{attempt:#}");
    let detail = attempt["error"]["detail"].as_str().unwrap();
    assert!(
        detail.contains(&name) && detail.contains("not public"),
        "{detail}"
    );
}

/// Points an endpoint somewhere else behind the API's back.
async fn repoint(tenant: &Tenant<'_>, id: &str, url: &str) {
    let table = tenant.system().table_name("EndpointsTable");
    let key = json!({ "pk": { "S": tenant.id }, "sk": { "S": id } });
    let read = json!({ "TableName": table, "Key": key, "ConsistentRead": true });
    let mut item = tenant.dynamodb("GetItem", &read).await["Item"].take();
    let mut config: Value = serde_json::from_str(item["config"]["S"].as_str().unwrap()).unwrap();
    config["url"] = json!(url);
    item["config"]["S"] = json!(config.to_string());
    let write = json!({ "TableName": table, "Item": item });
    tenant.dynamodb("PutItem", &write).await;
}

#[tokio::test]
async fn where_a_request_goes_is_judged_again_when_it_goes() {
    let tenant = Tenant::new();
    let lambda = tenant.system().authority("lambda");
    let urls = [
        // Listed once, and no more.
        format!("http://{lambda}/2015-03-31/functions"),
        format!("https://{lambda}/2015-03-31/functions"),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://2852039166/".to_owned(),
        "https://[::ffff:7f00:1]/".to_owned(),
        "https://localhost/".to_owned(),
        "http://example.com/".to_owned(),
        "ftp://example.com/".to_owned(),
    ];
    let mut ids = Vec::new();
    for url in &urls {
        let fields = json!({ "retry": { "max_attempts": 1 } });
        let id = register(&tenant, "https://example.com/", &fields).await;
        repoint(&tenant, &id, url).await;
        ids.push(id);
    }
    let event = tenant.publish("answer.wanted", &json!({})).await;
    for (id, url) in ids.iter().zip(&urls) {
        let id = format!("{}_{id}", event.id);
        let delivery = tenant.delivery_is(&id, "dead").await;
        let attempt = &delivery["attempt_log"][0];
        assert_eq!(kind(attempt), "refused_address", "{url}: {attempt:#}");
        let detail = attempt["error"]["detail"].as_str().unwrap();
        assert!(detail.starts_with("the URL must"), "{url}: {detail}");
    }
}

#[tokio::test]
async fn a_slow_receiver_delays_no_other() {
    let tenant = Tenant::new();
    let slow = tenant
        .endpoint("/hang")
        .event_types(&["mixed.slow"])
        .with("timeout_seconds", json!(30))
        .with("retry", json!({ "max_attempts": 1 }))
        .create()
        .await;
    let quick = tenant.endpoint("/success").create().await;
    let events = ["mixed.slow", "mixed.quick"].map(|kind| {
        let event = json!({ "event_type": kind, "payload": {} });
        vec![event; 5]
    });
    let batch = json!({ "events": events.concat() });
    let answer = tenant.post("/events/batch", &batch).await.expect(202);
    assert_eq!(answer["accepted"], 10);
    quick.receives(10).await;
    let waiting = slow.received().await;
    assert!(
        waiting.iter().all(|request| request.state == "waiting"),
        "{waiting:#?}"
    );
}
