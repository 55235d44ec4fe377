//! Calls over plain HTTP, as they are wanted, however wrong.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::Answer;

const TIMEOUT: Duration = Duration::from_secs(60);

/// Makes calls over connections that it keeps. Belongs to one test: its
/// connections live on the test's runtime.
#[derive(Debug, Clone)]
pub struct Client(legacy::Client<HttpConnector, Full<Bytes>>);

/// A call.
#[derive(Debug, Clone)]
pub struct Call {
    method: Method,
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Call {
    /// A call without a body; `path` may have a query.
    pub fn new(method: &str, path: impl Into<String>) -> Self {
        Self {
            method: method.parse().unwrap(),
            path: path.into(),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let value = HeaderValue::from_bytes(value.as_ref()).unwrap();
        self.headers.push((name.parse().unwrap(), value));
        self
    }

    /// With a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.body(body.to_string())
    }

    /// With these very bytes as the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

impl Default for Client {
    fn default() -> Self {
        Self(legacy::Client::builder(TokioExecutor::new()).build_http())
    }
}

impl Client {
    /// One that calls from this address of the machine.
    pub fn from_address(address: std::net::Ipv4Addr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_local_address(Some(address.into()));
        Self(legacy::Client::builder(TokioExecutor::new()).build(connector))
    }

    /// Makes a call to `base` and its path. Panics without an answer.
    pub async fn call(&self, base: &str, call: Call) -> Answer {
        let about = format!("{} {base}{}", call.method, call.path);
        let mut request = Request::builder()
            .method(call.method)
            .uri(format!("{base}{}", call.path))
            .body(Full::new(call.body))
            .unwrap();
        let headers = request.headers_mut();
        for (name, value) in call.headers {
            headers.append(name, value);
        }
        headers
            .entry(http::header::CONTENT_TYPE)
            .or_insert(HeaderValue::from_static("application/json"));
        let exchange = async {
            let response = self.0.request(request).await?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((parts, body))
        };
        let Ok(exchanged) = tokio::time::timeout(TIMEOUT, exchange).await else {
            panic!("{about} got no answer within {TIMEOUT:?}");
        };
        let (parts, body) =
            exchanged.unwrap_or_else(|error| panic!("{about} got no answer: {error:?}"));
        Answer::new(about, parts.status, parts.headers, body)
    }
}
