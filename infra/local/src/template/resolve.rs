//! Evaluates parameters, conditions and intrinsic functions, so that what is
//! left of the template is plain values.
//!
//! A resource's `Ref` and attributes are what AWS would answer, with the local
//! account, region and ports in them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::TemplateError;
use super::names;

/// What the template is brought up with.
#[derive(Debug, Clone)]
pub struct Setting {
    /// `AWS::Region`.
    pub region: String,
    /// `AWS::AccountId`.
    pub account: String,
    /// `AWS::StackName`.
    pub stack: String,
    /// Where queue URLs point: `http://127.0.0.1:9324`.
    pub sqs_endpoint: String,
    /// Where the API is served: `http://127.0.0.1:8000`.
    pub api_endpoint: String,
    /// Where WebSocket APIs are served: `ws://127.0.0.1:8003`.
    pub socket_endpoint: String,
    /// Template parameters that take another value than their default.
    pub parameters: BTreeMap<String, String>,
    /// Other defaults than the template's, where it has the parameter.
    pub local_defaults: BTreeMap<String, String>,
}

/// A parsed template with its parameters and conditions evaluated.
#[derive(Debug)]
pub(super) struct Resolver<'a> {
    document: &'a Value,
    pub(super) setting: &'a Setting,
    parameters: BTreeMap<String, Value>,
}

impl<'a> Resolver<'a> {
    /// Takes each parameter's value: the setting's, else its default.
    pub(super) fn new(document: &'a Value, setting: &'a Setting) -> Result<Self, TemplateError> {
        let mut parameters = BTreeMap::new();
        for (name, declared) in section(document, "Parameters") {
            parameters.insert(name.clone(), parameter_value(name, declared, setting)?);
        }
        if let Some(unknown) = setting
            .parameters
            .keys()
            .find(|name| !parameters.contains_key(*name))
        {
            return Err(TemplateError::Parameter(format!(
                "{unknown}: the template has no such parameter; it has {}",
                parameters.keys().cloned().collect::<Vec<_>>().join(", ")
            )));
        }
        Ok(Self {
            document,
            setting,
            parameters,
        })
    }

    /// The template's resources by logical id, less those whose condition is false.
    pub(super) fn resources(&self) -> Result<Vec<(&'a str, &'a Value)>, TemplateError> {
        let mut kept = Vec::new();
        for (id, resource) in section(self.document, "Resources") {
            let wanted = match resource.get("Condition").and_then(Value::as_str) {
                Some(condition) => self.condition(condition)?,
                None => true,
            };
            if wanted {
                kept.push((id.as_str(), resource));
            }
        }
        Ok(kept)
    }

    /// A top-level section's entry, such as `Globals.Function`, resolved.
    pub(super) fn global(&self, kind: &str) -> Result<Value, TemplateError> {
        match self.document.get("Globals").and_then(|g| g.get(kind)) {
            Some(value) => self.resolve(value),
            None => Ok(Value::Null),
        }
    }

    /// The raw declaration of a resource.
    pub(super) fn resource(&self, id: &str) -> Option<&'a Value> {
        self.document.get("Resources")?.get(id)
    }

    /// `value` with every intrinsic function in it evaluated.
    pub(super) fn resolve(&self, value: &Value) -> Result<Value, TemplateError> {
        Ok(self.optional(value)?.unwrap_or(Value::Null))
    }

    /// As [`Self::resolve`], and `None` for `AWS::NoValue`.
    fn optional(&self, value: &Value) -> Result<Option<Value>, TemplateError> {
        if let Some(items) = value.as_array() {
            let mut resolved = Vec::with_capacity(items.len());
            for item in items {
                resolved.extend(self.optional(item)?);
            }
            return Ok(Some(Value::Array(resolved)));
        }
        let Some(map) = value.as_object() else {
            return Ok(Some(value.clone()));
        };
        if let (1, Some((key, argument))) = (map.len(), map.iter().next())
            && (key == "Ref" || key.starts_with("Fn::"))
        {
            return self.intrinsic(key, argument);
        }
        let mut resolved = Map::new();
        for (key, inner) in map {
            if let Some(inner) = self.optional(inner)? {
                resolved.insert(key.clone(), inner);
            }
        }
        Ok(Some(Value::Object(resolved)))
    }

    fn intrinsic(&self, name: &str, argument: &Value) -> Result<Option<Value>, TemplateError> {
        let text = |value: String| Ok(Some(Value::String(value)));
        match name {
            "Ref" => {
                let target = str_of(argument, "Ref")?;
                if target == "AWS::NoValue" {
                    return Ok(None);
                }
                self.reference(target).map(Some)
            }
            "Fn::GetAtt" => {
                let (resource, attribute) = attribute(argument)?;
                text(names::attribute(self, &resource, &attribute)?)
            }
            "Fn::Sub" => text(self.substitute(argument)?),
            "Fn::If" => {
                let [condition, yes, no] = parts(argument, name)?;
                let branch = if self.condition(str_of(condition, name)?)? {
                    yes
                } else {
                    no
                };
                self.optional(branch)
            }
            "Fn::Join" => {
                let [separator, items] = parts(argument, name)?;
                let items = self.resolve(items)?;
                let items: Vec<String> = list_of(&items, name)?.iter().map(to_text).collect();
                text(items.join(str_of(separator, name)?))
            }
            "Fn::Split" => {
                let [separator, source] = parts(argument, name)?;
                let source = to_text(&self.resolve(source)?);
                let pieces = source
                    .split(str_of(separator, name)?)
                    .map(|piece| Value::String(piece.to_owned()))
                    .collect();
                Ok(Some(Value::Array(pieces)))
            }
            "Fn::Select" => {
                let [index, items] = parts(argument, name)?;
                let index: usize = to_text(&self.resolve(index)?)
                    .parse()
                    .map_err(|_| malformed("Fn::Select", "an index"))?;
                let items = self.resolve(items)?;
                let chosen = list_of(&items, name)?.get(index).cloned();
                chosen
                    .ok_or_else(|| malformed("Fn::Select", "an index within the list"))
                    .map(Some)
            }
            "Fn::FindInMap" => {
                let [map, first, second] = parts(argument, name)?;
                let mut found = self.document.get("Mappings");
                for key in [map, first, second] {
                    let key = to_text(&self.resolve(key)?);
                    found = found.and_then(|level| level.get(&key));
                }
                found
                    .cloned()
                    .ok_or_else(|| malformed("Fn::FindInMap", "keys that the mappings have"))
                    .map(Some)
            }
            "Fn::Equals" | "Fn::Not" | "Fn::And" | "Fn::Or" => {
                let whole = serde_json::json!({ name: argument });
                Ok(Some(Value::Bool(self.truth(&whole)?)))
            }
            _ => Err(TemplateError::Malformed(format!(
                "{name} is not understood on one machine"
            ))),
        }
    }

    fn reference(&self, target: &str) -> Result<Value, TemplateError> {
        if let Some(value) = self.parameters.get(target) {
            return Ok(value.clone());
        }
        let pseudo = match target {
            "AWS::Region" => self.setting.region.clone(),
            "AWS::AccountId" => self.setting.account.clone(),
            "AWS::StackName" => self.setting.stack.clone(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            "AWS::StackId" => format!(
                "arn:aws:cloudformation:{}:{}:stack/{}/local",
                self.setting.region, self.setting.account, self.setting.stack
            ),
            _ => names::reference(self, target)?,
        };
        Ok(Value::String(pseudo))
    }

    /// `${Name}`, `${Resource.Attribute}` and the literal `${!Name}`.
    fn substitute(&self, argument: &Value) -> Result<String, TemplateError> {
        let (pattern, own) = match argument.as_array() {
            Some(_) => {
                let [pattern, own] = parts(argument, "Fn::Sub")?;
                (str_of(pattern, "Fn::Sub")?, self.resolve(own)?)
            }
            None => (str_of(argument, "Fn::Sub")?, Value::Null),
        };
        let mut result = String::with_capacity(pattern.len());
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once("${") {
            result.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                return Err(malformed("Fn::Sub", "a closing brace"));
            };
            rest = after;
            if let Some(literal) = name.strip_prefix('!') {
                result.extend(["${", literal, "}"]);
            } else if let Some(value) = own.get(name) {
                result.push_str(&to_text(value));
            } else if let Some((resource, attribute)) = name.split_once('.') {
                result.push_str(&names::attribute(self, resource, attribute)?);
            } else {
                result.push_str(&to_text(&self.reference(name)?));
            }
        }
        result.push_str(rest);
        Ok(result)
    }

    fn condition(&self, name: &str) -> Result<bool, TemplateError> {
        let declared = self
            .document
            .get("Conditions")
            .and_then(|conditions| conditions.get(name))
            .ok_or_else(|| TemplateError::Malformed(format!("the condition {name} is missing")))?;
        self.truth(declared)
    }

    fn truth(&self, value: &Value) -> Result<bool, TemplateError> {
        let single = value.as_object().and_then(|map| map.iter().next());
        let Some((name, argument)) = single else {
            return Ok(to_text(value) == "true");
        };
        let all = || {
            list_of(argument, name)?
                .iter()
                .map(|item| self.truth(item))
                .collect::<Result<Vec<bool>, _>>()
        };
        match name.as_str() {
            "Condition" => self.condition(str_of(argument, name)?),
            "Fn::Equals" => {
                let [left, right] = parts(argument, name)?;
                Ok(to_text(&self.resolve(left)?) == to_text(&self.resolve(right)?))
            }
            "Fn::Not" => Ok(!all()?.first().copied().unwrap_or(false)),
            "Fn::And" => Ok(all()?.into_iter().all(|truth| truth)),
            "Fn::Or" => Ok(all()?.into_iter().any(|truth| truth)),
            _ => Ok(to_text(&self.resolve(value)?) == "true"),
        }
    }
}

fn parameter_value(
    name: &str,
    declared: &Value,
    setting: &Setting,
) -> Result<Value, TemplateError> {
    let given = setting
        .parameters
        .get(name)
        .or_else(|| setting.local_defaults.get(name));
    let value = given
        .cloned()
        .or_else(|| declared.get("Default").map(to_text))
        .ok_or_else(|| {
            TemplateError::Parameter(format!(
                "{name} has no default: give it with --parameter {name}=..."
            ))
        })?;
    if let Some(allowed) = declared.get("AllowedValues").and_then(Value::as_array)
        && !allowed.iter().any(|one| to_text(one) == value)
    {
        let allowed: Vec<String> = allowed.iter().map(to_text).collect();
        return Err(TemplateError::Parameter(format!(
            "{name}={value}: allowed are {}",
            allowed.join(", ")
        )));
    }
    let kind = declared.get("Type").and_then(Value::as_str).unwrap_or("");
    if kind == "CommaDelimitedList" || kind.starts_with("List<") {
        let items = value
            .split(',')
            .map(|item| Value::String(item.trim().to_owned()))
            .collect();
        return Ok(Value::Array(items));
    }
    Ok(Value::String(value))
}

/// A scalar as `CloudFormation` writes it into text; a list joined by commas.
pub(crate) fn to_text(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        text.to_owned()
    } else if let Some(items) = value.as_array() {
        items.iter().map(to_text).collect::<Vec<_>>().join(",")
    } else if value.is_null() {
        String::new()
    } else {
        value.to_string()
    }
}

pub(super) fn section<'a>(
    document: &'a Value,
    name: &str,
) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
    document
        .get(name)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

fn attribute(argument: &Value) -> Result<(String, String), TemplateError> {
    if let Some((resource, attribute)) = argument.as_str().and_then(|path| path.split_once('.')) {
        return Ok((resource.to_owned(), attribute.to_owned()));
    }
    let [resource, attribute] = parts(argument, "Fn::GetAtt")?;
    Ok((to_text(resource), to_text(attribute)))
}

fn parts<'v, const N: usize>(
    argument: &'v Value,
    function: &str,
) -> Result<&'v [Value; N], TemplateError> {
    argument
        .as_array()
        .and_then(|items| items.as_slice().try_into().ok())
        .ok_or_else(|| malformed(function, &format!("a list of {N}")))
}

fn list_of<'v>(value: &'v Value, function: &str) -> Result<&'v Vec<Value>, TemplateError> {
    value
        .as_array()
        .ok_or_else(|| malformed(function, "a list"))
}

fn str_of<'v>(value: &'v Value, function: &str) -> Result<&'v str, TemplateError> {
    value.as_str().ok_or_else(|| malformed(function, "a text"))
}

fn malformed(function: &str, wanted: &str) -> TemplateError {
    TemplateError::Malformed(format!("{function} needs {wanted}"))
}
