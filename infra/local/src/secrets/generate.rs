//! `GenerateSecretString`: a random text by a rule.

use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};

use super::SecretsError;
use crate::template::to_text;

const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// The text, within its template if there is one.
pub(super) fn secret_string(rule: &Value) -> Result<String, SecretsError> {
    let password = password(rule)?;
    let field = |name: &str| rule.get(name).map(to_text);
    let (Some(template), Some(key)) = (field("SecretStringTemplate"), field("GenerateStringKey"))
    else {
        return Ok(password);
    };
    let mut document: Value = serde_json::from_str(&template).unwrap_or_default();
    if let Some(fields) = document.as_object_mut() {
        fields.insert(key, json!(password));
    }
    Ok(document.to_string())
}

fn password(rule: &Value) -> Result<String, SecretsError> {
    let field = |name: &str| rule.get(name).map(to_text).unwrap_or_default();
    let without = |name: &str| field(name) == "true";
    let excluded = field("ExcludeCharacters");
    let kept = |characters: &str| -> Vec<char> {
        characters
            .chars()
            .filter(|c| !excluded.contains(*c))
            .collect()
    };
    let space = if without("IncludeSpace") { " " } else { "" };
    let lower = if without("ExcludeLowercase") {
        ""
    } else {
        "abcdefghijklmnopqrstuvwxyz"
    };
    let upper = if without("ExcludeUppercase") {
        ""
    } else {
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    };
    let digits = if without("ExcludeNumbers") {
        ""
    } else {
        "0123456789"
    };
    let punctuation = if without("ExcludePunctuation") {
        ""
    } else {
        PUNCTUATION
    };
    let types: Vec<Vec<char>> = [lower, upper, digits, punctuation, space]
        .into_iter()
        .map(kept)
        .filter(|characters| !characters.is_empty())
        .collect();
    let all: Vec<char> = types.concat();
    let length: usize = field("PasswordLength").parse().unwrap_or(32);
    let each_type = field("RequireEachIncludedType") != "false";
    loop {
        let mut text = String::with_capacity(length);
        while text.chars().count() < length && !all.is_empty() {
            text.push(pick(&all)?);
        }
        let has = |characters: &Vec<char>| characters.iter().any(|c| text.contains(*c));
        if !each_type || length < types.len() || types.iter().all(has) {
            return Ok(text);
        }
    }
}

/// One of them, each as likely as the others.
fn pick(characters: &[char]) -> Result<char, SecretsError> {
    let end = 256 - 256 % characters.len();
    loop {
        let mut byte = [0];
        SystemRandom::new()
            .fill(&mut byte)
            .map_err(|_| SecretsError::Random)?;
        let [byte] = byte.map(usize::from);
        if byte < end
            && let Some(picked) = characters.get(byte % characters.len())
        {
            return Ok(*picked);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_is_kept() {
        let rule = json!({
            "PasswordLength": 48,
            "ExcludePunctuation": true,
            "ExcludeCharacters": "lIO0",
        });
        let text = secret_string(&rule).unwrap();
        assert_eq!(text.len(), 48);
        assert!(
            text.chars()
                .all(|c| c.is_ascii_alphanumeric() && !"lIO0".contains(c)),
            "{text}"
        );
        assert_ne!(text, secret_string(&rule).unwrap());
        assert_eq!(secret_string(&Value::Null).unwrap().len(), 32);
    }

    #[test]
    fn a_template_gets_the_password_under_its_key() {
        let rule = json!({
            "SecretStringTemplate": "{\"user\":\"admin\"}",
            "GenerateStringKey": "password",
        });
        let document: Value = serde_json::from_str(&secret_string(&rule).unwrap()).unwrap();
        assert_eq!(document["user"], "admin");
        assert_eq!(document["password"].as_str().unwrap().len(), 32);
    }
}
