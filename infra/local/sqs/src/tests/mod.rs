//! Claims about the queues, on a clock that the test moves.

mod endpoint;
mod fifo;
mod handle;
mod moving;
mod redriving;
mod scale;
mod standard;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::errors::SqsError;
use crate::message::{NewMessage, ReceivedMessage, SentMessage};
use crate::names::queue_arn;
use crate::queue::QueueCounts;
use crate::state::{ReceiveAsk, State};

const SECOND: u64 = 1000;
const HOUR: u64 = 3_600_000;

/// The state machine with a moment to hold against it.
struct Moment {
    state: State,
    now_ms: u64,
}

impl Moment {
    fn with_queue(name: &str, attributes: &[(&str, &str)]) -> Self {
        let mut moment = Self {
            state: State::new(7),
            now_ms: 1_700_000_000_000,
        };
        moment.create(name, attributes);
        moment
    }

    /// A queue `source` that gives up after `max_receives`, and its queue `dead`.
    fn with_dead_letters(max_receives: u32) -> Self {
        let mut moment = Self::with_queue("dead", &[]);
        moment.create(
            "source",
            &[("RedrivePolicy", &redrive("dead", max_receives))],
        );
        moment
    }

    fn create(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.try_create(name, attributes).unwrap();
    }

    fn try_create(&mut self, name: &str, attributes: &[(&str, &str)]) -> Result<(), SqsError> {
        self.state
            .create_queue(name, &map(attributes), BTreeMap::new(), self.now_ms)
    }

    fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
    }

    fn send(&mut self, queue: &str, message: NewMessage) -> Result<SentMessage, SqsError> {
        self.state.send(queue, message.prepare()?, self.now_ms)
    }

    fn send_body(&mut self, queue: &str, body: &str) -> String {
        self.send(queue, body_only(body)).unwrap().message_id
    }

    fn receive(&mut self, queue: &str, max: usize) -> Vec<ReceivedMessage> {
        self.receive_for(queue, max, None)
    }

    fn receive_for(
        &mut self,
        queue: &str,
        max: usize,
        visibility_ms: Option<u64>,
    ) -> Vec<ReceivedMessage> {
        let ask = ReceiveAsk {
            max,
            visibility_ms,
            long_poll: false,
        };
        let delivered = self.state.receive(queue, ask, self.now_ms).unwrap();
        delivered.into_iter().map(ReceivedMessage::from).collect()
    }

    fn bodies(&mut self, queue: &str) -> Vec<String> {
        let received = self.receive(queue, 10);
        received.iter().map(|one| one.body.to_string()).collect()
    }

    fn delete(&mut self, queue: &str, handle: &str) -> Result<(), SqsError> {
        self.state.delete(queue, handle, self.now_ms)
    }

    fn hide(&mut self, queue: &str, handle: &str, ms: u64) -> Result<(), SqsError> {
        self.state.change_visibility(queue, handle, ms, self.now_ms)
    }

    fn counts(&mut self, queue: &str) -> QueueCounts {
        let queue = self.state.queue_mut(queue, self.now_ms).unwrap();
        queue.counts(self.now_ms)
    }

    /// Visible, in flight, delayed.
    fn numbers(&mut self, queue: &str) -> (usize, usize, usize) {
        let counts = self.counts(queue);
        (counts.visible, counts.in_flight, counts.delayed)
    }
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn redrive(target: &str, max_receives: u32) -> String {
    format!(
        r#"{{"deadLetterTargetArn":"{}","maxReceiveCount":{max_receives}}}"#,
        queue_arn(target)
    )
}

fn body_only(body: &str) -> NewMessage {
    NewMessage {
        body: body.to_owned(),
        ..NewMessage::default()
    }
}

fn in_group(body: &str, group: &str) -> NewMessage {
    NewMessage {
        group_id: Some(group.to_owned()),
        ..body_only(body)
    }
}

fn delayed(body: &str, seconds: u64) -> NewMessage {
    NewMessage {
        delay: Some(Duration::from_secs(seconds)),
        ..body_only(body)
    }
}
