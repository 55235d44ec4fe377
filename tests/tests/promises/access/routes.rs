//! Every call of the API, as its own document lists them, by whoever may not make it.

use std::net::Ipv4Addr;

use hookpost_tests::{Answer, Call, Client};
use serde_json::{Value, json};

use super::{KEY, make_key, owner, system};

const SCOPES: [&str; 4] = ["publish", "read", "manage", "admin"];

fn implies(scope: &str, other: &str) -> bool {
    scope == other || scope == "admin" || (scope == "manage" && other == "read")
}

/// Every call that needs a key, and the scope it needs.
fn calls(document: &Value) -> Vec<(Call, String, String)> {
    let mut calls = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if operation["security"] == json!([]) {
                continue;
            }
            let told = operation["description"].as_str().unwrap();
            let scope = SCOPES
                .iter()
                .find(|scope| told.contains(&format!("`{scope}`")));
            let mut parts: Vec<&str> = path.split('/').collect();
            for part in &mut parts {
                if part.starts_with('{') {
                    *part = "x";
                }
            }
            let call = Call::new(&method.to_uppercase(), parts.join("/")).json(&json!({}));
            calls.push((
                call,
                (*scope.unwrap()).to_owned(),
                format!("{method} {path}"),
            ));
        }
    }
    assert!(calls.len() >= 20, "{}", calls.len());
    calls
}

struct Refusals<'a> {
    tenant: &'a str,
    wrong: Vec<String>,
}

impl Refusals<'_> {
    async fn expect(
        &mut self,
        client: &Client,
        call: &Call,
        key: Option<&str>,
        status: u16,
        what: &str,
    ) -> Answer {
        let mut call = call.clone().header("x-tenant", self.tenant);
        if let Some(key) = key {
            call = call.header("authorization", format!("Bearer {key}"));
        }
        let answer = client.call(system().url("api"), call).await;
        if answer.status == status {
            answer.problem(status);
        } else {
            self.wrong
                .push(format!("{what}: {} and not {status}", answer.status));
        }
        answer
    }
}

#[tokio::test]
async fn no_call_is_open_to_whoever_may_not_make_it() {
    let (owner, other) = (owner(), owner());
    let mut keys = Vec::new();
    for scope in SCOPES {
        keys.push((scope, make_key(&owner, &[scope], &json!({})).await.0));
    }
    let (foreign, _) = make_key(&other, &["publish", "admin"], &json!({})).await;
    let elsewhere = json!({ "networks": ["10.0.0.0/8", "::ffff:192.0.2.0/120"] });
    let (bound, _) = make_key(&owner, &["publish", "admin"], &elsewhere).await;
    let here = Client::default();
    let there = Client::from_address(Ipv4Addr::new(127, 0, 0, 2));
    let document = owner.call(Call::new("GET", "/openapi.json")).await;
    let mut refusals = Refusals {
        tenant: &owner.id,
        wrong: Vec::new(),
    };
    for (call, needed, name) in calls(&document.expect(200)) {
        let answer = refusals
            .expect(&here, &call, None, 401, &format!("{name} without a key"))
            .await;
        assert_eq!(answer.header("www-authenticate"), "Bearer", "{name}");
        for (key, status, who) in [
            (foreign.as_str(), 403, "with another tenant's key"),
            (bound.as_str(), 403, "with a key bound to another network"),
            ("hk_0123456789ab_wrong", 401, "with no key at all"),
            (&with_another_end(&bound), 401, "with a wrong key"),
            (&sha256_of_admin(), 401, "with the hash of a key"),
        ] {
            let what = format!("{name} {who}");
            refusals
                .expect(&here, &call, Some(key), status, &what)
                .await;
        }
        let what = format!("{name} from another network");
        refusals.expect(&there, &call, Some(KEY), 403, &what).await;
        for (scope, key) in &keys {
            let what = format!("{name} with the scope {scope}");
            if !implies(scope, &needed) {
                refusals.expect(&here, &call, Some(key), 403, &what).await;
                continue;
            }
            let call = call.clone().header("x-api-key", key);
            let answer = here.call(system().url("api"), call).await;
            if matches!(answer.status, 401 | 403 | 500..) {
                refusals.wrong.push(format!("{what}: {}", answer.status));
            }
        }
    }
    assert_eq!(refusals.wrong, Vec::<String>::new());
    // Nothing of it was done.
    assert_eq!(other.get("/endpoints").await.expect(200)["data"], json!([]));
}

/// The key with its last character changed.
fn with_another_end(key: &str) -> String {
    let end = if key.ends_with('0') { '1' } else { '0' };
    format!("{}{end}", &key[..key.len() - 1])
}

fn sha256_of_admin() -> String {
    super::sha256(KEY)
}
