//! Receivers that misbehave below HTTP, and the one system that may send to them.
//!
//! The system parks what waits longer than a second, trusts an authority that is made here, and
//! runs no schedules: sweeps are the tests' own.

mod plain;
mod tls;

use std::net::{SocketAddr, TcpListener};
use std::sync::OnceLock;

use hookpost_tests::{System, Tenant};
use serde_json::{Map, Value, json};
use tokio::sync::RwLock;

pub(crate) use plain::{Plain, WITHOUT_END};
pub(crate) use tls::Secure;

/// Held by whoever sweeps this system; alone by whoever needs that nobody does.
pub(crate) static SWEEPS: RwLock<()> = RwLock::const_new(());

/// The system and its receivers.
#[derive(Debug)]
pub(crate) struct Wire {
    /// The system.
    pub(crate) system: System,
    /// Plain sockets.
    pub(crate) plain: Plain,
    /// TLS.
    pub(crate) secure: Secure,
    /// A port that it may send to and at which nobody listens.
    pub(crate) closed: SocketAddr,
}

impl Wire {
    /// The one that all tests share.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Wire> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    fn start() -> Self {
        let plain = Plain::start();
        let secure = Secure::start();
        let closed = listen().local_addr().unwrap();
        let mut targets = vec![plain.address.to_string(), closed.to_string()];
        targets.extend(secure.addresses().map(|address| address.to_string()));
        let mut arguments = vec!["--schedule-every", "1h"];
        for target in &targets {
            arguments.extend(["--allow-target", target]);
        }
        let parameters = [
            ("ParkAfterSeconds", "1"),
            ("RetryPreset", "doubling"),
            ("RetryMaxAttempts", "2"),
            ("TrustedCaPem", secure.authority.as_str()),
        ];
        Self {
            system: System::start_with(&parameters, &arguments),
            plain,
            secure,
            closed,
        }
    }
}

/// A free port of this machine.
fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// Registers an endpoint at any URL; its id.
pub(crate) async fn register(tenant: &Tenant<'_>, url: &str, fields: &Value) -> String {
    let mut body = Map::new();
    body.insert("url".to_owned(), json!(url));
    body.insert("event_types".to_owned(), json!(["*"]));
    body.extend(fields.as_object().unwrap().clone());
    let created = tenant.post("/endpoints", &Value::Object(body)).await;
    created.expect(201)["id"].as_str().unwrap().to_owned()
}

/// What became of the only attempt of a delivery to `url`.
pub(crate) async fn only_attempt(tenant: &Tenant<'_>, url: &str, fields: &Value) -> Value {
    let mut fields = fields.as_object().unwrap().clone();
    fields.insert("retry".to_owned(), json!({ "max_attempts": 1 }));
    register(tenant, url, &Value::Object(fields)).await;
    let event = tenant.publish("wire.tried", &json!({})).await;
    let ended = tenant
        .delivery_where(event.delivery(), "its end", |delivery| {
            !delivery["ended_at"].is_null()
        })
        .await;
    assert_eq!(ended["attempts"], 1, "{ended:#}");
    ended["attempt_log"][0].clone()
}
