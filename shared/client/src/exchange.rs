//! One call over the network.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{StatusCode, Url};
use rustls::{ClientConfig, RootCertStore};

use crate::error::{Failure, SetupError};
use crate::patience;
use crate::world;

/// Where the calls go, and what they carry.
#[derive(Debug)]
pub(crate) struct Http {
    client: reqwest::Client,
    base: String,
    headers: HeaderMap,
}

/// An answer that has come in whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Vec<u8>,
}

impl Http {
    pub(crate) fn new(
        client: Option<reqwest::Client>,
        url: &str,
        key: &str,
        tenant: Option<&str>,
    ) -> Result<Self, SetupError> {
        let base = base(url, !key.is_empty())?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if !key.is_empty() {
            let bearer = format!("Bearer {key}");
            let mut bearer = HeaderValue::try_from(bearer).map_err(|_| SetupError::Key)?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        if let Some(tenant) = tenant {
            let tenant = HeaderValue::try_from(tenant).map_err(|_| SetupError::Tenant)?;
            headers.insert("x-tenant", tenant);
        }
        let client = client.map_or_else(default_client, Ok)?;
        Ok(Self {
            client,
            base,
            headers,
        })
    }

    /// Posts `body`, and waits for the whole answer.
    pub(crate) async fn post(
        &self,
        path: &str,
        key: Option<&str>,
        body: Vec<u8>,
        timeout: Duration,
    ) -> Result<Answer, Failure> {
        let mut call = self
            .client
            .post(format!("{}{path}", self.base))
            .headers(self.headers.clone())
            .timeout(timeout)
            .body(body);
        if let Some(key) = key {
            call = call.header("idempotency-key", key);
        }
        // The URL says nothing that the caller does not know.
        let failed = |error: reqwest::Error| Failure::NoAnswer(error.without_url().into());
        let response = call.send().await.map_err(failed)?;
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| patience::retry_after(value.to_str().ok()?, world::now()));
        Ok(Answer {
            status: response.status(),
            retry_after,
            body: response.bytes().await.map_err(failed)?.into(),
        })
    }
}

/// The URL without its last slash. A key is not sent where others can read it on the way.
fn base(url: &str, has_key: bool) -> Result<String, SetupError> {
    let url = Url::parse(url).map_err(|_| SetupError::Url("is not one"))?;
    let is_local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match url.scheme() {
        "https" => {}
        "http" if is_local || !has_key => {}
        "http" => {
            return Err(SetupError::Url(
                "is not https: the API key could be read on the way",
            ));
        }
        _ => return Err(SetupError::Url("is not https")),
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(SetupError::Url("has a query"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Trusts the web's certificate authorities, compiled in; follows no redirect, which would take
/// the key elsewhere.
fn default_client() -> Result<reqwest::Client, SetupError> {
    let roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| SetupError::Http(error.into()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("hookpost-client/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| SetupError::Http(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_sent_over_https_only() {
        for good in [
            "https://api.example.com",
            "http://127.0.0.1:8000",
            "http://localhost:8000/",
        ] {
            assert!(base(good, true).is_ok(), "{good}");
        }
        assert!(base("http://api.example.com", true).is_err());
        assert!(base("http://api.example.com", false).is_ok());
        for bad in [
            "",
            "api.example.com",
            "ftp://api.example.com",
            "https://a.example/?x",
        ] {
            assert!(base(bad, false).is_err(), "{bad}");
        }
        assert_eq!(
            base("https://a.example/stage/", true).unwrap(),
            "https://a.example/stage"
        );
    }

    #[test]
    fn a_key_is_never_printed() {
        let http = Http::new(None, "https://a.example", "hp_secret", None).unwrap();
        assert!(!format!("{http:?}").contains("hp_secret"));
        assert!(matches!(
            Http::new(None, "https://a.example", "a\nb", None),
            Err(SetupError::Key)
        ));
    }
}
