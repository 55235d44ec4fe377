//! Writing a template out for an event.

use serde_json::value::RawValue;

use super::expression::{Expression, Filter, Head, Step};
use super::{MAX_OUTPUT_BYTES, MAX_STEPS, Part, Piece, Unrendered};
use crate::Timestamp;
use crate::json::{Document, Json, Kind, text_of};

pub(super) fn render(
    piece: &Piece,
    about: &RawValue,
    data: &RawValue,
) -> Result<Vec<u8>, Unrendered> {
    let (about, data) = (Document::of(about), Document::of(data));
    let mut writer = Writer {
        about: about.root(),
        data: data.root(),
        bound: Vec::new(),
        out: Vec::new(),
        steps: MAX_STEPS,
    };
    match writer.chosen(piece)? {
        Some(piece) => writer.piece(piece)?,
        None => writer.push("null")?,
    }
    Ok(writer.out)
}

#[derive(Debug)]
struct Writer<'d> {
    about: Json<'d>,
    data: Json<'d>,
    /// What the lists around this place are at.
    bound: Vec<(&'d str, Json<'d>)>,
    out: Vec<u8>,
    steps: u32,
}

/// A value: of the event, or JSON that was made of one.
#[derive(Debug, Clone)]
enum Value<'d> {
    There(Json<'d>),
    Made(String),
}

impl Value<'_> {
    fn raw(&self) -> &str {
        match self {
            Self::There(json) => json.raw(),
            Self::Made(raw) => raw,
        }
    }

    /// As it stands in a text: a string's own text, and anything else as JSON writes it.
    fn written(&self) -> std::borrow::Cow<'_, str> {
        let raw = self.raw();
        if raw.starts_with('"') {
            text_of(raw)
        } else {
            raw.into()
        }
    }
}

impl<'d> Writer<'d> {
    fn push(&mut self, json: &str) -> Result<(), Unrendered> {
        if self.out.len() + json.len() > MAX_OUTPUT_BYTES {
            return Err(Unrendered::new("the body gets larger than 512 KiB"));
        }
        self.out.extend_from_slice(json.as_bytes());
        Ok(())
    }

    fn push_text(&mut self, text: &str) -> Result<(), Unrendered> {
        self.push(&quoted(text))
    }

    fn step(&mut self) -> Result<(), Unrendered> {
        self.spend(0)
    }

    /// One step, and `more`.
    fn spend(&mut self, more: usize) -> Result<(), Unrendered> {
        self.steps = u32::try_from(more)
            .ok()
            .and_then(|more| self.steps.checked_sub(more)?.checked_sub(1))
            .ok_or_else(|| Unrendered::new("it takes too many steps for this event"))?;
        Ok(())
    }

    /// What `$if` leads to; `None` if that is to be left out.
    fn chosen<'p>(&mut self, piece: &'p Piece) -> Result<Option<&'p Piece>, Unrendered> {
        let mut piece = piece;
        loop {
            let Piece::If {
                test,
                then,
                otherwise,
            } = piece
            else {
                return Ok(Some(piece));
            };
            self.step()?;
            let value = self.value(test)?;
            let holds = value.is_some_and(|value| !matches!(value.raw(), "null" | "false"));
            piece = match (holds, otherwise) {
                (true, _) => then,
                (false, Some(otherwise)) => otherwise,
                (false, None) => return Ok(None),
            };
        }
    }

    fn piece<'p: 'd>(&mut self, piece: &'p Piece) -> Result<(), Unrendered> {
        self.step()?;
        match piece {
            Piece::Plain(json) => self.push(json),
            Piece::Value(expression) => {
                let value = self.needed(expression)?;
                self.push(value.raw())
            }
            Piece::Text(parts) => {
                let mut text = String::new();
                for part in parts {
                    self.step()?;
                    match part {
                        Part::Plain(plain) => text.push_str(plain),
                        Part::Value(expression) => {
                            text.push_str(&self.needed(expression)?.written());
                        }
                    }
                    if text.len() > MAX_OUTPUT_BYTES {
                        break;
                    }
                }
                self.push_text(&text)
            }
            Piece::List(items) => {
                self.push("[")?;
                let mut first = true;
                for (nth, item) in items.iter().enumerate() {
                    let at = |broken: Unrendered| broken.within(&format!("[{nth}]"));
                    if let Some(item) = self.chosen(item).map_err(at)? {
                        self.comma(&mut first)?;
                        self.piece(item).map_err(at)?;
                    }
                }
                self.push("]")
            }
            Piece::Object(fields) => {
                self.push("{")?;
                let mut first = true;
                for (name, value) in fields {
                    let at = |broken: Unrendered| broken.within(&format!(".{}", text_of(name)));
                    if let Some(value) = self.chosen(value).map_err(at)? {
                        self.comma(&mut first)?;
                        self.push(name)?;
                        self.push(":")?;
                        self.piece(value).map_err(at)?;
                    }
                }
                self.push("}")
            }
            Piece::Each { list, name, make } => self.each(list, name, make),
            // Both ways of a choice are looked through before this.
            Piece::If { .. } => self.push("null"),
        }
    }

    fn comma(&mut self, first: &mut bool) -> Result<(), Unrendered> {
        if std::mem::take(first) {
            return Ok(());
        }
        self.push(",")
    }

    fn each<'p: 'd>(
        &mut self,
        list: &'p Expression,
        name: &'p str,
        make: &'p Piece,
    ) -> Result<(), Unrendered> {
        let items = match self.value(list)? {
            Some(Value::There(json)) if json.kind() == Kind::Array => Some(json),
            None => None,
            Some(value) if value.raw() == "null" => None,
            Some(_) => {
                let why = format!("`{}` is no list in this event", list.source);
                return Err(Unrendered::new(why).within(".$each"));
            }
        };
        self.push("[")?;
        let mut first = true;
        for item in items.into_iter().flat_map(Json::items) {
            self.bound.push((name, item));
            let at = |broken: Unrendered| broken.within(".do");
            if let Some(make) = self.chosen(make).map_err(at)? {
                self.comma(&mut first)?;
                self.piece(make).map_err(at)?;
            }
            self.bound.pop();
        }
        self.push("]")
    }

    fn needed(&mut self, expression: &Expression) -> Result<Value<'d>, Unrendered> {
        self.value(expression)?.ok_or_else(|| {
            Unrendered::new(format!(
                "this event has no `{0}`; {{{{{0} | default: \"\"}}}} would make do without",
                expression.source
            ))
        })
    }

    fn value(&mut self, expression: &Expression) -> Result<Option<Value<'d>>, Unrendered> {
        let mut value = match &expression.head {
            Head::Literal(json) => Some(Value::Made(json.clone())),
            Head::Path(name, steps) => self.at(name, steps)?.map(Value::There),
        };
        for filter in &expression.filters {
            value = match (value, filter) {
                (None, Filter::Default(json)) => Some(Value::Made(json.clone())),
                (Some(value), Filter::Default(json)) if value.raw() == "null" => {
                    Some(Value::Made(json.clone()))
                }
                (None, _) => None,
                (Some(value), filter) => {
                    // A filter goes through the whole value, whatever comes of it.
                    self.spend(value.raw().len() / 16)?;
                    let wrong = |why| Unrendered::new(format!("`{}` {why}", expression.source));
                    Some(made(value, filter).map_err(wrong)?)
                }
            };
        }
        Ok(value)
    }

    fn at(&mut self, name: &str, steps: &[Step]) -> Result<Option<Json<'d>>, Unrendered> {
        let bound = self.bound.iter().rev().find(|(bound, _)| *bound == name);
        let mut at = match (bound, name) {
            (Some((_, item)), _) => Some(*item),
            (None, "data") => Some(self.data),
            (None, _) => self.about.get(name),
        };
        for step in steps {
            let Some(json) = at else {
                return Ok(None);
            };
            at = None;
            match step {
                Step::Field(name) => {
                    for (key, value) in json.fields() {
                        self.step()?;
                        if key.is_text(name) {
                            at = Some(value);
                        }
                    }
                }
                Step::Item(nth) => {
                    for (place, item) in json.items().enumerate() {
                        self.step()?;
                        if place == *nth {
                            at = Some(item);
                            break;
                        }
                    }
                }
            }
        }
        Ok(at)
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

fn made<'d>(value: Value<'d>, filter: &Filter) -> Result<Value<'d>, &'static str> {
    let made = match filter {
        Filter::Default(_) => return Ok(value),
        Filter::Upper => quoted(&value.written().to_uppercase()),
        Filter::Lower => quoted(&value.written().to_lowercase()),
        Filter::Json => quoted(value.raw()),
        Filter::Length => length(&value)?.to_string(),
        Filter::Join(between) => joined(&value, between)?,
        Filter::Date(form) => dated(&value, form)?,
    };
    Ok(Value::Made(made))
}

fn length(value: &Value<'_>) -> Result<usize, &'static str> {
    if let Value::There(json) = value {
        match json.kind() {
            Kind::Array => return Ok(json.items().count()),
            Kind::Object => return Ok(json.fields().count()),
            Kind::Null | Kind::Bool | Kind::Number | Kind::String | Kind::Deep => {}
        }
    }
    if value.raw().starts_with('"') {
        return Ok(value.written().chars().count());
    }
    Err("has no length: it is neither text nor a list nor an object")
}

fn joined(value: &Value<'_>, between: &str) -> Result<String, &'static str> {
    let Value::There(json) = value else {
        return Err("is no list");
    };
    if json.kind() != Kind::Array {
        return Err("is no list");
    }
    let mut text = String::new();
    for (nth, item) in json.items().enumerate() {
        if nth > 0 {
            text.push_str(between);
        }
        text.push_str(&Value::There(item).written());
        if text.len() > MAX_OUTPUT_BYTES {
            break;
        }
    }
    Ok(quoted(&text))
}

/// A time in another form. Times are RFC 3339 in UTC, or seconds (from 10^11 on milliseconds) since
/// 1970.
fn dated(value: &Value<'_>, form: &str) -> Result<String, &'static str> {
    const SECONDS_END: u64 = 100_000_000_000;
    let written = value.written();
    let time = match written.parse::<u64>() {
        Ok(seconds) if seconds < SECONDS_END => Timestamp::from_millis(seconds * 1000),
        Ok(milliseconds) => Timestamp::from_millis(milliseconds),
        Err(_) => written
            .parse::<Timestamp>()
            .map_err(|_| "is no time: that would be such as 2026-11-21T12:00:00Z")?,
    };
    // 2026-11-21T12:00:00.123Z
    let shown = time.to_string();
    let part = |from: usize, to: usize| shown.get(from..to).unwrap_or_default().to_owned();
    let mut text = String::new();
    let mut chars = form.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        text.push_str(&match chars.next() {
            Some('Y') => part(0, 4),
            Some('m') => part(5, 7),
            Some('d') => part(8, 10),
            Some('H') => part(11, 13),
            Some('M') => part(14, 16),
            Some('S') => part(17, 19),
            Some('L') => part(20, 23),
            Some('F') => part(0, 10),
            Some('T') => part(11, 19),
            Some('s') => time.as_secs().to_string(),
            Some('%') => "%".to_owned(),
            Some(_) | None => {
                return Err("has a form with something else than %Y %m %d %H %M %S %L %F %T %s");
            }
        });
    }
    Ok(quoted(&text))
}
