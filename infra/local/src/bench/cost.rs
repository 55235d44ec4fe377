//! What a million deliveries would cost on AWS, from the calls and units that
//! were counted. Pure arithmetic over list prices of us-east-1.
//!
//! Requests, units and invocations are measured. Billed milliseconds are not:
//! this machine's are not Lambda's, so compute is taken as 10 ms an invocation
//! of ingest and 150 ms of delivery, at 256 MB on arm64.

use serde::Serialize;

use super::figures::{Counted, Stats};

const HTTP_API_REQUEST: f64 = 1.00;
const LAMBDA_REQUEST: f64 = 0.20;
const SQS_REQUEST: f64 = 0.40;
const FAIR_QUEUE_MESSAGE: f64 = 0.10;
const WRITE_UNIT: f64 = 0.625;
const READ_UNIT: f64 = 0.125;
const GIB_SECOND: f64 = 0.000_013_333_4;
const MEMORY_GIB: f64 = 0.25;
const INGEST_SECONDS: f64 = 0.010;
const DELIVERY_SECONDS: f64 = 0.150;

const INGEST: &str = "IngestFunction";
const DELIVERY: &str = "DeliveryFunction";

/// Names of what is looked for among the counts.
#[derive(Debug, Clone)]
pub(super) struct Resources {
    pub(super) events_table: String,
    pub(super) deliveries_table: String,
    pub(super) delivery_queue: String,
}

/// A line of the bill, in dollars per million deliveries.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Line {
    pub(super) what: &'static str,
    /// Requests, units or invocations per delivery.
    pub(super) per_delivery: f64,
    pub(super) dollars: f64,
    /// The budget with one event a call, and with ten.
    pub(super) budget: [f64; 2],
}

/// Budget of all lines together, with one event a call and with ten.
pub(super) const BUDGET: [f64; 2] = [3.03, 1.57];

/// The bill of a run with `deliveries` deliveries that took `calls` API calls.
pub(super) fn bill(stats: &Stats, names: &Resources, calls: u64, deliveries: u64) -> Vec<Line> {
    let per = Per(count(deliveries.max(1)));
    let dynamodb = |wanted: &dyn Fn(&Counted) -> bool, units: fn(&Counted) -> f64| -> f64 {
        stats.dynamodb.iter().filter(|c| wanted(c)).map(units).sum()
    };
    let sqs = |wanted: &dyn Fn(&Counted) -> bool| -> u64 {
        let matching = stats.sqs.iter().filter(|c| wanted(c));
        matching.map(|c| c.billed_requests).sum()
    };
    let invocations = |function: &str| {
        let function = stats.functions.get(function);
        count(function.map_or(0, |function| function.invocations))
    };
    let written = |counted: &Counted| counted.write_units;
    let of_delivery_queue = |c: &Counted| c.resource == names.delivery_queue;
    let is_send = |c: &Counted| c.operation.starts_with("SendMessage");
    let is_delete = |c: &Counted| c.operation.starts_with("DeleteMessage");
    let is_receive = |c: &Counted| c.operation == "ReceiveMessage";

    let (ingests, batches) = (invocations(INGEST), invocations(DELIVERY));
    let is_event = |c: &Counted| c.resource == names.events_table;
    let is_outcome = |c: &Counted| c.resource == names.deliveries_table;
    let events = dynamodb(&is_event, written);
    let outcomes = dynamodb(&is_outcome, written);
    let other_writes = dynamodb(&|c| !is_event(c) && !is_outcome(c), written);
    let reads = dynamodb(&|_| true, |counted| counted.read_units);
    let sends = count(sqs(&|c| of_delivery_queue(c) && is_send(c)));
    let deletes = count(sqs(&|c| of_delivery_queue(c) && is_delete(c)));
    // Every batch was one receive. A receive that brings nothing is the price of idling.
    let takes = batches + deletes;
    let known = |c: &Counted| of_delivery_queue(c) && (is_send(c) || is_delete(c));
    let other_sqs = count(sqs(&|c| !known(c) && !is_receive(c)));
    let grouped = stats.sqs.iter().filter(|c| is_send(c));
    let grouped = count(grouped.map(|c| c.grouped).sum());

    let compute = |seconds: f64| seconds * MEMORY_GIB * GIB_SECOND * 1e6;
    vec![
        per.line("HTTP API", count(calls), HTTP_API_REQUEST, [1.0, 0.1]),
        per.line("ingest requests", ingests, LAMBDA_REQUEST, [0.2, 0.02]),
        per.line(
            "ingest compute",
            ingests,
            compute(INGEST_SECONDS),
            [0.033, 0.003],
        ),
        per.line(
            "event item, write units",
            events,
            WRITE_UNIT,
            [0.625, 0.625],
        ),
        per.line("SQS send", sends, SQS_REQUEST, [0.4, 0.04]),
        per.line("receive and delete", takes, SQS_REQUEST, [0.08, 0.08]),
        per.line(
            "delivery requests and compute",
            batches,
            LAMBDA_REQUEST + compute(DELIVERY_SECONDS),
            [0.07, 0.07],
        ),
        per.line(
            "outcome item, write units",
            outcomes,
            WRITE_UNIT,
            [0.625, 0.625],
        ),
        per.line("other write units", other_writes, WRITE_UNIT, [0.0, 0.0]),
        per.line("read units", reads, READ_UNIT, [0.0, 0.0]),
        per.line("other SQS requests", other_sqs, SQS_REQUEST, [0.0, 0.0]),
        per.line(
            "fair-queue surcharge",
            grouped,
            FAIR_QUEUE_MESSAGE,
            [0.0, 0.0],
        ),
    ]
}

/// The deliveries that everything is divided by.
struct Per(f64);

impl Per {
    fn line(
        &self,
        what: &'static str,
        count: f64,
        dollars_each_million: f64,
        budget: [f64; 2],
    ) -> Line {
        let per_delivery = count / self.0;
        Line {
            what,
            per_delivery,
            dollars: per_delivery * dollars_each_million,
            budget,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
pub(super) fn count(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names() -> Resources {
        Resources {
            events_table: "events".into(),
            deliveries_table: "deliveries".into(),
            delivery_queue: "delivery".into(),
        }
    }

    fn function(invocations: u64) -> serde_json::Value {
        json!({ "binary": "x", "instances": 1, "invocations": invocations, "errors": 0, "cpu_ms": 0, "peak_rss_kib": 0, "memory_mb": 256, "busy_ms": 0 })
    }

    fn counted(resource: &str, operation: &str, units: f64, requests: u64) -> serde_json::Value {
        json!({
            "caller": "x", "resource": resource, "operation": operation, "calls": requests,
            "read_units": 0.0, "write_units": units, "billed_requests": requests, "grouped": 0,
        })
    }

    #[test]
    fn the_table_of_the_design_comes_out() {
        let stats = json!({
            "process": { "cpu_ms": 0, "peak_rss_kib": 0 },
            "functions": { "IngestFunction": function(1_000), "DeliveryFunction": function(100) },
            "dynamodb": [counted("events", "PutItem", 1_000.0, 0), counted("deliveries", "PutItem", 1_000.0, 0)],
            "sqs": [
                counted("delivery", "SendMessageBatch", 0.0, 1_000),
                counted("delivery", "ReceiveMessage", 0.0, 5_000),
                counted("delivery", "DeleteMessageBatch", 0.0, 100),
            ],
        });
        let stats: Stats = serde_json::from_value(stats).unwrap();
        let bill = bill(&stats, &names(), 1_000, 1_000);
        for line in &bill {
            let budget = line.budget[0];
            assert!((line.dollars - budget).abs() < 0.005, "{line:?}");
        }
        let total: f64 = bill.iter().map(|line| line.dollars).sum();
        assert!((total - BUDGET[0]).abs() < 0.01, "{total}");
        let ten: f64 = bill.iter().map(|line| line.budget[1]).sum();
        assert!((ten - BUDGET[1]).abs() < 0.01, "{ten}");
    }
}
