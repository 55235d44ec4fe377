//! Signing: Standard Webhooks 1.0.0 (<https://www.standardwebhooks.com>) and the plain
//! `sha256=<hex>` form beside it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::{Invalid, Timestamp};

/// The prefix of a Standard Webhooks secret.
pub const SECRET_PREFIX: &str = "whsec_";
/// Bytes of a generated secret, before base64.
pub const SECRET_BYTES: usize = 32;

/// The prefix of a secret ed25519 key.
pub const PRIVATE_PREFIX: &str = "whsk_";
/// The prefix of the public key to it.
pub const PUBLIC_PREFIX: &str = "whpk_";

/// How requests are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Signing {
    /// `v1`: HMAC-SHA256, with a secret that both sides know.
    #[default]
    Hmac,
    /// `v1a`: ed25519, checked with a public key.
    Ed25519,
}

/// What a webhook is signed with. Never shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    /// A new secret from random bytes.
    pub fn generate(random: [u8; SECRET_BYTES]) -> Self {
        Self(format!("{SECRET_PREFIX}{}", STANDARD.encode(random)))
    }

    /// A generated secret as one that signs this way: an ed25519 key has its bytes as seed, and is
    /// written as seed and public key, as libsodium does.
    #[must_use]
    pub fn made_for(self, signing: Signing) -> Self {
        if signing == self.signing() {
            return self;
        }
        let seed = self.standard_key();
        match (signing, Ed25519KeyPair::from_seed_unchecked(&seed)) {
            (Signing::Ed25519, Ok(pair)) => {
                let both = [&seed, pair.public_key().as_ref()].concat();
                Self(format!("{PRIVATE_PREFIX}{}", STANDARD.encode(both)))
            }
            (Signing::Hmac | Signing::Ed25519, _) => self,
        }
    }

    /// How it signs.
    pub fn signing(&self) -> Signing {
        if self.0.starts_with(PRIVATE_PREFIX) {
            Signing::Ed25519
        } else {
            Signing::Hmac
        }
    }

    /// Whether it signs as was asked for.
    ///
    /// # Errors
    /// It does not.
    pub fn signs_as(&self, asked: Option<Signing>) -> Result<(), Invalid> {
        if asked.is_some_and(|asked| asked != self.signing()) {
            return Err(Invalid::new(
                "signing",
                "must fit the secret: `ed25519` has one that begins with `whsk_`, `hmac` any other",
            ));
        }
        Ok(())
    }

    /// The public key to check its signatures with, if that is how it signs.
    pub fn public_key(&self) -> Option<String> {
        let pair = self.key_pair()?;
        let encoded = STANDARD.encode(pair.public_key());
        Some(format!("{PUBLIC_PREFIX}{encoded}"))
    }

    fn key_pair(&self) -> Option<Ed25519KeyPair> {
        let encoded = self.0.strip_prefix(PRIVATE_PREFIX)?;
        let key = STANDARD.decode(encoded).ok()?;
        match key.split_at_checked(32)? {
            (seed, []) => Ed25519KeyPair::from_seed_unchecked(seed),
            (seed, public) => Ed25519KeyPair::from_seed_and_public_key(seed, public),
        }
        .ok()
    }

    /// A secret that a caller brings along: `whsec_` with base64 of 24 to 64 bytes, `whsk_` with
    /// base64 of an ed25519 seed (32 bytes) or of seed and public key (64), or any other 8 to 256
    /// printable characters.
    ///
    /// # Errors
    /// Says what a secret must look like.
    pub fn given(text: &str) -> Result<Self, Invalid> {
        if text.starts_with(PRIVATE_PREFIX) {
            let secret = Self(text.to_owned());
            if secret.key_pair().is_some() {
                return Ok(secret);
            }
            return Err(Invalid::new(
                "secret",
                "must be `whsk_` and base64 of an ed25519 seed of 32 bytes, alone or with its public key",
            ));
        }
        let holds = match text.strip_prefix(SECRET_PREFIX) {
            Some(encoded) => STANDARD
                .decode(encoded)
                .is_ok_and(|key| (24..=64).contains(&key.len())),
            None => {
                (8..=256).contains(&text.len()) && text.bytes().all(|b| (0x20..0x7f).contains(&b))
            }
        };
        if !holds {
            return Err(Invalid::new(
                "secret",
                "must be `whsec_` and base64 of 24 to 64 bytes, `whsk_` and base64 of an ed25519 key, or 8 to 256 printable ASCII characters",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// In place of a secret that is kept elsewhere.
    pub(crate) fn withheld() -> Self {
        Self(String::new())
    }

    /// Whether the secret itself is kept elsewhere.
    pub fn is_withheld(&self) -> bool {
        self.0.is_empty()
    }

    /// The secret as the receiver knows it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    fn standard_key(&self) -> Vec<u8> {
        let decoded = self
            .0
            .strip_prefix(SECRET_PREFIX)
            .map(|encoded| STANDARD.decode(encoded));
        match decoded {
            Some(Ok(key)) => key,
            Some(Err(_)) | None => self.0.as_bytes().to_vec(),
        }
    }
}

fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes a key of any length: the error cannot happen, and an empty key would only fail
    // verification.
    let mut mac = Hmac::<Sha256>::new_from_slice(key)
        .unwrap_or_else(|_| Hmac::<Sha256>::new(&hmac::digest::Key::<Hmac<Sha256>>::default()));
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The value of `webhook-signature`: one `v1,<base64>` or `v1a,<base64>` a secret, newest first,
/// over `{id}.{unix seconds}.{body}`.
pub fn standard(secrets: &[Secret], id: &str, at: Timestamp, body: &[u8]) -> String {
    let seconds = at.as_secs().to_string();
    let mut header = String::new();
    for secret in secrets {
        if !header.is_empty() {
            header.push(' ');
        }
        let parts: [&[u8]; 5] = [id.as_bytes(), b".", seconds.as_bytes(), b".", body];
        if let Some(pair) = secret.key_pair() {
            header.push_str("v1a,");
            STANDARD.encode_string(pair.sign(&parts.concat()), &mut header);
        } else {
            header.push_str("v1,");
            STANDARD.encode_string(hmac_sha256(&secret.standard_key(), &parts), &mut header);
        }
    }
    header
}

/// The value of `X-Webhook-Signature`: `sha256=<hex>` over the body, keyed with the whole secret's
/// UTF-8.
pub fn plain(secret: &Secret, body: &[u8]) -> String {
    let mut header = String::from("sha256=");
    for byte in hmac_sha256(secret.0.as_bytes(), &[body]) {
        for nibble in [byte >> 4, byte & 15] {
            header.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vector_is_met() {
        let secret = Secret::given("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let at = Timestamp::from_millis(1_614_265_330_000);
        let header = standard(
            &[secret],
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            at,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(header, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn the_stock_library_accepts_old_and_new_secret_while_rotating() {
        let (new, old) = (Secret::generate([1; 32]), Secret::generate([2; 32]));
        let ours = standard(
            &[new.clone(), old.clone()],
            "evt",
            Timestamp::from_millis(5000),
            b"{}",
        );
        for secret in [new, old] {
            let stock = standardwebhooks::Webhook::new(secret.reveal()).unwrap();
            let theirs = stock.sign("evt", 5, b"{}").unwrap();
            assert!(
                ours.split(' ').any(|one| one == theirs),
                "{ours} lacks {theirs}"
            );
        }
    }

    /// RFC 8032, 7.1, test 1.
    const SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
    const PUBLIC: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    #[test]
    fn a_public_key_is_the_one_that_the_standard_says() {
        let short = Secret::given(&format!("whsk_{SEED}")).unwrap();
        assert_eq!(short.public_key().unwrap(), format!("whpk_{PUBLIC}"));
        let [seed, public] = [SEED, PUBLIC].map(|text| STANDARD.decode(text).unwrap());
        let both = STANDARD.encode([seed, public].concat());
        let long = Secret::given(&format!("whsk_{both}")).unwrap();
        assert_eq!(long.public_key(), short.public_key());
        let at = Timestamp::from_millis(5000);
        let sign = |secret: &Secret| standard(std::slice::from_ref(secret), "evt", at, b"{}");
        assert_eq!(sign(&long), sign(&short));
        let hmac = Secret::given("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!((hmac.signing(), hmac.public_key()), (Signing::Hmac, None));
    }

    #[test]
    fn an_ed25519_signature_is_checked_with_the_public_key_alone() {
        use ring::signature::{ED25519, UnparsedPublicKey};

        let secret = Secret::generate([3; 32]).made_for(Signing::Ed25519);
        assert_eq!(Secret::given(secret.reveal()).unwrap(), secret);
        let at = Timestamp::from_millis(1_614_265_330_000);
        let header = standard(std::slice::from_ref(&secret), "evt", at, b"{\"a\":1}");
        let signature = STANDARD
            .decode(header.strip_prefix("v1a,").unwrap())
            .unwrap();
        let public = secret.public_key().unwrap();
        let public = STANDARD
            .decode(public.strip_prefix("whpk_").unwrap())
            .unwrap();
        let checks = |body: &str| {
            let content = format!("evt.1614265330.{body}");
            UnparsedPublicKey::new(&ED25519, &public)
                .verify(content.as_bytes(), &signature)
                .is_ok()
        };
        assert!(checks("{\"a\":1}") && !checks("{\"a\":2}"));
    }

    #[test]
    fn a_broken_key_pair_is_refused() {
        let [seed, other] = [SEED, PUBLIC].map(|text| STANDARD.decode(text).unwrap());
        let swapped = STANDARD.encode([other, seed].concat());
        for bad in ["whsk_", "whsk_!", "whsk_AAAA", &format!("whsk_{swapped}")] {
            assert!(Secret::given(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_plain_form_is_keyed_with_the_whole_secret() {
        // printf '{}' | openssl dgst -sha256 -hmac your-secret-key
        let secret = Secret::given("your-secret-key").unwrap();
        assert_eq!(
            plain(&secret, b"{}"),
            "sha256=86695d3e3d226e30a3ed77233bd69f655406747f93b251d287cd7e2094e9e32e"
        );
    }

    #[test]
    fn a_secret_is_never_printed() {
        assert_eq!(format!("{:?}", Secret::generate([1; 32])), "Secret(..)");
    }

    #[test]
    fn weak_or_broken_secrets_are_refused() {
        for bad in [
            "",
            "short",
            "whsec_",
            "whsec_!!!",
            "whsec_AAAA",
            "tab\tin it!",
        ] {
            assert!(Secret::given(bad).is_err(), "{bad:?}");
        }
        assert!(Secret::given("your-secret-key").is_ok());
        assert!(Secret::given("test-secret").is_ok());
    }
}
