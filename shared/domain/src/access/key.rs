//! API keys: what their holder has, and what is kept of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Networks, Reach, Scopes};
use crate::{Invalid, Timestamp};

const PREFIX: &str = "hk_";
/// Crockford's, in lower case: in the order of the bytes, and no two digits look alike.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Digits of an id: 42 bits of time and 18 of chance.
const ID_DIGITS: usize = 12;
/// Digits of a secret: 200 bits.
const SECRET_DIGITS: usize = 40;
/// Random bytes that a key is made of.
pub const KEY_BYTES: usize = 28;

/// What a key is called: `hk_` and twelve digits. Keys sort by when they were made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

impl KeyId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn all_digits(text: &str, count: usize) -> bool {
    text.len() == count && text.bytes().all(|byte| ALPHABET.contains(&byte))
}

impl FromStr for KeyId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let digits = text.strip_prefix(PREFIX);
        if digits.is_some_and(|digits| all_digits(digits, ID_DIGITS)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new(
                "id",
                "must be a key's id, `hk_` and twelve digits",
            ))
        }
    }
}

impl TryFrom<String> for KeyId {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.0
    }
}

/// A key as its holder has it: `hk_<id>_<secret>`. Never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    id: KeyId,
    text: String,
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({}_..)", self.id)
    }
}

impl ApiKey {
    /// A new key from the clock and bytes that nobody can guess.
    pub fn generate(now: Timestamp, random: [u8; KEY_BYTES]) -> Self {
        let [a, b, c, secret @ ..] = random;
        let chance = u64::from(u32::from_be_bytes([0, a, b, c]) & 0x3_ffff);
        let id = format!(
            "{PREFIX}{}",
            digits(now.as_millis() << 18 | chance, ID_DIGITS)
        );
        let secret: String = secret
            .chunks(5)
            .map(|chunk| {
                let number = chunk
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
                digits(number, 8)
            })
            .collect();
        Self {
            text: format!("{id}_{secret}"),
            id: KeyId(id),
        }
    }

    /// Reads what a caller sent; `None` if it is no key at all.
    pub fn read(text: &str) -> Option<Self> {
        let (id, secret) = text.rsplit_once('_')?;
        all_digits(secret, SECRET_DIGITS).then_some(())?;
        Some(Self {
            id: id.parse().ok()?,
            text: text.to_owned(),
        })
    }

    /// Its id, which is no secret.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// The key as its holder needs it.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// Its last four digits, by which its holder knows it again.
    pub fn last4(&self) -> &str {
        self.text
            .get(self.text.len().saturating_sub(4)..)
            .unwrap_or_default()
    }

    /// What is kept of it.
    pub fn digest(&self) -> KeyDigest {
        KeyDigest::of(&self.text)
    }
}

/// The last `count` digits of a number.
fn digits(number: u64, count: usize) -> String {
    let digit = |place: usize| {
        let value = number.checked_shr(5 * u32::try_from(place).unwrap_or(u32::MAX));
        let index = usize::try_from(value.unwrap_or_default() & 31).unwrap_or_default();
        ALPHABET.get(index).map_or('0', |byte| char::from(*byte))
    };
    (0..count).rev().map(digit).collect()
}

/// The SHA-256 of a key. A key has 200 random bits: no slow hash is needed to keep it from being
/// guessed.
#[derive(Debug, Clone, Copy, Eq)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// Of this key's text.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }
}

impl PartialEq for KeyDigest {
    /// Looks at every byte, whatever the first ones are.
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl std::hash::Hash for KeyDigest {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for KeyDigest {
    type Err = Invalid;

    /// Reads 64 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new("digest", "must be 64 hexadecimal digits");
        if text.len() != 64 || !text.is_ascii() {
            return Err(invalid());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| invalid())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| invalid())?;
        }
        Ok(Self(bytes))
    }
}

/// What is kept of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// Its id.
    pub id: KeyId,
    /// What its maker calls it.
    pub name: String,
    /// For whom it speaks.
    pub reach: Reach,
    /// What it may do.
    pub scopes: Scopes,
    /// Its last four digits.
    pub last4: String,
    /// Where its calls may come from.
    #[serde(default, skip_serializing_if = "Networks::is_empty")]
    pub networks: Networks,
    /// How many calls a second it may make.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<u32>,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom, as an actor is shown.
    pub created_by: String,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When somebody ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

/// Whether a key opens anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It does.
    Active,
    /// Its time is over.
    Expired,
    /// Somebody ended it.
    Revoked,
}

impl KeyRecord {
    /// Whether it opens anything at `now`.
    pub fn standing(&self, now: Timestamp) -> Standing {
        if self.revoked_at.is_some() {
            Standing::Revoked
        } else if self.expires_at.is_some_and(|end| end <= now) {
            Standing::Expired
        } else {
            Standing::Active
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_key_is_read_as_it_was_made(ms in 0..4_000_000_000_000u64, random: [u8; KEY_BYTES]) {
            let key = ApiKey::generate(Timestamp::from_millis(ms), random);
            let read = ApiKey::read(key.reveal()).unwrap();
            prop_assert_eq!(read.digest(), key.digest());
            prop_assert_eq!(read.id(), key.id());
            prop_assert!(key.reveal().ends_with(key.last4()));
            let shown = format!("{key:?}");
            prop_assert!(!shown.contains(key.last4()) || key.id().as_str().contains(key.last4()));
        }

        #[test]
        fn no_two_keys_are_the_same(a: [u8; KEY_BYTES], b: [u8; KEY_BYTES]) {
            let made = |random| ApiKey::generate(Timestamp::from_millis(1), random);
            // Six bits of the first three bytes are not used.
            prop_assert_eq!(a[3..] == b[3..], made(a).reveal()[15..] == made(b).reveal()[15..]);
        }

        #[test]
        fn keys_sort_by_when_they_were_made(
            a in 0..4_000_000_000_000u64, b in 0..4_000_000_000_000u64, random: [u8; KEY_BYTES],
        ) {
            let id = |ms| ApiKey::generate(Timestamp::from_millis(ms), random).id().clone();
            prop_assert_eq!(a.cmp(&b), id(a).cmp(&id(b)));
        }

        #[test]
        fn a_digest_reads_what_it_writes(text in ".{0,40}") {
            let digest = KeyDigest::of(&text);
            prop_assert_eq!(digest.to_string().parse::<KeyDigest>().unwrap(), digest);
            prop_assert_ne!(digest, KeyDigest::of(&format!("{text}x")));
        }

        #[test]
        fn nothing_else_is_read_as_a_key(text in "\\PC{0,60}") {
            prop_assert!(ApiKey::read(&text).is_none());
        }
    }

    #[test]
    fn what_is_nearly_a_key_is_none() {
        let key = ApiKey::generate(Timestamp::from_millis(1_795_262_400_123), [7; KEY_BYTES]);
        let text = key.reveal();
        for near in [
            &text[1..],
            &text[..text.len() - 1],
            &format!("{text}0"),
            &text.to_uppercase(),
            &text.replace('_', "-"),
            &format!(" {text}"),
        ] {
            assert!(ApiKey::read(near).is_none(), "{near}");
        }
        assert!("hk_".parse::<KeyId>().is_err());
        assert!(key.id().as_str().parse::<KeyId>().is_ok());
    }

    #[test]
    fn a_key_ends_when_it_expires_or_is_revoked() {
        let at = Timestamp::from_millis;
        let mut record = KeyRecord {
            id: ApiKey::generate(at(1), [0; KEY_BYTES]).id().clone(),
            name: String::new(),
            reach: Reach::All,
            scopes: Scopes::only(super::super::Scope::Read),
            last4: String::new(),
            networks: Networks::default(),
            requests_per_second: None,
            created_at: at(1),
            created_by: String::new(),
            expires_at: Some(at(1000)),
            revoked_at: None,
        };
        assert_eq!(record.standing(at(999)), Standing::Active);
        assert_eq!(record.standing(at(1000)), Standing::Expired);
        record.revoked_at = Some(at(5));
        assert_eq!(record.standing(at(1000)), Standing::Revoked);
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<KeyRecord>(&text).unwrap(), record);
    }
}
