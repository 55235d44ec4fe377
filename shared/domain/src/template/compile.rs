//! Reading a template, and saying what is wrong with it and where.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::expression::{self, Expression, Head, Step};
use super::{MAX_BYTES, MAX_DEPTH, Part, Piece};
use crate::Invalid;
use crate::json::{Document, Json, Kind};

/// What a template can name, and the fields of those that have some.
const NAMES: [&str; 7] = [
    "id",
    "event",
    "timestamp",
    "data",
    "cloudevent",
    "tenant",
    "endpoint",
];
const ENDPOINT_FIELDS: [&str; 3] = ["id", "name", "metadata"];

pub(super) fn compile(source: &str) -> Result<Piece, Invalid> {
    let refuse = |rule: &'static str| Err(Invalid::new("template", rule));
    if source.len() > MAX_BYTES {
        return refuse("must be at most 16384 bytes of JSON");
    }
    let Ok(json) = serde_json::from_str::<&RawValue>(source) else {
        return refuse("must be JSON");
    };
    let document = Document::of(json);
    Compiler::default()
        .piece(document.root(), 0)
        .map_err(|wrong| Invalid::new(format!("template{}", wrong.at), wrong.rule))
}

/// What is wrong, and where below the template.
#[derive(Debug)]
struct Wrong {
    at: String,
    rule: Cow<'static, str>,
}

impl Wrong {
    fn new(rule: impl Into<Cow<'static, str>>) -> Self {
        Self {
            at: String::new(),
            rule: rule.into(),
        }
    }

    fn within(place: &str) -> impl FnOnce(Self) -> Self {
        move |wrong| Self {
            at: format!("{place}{}", wrong.at),
            ..wrong
        }
    }
}

#[derive(Debug, Default)]
struct Compiler {
    /// The names that the lists around this place give their elements.
    bound: Vec<String>,
}

impl Compiler {
    fn piece(&mut self, json: Json<'_>, depth: usize) -> Result<Piece, Wrong> {
        if depth > MAX_DEPTH {
            return Err(Wrong::new("is nested deeper than 32 levels"));
        }
        match json.kind() {
            Kind::String => self.text(&json.text().unwrap_or_default(), json.raw()),
            Kind::Array => {
                let mut items = Vec::new();
                for (nth, item) in json.items().enumerate() {
                    let item = self.piece(item, depth + 1);
                    items.push(item.map_err(Wrong::within(&format!("[{nth}]")))?);
                }
                Ok(if items.iter().all(is_plain) {
                    Piece::Plain(json.raw().to_owned())
                } else {
                    Piece::List(items)
                })
            }
            Kind::Object if json.get("$if").is_some() => self.choice(json, depth),
            Kind::Object if json.get("$each").is_some() => self.list(json, depth),
            Kind::Object => self.object(json, depth),
            Kind::Null | Kind::Bool | Kind::Number | Kind::Deep => {
                Ok(Piece::Plain(json.raw().to_owned()))
            }
        }
    }

    fn object(&mut self, json: Json<'_>, depth: usize) -> Result<Piece, Wrong> {
        let mut fields = Vec::new();
        for (key, value) in json.fields() {
            let name = key.text().unwrap_or_default();
            let place = format!(".{}", name.escape_debug());
            let within = || Wrong::within(&place);
            if name.starts_with('$') || name.contains("{{") {
                let rule = "cannot be a field's name: names are written out, and `$` begins only \
                            `$if` and `$each`";
                return Err(within()(Wrong::new(rule)));
            }
            let value = self.piece(value, depth + 1).map_err(within())?;
            fields.push((key.raw().to_owned(), value));
        }
        Ok(if fields.iter().all(|(_, value)| is_plain(value)) {
            Piece::Plain(json.raw().to_owned())
        } else {
            Piece::Object(fields)
        })
    }

    fn choice(&mut self, json: Json<'_>, depth: usize) -> Result<Piece, Wrong> {
        only(json, &["$if", "then", "else"])?;
        let test = self.named(json, "$if")?;
        let then = Box::new(self.part(json, "then", depth)?);
        let otherwise = match json.get("else") {
            Some(_) => Some(Box::new(self.part(json, "else", depth)?)),
            None => None,
        };
        Ok(Piece::If {
            test,
            then,
            otherwise,
        })
    }

    fn list(&mut self, json: Json<'_>, depth: usize) -> Result<Piece, Wrong> {
        only(json, &["$each", "as", "do"])?;
        let list = self.named(json, "$each")?;
        let name = match json.get("as") {
            None => "item".to_owned(),
            Some(name) => name.text().unwrap_or_default().into_owned(),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !name.starts_with(|c: char| c.is_ascii_alphabetic())
            || !name.chars().all(plain)
            || NAMES.contains(&name.as_str())
        {
            let rule = "must be a name of letters, digits and `_` that nothing else has";
            return Err(Wrong::within(".as")(Wrong::new(rule)));
        }
        self.bound.push(name.clone());
        let make = self.part(json, "do", depth);
        self.bound.pop();
        Ok(Piece::Each {
            list,
            name,
            make: Box::new(make?),
        })
    }

    fn part(&mut self, json: Json<'_>, name: &str, depth: usize) -> Result<Piece, Wrong> {
        let place = format!(".{name}");
        let Some(value) = json.get(name) else {
            return Err(Wrong::within(&place)(Wrong::new("is missing")));
        };
        self.piece(value, depth + 1).map_err(Wrong::within(&place))
    }

    /// The expression of `$if` or `$each`, which needs no braces.
    fn named(&self, json: Json<'_>, name: &str) -> Result<Expression, Wrong> {
        let text = json.get(name).and_then(Json::text).unwrap_or_default();
        let place = format!(".{name}");
        let inner = text.trim();
        let inner = inner
            .strip_prefix("{{")
            .and_then(|inner| inner.strip_suffix("}}"))
            .unwrap_or(inner);
        let rule = "must be an expression, such as \"data.lines\"";
        match expression::parse(inner) {
            Ok((expression, "")) => self.known(expression),
            Ok(_) => Err(Wrong::new(rule)),
            Err(_) if inner.is_empty() => Err(Wrong::new(rule)),
            Err(wrong) => Err(Wrong::new(wrong)),
        }
        .map_err(Wrong::within(&place))
    }

    fn text(&self, text: &str, raw: &str) -> Result<Piece, Wrong> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((plain, inner)) = rest.split_once("{{") {
            if !plain.is_empty() {
                parts.push(Part::Plain(plain.to_owned()));
            }
            let (expression, after) = expression::parse(inner).map_err(Wrong::new)?;
            let Some(after) = after.strip_prefix("}}") else {
                return Err(Wrong::new(format!(
                    "has `{{{{{}` without `}}}}` after it; two braces themselves are {{{{'{{{{'}}}}",
                    expression.source.escape_debug()
                )));
            };
            parts.push(Part::Value(self.known(expression)?));
            rest = after;
        }
        if parts.is_empty() {
            return Ok(Piece::Plain(raw.to_owned()));
        }
        if !rest.is_empty() {
            parts.push(Part::Plain(rest.to_owned()));
        }
        if let [Part::Value(expression)] = parts.as_slice() {
            return Ok(Piece::Value(expression.clone()));
        }
        Ok(Piece::Text(parts))
    }

    /// Names that no event has are told now, and not with the first event.
    fn known(&self, expression: Expression) -> Result<Expression, Wrong> {
        let Head::Path(name, steps) = &expression.head else {
            return Ok(expression);
        };
        if self.bound.contains(name) {
            return Ok(expression);
        }
        let field_is_known = match (name.as_str(), steps.first()) {
            ("endpoint", Some(Step::Field(field))) => ENDPOINT_FIELDS.contains(&field.as_str()),
            ("data" | "cloudevent" | "endpoint", _) | (_, None) => true,
            (_, Some(_)) => false,
        };
        if NAMES.contains(&name.as_str()) && field_is_known {
            return Ok(expression);
        }
        Err(Wrong::new(format!(
            "names `{}`, which no event has: there are id, event, timestamp, data.…, tenant, \
             endpoint.id, endpoint.name, endpoint.metadata.…",
            expression.source.escape_debug()
        )))
    }
}

fn is_plain(piece: &Piece) -> bool {
    matches!(piece, Piece::Plain(_))
}

fn only(json: Json<'_>, names: &[&str]) -> Result<(), Wrong> {
    for (key, _) in json.fields() {
        let name = key.text().unwrap_or_default();
        if !names.contains(&name.as_ref()) {
            let rule = format!("is not known here: there are {}", names.join(", "));
            let place = format!(".{}", name.escape_debug());
            return Err(Wrong::within(&place)(Wrong::new(rule)));
        }
    }
    Ok(())
}
