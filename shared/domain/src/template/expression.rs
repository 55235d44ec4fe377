//! `data.order.lines[0].sku | default: "none" | upper`

use serde_json::value::RawValue;

/// An expression: a value, and what is made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expression {
    pub(super) head: Head,
    pub(super) filters: Vec<Filter>,
    /// As it was written.
    pub(super) source: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Head {
    /// A name, and the way from there.
    Path(String, Vec<Step>),
    /// A value in JSON.
    Literal(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Field(String),
    Item(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Filter {
    /// This, in JSON, where there is nothing or null.
    Default(String),
    Upper,
    Lower,
    /// The value's JSON, as text.
    Json,
    Length,
    Join(String),
    Date(String),
}

const FILTERS: &str = "`default`, `upper`, `lower`, `json`, `length`, `join`, `date`";

/// Reads an expression, and says what follows it.
pub(super) fn parse(text: &str) -> Result<(Expression, &str), String> {
    let mut reader = Reader { rest: text };
    let head = reader.head()?;
    let mut filters = Vec::new();
    while reader.takes('|') {
        filters.push(reader.filter()?);
    }
    reader.skip_space();
    let length = text.len() - reader.rest.len();
    let source = text.get(..length).unwrap_or_default().trim().to_owned();
    let expression = Expression {
        head,
        filters,
        source,
    };
    Ok((expression, reader.rest))
}

#[derive(Debug)]
struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn takes(&mut self, wanted: char) -> bool {
        self.skip_space();
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn word(&mut self) -> &'t str {
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-' || c == '$';
        let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end).unwrap_or(("", self.rest));
        self.rest = rest;
        word
    }

    fn head(&mut self) -> Result<Head, String> {
        self.skip_space();
        let begins_path = |c: char| c.is_alphabetic() || c == '_';
        let is_word = ["true", "false", "null"]
            .iter()
            .any(|word| self.rest.starts_with(word));
        if is_word || !self.rest.starts_with(begins_path) {
            return self
                .literal()
                .map(Head::Literal)
                .map_err(|_| "must name a value, such as `{{data.order.id}}`".to_owned());
        }
        let name = self.word().to_owned();
        let mut steps = Vec::new();
        loop {
            if let Some(rest) = self.rest.strip_prefix('.') {
                self.rest = rest;
                let field = self.word();
                if field.is_empty() {
                    return Err("has a `.` that no name follows".to_owned());
                }
                steps.push(Step::Field(field.to_owned()));
            } else if let Some(rest) = self.rest.strip_prefix('[') {
                self.rest = rest;
                let index = self.literal()?;
                let step = match index.parse() {
                    Ok(nth) => Step::Item(nth),
                    Err(_) if index.starts_with('"') => {
                        Step::Field(crate::json::text_of(&index).into_owned())
                    }
                    Err(_) => return Err("must have a number or a name in `[…]`".to_owned()),
                };
                steps.push(step);
                if !self.takes(']') {
                    return Err("has a `[` without `]`".to_owned());
                }
            } else {
                return Ok(Head::Path(name, steps));
            }
        }
    }

    fn filter(&mut self) -> Result<Filter, String> {
        self.skip_space();
        let name = self.word();
        let argument = if self.takes(':') {
            Some(self.literal()?)
        } else {
            None
        };
        let text = |argument: &Option<String>| {
            let argument = argument.as_deref().filter(|json| json.starts_with('"'));
            argument
                .map(|json| crate::json::text_of(json).into_owned())
                .ok_or_else(|| format!("must give `{name}` a text: `{name}: '…'`"))
        };
        match (name, argument.is_some()) {
            ("default", true) => Ok(Filter::Default(argument.unwrap_or_default())),
            ("default", false) => Err("must give `default` a value: `default: \"\"`".to_owned()),
            ("join", _) => text(&argument).map(Filter::Join),
            ("date", _) => text(&argument).map(Filter::Date),
            ("upper", false) => Ok(Filter::Upper),
            ("lower", false) => Ok(Filter::Lower),
            ("json", false) => Ok(Filter::Json),
            ("length", false) => Ok(Filter::Length),
            ("upper" | "lower" | "json" | "length", true) => {
                Err(format!("must give `{name}` no value"))
            }
            _ => Err(format!(
                "has no filter `{}`: there are {FILTERS}",
                name.escape_debug()
            )),
        }
    }

    /// A value in JSON, or text in single quotes, which JSON need not escape.
    fn literal(&mut self) -> Result<String, String> {
        self.skip_space();
        let wrong = || "must have a value there: a text in quotes, a number, true, false or null";
        if let Some(rest) = self.rest.strip_prefix('\'') {
            let (text, after) = rest.split_once('\'').ok_or("has a `'` without another")?;
            self.rest = after;
            return serde_json::to_string(text).map_err(|_| wrong().to_owned());
        }
        if self.rest.starts_with(['{', '[']) {
            return Err(wrong().to_owned());
        }
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<&RawValue>();
        let value = match values.next() {
            Some(Ok(value)) => value.get().to_owned(),
            Some(Err(_)) | None => return Err(wrong().to_owned()),
        };
        self.rest = self.rest.get(values.byte_offset()..).unwrap_or_default();
        Ok(value)
    }
}
