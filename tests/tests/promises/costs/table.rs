//! The table of costs in ARCHITECTURE.md, and the arithmetic behind its dollars.

use std::fmt::Write as _;
use std::path::Path;

/// Messages a batch, on both queues.
const BATCH: f64 = 10.0;
/// Dollars a million, us-east-1, arm64.
const API_CALL: f64 = 1.00;
const INVOCATION: f64 = 0.20;
const WRITE_UNIT: f64 = 0.625;
const READ_UNIT: f64 = 0.125;
const SQS_REQUEST: f64 = 0.40;
const GROUPED: f64 = 0.10;
const GIB_SECOND: f64 = 13.3334;
const GIB: f64 = 0.25;
/// How long a call takes, and a batch.
const CALL_SECONDS: f64 = 0.010;
const BATCH_SECONDS: f64 = 0.150;
/// Dollars a million bytes of logs.
const LOG_BYTE: f64 = 0.0005;

/// The goals for a million deliveries: one event a call, and ten.
const GOALS: [(&str, f64); 2] = [
    ("one event to one endpoint", 3.30),
    ("ten events in a call", 1.75),
];

/// What a case was counted to take.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) title: String,
    pub(super) deliveries: f64,
    pub(super) calls: f64,
    pub(super) writes: f64,
    pub(super) reads: f64,
    pub(super) requests: f64,
    pub(super) grouped: f64,
    pub(super) received: f64,
    pub(super) deleted: f64,
    /// In the table it is the most that it may be: what is logged depends on the time.
    pub(super) log_bytes: f64,
}

impl Row {
    /// Dollars for a million deliveries.
    fn dollars(&self) -> f64 {
        let compute = |seconds: f64| INVOCATION + seconds * GIB * GIB_SECOND;
        let all = self.calls * (API_CALL + compute(CALL_SECONDS))
            + self.writes * WRITE_UNIT
            + self.reads * READ_UNIT
            + (self.requests + (self.received + self.deleted) / BATCH) * SQS_REQUEST
            + self.grouped * GROUPED
            + self.received / BATCH * compute(BATCH_SECONDS)
            + self.log_bytes * LOG_BYTE;
        all / self.deliveries
    }

    fn read(line: &str) -> Option<(Self, String)> {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [title, numbers @ .., dollars] = cells.as_slice() else {
            return None;
        };
        let numbers: Vec<f64> = numbers.iter().map_while(|cell| cell.parse().ok()).collect();
        let numbers: [f64; 9] = numbers.try_into().ok()?;
        let [
            deliveries,
            calls,
            writes,
            reads,
            requests,
            grouped,
            received,
            deleted,
            log_bytes,
        ] = numbers;
        let row = Self {
            title: (*title).to_owned(),
            deliveries,
            calls,
            writes,
            reads,
            requests,
            grouped,
            received,
            deleted,
            log_bytes,
        };
        Some((row, (*dollars).to_owned()))
    }

    fn written(&self) -> String {
        let Self {
            title,
            deliveries,
            calls,
            writes,
            reads,
            requests,
            grouped,
            received,
            deleted,
            log_bytes,
        } = self;
        format!(
            "| {title} | {deliveries} | {calls} | {writes} | {reads} | {requests} | {grouped} | \
             {received} | {deleted} | {log_bytes} | {:.2} |",
            self.dollars()
        )
    }
}

/// What was logged, as a full batch would log it: a line of metrics a batch, and the rest as it is.
/// Ingest's own lines of metrics are written by time and not by call, and count among these.
pub(super) fn log_bytes(logged: &str, received: f64) -> f64 {
    let lines = logged.lines().filter(|line| line.starts_with('{'));
    let (metrics, others): (Vec<&str>, Vec<&str>) =
        lines.partition(|line| line.contains("\"_aws\""));
    let exact = |count: usize| f64::from(u32::try_from(count).unwrap());
    let bytes = |lines: &[&str]| exact(lines.iter().map(|line| line.len()).sum());
    let a_line = bytes(&metrics) / exact(metrics.len().max(1));
    (bytes(&others) + a_line * received / BATCH).ceil()
}

/// Holds what was counted against the table.
pub(super) fn holds(counted: &[Row]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ARCHITECTURE.md");
    let document = std::fs::read_to_string(path).unwrap();
    let told: Vec<(Row, String)> = document.lines().filter_map(Row::read).collect();
    let mut wanted = String::new();
    let mut wrong = String::new();
    for row in counted {
        let documented = told.iter().find(|(told, _)| told.title == row.title);
        let line = Row {
            log_bytes: documented.map_or(row.log_bytes, |(told, _)| told.log_bytes),
            ..row.clone()
        };
        writeln!(wanted, "{}  (logged: {})", line.written(), row.log_bytes).unwrap();
        let is_right = documented.is_some_and(|(told, dollars)| {
            *told == line && *dollars == format!("{:.2}", told.dollars())
        });
        if !is_right || row.log_bytes > line.log_bytes {
            writeln!(wrong, "{}", row.title).unwrap();
        }
    }
    eprintln!("{wanted}");
    assert!(
        wrong.is_empty(),
        "ARCHITECTURE.md says otherwise of:\n{wrong}it was\n{wanted}"
    );
    let uncounted = told
        .iter()
        .find(|(told, _)| counted.iter().all(|row| row.title != told.title));
    assert!(uncounted.is_none(), "not counted: {uncounted:?}");
    for (title, most) in GOALS {
        let (row, _) = told.iter().find(|(told, _)| told.title == title).unwrap();
        assert!(row.dollars() <= most, "{title}: ${:.2}", row.dollars());
    }
}
