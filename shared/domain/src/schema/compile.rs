//! Reading a schema, and saying what is wrong with it and where.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::sameness::{fields, form};
use super::{
    Bound, Compiled, Count, Fields, MAX_BYTES, MAX_DEPTH, MAX_IN_PLACE, MAX_SCHEMAS, Part, PartId,
    Rule, Type,
};
use crate::Invalid;
use crate::json::{Decimal, Document, Json, Kind};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Keywords that say something of a payload without asking anything of it.
const ANNOTATIONS: [&str; 12] = [
    "$comment",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "format",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
];

pub(super) fn compile(source: &str) -> Result<Compiled, Invalid> {
    let refuse = |rule: &'static str| Err(Invalid::new("schema", rule));
    if source.len() > MAX_BYTES {
        return refuse("must be at most 32768 bytes of JSON");
    }
    let Ok(json) = serde_json::from_str::<&RawValue>(source) else {
        return refuse("must be JSON");
    };
    let document = Document::of(json);
    let root = document.root();
    let mut compiler = Compiler {
        parts: vec![Part::default()],
        definitions: BTreeMap::new(),
    };
    let top = Spot::top();
    let definitions = compiler.reserve(root, &top)?;
    let whole = compiler.part(root, &top, 0)?;
    compiler.put(0, whole);
    for (id, definition, spot) in definitions {
        let part = compiler.part(definition, &spot, 1)?;
        compiler.put(id, part);
    }
    let mut heights = vec![None; compiler.parts.len()];
    for id in 0..compiler.parts.len() {
        height(&compiler.parts, id, 0, &mut heights)?;
    }
    Ok(compiler.parts)
}

/// Where the compiler is in the schema.
#[derive(Debug, Clone)]
struct Spot(String);

impl Spot {
    fn top() -> Self {
        Self("schema".to_owned())
    }

    fn field(&self, name: &str) -> Self {
        Self(format!("{}.{}", self.0, name.escape_debug()))
    }

    fn nth(&self, nth: usize) -> Self {
        Self(format!("{}[{nth}]", self.0))
    }

    fn refuse<T>(&self, rule: impl Into<Cow<'static, str>>) -> Result<T, Invalid> {
        Err(Invalid::new(self.0.clone(), rule))
    }
}

/// A schema, by the keywords that its object has.
type Keywords<'d> = BTreeMap<Cow<'d, str>, Json<'d>>;

#[derive(Debug)]
struct Compiler {
    parts: Vec<Part>,
    /// What `$ref` may name, and where that is.
    definitions: BTreeMap<String, PartId>,
}

impl Compiler {
    /// Gives every definition its place, before anything refers to it.
    fn reserve<'d>(
        &mut self,
        root: Json<'d>,
        top: &Spot,
    ) -> Result<Vec<(PartId, Json<'d>, Spot)>, Invalid> {
        self.definitions.insert("#".to_owned(), 0);
        let Some(definitions) = root.get("$defs") else {
            return Ok(Vec::new());
        };
        let spot = top.field("$defs");
        if definitions.kind() != Kind::Object {
            return spot.refuse("must be an object of schemas");
        }
        let mut reserved = Vec::new();
        for (name, definition) in fields(definitions) {
            let spot = spot.field(&name);
            let id = self.add(Part::default(), &spot)?;
            let pointer = name.replace('~', "~0").replace('/', "~1");
            self.definitions.insert(format!("#/$defs/{pointer}"), id);
            reserved.push((id, definition, spot));
        }
        Ok(reserved)
    }

    fn add(&mut self, part: Part, spot: &Spot) -> Result<PartId, Invalid> {
        if self.parts.len() >= MAX_SCHEMAS {
            return spot.refuse("is one schema too many: there may be 1000 within one");
        }
        self.parts.push(part);
        Ok(self.parts.len() - 1)
    }

    fn put(&mut self, id: PartId, part: Part) {
        if let Some(place) = self.parts.get_mut(id) {
            *place = part;
        }
    }

    fn schema(&mut self, json: Json<'_>, spot: &Spot, depth: usize) -> Result<PartId, Invalid> {
        let part = self.part(json, spot, depth)?;
        self.add(part, spot)
    }

    fn part(&mut self, json: Json<'_>, spot: &Spot, depth: usize) -> Result<Part, Invalid> {
        if depth > MAX_DEPTH {
            return spot.refuse("is nested deeper than 32 levels");
        }
        let rules = match json.kind() {
            Kind::Bool if json.raw() == "true" => Vec::new(),
            Kind::Bool => vec![Rule::Never],
            Kind::Object => self.rules(&fields(json), spot, depth)?,
            Kind::Null | Kind::Number | Kind::String | Kind::Array | Kind::Deep => {
                return spot.refuse("must be a schema: an object, `true` or `false`");
            }
        };
        Ok(Part { rules })
    }

    fn rules(
        &mut self,
        keywords: &Keywords<'_>,
        spot: &Spot,
        depth: usize,
    ) -> Result<Vec<Rule>, Invalid> {
        let mut rules = Vec::new();
        for (name, value) in keywords {
            let here = spot.field(name);
            rules.extend(self.rule(name, *value, &here, depth)?);
        }
        rules.extend(counts(keywords, spot)?);
        rules.extend(self.list(keywords, spot, depth)?);
        rules.extend(self.object(keywords, spot, depth)?);
        rules.extend(self.condition(keywords, spot, depth)?);
        // What is cheap to tell is told first.
        rules.sort_by_key(|rule| !matches!(rule, Rule::Never | Rule::Type(_)));
        Ok(rules)
    }

    /// What one keyword asks by itself.
    fn rule(
        &mut self,
        name: &str,
        value: Json<'_>,
        spot: &Spot,
        depth: usize,
    ) -> Result<Option<Rule>, Invalid> {
        let bound = |bound| number(value, spot).map(|number| Rule::Bound { bound, number });
        Ok(Some(match name {
            "type" => Rule::Type(types(value, spot)?),
            "enum" => Rule::OneOfValues {
                values: values(value, spot)?,
                shown: shown(value),
            },
            "const" => Rule::OneOfValues {
                values: vec![form(value)],
                shown: format!("[{}]", shown(value)),
            },
            "minimum" => bound(Bound::AtLeast)?,
            "exclusiveMinimum" => bound(Bound::MoreThan)?,
            "maximum" => bound(Bound::AtMost)?,
            "exclusiveMaximum" => bound(Bound::LessThan)?,
            "multipleOf" => {
                let shown = number(value, spot)?;
                let divisor = Decimal::of(&shown);
                if !divisor.is_divisor() {
                    return spot.refuse("must be a number above 0, of at most 18 digits");
                }
                Rule::MultipleOf { divisor, shown }
            }
            "uniqueItems" => match value.raw() {
                "true" => Rule::UniqueItems,
                "false" => return Ok(None),
                _ => return spot.refuse("must be true or false"),
            },
            "allOf" => Rule::AllOf(self.schemas(value, spot, depth)?),
            "anyOf" => Rule::AnyOf(self.schemas(value, spot, depth)?),
            "oneOf" => Rule::OneOf(self.schemas(value, spot, depth)?),
            "not" => Rule::Not(self.schema(value, spot, depth + 1)?),
            "$ref" => Rule::Ref(self.reference(value, spot)?),
            _ => {
                return known(name, value, spot, depth).map(|()| None);
            }
        }))
    }

    fn reference(&self, value: Json<'_>, spot: &Spot) -> Result<PartId, Invalid> {
        let target = value.text().unwrap_or_default();
        match self.definitions.get(target.as_ref()) {
            Some(id) => Ok(*id),
            None if target.starts_with('#') => {
                spot.refuse("must lead to `#` or to `#/$defs/…`, and to something that is there")
            }
            None => spot
                .refuse("must lead within the schema, to `#` or `#/$defs/…`: nothing is fetched"),
        }
    }

    fn schemas(
        &mut self,
        list: Json<'_>,
        spot: &Spot,
        depth: usize,
    ) -> Result<Vec<PartId>, Invalid> {
        if list.items().next().is_none() {
            return spot.refuse("must be a list of schemas");
        }
        list.items()
            .enumerate()
            .map(|(nth, one)| self.schema(one, &spot.nth(nth), depth + 1))
            .collect()
    }

    fn maybe(
        &mut self,
        name: &str,
        keywords: &Keywords<'_>,
        spot: &Spot,
        depth: usize,
    ) -> Result<Option<PartId>, Invalid> {
        let found = keywords.get(name);
        let compile = |value: &Json<'_>| self.schema(*value, &spot.field(name), depth + 1);
        found.map(compile).transpose()
    }

    fn list(
        &mut self,
        keywords: &Keywords<'_>,
        spot: &Spot,
        depth: usize,
    ) -> Result<Option<Rule>, Invalid> {
        let first = match keywords.get("prefixItems") {
            Some(list) => self.schemas(*list, &spot.field("prefixItems"), depth)?,
            None => Vec::new(),
        };
        let rest = self.maybe("items", keywords, spot, depth)?;
        let asks = !first.is_empty() || rest.is_some();
        Ok(asks.then_some(Rule::List { first, rest }))
    }

    fn object(
        &mut self,
        keywords: &Keywords<'_>,
        spot: &Spot,
        depth: usize,
    ) -> Result<Option<Rule>, Invalid> {
        let mut asked = Fields {
            additional: self.maybe("additionalProperties", keywords, spot, depth)?,
            names: self.maybe("propertyNames", keywords, spot, depth)?,
            ..Fields::default()
        };
        if let Some(properties) = keywords.get("properties") {
            let spot = spot.field("properties");
            if properties.kind() != Kind::Object {
                return spot.refuse("must be an object of schemas");
            }
            for (name, schema) in fields(*properties) {
                let id = self.schema(schema, &spot.field(&name), depth + 1)?;
                asked.properties.insert(name.into_owned(), id);
            }
        }
        if let Some(required) = keywords.get("required") {
            asked.required = names(*required, &spot.field("required"))?;
        }
        if let Some(dependent) = keywords.get("dependentRequired") {
            let spot = spot.field("dependentRequired");
            if dependent.kind() != Kind::Object {
                return spot.refuse("must be an object of lists of names");
            }
            for (name, needed) in fields(*dependent) {
                let needed = names(needed, &spot.field(&name))?;
                asked.dependent.insert(name.into_owned(), needed);
            }
        }
        let asks = asked != Fields::default();
        Ok(asks.then(|| Rule::Object(Box::new(asked))))
    }

    fn condition(
        &mut self,
        keywords: &Keywords<'_>,
        spot: &Spot,
        depth: usize,
    ) -> Result<Option<Rule>, Invalid> {
        let test = self.maybe("if", keywords, spot, depth)?;
        let then = self.maybe("then", keywords, spot, depth)?;
        let otherwise = self.maybe("else", keywords, spot, depth)?;
        if test.is_none() && (then.is_some() || otherwise.is_some()) {
            return spot.refuse("must have an `if` for its `then` or `else`");
        }
        Ok(test.map(|test| Rule::If {
            test,
            then,
            otherwise,
        }))
    }
}

/// Keywords that need nothing of their own here: annotations, and parts of others. All others are
/// refused, as they would not be checked.
fn known(name: &str, value: Json<'_>, spot: &Spot, depth: usize) -> Result<(), Invalid> {
    let is_root = depth == 0;
    match name {
        "prefixItems"
        | "items"
        | "properties"
        | "additionalProperties"
        | "propertyNames"
        | "required"
        | "dependentRequired"
        | "if"
        | "then"
        | "else"
        | "minLength"
        | "maxLength"
        | "minItems"
        | "maxItems"
        | "minProperties"
        | "maxProperties" => Ok(()),
        "$schema" if is_root => {
            let text = value.text().unwrap_or_default();
            if text.trim_end_matches('#') == DIALECT {
                Ok(())
            } else {
                spot.refuse(format!("must be {DIALECT:?}, or be left out"))
            }
        }
        "$id" | "$defs" if is_root => Ok(()),
        "$schema" | "$id" | "$defs" => spot.refuse("is read at the top of the schema only"),
        "pattern" | "patternProperties" => spot.refuse(
            "is not checked here: there are no regular expressions. Leave it out, or use `enum`, \
             `const`, `minLength` or `maxLength`",
        ),
        annotation if ANNOTATIONS.contains(&annotation) || annotation.starts_with("x-") => Ok(()),
        _ => spot.refuse(
            "is not checked here, and an event would be let through that breaks it. See the list \
             of keywords that are; notes of your own begin with `x-`",
        ),
    }
}

fn counts(keywords: &Keywords<'_>, spot: &Spot) -> Result<Vec<Rule>, Invalid> {
    type Make = fn(Count) -> Rule;
    const PAIRS: [(&str, &str, Make); 3] = [
        ("minLength", "maxLength", Rule::Length),
        ("minItems", "maxItems", Rule::Items),
        ("minProperties", "maxProperties", Rule::Properties),
    ];
    let mut rules = Vec::new();
    for (least, most, make) in PAIRS {
        let count = |name: &str| {
            let found = keywords.get(name);
            found
                .map(|value| whole(*value, &spot.field(name)))
                .transpose()
        };
        let (lower, upper) = (count(least)?, count(most)?);
        if lower.is_none() && upper.is_none() {
            continue;
        }
        let count = Count {
            least: lower.unwrap_or(0),
            most: upper.unwrap_or(usize::MAX),
        };
        if count.least > count.most {
            return spot
                .field(most)
                .refuse(format!("must not be less than `{least}`"));
        }
        rules.push(make(count));
    }
    Ok(rules)
}

fn whole(value: Json<'_>, spot: &Spot) -> Result<usize, Invalid> {
    let digits = value.raw();
    let plain = value.kind() == Kind::Number && digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse() {
        Ok(count) if plain => Ok(count),
        Ok(_) | Err(_) => spot.refuse("must be a whole number, 0 or more"),
    }
}

fn number(value: Json<'_>, spot: &Spot) -> Result<String, Invalid> {
    if value.kind() == Kind::Number {
        Ok(value.raw().to_owned())
    } else {
        spot.refuse("must be a number")
    }
}

fn types(value: Json<'_>, spot: &Spot) -> Result<Vec<Type>, Invalid> {
    let one = |value: Json<'_>| match value.text().as_deref() {
        Some("null") => Ok(Type::Null),
        Some("boolean") => Ok(Type::Boolean),
        Some("integer") => Ok(Type::Integer),
        Some("number") => Ok(Type::Number),
        Some("string") => Ok(Type::String),
        Some("array") => Ok(Type::Array),
        Some("object") => Ok(Type::Object),
        Some(_) | None => spot.refuse(
            "must be `null`, `boolean`, `integer`, `number`, `string`, `array` or `object`, or a \
             list of those",
        ),
    };
    if value.kind() != Kind::Array {
        return Ok(vec![one(value)?]);
    }
    let all: Vec<Type> = value.items().map(one).collect::<Result<_, _>>()?;
    if all.is_empty() {
        return spot.refuse("must list a type");
    }
    Ok(all)
}

fn values(list: Json<'_>, spot: &Spot) -> Result<Vec<String>, Invalid> {
    let values: Vec<String> = list.items().map(form).collect();
    if values.is_empty() {
        return spot.refuse("must be a list of values");
    }
    Ok(values)
}

/// Values as they were written, if they are few.
fn shown(value: Json<'_>) -> String {
    let raw = value.raw();
    match raw.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", raw.get(..end).unwrap_or_default()),
        None => raw.to_owned(),
    }
}

fn names(list: Json<'_>, spot: &Spot) -> Result<Vec<String>, Invalid> {
    if list.kind() != Kind::Array {
        return spot.refuse("must be a list of names");
    }
    list.items()
        .enumerate()
        .map(|(nth, name)| match name.text() {
            Some(name) => Ok(name.into_owned()),
            None => spot.nth(nth).refuse("must be a name, as text"),
        })
        .collect()
}

/// How many schemas follow one another from this one without going deeper into the payload; more
/// than a few, or a circle of them, is refused.
fn height(
    parts: &[Part],
    id: PartId,
    above: usize,
    heights: &mut [Option<usize>],
) -> Result<usize, Invalid> {
    let known = heights.get(id).copied().flatten();
    if above + known.unwrap_or(0) > MAX_IN_PLACE {
        let rule = "leads from schema to schema more than 16 times (or in a circle) without going \
                    deeper into the payload, by `$ref`, `allOf`, `anyOf`, `oneOf`, `not` or `if`";
        return Err(Invalid::new("schema", rule));
    }
    if let Some(known) = known {
        return Ok(known);
    }
    let mut highest = 0;
    let rules = parts.get(id).map(|part| part.rules.as_slice());
    for rule in rules.unwrap_or_default() {
        let next: Vec<PartId> = match rule {
            Rule::AllOf(all) | Rule::AnyOf(all) | Rule::OneOf(all) => all.clone(),
            Rule::Not(one) | Rule::Ref(one) => vec![*one],
            Rule::If {
                test,
                then,
                otherwise,
            } => [Some(*test), *then, *otherwise]
                .into_iter()
                .flatten()
                .collect(),
            Rule::Never
            | Rule::Type(_)
            | Rule::OneOfValues { .. }
            | Rule::Bound { .. }
            | Rule::MultipleOf { .. }
            | Rule::Length(_)
            | Rule::Items(_)
            | Rule::Properties(_)
            | Rule::UniqueItems
            | Rule::List { .. }
            | Rule::Object(_) => Vec::new(),
        };
        for id in next {
            highest = highest.max(1 + height(parts, id, above + 1, heights)?);
        }
    }
    if let Some(place) = heights.get_mut(id) {
        *place = Some(highest);
    }
    Ok(highest)
}
