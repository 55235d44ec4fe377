//! Joining the line before an endpoint that asked for order.

use hookpost_domain::line::{Entry, MAX_ENTRY};
use hookpost_domain::ports::{Error, LineEnds, Write};
use hookpost_domain::{EndpointId, EventId, TenantId, Timestamp};

/// How often another one may be faster: each time it is one of the calls that are under way at once.
const TRIES: u32 = 200;

/// Puts events at the end of a line, in this order: once this has worked out, whatever joins later
/// stands behind them. After an error they may stand there; to join again does no harm.
///
/// # Errors
/// A call failed.
pub async fn join(
    store: &impl LineEnds,
    tenant: &TenantId,
    endpoint: &EndpointId,
    events: &[EventId],
    now: Timestamp,
) -> Result<(), Error> {
    let mut place = store.line_end(tenant, endpoint).await?;
    let mut tries = 0..TRIES;
    for events in events.chunks(MAX_ENTRY) {
        loop {
            let entry = Entry {
                place,
                events: events.to_vec(),
            };
            place = match store.put_entry(tenant, endpoint, &entry, now).await? {
                Write::Won => {
                    place = entry.end();
                    break;
                }
                Write::Lost(Some(other)) => other.end(),
                Write::Lost(None) => store.line_end(tenant, endpoint).await?,
            };
            if tries.next().is_none() {
                return Err(Error {
                    call: "joining a line",
                    source: "too many others join it".into(),
                });
            }
        }
    }
    Ok(())
}
