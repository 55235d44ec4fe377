//! The `exhausted` queue: what comes straight from Hookpost is refused until SQS itself moves it to
//! the dead-letter queue; what somebody redrove from there begins a fresh cycle.
//!
//! It has to be SQS that moves it: the console's redrive cannot send home a message that a program
//! put into the dead-letter queue.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use futures::future::join_all;
use hookpost_adapters::actions;
use hookpost_domain::Timestamp;
use hookpost_domain::action::{Action, Asked};
use hookpost_domain::carrier::{Exhausted, LastWord};
use hookpost_domain::delivery::Status;
use hookpost_domain::endpoint::EndpointState;
use hookpost_domain::news::Dead;
use hookpost_domain::ports::{Error, Outgoing, World, Write};

use crate::{Queues, Replayer, Tables};

/// What becomes of a message.
enum Verdict {
    /// It has served: SQS deletes it.
    Done,
    /// It is on its way to the dead-letter queue.
    Refused,
}

/// How often a record is marked anew when it was changed meanwhile.
const TRIES: u32 = 5;

impl<S: Tables, Q: Queues, W: World> Replayer<S, Q, W> {
    /// Works a batch of the `exhausted` queue, and names the messages that SQS is to keep.
    pub async fn bury_all(&self, event: SqsEvent) -> SqsBatchResponse {
        let dead = Mutex::default();
        let buried = event
            .records
            .iter()
            .map(|message| self.bury(message, &dead));
        let verdicts = join_all(buried).await;
        let dead = dead.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.note_dead(dead).await;
        let mut response = SqsBatchResponse::default();
        for (message, verdict) in event.records.iter().zip(verdicts) {
            if let Err(error) = &verdict {
                tracing::error!(message.id = message.message_id, error = %error, cause = ?error.source, "it comes back at its time-out");
            }
            if !matches!(verdict, Ok(Verdict::Done)) {
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = message.message_id.clone().unwrap_or_default();
                response.batch_item_failures.push(failure);
            }
        }
        response
    }

    /// `dead` gets what is a dead letter from here on.
    async fn bury(&self, message: &SqsMessage, dead: &Mutex<Vec<Dead>>) -> Result<Verdict, Error> {
        let number = |name: &str| {
            message
                .attributes
                .get(name)
                .and_then(|value| value.parse::<u64>().ok())
        };
        let sent = Timestamp::from_millis(number("SentTimestamp").unwrap_or_default());
        let last_word = LastWord::parse(message.body.as_deref().unwrap_or_default());
        match last_word {
            Ok(word) if word.was_redriven(sent) => return self.redriven(word, message).await,
            Ok(LastWord::Delivery(exhausted)) if !self.mark_buried(&exhausted, dead).await? => {
                return Ok(Verdict::Done);
            }
            Ok(_) | Err(_) => {}
        }
        self.refuse(message).await
    }

    async fn refuse(&self, message: &SqsMessage) -> Result<Verdict, Error> {
        self.queues
            .refuse(message.receipt_handle.as_deref().unwrap_or_default())
            .await?;
        Ok(Verdict::Refused)
    }

    /// Notes in the record that the dead-letter queue has, or is about to have, the delivery.
    /// `false` if the message is out of date: a newer cycle runs, or nothing is dead any more.
    async fn mark_buried(
        &self,
        exhausted: &Exhausted,
        dead: &Mutex<Vec<Dead>>,
    ) -> Result<bool, Error> {
        let mut record = self.store.delivery(&exhausted.delivery_id).await?;
        for _ in 0..TRIES {
            let Some(delivery) = record else {
                return Ok(true);
            };
            if delivery.cycle != exhausted.cycle || !matches!(delivery.status, Status::Dead { .. })
            {
                return Ok(false);
            }
            if delivery.check_at.is_none() {
                return Ok(true);
            }
            match self
                .store
                .store_delivery(&delivery.buried(), delivery.version)
                .await?
            {
                Write::Won => {
                    tracing::warn!(
                        delivery.id = %delivery.id,
                        trace_id = exhausted.trace().trace_id(),
                        tenant = %delivery.tenant,
                        endpoint.id = %delivery.id.endpoint,
                        failure = exhausted.failure_reason,
                        attempts = exhausted.attempts,
                        "a delivery was given up"
                    );
                    if !exhausted.event_type.is_operational() {
                        let mut dead = dead.lock().unwrap_or_else(PoisonError::into_inner);
                        dead.push(Dead::of(exhausted));
                    }
                    return Ok(true);
                }
                Write::Lost(other) => record = other,
            }
        }
        Err(Error {
            call: "marking a dead letter",
            source: "its record changes all the time".into(),
        })
    }

    /// Somebody sent the message home from the dead-letter queue.
    async fn redriven(&self, word: LastWord, message: &SqsMessage) -> Result<Verdict, Error> {
        let exhausted = match word {
            LastWord::Poison(poison) => {
                // Perhaps this version can read it.
                self.queues
                    .send(vec![(Outgoing::Raw(poison.poison), Duration::ZERO)])
                    .await?;
                return Ok(Verdict::Done);
            }
            LastWord::Delivery(exhausted) => exhausted,
        };
        let Some(delivery) = self.store.delivery(&exhausted.delivery_id).await? else {
            // Nothing is known of it any more: only its message is left to tell.
            return self.refuse(message).await;
        };
        if delivery.cycle != exhausted.cycle || !matches!(delivery.status, Status::Dead { .. }) {
            tracing::info!(delivery.id = %delivery.id, status = delivery.status_name(), "a redriven message came too late");
            return Ok(Verdict::Done);
        }
        if delivery.resolution.is_some() {
            // Somebody has dealt with it: a redrive of everything does not mean it.
            tracing::info!(delivery.id = %delivery.id, "a redriven message is dropped: its dead letter is resolved");
            return Ok(Verdict::Done);
        }
        let endpoint = self
            .store
            .endpoint_config(&delivery.tenant, &delivery.id.endpoint)
            .await?;
        if let Some(endpoint) = endpoint
            && matches!(endpoint.state, EndpointState::Disabled(_))
        {
            // A new cycle would end at once, in a death that the dead-letter queue is not told of.
            tracing::warn!(
                delivery.id = %delivery.id,
                tenant = %delivery.tenant,
                endpoint.id = %endpoint.id,
                "a redriven message goes back to the dead-letter queue: its endpoint is disabled"
            );
            return self.refuse(message).await;
        }
        let now = self.world.now();
        let asked = Asked::of(Action::Replay);
        let acted = actions::act(&self.store, &asked, delivery, now, now).await?;
        if let Some(message) = acted.message(now) {
            self.queues.send(vec![message]).await?;
            self.note_replayed();
            tracing::info!(delivery.id = %exhausted.delivery_id, trace_id = exhausted.trace().trace_id(), "redriven from the dead-letter queue");
        } else {
            tracing::info!(delivery.id = %exhausted.delivery_id, "somebody else was faster");
        }
        Ok(Verdict::Done)
    }
}
