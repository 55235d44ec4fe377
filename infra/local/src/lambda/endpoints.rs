//! The Runtime API that instances call, and the Invoke API that people and
//! `cargo lambda invoke` call, on one port.
//!
//! An instance's calls carry its id in the path's prefix, which
//! `AWS_LAMBDA_RUNTIME_API` tells it.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;

use super::instance::Work;
use super::pool::Next;
use super::{Host, Outcome, PAYLOAD_LIMIT, error_document};
use crate::clock;
use crate::http::{Answer, body, json, message};
use crate::permissions;

const RUNTIME: &str = "2018-06-01";
const INVOKE: &str = "2015-03-31";

/// Answers one call.
pub(super) async fn handle(host: &Host, request: Request<Incoming>) -> Answer {
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (request.method(), parts.as_slice()) {
        (
            method,
            [
                "instance",
                function,
                instance,
                RUNTIME,
                "runtime",
                rest @ ..,
            ],
        ) => {
            let Ok(instance) = instance.parse() else {
                return not_found();
            };
            let method = method.clone();
            runtime(host, &method, function, instance, rest, request).await
        }
        (&Method::POST, [INVOKE, "functions", function, "invocations"]) => {
            invoke(host, function, request).await
        }
        (&Method::GET, [INVOKE, "functions"]) => {
            let names: Vec<&str> = host
                .shared
                .functions
                .iter()
                .map(|f| f.name.as_str())
                .collect();
            json(
                StatusCode::OK,
                serde_json::json!({ "Functions": names }).to_string(),
            )
        }
        _ => not_found(),
    }
}

async fn runtime(
    host: &Host,
    method: &Method,
    function: &str,
    instance: u64,
    rest: &[&str],
    request: Request<Incoming>,
) -> Answer {
    let Some(function) = host.function(function) else {
        return not_found();
    };
    match (method, rest) {
        (&Method::GET, ["invocation", "next"]) => {
            let work = match function.next(instance) {
                Some(Next::Now(work)) => Some(work),
                Some(Next::Later(work)) => work.await.ok(),
                // A process of an earlier run: the answer ends it.
                None => return not_found(),
            };
            match work {
                Some(work) => hand_out(&function.arn, work),
                // It is about to be killed, as on AWS in the middle of its call.
                None => std::future::pending().await,
            }
        }
        (&Method::POST, ["invocation", request_id, how @ ("response" | "error")]) => {
            let outcome = match body(request.into_body(), PAYLOAD_LIMIT).await {
                Ok(answer) if *how == "response" => Outcome::Answered(answer),
                Ok(error) => Outcome::Failed(error),
                Err(_) => Outcome::Failed(error_document(
                    "Function.ResponseSizeTooLarge",
                    "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
                )),
            };
            if function.answer(instance, request_id, outcome) {
                json(StatusCode::ACCEPTED, r#"{"status":"OK"}"#)
            } else {
                message(StatusCode::BAD_REQUEST, "InvalidRequestID")
            }
        }
        (&Method::POST, ["init", "error"]) => {
            if let Ok(document) = body(request.into_body(), PAYLOAD_LIMIT).await {
                function.init_failed(instance, document);
            }
            json(StatusCode::ACCEPTED, r#"{"status":"OK"}"#)
        }
        _ => not_found(),
    }
}

fn hand_out(arn: &str, work: Work) -> Answer {
    let deadline = clock::epoch_ms(clock::wall() + work.timeout);
    let trace = format!(
        "Root=1-{:08x}-{:024x};Sampled=0",
        deadline / 1_000,
        fastrand::u64(..)
    );
    let mut answer = Response::new(Full::new(work.payload));
    let headers = answer.headers_mut();
    let texts = [
        ("lambda-runtime-aws-request-id", work.request_id.as_str()),
        ("lambda-runtime-invoked-function-arn", arn),
        ("lambda-runtime-trace-id", trace.as_str()),
    ];
    for (name, value) in texts {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    headers.insert("lambda-runtime-deadline-ms", HeaderValue::from(deadline));
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    answer
}

async fn invoke(host: &Host, called: &str, request: Request<Incoming>) -> Answer {
    let called = called.replace("%3A", ":").replace("%3a", ":");
    let Some(function) = host.function(&called) else {
        return missing(host, &called);
    };
    let permissions = &host.shared.setting.permissions;
    let caller = permissions::caller(request.headers());
    if let Err(denied) = permissions.check(caller, "lambda:InvokeFunction", &function.arn) {
        let text = denied.to_string();
        host.shared.console.warn(&text);
        return typed(StatusCode::FORBIDDEN, "AccessDeniedException", &text);
    }
    let function = function.logical_id.clone();
    let event = request
        .headers()
        .get("x-amz-invocation-type")
        .is_some_and(|kind| kind == "Event");
    let Ok(payload) = body(request.into_body(), PAYLOAD_LIMIT).await else {
        return message(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the payload is larger than 6 MB",
        );
    };
    let payload = if payload.is_empty() {
        Bytes::from_static(b"{}")
    } else {
        payload
    };
    if serde_json::from_slice::<serde::de::IgnoredAny>(&payload).is_err() {
        return typed(
            StatusCode::BAD_REQUEST,
            "InvalidRequestContentException",
            "the payload is not JSON",
        );
    }
    if event {
        let host = host.clone();
        tokio::spawn(async move { host.invoke(&function, payload).await });
        return Response::builder()
            .status(StatusCode::ACCEPTED)
            .body(Full::default())
            .unwrap_or_default();
    }
    match host.invoke(&function, payload).await {
        Outcome::Answered(answer) => versioned(json(StatusCode::OK, answer)),
        Outcome::Failed(document) => {
            let mut answer = versioned(json(StatusCode::OK, document));
            let failed = HeaderValue::from_static("Unhandled");
            answer.headers_mut().insert("x-amz-function-error", failed);
            answer
        }
        Outcome::Unavailable(why) => {
            typed(StatusCode::BAD_GATEWAY, "InvalidRuntimeException", &why)
        }
    }
}

fn versioned(mut answer: Answer) -> Answer {
    let version = HeaderValue::from_static("$LATEST");
    answer
        .headers_mut()
        .insert("x-amz-executed-version", version);
    answer
}

fn missing(host: &Host, called: &str) -> Answer {
    let names: Vec<&str> = host
        .shared
        .functions
        .iter()
        .map(|f| f.binary.as_str())
        .collect();
    let text = format!(
        "there is no function {called}; there are {}",
        names.join(", ")
    );
    typed(StatusCode::NOT_FOUND, "ResourceNotFoundException", &text)
}

fn typed(status: StatusCode, kind: &'static str, text: &str) -> Answer {
    // As Lambda words it, and as cargo lambda reads it.
    let document = serde_json::json!({
        "Type": "User", "Message": text, "errorType": kind, "errorMessage": text,
    });
    let mut answer = json(status, document.to_string());
    let kind = HeaderValue::from_static(kind);
    answer.headers_mut().insert("x-amzn-errortype", kind);
    answer
}

fn not_found() -> Answer {
    message(StatusCode::NOT_FOUND, "there is nothing here")
}
