//! The queues, as infra/template.yaml declares them, over the SQS of `infra/local/sqs` in process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hookpost_domain::Timestamp;
use hookpost_domain::carrier::Carrier;
use hookpost_domain::lane::Lane;
use hookpost_domain::line::Wake;
use hookpost_domain::ports::{
    Backlog, DeliveryQueue, Error, ExhaustedQueue, Outgoing, Refusal, WakeQueue, World,
};
use hookpost_domain::time::ceil_secs;
use local_sqs::{NewMessage, Sqs};

use crate::{Clock, Process};

/// The delivery queue's name.
pub const DELIVERY: &str = "delivery";
/// The name of the slow lane's queue.
pub const SLOW: &str = "slow";
/// The name of the queue before the dead-letter queue.
pub const EXHAUSTED: &str = "exhausted";
/// The dead-letter queue's name.
pub const DEAD_LETTERS: &str = "dead-letters";

/// The name of the queue that wakes lines.
pub const ORDERED: &str = "ordered.fifo";
/// The name of its dead-letter queue.
const ORDERED_DEAD_LETTERS: &str = "ordered-dead-letters.fifo";

/// Most messages in one `SendMessageBatch`.
const MAX_BATCH: usize = 10;
/// Tries of a last word.
const TRIES: u32 = 3;

/// All queues, empty. Call it inside a runtime.
///
/// # Panics
/// Never: the attributes are good.
#[expect(clippy::expect_used, reason = "the attributes are good")]
pub fn create(clock: &Clock) -> Sqs {
    let sqs = Sqs::new(Arc::new(clock.clone()));
    let attributes = |pairs: &[(&str, String)]| -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    };
    let retention = ("MessageRetentionPeriod", "1209600".to_owned());
    let dead = sqs.create_queue(DEAD_LETTERS, &attributes(&[retention]));
    let dead = dead.expect("a queue");
    for (name, max_receives) in [(DELIVERY, 100), (SLOW, 100), (EXHAUSTED, 5)] {
        let redrive =
            format!(r#"{{"deadLetterTargetArn":"{dead}","maxReceiveCount":{max_receives}}}"#);
        let made = sqs.create_queue(
            name,
            &attributes(&[
                ("MessageRetentionPeriod", "345600".to_owned()),
                ("VisibilityTimeout", "360".to_owned()),
                ("RedrivePolicy", redrive),
            ]),
        );
        made.expect("a queue");
    }
    let fifo = ("FifoQueue", "true".to_owned());
    let dead = sqs.create_queue(
        ORDERED_DEAD_LETTERS,
        &attributes(std::slice::from_ref(&fifo)),
    );
    let dead = dead.expect("a queue");
    let redrive = format!(r#"{{"deadLetterTargetArn":"{dead}","maxReceiveCount":100}}"#);
    let made = sqs.create_queue(
        ORDERED,
        &attributes(&[
            fifo,
            ("MessageRetentionPeriod", "345600".to_owned()),
            ("VisibilityTimeout", "120".to_owned()),
            ("RedrivePolicy", redrive),
        ]),
    );
    made.expect("a queue");
    sqs
}

/// The queues as one process reaches them.
#[derive(Debug, Clone)]
pub struct Queues {
    sqs: Sqs,
    process: Process,
    /// Where the messages come from that are kept back, if not from a lane.
    source: Option<&'static str>,
}

impl Queues {
    /// The way of `process` to them.
    pub const fn new(sqs: Sqs, process: Process) -> Self {
        Self {
            sqs,
            process,
            source: None,
        }
    }

    /// The same, for a function that gets its messages from the queue that wakes lines.
    #[must_use]
    pub fn of_lines(self) -> Self {
        Self {
            source: Some(ORDERED),
            ..self
        }
    }

    fn put(&self, queue: &str, body: String, delay: Duration, group_id: Option<String>) {
        let message = NewMessage {
            body,
            delay: Some(Duration::from_secs(ceil_secs(delay).min(900))),
            group_id,
            ..NewMessage::default()
        };
        // What is sent here is never refused.
        let _ = self.sqs.send(queue, message);
    }

    fn put_outgoing(&self, lane: Lane, (message, delay): (Outgoing, Duration)) {
        let (body, group) = match &message {
            Outgoing::Deliver(carrier) => {
                let group = carrier.endpoint_id.to_string();
                (serde_json::to_string(carrier), Some(group))
            }
            Outgoing::FanOut(range) => (serde_json::to_string(range), None),
            Outgoing::Raw(body) => (Ok(body.clone()), None),
        };
        self.put(queue_of(lane), body.unwrap_or_default(), delay, group);
    }
}

impl DeliveryQueue for Queues {
    async fn send(&self, messages: Vec<(Outgoing, Duration)>) -> Result<(), Error> {
        let mut messages = messages.into_iter().peekable();
        while messages.peek().is_some() {
            let batch = messages.by_ref().take(MAX_BATCH).collect();
            self.process
                .call_each("SendMessageBatch delivery", batch, |one| {
                    self.put_outgoing(Lane::Fast, one);
                })
                .await?;
        }
        Ok(())
    }

    async fn divert(&self, carrier: Carrier) -> Result<(), Error> {
        let message = Outgoing::Deliver(Box::new(carrier));
        self.process
            .call("SendMessage slow", || {
                self.put_outgoing(Lane::Slow, (message, Duration::ZERO));
            })
            .await
    }

    async fn keep_back(
        &self,
        lane: Lane,
        receipt: &str,
        visible_in: Duration,
    ) -> Result<(), Error> {
        let visible_in = Duration::from_secs(ceil_secs(visible_in));
        self.process
            .call("ChangeMessageVisibility delivery", || {
                let queue = self.source.unwrap_or(queue_of(lane));
                self.sqs.change_visibility(queue, receipt, visible_in)
            })
            .await?
            .map_err(refused)
    }
}

impl WakeQueue for Queues {
    fn keeps_order(&self) -> bool {
        true
    }

    async fn wake(&self, wakes: &[Wake]) -> Result<(), Error> {
        for wake in wakes {
            let send = || {
                let message = NewMessage {
                    body: serde_json::to_string(wake).unwrap_or_default(),
                    group_id: Some(wake.line.to_string()),
                    deduplication_id: Some(self.process.token().to_string()),
                    ..NewMessage::default()
                };
                // What is sent here is never refused.
                let _ = self.sqs.send(ORDERED, message);
            };
            self.process.call("SendMessage ordered", send).await?;
        }
        Ok(())
    }
}

impl ExhaustedQueue for Queues {
    async fn bury(&self, body: impl Fn(Timestamp) -> String + Send + Sync) -> Result<(), Error> {
        let mut tries = 0;
        loop {
            // Dated when it is sent, not when it arrives.
            let dated = body(self.process.now());
            let sent = self
                .process
                .call("SendMessage exhausted", || {
                    self.put(EXHAUSTED, dated, Duration::ZERO, None);
                })
                .await;
            tries += 1;
            if sent.is_ok() || tries == TRIES {
                return sent;
            }
        }
    }
}

impl Backlog for Queues {
    async fn are_lanes_empty(&self) -> Result<bool, Error> {
        self.process
            .call("GetQueueAttributes delivery", || {
                [DELIVERY, SLOW].iter().all(|queue| {
                    self.sqs.queue_counts(queue).is_none_or(|counts| {
                        counts.visible == 0 && counts.in_flight == 0 && counts.delayed == 0
                    })
                })
            })
            .await
    }
}

impl Refusal for Queues {
    async fn refuse(&self, receipt: &str) -> Result<(), Error> {
        self.process
            .call("ChangeMessageVisibility exhausted", || {
                self.sqs
                    .change_visibility(EXHAUSTED, receipt, Duration::ZERO)
            })
            .await?
            .map_err(refused)
    }
}

/// The queue of a lane.
pub const fn queue_of(lane: Lane) -> &'static str {
    match lane {
        Lane::Fast => DELIVERY,
        Lane::Slow => SLOW,
    }
}

fn refused(error: local_sqs::SqsError) -> Error {
    Error {
        call: "SQS",
        source: error.into(),
    }
}
