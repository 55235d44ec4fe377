//! The template's queues in the embedded SQS, with the callers' roles enforced
//! and their calls counted.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use local_sqs::{CallInfo, CallReport, Hooks, Sqs, SystemClock, queue_name_of_arn};

use crate::console::Console;
use crate::counters::{Count, Counters};
use crate::permissions::Permissions;
use crate::template::Queue;

/// How often the queues are written to disk, where they are.
const SAVE_EVERY: Duration = Duration::from_secs(5);

/// Who calls without a signature: the pollers in this process.
const IN_PROCESS: &str = "event-source";

/// Why the queues could not be brought up.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The saved queues are unusable.
    #[error("cannot read the queues in {path}: {source}")]
    Load {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The template declares an impossible queue.
    #[error("cannot create the queue {queue}: {problem}")]
    Create {
        /// Its name.
        queue: String,
        /// What SQS says.
        problem: String,
    },
}

/// Brings the queues up, with what was in them if there is a file.
pub async fn open(
    queues: &[Queue],
    file: Option<&Path>,
    permissions: Permissions,
    counters: Counters,
    console: Console,
) -> Result<Sqs, QueueError> {
    let sqs = Sqs::with_hooks(
        Arc::new(SystemClock::new()),
        hooks(permissions, counters, console),
    );
    if let Some(file) = file {
        sqs.load(file).await.map_err(|source| QueueError::Load {
            path: file.display().to_string(),
            source,
        })?;
    }
    // A redrive policy needs its dead-letter queue to be there already.
    let (sources, targets): (Vec<&Queue>, Vec<&Queue>) = queues
        .iter()
        .partition(|queue| queue.attributes.contains_key("RedrivePolicy"));
    for queue in targets.into_iter().chain(sources) {
        ensure(&sqs, queue).map_err(|problem| QueueError::Create {
            queue: queue.name.clone(),
            problem,
        })?;
    }
    Ok(sqs)
}

fn ensure(sqs: &Sqs, queue: &Queue) -> Result<(), String> {
    let done = if sqs.queue(&queue.name).is_some() {
        sqs.set_attributes(&queue.name, &queue.attributes)
    } else {
        sqs.create_queue(&queue.name, &queue.attributes).map(drop)
    };
    done.map_err(|error| error.to_string())
}

fn hooks(permissions: Permissions, counters: Counters, console: Console) -> Hooks {
    let authorise = move |call: &CallInfo| {
        let caller = call.access_key_id.as_deref().unwrap_or("anonymous");
        permissions
            .check(caller, &call.action, &call.queue_arn)
            .map_err(|denied| {
                let text = denied.to_string();
                console.warn(&text);
                text
            })
    };
    let observe = move |call: &CallInfo, report: &CallReport| {
        let caller = call.access_key_id.as_deref().unwrap_or(IN_PROCESS);
        let queue = queue_name_of_arn(&call.queue_arn).unwrap_or("*");
        let count = Count {
            calls: 1,
            entries: report.entries as u64,
            errors: u64::from(report.error.is_some()),
            billed_requests: report.billed_requests,
            grouped: report.grouped as u64,
            ..Count::default()
        };
        counters.add(caller, queue, &call.operation, count);
    };
    Hooks {
        authoriser: Some(Arc::new(authorise)),
        observer: Some(Arc::new(observe)),
    }
}

/// Writes the queues to `file` every few seconds, until it is dropped.
pub async fn keep_saved(sqs: Sqs, file: PathBuf, console: Console) {
    loop {
        tokio::time::sleep(SAVE_EVERY).await;
        if let Err(error) = sqs.save_if_changed(&file).await {
            console.warn(&format!("cannot save the queues: {error}"));
        }
    }
}
