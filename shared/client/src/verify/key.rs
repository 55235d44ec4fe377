//! The keys of an endpoint, on the receiver's side.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use ring::signature::{ED25519, UnparsedPublicKey};
use sha2::Sha256;

use super::VerifyError;

/// What a signature is checked with. Never shown by `Debug`.
#[derive(Clone)]
pub(super) enum Key {
    /// `v1`: HMAC-SHA256.
    Shared(Vec<u8>),
    /// `v1a`: ed25519.
    Public([u8; 32]),
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Shared(_) => "Shared(..)",
            Self::Public(_) => "Public(..)",
        })
    }
}

impl Key {
    pub(super) fn read(text: &str) -> Result<Self, VerifyError> {
        let bytes = |encoded| STANDARD.decode(encoded).map_err(|_| VerifyError::Key);
        // The half that signs has no place here, and as plain text nothing would ever match it.
        if text.is_empty() || text.starts_with("whsk_") {
            return Err(VerifyError::Key);
        }
        if let Some(encoded) = text.strip_prefix("whpk_") {
            let bytes = bytes(encoded)?.try_into();
            return bytes.map(Self::Public).map_err(|_| VerifyError::Key);
        }
        let key = text.strip_prefix("whsec_");
        let key = key.map_or_else(|| Ok(text.as_bytes().to_vec()), bytes)?;
        if key.is_empty() {
            return Err(VerifyError::Key);
        }
        Ok(Self::Shared(key))
    }

    /// Whether a signature of this version over `content` is of this key.
    pub(super) fn signed(&self, version: &str, content: &[&[u8]], signature: &[u8]) -> bool {
        match (self, version) {
            (Self::Shared(key), "v1") => hmac_sha256_is(key, content, signature),
            (Self::Public(key), "v1a") => UnparsedPublicKey::new(&ED25519, key)
                .verify(&content.concat(), signature)
                .is_ok(),
            (Self::Shared(_) | Self::Public(_), _) => false,
        }
    }
}

/// Compares in constant time.
pub(super) fn hmac_sha256_is(key: &[u8], content: &[&[u8]], signature: &[u8]) -> bool {
    // HMAC takes a key of any length: the error cannot happen.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return false;
    };
    for part in content {
        mac.update(part);
    }
    mac.verify_slice(signature).is_ok()
}
