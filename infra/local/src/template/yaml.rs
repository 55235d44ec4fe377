//! Reads `CloudFormation` YAML into plain JSON: the short forms of the intrinsic
//! functions (`!Ref`, `!Sub`, ...) become their long forms, so that the rest of
//! the reader knows one spelling only.

use serde_json::{Map, Value, json};
use serde_yaml_ng::Value as Yaml;

use super::TemplateError;

/// Parses a template's text.
pub(super) fn parse(text: &str) -> Result<Value, TemplateError> {
    let yaml: Yaml = serde_yaml_ng::from_str(text).map_err(TemplateError::Syntax)?;
    to_json(&yaml)
}

fn to_json(yaml: &Yaml) -> Result<Value, TemplateError> {
    match yaml {
        Yaml::Null => Ok(Value::Null),
        Yaml::Bool(flag) => Ok(Value::Bool(*flag)),
        Yaml::Number(number) => Ok(number_to_json(number)),
        Yaml::String(text) => Ok(Value::String(text.clone())),
        Yaml::Sequence(items) => items
            .iter()
            .map(to_json)
            .collect::<Result<_, _>>()
            .map(Value::Array),
        Yaml::Mapping(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                map.insert(key_to_string(key)?, to_json(value)?);
            }
            Ok(Value::Object(map))
        }
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let value = to_json(&tagged.value)?;
            long_form(tag.trim_start_matches('!'), value)
        }
    }
}

fn number_to_json(number: &serde_yaml_ng::Number) -> Value {
    if let Some(whole) = number.as_i64() {
        json!(whole)
    } else if let Some(whole) = number.as_u64() {
        json!(whole)
    } else {
        json!(number.as_f64())
    }
}

fn key_to_string(key: &Yaml) -> Result<String, TemplateError> {
    if let Some(text) = key.as_str() {
        return Ok(text.to_owned());
    }
    if let Some(number) = key.as_i64() {
        return Ok(number.to_string());
    }
    if let Some(flag) = key.as_bool() {
        return Ok(flag.to_string());
    }
    Err(TemplateError::Malformed(format!(
        "a map key that is not text: {key:?}"
    )))
}

fn long_form(tag: &str, value: Value) -> Result<Value, TemplateError> {
    match tag {
        "Ref" => Ok(json!({ "Ref": value })),
        "Condition" => Ok(json!({ "Condition": value })),
        "GetAtt" => Ok(json!({ "Fn::GetAtt": attribute_path(value)? })),
        "Sub" | "If" | "Equals" | "Not" | "Or" | "And" | "Join" | "FindInMap" | "Select"
        | "Split" | "Base64" | "ImportValue" | "GetAZs" | "Cidr" | "Transform" => {
            let mut map = Map::new();
            map.insert(format!("Fn::{tag}"), value);
            Ok(Value::Object(map))
        }
        _ => Err(TemplateError::Malformed(format!(
            "the tag !{tag} is unknown"
        ))),
    }
}

/// `!GetAtt Queue.Arn` names in one text what the long form has as a list.
fn attribute_path(value: Value) -> Result<Value, TemplateError> {
    let Some(text) = value.as_str() else {
        return Ok(value);
    };
    let (resource, attribute) = text
        .split_once('.')
        .ok_or_else(|| TemplateError::Malformed(format!("!GetAtt {text} names no attribute")))?;
    Ok(json!([resource, attribute]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_become_long_forms() {
        let parsed = parse(
            "A: !Ref Name\nB: !GetAtt Queue.Arn\nC: !Sub '${A}-x'\nD: !If [Cond, 1, !Ref AWS::NoValue]\n",
        )
        .unwrap();
        assert_eq!(
            parsed,
            json!({
                "A": {"Ref": "Name"},
                "B": {"Fn::GetAtt": ["Queue", "Arn"]},
                "C": {"Fn::Sub": "${A}-x"},
                "D": {"Fn::If": ["Cond", 1, {"Ref": "AWS::NoValue"}]},
            })
        );
    }

    #[test]
    fn an_unknown_tag_is_named() {
        let error = parse("A: !Reff B").unwrap_err();
        assert!(error.to_string().contains("!Reff"), "{error}");
    }
}
