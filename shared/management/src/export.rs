//! `deliveries/export`: what a filter means, as CSV or JSON lines. A Lambda answer ends at 6 MB: an
//! export comes in parts, each of which says where the next one begins, so that size does not
//! matter.

use hookpost_adapters::api::Problem;
use hookpost_adapters::auth::Caller;
use hookpost_domain::Invalid;
use hookpost_domain::delivery::{Attempt, Delivery};
use hookpost_domain::ports::World;

use crate::deliveries::DeliveryQuery;
use crate::view::DeliveryView;
use crate::{Management, page};

/// Deliveries in a part, unless the caller wants fewer.
const MAX_ROWS: usize = 1_000;
/// Deliveries read at once.
const ROWS: usize = 200;
/// Bytes after which a part ends: a delivery with 200 attempts and their answers is 0.1 MB.
const MAX_BYTES: usize = 3_000_000;
/// Deliveries that are looked at for a part.
const MAX_SCANNED: usize = 5_000;

/// The first line of a CSV export.
const COLUMNS: &str = "id,event_id,endpoint_id,event_type,status,reason,cycle,attempts,created_at,last_attempt_at,ended_at,last_status_code,last_failure\r\n";

/// As what to export.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// A line a delivery, the columns named in the first.
    #[default]
    Csv,
    /// A JSON object a line, with every attempt.
    Jsonl,
}

impl Format {
    /// The media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Jsonl => "application/jsonl",
        }
    }
}

impl std::str::FromStr for Format {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "csv" => Ok(Self::Csv),
            "jsonl" => Ok(Self::Jsonl),
            _ => Err(Invalid::new("format", "must be csv or jsonl")),
        }
    }
}

/// A part of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its lines.
    pub body: String,
    /// What to pass as `after` for the next part, if there may be more.
    pub next: Option<String>,
}

impl<W: World> Management<W> {
    /// The part of an export that begins where the query says. The columns are named in the first.
    ///
    /// # Errors
    /// 422 for a page or a filter that cannot be.
    pub async fn export_deliveries(
        &self,
        caller: &Caller,
        format: Format,
        query: DeliveryQuery,
    ) -> Result<Part, Problem> {
        let rows = query.limit.unwrap_or(MAX_ROWS);
        if !(1..=MAX_ROWS).contains(&rows) {
            let rule = "must be between 1 and 1000";
            return Err(Problem::invalid(&Invalid::new("limit", rule)));
        }
        let after = query.after.as_deref();
        let after = self.place("export", caller, after).await?;
        let mut after = after.as_deref().map(page::read_place).transpose()?;
        let is_first = after.is_none();
        let filter = query.filter();
        let mut body = String::new();
        if is_first && format == Format::Csv {
            body.push_str(COLUMNS);
        }
        let (mut left, mut scanned) = (rows, 0);
        loop {
            let listed = self
                .list(&caller.tenant, &filter, after, left.min(ROWS))
                .await?;
            for delivery in &listed.deliveries {
                match format {
                    Format::Csv => push_csv(&mut body, delivery),
                    Format::Jsonl => push_json(&mut body, delivery),
                }
            }
            left -= listed.deliveries.len();
            scanned += listed.scanned;
            after = listed.next;
            if after.is_none() || left == 0 || scanned >= MAX_SCANNED || body.len() >= MAX_BYTES {
                let next = after.map(|id| id.to_string());
                let next = self.next("export", caller, next).await?;
                return Ok(Part { body, next });
            }
        }
    }
}

fn push_json(body: &mut String, delivery: &Delivery) {
    body.push_str(&serde_json::to_string(&DeliveryView::of(delivery)).unwrap_or_default());
    body.push('\n');
}

fn push_csv(body: &mut String, delivery: &Delivery) {
    let shown = DeliveryView::of(delivery);
    let time = |time: Option<hookpost_domain::Timestamp>| {
        time.map(|time| time.to_string()).unwrap_or_default()
    };
    let last_code = delivery.log.last().and_then(Attempt::status_code);
    let cells = [
        shown.id.to_string(),
        shown.event_id.to_string(),
        shown.endpoint_id.to_string(),
        shown.event_type.to_string(),
        shown.status.to_owned(),
        shown.reason.unwrap_or_default().to_owned(),
        shown.cycle.to_string(),
        shown.attempts.to_string(),
        shown.created_at.to_string(),
        time(shown.last_attempt_at),
        time(shown.ended_at),
        last_code.map(|code| code.to_string()).unwrap_or_default(),
        delivery
            .last_failure()
            .map(Attempt::describe)
            .unwrap_or_default(),
    ];
    for (nth, cell) in cells.iter().enumerate() {
        if nth > 0 {
            body.push(',');
        }
        push_cell(body, cell);
    }
    body.push_str("\r\n");
}

/// A cell by RFC 4180. What a spreadsheet would take for a formula gets a `'` before it: the words
/// of an answer are its sender's.
fn push_cell(body: &mut String, cell: &str) {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let is_plain = !cell.contains(['"', ',', '\r', '\n']);
    if is_plain && !is_formula {
        body.push_str(cell);
        return;
    }
    body.push('"');
    if is_formula {
        body.push('\'');
    }
    body.push_str(&cell.replace('"', "\"\""));
    body.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookpost_domain::delivery::{AttemptResult, DeadReason, FailureKind};
    use hookpost_domain::{DeliveryId, EventId, TenantId, Timestamp};

    fn cell(text: &str) -> String {
        let mut body = String::new();
        push_cell(&mut body, text);
        body
    }

    #[test]
    fn no_cell_is_a_formula_and_none_breaks_its_line() {
        assert_eq!(cell("plain text"), "plain text");
        assert_eq!(cell(""), "");
        assert_eq!(cell("a,b"), "\"a,b\"");
        assert_eq!(cell("say \"hi\"\r\n"), "\"say \"\"hi\"\"\r\n\"");
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\tx"] {
            assert_eq!(cell(formula), format!("\"'{formula}\""));
        }
    }

    #[test]
    fn a_line_has_a_cell_for_each_column() {
        let id = DeliveryId {
            event: EventId::generate(Timestamp::from_millis(1_795_262_400_000), [1; 10]),
            endpoint: "ep_1".parse().unwrap(),
        };
        let delivery = Delivery::new(id, TenantId::default(), "a".parse().unwrap());
        let attempt = Attempt {
            number: 0,
            cycle: 0,
            at: Timestamp::from_millis(1_795_262_401_000),
            latency_ms: 5,
            result: AttemptResult::Failed {
                kind: FailureKind::Http(503),
                detail: "Service Unavailable".to_owned(),
                response: String::new(),
            },
        };
        let now = Timestamp::from_millis(1_795_262_402_000);
        let dead = delivery
            .with_attempt(attempt)
            .dead(DeadReason::AttemptsExhausted, now);
        let mut line = String::new();
        push_csv(&mut line, &dead);
        assert_eq!(line.split(',').count(), COLUMNS.split(',').count());
        assert!(line.contains(",dead,attempts_exhausted,0,1,"), "{line}");
        assert!(
            line.ends_with(",503,HTTP 503: Service Unavailable\r\n"),
            "{line}"
        );
        let mut json = String::new();
        push_json(&mut json, &dead);
        assert_eq!(json.lines().count(), 1);
    }
}
