//! Logs: JSON lines on stdout, which Lambda hands to CloudWatch.
//!
//! One set of field names everywhere: `delivery.id`, `endpoint.id`, `event.id`, `tenant`,
//! `attempt`. Never a payload, a secret, or a URL's query.

use tracing_subscriber::EnvFilter;

/// Starts logging at `level` (`error`, `warn`, `info`, `debug`, `trace`). Later calls do nothing.
pub fn start(level: &str) {
    // A level that is none is reported by the configuration; until then, log.
    let filter = EnvFilter::builder()
        .parse(format!("{level},hyper=warn,hyper_util=warn,rustls=warn,aws_=warn,reqwest=warn,lambda_runtime=warn"))
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let started = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .with_env_filter(filter)
        .try_init();
    if started.is_err() {
        tracing::debug!("logging had been started before");
    }
}
