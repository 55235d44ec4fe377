//! Totals in Prometheus's text format: <https://prometheus.io/docs/instrumenting/exposition_formats/>.
//! Counters count from the beginning, so they only rise; labels are few, whatever tenants send.

use std::collections::HashMap;
use std::fmt::Write;

use hookpost_adapters::queue::Levels;
use hookpost_domain::counters::Counters;

/// Event types with a series of their own; the rest is `other`.
const MAX_TYPES: usize = 50;

/// What the document tells.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) total: Counters,
    pub(super) by_type: HashMap<String, Counters>,
    pub(super) endpoints: u64,
    pub(super) active: u64,
    pub(super) open_breakers: u64,
    /// The deployment's queues, for whoever may see all of it.
    pub(super) queues: Option<Levels>,
}

/// The document.
pub(super) fn text(of: &Snapshot) -> String {
    let mut page = Page::default();
    page.about("webhook_events_total", "counter", "Events accepted");
    for (name, events) in by_type(of) {
        page.line("webhook_events_total", &[("event_type", &name)], events);
    }
    page.about(
        "webhook_deliveries_total",
        "counter",
        "Deliveries by how they ended",
    );
    for (status, count) in [
        ("delivered", of.total.delivered),
        ("failed", of.total.dead),
        ("cancelled", of.total.cancelled),
    ] {
        page.line("webhook_deliveries_total", &[("status", status)], count);
    }
    page.about(
        "webhook_attempts_total",
        "counter",
        "Requests made, by what came of them",
    );
    for (result, count) in [
        ("accepted", of.total.latency.count()),
        ("failed", of.total.failed),
    ] {
        page.line("webhook_attempts_total", &[("result", result)], count);
    }
    page.about(
        "webhook_retries_total",
        "counter",
        "Failed requests that were followed by another",
    );
    page.line("webhook_retries_total", &[], of.total.retried);
    duration(&mut page, &of.total);
    for (name, help, value) in [
        ("webhook_endpoints_total", "Endpoints", of.endpoints),
        (
            "webhook_endpoints_active",
            "Endpoints that are delivered to",
            of.active,
        ),
        (
            "webhook_breakers_open",
            "Endpoints whose breaker is open",
            of.open_breakers,
        ),
    ] {
        page.about(name, "gauge", help);
        page.line(name, &[], value);
    }
    if let Some(queues) = of.queues {
        for (name, help, value) in [
            (
                "webhook_queue_size",
                "Messages that wait in the delivery queue",
                queues
                    .delivery
                    .waiting
                    .saturating_add(queues.delivery.delayed),
            ),
            (
                "webhook_queue_in_flight",
                "Messages under way, or kept back for a retry",
                queues.delivery.in_flight,
            ),
            (
                "webhook_dead_letters",
                "Messages in the dead-letter queue",
                queues
                    .dead_letters
                    .waiting
                    .saturating_add(queues.dead_letters.in_flight),
            ),
        ] {
            page.about(name, "gauge", help);
            page.line(name, &[], value);
        }
    }
    page.0
}

/// Events by type, those with the most of them by name.
fn by_type(of: &Snapshot) -> Vec<(String, u64)> {
    let mut types: Vec<(String, u64)> = of
        .by_type
        .iter()
        .map(|(name, counts)| (name.clone(), counts.events))
        .collect();
    types.sort_by(|(name, events), (other, others)| others.cmp(events).then(name.cmp(other)));
    types.truncate(MAX_TYPES);
    types.sort();
    let named: u64 = types.iter().map(|(_, events)| *events).sum();
    types.push(("other".to_owned(), of.total.events.saturating_sub(named)));
    types
}

fn duration(page: &mut Page, total: &Counters) {
    let name = "webhook_delivery_duration_seconds";
    page.about(name, "histogram", "How long accepted requests took");
    let bucket = format!("{name}_bucket");
    for (bound, count) in total.latency.cumulative() {
        let le = bound.map_or_else(|| "+Inf".to_owned(), |ms| seconds(ms.into()));
        page.line(&bucket, &[("le", &le)], count);
    }
    page.line(&format!("{name}_sum"), &[], seconds(total.latency.sum_ms()));
    page.line(&format!("{name}_count"), &[], total.latency.count());
}

/// Milliseconds as seconds, always with a point: `1.0`, `0.05`.
fn seconds(ms: u64) -> String {
    let thousandths = format!("{}.{:03}", ms / 1000, ms % 1000);
    let short = thousandths.trim_end_matches('0');
    if short.ends_with('.') {
        format!("{short}0")
    } else {
        short.to_owned()
    }
}

#[derive(Debug, Default)]
struct Page(String);

impl Page {
    fn about(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
            .collect();
        let labels = match labels.as_slice() {
            [] => String::new(),
            labels => format!("{{{}}}", labels.join(",")),
        };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use hookpost_adapters::queue::Level;

    use super::*;

    fn events(events: u64) -> Counters {
        Counters {
            events,
            ..Counters::default()
        }
    }

    #[test]
    fn it_reads_as_the_document_that_was_wished_for() {
        let mut total = Counters {
            events: 1234,
            delivered: 1150,
            dead: 34,
            ..Counters::default()
        };
        for ms in [60, 700, 700, 70_000] {
            total.latency.observe(ms);
        }
        let text = text(&Snapshot {
            total,
            by_type: HashMap::from([("user.created".to_owned(), events(1234))]),
            endpoints: 12,
            queues: Some(Levels {
                delivery: Level {
                    waiting: 40,
                    delayed: 5,
                    in_flight: 1,
                },
                ..Levels::default()
            }),
            ..Snapshot::default()
        });
        for line in [
            "webhook_events_total{event_type=\"user.created\"} 1234",
            "webhook_deliveries_total{status=\"delivered\"} 1150",
            "webhook_deliveries_total{status=\"failed\"} 34",
            "webhook_delivery_duration_seconds_bucket{le=\"0.1\"} 1",
            "webhook_delivery_duration_seconds_bucket{le=\"1.0\"} 3",
            "webhook_delivery_duration_seconds_bucket{le=\"+Inf\"} 4",
            "webhook_delivery_duration_seconds_sum 71.46",
            "webhook_delivery_duration_seconds_count 4",
            "webhook_queue_size 45",
            "webhook_endpoints_total 12",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn every_series_has_a_help_and_a_type_before_it_and_none_comes_twice() {
        let text = text(&Snapshot {
            queues: Some(Levels::default()),
            ..Snapshot::default()
        });
        let mut seen = std::collections::HashSet::new();
        let mut typed = String::new();
        for line in text.lines() {
            if let Some(kind) = line.strip_prefix("# TYPE ") {
                typed = kind.split(' ').next().unwrap().to_owned();
            } else if !line.starts_with('#') {
                let (series, value) = line.rsplit_once(' ').unwrap();
                assert!(series.starts_with(&typed), "{line}");
                assert!(value.parse::<f64>().is_ok(), "{line}");
                assert!(seen.insert(series.to_owned()), "{line}");
            }
        }
    }

    #[test]
    fn event_types_without_end_have_an_end_here() {
        let by_type = (1..=300u64).map(|n| (format!("t{n}"), events(n))).collect();
        let text = text(&Snapshot {
            total: events(50_000),
            by_type,
            ..Snapshot::default()
        });
        let series: Vec<_> = text
            .lines()
            .filter(|line| line.starts_with("webhook_events_total{"))
            .collect();
        assert_eq!(series.len(), MAX_TYPES + 1);
        let sum: u64 = series
            .iter()
            .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap())
            .sum();
        assert_eq!(sum, 50_000);
    }
}
