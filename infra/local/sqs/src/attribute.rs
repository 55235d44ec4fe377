//! The sender's own attributes of a message: their shape on the wire, their rules, their digest.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::digest;
use crate::errors::SqsError;

/// An attribute of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct MessageAttribute {
    /// `String`, `Number` or `Binary`, perhaps with a label of the sender's: `Number.int`.
    pub data_type: String,
    /// The value.
    pub value: AttributeValue,
}

/// An attribute's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// Of `String` and `Number`.
    Text(String),
    /// Of `Binary`.
    Binary(Vec<u8>),
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire {
    #[serde(default)]
    data_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    string_value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    binary_value: Option<String>,
}

impl TryFrom<Wire> for MessageAttribute {
    type Error = String;

    fn try_from(wire: Wire) -> Result<Self, String> {
        let value = match (wire.string_value, wire.binary_value) {
            (_, Some(encoded)) => AttributeValue::Binary(
                STANDARD
                    .decode(encoded)
                    .map_err(|error| format!("BinaryValue is not base64: {error}"))?,
            ),
            (text, None) => AttributeValue::Text(text.unwrap_or_default()),
        };
        Ok(Self {
            data_type: wire.data_type,
            value,
        })
    }
}

impl From<MessageAttribute> for Wire {
    fn from(attribute: MessageAttribute) -> Self {
        let (string_value, binary_value) = match attribute.value {
            AttributeValue::Text(text) => (Some(text), None),
            AttributeValue::Binary(bytes) => (None, Some(STANDARD.encode(bytes))),
        };
        Self {
            data_type: attribute.data_type,
            string_value,
            binary_value,
        }
    }
}

impl MessageAttribute {
    /// An attribute with text in it.
    pub fn text(data_type: &str, value: &str) -> Self {
        Self {
            data_type: data_type.to_owned(),
            value: AttributeValue::Text(value.to_owned()),
        }
    }

    fn value_bytes(&self) -> &[u8] {
        match &self.value {
            AttributeValue::Text(text) => text.as_bytes(),
            AttributeValue::Binary(bytes) => bytes,
        }
    }

    fn fits_its_type(&self) -> bool {
        let kind = self.data_type.split('.').next().unwrap_or_default();
        match &self.value {
            AttributeValue::Text(_) => matches!(kind, "String" | "Number"),
            AttributeValue::Binary(_) => kind == "Binary",
        }
    }
}

/// What the attributes count towards a message's size.
pub(crate) fn bytes(attributes: &BTreeMap<String, MessageAttribute>) -> usize {
    attributes
        .iter()
        .map(|(name, attribute)| {
            name.len() + attribute.data_type.len() + attribute.value_bytes().len()
        })
        .sum()
}

/// Holds a message's attributes against SQS's rules.
pub(crate) fn check(attributes: &BTreeMap<String, MessageAttribute>) -> Result<(), SqsError> {
    let refuse = |text: String| Err(SqsError::InvalidParameterValue(text));
    if attributes.len() > 10 {
        return refuse(format!(
            "Number of message attributes [{}] exceeds the allowed maximum [10].",
            attributes.len()
        ));
    }
    for (name, attribute) in attributes {
        if !is_name(name) {
            return refuse(format!("The message attribute name '{name}' is invalid."));
        }
        if attribute.value_bytes().is_empty() {
            return refuse(format!(
                "The message attribute '{name}' must contain a non-empty message attribute value."
            ));
        }
        if !attribute.fits_its_type() {
            return refuse(format!(
                "The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String."
            ));
        }
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    (1..=256).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
        && !lower.starts_with("aws.")
        && !lower.starts_with("amazon.")
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
}

/// The hex MD5 that clients check: over name, type and value, each with its
/// length before it, in the order of the names. `None` without attributes.
pub(crate) fn md5<'a>(
    attributes: impl IntoIterator<Item = (&'a str, &'a MessageAttribute)>,
) -> Option<String> {
    let mut encoded = Vec::new();
    for (name, attribute) in attributes {
        append(&mut encoded, name.as_bytes());
        append(&mut encoded, attribute.data_type.as_bytes());
        encoded.push(match attribute.value {
            AttributeValue::Text(_) => 1,
            AttributeValue::Binary(_) => 2,
        });
        append(&mut encoded, attribute.value_bytes());
    }
    (!encoded.is_empty()).then(|| digest::md5_hex(&encoded))
}

fn append(encoded: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    encoded.extend_from_slice(&length.to_be_bytes());
    encoded.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_must_fit_its_type() {
        let check_one = |name: &str, attribute: MessageAttribute| {
            check(&BTreeMap::from([(name.to_owned(), attribute)]))
        };
        assert!(check_one("a", MessageAttribute::text("Number.int", "3")).is_ok());
        assert!(check_one("a", MessageAttribute::text("Binary", "3")).is_err());
        assert!(check_one("a", MessageAttribute::text("String", "")).is_err());
        assert!(check_one("AWS.a", MessageAttribute::text("String", "b")).is_err());
        assert!(check_one("a b", MessageAttribute::text("String", "b")).is_err());
    }

    #[test]
    fn no_attributes_have_no_digest() {
        assert_eq!(md5([]), None);
        assert!(md5([("a", &MessageAttribute::text("String", "b"))]).is_some());
    }
}
