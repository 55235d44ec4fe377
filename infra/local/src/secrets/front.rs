//! One request: which service, who calls, whether its role allows it.

use std::borrow::Cow;

use http::{HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::{Shared, kms};
use crate::counters::{Count, Counters};
use crate::http::{Answer, body, with_type};
use crate::lambda::random_id;
use crate::permissions::caller;
use crate::template::Secret;

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
const BODY_LIMIT: usize = 256 * 1024;

/// An answer that is an error: its type and its text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) kind: Cow<'static, str>,
    pub(super) text: String,
}

impl Refused {
    pub(super) fn new(kind: &'static str, text: &str) -> Self {
        Self {
            kind: Cow::Borrowed(kind),
            text: text.to_owned(),
        }
    }
}

/// Answers one call.
pub(super) async fn handle(shared: &Shared, request: Request<Incoming>) -> Answer {
    let (parts, incoming) = request.into_parts();
    let target = parts
        .headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok());
    let target = target.unwrap_or_default().to_owned();
    let caller = caller(&parts.headers).to_owned();
    let input = body(incoming, BODY_LIMIT).await.unwrap_or_default();
    let outcome = match serde_json::from_slice(&input) {
        Ok(input) => call(shared, &caller, &target, &input),
        Err(_) => Err(Refused::new("SerializationException", "")),
    };
    let (status, document) = match outcome {
        Ok(document) => (StatusCode::OK, document),
        Err(refused) => {
            let status = match refused.kind.as_ref() {
                "KMSInternalException" => StatusCode::INTERNAL_SERVER_ERROR,
                _ => StatusCode::BAD_REQUEST,
            };
            (
                status,
                json!({ "__type": refused.kind, "message": refused.text }),
            )
        }
    };
    let mut answer = with_type(status, CONTENT_TYPE, document.to_string());
    if let Ok(id) = HeaderValue::from_str(&random_id()) {
        answer.headers_mut().insert("x-amzn-requestid", id);
    }
    answer
}

/// `TrentService` is KMS.
pub(super) fn call(
    shared: &Shared,
    caller: &str,
    target: &str,
    input: &Value,
) -> Result<Value, Refused> {
    match target.split_once('.') {
        Some(("TrentService", operation)) => {
            let key = kms::key_of(shared, input)?;
            let action = format!("kms:{operation}");
            let outcome = allowed(shared, caller, &action, &key.arn)
                .and_then(|()| kms::run(shared, operation, key, input));
            count(
                &shared.kms_counters,
                caller,
                &key.logical_id,
                operation,
                &outcome,
            );
            outcome
        }
        Some(("secretsmanager", operation @ "GetSecretValue")) => {
            let secret = secret_of(shared, input)?;
            let outcome = allowed(shared, caller, "secretsmanager:GetSecretValue", &secret.arn)
                .map(|()| value_of(shared, secret));
            let counters = &shared.secrets_manager_counters;
            count(counters, caller, &secret.logical_id, operation, &outcome);
            outcome
        }
        Some(_) | None => Err(Refused::new("UnknownOperationException", target)),
    }
}

fn allowed(shared: &Shared, caller: &str, action: &str, arn: &str) -> Result<(), Refused> {
    shared
        .permissions
        .check(caller, action, arn)
        .map_err(|denied| {
            let text = denied.to_string();
            shared.console.warn(&text);
            Refused::new("AccessDeniedException", &text)
        })
}

fn count(
    counters: &Counters,
    caller: &str,
    resource: &str,
    operation: &str,
    outcome: &Result<Value, Refused>,
) {
    let count = Count {
        calls: 1,
        errors: u64::from(outcome.is_err()),
        ..Count::default()
    };
    counters.add(caller, resource, operation, count);
}

fn secret_of<'a>(shared: &'a Shared, input: &Value) -> Result<&'a Secret, Refused> {
    let id = input
        .get("SecretId")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let is = |secret: &&Secret| secret.name == id || secret.arn == id;
    shared.secrets.iter().find(is).ok_or_else(|| {
        let text = "Secrets Manager can't find the specified secret.";
        Refused::new("ResourceNotFoundException", text)
    })
}

fn value_of(shared: &Shared, secret: &Secret) -> Value {
    json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "SecretString": shared.state().secrets.get(&secret.name),
        "VersionStages": ["AWSCURRENT"],
    })
}
