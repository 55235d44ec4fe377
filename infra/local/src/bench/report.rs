//! The report: everything that was measured, beside what is to be beaten.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::cost::{BUDGET, Line, count};
use super::figures::{Quantiles, Starts};
use super::load::Pace;
use super::measure::{Phase, Program};
use super::table::{Cell, Mark, Table};

/// A rate cannot be reached to the last event: the last one's way belongs to the time.
const OF_THE_RATE: f64 = 0.98;
const TO_BEAT_PER_S: u32 = 1_000;

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) cpus: usize,
    pub(super) optimised: bool,
    pub(super) endpoints: u32,
    pub(super) batch: u32,
    pub(super) payload_bytes: u32,
    pub(super) in_memory: bool,
    pub(super) phases: Vec<Phase>,
    pub(super) programs: Vec<Program>,
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let storage = if self.in_memory {
            "in memory"
        } else {
            "on disk"
        };
        writeln!(
            f,
            "\n{} CPUs for everything, {} endpoints, {} event(s) a call, payload of {} bytes, tables {storage}",
            self.cpus, self.endpoints, self.batch, self.payload_bytes
        )?;
        if !self.optimised {
            writeln!(f, "NOT AN OPTIMISED BUILD: run it with --release")?;
        }
        let mut table = Table {
            phases: &self.phases,
            out: f,
        };
        throughput(&mut table)?;
        latency(&mut table)?;
        processor(&mut table)?;
        memory(&mut table)?;
        self.bill(&mut table)?;
        self.programs(f)?;
        self.calls(f)?;
        self.refusals(f)
    }
}

fn throughput(table: &mut Table<'_, '_>) -> fmt::Result {
    let none_at_all = |number: u64| Cell::from(count(number)).against(Mark::AtMost(0.0));
    table.head("", "to beat")?;
    table.row("events sent", 0, "", |p| f64::from(p.events).into())?;
    table.row("accepted a second", 0, "", |p| p.accepted_per_s.into())?;
    table.row("delivered a second", 0, "1,000", |p| {
        let wanted = match p.pace {
            Pace::Rate { per_second } => per_second.min(TO_BEAT_PER_S),
            Pace::Concurrency { .. } => TO_BEAT_PER_S,
        };
        let mark = Mark::AtLeast(f64::from(wanted) * OF_THE_RATE);
        Cell::from(p.delivered_per_s).against(mark)
    })?;
    table.row("deliveries a batch", 1, "", |p| {
        p.deliveries_per_batch.into()
    })?;
    table.row("refused", 0, "0", |p| none_at_all(p.refused.into()))?;
    table.row("accepted, but not delivered", 0, "0", |p| {
        none_at_all(u64::from(p.accepted).saturating_sub(p.delivered))
    })?;
    table.row("signatures not verified", 0, "0", |p| {
        none_at_all(p.unverified)
    })?;
    table.row("invocations that failed", 0, "0", |p| {
        none_at_all(p.function_errors)
    })?;
    table.row("arrived once more", 0, "", |p| count(p.repeats).into())
}

fn latency(table: &mut Table<'_, '_>) -> fmt::Result {
    let arrival = |p: &Phase, value: fn(Quantiles) -> u32| {
        Cell::from(p.latency_us.map(|latency| ms(value(latency))))
    };
    table.head("POST to arrival, ms", "")?;
    table.row("  p50", 1, "5 at 250/s", |p| {
        arrival(p, |q| q.p50).against(at_rate(p, &[(250, 5.0)]))
    })?;
    table.row("  p95", 1, "20 at 250/s, 500 at 1,000/s", |p| {
        arrival(p, |q| q.p95).against(at_rate(p, &[(250, 20.0), (1_000, 500.0)]))
    })?;
    table.row("  p99", 1, "", |p| arrival(p, |q| q.p99))?;
    table.row("  longest", 1, "", |p| arrival(p, |q| q.max))?;
    table.row("POST to 202, ms: p50", 1, "", |p| {
        ms(p.answer_us.p50).into()
    })?;
    table.row("                 p95", 1, "", |p| {
        ms(p.answer_us.p95).into()
    })
}

fn processor(table: &mut Table<'_, '_>) -> fmt::Result {
    let functions = |p: &Phase| p.function_cpu_ms.values().sum::<f64>();
    table.head("CPU ms a delivery", "")?;
    for name in function_names(table.phases) {
        table.row(&format!("  {name}"), 3, "", |p| {
            p.function_cpu_ms.get(&name).copied().into()
        })?;
    }
    table.row("  functions together", 3, "0.6", |p| {
        Cell::from(functions(p)).against(Mark::AtMost(0.6))
    })?;
    table.row("  emulators and gateway", 3, "", |p| {
        p.emulators_cpu_ms.into()
    })?;
    table.row("  functions and emulators", 3, "1.5", |p| {
        Cell::from(functions(p) + p.emulators_cpu_ms).against(Mark::AtMost(1.5))
    })?;
    table.row("  load and receiver", 3, "", |p| p.own_cpu_ms.into())
}

fn memory(table: &mut Table<'_, '_>) -> fmt::Result {
    table.head("peak memory of a process, MiB", "")?;
    for name in function_names(table.phases) {
        table.row(&format!("  {name}"), 1, "40", |p| {
            let peak = p.function_peak_mib.get(&name).copied();
            Cell::from(peak).against(Mark::AtMost(40.0))
        })?;
        table.row("    processes at the end", 0, "", |p| {
            let instances = p.instances.get(&name).copied();
            instances.map(|number| count(number as u64)).into()
        })?;
    }
    table.row("  emulators and gateway", 1, "", |p| {
        p.emulators_peak_mib.into()
    })
}

impl Report {
    fn bill(&self, table: &mut Table<'_, '_>) -> fmt::Result {
        let budget = |[one_a_call, ten_a_call]: [f64; 2]| {
            if self.batch == 1 {
                one_a_call
            } else {
                ten_a_call
            }
        };
        let of = |phase: &Phase, what: &str| -> Option<Line> {
            phase.bill.iter().find(|line| line.what == what).cloned()
        };
        table.head("dollars per million deliveries", "budget")?;
        for line in table.phases.first().map_or(&[][..], |phase| &phase.bill) {
            let allowed = budget(line.budget);
            let marks = if allowed > 0.0 {
                format!("{allowed:.3}")
            } else {
                String::new()
            };
            table.row(&format!("  {}", line.what), 3, &marks, |p| {
                of(p, line.what).map(|line| line.dollars).into()
            })?;
        }
        let most = budget(BUDGET);
        table.row("  total", 3, &format!("{most:.2}"), |p| {
            let total: f64 = p.bill.iter().map(|line| line.dollars).sum();
            Cell::from(total).against(Mark::AtMost(most))
        })?;
        let counted = "requests and units as counted; compute taken as 10 ms an ingest, 150 ms a batch, at 256 MB on arm64";
        writeln!(table.out, "  ({counted})")
    }

    fn programs(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{:<20}{:>10}{:>12}{:>22}{:>22}",
            "function", "binary MB", "zipped MB", "start to work, ms", "start to answer, ms"
        )?;
        for program in &self.programs {
            let most = if program.name == "AdminFunction" {
                6.0
            } else {
                3.0
            };
            let over = program.zipped_mb.is_some_and(|size| size > most);
            let zipped = format!(
                "{}{}",
                megabytes(program.zipped_mb),
                if over { "!" } else { " " }
            );
            let start = program.start;
            writeln!(
                f,
                "{:<20}{:>10}{zipped:>12}{:>22}{:>22}",
                program.name,
                megabytes(program.binary_mb),
                start_of(start.and_then(|start| start.to_first_next)),
                start_of(start.and_then(|start| start.to_first_answer)),
            )?;
        }
        writeln!(
            f,
            "  (median and longest start; to beat: 3 MB zipped, admin 6 MB)"
        )
    }

    /// What was called, at the last of the paces.
    fn calls(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(phase) = self.phases.last() else {
            return Ok(());
        };
        let title = format!("AWS calls a delivery, {}", phase.pace);
        writeln!(f, "\n{title:<40}{:<36}{:>9}{:>9}", "", "calls", "units")?;
        for calls in &phase.calls {
            writeln!(
                f,
                "  {:<18}{:<20}{:<36}{:>9.4}{:>9.4}",
                calls.caller, calls.operation, calls.resource, calls.times, calls.units
            )?;
        }
        Ok(())
    }

    fn refusals(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for phase in &self.phases {
            if let Some(words) = &phase.last_refusal {
                writeln!(f, "\nrefused at {}: {words}", phase.pace)?;
            }
        }
        Ok(())
    }
}

fn function_names(phases: &[Phase]) -> Vec<String> {
    let names = phases.iter().flat_map(|phase| phase.function_cpu_ms.keys());
    let mut names: Vec<String> = names.cloned().collect();
    names.sort();
    names.dedup();
    names
}

/// The mark for a phase's rate, if there is one.
fn at_rate(phase: &Phase, marks: &[(u32, f64)]) -> Mark {
    match phase.pace {
        Pace::Rate { per_second } => marks
            .iter()
            .find(|(rate, _)| *rate == per_second)
            .map_or(Mark::None, |(_, most)| Mark::AtMost(*most)),
        Pace::Concurrency { .. } => Mark::None,
    }
}

fn ms(us: u32) -> f64 {
    f64::from(us) / 1e3
}

fn megabytes(size: Option<f64>) -> String {
    size.map_or("-".into(), |size| format!("{size:.2}"))
}

fn start_of(starts: Option<Starts>) -> String {
    starts.map_or("-".into(), |starts| {
        format!(
            "{:.1}, {:.1} of {}",
            starts.median_ms, starts.max_ms, starts.count
        )
    })
}
