//! The event that a function gets: API Gateway's payload format 2.0.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, header};
use serde::Serialize;

use super::routes::Matched;
use crate::clock;

/// Values that every event has.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    /// The account.
    pub account: String,
    /// The host that the API is called by.
    pub domain: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    version: &'static str,
    route_key: &'a str,
    raw_path: &'a str,
    raw_query_string: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<&'a str>,
    headers: BTreeMap<&'a str, Cow<'a, str>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query_string_parameters: BTreeMap<String, String>,
    request_context: Context<'a>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    path_parameters: &'a BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
    is_base64_encoded: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    account_id: &'a str,
    api_id: &'static str,
    domain_name: &'a str,
    domain_prefix: &'static str,
    http: Http<'a>,
    request_id: &'a str,
    route_key: &'a str,
    stage: &'static str,
    time: String,
    time_epoch: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Http<'a> {
    method: &'a str,
    path: &'a str,
    protocol: &'static str,
    source_ip: String,
    user_agent: &'a str,
}

/// The event as JSON.
pub(super) fn build(
    request: &Parts,
    body: &Bytes,
    matched: &Matched<'_>,
    peer: SocketAddr,
    request_id: &str,
    now: SystemTime,
    surroundings: &Surroundings,
) -> Result<Bytes, serde_json::Error> {
    let path = request.uri.path();
    let query = request.uri.query().unwrap_or("");
    let (body, is_base64_encoded) = body_text(&request.headers, body);
    let event = Event {
        version: "2.0",
        route_key: matched.route_key,
        raw_path: path,
        raw_query_string: query,
        cookies: cookies(&request.headers),
        headers: headers(&request.headers),
        query_string_parameters: query_parameters(query),
        request_context: Context {
            account_id: &surroundings.account,
            api_id: "local",
            domain_name: &surroundings.domain,
            domain_prefix: "local",
            http: Http {
                method: request.method.as_str(),
                path,
                protocol: "HTTP/1.1",
                source_ip: peer.ip().to_string(),
                user_agent: text(&request.headers, &header::USER_AGENT),
            },
            request_id,
            route_key: matched.route_key,
            stage: "$default",
            time: clock::log_format(now),
            time_epoch: clock::epoch_ms(now),
        },
        path_parameters: &matched.parameters,
        body,
        is_base64_encoded,
    };
    serde_json::to_vec(&event).map(Bytes::from)
}

/// Names in lower case, values of the same name joined by commas.
fn headers(map: &HeaderMap) -> BTreeMap<&str, Cow<'_, str>> {
    let mut joined: BTreeMap<&str, Cow<'_, str>> = BTreeMap::new();
    for (name, value) in map {
        if name == header::COOKIE {
            continue;
        }
        let value = String::from_utf8_lossy(value.as_bytes());
        joined
            .entry(name.as_str())
            .and_modify(|so_far| {
                let so_far = so_far.to_mut();
                so_far.push(',');
                so_far.push_str(&value);
            })
            .or_insert(value);
    }
    joined
}

fn cookies(map: &HeaderMap) -> Vec<&str> {
    map.get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .map(str::trim)
        .filter(|cookie| !cookie.is_empty())
        .collect()
}

fn query_parameters(query: &str) -> BTreeMap<String, String> {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        joined
            .entry(name.into_owned())
            .and_modify(|so_far| {
                so_far.push(',');
                so_far.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    joined
}

fn body_text<'a>(map: &HeaderMap, body: &'a Bytes) -> (Option<Cow<'a, str>>, bool) {
    if body.is_empty() {
        return (None, false);
    }
    match std::str::from_utf8(body) {
        Ok(plain) if is_text(text(map, &header::CONTENT_TYPE)) => (Some(plain.into()), false),
        _ => (Some(STANDARD.encode(body).into()), true),
    }
}

/// What the gateway passes on as it is; all else is encoded.
fn is_text(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or("").trim();
    let essence = essence.to_ascii_lowercase();
    essence.is_empty()
        || essence.starts_with("text/")
        || matches!(
            essence.as_str(),
            "application/json" | "application/javascript" | "application/xml"
        )
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
}

fn text<'a>(map: &'a HeaderMap, name: &header::HeaderName) -> &'a str {
    map.get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;
    use serde_json::{Value, json};
    use std::time::{Duration, UNIX_EPOCH};

    fn event(request: http::request::Builder, body: &'static [u8]) -> Value {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let matched = Matched {
            function: "Admin",
            route_key: "ANY /{proxy+}",
            parameters: BTreeMap::from([("proxy", "a".to_owned())]),
        };
        let surroundings = Surroundings {
            account: "000000000000".to_owned(),
            domain: "127.0.0.1:8000".to_owned(),
        };
        let now = UNIX_EPOCH + Duration::from_secs(1_773_342_238);
        let peer = "127.0.0.1:50000".parse().unwrap();
        let built = build(
            &parts,
            &Bytes::from_static(body),
            &matched,
            peer,
            "req-1",
            now,
            &surroundings,
        );
        serde_json::from_slice(&built.unwrap()).unwrap()
    }

    #[test]
    fn the_event_has_the_form_of_payload_format_two() {
        let request = Request::post("/a?x=1&y=%20&x=2")
            .header("Content-Type", "application/json")
            .header("X-Many", "1")
            .header("X-Many", "2")
            .header("User-Agent", "curl/8")
            .header("Cookie", "a=b; c=d");
        assert_eq!(
            event(request, b"{}"),
            json!({
                "version": "2.0",
                "routeKey": "ANY /{proxy+}",
                "rawPath": "/a",
                "rawQueryString": "x=1&y=%20&x=2",
                "cookies": ["a=b", "c=d"],
                "headers": {"content-type": "application/json", "x-many": "1,2", "user-agent": "curl/8"},
                "queryStringParameters": {"x": "1,2", "y": " "},
                "requestContext": {
                    "accountId": "000000000000",
                    "apiId": "local",
                    "domainName": "127.0.0.1:8000",
                    "domainPrefix": "local",
                    "http": {
                        "method": "POST", "path": "/a", "protocol": "HTTP/1.1",
                        "sourceIp": "127.0.0.1", "userAgent": "curl/8",
                    },
                    "requestId": "req-1",
                    "routeKey": "ANY /{proxy+}",
                    "stage": "$default",
                    "time": "12/Mar/2026:19:03:58 +0000",
                    "timeEpoch": 1_773_342_238_000_u64,
                },
                "pathParameters": {"proxy": "a"},
                "body": "{}",
                "isBase64Encoded": false,
            })
        );
    }

    #[test]
    fn a_body_that_is_no_text_is_encoded() {
        let binary = event(
            Request::post("/").header("content-type", "application/octet-stream"),
            b"ab",
        );
        assert_eq!(
            (&binary["body"], &binary["isBase64Encoded"]),
            (&json!("YWI="), &json!(true))
        );
        let broken = event(
            Request::post("/").header("content-type", "application/json"),
            b"\xff",
        );
        assert_eq!(
            (&broken["body"], &broken["isBase64Encoded"]),
            (&json!("/w=="), &json!(true))
        );
        assert!(event(Request::get("/"), b"").get("body").is_none());
    }
}
