//! Reading what was posted.

use hookpost_adapters::api::{self, Problem};
use hookpost_domain::Timestamp;
use hookpost_domain::event::{CheckedDraft, EventDraft, MAX_PAYLOAD_BYTES};

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
