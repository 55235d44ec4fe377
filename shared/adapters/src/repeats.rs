//! Calls that are made again under the same idempotency key while the first is still under way.

use std::time::Duration;

use hookpost_domain::TenantId;
use hookpost_domain::ports::{Error, IdempotencyKey, IdempotencyKeys, World};

/// How long a call with the same key is given to finish before its work is done in its place.
const UNDER_WAY: Duration = Duration::from_secs(3);
/// How often it is looked whether it has.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// How old a key is when the call that took it can be under way no more: older than any function's
/// time-out that answers calls.
pub const GIVEN_UP: Duration = Duration::from_secs(60);

/// What a key was used for, once the call that uses it right now has had time to finish.
///
/// # Errors
/// A read failed.
pub async fn settled(
    keys: &impl IdempotencyKeys,
    world: &impl World,
    tenant: &TenantId,
    key: &str,
    known: IdempotencyKey,
) -> Result<IdempotencyKey, Error> {
    let mut known = known;
    while !known.sent && world.now().since(known.event.time()) < UNDER_WAY {
        tokio::time::sleep(LOOK_AGAIN).await;
        match keys.claimed(tenant, key).await? {
            Some(now) => known = now,
            None => break,
        }
    }
    Ok(known)
}
