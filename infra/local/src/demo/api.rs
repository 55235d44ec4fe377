//! The calls of the public API that the demonstration makes, and the fields of their answers that it reads.

use std::fmt;

use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::play::{Endpoint, Event, NAME_PREFIX};
use crate::client::{CallError, Client, with_path};

/// The API of one deployment.
pub(super) struct Api<'a> {
    client: &'a Client,
    base: &'a Url,
}

/// An endpoint that was registered.
#[derive(Debug, Deserialize)]
pub(super) struct Created {
    pub(super) id: String,
    pub(super) secret: String,
}

/// An event that was accepted.
#[derive(Debug, Deserialize)]
pub(super) struct Accepted {
    pub(super) id: String,
    #[serde(default)]
    pub(super) deliveries: Vec<AcceptedDelivery>,
}

/// One of its deliveries.
#[derive(Debug, Deserialize)]
pub(super) struct AcceptedDelivery {
    pub(super) id: String,
    pub(super) endpoint_id: String,
}

/// A delivery as it stands.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Delivery {
    pub(super) status: Status,
    #[serde(default)]
    pub(super) attempt_log: Vec<Attempt>,
    #[serde(default)]
    pub(super) next_attempt_at: Option<Value>,
    #[serde(default, alias = "reason")]
    pub(super) dead_reason: Option<String>,
}

/// An attempt in a delivery's log.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Attempt {
    pub(super) number: u32,
    #[serde(default)]
    pub(super) status_code: Option<u16>,
    #[serde(default)]
    pub(super) error: Option<AttemptError>,
    #[serde(default)]
    pub(super) latency_ms: Option<f64>,
}

/// Why an attempt got no answer.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct AttemptError {
    pub(super) kind: String,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Pending,
    Retrying,
    Parked,
    Held,
    Delivered,
    Dead,
    Cancelled,
}

impl Status {
    pub(super) fn is_final(self) -> bool {
        match self {
            Self::Delivered | Self::Dead | Self::Cancelled => true,
            Self::Pending | Self::Retrying | Self::Parked | Self::Held => false,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pending => "pending",
            Self::Retrying => "retrying",
            Self::Parked => "parked",
            Self::Held => "held",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        })
    }
}

impl<'a> Api<'a> {
    pub(super) fn new(client: &'a Client, base: &'a Url) -> Self {
        Self { client, base }
    }

    /// Deletes what earlier demonstrations have registered, so that their endpoints get no part in this one.
    pub(super) async fn remove_earlier_endpoints(&self) -> Result<(), CallError> {
        let listed: Value = self.client.get(self.url("/endpoints")).await?;
        let lists = listed
            .as_object()
            .into_iter()
            .flat_map(|fields| fields.values());
        let items = lists.chain([&listed]).filter_map(Value::as_array).flatten();
        for item in items {
            let text = |name: &str| item.get(name).and_then(Value::as_str);
            if let (Some(id), Some(name)) = (text("id"), text("name"))
                && name.starts_with(NAME_PREFIX)
            {
                self.client.delete(self.item("endpoints", id, &[])).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn create_endpoint(
        &self,
        endpoint: &Endpoint,
        url: &Url,
    ) -> Result<Created, CallError> {
        let mut wanted = json!({
            "url": url,
            "name": format!("{NAME_PREFIX}{}", endpoint.name),
            "event_types": endpoint.event_types,
        });
        if let (Some(retry), Some(fields)) = (&endpoint.retry, wanted.as_object_mut()) {
            fields.insert("retry".into(), retry.clone());
        }
        self.client.post(self.url("/endpoints"), &wanted).await
    }

    pub(super) async fn post_event(&self, event: &Event) -> Result<Accepted, CallError> {
        let body = json!({ "event_type": event.event_type, "payload": event.payload() });
        self.client.post(self.url("/events"), &body).await
    }

    pub(super) async fn delivery(&self, id: &str) -> Result<Delivery, CallError> {
        self.client.get(self.item("deliveries", id, &[])).await
    }

    pub(super) async fn replay(&self, delivery_id: &str) -> Result<(), CallError> {
        let url = self.item("dead-letters", delivery_id, &["replay"]);
        let _job: Value = self.client.post(url, &json!({})).await?;
        Ok(())
    }

    fn url(&self, path: &str) -> Url {
        with_path(self.base, &format!("/api/v1{path}"), None)
    }

    /// An id is one segment of a path, whatever characters it has.
    fn item(&self, resource: &str, id: &str, rest: &[&str]) -> Url {
        let mut url = self.url("");
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.push(resource).push(id).extend(rest);
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_segment() {
        let client = Client::new();
        let base = Url::parse("http://127.0.0.1:8000/").unwrap();
        let url = Api::new(&client, &base).item("dead-letters", "a/b", &["replay"]);
        assert_eq!(url.path(), "/api/v1/dead-letters/a%2Fb/replay");
    }
}
