//! What a sweep found, as CloudWatch's embedded metric format: a line of its own in the logs, and
//! none at all where nothing was lost, so that an idle system publishes no metric.

use std::io::Write;

use hookpost_domain::Timestamp;
use serde_json::json;

use crate::Swept;

impl Swept {
    /// The metrics as a line of the log of `function`: what was found again, by how it had been
    /// lost. `None` if nothing was.
    pub fn metrics(&self, function: &str, now: Timestamp) -> Option<String> {
        let found = [
            ("DeliveriesFound", self.found),
            ("DeliveriesResent", self.resent),
            ("DeadLettersReburied", self.reburied),
        ];
        if found.iter().all(|(_, count)| *count == 0) {
            return None;
        }
        let metrics = found.map(|(name, _)| json!({ "Name": name, "Unit": "Count" }));
        let mut line = json!({
            "_aws": {
                "Timestamp": now.as_millis(),
                "CloudWatchMetrics": [{
                    "Namespace": "Hookpost",
                    "Dimensions": [["Function"]],
                    "Metrics": metrics,
                }],
            },
            "Function": function,
        });
        if let Some(fields) = line.as_object_mut() {
            fields.extend(found.map(|(name, count)| (name.to_owned(), count.into())));
        }
        Some(line.to_string())
    }

    /// Writes the metrics to the log, if there are any.
    pub fn publish(&self, function: &str, now: Timestamp) {
        if let Some(line) = self.metrics(function, now)
            && let Err(error) = writeln!(std::io::stdout().lock(), "{line}")
        {
            tracing::error!(%error, "metrics were not written");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_262_400_000);

    #[test]
    fn what_was_lost_is_a_metric_and_a_quiet_sweep_is_none() {
        let usual = Swept {
            released: 5,
            let_go: 3,
            probes: 1,
            expired: 2,
            ..Swept::default()
        };
        assert_eq!(usual.metrics("sweeper", NOW), None);
        let swept = Swept {
            found: 2,
            resent: 1,
            ..usual
        };
        let line = swept.metrics("hookpost-sweeper", NOW).unwrap();
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "Hookpost");
        for name in directive["Metrics"].as_array().unwrap() {
            assert!(line[name["Name"].as_str().unwrap()].is_u64(), "{line:#}");
        }
        assert_eq!(
            (&line["DeliveriesFound"], &line["DeliveriesResent"]),
            (&json!(2), &json!(1))
        );
        assert_eq!(line["Function"], "hookpost-sweeper");
    }
}
