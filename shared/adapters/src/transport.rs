//! The way to the endpoints: one HTTP client, and the guard on where it goes.
//!
//! Guarantees: an address is judged when it is dialled, and a name that resolves to any address
//! that is not public is not dialled at all; no redirect is followed; no proxy is used; a request
//! ends within its time-out; at most [`MAX_BODY_BYTES`] of an answer are read.

use std::error::Error as StdError;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hookpost_domain::answer::MAX_BODY_BYTES;
use hookpost_domain::delivery::{AttemptResult, FailureKind, clip, clip_text};
use hookpost_domain::ports::{Answer, Transport};
use hookpost_domain::request::SignedRequest;
use hookpost_domain::target::{self, AllowedTargets, TargetUrl, Verdict};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, ClientBuilder, Response};

use crate::Config;

/// Bytes of a failure's body that are looked at for its beginning.
const HEAD_BYTES: usize = 1024;
/// How long is spent on reading an answer whose status is all that matters.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// The HTTP client.
#[derive(Debug, Clone)]
pub struct Http {
    guarded: Client,
    listed: Client,
    allowed: AllowedTargets,
}

/// The client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The certificates to trust cannot be.
    #[error(transparent)]
    Trust(#[from] crate::tls::TrustError),
    /// The HTTP library refuses.
    #[error("the HTTP client cannot be made")]
    Client(#[from] reqwest::Error),
}

impl Http {
    /// A client that trusts and goes where `config` says.
    ///
    /// # Errors
    /// The deployment's certificates cannot be trusted.
    pub fn new(config: &Config) -> Result<Self, HttpError> {
        let tls = crate::tls::client_config(&config.trusted_ca_pem)?;
        let builder = || -> ClientBuilder {
            Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .http1_only()
                .tcp_nodelay(true)
                // Endpoints close idle connections after 5 to 75 s; a request on one that is being
                // closed fails.
                .pool_idle_timeout(Duration::from_secs(4))
        };
        Ok(Self {
            guarded: builder().dns_resolver(Arc::new(Guard)).build()?,
            listed: builder().build()?,
            allowed: config.allowed_targets.clone(),
        })
    }

    /// Until the answer's status and headers are there.
    async fn send(
        &self,
        client: &Client,
        url: &TargetUrl,
        request: SignedRequest,
    ) -> Result<Response, reqwest::Error> {
        let mut post = client.post(url.as_url().clone()).body(request.body);
        for (name, value) in request.headers {
            post = post.header(name, value);
        }
        post.send().await
    }
}

impl Transport for Http {
    async fn post(
        &self,
        url: &TargetUrl,
        request: SignedRequest,
        timeout: Duration,
        with_body: bool,
    ) -> Answer {
        let client = match target::verdict(url.as_url(), &self.allowed) {
            Verdict::Listed => &self.listed,
            Verdict::Guarded => &self.guarded,
            Verdict::Refused(rule) => {
                return failure(FailureKind::RefusedAddress, &format!("the URL {rule}"));
            }
        };
        let exchange = async {
            let mut response = self.send(client, url, request).await?;
            let mut body = Vec::new();
            if with_body {
                read(&mut response, &mut body, MAX_BODY_BYTES).await?;
            }
            Ok::<_, reqwest::Error>((response, body))
        };
        match tokio::time::timeout(timeout, exchange).await {
            Ok(Ok((response, body))) => answer(response, body).await,
            Ok(Err(error)) => classify(&error),
            Err(_) => {
                let detail = format!("no answer within {} s", timeout.as_secs());
                failure(FailureKind::Timeout, &detail)
            }
        }
    }
}

/// Reads an answer to its end, or until [`MAX_BODY_BYTES`] are read, and keeps the first `keep`.
async fn read(
    response: &mut Response,
    head: &mut Vec<u8>,
    keep: usize,
) -> Result<(), reqwest::Error> {
    let mut read = head.len();
    while read < MAX_BODY_BYTES
        && let Some(chunk) = response.chunk().await?
    {
        read += chunk.len();
        let room = keep.saturating_sub(head.len());
        head.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
    }
    Ok(())
}

/// The answer; what of its body has not been read is, so that its connection can be used again.
async fn answer(mut response: Response, mut body: Vec<u8>) -> Answer {
    let status = response.status();
    let retry_after = response
        .headers()
        .get("retry-after")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    // The status is known: an answer that drips on, or breaks off, changes nothing about it.
    let drain = read(&mut response, &mut body, HEAD_BYTES);
    if tokio::time::timeout(DRAIN_TIMEOUT, drain).await.is_err() {
        tracing::debug!("an answer was cut off while it was still coming");
    }
    let result = if status.is_success() {
        AttemptResult::Accepted(status.as_u16())
    } else {
        AttemptResult::Failed {
            kind: FailureKind::Http(status.as_u16()),
            detail: status
                .canonical_reason()
                .unwrap_or("unknown status")
                .to_owned(),
            response: clip(&body),
        }
    };
    Answer {
        result,
        retry_after,
        body,
    }
}

fn failure(kind: FailureKind, detail: &str) -> Answer {
    let result = AttemptResult::Failed {
        kind,
        detail: clip_text(detail),
        response: String::new(),
    };
    Answer {
        result,
        retry_after: None,
        body: Vec::new(),
    }
}

/// What kind of failure an error of the HTTP library is: told by the types in its chain of causes,
/// not by its text.
fn classify(error: &reqwest::Error) -> Answer {
    let causes = || {
        std::iter::successors(Some(error as &(dyn StdError + 'static)), |cause| {
            cause_of(*cause)
        })
    };
    if let Some(refused) = causes().find_map(|cause| cause.downcast_ref::<DialError>()) {
        let kind = match refused {
            DialError::NotPublic(_) => FailureKind::RefusedAddress,
            DialError::NoAddress(_) | DialError::Lookup(..) => FailureKind::Dns,
        };
        return failure(kind, &refused.to_string());
    }
    if let Some(tls) = causes().find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
        return failure(FailureKind::Tls, &tls.to_string());
    }
    let root = causes().last().map(ToString::to_string).unwrap_or_default();
    if error.is_connect() {
        return failure(FailureKind::Connect, &root);
    }
    let http = causes().find_map(|cause| cause.downcast_ref::<hyper::Error>());
    if http.is_some_and(|http| http.is_parse() || http.is_user()) {
        return failure(FailureKind::Protocol, &root);
    }
    failure(FailureKind::Reset, &root)
}

/// The next cause; `io::Error` keeps its own inside.
fn cause_of<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    if let Some(inner) = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref)
    {
        return Some(inner);
    }
    error.source()
}

/// A name that is not dialled.
#[derive(Debug, thiserror::Error)]
enum DialError {
    #[error("{0} resolves to an address that is not public")]
    NotPublic(String),
    #[error("{0} has no address")]
    NoAddress(String),
    #[error("{0} cannot be resolved")]
    Lookup(String, #[source] std::io::Error),
}

/// Resolves names, and lets only public addresses be dialled.
#[derive(Debug)]
struct Guard;

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let name = name.as_str().to_owned();
            let looked_up = tokio::net::lookup_host((name.as_str(), 0))
                .await
                .map(Iterator::collect::<Vec<_>>);
            let found = match looked_up {
                Ok(found) => found,
                Err(error) => return Err(DialError::Lookup(name, error).into()),
            };
            let vetted = vet(name, found)?;
            Ok(Box::new(vetted.into_iter()) as Addrs)
        })
    }
}

fn vet(name: String, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, DialError> {
    if found.is_empty() {
        return Err(DialError::NoAddress(name));
    }
    if found.iter().any(|address| !target::is_public(address.ip())) {
        return Err(DialError::NotPublic(name));
    }
    Ok(found)
}

#[cfg(test)]
mod hostile;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_any_private_address_is_not_dialled() {
        let vet = |addresses: &[&str]| {
            vet(
                "name".into(),
                addresses
                    .iter()
                    .map(|address| address.parse().unwrap())
                    .collect(),
            )
        };
        assert!(vet(&["8.8.8.8:0", "1.1.1.1:0"]).is_ok());
        assert!(matches!(
            vet(&["8.8.8.8:0", "10.0.0.1:0"]),
            Err(DialError::NotPublic(_))
        ));
        assert!(matches!(
            vet(&["[::ffff:127.0.0.1]:0"]),
            Err(DialError::NotPublic(_))
        ));
        assert!(matches!(vet(&[]), Err(DialError::NoAddress(_))));
    }
}
