//! The lines, written by hand: what is in them is known, and a JSON library would be ten times as
//! much.
//!
//! A dimension's value stands beside the metrics in the line, so a line can tell of one `Status`
//! and one `ErrorType`. What has no such dimension is in the first; where each value counts, the
//! next hundred are in the next.

use std::fmt::Write;

use super::{Kind, MAX_VALUES, Measures, NAMESPACE, STACK, Series};
use crate::Timestamp;

/// The values of a series that a line tells.
type Part<'a> = (&'a Series, &'a [u64]);

impl Measures {
    /// The log lines that tell it, of the deployment `stack` (a name without quotes or
    /// backslashes) at the time `at`: one, where nothing has failed.
    pub fn lines(&self, stack: &str, at: Timestamp) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let parts = self.parts(lines.len());
            if parts.is_empty() {
                return lines;
            }
            lines.push(line(&parts, stack, at));
        }
    }

    fn parts(&self, nth: usize) -> Vec<Part<'_>> {
        let mut parts = Vec::new();
        for (place, series) in self.series.iter().enumerate() {
            let values = if series.of.is_some() {
                let before = self.series.iter().take(place);
                let alike = before.filter(|other| other.metric == series.metric);
                (alike.count() == nth).then_some(series.values.as_slice())
            } else {
                series.values.chunks(MAX_VALUES).nth(nth)
            };
            parts.extend(values.map(|values| (series, values)));
        }
        parts
    }
}

fn line(parts: &[Part<'_>], stack: &str, at: Timestamp) -> String {
    let mut line = String::with_capacity(640);
    line.push_str(r#"{"_aws":{"Timestamp":"#);
    push(&mut line, at.as_millis());
    line.push_str(r#","CloudWatchMetrics":["#);
    let plain = parts.iter().filter(|(series, _)| series.of.is_none());
    let plain: Vec<_> = plain.collect();
    let mut first = true;
    if !plain.is_empty() {
        directive(&mut line, None, &plain);
        first = false;
    }
    for part in parts {
        if let Some(by) = part.0.metric.by() {
            if !std::mem::replace(&mut first, false) {
                line.push(',');
            }
            directive(&mut line, Some(by), &[part]);
        }
    }
    line.push_str("]},\"");
    line.push_str(STACK);
    line.push_str("\":\"");
    line.push_str(stack);
    line.push('"');
    for (series, values) in parts {
        if let (Some(by), Some(of)) = (series.metric.by(), series.of) {
            for text in [",\"", by, "\":\"", of, "\""] {
                line.push_str(text);
            }
        }
        line.push_str(",\"");
        line.push_str(series.metric.name());
        line.push_str("\":");
        if series.metric.kind() == Kind::Each {
            for (place, value) in values.iter().enumerate() {
                line.push(if place == 0 { '[' } else { ',' });
                push(&mut line, *value);
            }
            line.push(']');
        } else {
            push(&mut line, values.first().copied().unwrap_or_default());
        }
    }
    line.push('}');
    line
}

/// Which of the line's fields are metrics, and which are their dimensions.
fn directive(line: &mut String, by: Option<&str>, parts: &[&Part<'_>]) {
    for text in [
        r#"{"Namespace":""#,
        NAMESPACE,
        r#"","Dimensions":[[""#,
        STACK,
        "\"",
    ] {
        line.push_str(text);
    }
    if let Some(by) = by {
        for text in [",\"", by, "\""] {
            line.push_str(text);
        }
    }
    line.push_str(r#"]],"Metrics":["#);
    for (place, (series, _)) in parts.iter().enumerate() {
        if place > 0 {
            line.push(',');
        }
        let (name, unit) = (series.metric.name(), series.metric.unit());
        for text in [r#"{"Name":""#, name, r#"","Unit":""#, unit, "\"}"] {
            line.push_str(text);
        }
    }
    line.push_str("]}");
}

fn push(line: &mut String, number: u64) {
    // Writing to a String does not fail.
    let _infallible = write!(line, "{number}");
}
