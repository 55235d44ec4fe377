//! The event that a function gets of a WebSocket API.

use std::collections::BTreeMap;

use http::request::Parts;
use serde_json::{Map, Value, json};

use super::{Open, Sockets, new_id};
use crate::clock;

/// An event, as JSON.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) text: String,
    pub(super) request_id: String,
}

impl Event {
    /// Somebody wants to come in.
    pub(super) fn connect(
        sockets: &Sockets,
        id: &str,
        open: &Open,
        api: &str,
        parts: &Parts,
    ) -> Self {
        let mut event = Map::new();
        let headers: BTreeMap<String, String> = parts
            .headers
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            })
            .collect();
        let many: BTreeMap<&String, [&String; 1]> = headers
            .iter()
            .map(|(name, value)| (name, [value]))
            .collect();
        event.insert("multiValueHeaders".to_owned(), json!(many));
        event.insert("headers".to_owned(), json!(headers));
        let query: BTreeMap<String, String> =
            url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
                .into_owned()
                .collect();
        if !query.is_empty() {
            let many: BTreeMap<&String, [&String; 1]> =
                query.iter().map(|(name, value)| (name, [value])).collect();
            event.insert("multiValueQueryStringParameters".to_owned(), json!(many));
            event.insert("queryStringParameters".to_owned(), json!(query));
        }
        Self::with_context(sockets, id, open, api, ("$connect", "CONNECT"), event)
    }

    /// Somebody says something.
    pub(super) fn message(
        sockets: &Sockets,
        id: &str,
        open: &Open,
        api: &str,
        route: &str,
        body: &str,
    ) -> Self {
        let event = Map::from_iter([("body".to_owned(), json!(body))]);
        Self::with_context(sockets, id, open, api, (route, "MESSAGE"), event)
    }

    /// Somebody is gone.
    pub(super) fn disconnect(sockets: &Sockets, id: &str, open: &Open, api: &str) -> Self {
        let of = ("$disconnect", "DISCONNECT");
        Self::with_context(sockets, id, open, api, of, Map::new())
    }

    fn with_context(
        sockets: &Sockets,
        id: &str,
        open: &Open,
        api: &str,
        (route, kind): (&str, &str),
        mut event: Map<String, Value>,
    ) -> Self {
        let request_id = new_id();
        let now = clock::wall();
        let mut context = json!({
            "routeKey": route,
            "eventType": kind,
            "extendedRequestId": request_id,
            "requestTime": clock::log_format(now),
            "messageDirection": "IN",
            "stage": open.stage,
            "connectedAt": open.connected_at,
            "requestTimeEpoch": clock::epoch_ms(now),
            "identity": { "sourceIp": open.source_ip, "userAgent": open.user_agent },
            "requestId": request_id,
            "domainName": sockets.shared.domain,
            "connectionId": id,
            "apiId": api,
        });
        if kind == "MESSAGE"
            && let Some(context) = context.as_object_mut()
        {
            context.insert("messageId".to_owned(), json!(new_id()));
        }
        event.insert("requestContext".to_owned(), context);
        event.insert("isBase64Encoded".to_owned(), json!(false));
        Self {
            text: Value::Object(event).to_string(),
            request_id,
        }
    }
}
