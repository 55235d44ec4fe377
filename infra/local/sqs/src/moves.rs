//! Message move tasks: a dead-letter queue's messages on their way home, or elsewhere.
//!
//! A moved message is a new one: new id, new time of sending, receive count
//! from zero. Without a destination each goes to the queue that gave it up; one
//! that was sent straight to the dead-letter queue has no such queue, and the
//! task fails on it. A task goes once over what was there when it started, so
//! a message that comes back while it runs is not moved a second time.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::errors::SqsError;
use crate::message::{Message, Place};
use crate::names::{queue_arn, queue_name_of_arn};
use crate::state::State;

/// How many tasks of a queue are listed.
const TASKS_KEPT: usize = 10;
/// What a task fails with on a message that no queue gave up.
const NO_SOURCE: &str = "CouldNotDetermineMessageSource";

/// How a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum MoveStatus {
    Running,
    Completed,
    Failed,
    Cancelled,
}

impl MoveStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

/// A task, running or done. Queues are named, not by ARN.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MoveTask {
    pub(crate) handle: String,
    pub(crate) source: String,
    pub(crate) destination: Option<String>,
    /// 1 to 500; as fast as it goes if absent.
    pub(crate) per_second: Option<u64>,
    pub(crate) status: MoveStatus,
    pub(crate) moved: u64,
    pub(crate) to_move: u64,
    pub(crate) failure: Option<String>,
    pub(crate) started_ms: u64,
    /// The next sequence to look at.
    pub(crate) cursor: u64,
    /// The first sequence that came after the task's start.
    pub(crate) end: u64,
}

impl MoveTask {
    pub(crate) fn is_running(&self) -> bool {
        self.status == MoveStatus::Running
    }

    /// How many more may be moved by `now_ms`.
    pub(crate) fn allowance(&self, now_ms: u64) -> u64 {
        match self.per_second {
            None => u64::MAX,
            Some(per_second) => {
                let elapsed_ms = now_ms.saturating_sub(self.started_ms);
                (elapsed_ms.saturating_mul(per_second) / 1000).saturating_sub(self.moved)
            }
        }
    }

    /// When the next message may be moved.
    pub(crate) fn next_due_ms(&self) -> u64 {
        match self.per_second {
            None => self.started_ms,
            Some(per_second) => {
                let wait_ms = (self.moved + 1)
                    .saturating_mul(1000)
                    .div_ceil(per_second.max(1));
                self.started_ms.saturating_add(wait_ms)
            }
        }
    }

    fn fail(&mut self, reason: &str) {
        self.status = MoveStatus::Failed;
        self.failure = Some(reason.to_owned());
    }
}

impl State {
    /// Starts a task over what the queue holds now; answers its handle.
    pub(crate) fn start_task(
        &mut self,
        source_arn: &str,
        destination_arn: Option<&str>,
        per_second: Option<u64>,
        now_ms: u64,
    ) -> Result<String, SqsError> {
        let source = self.existing(source_arn)?;
        let destination = destination_arn.map(|arn| self.existing(arn)).transpose()?;
        if per_second.is_some_and(|rate| !(1..=500).contains(&rate)) {
            return Err(SqsError::InvalidParameterValue(
                "MaxNumberOfMessagesPerSecond must be between 1 and 500.".to_owned(),
            ));
        }
        if self.sources_of(&source)?.is_empty() {
            return Err(SqsError::InvalidParameterValue(
                "Source queue must be configured as a Dead Letter Queue.".to_owned(),
            ));
        }
        if self
            .tasks
            .iter()
            .any(|t| t.source == source && t.is_running())
        {
            return Err(SqsError::UnsupportedOperation(
                "There is already a task running. Only one active task is allowed for a source queue arn at a given time."
                    .to_owned(),
            ));
        }
        let to_move = self.queue_mut(&source, now_ms)?.counts(now_ms).visible;
        let id = self.new_id();
        let handle = STANDARD.encode(
            serde_json::json!({ "taskId": id.to_string(), "sourceArn": source_arn }).to_string(),
        );
        self.forget_old_tasks(&source);
        self.tasks.push(MoveTask {
            handle: handle.clone(),
            source,
            destination,
            per_second,
            status: MoveStatus::Running,
            moved: 0,
            to_move: to_move.try_into().unwrap_or(u64::MAX),
            failure: None,
            started_ms: now_ms,
            cursor: 0,
            end: self.next_seq,
        });
        self.revision += 1;
        self.note_due(Some(now_ms));
        Ok(handle)
    }

    /// The tasks of a queue, newest first.
    pub(crate) fn tasks_of(&self, source_arn: &str, max: usize) -> Result<Vec<MoveTask>, SqsError> {
        let source = self.existing(source_arn)?;
        let tasks = self.tasks.iter().rev();
        Ok(tasks
            .filter(|task| task.source == source)
            .take(max)
            .cloned()
            .collect())
    }

    /// Stops a task; what it moved stays moved. Answers how many that were.
    pub(crate) fn cancel_task(&mut self, handle: &str) -> Result<u64, SqsError> {
        let task = self
            .tasks
            .iter_mut()
            .find(|task| task.handle == handle)
            .ok_or_else(|| SqsError::ResourceNotFound("Task does not exist.".to_owned()))?;
        if !task.is_running() {
            return Err(SqsError::UnsupportedOperation(
                "Only active tasks can be cancelled.".to_owned(),
            ));
        }
        task.status = MoveStatus::Cancelled;
        let moved = task.moved;
        self.revision += 1;
        Ok(moved)
    }

    /// Moves up to `budget` messages; answers when a running task may go on.
    pub(crate) fn run_tasks(&mut self, now_ms: u64, mut budget: u64) -> Option<u64> {
        let mut tasks = std::mem::take(&mut self.tasks);
        for task in tasks.iter_mut().filter(|task| task.is_running()) {
            let mut allowance = task.allowance(now_ms);
            while task.is_running() && allowance > 0 && budget > 0 {
                self.move_next(task, now_ms);
                allowance -= 1;
                budget -= 1;
            }
        }
        let running = tasks.iter().filter(|task| task.is_running());
        let due_ms = running.map(MoveTask::next_due_ms).min();
        self.tasks = tasks;
        due_ms
    }

    /// One step of a task: a message moved, or the task's end.
    fn move_next(&mut self, task: &mut MoveTask, now_ms: u64) {
        self.revision += 1;
        let found = self
            .queues
            .get(&task.source)
            .and_then(|queue| queue.next_visible(task.cursor, task.end));
        let Some((seq, message)) = found else {
            task.status = MoveStatus::Completed;
            return;
        };
        let Some(target) = task
            .destination
            .clone()
            .or(message.dead_letter_source.clone())
        else {
            return task.fail(NO_SOURCE);
        };
        if !self.queues.contains_key(&target) {
            return task.fail(SqsError::QueueDoesNotExist.code());
        }
        let moved = self
            .queues
            .get_mut(&task.source)
            .and_then(|queue| queue.remove(seq));
        task.cursor = seq + 1;
        if let Some(message) = moved {
            self.reenter(&target, message, now_ms);
            task.moved += 1;
        }
    }

    /// Puts a moved message into its queue, as a new one.
    fn reenter(&mut self, target: &str, message: Message, now_ms: u64) {
        let id = self.new_id();
        let seq = self.take_seq();
        if let Some(queue) = self.queues.get_mut(target) {
            let message = Message {
                id,
                content: message.content,
                sent_ms: now_ms,
                first_received_ms: None,
                receive_count: 0,
                receives_here: 0,
                dead_letter_source: None,
                place: Place::Visible { since_ms: now_ms },
            };
            queue.insert(seq, message);
            self.touch(target);
        }
    }

    fn existing(&self, arn: &str) -> Result<String, SqsError> {
        queue_name_of_arn(arn)
            .filter(|name| self.queues.contains_key(*name))
            .map(str::to_owned)
            .ok_or_else(|| {
                SqsError::ResourceNotFound(format!(
                    "The resource that you specified for the SourceArn or DestinationArn parameter doesn't exist: {arn}"
                ))
            })
    }

    /// Leaves room for one more listed task.
    fn forget_old_tasks(&mut self, source: &str) {
        let of_source = |task: &MoveTask| task.source == source;
        while self.tasks.iter().filter(|task| of_source(task)).count() >= TASKS_KEPT {
            let Some(oldest) = self.tasks.iter().position(of_source) else {
                return;
            };
            self.tasks.remove(oldest);
        }
    }
}

/// The ARN of a task's destination, where it was given one.
pub(crate) fn destination_arn(task: &MoveTask) -> Option<String> {
    task.destination.as_deref().map(queue_arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(per_second: Option<u64>, moved: u64) -> MoveTask {
        MoveTask {
            handle: String::new(),
            source: "dead".to_owned(),
            destination: None,
            per_second,
            status: MoveStatus::Running,
            moved,
            to_move: 10,
            failure: None,
            started_ms: 1000,
            cursor: 0,
            end: 10,
        }
    }

    #[test]
    fn a_paced_task_is_never_early() {
        for moved in 0..20 {
            let task = task(Some(3), moved);
            let due = task.next_due_ms();
            assert_eq!(task.allowance(due - 1), 0);
            assert_eq!(task.allowance(due), 1);
        }
    }

    #[test]
    fn an_unpaced_task_is_due_at_once() {
        assert_eq!(task(None, 5).next_due_ms(), 1000);
        assert_eq!(task(None, 5).allowance(1000), u64::MAX);
    }
}
