//! What `CloudWatch` would make of the functions' embedded metrics: sums by
//! namespace, name and dimensions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::{Map, Value};

/// Series kept at most: one with an id for a dimension would grow without end.
const SERIES_LIMIT: usize = 1_000;

/// The values of one metric.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Series {
    /// Values seen.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The largest.
    pub max: f64,
}

impl Series {
    fn add(&mut self, value: f64) {
        self.max = if self.count == 0 {
            value
        } else {
            self.max.max(value)
        };
        self.count += 1;
        self.sum += value;
    }
}

/// All metrics by `namespace/name{dimension=value}`. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    series: Arc<Mutex<BTreeMap<String, Series>>>,
}

impl Metrics {
    /// Adds the values of a log line, if it holds any.
    pub fn note(&self, line: &str) {
        if !line.contains("\"_aws\"") {
            return;
        }
        let Ok(document) = serde_json::from_str::<Map<String, Value>>(line) else {
            return;
        };
        let directives = document
            .get("_aws")
            .and_then(|aws| aws.get("CloudWatchMetrics")?.as_array())
            .into_iter()
            .flatten();
        for directive in directives {
            self.note_directive(&document, directive);
        }
    }

    fn note_directive(&self, document: &Map<String, Value>, directive: &Value) {
        let list = |key: &str| {
            directive
                .get(key)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
        };
        let text = |value: &Value, key: &str| {
            value
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or("")
                .to_owned()
        };
        let namespace = text(directive, "Namespace");
        for metric in list("Metrics") {
            let name = text(metric, "Name");
            for dimensions in list("Dimensions") {
                let key = format!("{namespace}/{name}{}", labels(document, dimensions));
                let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
                if series.len() >= SERIES_LIMIT && !series.contains_key(&key) {
                    continue;
                }
                let series = series.entry(key).or_default();
                for value in values(document.get(&name)) {
                    series.add(value);
                }
            }
        }
    }

    /// All metrics.
    pub fn all(&self) -> BTreeMap<String, Series> {
        self.series
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Forgets them.
    pub fn reset(&self) {
        self.series
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

fn labels(document: &Map<String, Value>, dimensions: &Value) -> String {
    let named: Vec<String> = dimensions
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|name| {
            let value = document.get(name).and_then(Value::as_str).unwrap_or("");
            format!("{name}={value}")
        })
        .collect();
    if named.is_empty() {
        String::new()
    } else {
        format!("{{{}}}", named.join(","))
    }
}

/// A metric's value is a number or a list of them.
fn values(value: Option<&Value>) -> Vec<f64> {
    let Some(value) = value else {
        return Vec::new();
    };
    match value.as_array() {
        Some(items) => items.iter().filter_map(Value::as_f64).collect(),
        None => value.as_f64().into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_add_up_by_namespace_name_and_dimensions() {
        let metrics = Metrics::default();
        let line = r#"{"_aws":{"Timestamp":1,"CloudWatchMetrics":[{"Namespace":"Hookpost",
            "Dimensions":[[],["Stage"]],"Metrics":[{"Name":"Delivered","Unit":"Count"},{"Name":"Latency"}]}]},
            "Stage":"local","Delivered":3,"Latency":[5,9]}"#;
        metrics.note(line);
        metrics.note(line);
        metrics.note("no metrics");
        let all = metrics.all();
        let delivered = Series {
            count: 2,
            sum: 6.0,
            max: 3.0,
        };
        assert_eq!(all["Hookpost/Delivered"], delivered);
        assert_eq!(all["Hookpost/Delivered{Stage=local}"], delivered);
        assert_eq!(
            all["Hookpost/Latency"],
            Series {
                count: 4,
                sum: 28.0,
                max: 9.0
            }
        );
    }
}
