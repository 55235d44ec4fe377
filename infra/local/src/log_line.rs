//! Makes the functions' JSON log lines readable: time, function, level,
//! message and fields on one line.

use std::fmt::Write as _;
use std::time::SystemTime;

use serde_json::{Map, Value};

use crate::console::Threshold;

/// Fields that every line has and nobody reads on a terminal.
const NOISE: [&str; 8] = [
    "timestamp",
    "time",
    "target",
    "requestId",
    "request_id",
    "xrayTraceId",
    "threadId",
    "span",
];

/// A line as far as it is understood.
#[derive(Debug)]
pub(crate) struct LogLine<'a> {
    raw: &'a str,
    json: Option<Map<String, Value>>,
}

/// Reads a line: a JSON object, or else plain text.
pub(crate) fn parse(raw: &str) -> LogLine<'_> {
    let json = raw
        .starts_with('{')
        .then(|| serde_json::from_str(raw).ok())
        .flatten();
    LogLine { raw, json }
}

impl LogLine<'_> {
    /// Whether it is `CloudWatch`'s embedded metric format.
    pub(crate) fn is_metrics(&self) -> bool {
        self.json
            .as_ref()
            .is_some_and(|json| json.contains_key("_aws"))
    }

    /// How much it matters. What is no JSON (a panic, say) is a warning.
    pub(crate) fn weight(&self) -> Threshold {
        match (&self.json, self.level()) {
            (Some(_), "ERROR" | "FATAL") => Threshold::Errors,
            (None, _) | (Some(_), "WARN") => Threshold::Warnings,
            (Some(_), _) => Threshold::All,
        }
    }

    fn level(&self) -> &str {
        self.json
            .as_ref()
            .and_then(|json| json.get("level")?.as_str())
            .unwrap_or("")
    }

    /// The line for people.
    pub(crate) fn readable(&self, function: &str, now: SystemTime, colour: bool) -> String {
        let time = humantime::format_rfc3339_millis(now).to_string();
        // The date is today's.
        let time = time.get(11..23).unwrap_or(&time);
        let Some(json) = &self.json else {
            return format!("{time} {function:<9} {}", self.raw);
        };
        let level = self.level();
        let painted = match level {
            "ERROR" | "FATAL" => paint("31", level, colour),
            "WARN" => paint("33", level, colour),
            "INFO" => paint("32", level, colour),
            _ => paint("90", level, colour),
        };
        let mut message = String::new();
        let mut fields = String::new();
        collect(json, &mut message, &mut fields);
        format!("{time} {function:<9} {painted} {message}{fields}")
    }
}

fn paint(code: &str, level: &str, colour: bool) -> String {
    if colour {
        format!("\u{1b}[{code}m{level:<5}\u{1b}[0m")
    } else {
        format!("{level:<5}")
    }
}

/// Both shapes that tracing writes: fields flattened, and under `fields`.
fn collect(json: &Map<String, Value>, message: &mut String, fields: &mut String) {
    for (key, value) in json {
        if key == "message" {
            *message = text(value);
        } else if key == "fields"
            && let Some(inner) = value.as_object()
        {
            collect(inner, message, fields);
        } else if key != "level" && !value.is_array() && !NOISE.contains(&key.as_str()) {
            // Writing to a String does not fail.
            let _infallible = write!(fields, " {key}={}", text(value));
        }
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn readable(line: &str) -> String {
        let now = UNIX_EPOCH + Duration::from_millis(3_723_004);
        parse(line).readable("delivery", now, false)
    }

    #[test]
    fn a_json_line_shows_its_message_and_fields() {
        let line = r#"{"timestamp":"x","level":"INFO","message":"delivery deferred","attempt":2,"target":"t"}"#;
        assert_eq!(
            readable(line),
            "01:02:03.004 delivery  INFO  delivery deferred attempt=2"
        );
        let nested = r#"{"level":"WARN","fields":{"message":"slow","endpoint.id":"ep_1"}}"#;
        assert_eq!(
            readable(nested),
            "01:02:03.004 delivery  WARN  slow endpoint.id=ep_1"
        );
    }

    #[test]
    fn what_is_not_json_is_shown_as_it_is_and_counts_as_a_warning() {
        assert_eq!(
            readable("thread panicked"),
            "01:02:03.004 delivery  thread panicked"
        );
        assert_eq!(parse("thread panicked").weight(), Threshold::Warnings);
        assert_eq!(parse(r#"{"level":"INFO"}"#).weight(), Threshold::All);
        assert_eq!(parse(r#"{"level":"ERROR"}"#).weight(), Threshold::Errors);
    }

    #[test]
    fn embedded_metrics_are_told_apart() {
        assert!(parse(r#"{"_aws":{"Timestamp":1},"Delivered":3}"#).is_metrics());
    }
}
