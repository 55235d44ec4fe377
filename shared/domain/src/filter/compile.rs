//! Reading a pattern, and saying what is wrong with it and where.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::condition::{Comparison, Condition, Test, Wildcard};
use super::{Compiled, Field, Leaf, MAX_BYTES, MAX_CONDITIONS, MAX_DEPTH, Pattern, Wants};
use crate::Invalid;
use crate::json::{Document, Json, Kind, compare_numbers};

const OPERATORS: &str = "`prefix`, `suffix`, `equals-ignore-case`, `wildcard`, `anything-but`, \
                         `numeric`, `cidr` or `exists`";

pub(super) fn compile(source: &str) -> Result<Compiled, Invalid> {
    let refuse = |rule: &'static str| Err(Invalid::new("filter", rule));
    if source.len() > MAX_BYTES {
        return refuse("must be at most 4096 bytes of JSON");
    }
    let Ok(json) = serde_json::from_str::<&RawValue>(source) else {
        return refuse("must be JSON");
    };
    let document = Document::of(json);
    let mut compiler = Compiler::default();
    let pattern = compiler.pattern(document.root(), &Spot::top(), 0)?;
    Ok(Compiled {
        pattern,
        absences: compiler.absences,
    })
}

/// Where the compiler is: in the filter, for what it says, and in the event.
#[derive(Debug, Clone)]
struct Spot {
    at: String,
    path: Vec<String>,
}

impl Spot {
    fn top() -> Self {
        Self {
            at: "filter".to_owned(),
            path: Vec::new(),
        }
    }

    fn field(&self, name: &str) -> Self {
        let mut path = self.path.clone();
        path.push(name.to_owned());
        Self {
            at: format!("{}.{}", self.at, name.escape_debug()),
            path,
        }
    }

    fn nth(&self, name: &str, nth: usize) -> Self {
        Self {
            at: format!("{}{name}[{nth}]", self.at),
            path: self.path.clone(),
        }
    }

    fn refuse<T>(&self, rule: impl Into<Cow<'static, str>>) -> Result<T, Invalid> {
        Err(Invalid::new(self.at.clone(), rule))
    }
}

#[derive(Debug, Default)]
struct Compiler {
    conditions: usize,
    absences: usize,
}

impl Compiler {
    fn pattern(&mut self, json: Json<'_>, spot: &Spot, depth: usize) -> Result<Pattern, Invalid> {
        if json.kind() != Kind::Object {
            return spot.refuse(
                "must be an object of fields, such as {\"data\": {\"status\": [\"paid\"]}}",
            );
        }
        if depth > MAX_DEPTH {
            return spot.refuse("is nested deeper than 16 levels");
        }
        let mut pattern = Pattern {
            fields: Vec::new(),
            alternatives: Vec::new(),
        };
        for (key, value) in json.fields() {
            let name = key.text().unwrap_or_default();
            let within = spot.field(&name);
            if name == "$or" {
                pattern
                    .alternatives
                    .push(self.alternatives(value, spot, depth)?);
                continue;
            }
            if spot.path.is_empty() && name != "data" {
                return within.refuse(format!(
                    "is not in the event: a filter is over `data`, such as {{\"data\": {{\"{}\": …}}}}",
                    name.escape_debug()
                ));
            }
            if pattern.fields.iter().any(|field| field.name == name) {
                return within.refuse("is there twice");
            }
            let wants = match value.kind() {
                Kind::Object => Wants::Nested(self.pattern(value, &within, depth + 1)?),
                Kind::Array => Wants::AnyOf(self.leaf(value, &within)?),
                Kind::Null | Kind::Bool | Kind::Number | Kind::String | Kind::Deep => {
                    return within.refuse(format!(
                        "must be a list of conditions or an object of fields; for this value, [{}]",
                        value.raw()
                    ));
                }
            };
            pattern.fields.push(Field {
                name: name.into_owned(),
                wants,
            });
        }
        if pattern.fields.is_empty() && pattern.alternatives.is_empty() {
            return spot.refuse("must have a field: an empty pattern says nothing");
        }
        Ok(pattern)
    }

    fn alternatives(
        &mut self,
        list: Json<'_>,
        spot: &Spot,
        depth: usize,
    ) -> Result<Vec<Pattern>, Invalid> {
        if list.kind() != Kind::Array || list.items().count() < 2 {
            let at = format!("{}.$or", spot.at);
            let rule = "must be a list of two patterns or more, of which one has to hold";
            return Err(Invalid::new(at, rule));
        }
        list.items()
            .enumerate()
            .map(|(nth, one)| self.pattern(one, &spot.nth(".$or", nth), depth + 1))
            .collect()
    }

    fn leaf(&mut self, list: Json<'_>, spot: &Spot) -> Result<Leaf, Invalid> {
        let conditions: Vec<Condition> = list
            .items()
            .enumerate()
            .map(|(nth, one)| self.condition(one, &spot.nth("", nth)))
            .collect::<Result<_, _>>()?;
        if conditions.is_empty() {
            return spot.refuse("must list a condition, of which any one has to hold");
        }
        let absence = conditions.contains(&Condition::Exists(false)).then(|| {
            self.absences += 1;
            self.absences - 1
        });
        Ok(Leaf {
            path: spot.path.clone(),
            conditions,
            absence,
            source: list.raw().to_owned(),
        })
    }

    fn count(&mut self, spot: &Spot) -> Result<(), Invalid> {
        self.conditions += 1;
        if self.conditions > MAX_CONDITIONS {
            return spot.refuse("is one condition too many: a filter has at most 100");
        }
        Ok(())
    }

    fn condition(&mut self, json: Json<'_>, spot: &Spot) -> Result<Condition, Invalid> {
        self.count(spot)?;
        if let Some(test) = exact(json) {
            return Ok(Condition::Value(test));
        }
        let (operator, operand, spot) = operation(json, spot)?;
        match operator.as_ref() {
            "numeric" => numeric(operand, &spot),
            "cidr" => cidr(operand, &spot),
            "exists" if operand.kind() == Kind::Bool => {
                Ok(Condition::Exists(operand.raw() == "true"))
            }
            "exists" => spot.refuse("must be true or false"),
            "anything-but" => self.anything_but(operand, &spot),
            _ => test(&operator, operand, &spot).map(Condition::Value),
        }
    }

    fn anything_but(&mut self, operand: Json<'_>, spot: &Spot) -> Result<Condition, Invalid> {
        let mut tests = Vec::new();
        match operand.kind() {
            Kind::Array => {
                for (nth, one) in operand.items().enumerate() {
                    let spot = spot.nth("", nth);
                    self.count(&spot)?;
                    match exact(one) {
                        Some(test) => tests.push(test),
                        None => return spot.refuse("must be text, a number, a boolean or null"),
                    }
                }
            }
            Kind::Object => {
                let (operator, operand, spot) = operation(operand, spot)?;
                if operand.kind() == Kind::Array {
                    for (nth, one) in operand.items().enumerate() {
                        let spot = spot.nth("", nth);
                        self.count(&spot)?;
                        tests.push(test(&operator, one, &spot)?);
                    }
                } else {
                    tests.push(test(&operator, operand, &spot)?);
                }
            }
            Kind::Null | Kind::Bool | Kind::Number | Kind::String | Kind::Deep => {
                tests.extend(exact(operand));
            }
        }
        if tests.is_empty() {
            return spot.refuse(
                "must be a value, a list of values, or {\"prefix\": …}, {\"suffix\": …}, \
                 {\"equals-ignore-case\": …} or {\"wildcard\": …}",
            );
        }
        Ok(Condition::AnythingBut(tests))
    }
}

fn exact(json: Json<'_>) -> Option<Test> {
    match json.kind() {
        Kind::Null => Some(Test::Null),
        Kind::Bool => Some(Test::Bool(json.raw() == "true")),
        Kind::Number => Some(Test::Number(json.raw().to_owned())),
        Kind::String => Some(Test::Text(json.text()?.into_owned())),
        Kind::Array | Kind::Object | Kind::Deep => None,
    }
}

/// The only field of an object, and its place.
fn operation<'d>(json: Json<'d>, spot: &Spot) -> Result<(Cow<'d, str>, Json<'d>, Spot), Invalid> {
    let mut fields = json.fields();
    let (Some((key, operand)), None) = (fields.next(), fields.next()) else {
        return spot.refuse(format!(
            "must be a value, or an object of one operator: {OPERATORS}"
        ));
    };
    let operator = key.text().unwrap_or_default();
    let at = format!("{}.{}", spot.at, operator.escape_debug());
    let path = spot.path.clone();
    Ok((operator, operand, Spot { at, path }))
}

/// The operators that ask something of text.
fn test(operator: &str, operand: Json<'_>, spot: &Spot) -> Result<Test, Invalid> {
    let text = operand.text().map(Cow::into_owned);
    let Some(text) = text else {
        return match (operator, operand.kind()) {
            ("prefix" | "suffix", Kind::Object) => {
                match (test_ignoring_case(operator, operand), operand.kind()) {
                    (Some(test), _) => Ok(test),
                    (None, _) => spot.refuse("must be text, or {\"equals-ignore-case\": \"text\"}"),
                }
            }
            ("prefix" | "suffix" | "equals-ignore-case" | "wildcard", _) => {
                spot.refuse("must be text")
            }
            _ => unknown(spot),
        };
    };
    match operator {
        "prefix" => Ok(Test::Prefix {
            text,
            ignore_case: false,
        }),
        "suffix" => Ok(Test::Suffix {
            text,
            ignore_case: false,
        }),
        "equals-ignore-case" => Ok(Test::EqualsIgnoreCase(text)),
        "wildcard" => wildcard(&text, spot).map(Test::Wildcard),
        _ => unknown(spot),
    }
}

fn unknown<T>(spot: &Spot) -> Result<T, Invalid> {
    spot.refuse(format!("is no operator here: there are {OPERATORS}"))
}

fn test_ignoring_case(operator: &str, operand: Json<'_>) -> Option<Test> {
    let mut fields = operand.fields();
    let (key, value) = fields.next()?;
    let text = value.text()?.into_owned();
    if fields.next().is_some() || !key.is_text("equals-ignore-case") {
        return None;
    }
    let ignore_case = true;
    Some(if operator == "prefix" {
        Test::Prefix { text, ignore_case }
    } else {
        Test::Suffix { text, ignore_case }
    })
}

fn wildcard(text: &str, spot: &Spot) -> Result<Wildcard, Invalid> {
    let mut pieces = vec![String::new()];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let plain = match c {
            '*' if chars.peek() == Some(&'*') => {
                return spot.refuse("must not have two `*` in a row; a star itself is `\\*`");
            }
            '*' => {
                pieces.push(String::new());
                continue;
            }
            '\\' => match chars.next() {
                Some(escaped @ ('*' | '\\')) => escaped,
                Some(_) | None => {
                    return spot.refuse("must have `\\` only before `*` or `\\`");
                }
            },
            other => other,
        };
        if let Some(piece) = pieces.last_mut() {
            piece.push(plain);
        }
    }
    let first = pieces.remove(0);
    Ok(Wildcard {
        first,
        rest: pieces,
    })
}

fn cidr(operand: Json<'_>, spot: &Spot) -> Result<Condition, Invalid> {
    match operand.text().unwrap_or_default().parse() {
        Ok(network) => Ok(Condition::Cidr(network)),
        Err(_) => spot.refuse("must be a network, such as \"10.0.0.0/8\" or \"2001:db8::/32\""),
    }
}

fn numeric(operand: Json<'_>, spot: &Spot) -> Result<Condition, Invalid> {
    const RULE: &str = "must be a comparison or a pair that bounds a range: [\"=\", 5], \
                        [\">\", 0] or [\">=\", 0, \"<\", 10]";
    let parts: Vec<Json<'_>> = operand.items().collect();
    let mut bounds = Vec::new();
    for pair in parts.chunks(2) {
        let [comparison, number] = pair else {
            return spot.refuse(RULE);
        };
        let comparison = match comparison.text().as_deref() {
            Some("=") => Comparison::Equal,
            Some("<") => Comparison::Less,
            Some("<=") => Comparison::AtMost,
            Some(">") => Comparison::More,
            Some(">=") => Comparison::AtLeast,
            Some(_) | None => return spot.refuse(RULE),
        };
        if number.kind() != Kind::Number {
            return spot.refuse("must compare with numbers, which are written without quotes");
        }
        bounds.push((comparison, number.raw().to_owned()));
    }
    let upper = |comparison| matches!(comparison, Comparison::Less | Comparison::AtMost);
    match bounds.as_slice() {
        [_] => {}
        [(Comparison::Equal, _), _] | [_, (Comparison::Equal, _)] => return spot.refuse(RULE),
        [(one, a), (other, b)] => {
            let (low, high) = if upper(*one) { (b, a) } else { (a, b) };
            let strict = [*one, *other]
                .iter()
                .any(|one| matches!(one, Comparison::Less | Comparison::More));
            let order = compare_numbers(low, high);
            if upper(*one) == upper(*other) {
                return spot.refuse(RULE);
            }
            if order.is_gt() || (order.is_eq() && strict) {
                return spot.refuse("must leave a number between its bounds: none can meet both");
            }
        }
        _ => return spot.refuse(RULE),
    }
    Ok(Condition::Numeric(bounds))
}
