//! The dashboard: a static page for anybody, and what it asks of whoever looks at it.

use hookpost_tests::{Answer, Call, Client, Tenant, wait};
use serde_json::json;

use super::{KEY, holder, owner, system};

async fn page(path: &str, headers: &[(&str, &str)]) -> Answer {
    let call = headers
        .iter()
        .fold(Call::new("GET", path), |call, (name, value)| {
            call.header(name, value)
        });
    Client::default().call(system().url("api"), call).await
}

/// The files that the page names.
fn files(page: &str) -> Vec<String> {
    let parts = page.split("=\"/dashboard/assets/").skip(1);
    parts
        .map(|rest| format!("/dashboard/assets/{}", rest.split('"').next().unwrap()))
        .collect()
}

#[tokio::test]
async fn the_page_and_its_files_are_for_anybody_and_fetch_nothing_from_elsewhere() {
    let answer = page("/dashboard", &[]).await;
    assert_eq!(answer.status, 200);
    let policy = answer.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    let nonce = policy.split("'nonce-").nth(1).unwrap();
    let nonce = nonce.split('\'').next().unwrap();
    assert!(answer.text().contains(&format!("nonce=\"{nonce}\"")));
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    let files = files(answer.text());
    assert!(files.len() >= 2, "{files:?}");
    assert!(!answer.text().contains("http://") && !answer.text().contains("https://"));
    for file in files {
        let answer = page(&file, &[]).await;
        assert_eq!(answer.status, 200, "{file}");
        assert_eq!(answer.header("content-encoding"), "gzip", "{file}");
        assert!(answer.header("cache-control").contains("immutable"));
        let tag = answer.header("etag");
        let again = page(&file, &[("if-none-match", tag)]).await;
        assert_eq!(again.status, 304, "{file}");
    }
    let tag = answer.header("etag");
    let again = page("/dashboard/endpoints", &[("if-none-match", tag)]).await;
    assert_eq!(again.status, 304);
    let home = page("/", &[]).await;
    assert_eq!((home.status, home.header("location")), (302, "/dashboard"));
    page("/dashboard/assets/none.js", &[]).await.problem(404);
    let told = page("/dashboard/deployment.json", &[]).await.expect(200);
    assert_eq!(told["auth"], "required");
}

#[tokio::test]
async fn whoever_looks_is_told_who_they_are_and_what_they_may_do() {
    let owner = owner();
    let told = owner.get("/whoami").await.expect(200);
    assert_eq!(
        told,
        json!({
            "actor": "deploy-key", "tenant": owner.id, "all_tenants": true, "scopes": ["admin"],
        })
    );
    let reader = holder(&owner, &["read"]).await;
    let told = reader.get("/whoami").await.expect(200);
    assert_eq!(told["tenant"], owner.id.as_str());
    assert_eq!(
        (&told["all_tenants"], &told["scopes"]),
        (&json!(false), &json!(["read"]))
    );
    let deployment = reader.get("/deployment").await.expect(200);
    assert_eq!(
        (&deployment["auth_required"], &deployment["retention_days"]),
        (&json!(true), &json!(30))
    );
    let token = owner.post("/tokens", &json!({})).await.expect(201);
    let holder_of_token = Tenant::on(system())
        .called(&owner.id)
        .with_key(token["token"].as_str().unwrap());
    let told = holder_of_token.get("/whoami").await.expect(200);
    assert_eq!(told["all_tenants"], false);
    let stranger = Tenant::on(system()).with_key("hk_nobody");
    stranger.get("/whoami").await.problem(401);
    // Looking at the page is no call of the API, whatever key comes with it.
    let bearer = format!("Bearer {KEY}");
    page("/dashboard", &[("authorization", bearer.as_str())]).await;
    page("/dashboard", &[("authorization", "Bearer nothing")]).await;
    let log = owner.get("/audit?deployment=true").await.expect(200);
    assert!(!log.to_string().contains("/dashboard"), "{log:#}");
}

#[tokio::test]
async fn what_waits_is_counted_with_the_one_that_has_waited_longest() {
    let owner = owner();
    let retry = json!({ "initial_delay": 600, "max_delay": 600, "max_attempts": 3 });
    owner.endpoint("/fail").with("retry", retry).create().await;
    let first = owner.publish("order.created", &json!({ "n": 1 })).await;
    owner.delivery_is(first.delivery(), "retrying").await;
    let second = owner.publish("order.created", &json!({ "n": 2 })).await;
    owner.delivery_is(second.delivery(), "retrying").await;
    let retrying = wait::until("both are counted", || async {
        let told = owner.get("/stats/backlog").await.expect(200);
        let waiting = told["waiting"].as_array().unwrap();
        let retrying = waiting.iter().find(|one| one["status"] == "retrying");
        match retrying.filter(|one| one["count"] == 2) {
            Some(both) => Ok(both.clone()),
            None => Err(told.to_string()),
        }
    })
    .await;
    assert_eq!(retrying["oldest"], first.delivery());
    assert_eq!(retrying["more"], false);
    let other = Tenant::on(system()).with_key(KEY);
    let told = other.get("/stats/backlog").await.expect(200);
    for way in told["waiting"].as_array().unwrap() {
        assert_eq!((&way["count"], &way["oldest"]), (&json!(0), &json!(null)));
    }
}
