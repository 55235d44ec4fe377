//! Endpoints on the receiver.

use serde_json::{Map, Value, json};

use crate::{Received, Tenant, wait};

/// An endpoint to be made.
#[derive(Debug)]
#[must_use = "an endpoint is made by `create`"]
pub struct EndpointBuilder<'a> {
    tenant: &'a Tenant<'a>,
    path: String,
    query: String,
    fields: Map<String, Value>,
}

/// An endpoint on the receiver, under a path that no other has.
#[derive(Debug, Clone)]
pub struct Endpoint<'a> {
    tenant: &'a Tenant<'a>,
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// Where the receiver gets its requests.
    pub path: String,
    /// The answer to its making.
    pub created: Value,
}

impl<'a> Tenant<'a> {
    /// An endpoint on the receiver that behaves as the path says: `/success`,
    /// `/flaky?fail=2`, ... It gets every event unless told otherwise.
    pub fn endpoint(&'a self, behaviour: &str) -> EndpointBuilder<'a> {
        let (path, query) = behaviour.split_once('?').unwrap_or((behaviour, ""));
        let mut fields = Map::new();
        fields.insert("event_types".to_owned(), json!(["*"]));
        EndpointBuilder {
            tenant: self,
            path: format!("{path}/{}", self.unique_name()),
            query: query.to_owned(),
            fields,
        }
    }
}

impl<'a> EndpointBuilder<'a> {
    /// Which events it gets.
    pub fn event_types(self, patterns: &[&str]) -> Self {
        self.with("event_types", json!(patterns))
    }

    /// A field of the body of `POST /endpoints`.
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.fields.insert(field.to_owned(), value);
        self
    }

    /// Makes it, and tells the receiver its secret.
    pub async fn create(mut self) -> Endpoint<'a> {
        let mut url = format!("{}{}", self.tenant.system().url("receiver"), self.path);
        if !self.query.is_empty() {
            url = format!("{url}?{}", self.query);
        }
        self.fields.insert("url".to_owned(), json!(url));
        let body = Value::Object(self.fields);
        let created = self.tenant.post("/endpoints", &body).await.expect(201);
        let text = |name: &str| created[name].as_str().unwrap_or_default().to_owned();
        let endpoint = Endpoint {
            tenant: self.tenant,
            id: text("id"),
            secret: text("secret"),
            path: self.path,
            created,
        };
        self.tenant
            .tell_secret(&endpoint.path, &endpoint.secret)
            .await;
        endpoint
    }
}

impl Endpoint<'_> {
    /// What it got, oldest first.
    pub async fn received(&self) -> Vec<Received> {
        self.tenant.received_at(&self.path).await
    }

    /// What it got, once there are so many requests; more are a failure.
    pub async fn receives(&self, count: usize) -> Vec<Received> {
        let what = format!("{count} requests at {}", self.path);
        let received = wait::until(&what, || async {
            let received = self.received().await;
            if received.len() >= count {
                Ok(received)
            } else {
                Err(format!("{} so far", received.len()))
            }
        })
        .await;
        assert_eq!(received.len(), count, "{what}: {received:#?}");
        received
    }

    /// As it is shown now.
    pub async fn shown(&self) -> Value {
        let path = format!("/endpoints/{}", self.id);
        self.tenant.get(&path).await.expect(200)
    }

    /// Its breaker and failures in a row.
    pub async fn health(&self) -> Value {
        let path = format!("/endpoints/{}/health", self.id);
        self.tenant.get(&path).await.expect(200)
    }

    /// Changes it. Functions notice within about a second.
    pub async fn change(&self, fields: &Value) -> Value {
        let path = format!("/endpoints/{}", self.id);
        self.tenant.patch(&path, fields).await.expect(200)
    }

    /// Sets what an endpoint at `/switch` answers.
    pub async fn switch(&self, status: u16) {
        let name = self.path.trim_start_matches("/switch/");
        let switch = format!("switch/{name}");
        self.tenant
            .steer(&switch, &json!({ "status": status }))
            .await;
    }

    /// The id of an event's delivery to it.
    pub fn delivery_of(&self, event_id: &str) -> String {
        format!("{event_id}_{}", self.id)
    }
}
