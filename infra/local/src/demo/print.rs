//! The story's lines: columns that stay in place, and colour on a terminal.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::Duration;

use super::Counts;
use super::api::Status;
use super::play::Endpoint;
use super::story::{Followed, News, Then};

/// What a piece of text means; on a terminal, its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Heading,
    Good,
    Bad,
    Waiting,
    Aside,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Self::Heading => "1",
            Self::Good => "32",
            Self::Bad => "31",
            Self::Waiting => "33",
            Self::Aside => "2",
        }
    }

    fn of(status: Status) -> Self {
        match status {
            Status::Delivered => Self::Good,
            Status::Dead | Status::Cancelled => Self::Bad,
            Status::Pending | Status::Retrying | Status::Parked | Status::Held => Self::Waiting,
        }
    }
}

/// Prints, and flushes after each line: the story is told as it happens.
pub(super) struct Printer<'a, W> {
    out: &'a mut W,
    colour: bool,
}

impl<'a, W: Write> Printer<'a, W> {
    pub(super) fn new(out: &'a mut W, colour: bool) -> Self {
        Self { out, colour }
    }

    pub(super) fn heading(&mut self, text: &str) -> io::Result<()> {
        self.line(Tone::Heading, &format!("\n{text}"))
    }

    pub(super) fn line(&mut self, tone: Tone, text: &str) -> io::Result<()> {
        let text = self.toned(tone, text);
        self.write(&text)
    }

    pub(super) fn endpoint(&mut self, endpoint: &Endpoint) -> io::Result<()> {
        let types = self.toned(Tone::Aside, endpoint.event_types.join(", "));
        self.write(&format!(
            "  {:<12} {:<44} {types}",
            endpoint.name, endpoint.part
        ))
    }

    pub(super) fn event(
        &mut self,
        at: Duration,
        event_type: &str,
        id: &str,
        deliveries: usize,
    ) -> io::Result<()> {
        let at = self.at(at);
        let id = self.toned(Tone::Aside, id);
        let plural = if deliveries == 1 {
            "delivery"
        } else {
            "deliveries"
        };
        self.write(&format!(
            "{at}  {event_type:<18} accepted, {deliveries} {plural}  {id}"
        ))
    }

    pub(super) fn news(&mut self, at: Duration, of: &Followed, news: &News) -> io::Result<()> {
        let head = format!("{}  {:<12} {:<18}", self.at(at), of.endpoint, of.event_type);
        let line = match news {
            News::Attempt { attempt, then } => {
                let accepted = attempt.result.starts_with('2');
                let tone = if accepted { Tone::Good } else { Tone::Bad };
                let result = self.toned(tone, format!("{:<9}", attempt.result));
                let latency = attempt.latency_ms.map(|ms| format!("{ms:.0} ms"));
                let latency = latency.unwrap_or_default();
                let then = self.then(then);
                format!(
                    "{head} attempt {:<2} {result} {latency:>7}  {then}",
                    attempt.number
                )
            }
            News::Became { status, then } => {
                let then = match then {
                    Then::Nothing | Then::NextIn(_) => {
                        let then = self.then(then);
                        format!("{} {then}", self.toned(Tone::of(*status), status))
                    }
                    Then::End { .. } => self.then(then),
                };
                format!("{head} {:<28}  {then}", "")
            }
            News::Replayed => format!("{head} {}", self.toned(Tone::Waiting, "replayed")),
        };
        self.write(&line)
    }

    pub(super) fn summary_head(&mut self) -> io::Result<()> {
        self.line(
            Tone::Aside,
            "  endpoint     delivered  dead  attempts  signatures verified",
        )
    }

    pub(super) fn summary(
        &mut self,
        endpoint: &Endpoint,
        deliveries: &[Followed],
        counts: &Counts,
    ) -> io::Result<()> {
        let of_it = || deliveries.iter().filter(|of| of.endpoint_id == endpoint.id);
        let ended = |status| of_it().filter(|of| of.ended() == Some(status)).count();
        let attempts: usize = of_it().map(|of| of.attempts).sum();
        let number = |tone, number: usize, width: usize| {
            let text = format!("{number:>width$}");
            if number == 0 {
                text
            } else {
                self.toned(tone, text)
            }
        };
        let delivered = number(Tone::Good, ended(Status::Delivered), 9);
        let dead = number(Tone::Bad, ended(Status::Dead), 4);
        let verified = format!("{} of {}", counts.verified, counts.requests);
        let line = format!(
            "  {:<12} {delivered}  {dead}  {attempts:>8}  {verified:>19}",
            endpoint.name
        );
        self.write(&line)
    }

    fn then(&self, then: &Then) -> String {
        match then {
            Then::Nothing => String::new(),
            Then::NextIn(ahead) => {
                let text = format!("next attempt in {:.1} s", ahead.as_secs_f64());
                self.toned(Tone::Waiting, text)
            }
            Then::End { status, reason } => {
                let reason = reason.as_ref().map(|reason| format!(": {reason}"));
                let text = format!("{status}{}", reason.unwrap_or_default());
                self.toned(Tone::of(*status), text)
            }
        }
    }

    fn at(&self, at: Duration) -> String {
        let offset = format!("+{:.2} s", at.as_secs_f64());
        self.toned(Tone::Aside, format!("  {offset:>9}"))
    }

    fn toned(&self, tone: Tone, text: impl Display) -> String {
        if self.colour {
            format!("\u{1b}[{}m{text}\u{1b}[0m", tone.code())
        } else {
            text.to_string()
        }
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{}", line.trim_end())?;
        self.out.flush()
    }
}
