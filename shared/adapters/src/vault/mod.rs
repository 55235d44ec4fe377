//! Secrets at rest: envelope encryption under a KMS key.
//!
//! What is sealed is encrypted with AES-256-GCM under a data key, which is itself stored encrypted
//! by KMS. Guarantees: what is sealed opens only where it belongs (whom it is bound to is part of
//! what is authenticated), whole or not at all; a data key is in memory for [`LIFETIME`] at most
//! after KMS last gave it out, and never stored, shown or logged in plain; a process asks KMS once
//! in [`RENEW_AFTER`] and data key, not once a secret.

mod kms;
mod shelf;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookpost_domain::Timestamp;
use hookpost_domain::ports::{self, Write};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

pub use kms::Kms;
pub use shelf::Shelf;

use crate::aws_json::CallError;
use crate::world::secret_bytes;

/// How long a data key is used before KMS is asked for it again.
pub const RENEW_AFTER: Duration = Duration::from_secs(30 * 60);
/// How long it is used at most, while KMS does not answer.
pub const LIFETIME: Duration = Duration::from_secs(60 * 60);
/// How long new secrets are sealed with the same data key.
pub const NEW_KEY_AFTER: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long KMS is left alone after it has failed.
const PAUSE: Duration = Duration::from_secs(5);
/// The same, while the key is still known.
const RENEWAL_PAUSE: Duration = Duration::from_secs(60);

/// The first byte of what is sealed.
const FORMAT: u8 = 1;

/// A key's 32 bytes.
pub type Plain = [u8; 32];

/// Makes and opens keys: KMS.
pub trait KeyService: Send + Sync {
    /// Whether this process may make keys.
    fn makes_keys(&self) -> bool;

    /// A new key, plain and wrapped.
    fn make(&self) -> impl Future<Output = Result<(Plain, Vec<u8>), CallError>> + Send;

    /// A wrapped key's plain bytes.
    fn unwrap(&self, wrapped: &[u8]) -> impl Future<Output = Result<Plain, CallError>> + Send;
}

/// A key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// Its id: what is made later comes later in the order of text.
    pub id: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// What KMS opens.
    pub wrapped: Vec<u8>,
}

/// Where wrapped keys are kept.
pub trait KeyShelf: Send + Sync {
    /// A key by its id.
    fn key(
        &self,
        id: &str,
    ) -> impl Future<Output = Result<Option<WrappedKey>, ports::Error>> + Send;

    /// The data key that was made last.
    fn newest(&self) -> impl Future<Output = Result<Option<WrappedKey>, ports::Error>> + Send;

    /// Stores a key unless there is one of its id.
    fn put(
        &self,
        key: &WrappedKey,
    ) -> impl Future<Output = Result<Write<WrappedKey>, ports::Error>> + Send;
}

/// What is kept in place of secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The data key's id.
    pub key: String,
    /// A format byte, a nonce, and what is encrypted.
    pub bytes: Vec<u8>,
}

/// Why a secret is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// KMS did not give the key out.
    #[error("KMS does not give out the data key {id}")]
    Kms {
        /// Which one.
        id: String,
        /// Why.
        #[source]
        source: CallError,
    },
    /// KMS did not a moment ago, for this reason.
    #[error("KMS did not give out the data key a moment ago: {0}")]
    Earlier(Arc<str>),
    /// The data key is not stored.
    #[error("the data key {0} is not stored")]
    NoSuchKey(String),
    /// There is no key, and this process is not to make one.
    #[error("there is no data key, and this function makes none: SECRETS_KEY_ARN is not set")]
    NoKey,
    /// Changed, or of something else.
    #[error("what is sealed was changed, or belongs elsewhere")]
    Foreign,
    /// There are no random numbers.
    #[error(transparent)]
    Random(#[from] std::io::Error),
}

impl From<VaultError> for ports::Error {
    fn from(error: VaultError) -> Self {
        let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| {
            error.source()
        });
        let told: Vec<String> = causes.map(ToString::to_string).collect();
        Self {
            call: "opening or sealing secrets",
            source: told.join(": ").into(),
        }
    }
}

/// What this process knows of a key.
enum Known {
    Open {
        plain: Plain,
        opened_at: Timestamp,
        renew_at: Timestamp,
    },
    Failed {
        why: Arc<str>,
        again_at: Timestamp,
    },
}

/// Seals and opens, with keys of `K` that are kept on `S`.
pub struct Vault<K, S> {
    service: K,
    shelf: S,
    known: Mutex<HashMap<String, Known>>,
    /// When each data key that this process has met was made, by id.
    made: Mutex<BTreeMap<String, Timestamp>>,
    /// Held while a key is asked for, so that many at once ask once.
    asking: tokio::sync::Mutex<()>,
}

impl<K, S> std::fmt::Debug for Vault<K, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}

impl<K: KeyService, S: KeyShelf> Vault<K, S> {
    /// A vault that knows no key yet.
    pub fn new(service: K, shelf: S) -> Self {
        Self {
            service,
            shelf,
            known: Mutex::default(),
            made: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// Seals `plain` for `owner`.
    ///
    /// # Errors
    /// There is no data key to be had.
    pub async fn seal(
        &self,
        owner: &str,
        plain: &[u8],
        now: Timestamp,
    ) -> Result<Sealed, ports::Error> {
        let id = self.current(now).await?;
        let key = self.key(&id, now).await?;
        Ok(encrypt(&key, &id, owner, plain)?)
    }

    /// Opens what was sealed for `owner`.
    ///
    /// # Errors
    /// The data key is not to be had, or it was sealed for somebody else, or changed.
    pub async fn open(
        &self,
        owner: &str,
        sealed: &Sealed,
        now: Timestamp,
    ) -> Result<Vec<u8>, ports::Error> {
        let key = self.key(&sealed.key, now).await?;
        Ok(decrypt(&key, owner, sealed)?)
    }

    /// The id of the data key that new secrets are sealed with.
    async fn current(&self, now: Timestamp) -> Result<String, ports::Error> {
        let young = |made_at: Timestamp| now.since(made_at) < NEW_KEY_AFTER;
        let known = lock(&self.made)
            .iter()
            .next_back()
            .map(|(id, made_at)| (id.clone(), *made_at));
        if let Some((id, made_at)) = &known
            && (young(*made_at) || !self.service.makes_keys())
        {
            return Ok(id.clone());
        }
        if !self.service.makes_keys() {
            return Err(VaultError::NoKey.into());
        }
        if let Some(stored) = self.shelf.newest().await?
            && young(stored.made_at)
        {
            return Ok(stored.id);
        }
        let id = format!("{:015}-{:08x}", now.as_millis(), fastrand::u32(..));
        self.make(id.clone(), now).await?;
        Ok(id)
    }

    /// Makes a key, unless there is one of this id.
    async fn make(&self, id: String, now: Timestamp) -> Result<(), ports::Error> {
        let made = self.service.make().await;
        let (plain, wrapped) = made.map_err(|source| VaultError::Kms {
            id: id.clone(),
            source,
        })?;
        let key = WrappedKey {
            id,
            made_at: now,
            wrapped,
        };
        if self.shelf.put(&key).await? == Write::Won {
            self.remember(&key, plain, now);
        }
        Ok(())
    }

    async fn key(&self, id: &str, now: Timestamp) -> Result<Plain, ports::Error> {
        let found = self.find(id, now).await?;
        found.ok_or_else(|| VaultError::NoSuchKey(id.to_owned()).into())
    }

    /// A key from memory, or else from KMS; `None` if it is not stored.
    async fn find(&self, id: &str, now: Timestamp) -> Result<Option<Plain>, ports::Error> {
        match self.look(id, now)? {
            Look::Use(plain) => return Ok(Some(plain)),
            Look::Renew => return self.ask(id, now).await,
            Look::Ask => {}
        }
        let _asking = self.asking.lock().await;
        match self.look(id, now)? {
            Look::Use(plain) => Ok(Some(plain)),
            Look::Renew | Look::Ask => self.ask(id, now).await,
        }
    }

    fn look(&self, id: &str, now: Timestamp) -> Result<Look, VaultError> {
        Ok(match lock(&self.known).get_mut(id) {
            Some(Known::Open {
                plain,
                opened_at,
                renew_at,
            }) => {
                if now < *renew_at {
                    Look::Use(*plain)
                } else if now < opened_at.after(LIFETIME) {
                    // The others go on with what they have meanwhile.
                    *renew_at = now.after(RENEWAL_PAUSE);
                    Look::Renew
                } else {
                    Look::Ask
                }
            }
            Some(Known::Failed { why, again_at }) if now < *again_at => {
                return Err(VaultError::Earlier(Arc::clone(why)));
            }
            Some(Known::Failed { .. }) | None => Look::Ask,
        })
    }

    async fn ask(&self, id: &str, now: Timestamp) -> Result<Option<Plain>, ports::Error> {
        let Some(stored) = self.shelf.key(id).await? else {
            return Ok(None);
        };
        let opened = self.service.unwrap(&stored.wrapped).await;
        match opened {
            Ok(plain) => {
                self.remember(&stored, plain, now);
                Ok(Some(plain))
            }
            Err(source) => self.do_without(id, source, now).map(Some),
        }
    }

    fn remember(&self, key: &WrappedKey, plain: Plain, now: Timestamp) {
        lock(&self.made).insert(key.id.clone(), key.made_at);
        let open = Known::Open {
            plain,
            opened_at: now,
            renew_at: now.after(RENEW_AFTER),
        };
        lock(&self.known).insert(key.id.clone(), open);
    }

    /// KMS has not given the key out: the one in memory serves on if it is not too old, and if KMS
    /// has not refused it.
    fn do_without(
        &self,
        id: &str,
        error: CallError,
        now: Timestamp,
    ) -> Result<Plain, ports::Error> {
        let mut known = lock(&self.known);
        if let Some(Known::Open {
            plain, opened_at, ..
        }) = known.get(id)
            && error.is_transient()
            && now < opened_at.after(LIFETIME)
        {
            tracing::warn!(key = id, error = %error, "KMS does not answer; the data key serves on");
            return Ok(*plain);
        }
        let failed = Known::Failed {
            why: error.to_string().into(),
            again_at: now.after(PAUSE),
        };
        known.insert(id.to_owned(), failed);
        let id = id.to_owned();
        Err(VaultError::Kms { id, source: error }.into())
    }
}

/// What is to be done for a key.
enum Look {
    Use(Plain),
    Renew,
    Ask,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is authenticated besides: the key, and whom it belongs to.
fn belonging(key: &str, owner: &str) -> Aad<Vec<u8>> {
    Aad::from([&[FORMAT], key.as_bytes(), b"\0", owner.as_bytes()].concat())
}

fn cipher(plain: &Plain) -> Result<LessSafeKey, VaultError> {
    let key = UnboundKey::new(&AES_256_GCM, plain).map_err(|_| VaultError::Foreign)?;
    Ok(LessSafeKey::new(key))
}

/// With 2^32 seals a key, the odds that two have the same random nonce are one in 2^32.
fn encrypt(key: &Plain, id: &str, owner: &str, plain: &[u8]) -> Result<Sealed, VaultError> {
    let nonce = secret_bytes::<NONCE_LEN>()?;
    let mut text = plain.to_vec();
    cipher(key)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            belonging(id, owner),
            &mut text,
        )
        .map_err(|_| VaultError::Foreign)?;
    Ok(Sealed {
        key: id.to_owned(),
        bytes: [&[FORMAT][..], &nonce, &text].concat(),
    })
}

fn decrypt(key: &Plain, owner: &str, sealed: &Sealed) -> Result<Vec<u8>, VaultError> {
    let (nonce, text) = sealed
        .bytes
        .strip_prefix(&[FORMAT])
        .and_then(|rest| rest.split_first_chunk::<NONCE_LEN>())
        .ok_or(VaultError::Foreign)?;
    let mut text = text.to_vec();
    let opened = cipher(key)?
        .open_in_place(
            Nonce::assume_unique_for_key(*nonce),
            belonging(&sealed.key, owner),
            &mut text,
        )
        .map_err(|_| VaultError::Foreign)?;
    Ok(opened.to_vec())
}

#[cfg(test)]
mod tests;
