//! What the receiver got.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Call, Tenant};

/// A request that the receiver got.
#[derive(Debug, Clone, Deserialize)]
pub struct Received {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The method.
    pub method: String,
    /// The path, without its query.
    pub path: String,
    /// The query.
    #[serde(default)]
    pub query: String,
    /// Headers by their lower-case names.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
    /// `answered`, `waiting`, or `abandoned` by the sender.
    pub state: String,
    /// What it was answered.
    pub status: Option<u16>,
    /// `verified`, if the receiver knows the secret and both signatures are right.
    pub signature: String,
}

impl Received {
    /// A header's value. Panics without.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.unwrap_or_else(|| panic!("no {name} in {:#?}", self.headers))
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The body's `data`.
    pub fn data(&self) -> Value {
        self.json()["data"].clone()
    }
}

impl Tenant<'_> {
    /// What came to a path of the receiver, oldest first.
    pub async fn received_at(&self, path: &str) -> Vec<Received> {
        let call = Call::new("GET", format!("/_requests?limit=20000&path={path}"));
        let answer = self
            .client()
            .call(self.system().url("receiver"), call)
            .await;
        serde_json::from_value(answer.expect(200)["requests"].take()).unwrap()
    }

    /// A call that steers the receiver: its `PUT /_control/...`.
    pub async fn steer(&self, what: &str, body: &Value) {
        let call = Call::new("PUT", format!("/_control/{what}")).json(body);
        let answer = self
            .client()
            .call(self.system().url("receiver"), call)
            .await;
        assert_eq!(answer.status, 204, "{}: {}", answer.about, answer.text());
    }

    /// Tells the receiver which secret to check a path's signatures with.
    pub async fn tell_secret(&self, path: &str, secret: &str) {
        self.steer("secrets", &json!({ path: secret })).await;
    }
}
