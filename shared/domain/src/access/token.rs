//! Tokens: for a page that a customer sees. Bound to one tenant, good for reading only, short-lived,
//! and checked without looking anything up.

use std::fmt;
use std::time::Duration;

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::{Scope, Scopes, signed};
use crate::{Invalid, TenantId, Timestamp};

const PREFIX: &str = "ht_";
const PURPOSE: &str = "token";

/// What the server signs with. Never shown by `Debug`.
#[derive(Clone)]
pub struct SigningKey([u8; 32]);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

impl SigningKey {
    /// A key of these bytes, which nobody else must know.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A signature of `text`. What is signed for one purpose is not valid for another.
    pub fn sign(&self, purpose: &str, text: &str) -> [u8; 32] {
        self.mac(purpose, text).finalize().into_bytes().into()
    }

    /// Whether `signature` is that of `text`, in a time that does not depend on where it differs.
    pub fn verify(&self, purpose: &str, text: &str, signature: &[u8]) -> bool {
        self.mac(purpose, text).verify_slice(signature).is_ok()
    }

    fn mac(&self, purpose: &str, text: &str) -> Hmac<Sha256> {
        // 32 bytes are no more than a block of SHA-256: the key is its own beginning.
        let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
        for (to, from) in block.iter_mut().zip(self.0) {
            *to = from;
        }
        let mut mac = Hmac::<Sha256>::new(&block);
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(text.as_bytes());
        mac
    }
}

/// A token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its id, for the audit log.
    pub id: String,
    /// Whose things it shows.
    pub tenant: TenantId,
    /// Who made it, as an actor is shown.
    pub made_by: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Why a text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFault {
    /// It does not look like one.
    NoToken,
    /// We have not signed it.
    Forged,
    /// Its time is over.
    Expired,
}

impl Token {
    /// What every token may do.
    pub fn scopes() -> Scopes {
        Scopes::only(Scope::Read)
    }

    /// How long a token may live: a minute to a day.
    ///
    /// # Errors
    /// Less or more.
    pub fn lifetime(seconds: u64) -> Result<Duration, Invalid> {
        if (60..=24 * 3600).contains(&seconds) {
            Ok(Duration::from_secs(seconds))
        } else {
            Err(Invalid::new(
                "expires_in_seconds",
                "must be between 60 and 86400: a minute to a day",
            ))
        }
    }

    /// Whether a text claims to be a token.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// The token as its holder needs it.
    pub fn sign(&self, key: &SigningKey) -> String {
        signed::write(key, PURPOSE, PREFIX, self)
    }

    /// Reads what a caller sent.
    ///
    /// # Errors
    /// It is no token, not one of ours, or not any more.
    pub fn verify(text: &str, key: &SigningKey, now: Timestamp) -> Result<Self, TokenFault> {
        let token: Self = signed::read(key, PURPOSE, PREFIX, text)?;
        if token.expires_at <= now {
            return Err(TokenFault::Expired);
        }
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token() -> Token {
        Token {
            id: "tok_1".to_owned(),
            tenant: "acme".parse().unwrap(),
            made_by: "key:hk_0123456789ab".to_owned(),
            expires_at: Timestamp::from_millis(1_795_262_400_000),
        }
    }

    proptest! {
        #[test]
        fn a_token_that_was_changed_anywhere_is_refused(bytes: [u8; 32], place: usize, bit in 0..7u8) {
            let key = SigningKey::new(bytes);
            let text = token().sign(&key);
            let mut changed = text.clone().into_bytes();
            let place = place % changed.len();
            changed[place] ^= 1 << bit;
            let changed = String::from_utf8(changed).unwrap();
            prop_assert!(Token::verify(&changed, &key, Timestamp::from_millis(0)).is_err());
        }

        #[test]
        fn a_token_is_good_until_its_time_and_for_its_key_only(bytes: [u8; 32], other: [u8; 32], ms: u64) {
            let key = SigningKey::new(bytes);
            let text = token().sign(&key);
            let now = Timestamp::from_millis(ms);
            let read = Token::verify(&text, &key, now);
            if now < token().expires_at {
                prop_assert_eq!(read, Ok(token()));
            } else {
                prop_assert_eq!(read, Err(TokenFault::Expired));
            }
            if bytes != other {
                let read = Token::verify(&text, &SigningKey::new(other), now);
                prop_assert_eq!(read, Err(TokenFault::Forged));
            }
        }

        #[test]
        fn no_text_breaks_the_reader(text in "(ht_)?\\PC{0,40}[.]?\\PC{0,40}") {
            let key = SigningKey::new([1; 32]);
            prop_assert!(Token::verify(&text, &key, Timestamp::from_millis(0)).is_err());
        }
    }

    #[test]
    fn a_token_lives_a_minute_to_a_day() {
        for (seconds, allowed) in [(59, false), (60, true), (86_400, true), (86_401, false)] {
            assert_eq!(Token::lifetime(seconds).is_ok(), allowed, "{seconds}");
        }
    }

    #[test]
    fn what_is_signed_for_one_purpose_is_not_valid_for_another() {
        let key = SigningKey::new([5; 32]);
        let signature = key.sign("page", "text");
        assert!(key.verify("page", "text", &signature));
        assert!(!key.verify("token", "text", &signature));
        assert!(!key.verify("pag", "e\0text", &signature));
    }
}
