//! What we hand out and know again: JSON with our signature, as one word.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{SigningKey, TokenFault};

/// Longer texts are none of ours.
const MAX_LENGTH: usize = 1024;

/// `what`, signed for `purpose`.
pub(crate) fn write<T: Serialize>(
    key: &SigningKey,
    purpose: &str,
    prefix: &str,
    what: &T,
) -> String {
    let json = serde_json::to_string(what).unwrap_or_default();
    let body = URL_SAFE_NO_PAD.encode(json);
    let signature = URL_SAFE_NO_PAD.encode(key.sign(purpose, &body));
    format!("{prefix}{body}.{signature}")
}

/// Reads what [`write`] made, for the same purpose.
pub(crate) fn read<T: DeserializeOwned>(
    key: &SigningKey,
    purpose: &str,
    prefix: &str,
    text: &str,
) -> Result<T, TokenFault> {
    let parts = text
        .strip_prefix(prefix)
        .and_then(|rest| rest.split_once('.'));
    let (body, signature) = parts
        .filter(|_| text.len() <= MAX_LENGTH)
        .ok_or(TokenFault::NoToken)?;
    let decode = |part: &str| {
        URL_SAFE_NO_PAD
            .decode(part)
            .map_err(|_| TokenFault::NoToken)
    };
    if !key.verify(purpose, body, &decode(signature)?) {
        return Err(TokenFault::Forged);
    }
    serde_json::from_slice(&decode(body)?).map_err(|_| TokenFault::NoToken)
}
