//! Who may do what, where keys are required: held on a system of these tests' own.

mod audit;
mod dashboard;
mod keys;
mod limits;
mod routes;
mod tenants;
mod tokens;
mod without_keys;

use std::sync::OnceLock;
use std::time::{Duration, UNIX_EPOCH};

use hookpost_tests::{System, Tenant, hex, wait};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The key that may do everything.
const KEY: &str = "an-admin-key-for-tests";

fn sha256(key: &str) -> String {
    hex(&Sha256::digest(key.as_bytes()))
}

/// The time that it is then, as the API writes it.
fn time_in(wait: Duration) -> String {
    let then = UNIX_EPOCH + Duration::from_millis(wait::epoch_ms()) + wait;
    humantime::format_rfc3339_millis(then).to_string()
}

/// A system that asks for keys, and lets calls in from `127.0.0.1` only.
fn system() -> &'static System {
    static SYSTEM: OnceLock<System> = OnceLock::new();
    SYSTEM.get_or_init(|| {
        let parameters = [
            ("Auth", "required"),
            ("AdminKeySha256", &*sha256(KEY)),
            ("AllowedNetworks", "127.0.0.1/32,2001:db8::/32"),
        ];
        System::start_with(&parameters, &[])
    })
}

/// A new tenant, for whom the key that may do everything speaks.
fn owner() -> Tenant<'static> {
    Tenant::on(system()).with_key(KEY)
}

/// Makes a key for `owner`'s tenant, with more fields than its scopes if need be.
async fn make_key(owner: &Tenant<'_>, scopes: &[&str], more: &Value) -> (String, Value) {
    let mut body = json!({ "name": "for a test", "scopes": scopes });
    let fields = more.as_object().cloned().unwrap_or_default();
    body.as_object_mut().unwrap().extend(fields);
    let made = owner.post("/api-keys", &body).await.expect(201);
    (made["key"].as_str().unwrap().to_owned(), made)
}

/// The same tenant, called for with a new key.
async fn holder(owner: &Tenant<'_>, scopes: &[&str]) -> Tenant<'static> {
    let (key, _) = make_key(owner, scopes, &json!({})).await;
    Tenant::on(system()).called(&owner.id).with_key(&key)
}
