//! The vault over a KMS and a shelf that tests can break.

use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;

use super::*;

/// Wraps a key by turning its bits over.
#[derive(Default)]
struct FakeKms {
    reader: bool,
    refusal: Mutex<Option<&'static str>>,
    calls: AtomicU32,
}

impl FakeKms {
    fn outcome(&self) -> Result<(), CallError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        match *lock(&self.refusal) {
            None => Ok(()),
            Some("") => Err(CallError::NoAnswer("down".into())),
            Some(code) => Err(CallError::Refused {
                status: 400,
                code: code.to_owned(),
                message: String::new(),
            }),
        }
    }
}

impl KeyService for &FakeKms {
    fn makes_keys(&self) -> bool {
        !self.reader
    }

    async fn make(&self) -> Result<(Plain, Vec<u8>), CallError> {
        self.outcome()?;
        let plain = secret_bytes().unwrap();
        Ok((plain, plain.map(|byte| !byte).to_vec()))
    }

    async fn unwrap(&self, wrapped: &[u8]) -> Result<Plain, CallError> {
        self.outcome()?;
        // As slow as the way to a server: others come by meanwhile.
        tokio::task::yield_now().await;
        Ok(Plain::try_from(wrapped).unwrap().map(|byte| !byte))
    }
}

#[derive(Default)]
struct FakeShelf(Mutex<BTreeMap<String, WrappedKey>>);

impl KeyShelf for &FakeShelf {
    async fn key(&self, id: &str) -> Result<Option<WrappedKey>, ports::Error> {
        Ok(lock(&self.0).get(id).cloned())
    }

    async fn newest(&self) -> Result<Option<WrappedKey>, ports::Error> {
        let keys = lock(&self.0);
        Ok(keys.values().next_back().cloned())
    }

    async fn put(&self, key: &WrappedKey) -> Result<Write<WrappedKey>, ports::Error> {
        let mut keys = lock(&self.0);
        if let Some(other) = keys.get(&key.id) {
            return Ok(Write::Lost(Some(other.clone())));
        }
        keys.insert(key.id.clone(), key.clone());
        Ok(Write::Won)
    }
}

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);
const OWNER: &str = "acme#ep_1";

fn calls(kms: &FakeKms) -> u32 {
    kms.calls.load(Ordering::Relaxed)
}

fn text(outcome: Result<Vec<u8>, ports::Error>) -> String {
    match outcome {
        Ok(plain) => String::from_utf8(plain).unwrap(),
        Err(error) => format!("{error}: {}", error.source),
    }
}

proptest! {
    #[test]
    fn what_is_sealed_opens_whole_and_only_where_it_belongs(
        plain in proptest::collection::vec(any::<u8>(), 0..300),
        owner in "[a-z#_]{0,20}",
        other in "[a-z#_]{0,20}",
        place in any::<prop::sample::Index>(),
        bit in 0..8u8,
    ) {
        let (key, wrong_key) = ([7; 32], [8; 32]);
        let sealed = encrypt(&key, "1", &owner, &plain).unwrap();
        prop_assert_eq!(&decrypt(&key, &owner, &sealed).unwrap(), &plain);
        prop_assert!(decrypt(&wrong_key, &owner, &sealed).is_err());
        prop_assert_eq!(decrypt(&key, &other, &sealed).is_ok(), owner == other);
        let mut flipped = sealed.clone();
        let place = place.index(flipped.bytes.len());
        flipped.bytes[place] ^= 1 << bit;
        prop_assert!(decrypt(&key, &owner, &flipped).is_err());
        let mut cut = sealed.clone();
        cut.bytes.truncate(place);
        prop_assert!(decrypt(&key, &owner, &cut).is_err());
        let renamed = Sealed { key: "2".to_owned(), ..sealed.clone() };
        prop_assert!(decrypt(&key, &owner, &renamed).is_err());
        // The same twice looks different.
        prop_assert_ne!(encrypt(&key, "1", &owner, &plain).unwrap(), sealed);
    }
}

#[tokio::test]
async fn kms_is_asked_once_a_process_and_data_key_however_many_secrets_there_are() {
    let (kms, shelf) = (FakeKms::default(), FakeShelf::default());
    let writer = Vault::new(&kms, &shelf);
    let mut sealed = Vec::new();
    for _ in 0..50 {
        sealed.push(writer.seal(OWNER, b"secret", NOW).await.unwrap());
    }
    assert_eq!(calls(&kms), 1);
    let reader = Vault::new(&kms, &shelf);
    let opened = sealed.iter().map(|sealed| reader.open(OWNER, sealed, NOW));
    for plain in futures::future::join_all(opened).await {
        assert_eq!(text(plain), "secret");
    }
    assert_eq!(calls(&kms), 2);
}

#[tokio::test]
async fn a_new_data_key_is_made_every_month_and_the_old_ones_open_on() {
    let (kms, shelf) = (FakeKms::default(), FakeShelf::default());
    let vault = Vault::new(&kms, &shelf);
    let old = vault.seal(OWNER, b"old", NOW).await.unwrap();
    let month = NOW.after(NEW_KEY_AFTER);
    let new = vault.seal(OWNER, b"new", month).await.unwrap();
    assert!(old.key < new.key);
    assert_eq!(text(vault.open(OWNER, &old, month).await), "old");
    // Another process takes the one that is there.
    let other = Vault::new(&kms, &shelf);
    assert_eq!(other.seal(OWNER, b"x", month).await.unwrap().key, new.key);
    // And one that may make none goes on with what it has opened.
    let reader = FakeKms {
        reader: true,
        ..FakeKms::default()
    };
    let reader = Vault::new(&reader, &shelf);
    assert!(
        text(
            reader
                .seal(OWNER, b"x", month)
                .await
                .map(|sealed| sealed.bytes)
        )
        .contains("no data key")
    );
    reader.open(OWNER, &new, month).await.unwrap();
    let later = month.after(NEW_KEY_AFTER);
    assert_eq!(reader.seal(OWNER, b"x", later).await.unwrap().key, new.key);
}

#[tokio::test]
async fn while_kms_is_down_a_key_serves_on_for_an_hour_and_not_longer() {
    let (kms, shelf) = (FakeKms::default(), FakeShelf::default());
    let vault = Vault::new(&kms, &shelf);
    let sealed = vault.seal(OWNER, b"secret", NOW).await.unwrap();
    *lock(&kms.refusal) = Some("");
    let late = NOW.after(RENEW_AFTER);
    assert_eq!(text(vault.open(OWNER, &sealed, late).await), "secret");
    let asked = calls(&kms);
    assert_eq!(text(vault.open(OWNER, &sealed, late).await), "secret");
    assert_eq!(calls(&kms), asked, "it is not asked for every secret");
    let too_late = NOW.after(LIFETIME);
    let told = text(vault.open(OWNER, &sealed, too_late).await);
    assert!(told.contains("KMS does not give out"), "{told}");
    let again = text(vault.open(OWNER, &sealed, too_late).await);
    assert!(again.contains("a moment ago"), "{again}");
    *lock(&kms.refusal) = None;
    assert_eq!(
        text(vault.open(OWNER, &sealed, too_late.after(PAUSE)).await),
        "secret"
    );
}

#[tokio::test]
async fn a_key_that_is_disabled_serves_no_longer_and_the_error_says_so() {
    let (kms, shelf) = (FakeKms::default(), FakeShelf::default());
    let vault = Vault::new(&kms, &shelf);
    let sealed = vault.seal(OWNER, b"secret", NOW).await.unwrap();
    *lock(&kms.refusal) = Some("DisabledException");
    let told = text(vault.open(OWNER, &sealed, NOW.after(RENEW_AFTER)).await);
    assert!(told.contains("DisabledException"), "{told}");
}

#[test]
fn nothing_of_it_is_ever_printed() {
    let (kms, shelf) = (FakeKms::default(), FakeShelf::default());
    assert_eq!(format!("{:?}", Vault::new(&kms, &shelf)), "Vault { .. }");
}
