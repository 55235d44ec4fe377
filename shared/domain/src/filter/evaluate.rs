//! Holding a pattern against a payload.

use std::cell::OnceCell;

use serde::Serialize;

use super::condition::{Condition, shown};
use super::{Compiled, Field, Leaf, Pattern, Wants};
use crate::json::{Document, Json, Kind};

/// A part of a filter that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unmet {
    /// The field: `data.order.amount`.
    pub path: String,
    /// Its conditions, as the filter has them: `[{"numeric":[">",100]}]`.
    pub wants: String,
    /// What the payload has there.
    pub found: String,
}

/// Where in the event a pattern is held.
#[derive(Debug, Clone, Copy)]
enum Place<'d> {
    /// The event, whose only field that a filter sees is `data`.
    Event(Json<'d>),
    /// A value of the payload.
    Value(Json<'d>),
    /// Where there is none.
    Nothing,
}

impl<'d> Place<'d> {
    fn get(self, name: &str) -> Self {
        match self {
            Self::Event(data) if name == "data" => Self::Value(data),
            Self::Value(value) => value.get(name).map_or(Self::Nothing, Self::Value),
            Self::Event(_) | Self::Nothing => Self::Nothing,
        }
    }

    fn value(self) -> Option<Json<'d>> {
        match self {
            Self::Value(value) => Some(value),
            Self::Event(_) | Self::Nothing => None,
        }
    }
}

pub(super) fn holds(compiled: &Compiled, data: &Document<'_>) -> bool {
    let run = Run::new(compiled, data);
    run.holds(&compiled.pattern, run.event)
}

pub(super) fn unmet(compiled: &Compiled, data: &Document<'_>) -> Vec<Unmet> {
    let run = Run::new(compiled, data);
    let mut found = Vec::new();
    run.unmet(&compiled.pattern, run.event, "", &mut found);
    found
}

#[derive(Debug)]
struct Run<'d> {
    event: Place<'d>,
    /// What is absent from the whole payload is asked once, not once an element of a list.
    absent: Vec<OnceCell<bool>>,
}

impl<'d> Run<'d> {
    fn new(compiled: &Compiled, data: &'d Document<'_>) -> Self {
        Self {
            event: Place::Event(data.root()),
            absent: vec![OnceCell::new(); compiled.absences],
        }
    }

    fn holds(&self, pattern: &Pattern, place: Place<'d>) -> bool {
        let field = |field: &Field| self.field_holds(&field.wants, place.get(&field.name));
        let any = |patterns: &Vec<Pattern>| patterns.iter().any(|one| self.holds(one, place));
        pattern.fields.iter().all(field) && pattern.alternatives.iter().all(any)
    }

    fn field_holds(&self, wants: &Wants, place: Place<'d>) -> bool {
        match wants {
            Wants::AnyOf(leaf) => self.leaf_holds(leaf, place),
            Wants::Nested(pattern) => match elements(place).as_slice() {
                [] => self.holds(pattern, Place::Nothing),
                some => some
                    .iter()
                    .any(|element| self.holds(pattern, Place::Value(*element))),
            },
        }
    }

    fn leaf_holds(&self, leaf: &Leaf, place: Place<'d>) -> bool {
        let of_values = |condition: &&Condition| !matches!(condition, Condition::Exists(false));
        let any = place.value().is_some_and(|value| {
            any_leaf(value, &|value| {
                leaf.conditions
                    .iter()
                    .filter(of_values)
                    .any(|condition| condition.holds(value))
            })
        });
        // Absent is what no element of any list on the way has.
        let cell = leaf.absence.and_then(|nth| self.absent.get(nth));
        any || cell.is_some_and(|cell| *cell.get_or_init(|| !any_at(self.event, &leaf.path)))
    }

    fn unmet(&self, pattern: &Pattern, place: Place<'d>, path: &str, found: &mut Vec<Unmet>) {
        for field in &pattern.fields {
            let at = self::path(path, &field.name);
            let value = place.get(&field.name);
            if self.field_holds(&field.wants, value) {
                continue;
            }
            match &field.wants {
                Wants::AnyOf(leaf) => found.push(Unmet {
                    path: at,
                    wants: leaf.source.clone(),
                    found: told(value),
                }),
                Wants::Nested(pattern) => match elements(value).as_slice() {
                    [] => self.unmet(pattern, Place::Nothing, &at, found),
                    [one] => self.unmet(pattern, Place::Value(*one), &at, found),
                    many => found.push(Unmet {
                        path: at,
                        wants: "one element that meets every condition".to_owned(),
                        found: format!("{} elements, of which none does", many.len()),
                    }),
                },
            }
        }
        for patterns in &pattern.alternatives {
            if patterns.iter().any(|one| self.holds(one, place)) {
                continue;
            }
            for (nth, one) in patterns.iter().enumerate() {
                self.unmet(
                    one,
                    place,
                    &format!("{}[{nth}]", self::path(path, "$or")),
                    found,
                );
            }
        }
    }
}

fn path(path: &str, name: &str) -> String {
    if path.is_empty() {
        return name.to_owned();
    }
    format!("{path}.{name}")
}

fn told(place: Place<'_>) -> String {
    match place {
        Place::Value(value) => shown(value.raw()).into_owned(),
        Place::Event(_) | Place::Nothing => "nothing".to_owned(),
    }
}

/// The objects at a place: itself, or those of a list, however nested.
fn elements(place: Place<'_>) -> Vec<Json<'_>> {
    fn collect<'d>(value: Json<'d>, found: &mut Vec<Json<'d>>) {
        match value.kind() {
            Kind::Object => found.push(value),
            Kind::Array => value.items().for_each(|item| collect(item, found)),
            Kind::Null | Kind::Bool | Kind::Number | Kind::String | Kind::Deep => {}
        }
    }
    let mut found = Vec::new();
    if let Some(value) = place.value() {
        collect(value, &mut found);
    }
    found
}

/// Whether this holds for the value, or, of a list, for any that is in it. An object is no leaf.
fn any_leaf<'d>(value: Json<'d>, holds: &impl Fn(Json<'d>) -> bool) -> bool {
    match value.kind() {
        Kind::Object | Kind::Deep => false,
        Kind::Array => value.items().any(|item| any_leaf(item, holds)),
        Kind::Null | Kind::Bool | Kind::Number | Kind::String => holds(value),
    }
}

/// Whether there is any leaf at a path.
fn any_at(place: Place<'_>, path: &[String]) -> bool {
    match (place, path) {
        (Place::Nothing, _) | (Place::Event(_), []) => false,
        (Place::Value(value), []) => any_leaf(value, &|_| true),
        (Place::Value(value), path) if value.kind() == Kind::Array => {
            value.items().any(|item| any_at(Place::Value(item), path))
        }
        (place, [name, rest @ ..]) => any_at(place.get(name), rest),
    }
}
