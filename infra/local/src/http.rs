//! What the local endpoints share: one-line bind errors, an HTTP/1.1 server
//! without Nagle's delay that ends gracefully, one client, small answers.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::{Client as HyperClient, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A whole answer.
pub type Answer = Response<Full<Bytes>>;

/// Plain HTTP to other local processes.
pub type Client = HyperClient<HttpConnector, Full<Bytes>>;

/// How long requests under way may take to end once the system is ending.
const GRACE: Duration = Duration::from_secs(5);

/// A port that could not be taken.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on 127.0.0.1:{port} for {purpose}: {source} ({flag} chooses another port, 0 a free one)"
)]
pub struct BindError {
    port: u16,
    purpose: &'static str,
    flag: &'static str,
    source: io::Error,
}

/// Listens on the loopback interface only.
pub async fn bind(
    port: u16,
    purpose: &'static str,
    flag: &'static str,
) -> Result<(TcpListener, SocketAddr), BindError> {
    let failed = |source| BindError {
        port,
        purpose,
        flag,
        source,
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// A client that keeps its connections.
pub fn client() -> Client {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    HyperClient::builder(TokioExecutor::new()).build(connector)
}

/// Serves until `ending` turns true, then lets requests under way end.
pub async fn serve<H, F>(listener: TcpListener, mut ending: watch::Receiver<bool>, handler: H)
where
    H: Fn(Request<Incoming>, SocketAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = ending.wait_for(|ending| *ending) => break,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of file descriptors, most likely: a moment later there may be some.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        // Without it every small answer waits for the client's delayed acknowledgement.
        let _unsupported = stream.set_nodelay(true);
        let handler = handler.clone();
        let service = service_fn(move |request| {
            let answer = handler(request, peer);
            async move { Ok::<_, std::convert::Infallible>(answer.await) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .pipeline_flush(true)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // A client that goes away in the middle is its own affair.
            let _gone = connection.await;
        });
    }
    drop(listener);
    let _cut_off = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}

/// Why a body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    /// It is longer than the limit.
    TooLong,
    /// The client went away.
    Broken,
}

/// Reads a body of at most `limit` bytes.
pub async fn body(incoming: Incoming, limit: usize) -> Result<Bytes, BodyError> {
    match Limited::new(incoming, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => Err(BodyError::TooLong),
        Err(_) => Err(BodyError::Broken),
    }
}

/// An answer with a JSON body.
pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    with_type(status, "application/json", body)
}

/// An answer with a body of some type.
pub fn with_type(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(
        header::CONTENT_TYPE,
        http::HeaderValue::from_static(content_type),
    );
    answer
}

/// `{"message": ...}`, as API Gateway answers by itself.
pub fn message(status: StatusCode, text: &str) -> Answer {
    json(status, serde_json::json!({ "message": text }).to_string())
}
