//! Events that come otherwise than by HTTP: messages of the events queue, and events of an
//! EventBridge bus. IAM says who may send there, so there is no key to look at.
//!
//! Guarantees: a message is deleted only once everything in it is accepted; one that comes twice
//! is accepted once; one that can never be accepted goes back at once, each time with its reason
//! in the log, until SQS moves it to the dead-letter queue of its own; none holds up another.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use futures::future::join_all;
use hookpost_adapters::api::{self, Problem};
use hookpost_adapters::auth::Caller;
use hookpost_domain::bus_event;
use hookpost_domain::event::{CheckedDraft, MAX_BATCH};
use hookpost_domain::ports::{Refusal, World};
use hookpost_domain::{Invalid, TenantId, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::accept::{Accepted, Request};
use crate::{Acceptor, Queues, Tables, draft};

/// What the function is invoked with.
#[derive(Debug)]
pub(crate) enum Input<'p> {
    /// A call.
    Http(Box<ApiGatewayV2httpRequest>),
    /// Messages of the events queue.
    Queue(Box<SqsEvent>),
    /// An event of a bus.
    Bus(&'p RawValue),
}

/// Why an invocation came to nothing: Lambda tries an event of a bus again, and in the end puts it
/// into the dead-letter queue with this.
#[derive(Debug, thiserror::Error)]
pub enum Unacceptable {
    /// The payload is none of those.
    #[error(
        "the payload is none that this function knows: an API Gateway call, an SQS batch, or an EventBridge event"
    )]
    Unknown,
    /// It is of a kind, but cannot be read.
    #[error("the payload cannot be read: {0}")]
    Shape(#[from] serde_json::Error),
    /// The event was not accepted.
    #[error("the event is not accepted: {0}")]
    Refused(String),
}

impl<'p> Input<'p> {
    pub(crate) fn read(payload: &'p RawValue) -> Result<Self, Unacceptable> {
        #[derive(Deserialize)]
        struct Head {
            #[serde(rename = "requestContext")]
            call: Option<serde::de::IgnoredAny>,
            #[serde(rename = "Records")]
            records: Option<serde::de::IgnoredAny>,
            #[serde(rename = "detail-type")]
            detail_type: Option<serde::de::IgnoredAny>,
        }
        let text = payload.get();
        let head: Head = serde_json::from_str(text).map_err(|_| Unacceptable::Unknown)?;
        if head.call.is_some() {
            Ok(Self::Http(serde_json::from_str(text)?))
        } else if head.records.is_some() {
            Ok(Self::Queue(serde_json::from_str(text)?))
        } else if head.detail_type.is_some() {
            Ok(Self::Bus(payload))
        } else {
            Err(Unacceptable::Unknown)
        }
    }
}

/// What is in a message.
type Drafts = Vec<Result<CheckedDraft, Problem>>;

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Everything in it is accepted: SQS deletes it.
    Done,
    /// AWS did not do its part: it comes back at its visibility time-out.
    Later,
    /// It holds what is never accepted: it comes back at once, until SQS moves it away.
    Never,
}

impl Verdict {
    fn of(answers: &[Result<Accepted, Problem>]) -> Self {
        let refusals = || answers.iter().filter_map(|answer| answer.as_ref().err());
        if refusals().any(|problem| problem.status >= 500) {
            Self::Later
        } else if refusals().next().is_some() {
            Self::Never
        } else {
            Self::Done
        }
    }
}

impl<S: Tables, Q: Queues + Refusal, W: World> Acceptor<S, Q, W> {
    /// Accepts what is in the messages of a batch, and names those that SQS is to keep.
    pub async fn take(&self, batch: SqsEvent) -> SqsBatchResponse {
        let now = self.world.now();
        let caller = Caller::of_aws(TenantId::default());
        let read = |message: &SqsMessage| {
            let body = message.body.as_deref().unwrap_or_default();
            let tenant = &self.config.event_bus_tenant;
            let drafts = drafts(body, tenant, now).unwrap_or_else(|problem| vec![Err(problem)]);
            let id = message.message_id.as_deref().unwrap_or_default();
            requests(drafts, id, &caller)
        };
        let requests: Vec<_> = batch.records.iter().map(read).collect();
        let verdicts = match self.accept_all(requests.clone()).await {
            Some(verdicts) => verdicts,
            // One of them may be what the others fail by.
            None => join_all(requests.into_iter().map(|alone| self.accept_one(alone))).await,
        };
        let mut response = SqsBatchResponse::default();
        for (message, (verdict, problems)) in batch.records.iter().zip(&verdicts) {
            for (index, problem) in problems {
                let reason = serde_json::to_string(problem).unwrap_or_default();
                tracing::warn!(
                    message.id = message.message_id,
                    index,
                    reason,
                    "an event of the queue is not accepted"
                );
            }
            if *verdict != Verdict::Done {
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = message.message_id.clone().unwrap_or_default();
                response.batch_item_failures.push(failure);
            }
        }
        let never = batch.records.iter().zip(&verdicts);
        let never = never.filter(|(_, (verdict, _))| *verdict == Verdict::Never);
        join_all(never.map(|(message, _)| self.give_back(message))).await;
        response
    }

    /// Accepts an event of a bus.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub async fn take_from_bus(&self, event: &RawValue) -> Result<Accepted, Unacceptable> {
        let refused = |problem: Problem| {
            Unacceptable::Refused(serde_json::to_string(&problem).unwrap_or_default())
        };
        let now = self.world.now();
        let draft = bus_event::draft(event, &self.config.event_bus_tenant);
        let draft = draft.and_then(|draft| draft.check(now));
        let draft = draft.map_err(|invalid| refused(Problem::invalid(&invalid)))?;
        let caller = Caller::of_aws(TenantId::default());
        self.post_draft(draft, None, &caller).await.map_err(refused)
    }

    /// Accepts what is in all messages at once: `None` if nothing of it was promised.
    async fn accept_all(&self, requests: Vec<Requests>) -> Option<Vec<(Verdict, Problems)>> {
        let sizes: Vec<Vec<Option<Problem>>> = requests
            .iter()
            .map(|of_message| {
                let problem = |request: &Result<Request, Problem>| request.as_ref().err().cloned();
                of_message.iter().map(problem).collect()
            })
            .collect();
        let good = requests.into_iter().flatten().filter_map(Result::ok);
        let answers = match self.accept(good.collect()).await {
            Ok(answers) => answers,
            Err(error) => {
                tracing::error!(error = %error, cause = ?error.source, "nothing of the batch was accepted");
                return None;
            }
        };
        let mut answers = answers.into_iter();
        let of_message = |problems: Vec<Option<Problem>>| {
            let answers: Vec<_> = problems
                .into_iter()
                .filter_map(|problem| problem.map(Err).or_else(|| answers.next()))
                .collect();
            let verdict = Verdict::of(&answers);
            let refused = answers.into_iter().enumerate();
            let refused = refused.filter_map(|(index, answer)| Some((index, answer.err()?)));
            (verdict, refused.collect())
        };
        Some(sizes.into_iter().map(of_message).collect())
    }

    async fn accept_one(&self, requests: Requests) -> (Verdict, Problems) {
        let verdicts = self.accept_all(vec![requests]).await;
        let verdict = verdicts.and_then(|mut verdicts| verdicts.pop());
        verdict.unwrap_or((Verdict::Later, Vec::new()))
    }

    async fn give_back(&self, message: &SqsMessage) {
        let receipt = message.receipt_handle.as_deref().unwrap_or_default();
        if let Err(error) = self.queues.refuse(receipt).await {
            tracing::info!(message.id = message.message_id, error = %error, "it comes back at its time-out");
        }
    }
}

type Requests = Vec<Result<Request, Problem>>;
/// What is wrong with a message, and with which of its events.
type Problems = Vec<(usize, Problem)>;

/// The id of a message stands for what has no id or key of its own: SQS hands it out again with
/// the same one.
fn requests(drafts: Drafts, message_id: &str, caller: &Caller) -> Requests {
    let one = |(index, draft): (usize, Result<CheckedDraft, Problem>)| {
        let draft = draft?;
        let key = draft
            .alias
            .is_none()
            .then(|| format!("sqs:{message_id}#{index}"));
        Request::new(draft, key, caller)
    };
    drafts.into_iter().enumerate().map(one).collect()
}

/// What a message holds: an event of ours, a CloudEvent, or a list of either; an event of a bus; or
/// what Lambda put into a dead-letter queue after it had failed with one.
fn drafts(body: &str, tenant: &bus_event::TenantOf, now: Timestamp) -> Result<Drafts, Problem> {
    #[derive(Deserialize)]
    struct Head<'b> {
        #[serde(borrow)]
        events: Option<Vec<&'b RawValue>>,
        #[serde(rename = "detail-type")]
        detail_type: Option<serde::de::IgnoredAny>,
        #[serde(rename = "requestPayload", borrow)]
        failed_with: Option<&'b RawValue>,
    }
    let no_json = |error: serde_json::Error| {
        Problem::bad_request(format!("the body is not an event in JSON: {error}"))
    };
    if body.trim_start().starts_with('[') {
        let events: Vec<&RawValue> = serde_json::from_str(body).map_err(no_json)?;
        return list(&events, now);
    }
    let head: Head<'_> = serde_json::from_str(body).map_err(no_json)?;
    if let Some(events) = head.events {
        return list(&events, now);
    }
    let raw: &RawValue = serde_json::from_str(body).map_err(no_json)?;
    let of_bus = if head.detail_type.is_some() {
        Some(raw)
    } else {
        head.failed_with
    };
    Ok(vec![match of_bus {
        Some(event) => bus_event::draft(event, tenant)
            .and_then(|draft| draft.check(now))
            .map_err(|invalid| Problem::invalid(&invalid)),
        None => one(raw, now),
    }])
}

fn list(events: &[&RawValue], now: Timestamp) -> Result<Drafts, Problem> {
    if events.is_empty() || events.len() > MAX_BATCH {
        let rule = "must list 1 to 100 events";
        return Err(Problem::invalid(&Invalid::new("events", rule)));
    }
    Ok(events.iter().map(|event| one(event, now)).collect())
}

fn one(event: &RawValue, now: Timestamp) -> Result<CheckedDraft, Problem> {
    #[derive(Deserialize)]
    struct Head {
        specversion: Option<serde::de::IgnoredAny>,
    }
    let head: Head = api::parse_object(event.get().as_bytes())?;
    if head.specversion.is_some() {
        draft::structured(event, now)
    } else {
        draft::read(event.get().as_bytes(), now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Type and own id of each, or the status that it is refused with.
    fn read(body: &str) -> Vec<String> {
        let tenant = bus_event::TenantOf::default();
        let drafts = drafts(body, &tenant, Timestamp::from_millis(1_795_262_400_000));
        let drafts = drafts.unwrap_or_else(|problem| vec![Err(problem)]);
        let shown = |draft: Result<CheckedDraft, Problem>| match draft {
            Ok(draft) => format!("{} {}", draft.event_type, draft.alias.unwrap_or_default()),
            Err(problem) => problem.status.to_string(),
        };
        drafts.into_iter().map(shown).collect()
    }

    #[test]
    fn a_message_holds_events_in_any_of_the_forms_that_are_known() {
        let own = json!({ "event_type": "a", "payload": {} });
        let cloud = json!({ "specversion": "1.0", "id": "1", "source": "/s", "type": "b" });
        let bus =
            json!({ "id": "7", "detail-type": "Order Placed", "source": "shop", "detail": {} });
        assert_eq!(read(&own.to_string()), ["a "]);
        assert_eq!(read(&cloud.to_string()), ["b /s 1"]);
        assert_eq!(read(&bus.to_string()), ["Order_Placed 7"]);
        let failed = json!({ "requestPayload": bus, "responsePayload": {} });
        assert_eq!(read(&failed.to_string()), ["Order_Placed 7"]);
        for mixed in [json!([own, cloud]), json!({ "events": [own, cloud] })] {
            assert_eq!(read(&mixed.to_string()), ["a ", "b /s 1"]);
        }
    }

    #[test]
    fn what_is_no_event_is_refused_and_the_others_of_its_list_are_not() {
        for bad in ["", "x", "{}", "[]", "7", r#"{"events":[]}"#, "[1"] {
            let read = read(bad);
            assert!(read == ["400"] || read == ["422"], "{bad}: {read:?}");
        }
        let own = json!({ "event_type": "a", "payload": {} });
        let list = json!([own, 1, own]);
        assert_eq!(read(&list.to_string()), ["a ", "400", "a "]);
    }
}
