//! Holding a payload against a schema.

use std::collections::HashSet;

use super::sameness::{fields, form};
use super::{Bound, Count, Fields, MAX_FAULTS, Part, PartId, Rule, Type};
use crate::Invalid;
use crate::json::{Decimal, Document, Json, Kind, compare_numbers};

/// Most steps of a check: about a tenth of a second's worth on the smallest function.
const MAX_STEPS: usize = 400_000;
/// How many bytes of a value are one step to read.
const BYTES_A_STEP: usize = 32;

pub(super) fn faults(parts: &[Part], data: &Document<'_>) -> Vec<Invalid> {
    let mut check = Check {
        parts,
        steps: 0,
        faults: Vec::new(),
        quiet: 0,
    };
    let whole = Place {
        within: None,
        step: Step::Whole,
    };
    check.holds(0, data.root(), &whole);
    if check.is_exhausted() {
        let rule = "takes too many steps to check against the schema of its type: make one of them \
                    simpler";
        return vec![Invalid::new("data", rule)];
    }
    check.faults
}

/// Where in the payload a check is.
#[derive(Debug, Clone, Copy)]
struct Place<'p> {
    within: Option<&'p Place<'p>>,
    step: Step<'p>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'p> {
    Whole,
    Field(&'p str),
    Item(usize),
}

impl<'p> Place<'p> {
    fn then(&'p self, step: Step<'p>) -> Self {
        Self {
            within: Some(self),
            step,
        }
    }

    fn name(&self) -> String {
        let mut steps: Vec<Step<'_>> = std::iter::successors(Some(self), |place| place.within)
            .map(|place| place.step)
            .collect();
        steps.reverse();
        let text = |step: &Step<'_>| match step {
            Step::Whole => "data".to_owned(),
            Step::Field(name) => format!(".{}", name.escape_debug()),
            Step::Item(nth) => format!("[{nth}]"),
        };
        steps.iter().map(text).collect()
    }
}

#[derive(Debug)]
struct Check<'s> {
    parts: &'s [Part],
    steps: usize,
    faults: Vec<Invalid>,
    /// Above zero while it is only asked whether something holds.
    quiet: usize,
}

impl Check<'_> {
    const fn is_exhausted(&self) -> bool {
        self.steps > MAX_STEPS
    }

    fn spend_on(&mut self, json: Json<'_>) {
        self.steps += 1 + json.raw().len() / BYTES_A_STEP;
    }

    fn fault(&mut self, place: &Place<'_>, rule: impl FnOnce() -> String) -> bool {
        if self.quiet == 0 && self.faults.len() < MAX_FAULTS {
            self.faults.push(Invalid::new(place.name(), rule()));
        }
        false
    }

    /// Whether nothing more is to be found out.
    fn is_over(&self) -> bool {
        self.is_exhausted() || self.faults.len() >= MAX_FAULTS
    }

    /// Whether a value fits one of the schemas.
    fn holds(&mut self, id: PartId, json: Json<'_>, place: &Place<'_>) -> bool {
        let parts = self.parts;
        let rules = parts.get(id).map(|part| part.rules.as_slice());
        let mut holds = true;
        for rule in rules.unwrap_or_default() {
            self.steps += 1;
            if self.is_over() {
                return false;
            }
            if json.kind() == Kind::Deep {
                return self.fault(place, || {
                    "is nested too deep to be checked: 64 levels at most".to_owned()
                });
            }
            if !self.rule(rule, json, place) {
                holds = false;
                // What is of the wrong type, or only asked about, need not be looked at further.
                if self.quiet > 0 || matches!(rule, Rule::Never | Rule::Type(_)) {
                    return false;
                }
            }
        }
        holds
    }

    /// Whether a value fits, telling nobody why not.
    fn would_hold(&mut self, id: PartId, json: Json<'_>, place: &Place<'_>) -> bool {
        self.quiet += 1;
        let holds = self.holds(id, json, place);
        self.quiet -= 1;
        holds
    }

    fn rule(&mut self, rule: &Rule, json: Json<'_>, place: &Place<'_>) -> bool {
        match rule {
            Rule::Never => self.fault(place, || "is not expected here".to_owned()),
            Rule::Type(types) => {
                if json.kind() == Kind::Number {
                    self.spend_on(json);
                }
                types.iter().any(|kind| kind.is_of(json))
                    || self.fault(place, || format!("must be {}", listed(types)))
            }
            Rule::OneOfValues { values, shown } => {
                self.spend_on(json);
                self.steps += values.len() / BYTES_A_STEP;
                let own = form(json);
                values.contains(&own) || self.fault(place, || format!("must be one of {shown}"))
            }
            Rule::Bound { bound, number } if json.kind() == Kind::Number => {
                self.spend_on(json);
                bound.holds(json.raw(), number)
                    || self.fault(place, || format!("must be {} {number}", bound.words()))
            }
            Rule::MultipleOf { divisor, shown } if json.kind() == Kind::Number => {
                self.spend_on(json);
                Decimal::of(json.raw()).is_multiple_of(divisor)
                    || self.fault(place, || format!("must be a multiple of {shown}"))
            }
            Rule::Length(count) if json.kind() == Kind::String => {
                self.spend_on(json);
                let length = json.text().unwrap_or_default().chars().count();
                count.holds(length)
                    || self.fault(place, || format!("must have {} characters", count.words()))
            }
            Rule::Items(count) if json.kind() == Kind::Array => {
                self.spend_on(json);
                count.holds(json.items().count())
                    || self.fault(place, || format!("must have {} items", count.words()))
            }
            Rule::Properties(count) if json.kind() == Kind::Object => {
                self.spend_on(json);
                count.holds(fields(json).len())
                    || self.fault(place, || format!("must have {} fields", count.words()))
            }
            Rule::UniqueItems if json.kind() == Kind::Array => self.unique(json, place),
            Rule::List { first, rest } if json.kind() == Kind::Array => {
                self.list(first, *rest, json, place)
            }
            Rule::Object(asked) if json.kind() == Kind::Object => self.object(asked, json, place),
            Rule::AllOf(all) => {
                let mut holds = true;
                for id in all {
                    holds &= self.holds(*id, json, place);
                }
                holds
            }
            Rule::AnyOf(all) => {
                all.iter().any(|id| self.would_hold(*id, json, place))
                    || self.fault(place, || {
                        format!("fits none of the {} alternatives (`anyOf`)", all.len())
                    })
            }
            Rule::OneOf(all) => {
                let fitting = all.iter().filter(|id| self.would_hold(**id, json, place));
                let fitting = fitting.count();
                fitting == 1
                    || self.fault(place, || {
                        let of = all.len();
                        format!(
                            "must fit one of the {of} alternatives (`oneOf`), but fits {fitting}"
                        )
                    })
            }
            Rule::Not(id) => {
                !self.would_hold(*id, json, place)
                    || self.fault(place, || "is what it must not be (`not`)".to_owned())
            }
            Rule::If {
                test,
                then,
                otherwise,
            } => {
                let branch = if self.would_hold(*test, json, place) {
                    then
                } else {
                    otherwise
                };
                branch.is_none_or(|id| self.holds(id, json, place))
            }
            Rule::Ref(id) => self.holds(*id, json, place),
            Rule::Bound { .. }
            | Rule::MultipleOf { .. }
            | Rule::Length(_)
            | Rule::Items(_)
            | Rule::Properties(_)
            | Rule::UniqueItems
            | Rule::List { .. }
            | Rule::Object(_) => true,
        }
    }

    fn unique(&mut self, list: Json<'_>, place: &Place<'_>) -> bool {
        self.spend_on(list);
        let mut seen = HashSet::new();
        let twice = list.items().position(|item| !seen.insert(form(item)));
        twice.is_none_or(|nth| {
            self.fault(&place.then(Step::Item(nth)), || {
                "is in the list already, where each may be once".to_owned()
            })
        })
    }

    fn list(
        &mut self,
        first: &[PartId],
        rest: Option<PartId>,
        json: Json<'_>,
        place: &Place<'_>,
    ) -> bool {
        let mut holds = true;
        for (nth, item) in json.items().enumerate() {
            let Some(id) = first.get(nth).copied().or(rest) else {
                break;
            };
            holds &= self.holds(id, item, &place.then(Step::Item(nth)));
            if self.is_over() || (!holds && self.quiet > 0) {
                return false;
            }
        }
        holds
    }

    fn object(&mut self, asked: &Fields, json: Json<'_>, place: &Place<'_>) -> bool {
        let fields = fields(json);
        let read: usize = fields
            .keys()
            .map(|name| 1 + name.len() / BYTES_A_STEP)
            .sum();
        self.steps += read;
        let mut holds = true;
        for name in &asked.required {
            self.steps += 1;
            if !fields.contains_key(name.as_str()) {
                let place = place.then(Step::Field(name));
                holds = self.fault(&place, || "is required".to_owned());
            }
        }
        for (name, needed) in &asked.dependent {
            self.steps += 1 + needed.len();
            if !fields.contains_key(name.as_str()) {
                continue;
            }
            for needed in needed {
                if !fields.contains_key(needed.as_str()) {
                    let place = place.then(Step::Field(needed));
                    holds = self.fault(&place, || format!("is required beside `{name}`"));
                }
            }
        }
        if !holds && self.quiet > 0 {
            return false;
        }
        for (name, value) in &fields {
            let place = place.then(Step::Field(name));
            let wanted = asked
                .properties
                .get(name.as_ref())
                .or(asked.additional.as_ref());
            if let Some(id) = wanted {
                holds &= self.holds(*id, *value, &place);
            }
            if self.is_over() || (!holds && self.quiet > 0) {
                return false;
            }
        }
        if let Some(id) = asked.names {
            for (name, _) in json.fields() {
                let text = name.text().unwrap_or_default();
                let place = place.then(Step::Field(&text));
                if !self.would_hold(id, name, &place) {
                    let told = || "has a name that is not allowed (`propertyNames`)".to_owned();
                    holds = self.fault(&place, told);
                }
                if self.is_over() {
                    return false;
                }
            }
        }
        holds
    }
}

impl Type {
    fn is_of(self, json: Json<'_>) -> bool {
        match (self, json.kind()) {
            (Self::Null, Kind::Null)
            | (Self::Boolean, Kind::Bool)
            | (Self::Number, Kind::Number)
            | (Self::String, Kind::String)
            | (Self::Array, Kind::Array)
            | (Self::Object, Kind::Object) => true,
            (Self::Integer, Kind::Number) => Decimal::of(json.raw()).is_whole(),
            (
                Self::Null
                | Self::Boolean
                | Self::Integer
                | Self::Number
                | Self::String
                | Self::Array
                | Self::Object,
                _,
            ) => false,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::String => "text",
            Self::Array => "a list",
            Self::Object => "an object",
        }
    }
}

fn listed(types: &[Type]) -> String {
    let words: Vec<_> = types.iter().map(|kind| kind.words()).collect();
    words.join(" or ")
}

impl Bound {
    fn holds(self, number: &str, bound: &str) -> bool {
        let order = compare_numbers(number, bound);
        match self {
            Self::AtLeast => order.is_ge(),
            Self::MoreThan => order.is_gt(),
            Self::AtMost => order.is_le(),
            Self::LessThan => order.is_lt(),
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::AtLeast => "at least",
            Self::MoreThan => "more than",
            Self::AtMost => "at most",
            Self::LessThan => "less than",
        }
    }
}

impl Count {
    const fn holds(self, count: usize) -> bool {
        self.least <= count && count <= self.most
    }

    fn words(self) -> String {
        match (self.least, self.most) {
            (0, most) => format!("at most {most}"),
            (least, usize::MAX) => format!("at least {least}"),
            (least, most) if least == most => least.to_string(),
            (least, most) => format!("{least} to {most}"),
        }
    }
}
