//! One request: who calls, whether its role allows it, which way it runs.

use bytes::Bytes;
use dynoxide::DynoxideError;
use dynoxide::types::ConsumedCapacity;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::Shared;
use super::operations::{
    BatchGetItem, BatchWriteItem, DeleteItem, GetItem, Operation, PutItem, Query, Scan, Touched,
    TransactGetItems, TransactWriteItems, Units, UpdateItem,
};
use crate::counters::Count;
use crate::faults::{Refusal, Service};
use crate::http::{Answer, body, with_type};
use crate::lambda::random_id;
use crate::permissions::{Denied, caller};

const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

/// `DynamoDB`'s own limit on a request.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// Answers one call.
pub(super) async fn handle(shared: &Shared, request: Request<Incoming>) -> Answer {
    let (parts, incoming) = request.into_parts();
    let Ok(body) = body(incoming, BODY_LIMIT).await else {
        return error(
            StatusCode::PAYLOAD_TOO_LARGE,
            "SerializationException",
            "too long",
        );
    };
    let caller = caller(&parts.headers).to_owned();
    let operation = parts
        .headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok())
        .and_then(|target| target.rsplit('.').next())
        .unwrap_or("")
        .to_owned();
    let effect = || answer(shared, &caller, &operation, parts.clone(), body.clone());
    let refuse = |refusal| match refusal {
        Refusal::Failed => error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalServerError",
            "a fault",
        ),
        Refusal::Throttled => error(StatusCode::BAD_REQUEST, "ThrottlingException", "a fault"),
    };
    shared
        .faults
        .pass(Service::DynamoDb, &caller, &operation, effect, refuse)
        .await
}

async fn answer(
    shared: &Shared,
    caller: &str,
    operation: &str,
    parts: http::request::Parts,
    body: Bytes,
) -> Answer {
    let direct = match operation {
        "PutItem" => direct::<PutItem>(shared, caller, operation, &body).await,
        "GetItem" => direct::<GetItem>(shared, caller, operation, &body).await,
        "UpdateItem" => direct::<UpdateItem>(shared, caller, operation, &body).await,
        "DeleteItem" => direct::<DeleteItem>(shared, caller, operation, &body).await,
        "Query" => direct::<Query>(shared, caller, operation, &body).await,
        "Scan" => direct::<Scan>(shared, caller, operation, &body).await,
        "BatchGetItem" => direct::<BatchGetItem>(shared, caller, operation, &body).await,
        "BatchWriteItem" => direct::<BatchWriteItem>(shared, caller, operation, &body).await,
        "TransactGetItems" => direct::<TransactGetItems>(shared, caller, operation, &body).await,
        "TransactWriteItems" => {
            direct::<TransactWriteItems>(shared, caller, operation, &body).await
        }
        _ => rare(shared, caller, operation, &body),
    };
    match direct {
        Some(answer) => answer,
        None => forward(shared, parts, body).await,
    }
}

/// Runs an operation in the engine. `None` leaves it to the engine's server:
/// nothing was written, and its error is worded there.
async fn direct<O: Operation>(
    shared: &Shared,
    caller: &str,
    operation: &str,
    body: &Bytes,
) -> Option<Answer> {
    let mut request: O::Request = serde_json::from_slice(body).ok()?;
    let touched = O::touched(&request);
    if let Err(denied) = allowed(shared, caller, &touched) {
        return Some(refuse(shared, &denied));
    }
    let wanted = O::wanted_capacity(&mut request);
    let keep = wanted.as_deref().is_some_and(|wanted| wanted != "NONE");
    if !keep {
        *wanted = Some("TOTAL".to_owned());
    }
    let mut result = shared
        .engine
        .run(move |database| O::run(database, request))
        .await?;
    let consumed = match &mut result {
        Ok(response) => O::consumed(response, keep),
        Err(_) => Vec::new(),
    };
    match result {
        Ok(response) => {
            count::<O>(shared, caller, operation, &touched, &consumed);
            Some(with_request_id(with_type(
                StatusCode::OK,
                CONTENT_TYPE,
                serde_json::to_vec(&response).ok()?,
            )))
        }
        Err(
            error @ (DynoxideError::ConditionalCheckFailedException(..)
            | DynoxideError::TransactionCanceledException(..)),
        ) => {
            count_failed::<O>(shared, caller, operation, &touched);
            let status = StatusCode::from_u16(error.status_code()).ok()?;
            Some(with_request_id(with_type(
                status,
                CONTENT_TYPE,
                error.to_json(),
            )))
        }
        Err(_) => {
            count_failed_call(shared, caller, operation, &touched);
            None
        }
    }
}

/// Everything else, by the tables that its body names.
fn rare(shared: &Shared, caller: &str, operation: &str, body: &Bytes) -> Option<Answer> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let table = body.get("TableName").and_then(Value::as_str).unwrap_or("*");
    let one = Count {
        calls: 1,
        ..Count::default()
    };
    shared.counters.add(caller, table, operation, one);
    let action = format!("dynamodb:{operation}");
    let arn = table_arn(shared, table, None);
    let denied = shared.permissions.check(caller, &action, &arn).err()?;
    Some(refuse(shared, &denied))
}

fn allowed(shared: &Shared, caller: &str, touched: &[Touched]) -> Result<(), Denied> {
    if !shared.permissions.binds(caller) {
        return Ok(());
    }
    touched.iter().try_for_each(|touched| {
        let arn = table_arn(shared, &touched.table, touched.index.as_deref());
        shared.permissions.check(caller, touched.action, &arn)
    })
}

fn table_arn(shared: &Shared, table: &str, index: Option<&str>) -> String {
    let Shared {
        region, account, ..
    } = shared;
    // A call may name the table by its ARN already.
    let table = table.rsplit_once(":table/").map_or(table, |(_, name)| name);
    let index = index.map_or_else(String::new, |index| format!("/index/{index}"));
    format!("arn:aws:dynamodb:{region}:{account}:table/{table}{index}")
}

fn refuse(shared: &Shared, denied: &Denied) -> Answer {
    let text = denied.to_string();
    shared.console.warn(&text);
    error(StatusCode::BAD_REQUEST, "AccessDeniedException", &text)
}

fn error(status: StatusCode, kind: &str, text: &str) -> Answer {
    let kind = format!("com.amazonaws.dynamodb.v20120810#{kind}");
    let document = json!({ "__type": kind, "message": text });
    with_request_id(with_type(status, CONTENT_TYPE, document.to_string()))
}

fn with_request_id(mut answer: Answer) -> Answer {
    if let Ok(id) = HeaderValue::from_str(&random_id()) {
        answer.headers_mut().insert("x-amzn-requestid", id);
    }
    answer
}

fn count<O: Operation>(
    shared: &Shared,
    caller: &str,
    operation: &str,
    touched: &[Touched],
    consumed: &[ConsumedCapacity],
) {
    // One call over several tables is counted as a call on its first.
    let mut calls = 1;
    for (at, first) in touched.iter().enumerate() {
        if touched
            .iter()
            .take(at)
            .any(|earlier| earlier.table == first.table)
        {
            continue;
        }
        let same = touched.iter().filter(|one| one.table == first.table);
        let units: f64 = consumed
            .iter()
            .filter(|consumed| consumed.table_name == first.table)
            .map(|consumed| consumed.capacity_units)
            .sum();
        let (read_units, write_units) = match O::UNITS {
            Units::Read => (units, 0.0),
            Units::Write => (0.0, units),
        };
        let count = Count {
            calls: std::mem::take(&mut calls),
            entries: same.map(|one| one.entries).sum(),
            read_units,
            write_units,
            ..Count::default()
        };
        shared.counters.add(caller, &first.table, operation, count);
    }
}

/// A failed condition costs its write all the same: a unit an item, at least.
fn count_failed<O: Operation>(shared: &Shared, caller: &str, operation: &str, touched: &[Touched]) {
    let each = if touched.len() > 1 { 2.0 } else { 1.0 };
    for (at, touched) in touched.iter().enumerate() {
        let first = u64::from(at == 0);
        let count = Count {
            calls: first,
            errors: first,
            entries: touched.entries,
            write_units: if O::UNITS == Units::Write { each } else { 0.0 },
            ..Count::default()
        };
        shared
            .counters
            .add(caller, &touched.table, operation, count);
    }
}

fn count_failed_call(shared: &Shared, caller: &str, operation: &str, touched: &[Touched]) {
    let table = touched
        .first()
        .map_or("*", |touched| touched.table.as_str());
    let count = Count {
        calls: 1,
        errors: 1,
        ..Count::default()
    };
    shared.counters.add(caller, table, operation, count);
}

/// Passes a request on to the engine's own server as it came.
async fn forward(shared: &Shared, mut parts: http::request::Parts, body: Bytes) -> Answer {
    let target = format!("http://{}/", shared.private);
    let Ok(uri) = target.parse::<Uri>() else {
        return error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalServerError",
            "no engine",
        );
    };
    if parts.method != Method::POST && parts.uri.path() != "/" {
        return error(StatusCode::NOT_FOUND, "UnknownOperationException", "");
    }
    parts.uri = uri;
    parts.headers.remove(header::HOST);
    parts.headers.remove(header::TRANSFER_ENCODING);
    let response = shared
        .client
        .request(Request::from_parts(parts, Full::new(body)))
        .await;
    let collected = match response {
        Ok(response) => {
            let (parts, body) = response.into_parts();
            body.collect()
                .await
                .map(|body| (parts, body.to_bytes()))
                .ok()
        }
        Err(_) => None,
    };
    match collected {
        Some((parts, body)) => Answer::from_parts(parts, Full::new(body)),
        None => error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalServerError",
            "the engine does not answer",
        ),
    }
}
