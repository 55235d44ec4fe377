//! Keys of KMS and secrets of Secrets Manager.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::names::{self, arn};
use super::resolve::{Resolver, to_text};
use super::{Key, Secret, SecretValue, TemplateError};

pub(super) fn key(resolver: &Resolver<'_>, id: &str) -> Key {
    Key {
        logical_id: id.to_owned(),
        id: key_id(resolver, id),
        arn: key_arn(resolver, id),
        aliases: Vec::new(),
    }
}

/// The alias's name, and what it stands for.
pub(super) fn alias(properties: &Value) -> (String, String) {
    let text = |name: &str| properties.get(name).map(to_text).unwrap_or_default();
    (text("AliasName"), text("TargetKeyId"))
}

pub(super) fn secret(
    resolver: &Resolver<'_>,
    id: &str,
    properties: &Value,
) -> Result<Secret, TemplateError> {
    let given = properties.get("SecretString").map(to_text);
    let value = match (given, properties.get("GenerateSecretString")) {
        (Some(text), _) => SecretValue::Given(text),
        (None, Some(rule)) => SecretValue::Generated(rule.clone()),
        (None, None) => SecretValue::Generated(Value::Null),
    };
    Ok(Secret {
        logical_id: id.to_owned(),
        name: names::physical(resolver, id)?,
        arn: secret_arn(resolver, id)?,
        value,
    })
}

/// A key's id: made up from its logical id, so that it is the same after a restart.
pub(super) fn key_id(resolver: &Resolver<'_>, id: &str) -> String {
    let named = format!("{}/{id}", resolver.setting.stack);
    let digest = format!("{:x}", Sha256::digest(named));
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
    let parts = parts.map(|range| digest.get(range).unwrap_or_default().to_owned());
    parts.join("-")
}

pub(super) fn key_arn(resolver: &Resolver<'_>, id: &str) -> String {
    arn(resolver, "kms", &format!("key/{}", key_id(resolver, id)))
}

/// As Secrets Manager makes it: the name, and six characters.
pub(super) fn secret_arn(resolver: &Resolver<'_>, id: &str) -> Result<String, TemplateError> {
    let name = names::physical(resolver, id)?;
    Ok(arn(
        resolver,
        "secretsmanager",
        &format!("secret:{name}-000000"),
    ))
}
