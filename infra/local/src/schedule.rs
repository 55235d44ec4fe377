//! The template's schedules: each invokes its function at a fixed rate, the
//! first time a period after the start.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use crate::clock;
use crate::console::Console;
use crate::lambda::{Host, Outcome, random_id};
use crate::template::Schedule;

/// Invokes `function` until it is dropped. `every` replaces the schedule's rate.
pub async fn run(
    host: Host,
    function: String,
    schedule: Schedule,
    every: Option<Duration>,
    console: Console,
) {
    let every = every
        .unwrap_or(schedule.every)
        .max(Duration::from_millis(1));
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // An interval's first tick comes at once.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let event = schedule.input.clone().unwrap_or_else(own_event);
        match host.invoke(&function, Bytes::from(event)).await {
            Outcome::Failed(document) => {
                let document = String::from_utf8_lossy(&document);
                console.warn(&format!("{function} failed on schedule: {document}"));
            }
            // What kept it from running was told where it was noticed.
            Outcome::Answered(_) | Outcome::Unavailable(_) => {}
        }
    }
}

/// What `EventBridge` sends without an input.
fn own_event() -> String {
    json!({
        "version": "0",
        "id": random_id(),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "time": humantime::format_rfc3339_seconds(clock::wall()).to_string(),
        "region": local_sqs::REGION,
        "account": local_sqs::ACCOUNT,
        "resources": [],
        "detail": {},
    })
    .to_string()
}
