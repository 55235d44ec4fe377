//! Reading what was posted.

use hookpost_adapters::api::{self, Call, Problem};
use hookpost_domain::event::{CheckedDraft, EventDraft, MAX_PAYLOAD_BYTES};
use hookpost_domain::{Invalid, Timestamp};

/// One event as it was posted.
pub(crate) fn read(body: &[u8], now: Timestamp) -> Result<CheckedDraft, Problem> {
    let draft: EventDraft = api::parse_object(body)?;
    if draft.payload.get().len() > MAX_PAYLOAD_BYTES {
        return Err(Problem::too_large(
            "payload",
            "must be at most 262144 bytes (256 KiB) of JSON",
        ));
    }
    Ok(draft.check(now)?)
}

/// The `Idempotency-Key` header.
pub(crate) fn header_key(call: &Call) -> Result<Option<String>, Problem> {
    let Some(key) = call.text_header("Idempotency-Key")? else {
        return Ok(None);
    };
    if key.is_empty() || key.len() > 255 {
        return Err(Problem::invalid(&Invalid::new(
            "Idempotency-Key",
            "must be 1 to 255 characters",
        )));
    }
    Ok(Some(key.to_owned()))
}
