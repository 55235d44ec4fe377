//! Lists in pages.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hookpost_adapters::api::Problem;
use hookpost_domain::access::SigningKey;
use hookpost_domain::{DeliveryId, EventId, Invalid, TenantId, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

/// Items a page has unless the caller says otherwise.
const DEFAULT_LIMIT: usize = 50;
/// Most items a page may have.
pub const MAX_LIMIT: usize = 200;

/// A page of a list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub struct Page<T> {
    /// The items.
    pub data: Vec<T>,
    /// What to pass as `after` for the next page; `null` if this is the last.
    pub next: Option<String>,
}

/// A page of what was looked for without an index that knows it: it may be short, or empty, though
/// there is more.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "FoundOf{T}")]
pub struct Found<T> {
    /// What was found.
    pub data: Vec<T>,
    /// What to pass as `after` to go on; `null` if everything has been looked at.
    pub next: Option<String>,
    /// How many were looked at for it.
    pub scanned: usize,
}

/// How many items a page is to have.
///
/// # Errors
/// 422 for what is not between 1 and 200.
pub fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    let limit = asked.unwrap_or(DEFAULT_LIMIT);
    if (1..=MAX_LIMIT).contains(&limit) {
        return Ok(limit);
    }
    let rule = "must be between 1 and 200";
    Err(Problem::invalid(&Invalid::new("limit", rule)))
}

/// A list whose places are told as tokens: opaque, good for ever, and signed, so that a place is
/// good for this list of this tenant and none that nobody was given.
#[derive(Debug)]
pub(crate) struct Places<'a> {
    list: &'static str,
    tenant: &'a TenantId,
    key: SigningKey,
}

/// What the server signs places as.
const PURPOSE: &str = "page";
/// Bytes of a signature that are kept: a forger would have to guess 2^128.
const SIGNATURE_BYTES: usize = 16;

impl<'a> Places<'a> {
    pub(crate) fn new(list: &'static str, tenant: &'a TenantId, key: SigningKey) -> Self {
        Self { list, tenant, key }
    }

    /// What stands for a place.
    pub(crate) fn token(&self, place: &str) -> String {
        let signature = self.key.sign(PURPOSE, &self.bound(place));
        let kept = signature.iter().copied().take(SIGNATURE_BYTES);
        let bytes: Vec<u8> = kept.chain(place.bytes()).collect();
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The place that a token stands for.
    ///
    /// # Errors
    /// 422 for what was not a `next` of this list.
    pub(crate) fn read(&self, token: &str) -> Result<String, Problem> {
        let read = || {
            let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
            let (given, place) = bytes.split_at_checked(SIGNATURE_BYTES)?;
            let place = std::str::from_utf8(place).ok()?;
            let signature = self.key.sign(PURPOSE, &self.bound(place));
            // Looks at every byte, whatever the first ones are.
            let difference = given
                .iter()
                .zip(signature)
                .fold(0, |sum, (a, b)| sum | (a ^ b));
            (difference == 0).then(|| place.to_owned())
        };
        read().ok_or_else(unknown_place)
    }

    fn bound(&self, place: &str) -> String {
        format!("{}\0{}\0{place}", self.list, self.tenant)
    }
}

/// What is wrong with an `after` that no page has named.
pub(crate) fn unknown_place() -> Problem {
    let rule = "must be the `next` of a page before";
    Problem::invalid(&Invalid::new("after", rule))
}

/// Reads a place in a list of deliveries.
pub(crate) fn read_place(text: &str) -> Result<DeliveryId, Problem> {
    let last = EventId::floor(Timestamp::from_millis(u64::MAX));
    text.parse()
        .ok()
        .filter(|id: &DeliveryId| id.event <= last)
        .ok_or_else(unknown_place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_no_page_could_have_ended_at_is_refused() {
        let event = EventId::generate(Timestamp::from_millis(5), [1; 10]);
        let place = format!("{event}_a");
        assert_eq!(read_place(&place).unwrap().to_string(), place);
        for bad in ["", "x", "ffffffff-ffff-7fff-8fff-ffffffffffff_a"] {
            assert!(read_place(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_token_is_good_where_it_was_given_out_and_nowhere_else() {
        let [acme, other]: [TenantId; 2] = ["acme", "other"].map(|id| id.parse().unwrap());
        let places = |list, tenant, key| Places::new(list, tenant, SigningKey::new([key; 32]));
        let here = places("endpoints", &acme, 1);
        let token = here.token("ep_1");
        assert_eq!(here.read(&token).unwrap(), "ep_1");
        for elsewhere in [
            places("endpoints", &other, 1),
            places("events", &acme, 1),
            places("endpoints", &acme, 2),
        ] {
            assert_eq!(elsewhere.read(&token).unwrap_err().status, 422);
        }
        for place in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_ne!(here.read(&changed).ok().as_deref(), Some("ep_1"));
            assert!(here.read(&token[..place]).is_err());
        }
        for nonsense in ["", "ep_1", "é", "AAAA", &"A".repeat(5000)] {
            assert!(here.read(nonsense).is_err());
        }
    }
}
