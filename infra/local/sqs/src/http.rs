//! AWS JSON 1.0 over HTTP: one POST, the operation in a header, errors under both of their names.

use std::io;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use axum::routing::any;
use axum::serve::ListenerExt;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::json;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::errors::SqsError;
use crate::handle::Sqs;
use crate::hooks::{CallInfo, CallReport, action};
use crate::operations::{self, Call};

/// A message of 1 MiB can grow sixfold when its characters are escaped.
const MAX_REQUEST_BYTES: usize = 16 * 1024 * 1024;
const TARGET_PREFIX: &str = "AmazonSQS.";
const JSON_TYPE: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.0");
const QUERY_ERROR: HeaderName = HeaderName::from_static("x-amzn-query-error");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

impl Sqs {
    /// The SQS endpoint, answering on every path.
    pub fn router(&self) -> Router {
        Router::new()
            .fallback(any(handle))
            .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
            .with_state(self.clone())
    }

    /// Serves the endpoint until `shutdown` resolves; open long polls do not hold it up.
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        serve_router(listener, self.router(), shutdown).await
    }
}

/// Serves the endpoint, with something before it; open long polls do not hold it up.
pub async fn serve_router(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    // Without TCP_NODELAY every answer waits for the client's delayed acknowledgement.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY refused");
        }
    });
    tokio::select! {
        ended = async { axum::serve(listener, router).await } => ended,
        () = shutdown => Ok(()),
    }
}

async fn handle(
    State(sqs): State<Sqs>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if method != Method::POST {
        let mut response = Response::new(Body::from("POST an operation of SQS's JSON protocol.\n"));
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        return response;
    }
    answer(&sqs, &headers, &body).await
}

/// Answers one POST.
pub(crate) async fn answer(sqs: &Sqs, headers: &HeaderMap, body: &[u8]) -> Response {
    let operation = header(headers, "x-amz-target")
        .and_then(|target| target.strip_prefix(TARGET_PREFIX))
        .unwrap_or_default();
    let mut call = Call {
        sqs,
        authority: header(headers, HOST.as_str()).unwrap_or("localhost"),
        info: CallInfo {
            access_key_id: access_key_id(headers),
            operation: operation.to_owned(),
            action: action(operation),
            queue_arn: "*".to_owned(),
        },
    };
    match operations::dispatch(&mut call, body).await {
        Ok(answer) => {
            sqs.report(&call.info, &answer.report);
            respond(StatusCode::OK, answer.json.into())
        }
        Err(error) => {
            sqs.report(&call.info, &CallReport::failed(error.code()));
            refuse(&error)
        }
    }
}

fn respond(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON_TYPE);
    let id = Uuid::from_u128(fastrand::u128(..)).to_string();
    if let Ok(id) = HeaderValue::try_from(id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

fn refuse(error: &SqsError) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let body = json!({
        "__type": format!("com.amazonaws.sqs#{}", error.shape()),
        "message": error.to_string(),
    });
    let mut response = respond(status, body.to_string().into());
    if let Ok(code) = HeaderValue::try_from(format!("{};Sender", error.code())) {
        response.headers_mut().insert(QUERY_ERROR, code);
    }
    response
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// From `AWS4-HMAC-SHA256 Credential=KEY/date/region/sqs/aws4_request, ...`. The signature is not checked.
fn access_key_id(headers: &HeaderMap) -> Option<String> {
    let (_, credential) = header(headers, AUTHORIZATION.as_str())?.split_once("Credential=")?;
    let (key, _) = credential.split_once('/')?;
    Some(key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_is_read_from_the_signature() {
        let mut headers = HeaderMap::new();
        assert_eq!(access_key_id(&headers), None);
        headers.insert(
            AUTHORIZATION,
            HeaderValue::from_static(
                "AWS4-HMAC-SHA256 Credential=DeliveryFunction/20261121/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0",
            ),
        );
        assert_eq!(access_key_id(&headers).as_deref(), Some("DeliveryFunction"));
    }
}
