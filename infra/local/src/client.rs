//! JSON over plain HTTP, with errors that say which call failed and what was answered.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

const TIMEOUT: Duration = Duration::from_secs(35);
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// A call that failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// There was no answer.
    #[error("{call} got no answer: {reason}")]
    NoAnswer {
        /// Method and URL.
        call: String,
        /// The innermost cause.
        reason: String,
    },
    /// The answer was not a success.
    #[error("{call} was answered {status}: {detail}")]
    Refused {
        /// Method and URL.
        call: String,
        /// The answer's status.
        status: StatusCode,
        /// The problem's detail, or the beginning of the answer.
        detail: String,
    },
    /// The answer was not what the API promises.
    #[error("the answer to {call} cannot be read: {source}")]
    Unreadable {
        /// Method and URL.
        call: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// Makes calls, over connections that it keeps.
#[derive(Debug)]
pub(crate) struct Client(legacy::Client<HttpConnector, Full<Bytes>>);

impl Client {
    pub(crate) fn new() -> Self {
        Self(legacy::Client::builder(TokioExecutor::new()).build_http())
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, CallError> {
        self.call(Method::GET, url, None).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        url: Url,
        body: &Value,
    ) -> Result<T, CallError> {
        self.call(Method::POST, url, Some(body)).await
    }

    pub(crate) async fn patch<T: DeserializeOwned>(
        &self,
        url: Url,
        body: &Value,
    ) -> Result<T, CallError> {
        self.call(Method::PATCH, url, Some(body)).await
    }

    pub(crate) async fn put(&self, url: Url, body: &Value) -> Result<(), CallError> {
        let _answer: Value = self.call(Method::PUT, url, Some(body)).await?;
        Ok(())
    }

    pub(crate) async fn delete(&self, url: Url) -> Result<(), CallError> {
        let _answer: Value = self.call(Method::DELETE, url, None).await?;
        Ok(())
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        url: Url,
        body: Option<&Value>,
    ) -> Result<T, CallError> {
        let call = format!("{method} {url}");
        let answered = tokio::time::timeout(TIMEOUT, self.exchange(method, &url, body)).await;
        let (status, answer) = match answered {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                return Err(CallError::NoAnswer {
                    call,
                    reason: innermost(&*error),
                });
            }
            Err(_elapsed) => {
                let reason = format!("not within {} s", TIMEOUT.as_secs());
                return Err(CallError::NoAnswer { call, reason });
            }
        };
        if !status.is_success() {
            let detail = detail(&answer);
            return Err(CallError::Refused {
                call,
                status,
                detail,
            });
        }
        let json: &[u8] = if answer.is_empty() { b"null" } else { &answer };
        serde_json::from_slice(json).map_err(|source| CallError::Unreadable { call, source })
    }

    async fn exchange(
        &self,
        method: Method,
        url: &Url,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
        let body = body.map(ToString::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(url.as_str())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(body))?;
        let response = self.0.request(request).await?;
        let status = response.status();
        let answer = Limited::new(response.into_body(), MAX_ANSWER_BYTES)
            .collect()
            .await?;
        Ok((status, answer.to_bytes()))
    }
}

/// The base with this path behind its own, and this query.
pub(crate) fn with_path(base: &Url, path: &str, query: Option<&str>) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url.set_query(query);
    url
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// What a problem+json answer says, or else the answer itself.
fn detail(answer: &[u8]) -> String {
    let problem = serde_json::from_slice::<Value>(answer).unwrap_or_default();
    let said = ["detail", "title", "message"]
        .iter()
        .find_map(|name| problem.get(name)?.as_str());
    let said = said.map_or_else(
        || String::from_utf8_lossy(answer).into_owned(),
        str::to_owned,
    );
    said.chars().filter(|c| !c.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_goes_behind_the_bases_own() {
        let base = Url::parse("http://127.0.0.1:8000/stage/?x=1").unwrap();
        let url = with_path(&base, "/api/v1/events", None);
        assert_eq!(url.as_str(), "http://127.0.0.1:8000/stage/api/v1/events");
    }

    #[test]
    fn a_problem_is_told_by_its_detail_without_control_characters() {
        assert_eq!(
            detail(br#"{"title":"Bad","detail":"`url` is\u001b[31m not"}"#),
            "`url` is[31m not"
        );
        assert_eq!(detail(b"plain"), "plain");
    }

    #[tokio::test]
    async fn a_dead_address_is_told_with_its_cause() {
        let url = Url::parse("http://127.0.0.1:1/x").unwrap();
        let failed = Client::new().get::<Value>(url).await.unwrap_err();
        let told = failed.to_string();
        assert!(
            told.contains("GET http://127.0.0.1:1/x") && told.contains("refused"),
            "{told}"
        );
    }
}
