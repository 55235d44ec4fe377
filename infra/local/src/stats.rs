//! What the local system tells about itself, for the benchmark and for tests:
//! `/_local/stats`, `/_local/stats/reset`, `/_local/queues`, `/_local/faults` and
//! `/_local` on Lambda's port.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use http::{Method, StatusCode};
use local_sqs::Sqs;
use serde_json::{Value, json};

use crate::clock;
use crate::counters::Counters;
use crate::faults::Faults;
use crate::http::{Answer, json as json_answer};
use crate::lambda::Host;
use crate::template::Queue;
use crate::usage;

/// Everything that is counted. Clones share it.
#[derive(Debug, Clone)]
pub struct Stats {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    host: Host,
    sqs: Sqs,
    queues: Vec<Queue>,
    counters: ServiceCounters,
    faults: Faults,
    /// What `/_local` and the ready file say.
    about: Value,
    since: Mutex<Instant>,
    own_baseline_ms: AtomicU64,
}

/// The counts of each service.
#[derive(Debug, Clone, Default)]
pub struct ServiceCounters {
    /// SQS.
    pub sqs: Counters,
    /// `DynamoDB`.
    pub dynamodb: Counters,
    /// KMS.
    pub kms: Counters,
    /// Secrets Manager.
    pub secretsmanager: Counters,
    /// API Gateway's `@connections`.
    pub connections: Counters,
}

impl ServiceCounters {
    fn reset(&self) {
        for counters in [
            &self.sqs,
            &self.dynamodb,
            &self.kms,
            &self.secretsmanager,
            &self.connections,
        ] {
            counters.reset();
        }
    }
}

impl Stats {
    /// Counts from now.
    pub fn new(
        host: Host,
        sqs: Sqs,
        queues: Vec<Queue>,
        counters: ServiceCounters,
        faults: Faults,
        about: Value,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                host,
                sqs,
                queues,
                counters,
                faults,
                about,
                since: Mutex::new(clock::monotonic()),
                own_baseline_ms: AtomicU64::new(0),
            }),
        }
    }

    /// What is to go wrong.
    pub fn faults(&self) -> Faults {
        self.shared.faults.clone()
    }

    /// The answer to a call on `/_local`, if it is one.
    pub fn answer(&self, method: &Method, path: &str) -> Option<Answer> {
        let rest = path.strip_prefix("/_local")?;
        if let Some(rest) = rest.strip_prefix("/faults") {
            let told = self.shared.faults.answer(method, rest);
            let status = told
                .as_ref()
                .map_or(StatusCode::NOT_FOUND, |_| StatusCode::OK);
            return Some(json_answer(status, told.unwrap_or_default().to_string()));
        }
        let body = match (method.as_str(), rest) {
            ("GET", "" | "/") => self.shared.about.clone(),
            ("GET", "/stats") => self.stats(),
            ("POST", "/stats/reset") => {
                self.reset();
                json!({})
            }
            ("GET", "/queues") => self.queues(),
            _ => return Some(json_answer(StatusCode::NOT_FOUND, "{}")),
        };
        Some(json_answer(StatusCode::OK, body.to_string()))
    }

    fn stats(&self) -> Value {
        let shared = &self.shared;
        let own = usage::of(std::process::id()).unwrap_or_default();
        let baseline = shared.own_baseline_ms.load(Ordering::Relaxed);
        let since = *shared.since.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = clock::monotonic().saturating_duration_since(since);
        json!({
            "seconds": elapsed.as_secs_f64(),
            "process": {
                "pid": std::process::id(),
                "cpu_ms": own.cpu_ms.saturating_sub(baseline),
                "peak_rss_kib": own.peak_rss_kib,
            },
            "functions": shared.host.stats(),
            "dynamodb": shared.counters.dynamodb.all(),
            "sqs": shared.counters.sqs.all(),
            "kms": shared.counters.kms.all(),
            "secretsmanager": shared.counters.secretsmanager.all(),
            "connections": shared.counters.connections.all(),
            "metrics": shared.host.metrics().all(),
        })
    }

    fn reset(&self) {
        let shared = &self.shared;
        let own = usage::of(std::process::id()).unwrap_or_default();
        shared.own_baseline_ms.store(own.cpu_ms, Ordering::Relaxed);
        *shared.since.lock().unwrap_or_else(PoisonError::into_inner) = clock::monotonic();
        shared.host.reset_stats();
        shared.counters.reset();
    }

    fn queues(&self) -> Value {
        let shared = &self.shared;
        let counts: BTreeMap<&str, Value> = shared
            .queues
            .iter()
            .filter_map(|queue| {
                let counts = shared.sqs.queue_counts(&queue.name)?;
                let told = json!({
                    "name": queue.name,
                    "visible": counts.visible,
                    "in_flight": counts.in_flight,
                    "delayed": counts.delayed,
                    "oldest_age_ms": counts.oldest_age_ms,
                });
                Some((queue.logical_id.as_str(), told))
            })
            .collect();
        json!(counts)
    }
}
