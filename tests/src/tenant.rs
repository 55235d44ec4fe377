//! A test's own tenant, and the API as it sees it.

use std::sync::atomic::{AtomicU32, Ordering};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Answer, Call, Client, System, wait};

/// A tenant that nobody else uses.
#[derive(Debug)]
pub struct Tenant<'a> {
    /// Its id, as in `X-Tenant`.
    pub id: String,
    system: &'a System,
    client: Client,
    key: Option<String>,
    names: AtomicU32,
}

/// The answer for an accepted event.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Accepted {
    /// The event's id.
    pub id: String,
    /// Its deliveries.
    pub deliveries: Vec<AcceptedDelivery>,
}

/// One of its deliveries.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AcceptedDelivery {
    /// Its id.
    pub id: String,
    /// Where it goes.
    pub endpoint_id: String,
}

impl Accepted {
    /// Reads an answer of `POST /events`, or one result of a batch.
    pub fn read(json: &Value) -> Self {
        Self::deserialize(json).unwrap_or_else(|error| panic!("{error} in {json:#}"))
    }

    /// The id of its only delivery.
    pub fn delivery(&self) -> &str {
        assert_eq!(self.deliveries.len(), 1, "{self:?}");
        &self.deliveries[0].id
    }
}

impl Tenant<'static> {
    /// A new tenant of the system that all tests share.
    pub fn new() -> Self {
        Self::on(System::shared())
    }
}

impl Default for Tenant<'static> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Tenant<'a> {
    /// A new tenant of a system of the test's own.
    pub fn on(system: &'a System) -> Self {
        static TENANTS: AtomicU32 = AtomicU32::new(1);
        Self {
            id: format!("tenant-{}", TENANTS.fetch_add(1, Ordering::Relaxed)),
            system,
            client: Client::default(),
            key: None,
            names: AtomicU32::new(1),
        }
    }

    /// The same, calling with an API key.
    #[must_use]
    pub fn with_key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// The same, under another tenant's id.
    #[must_use]
    pub fn called(mut self, id: &str) -> Self {
        id.clone_into(&mut self.id);
        self
    }

    /// The system it is a tenant of.
    pub fn system(&self) -> &'a System {
        self.system
    }

    /// What it calls with.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// A name that no one else has.
    pub fn unique_name(&self) -> String {
        let nth = self.names.fetch_add(1, Ordering::Relaxed);
        format!("{}-{nth}", self.id)
    }

    /// A call to the API as it stands, but for the tenant's name and key.
    pub async fn call(&self, call: Call) -> Answer {
        let mut call = call.header("x-tenant", &self.id);
        if let Some(key) = &self.key {
            call = call.header("authorization", format!("Bearer {key}"));
        }
        self.client.call(self.system.url("api"), call).await
    }

    /// `GET`; `path` is what follows `/api/v1`.
    pub async fn get(&self, path: &str) -> Answer {
        self.call(Call::new("GET", format!("/api/v1{path}"))).await
    }

    /// `POST` with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Call::new("POST", format!("/api/v1{path}")).json(body))
            .await
    }

    /// `PATCH` with a JSON body.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.call(Call::new("PATCH", format!("/api/v1{path}")).json(body))
            .await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Call::new("DELETE", format!("/api/v1{path}")))
            .await
    }

    /// Posts an event that has to be accepted.
    pub async fn publish(&self, event_type: &str, payload: &Value) -> Accepted {
        let body = json!({ "event_type": event_type, "payload": payload });
        Accepted::read(&self.post("/events", &body).await.expect(202))
    }

    /// A delivery as it is shown now.
    pub async fn delivery(&self, id: &str) -> Value {
        self.get(&format!("/deliveries/{id}")).await.expect(200)
    }

    /// A delivery once it has this status.
    pub async fn delivery_is(&self, id: &str, status: &str) -> Value {
        self.delivery_where(id, status, |delivery| delivery["status"] == status)
            .await
    }

    /// A delivery once this holds of it; `what` says what is waited for.
    pub async fn delivery_where(
        &self,
        id: &str,
        what: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Value {
        wait::until(&format!("delivery {id}: {what}"), || async {
            let delivery = self.delivery(id).await;
            if holds(&delivery) {
                Ok(delivery)
            } else {
                Err(format!("{delivery:#}"))
            }
        })
        .await
    }

    /// Waits until every delivery of an event is delivered.
    pub async fn all_delivered(&self, event: &Accepted) {
        for delivery in &event.deliveries {
            self.delivery_is(&delivery.id, "delivered").await;
        }
    }
}
