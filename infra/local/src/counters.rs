//! Counts of AWS calls and of what they would be billed, by caller.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

/// What one caller did with one operation on one table or queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Count {
    /// Calls.
    pub calls: u64,
    /// Items or messages in those.
    pub entries: u64,
    /// Calls that were refused, failed conditions among them.
    pub errors: u64,
    /// `DynamoDB` read units.
    pub read_units: f64,
    /// `DynamoDB` write units.
    pub write_units: f64,
    /// SQS requests as billed: one per 64 KiB begun.
    pub billed_requests: u64,
    /// SQS messages with a group, which cost the fair-queue surcharge.
    pub grouped: u64,
}

/// A count and what it is of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Counted {
    /// A function's logical id, another access key id, or `event-source`.
    pub caller: String,
    /// The table's or queue's name.
    pub resource: String,
    /// The operation, such as `PutItem`.
    pub operation: String,
    /// How often and how much.
    #[serde(flatten)]
    pub count: Count,
}

type Key = (String, String, String);

/// Counts of one service. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    counts: Arc<Mutex<HashMap<Key, Count>>>,
}

impl Counters {
    /// Adds to a count.
    pub fn add(&self, caller: &str, resource: &str, operation: &str, more: Count) {
        let key = (caller.to_owned(), resource.to_owned(), operation.to_owned());
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key).or_default();
        count.calls += more.calls;
        count.entries += more.entries;
        count.errors += more.errors;
        count.read_units += more.read_units;
        count.write_units += more.write_units;
        count.billed_requests += more.billed_requests;
        count.grouped += more.grouped;
    }

    /// All counts, in order of caller, resource and operation.
    pub fn all(&self) -> Vec<Counted> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Counted> = counts
            .iter()
            .map(|((caller, resource, operation), count)| Counted {
                caller: caller.clone(),
                resource: resource.clone(),
                operation: operation.clone(),
                count: *count,
            })
            .collect();
        all.sort_by(|left, right| {
            (&left.caller, &left.resource, &left.operation).cmp(&(
                &right.caller,
                &right.resource,
                &right.operation,
            ))
        });
        all
    }

    /// Counts from zero again.
    pub fn reset(&self) {
        self.counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_add_up_by_caller_resource_and_operation() {
        let counters = Counters::default();
        let one = Count {
            calls: 1,
            write_units: 1.5,
            ..Count::default()
        };
        counters.add("Ingest", "events", "PutItem", one);
        counters.add("Ingest", "events", "PutItem", one);
        counters.add("Admin", "events", "PutItem", one);
        let all = counters.all();
        assert_eq!((all.len(), all[0].caller.as_str()), (2, "Admin"));
        assert_eq!(
            all[1].count,
            Count {
                calls: 2,
                write_units: 3.0,
                ..Count::default()
            }
        );
        counters.reset();
        assert!(counters.all().is_empty());
    }
}
