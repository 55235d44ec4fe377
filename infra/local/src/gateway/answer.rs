//! The function's answer as an HTTP response: payload format 2.0, and what
//! API Gateway makes of an answer that is not in it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::Value;

use crate::http::{Answer, json, message};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Formatted {
    status_code: u16,
    headers: Option<BTreeMap<String, Value>>,
    cookies: Option<Vec<String>>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

/// What the client gets for a function's answer.
pub(super) fn of(answer: &Bytes) -> Answer {
    if let Ok(formatted) = serde_json::from_slice::<Formatted>(answer) {
        return formatted.answer().unwrap_or_else(failure);
    }
    match serde_json::from_slice::<Value>(answer) {
        // It has a statusCode, so it was meant to be formatted, and is not.
        Ok(value) if value.get("statusCode").is_some() => failure(),
        // Without one the whole answer is the body.
        Ok(Value::String(text)) => json(StatusCode::OK, text),
        Ok(_) => json(StatusCode::OK, answer.clone()),
        Err(_) => failure(),
    }
}

/// What the client gets when the function failed: nothing of why.
pub(super) fn failure() -> Answer {
    message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
}

impl Formatted {
    fn answer(self) -> Option<Answer> {
        let status = StatusCode::from_u16(self.status_code).ok()?;
        let body = self.body.unwrap_or_default();
        let body = if self.is_base64_encoded.unwrap_or(false) {
            Bytes::from(STANDARD.decode(body).ok()?)
        } else {
            Bytes::from(body)
        };
        let mut answer = Response::new(Full::new(body));
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        for (name, value) in self.headers.into_iter().flatten() {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            let name = HeaderName::try_from(name).ok()?;
            // The server frames the body by itself.
            if name != header::CONTENT_LENGTH && name != header::TRANSFER_ENCODING {
                headers.insert(name, HeaderValue::try_from(value).ok()?);
            }
        }
        for cookie in self.cookies.into_iter().flatten() {
            headers.append(header::SET_COOKIE, HeaderValue::try_from(cookie).ok()?);
        }
        headers
            .entry(header::CONTENT_TYPE)
            .or_insert(HeaderValue::from_static("text/plain;charset=UTF-8"));
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    fn body(answer: Answer) -> Bytes {
        use futures::FutureExt as _;
        let collected = answer.into_body().collect().now_or_never();
        collected.unwrap().unwrap().to_bytes()
    }

    fn answered(text: &'static str) -> Answer {
        of(&Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn status_headers_cookies_and_body_come_from_the_function() {
        let answer = answered(
            r#"{"statusCode":202,"headers":{"Content-Type":"application/json","x-n":5},
                "multiValueHeaders":{},"cookies":["a=b","c=d"],"body":"{}","isBase64Encoded":false}"#,
        );
        assert_eq!(answer.status(), 202);
        assert_eq!(answer.headers()["content-type"], "application/json");
        assert_eq!(answer.headers()["x-n"], "5");
        assert_eq!(answer.headers().get_all("set-cookie").iter().count(), 2);
        assert_eq!(body(answer), "{}");
    }

    #[test]
    fn a_binary_body_is_decoded() {
        let answer = answered(r#"{"statusCode":200,"body":"AP8=","isBase64Encoded":true}"#);
        assert_eq!(answer.headers()["content-type"], "text/plain;charset=UTF-8");
        assert_eq!(body(answer), &[0_u8, 255][..]);
    }

    #[test]
    fn an_answer_without_status_is_the_body() {
        let answer = answered(r#"{"ok":true}"#);
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "application/json");
        assert_eq!(body(answer), r#"{"ok":true}"#);
    }

    #[test]
    fn a_malformed_answer_is_a_500_that_reveals_nothing() {
        for malformed in [
            "not json",
            r#"{"statusCode":"x"}"#,
            r#"{"statusCode":99999}"#,
        ] {
            let answer = answered(malformed);
            assert_eq!(answer.status(), 500);
            assert_eq!(body(answer), r#"{"message":"Internal Server Error"}"#);
        }
    }
}
