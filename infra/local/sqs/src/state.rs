//! All queues together: the state machine behind the handle.
//!
//! Pure: time is an argument and randomness comes from a seed. What a call did
//! that others wait for (a message became visible, something falls due
//! earlier) is collected as [`Effects`] for the shell to act on.

use std::collections::BTreeMap;

use crate::errors::SqsError;
use crate::message::{Delivered, Message, MessageId, Place};
use crate::moves::MoveTask;
use crate::names::{check_name, queue_arn, queue_name_of_arn};
use crate::queue::{Ask, Queue, check_visibility};
use crate::settings::Settings;

/// What a call did that others may be waiting for.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Queues with something to receive.
    pub(crate) ready: Vec<String>,
    /// The earliest moment at which something touched falls due.
    pub(crate) due_ms: Option<u64>,
}

/// The queues of one account and region.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) queues: BTreeMap<String, Queue>,
    pub(crate) tasks: Vec<MoveTask>,
    /// Grows with every message and queue; never reused.
    pub(crate) next_seq: u64,
    /// Grows with every change.
    pub(crate) revision: u64,
    random: fastrand::Rng,
    effects: Effects,
}

/// What a receive asks of a named queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReceiveAsk {
    pub(crate) max: usize,
    pub(crate) visibility_ms: Option<u64>,
    /// A short poll of a queue that is full in flight is refused, a long one comes back empty.
    pub(crate) long_poll: bool,
}

impl State {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            queues: BTreeMap::new(),
            tasks: Vec::new(),
            next_seq: 1,
            revision: 0,
            random: fastrand::Rng::with_seed(seed),
            effects: Effects::default(),
        }
    }

    /// What has happened since the last call of this.
    pub(crate) fn drain_effects(&mut self) -> Effects {
        std::mem::take(&mut self.effects)
    }

    pub(crate) fn create_queue(
        &mut self,
        name: &str,
        attributes: &BTreeMap<String, String>,
        tags: BTreeMap<String, String>,
        now_ms: u64,
    ) -> Result<(), SqsError> {
        let settings = Settings::parse(attributes)?;
        check_name(name, settings.fifo)?;
        if let Some(queue) = self.queues.get(name) {
            return match queue.settings.first_difference(&settings) {
                None => Ok(()),
                Some(attribute) => Err(SqsError::QueueNameExists(attribute)),
            };
        }
        self.check_redrive(name, &settings)?;
        let id = self.take_seq();
        let mut queue = Queue::new(id, settings, now_ms);
        queue.tags = tags;
        self.queues.insert(name.to_owned(), queue);
        self.revision += 1;
        Ok(())
    }

    pub(crate) fn set_attributes(
        &mut self,
        name: &str,
        changes: &BTreeMap<String, String>,
        now_ms: u64,
    ) -> Result<(), SqsError> {
        let settings = self.queue(name)?.settings.changed(changes)?;
        if changes.contains_key("RedrivePolicy") {
            self.check_redrive(name, &settings)?;
        }
        let queue = self.queue_mut(name, now_ms)?;
        queue.settings = settings;
        queue.modified_ms = now_ms;
        self.touch(name);
        Ok(())
    }

    pub(crate) fn delete_queue(&mut self, name: &str) -> Result<(), SqsError> {
        self.queues
            .remove(name)
            .ok_or(SqsError::QueueDoesNotExist)?;
        self.tasks.retain(|task| task.source != name);
        self.revision += 1;
        Ok(())
    }

    pub(crate) fn queue(&self, name: &str) -> Result<&Queue, SqsError> {
        self.queues.get(name).ok_or(SqsError::QueueDoesNotExist)
    }

    /// The queue as it stands at `now_ms`.
    pub(crate) fn queue_mut(&mut self, name: &str, now_ms: u64) -> Result<&mut Queue, SqsError> {
        let queue = self
            .queues
            .get_mut(name)
            .ok_or(SqsError::QueueDoesNotExist)?;
        queue.settle(now_ms);
        Ok(queue)
    }

    pub(crate) fn receive(
        &mut self,
        name: &str,
        ask: ReceiveAsk,
        now_ms: u64,
    ) -> Result<Vec<Delivered>, SqsError> {
        if let Some(visibility_ms) = ask.visibility_ms {
            check_visibility(visibility_ms)?;
        }
        let redrive = self.redrive_of(name)?;
        let queue = self.queue_mut(name, now_ms)?;
        if queue.is_full() && !ask.long_poll && !queue.settings.fifo {
            return Err(SqsError::OverLimit(name.to_owned()));
        }
        let taken = queue.receive(
            Ask {
                max: ask.max,
                visibility_ms: ask.visibility_ms,
                redrive_after: redrive.as_ref().map(|(_, most)| *most),
            },
            now_ms,
        );
        if let Some((target, _)) = redrive {
            for message in taken.exhausted {
                self.dead_letter(name, &target, message, now_ms);
            }
        }
        // An empty receive wakes nobody, or two pollers of a locked queue would wake each other for ever.
        if !taken.delivered.is_empty() {
            self.touch(name);
        }
        Ok(taken.delivered)
    }

    /// The queue's dead-letter queue, if it is there, and the receives before it.
    fn redrive_of(&self, name: &str) -> Result<Option<(String, u32)>, SqsError> {
        let redrive = self.queue(name)?.settings.redrive.as_ref();
        Ok(redrive.and_then(|policy| {
            let target = queue_name_of_arn(&policy.target_arn)?;
            self.queues
                .contains_key(target)
                .then(|| (target.to_owned(), policy.max_receive_count))
        }))
    }

    /// What SQS's own redrive does: the id stays, and on a standard queue the time of sending too.
    fn dead_letter(&mut self, source: &str, target: &str, mut message: Message, now_ms: u64) {
        let seq = self.take_seq();
        let Some(queue) = self.queues.get_mut(target) else {
            return;
        };
        message.dead_letter_source = Some(source.to_owned());
        message.receives_here = 0;
        message.place = Place::Visible { since_ms: now_ms };
        if queue.settings.fifo {
            message.sent_ms = now_ms;
        }
        queue.insert(seq, message);
        self.touch(target);
    }

    pub(crate) fn delete(&mut self, name: &str, handle: &str, now_ms: u64) -> Result<(), SqsError> {
        self.queue_mut(name, now_ms)?.delete(handle)?;
        self.touch(name);
        Ok(())
    }

    pub(crate) fn change_visibility(
        &mut self,
        name: &str,
        handle: &str,
        visible_in_ms: u64,
        now_ms: u64,
    ) -> Result<(), SqsError> {
        self.queue_mut(name, now_ms)?
            .change_visibility(handle, visible_in_ms, now_ms)?;
        self.touch(name);
        Ok(())
    }

    pub(crate) fn purge(&mut self, name: &str, now_ms: u64) -> Result<(), SqsError> {
        self.queue_mut(name, now_ms)?.purge(name, now_ms)?;
        self.revision += 1;
        Ok(())
    }

    /// Queues whose dead-letter queue this is.
    pub(crate) fn sources_of(&self, name: &str) -> Result<Vec<String>, SqsError> {
        self.queue(name)?;
        let arn = queue_arn(name);
        Ok(self
            .queues
            .iter()
            .filter(|(_, queue)| {
                let redrive = queue.settings.redrive.as_ref();
                redrive.is_some_and(|policy| policy.target_arn == arn)
            })
            .map(|(source, _)| source.clone())
            .collect())
    }

    /// Lets time do its work on every queue, and moves up to `budget` messages
    /// of running tasks. Answers when there is something to do next.
    pub(crate) fn advance(&mut self, now_ms: u64, budget: u64) -> Option<u64> {
        let names: Vec<_> = self.queues.keys().cloned().collect();
        for name in &names {
            if let Some(queue) = self.queues.get_mut(name) {
                queue.settle(now_ms);
                if queue.can_give() {
                    self.effects.ready.push(name.clone());
                }
            }
        }
        let moves_due = self.run_tasks(now_ms, budget);
        let queue_due = self.queues.values().filter_map(Queue::next_due_ms).min();
        moves_due.into_iter().chain(queue_due).min()
    }

    /// A redrive policy must name a queue of the same type that takes from this one.
    fn check_redrive(&self, name: &str, settings: &Settings) -> Result<(), SqsError> {
        let Some(policy) = &settings.redrive else {
            return Ok(());
        };
        let refuse =
            |reason: &str| Err(SqsError::value(&policy.target_arn, "RedrivePolicy", reason));
        let target = queue_name_of_arn(&policy.target_arn)
            .filter(|target| *target != name)
            .and_then(|target| self.queues.get(target));
        match target {
            None => refuse("Dead letter target does not exist."),
            Some(target) if target.settings.fifo != settings.fifo => {
                refuse("Dead-letter queue must be same type of queue as the source queue.")
            }
            Some(target) if !target.settings.redrive_allow.permits(&queue_arn(name)) => refuse(
                "The dead-letter queue's RedriveAllowPolicy does not permit this source queue.",
            ),
            Some(_) => Ok(()),
        }
    }

    /// Notes that a queue has changed, for whoever waits on it.
    pub(crate) fn touch(&mut self, name: &str) {
        self.revision += 1;
        let Some(queue) = self.queues.get_mut(name) else {
            return;
        };
        if queue.can_give() {
            self.effects.ready.push(name.to_owned());
        }
        let due_ms = queue.next_due_ms();
        self.note_due(due_ms);
    }

    pub(crate) fn note_due(&mut self, due_ms: Option<u64>) {
        self.effects.due_ms = self.effects.due_ms.into_iter().chain(due_ms).min();
    }

    pub(crate) fn take_seq(&mut self) -> u64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        seq
    }

    pub(crate) fn new_id(&mut self) -> MessageId {
        let bytes = self.random.u128(..).to_be_bytes();
        MessageId(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }
}
