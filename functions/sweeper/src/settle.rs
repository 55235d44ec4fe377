//! Putting records back: written first, each over the one that was read, and only then sent.

use std::time::Duration;

use futures::stream::{self, StreamExt};
use hookpost_adapters::table::Damaged;
use hookpost_domain::Timestamp;
use hookpost_domain::carrier::{Carrier, Exhausted};
use hookpost_domain::delivery::{Delivery, Status};
use hookpost_domain::endpoint::Endpoint;
use hookpost_domain::ports::{Error, Outgoing, World, Write};

use crate::{CONCURRENT_WRITES, Queues, Sweeper, Tables};

/// The longest delay that SQS gives a message.
pub(crate) const MAX_DELAY: Duration = Duration::from_secs(900);

/// A record to be stored.
pub(crate) struct Change {
    /// The version it was made from.
    pub(crate) over: u64,
    /// The record. It is sent if it says that a message carries it.
    pub(crate) delivery: Delivery,
    /// When its message is to be seen.
    pub(crate) at: Timestamp,
}

impl Change {
    /// A record that is sent when its next attempt is due, if it is sent at all.
    pub(crate) fn new(before: &Delivery, delivery: Delivery) -> Self {
        let at = match delivery.status {
            Status::InQueue { next_attempt } => next_attempt,
            Status::Parked { .. }
            | Status::Held { .. }
            | Status::Dead { .. }
            | Status::Delivered { .. }
            | Status::Cancelled { .. }
            | Status::Deleted { .. } => Timestamp::default(),
        };
        Self {
            over: before.version,
            delivery,
            at,
        }
    }

    /// A record that is sent at once.
    pub(crate) fn now(before: &Delivery, delivery: Delivery) -> Self {
        Self {
            over: before.version,
            delivery,
            at: Timestamp::default(),
        }
    }
}

impl<S: Tables, Q: Queues, W: World> Sweeper<S, Q, W> {
    /// Writes the records, and sends the messages of those that were won: how many were won. What
    /// was won is sent whatever happened to the others; the error is the first of any.
    pub(crate) async fn put_back(&self, changes: Vec<Change>) -> (u64, Result<(), Error>) {
        let mut writes = stream::iter(changes)
            .map(|change| self.write(change))
            .buffered(CONCURRENT_WRITES);
        let mut won = 0;
        let mut messages = Vec::new();
        let mut failure = None;
        while let Some(written) = writes.next().await {
            match written {
                Ok(Some(change)) => {
                    won += 1;
                    messages.extend(self.message(&change));
                }
                Ok(None) => {}
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        if !messages.is_empty()
            && let Err(error) = self.queues.send(messages).await
        {
            failure = failure.or(Some(error));
        }
        (won, failure.map_or(Ok(()), Err))
    }

    /// The change, if it was won.
    async fn write(&self, change: Change) -> Result<Option<Change>, Error> {
        // The semaphore is never closed.
        let _permit = self.writes.acquire().await.ok();
        let written = self
            .store
            .store_delivery(&change.delivery, change.over)
            .await;
        match written {
            Ok(Write::Won) => Ok(Some(change)),
            Ok(Write::Lost(_)) => Ok(None),
            Err(error) if error.source.is::<Damaged>() => {
                // Somebody's record is there, and it is not for us to judge.
                tracing::error!(delivery.id = %change.delivery.id, error = %error.source, "a record cannot be read");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn message(&self, change: &Change) -> Option<(Outgoing, Duration)> {
        if !matches!(change.delivery.status, Status::InQueue { .. }) {
            return None;
        }
        let now = self.world.now();
        let delay = change.at.since(now).min(MAX_DELAY);
        let carrier = Carrier::pointing(&change.delivery, now);
        Some((Outgoing::Deliver(Box::new(carrier)), delay))
    }

    /// Writes the record of a dead letter over the one of version `over`, and then hands its story
    /// to the dead-letter queue. Whether it was ours to do.
    pub(crate) async fn bury(
        &self,
        delivery: &Delivery,
        over: u64,
        endpoint: Option<&Endpoint>,
    ) -> Result<bool, Error> {
        let change = Change {
            over,
            delivery: delivery.clone(),
            at: Timestamp::default(),
        };
        if self.write(change).await?.is_none() {
            return Ok(false);
        }
        let url = endpoint
            .map(|endpoint| endpoint.url.for_logs())
            .unwrap_or_default();
        let body = |now| {
            let last_word =
                Exhausted::of(delivery, url.clone(), None, self.config.dlq_retention, now);
            serde_json::to_string(&last_word).unwrap_or_default()
        };
        self.queues.bury(body).await?;
        Ok(true)
    }
}
