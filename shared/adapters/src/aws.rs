//! The AWS SDK over the process's own hyper client: compiled-in certificates, one connection pool.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_smithy_runtime_api::client::http::{
    HttpConnector as SmithyConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
    http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// How long one try of one call may take. Longer than any healthy call, and shorter than what
/// [`hookpost_domain::carrier::SEND_TOLERANCE_MS`] allows a send.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// The SDK's configuration: region, credentials and endpoints from the environment, two retries.
///
/// # Errors
/// The compiled-in certificates cannot be used.
pub async fn sdk_config() -> Result<SdkConfig, crate::tls::TrustError> {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build();
    let retries = RetryConfig::standard()
        .with_max_attempts(3)
        .with_initial_backoff(Duration::from_millis(50));
    Ok(aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client()?)
        .timeout_config(timeouts)
        .retry_config(retries)
        .load()
        .await)
}

/// What AWS is called with.
pub(crate) type HyperClient = Client<HttpsConnector<HttpConnector>, SdkBody>;

fn http_client() -> Result<SharedHttpClient, crate::tls::TrustError> {
    let connector = SharedHttpConnector::new(Connector(hyper_client()?));
    Ok(http_client_fn(move |_, _| connector.clone()))
}

/// A client with a pool of its own.
pub(crate) fn hyper_client() -> Result<HyperClient, crate::tls::TrustError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(Duration::from_secs(2)));
    let https = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(crate::tls::client_config("")?)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Ok(Client::builder(TokioExecutor::new())
        .pool_idle_timeout(Duration::from_secs(20))
        .build(https))
}

#[derive(Debug, Clone)]
struct Connector(HyperClient);

impl SmithyConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request
                .try_into_http1x()
                .map_err(|error| ConnectorError::user(error.into()))?;
            let response = client
                .request(request)
                .await
                .map_err(|error| ConnectorError::io(error.into()))?;
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}
