//! Deliveries are found, sent now, called off, forgotten and exported; and what is done to many is
//! done by jobs that tell how far they have got.

use hookpost_tests::{Call, Tenant, wait};
use serde_json::{Value, json};

fn ids(page: &Value) -> Vec<&str> {
    let data = page["data"].as_array().unwrap().iter();
    data.map(|delivery| delivery["id"].as_str().unwrap())
        .collect()
}

/// All pages of a list.
async fn all(tenant: &Tenant<'_>, query: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut after = String::new();
    loop {
        let path = format!("/deliveries?limit=3&{query}{after}");
        let page = tenant.get(&path).await.expect(200);
        found.extend(ids(&page).into_iter().map(str::to_owned));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return found,
        }
    }
}

async fn post(tenant: &Tenant<'_>, path: &str) -> hookpost_tests::Answer {
    tenant
        .call(Call::new("POST", format!("/api/v1{path}")))
        .await
}

async fn job(tenant: &Tenant<'_>, order: &Value) -> Value {
    let begun = tenant.post("/jobs", order).await.expect(202);
    let path = format!("/jobs/{}", begun["id"].as_str().unwrap());
    wait::until("the job is finished", || async {
        let job = tenant.get(&path).await.expect(200);
        if job["status"] == "finished" {
            Ok(job)
        } else {
            Err(format!("{job:#}"))
        }
    })
    .await
}

#[tokio::test]
async fn deliveries_are_found_by_whatever_is_known_of_them() {
    let tenant = Tenant::new();
    let good = tenant.endpoint("/success").create().await;
    let waiting = tenant
        .endpoint("/status/503")
        .with("retry", json!({ "delays": ["0s", "10m"] }))
        .create()
        .await;
    let mut events = Vec::new();
    for nth in 0..5 {
        let event = tenant.publish("order.created", &json!(nth)).await;
        tenant
            .delivery_is(&good.delivery_of(&event.id), "delivered")
            .await;
        tenant
            .delivery_is(&waiting.delivery_of(&event.id), "retrying")
            .await;
        events.push(event.id);
    }
    events.sort_by(|one, other| other.cmp(one));
    let to = |endpoint: &hookpost_tests::Endpoint<'_>| -> Vec<String> {
        events
            .iter()
            .map(|event| endpoint.delivery_of(event))
            .collect()
    };
    assert_eq!(all(&tenant, "").await.len(), 10);
    assert_eq!(all(&tenant, "status=delivered").await, to(&good));
    assert_eq!(all(&tenant, "status=retrying").await, to(&waiting));
    assert_eq!(all(&tenant, "q=unavailable").await, to(&waiting));
    assert_eq!(all(&tenant, "failure=http_5xx").await, to(&waiting));
    for name in ["endpoint_id", "subscriber_id"] {
        assert_eq!(
            all(&tenant, &format!("{name}={}", good.id)).await,
            to(&good)
        );
    }
    assert_eq!(
        all(&tenant, &format!("event_id={}", events[0])).await.len(),
        2
    );
    assert!(all(&tenant, "event_type=other").await.is_empty());
    assert!(all(&tenant, "status=failed").await.is_empty());
    for (query, field) in [
        ("status=x", "status"),
        ("after=x", "after"),
        ("from=x", "from"),
    ] {
        let answer = tenant.get(&format!("/deliveries?{query}")).await;
        answer.refuses(422, field);
    }
    // Nothing of it is another's, not even how many there are.
    let other = Tenant::new();
    for query in [
        format!("endpoint_id={}", good.id),
        format!("event_id={}", events[0]),
    ] {
        let page = other.get(&format!("/deliveries?{query}")).await.expect(200);
        assert_eq!((&page["data"], &page["scanned"]), (&json!([]), &json!(0)));
    }
}

#[tokio::test]
async fn what_waits_is_sent_now_or_called_off_and_what_is_over_is_forgotten() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/switch")
        .with("retry", json!({ "delays": ["0s", "10m"] }))
        .with("breaker", json!({ "failures": 1000 }))
        .create()
        .await;
    endpoint.switch(503).await;
    let (one, other) = (
        tenant.publish("order.created", &json!(1)).await,
        tenant.publish("order.created", &json!(2)).await,
    );
    let (one, other) = (one.delivery(), other.delivery());
    tenant.delivery_is(one, "retrying").await;
    tenant.delivery_is(other, "retrying").await;
    endpoint.switch(200).await;

    let path = |id: &str, what: &str| format!("/deliveries/{id}/{what}");
    post(&tenant, &path(one, "retry")).await.expect(202);
    let delivered = tenant.delivery_is(one, "delivered").await;
    assert_eq!(
        (&delivered["cycle"], &delivered["attempts"]),
        (&json!(0), &json!(2))
    );
    post(&tenant, &path(one, "retry")).await.problem(409);
    post(&tenant, &path(one, "cancel")).await.problem(409);

    tenant
        .delete(&format!("/deliveries/{other}"))
        .await
        .problem(409);
    for _ in 0..2 {
        let cancelled = post(&tenant, &path(other, "cancel")).await.expect(200);
        assert_eq!(cancelled["status"], "cancelled");
    }
    post(&tenant, &path(other, "retry")).await.problem(409);
    let forced = tenant
        .post(&path(other, "retry"), &json!({ "force": true }))
        .await;
    forced.expect(202);
    tenant.delivery_is(other, "delivered").await;
    assert_eq!(endpoint.receives(4).await.len(), 4);

    assert_eq!(
        tenant.delete(&format!("/deliveries/{one}")).await.status,
        204
    );
    tenant.get(&format!("/deliveries/{one}")).await.problem(404);
    assert_eq!(all(&tenant, "").await, [other]);
    let stranger = Tenant::new();
    for what in ["retry", "cancel"] {
        post(&stranger, &path(other, what)).await.problem(404);
    }
}

#[tokio::test]
async fn a_dead_letter_that_is_resolved_needs_nobody_any_more() {
    let tenant = Tenant::new();
    let endpoint = tenant
        .endpoint("/status/500")
        .with("retry", json!({ "max_attempts": 1 }))
        .create()
        .await;
    let event = tenant.publish("order.created", &json!({})).await;
    let id = event.delivery();
    tenant.delivery_is(id, "dead").await;
    let resolved = tenant
        .post(
            &format!("/dead-letters/{id}/resolve"),
            &json!({ "note": "told them" }),
        )
        .await
        .expect(200);
    assert_eq!(
        (&resolved["resolved"], &resolved["note"]),
        (&json!(true), &json!("told them"))
    );
    let listed = |query: &'static str| {
        let tenant = &tenant;
        async move {
            tenant
                .get(&format!("/dead-letters{query}"))
                .await
                .expect(200)
        }
    };
    assert!(ids(&listed("").await).is_empty());
    assert!(ids(&listed("?resolved=false").await).is_empty());
    assert_eq!(ids(&listed("?resolved=true").await), [id]);
    let replayed = job(
        &tenant,
        &json!({ "action": "replay", "filter": { "all": true } }),
    )
    .await;
    assert_eq!(replayed["matched"], 0);
    assert_eq!(endpoint.receives(1).await.len(), 1);
    assert_eq!(
        tenant.delete(&format!("/dead-letters/{id}")).await.status,
        204
    );
    assert!(ids(&listed("?resolved=true").await).is_empty());
}

#[tokio::test]
async fn jobs_do_to_many_what_a_call_does_to_one() {
    let tenant = Tenant::new();
    let good = tenant.endpoint("/success").create().await;
    let waiting = tenant
        .endpoint("/status/503")
        .with("retry", json!({ "delays": ["0s", "10m"] }))
        .with("breaker", json!({ "failures": 1000 }))
        .create()
        .await;
    let mut events = Vec::new();
    for nth in 0..4 {
        let event = tenant.publish("order.created", &json!(nth)).await;
        tenant
            .delivery_is(&good.delivery_of(&event.id), "delivered")
            .await;
        tenant
            .delivery_is(&waiting.delivery_of(&event.id), "retrying")
            .await;
        events.push(event.id);
    }
    let counted = job(
        &tenant,
        &json!({ "action": "cancel", "filter": { "all": true }, "dry_run": true }),
    )
    .await;
    assert_eq!(
        (&counted["matched"], &counted["done"]),
        (&json!(4), &json!(0))
    );
    let done = job(
        &tenant,
        &json!({ "action": "cancel", "filter": { "all": true } }),
    )
    .await;
    assert_eq!((&done["matched"], &done["done"]), (&json!(4), &json!(4)));
    for event in &events {
        tenant
            .delivery_is(&waiting.delivery_of(event), "cancelled")
            .await;
    }
    let status = tenant
        .call(Call::new(
            "GET",
            format!("/webhooks/status?event_id={}", events[0]),
        ))
        .await
        .expect(200);
    assert_eq!(
        (&status["status"], &status["attempts"]),
        (&json!("cancelled"), &json!(2))
    );
    let deleted = job(
        &tenant,
        &json!({ "action": "delete", "filter": { "status": "delivered" } }),
    )
    .await;
    assert_eq!(deleted["done"], 4);
    assert_eq!(all(&tenant, "").await.len(), 4);
    // The sweeper's search for lost deliveries finds a record of each, and sends none again.
    assert_eq!(good.receives(4).await.len(), 4);
    let listed = tenant.get("/jobs").await.expect(200);
    assert_eq!(listed["data"].as_array().unwrap().len(), 3);
    let finished = listed["data"][0]["id"].as_str().unwrap();
    post(&tenant, &format!("/jobs/{finished}/cancel"))
        .await
        .problem(409);
    let order = json!({ "action": "burn", "filter": { "all": true } });
    tenant.post("/jobs", &order).await.refuses(422, "action");
}

#[tokio::test]
async fn an_export_comes_in_parts_that_lead_to_each_other() {
    let tenant = Tenant::new();
    tenant.endpoint("/success").create().await;
    for nth in 0..5 {
        let event = tenant.publish("order.created", &json!(nth)).await;
        tenant.all_delivered(&event).await;
    }
    for format in ["csv", "jsonl"] {
        let mut path = format!("/api/v1/deliveries/export?format={format}&limit=2");
        let mut lines = Vec::new();
        loop {
            let part = tenant.call(Call::new("GET", path)).await;
            assert_eq!(part.status, 200, "{}", part.text());
            lines.extend(part.text().lines().map(str::to_owned));
            let link = part.header("link");
            if link.is_empty() {
                break;
            }
            let (next, _) = link.trim_start_matches('<').split_once('>').unwrap();
            assert!(next.contains(part.header("x-next-after")), "{next}");
            path = next.to_owned();
        }
        let titles = lines.iter().filter(|line| line.starts_with("id,")).count();
        assert_eq!(titles, usize::from(format == "csv"));
        assert_eq!(lines.len() - titles, 5, "{lines:#?}");
    }
    let wrong = tenant.get("/deliveries/export?format=xls").await;
    wrong.refuses(422, "format");
}
