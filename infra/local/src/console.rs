//! Everything that the local system prints goes through here, a line at a time.
//!
//! A thread of its own writes, so that a slow or stopped terminal never holds
//! the system up: lines that it cannot take are counted and dropped.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::clock;
use crate::log_line;

/// Lines that may wait for the terminal.
const BACKLOG: usize = 20_000;

/// How the functions' log lines are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogStyle {
    /// Time, function, level, message and fields on a line.
    Readable,
    /// As the functions wrote them.
    Json,
}

/// Which of the functions' lines are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Threshold {
    /// All but metrics.
    All,
    /// Warnings and errors.
    Warnings,
    /// Errors, so that a story can be told.
    Errors,
}

/// Prints. Clones share one writer.
#[derive(Debug, Clone)]
pub struct Console {
    lines: SyncSender<Line>,
    dropped: Arc<AtomicU64>,
    style: LogStyle,
    threshold: Threshold,
    quiet: bool,
    colour: bool,
}

enum Line {
    Text(String),
    Flush(SyncSender<()>),
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Line")
    }
}

impl Console {
    /// Starts the writer. `quiet` leaves out what is said in passing.
    pub fn start(style: LogStyle, threshold: Threshold, quiet: bool) -> Self {
        let (lines, queue) = sync_channel(BACKLOG);
        let dropped = Arc::new(AtomicU64::new(0));
        let lost = Arc::clone(&dropped);
        std::thread::spawn(move || write_lines(&queue, &lost));
        Self {
            lines,
            dropped,
            style,
            threshold,
            quiet,
            colour: std::io::stdout().is_terminal(),
        }
    }

    /// Something to know; nothing when quiet.
    pub fn say(&self, text: impl Into<String>) {
        if !self.quiet {
            self.print(text.into());
        }
    }

    /// Something that is probably wrong.
    pub fn warn(&self, text: &str) {
        let label = if self.colour {
            "\u{1b}[33mwarning\u{1b}[0m"
        } else {
            "warning"
        };
        self.print(format!("{label}: {text}"));
    }

    /// A line that a function wrote.
    pub fn function(&self, function: &str, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        let parsed = log_line::parse(line);
        if parsed.is_metrics() && self.style == LogStyle::Readable {
            return;
        }
        if parsed.weight() < self.threshold {
            return;
        }
        self.print(match self.style {
            LogStyle::Json => line.to_owned(),
            LogStyle::Readable => parsed.readable(function, clock::wall(), self.colour),
        });
    }

    /// Whether what is said in passing is left out.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether the terminal shows colours.
    pub fn colour(&self) -> bool {
        self.colour
    }

    fn print(&self, text: String) {
        if self.lines.try_send(Line::Text(text)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until everything so far is written.
    pub fn flush(&self) {
        let (done, written) = sync_channel(1);
        if self.lines.send(Line::Flush(done)).is_ok() {
            // The writer has ended if this fails, so there is nothing to wait for.
            let _ended = written.recv();
        }
    }
}

/// Takes text as it comes, for who writes to a stream: whole lines go on.
#[derive(Debug)]
pub struct LineWriter {
    console: Console,
    begun: Vec<u8>,
}

impl LineWriter {
    /// A stream that ends up on `console`.
    pub fn new(console: Console) -> Self {
        Self {
            console,
            begun: Vec::new(),
        }
    }
}

impl Write for LineWriter {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.begun.extend_from_slice(text);
        while let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.begun.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            self.console.print(line.trim_end_matches('\n').to_owned());
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn write_lines(queue: &Receiver<Line>, dropped: &AtomicU64) {
    let mut out = std::io::BufWriter::new(std::io::stdout());
    while let Ok(line) = queue.recv() {
        let mut next = Some(line);
        while let Some(line) = next.take() {
            match line {
                Line::Text(text) => {
                    // A closed terminal is no reason to end.
                    let _closed = writeln!(out, "{text}");
                    let lost = dropped.swap(0, Ordering::Relaxed);
                    if lost > 0 {
                        let _closed = writeln!(out, "({lost} lines left out)");
                    }
                }
                Line::Flush(done) => {
                    let _closed = out.flush();
                    let _nobody_waits = done.send(());
                }
            }
            next = queue.try_recv().ok();
        }
        let _closed = out.flush();
    }
}
