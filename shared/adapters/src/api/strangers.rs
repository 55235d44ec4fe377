//! Whatever API Gateway hands over, a call is read or refused with a problem, never a panic, and
//! never as a fault of ours.

use std::collections::BTreeMap;

use hookpost_domain::endpoint::EndpointDraft;
use hookpost_domain::event::EventDraft;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

/// What a list may be asked for, in short.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    #[serde(default)]
    limit: Option<u16>,
    #[serde(default)]
    after: Option<String>,
}

fn call(
    query: &str,
    headers: &BTreeMap<String, String>,
    body: &str,
    base64: bool,
) -> Option<Result<Call, Problem>> {
    let payload = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/api/v1/events",
        "rawQueryString": query, "headers": headers, "isBase64Encoded": base64, "body": body,
        "requestContext": {
            "http": { "method": "POST", "path": "/api/v1/events", "protocol": "HTTP/1.1",
                      "sourceIp": "203.0.113.1", "userAgent": "x" },
            "requestId": "1", "accountId": "1", "apiId": "1", "stage": "$default", "timeEpoch": 0,
        },
    });
    // What is no payload at all fails before any of this code.
    let request = serde_json::from_value(payload).ok()?;
    Some(Call::from_gateway(request))
}

/// JSON as somebody types it: nearly right, nested, cut off.
fn any_body() -> impl Strategy<Value = String> {
    let word = "\"(event_type|type|payload|data|id|tenant|idempotency_key|deliver_at|url|event_types|retry|filter|x)\"";
    let leaf = prop_oneof![
        word.prop_map(String::from),
        "\"[ -~]{0,12}\"",
        "-?[0-9]{1,25}(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,4})?",
        "null|true|false|nul|\"\\\\ud800\"|\"\\\\u0000\"",
    ];
    let json = leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5)
                .prop_map(|all| format!("[{}]", all.join(","))),
            proptest::collection::vec((word, inner), 0..6).prop_map(|all| {
                let fields: Vec<_> = all
                    .iter()
                    .map(|(name, value)| format!("{name}:{value}"))
                    .collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    });
    prop_oneof![
        4 => json.clone(),
        1 => (json, any::<proptest::sample::Index>()).prop_map(|(json, at)| {
            let at = at.index(json.len() + 1);
            json.get(..at).unwrap_or_default().to_owned()
        }),
        1 => (1_usize..3000, "[\\[{]|\\{\"a\":").prop_map(|(deep, open)| open.repeat(deep)),
        1 => ".{0,40}",
    ]
}

fn is_refusal(problem: Problem) -> bool {
    let reply = to_gateway(Err(problem));
    (400..500).contains(&reply.status_code)
}

proptest! {
    #[test]
    fn every_body_is_read_or_refused(body in any_body(), base64 in any::<bool>()) {
        match call("", &BTreeMap::new(), &body, base64) {
            Some(Ok(call)) => {
                if let Err(problem) = call.json::<EventDraft>() {
                    prop_assert!(is_refusal(problem));
                }
                if let Err(problem) = call.json::<EndpointDraft>() {
                    prop_assert!(is_refusal(problem));
                }
                if let Ok(value) = call.json_or_default::<serde_json::Map<String, Value>>() {
                    prop_assert!(value.is_empty() || body.contains(':') || base64);
                }
            }
            Some(Err(problem)) => prop_assert!(is_refusal(problem)),
            None => {}
        }
    }

    #[test]
    fn every_query_is_read_or_refused(query in "((limit|after|x|)[=]?([0-9]{0,7}|%[0-9a-fG]{0,2}|\\+|[ -~]|\u{e9}){0,4}[&;]?){0,4}") {
        let Some(Ok(call)) = call(&query, &BTreeMap::new(), "", false) else {
            return Ok(());
        };
        match call.query_as::<Listing>() {
            Ok(listing) => {
                // What is handed on for the next page is read back as it was.
                let next = call.query_with("after", "a&b=c%");
                let Some(Ok(next)) = self::call(&next, &BTreeMap::new(), "", false) else {
                    return Err(TestCaseError::fail("the next page's query"));
                };
                let read = next.query_as::<Listing>();
                prop_assert!(read.is_ok(), "{:?}", read);
                prop_assert_eq!(read.ok().and_then(|read| read.after), Some("a&b=c%".to_owned()));
                prop_assert!(listing.limit.is_none() || query.contains("limit"));
            }
            Err(problem) => prop_assert!(is_refusal(problem)),
        }
        if let Err(problem) = call.query_without::<Listing>("x") {
            prop_assert!(is_refusal(problem));
        }
    }

    #[test]
    fn every_header_is_read_or_refused(value in "[\\x20-\\x7e\u{80}-\u{ff}]{0,300}") {
        let headers = BTreeMap::from([("Idempotency-Key".to_owned(), value)]);
        if let Some(Ok(call)) = call("", &headers, "", false) {
            match call.idempotency_key() {
                Ok(key) => prop_assert!(key.is_none_or(|key| (1..=255).contains(&key.len()))),
                Err(problem) => prop_assert!(is_refusal(problem)),
            }
        }
    }
}
