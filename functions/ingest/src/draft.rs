//! Reading what was posted: an event of ours, or a CloudEvent in either of its forms.

use hookpost_adapters::api::{self, Call, Problem};
use hookpost_domain::Timestamp;
use hookpost_domain::cloud_event::{self, BATCH, HEADER_PREFIX, STRUCTURED, media_type};
use hookpost_domain::event::{CheckedDraft, EventDraft, MAX_PAYLOAD_BYTES};
use serde_json::value::RawValue;

/// How the body of a call is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As an event of ours, or a batch of them.
    Own,
    /// As a CloudEvent.
    Structured,
    /// As a list of CloudEvents.
    Batch,
    /// As a CloudEvent's data: its attributes are headers.
    Binary,
}

/// How the body of a call is written.
///
/// # Errors
/// 415 for a form of CloudEvents that is not read here.
pub(crate) fn form(call: &Call) -> Result<Form, Problem> {
    const REQUIRED: [&str; 4] = ["ce-specversion", "ce-type", "ce-source", "ce-id"];
    let media = call
        .header("content-type")
        .map(media_type)
        .unwrap_or_default();
    match media.as_str() {
        STRUCTURED => Ok(Form::Structured),
        BATCH => Ok(Form::Batch),
        other if other.starts_with("application/cloudevents") => {
            let detail = format!("CloudEvents are read as `{STRUCTURED}` and `{BATCH}`");
            Err(Problem::unsupported(detail))
        }
        _ if call.headers().any(|(name, _)| REQUIRED.contains(&name)) => Ok(Form::Binary),
        _ => Ok(Form::Own),
    }
}

/// The one event of a call.
pub(crate) fn of_call(call: &Call, form: Form, now: Timestamp) -> Result<CheckedDraft, Problem> {
    match form {
        Form::Own => read(&call.body, now),
        Form::Structured => {
            let json: &RawValue = serde_json::from_slice(&call.body)
                .map_err(|error| Problem::bad_request(format!("the body is not JSON: {error}")))?;
            structured(json, now)
        }
        Form::Binary => {
            let headers = call
                .headers()
                .filter(|(name, _)| name.starts_with(HEADER_PREFIX));
            let content_type = call.header("content-type");
            checked(
                cloud_event::binary(headers, content_type, &call.body)?,
                "data",
                now,
            )
        }
        Form::Batch => Err(Problem::unsupported(
            "a batch of CloudEvents is taken by POST /api/v1/events/batch",
        )),
    }
}

/// One event as it was posted.
pub(crate) fn read(body: &[u8], now: Timestamp) -> Result<CheckedDraft, Problem> {
    checked(api::parse_object(body)?, "payload", now)
}

/// One CloudEvent as it was posted.
pub(crate) fn structured(json: &RawValue, now: Timestamp) -> Result<CheckedDraft, Problem> {
    checked(cloud_event::structured(json)?, "data", now)
}

/// `payload` is the payload's name where the caller wrote it.
fn checked(draft: EventDraft, payload: &str, now: Timestamp) -> Result<CheckedDraft, Problem> {
    if draft.payload.get().len() > MAX_PAYLOAD_BYTES {
        let rule = "must be at most 262144 bytes (256 KiB) of JSON";
        return Err(Problem::too_large(payload, rule));
    }
    Ok(draft.check(now)?)
}
