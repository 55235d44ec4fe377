//! What must hold at the end of every run, whatever went wrong in it.

mod order;

use std::collections::BTreeMap;

use hookpost_domain::DeliveryId;
use hookpost_domain::carrier::Exhausted;
use hookpost_domain::delivery::{AttemptResult, Delivery, FailureKind, Status};
use hookpost_testkit::Fault;
use hookpost_testkit::queues::DEAD_LETTERS;
use hookpost_testkit::tables::ids_of;
use local_sqs::ReceiveOptions;

use crate::System;

/// What one delivery's endpoint saw.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    requests: usize,
    accepted: usize,
}

impl System {
    /// Everything that does not hold: nothing, if all is well.
    pub async fn broken(&self) -> Vec<String> {
        let mut broken = Vec::new();
        if !self.settle().await {
            broken.push("it never came to its end".to_owned());
        }
        broken.extend(self.parts.truth.violations());
        broken.extend(self.parts.receiver.violations());
        self.no_more_at_once_than_may(&mut broken);
        self.every_promise_is_kept(&mut broken);
        self.every_request_is_recorded(&mut broken);
        self.every_line_is_kept(&mut broken);
        self.every_dead_letter_is_in_the_queue(&mut broken).await;
        broken
    }

    fn no_more_at_once_than_may(&self, broken: &mut Vec<String>) {
        for endpoint in self.parts.truth.endpoints() {
            let most = self.parts.receiver.most_at_once(&endpoint.id);
            let limit = endpoint
                .max_in_flight
                .and_then(|limit| usize::try_from(limit).ok());
            if limit.is_some_and(|limit| most > limit) {
                let id = &endpoint.id;
                broken.push(format!("{id} had {most} requests at once"));
            }
        }
    }

    fn every_promise_is_kept(&self, broken: &mut Vec<String>) {
        let events = self.parts.truth.events();
        for promised in self.promised().iter() {
            if !events.iter().any(|event| event.id == *promised) {
                broken.push(format!("{promised} was accepted and is not stored"));
            }
        }
        for id in events.iter().flat_map(ids_of) {
            match self.parts.truth.record(&id) {
                None => broken.push(format!("{id} has no record")),
                Some(record) if !record.is_final() => {
                    broken.push(format!("{id} is {:?}", record.status));
                }
                Some(_) => {}
            }
        }
    }

    fn every_request_is_recorded(&self, broken: &mut Vec<String>) {
        let happened = self.parts.faults.happened();
        let faults = happened.len() + self.parts.faults.doubled();
        let deaths = happened
            .iter()
            .filter(|(_, _, fault)| fault.is_deadly())
            .count();
        // A write that did not work out is tried again, three times more.
        let writes = happened
            .iter()
            .filter(|(_, name, fault)| {
                name.starts_with("PutItem deliveries") && *fault != Fault::Slow
            })
            .count();
        let may_be_forgotten = deaths + writes / 4;
        let mut seen = BTreeMap::<DeliveryId, Seen>::new();
        for request in self.requests() {
            let id = DeliveryId {
                event: request.event,
                endpoint: request.endpoint,
            };
            let seen = seen.entry(id).or_default();
            seen.requests += 1;
            seen.accepted += usize::from((200..300).contains(&request.status));
        }
        for record in self.records() {
            let seen = seen.remove(&record.id).unwrap_or_default();
            let recorded = record.log.iter().filter(|one| came(&one.result)).count();
            let id = &record.id;
            // A fault can befall all of a batch at once, but each of it only once.
            let forgotten = seen.requests.saturating_sub(recorded);
            if forgotten > may_be_forgotten {
                broken.push(format!(
                    "{id} has {forgotten} requests that are not recorded"
                ));
            }
            let doubled = seen.accepted.saturating_sub(1);
            if doubled > faults {
                broken.push(format!("{id} has {doubled} duplicates, of {faults} faults"));
            }
            if recorded > seen.requests {
                let requests = seen.requests;
                broken.push(format!(
                    "{id} has {recorded} attempts of {requests} requests"
                ));
            }
            if matches!(record.status, Status::Delivered { .. }) && seen.accepted == 0 {
                broken.push(format!(
                    "{id} is delivered, and its endpoint knows nothing of it"
                ));
            }
            self.no_attempt_is_too_many(&record, broken);
        }
        for (id, _) in seen {
            broken.push(format!("{id} was sent, and has no record"));
        }
    }

    fn no_attempt_is_too_many(&self, record: &Delivery, broken: &mut Vec<String>) {
        let endpoint = self.parts.truth.endpoint(&record.id.endpoint);
        let policy = endpoint.and_then(|endpoint| endpoint.retry);
        let most = policy.unwrap_or_default().max_attempts();
        for cycle in 0..=record.cycle {
            let attempts = record.log.iter().filter(|one| one.cycle == cycle).count();
            // A request under way when another was the last one still counts.
            let beyond = attempts.saturating_sub(usize::try_from(most).unwrap_or(usize::MAX));
            if beyond > self.parts.faults.happened().len() + self.parts.faults.doubled() {
                let id = &record.id;
                broken.push(format!("{id} has {attempts} attempts in cycle {cycle}"));
            }
        }
    }

    async fn every_dead_letter_is_in_the_queue(&self, broken: &mut Vec<String>) {
        let mut letters = BTreeMap::<DeliveryId, usize>::new();
        loop {
            let take = self
                .parts
                .sqs
                .receive(DEAD_LETTERS, ReceiveOptions::default());
            let batch = take.await.unwrap_or_default();
            if batch.is_empty() {
                break;
            }
            for one in batch {
                match serde_json::from_str::<Exhausted>(&one.body) {
                    Ok(word) => *letters.entry(word.delivery_id).or_default() += 1,
                    Err(error) => broken.push(format!("a dead letter cannot be read: {error}")),
                }
            }
        }
        for record in self.records() {
            if let Status::Dead { reason, .. } = record.status
                && reason.goes_to_queue()
                && !letters.contains_key(&record.id)
            {
                broken.push(format!(
                    "{} is dead, and the queue has no letter",
                    record.id
                ));
            }
        }
    }
}

/// Whether an attempt came to its endpoint.
fn came(result: &AttemptResult) -> bool {
    !matches!(
        result,
        AttemptResult::Failed {
            kind: FailureKind::Connect | FailureKind::Dns | FailureKind::Template,
            ..
        }
    )
}
