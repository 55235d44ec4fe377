//! One form for all values that JSON Schema holds to be equal: numbers by their value, objects
//! whatever the order of their fields, text however it is escaped.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::json::{Decimal, Json, Kind};

/// The form of a value.
pub(super) fn form(json: Json<'_>) -> String {
    let mut text = String::new();
    write(json, &mut text);
    text
}

/// As deep as a document is looked into, and no deeper.
fn write(json: Json<'_>, text: &mut String) {
    match json.kind() {
        Kind::Null | Kind::Bool | Kind::Deep => text.push_str(json.raw()),
        Kind::Number => {
            let _ = write!(text, "{}", Decimal::of(json.raw()));
        }
        Kind::String => write_text(&json.text().unwrap_or_default(), text),
        Kind::Array => {
            text.push('[');
            for item in json.items() {
                write(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Kind::Object => {
            text.push('{');
            for (name, value) in fields(json) {
                write_text(&name, text);
                write(value, text);
                text.push(',');
            }
            text.push('}');
        }
    }
}

/// Its length first, so that nothing in it can be taken for what follows.
fn write_text(value: &str, text: &mut String) {
    let _ = write!(text, "\"{}:{value}", value.len());
}

/// The fields of an object by their names. Of several of a name the last counts.
pub(super) fn fields(json: Json<'_>) -> BTreeMap<Cow<'_, str>, Json<'_>> {
    json.fields()
        .filter_map(|(name, value)| Some((name.text()?, value)))
        .collect()
}
