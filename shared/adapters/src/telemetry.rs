//! Logs: JSON lines on stdout, which Lambda hands to CloudWatch.
//!
//! One set of field names everywhere: `delivery.id`, `endpoint.id`, `event.id`, `tenant`,
//! `attempt`. Never a payload, a secret, or a URL's query.

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Libraries whose lower levels are nobody's business.
const QUIET: [&str; 6] = [
    "aws_",
    "hyper",
    "hyper_util",
    "lambda_runtime",
    "reqwest",
    "rustls",
];

/// Starts logging at `level` and above. Later calls do nothing.
pub fn start(level: Level) {
    let quiet = QUIET.map(|library| (library, level.min(Level::WARN)));
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false);
    let started = tracing_subscriber::registry()
        .with(lines)
        .with(Targets::new().with_default(level).with_targets(quiet))
        .try_init();
    if started.is_err() {
        tracing::debug!("logging had been started before");
    }
}
