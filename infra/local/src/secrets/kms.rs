//! `GenerateDataKey` and `Decrypt`, and the switches that a person has in the console.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde_json::{Value, json};

use super::front::Refused;
use super::state::{StoredKey, random, save};
use super::{SecretsError, Shared};
use crate::template::Key;

/// Characters of a key's id.
const ID_LEN: usize = 36;

/// The key that a call is about, for its role to be held against.
pub(super) fn key_of<'a>(shared: &'a Shared, input: &Value) -> Result<&'a Key, Refused> {
    let named = input.get("KeyId").and_then(Value::as_str);
    let blob = || {
        let blob = blob(input).ok()?;
        let id = blob.get(..ID_LEN)?;
        String::from_utf8(id.to_vec()).ok()
    };
    let id = match named {
        Some(named) => named.to_owned(),
        None => blob().ok_or_else(|| Refused::new("InvalidCiphertextException", ""))?,
    };
    let alias = id
        .rsplit_once(":alias/")
        .map(|(_, name)| format!("alias/{name}"));
    let alias = alias.unwrap_or_else(|| id.clone());
    let is = |key: &&Key| key.id == id || key.arn == id || key.aliases.contains(&alias);
    shared
        .keys
        .iter()
        .find(is)
        .ok_or_else(|| Refused::new("NotFoundException", &format!("Key '{id}' does not exist")))
}

pub(super) fn run(
    shared: &Shared,
    operation: &str,
    key: &Key,
    input: &Value,
) -> Result<Value, Refused> {
    let stored = || {
        let stored = shared.state().keys.get(&key.id).cloned();
        let stored = stored.ok_or_else(|| Refused::new("NotFoundException", &key.arn))?;
        if stored.disabled {
            return Err(Refused::new(
                "DisabledException",
                &format!("{} is disabled.", key.arn),
            ));
        }
        Ok(stored)
    };
    match operation {
        "GenerateDataKey" => {
            let data_key = random::<32>().map_err(internal)?;
            let sealed = seal(&stored()?, &key.id, &context(input), &data_key)?;
            Ok(json!({
                "KeyId": key.arn,
                "Plaintext": STANDARD.encode(data_key),
                "CiphertextBlob": STANDARD.encode(sealed),
            }))
        }
        "Decrypt" => {
            let opened = open(&stored()?, &key.id, &context(input), &blob(input)?)?;
            Ok(json!({
                "KeyId": key.arn,
                "Plaintext": STANDARD.encode(opened),
                "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
            }))
        }
        "DisableKey" | "EnableKey" => {
            let mut state = shared.state();
            if let Some(stored) = state.keys.get_mut(&key.id) {
                stored.disabled = operation == "DisableKey";
            }
            save(&state, shared.file.as_deref()).map_err(internal)?;
            Ok(json!({}))
        }
        _ => Err(Refused::new("UnknownOperationException", operation)),
    }
}

fn blob(input: &Value) -> Result<Vec<u8>, Refused> {
    let text = input.get("CiphertextBlob").and_then(Value::as_str);
    STANDARD
        .decode(text.unwrap_or_default())
        .map_err(|_| Refused::new("ValidationException", "CiphertextBlob is not base64"))
}

/// What has to be the same when decrypting.
fn context(input: &Value) -> Vec<u8> {
    let context = input.get("EncryptionContext").cloned().unwrap_or_default();
    let pairs: BTreeMap<String, Value> = serde_json::from_value(context).unwrap_or_default();
    json!(pairs).to_string().into_bytes()
}

fn cipher(stored: &StoredKey) -> Result<LessSafeKey, Refused> {
    let material = STANDARD.decode(&stored.material).unwrap_or_default();
    let key = UnboundKey::new(&AES_256_GCM, &material);
    key.map(LessSafeKey::new)
        .map_err(|_| Refused::new("KMSInternalException", "the stored key is damaged"))
}

/// The key's id, a nonce, and what is sealed.
fn seal(stored: &StoredKey, id: &str, context: &[u8], data: &[u8]) -> Result<Vec<u8>, Refused> {
    let nonce = random::<NONCE_LEN>().map_err(internal)?;
    let mut sealed = data.to_vec();
    cipher(stored)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(context),
            &mut sealed,
        )
        .map_err(|_| Refused::new("KMSInternalException", ""))?;
    Ok([id.as_bytes(), &nonce, &sealed].concat())
}

fn open(stored: &StoredKey, id: &str, context: &[u8], blob: &[u8]) -> Result<Vec<u8>, Refused> {
    let foreign = || Refused::new("InvalidCiphertextException", "");
    let rest = blob
        .strip_prefix(id.as_bytes())
        .ok_or_else(|| Refused::new("IncorrectKeyException", "the ciphertext is of another key"))?;
    let (nonce, sealed) = rest.split_at_checked(NONCE_LEN).ok_or_else(foreign)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| foreign())?;
    let mut opened = sealed.to_vec();
    let plain = cipher(stored)?
        .open_in_place(nonce, Aad::from(context), &mut opened)
        .map_err(|_| foreign())?;
    Ok(plain.to_vec())
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn internal(error: SecretsError) -> Refused {
    Refused::new("KMSInternalException", &error.to_string())
}
