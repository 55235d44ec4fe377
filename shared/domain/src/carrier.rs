//! What travels in the queues.
//!
//! A message is only a carrier: the delivery's record decides what becomes of it. Bodies are JSON,
//! versioned, and readable in the SQS console.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::delivery::{Attempt, Delivery};
use crate::event::{Event, MAX_INLINE_BYTES};
use crate::matching::EventType;
use crate::time::ceil_secs;
use crate::{DeliveryId, EndpointId, EventId, TenantId, Timestamp};

/// The version of the bodies written here.
pub const VERSION: u8 = 1;

/// A message of the delivery queue: one delivery to carry out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Carrier {
    /// The version of this body.
    pub v: u8,
    /// Which delivery.
    pub delivery_id: DeliveryId,
    /// Whose.
    pub tenant: TenantId,
    /// To where (for whoever reads the message; part of the delivery's id).
    pub endpoint_id: EndpointId,
    /// Of what (likewise).
    pub event_id: EventId,
    /// The event's type.
    pub event_type: EventType,
    /// When the event was accepted.
    pub timestamp: Timestamp,
    /// Which run through the retry schedule: a replay begins the next.
    pub cycle: u32,
    /// How often the delivery has been put back from the table in this cycle.
    pub release: u32,
    /// When this message was sent.
    pub sent_at: Timestamp,
    /// Whether another message for the same delivery may be about: the record is read first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resend: bool,
    /// When it is to be carried out, if not at once: a record is looked for first, as there was
    /// time to call it off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Its place in the line before an endpoint that asked for order, once its turn has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<u64>,
    /// The payload, if it is small; otherwise it is read from the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Box<RawValue>>,
    /// The attributes of the CloudEvent that the event was posted as, beside its payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_event: Option<Box<RawValue>>,
}

impl Carrier {
    /// The message for a delivery of `event`, with the record's numbers.
    pub fn of(event: &Event, delivery: &Delivery, resend: bool, now: Timestamp) -> Self {
        let inline = event.payload.get().len() <= MAX_INLINE_BYTES;
        Self {
            v: VERSION,
            delivery_id: delivery.id.clone(),
            tenant: event.tenant.clone(),
            endpoint_id: delivery.id.endpoint.clone(),
            event_id: event.id,
            event_type: event.event_type.clone(),
            timestamp: event.accepted_at(),
            cycle: delivery.cycle,
            release: delivery.release,
            sent_at: now,
            resend,
            not_before: None,
            place: None,
            payload: inline.then(|| event.payload.clone()),
            cloud_event: event.cloud_event.clone().filter(|_| inline),
        }
    }

    /// The first message for the delivery of `event` to `endpoint`, and how long SQS delays it:
    /// carried out `first_delay` after the event is due. A wait longer than `longest` is not spent
    /// in the queue: the delivery is parked when its message arrives.
    pub fn first(
        event: &Event,
        endpoint: &EndpointId,
        first_delay: Duration,
        longest: Duration,
        resend: bool,
        now: Timestamp,
    ) -> (Self, Duration) {
        let mut carrier = Self::of(event, &Delivery::of(event, endpoint), resend, now);
        let due = event.due().max(now).after(first_delay);
        if due == now {
            return (carrier, Duration::ZERO);
        }
        carrier.not_before = Some(due);
        let wait = Duration::from_secs(ceil_secs(due.since(now)));
        let delay = if wait > longest { Duration::ZERO } else { wait };
        (carrier, delay)
    }

    /// The message for a delivery that is put back from the table: the event is read when it is
    /// carried out.
    pub fn pointing(delivery: &Delivery, now: Timestamp) -> Self {
        Self {
            v: VERSION,
            delivery_id: delivery.id.clone(),
            tenant: delivery.tenant.clone(),
            endpoint_id: delivery.id.endpoint.clone(),
            event_id: delivery.id.event,
            event_type: delivery.event_type.clone(),
            timestamp: delivery.id.event.time(),
            cycle: delivery.cycle,
            release: delivery.release,
            sent_at: now,
            resend: true,
            not_before: None,
            place: None,
            payload: None,
            cloud_event: None,
        }
    }

    /// Whether a record may exist already, so that it has to be read before anything is sent. The
    /// first message of a delivery, received for the first time and before anybody looks for it,
    /// needs no read: at worst its write meets a record and loses.
    pub fn may_have_a_record(&self, receives: u32, now: Timestamp) -> bool {
        self.resend
            || self.not_before.is_some()
            || receives > 1
            || (self.cycle, self.release) != (0, 0)
            || now.since(self.sent_at) > READ_AFTER
    }
}

/// A message of the delivery queue that stands for a range of an event's deliveries, to be sent
/// one by one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FanOut {
    /// The version of this body.
    pub v: u8,
    /// The event, whose item lists the endpoints.
    pub fan_out: EventId,
    /// Whose.
    pub tenant: TenantId,
    /// The first endpoint of the range.
    pub from: usize,
    /// One past the last.
    pub to: usize,
    /// Seconds that each endpoint of the range is to wait before its first attempt, by its retry
    /// policy; empty if none is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delays: Vec<u32>,
}

impl FanOut {
    /// How long the `nth` endpoint of the range is to wait before its first attempt.
    pub fn first_delay(&self, nth: usize) -> Duration {
        let seconds = self.delays.get(nth).copied().unwrap_or_default();
        Duration::from_secs(seconds.into())
    }
}

/// A message of the delivery queue.
#[derive(Debug, Clone)]
pub enum Message {
    /// One delivery.
    Deliver(Box<Carrier>),
    /// Many to be sent.
    FanOut(FanOut),
}

impl Message {
    /// Reads a body.
    ///
    /// # Errors
    /// Why no version of Hookpost up to this one could have written it.
    pub fn parse(body: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Head {
            v: u64,
            #[serde(default)]
            fan_out: Option<serde::de::IgnoredAny>,
        }
        let not_ours = |error: serde_json::Error| format!("not a Hookpost message: {error}");
        let carrier = match serde_json::from_str::<Carrier>(body) {
            Ok(carrier) if carrier.v == VERSION => return Ok(Self::Deliver(Box::new(carrier))),
            other => other,
        };
        let head: Head = serde_json::from_str(body).map_err(not_ours)?;
        if head.v != u64::from(VERSION) {
            let told = head.v;
            return Err(format!(
                "a message of version {told}, this is version {VERSION}"
            ));
        }
        if head.fan_out.is_some() {
            let range = serde_json::from_str(body).map_err(not_ours)?;
            return Ok(Self::FanOut(range));
        }
        let carrier = carrier.map_err(not_ours)?;
        Ok(Self::Deliver(Box::new(carrier)))
    }
}

/// A message of the `exhausted` queue, and so of the dead-letter queue: the whole story of a
/// delivery that was given up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Exhausted {
    /// The version of this body.
    pub v: u8,
    /// The dead letter's id: that of the delivery.
    pub id: DeliveryId,
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// The event.
    pub event_id: EventId,
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// Whose.
    pub tenant: TenantId,
    /// The event's type.
    pub event_type: EventType,
    /// Where it should have gone.
    pub endpoint_url: String,
    /// Why it was given up: `HTTP 503: Service Unavailable`.
    pub failure_reason: String,
    /// How many attempts were made.
    pub attempts: u32,
    /// When the event was accepted.
    pub created_at: Timestamp,
    /// When the dead-letter queue forgets it.
    pub expires_at: Timestamp,
    /// Which run through the retry schedule ended.
    pub cycle: u32,
    /// When this message was sent: a copy that SQS dates much later has been redriven.
    pub exhausted_at: Timestamp,
    /// Every attempt of the cycle.
    pub attempt_log: Vec<Attempt>,
    /// The payload, if it was at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Box<RawValue>>,
    /// The message as it came, if that is all there is: its event is no longer stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Exhausted {
    /// The last word on a delivery that was given up.
    pub fn of(
        delivery: &Delivery,
        endpoint_url: String,
        payload: Option<Box<RawValue>>,
        kept_for: Duration,
        now: Timestamp,
    ) -> Self {
        Self {
            v: VERSION,
            id: delivery.id.clone(),
            delivery_id: delivery.id.clone(),
            event_id: delivery.id.event,
            endpoint_id: delivery.id.endpoint.clone(),
            tenant: delivery.tenant.clone(),
            event_type: delivery.event_type.clone(),
            endpoint_url,
            failure_reason: delivery.failure_reason(),
            attempts: delivery.attempts,
            created_at: delivery.id.event.time(),
            expires_at: now.after(kept_for),
            cycle: delivery.cycle,
            exhausted_at: now,
            attempt_log: delivery
                .log
                .iter()
                .filter(|attempt| attempt.cycle == delivery.cycle)
                .cloned()
                .collect(),
            payload,
            message: None,
        }
    }
}

/// A body of the delivery queue that could not be read, on its way to the dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poison {
    /// The version of this body.
    pub v: u8,
    /// Why it could not be read.
    pub failure_reason: String,
    /// What it was.
    pub poison: String,
    /// When this message was sent.
    pub exhausted_at: Timestamp,
}

/// A message of the `exhausted` queue.
#[derive(Debug, Clone)]
pub enum LastWord {
    /// A delivery that was given up.
    Delivery(Box<Exhausted>),
    /// A body that could not be read.
    Poison(Poison),
}

impl LastWord {
    /// Reads a body.
    ///
    /// # Errors
    /// Why it cannot be one of ours.
    pub fn parse(body: &str) -> Result<Self, serde_json::Error> {
        match serde_json::from_str::<Poison>(body) {
            Ok(poison) => Ok(Self::Poison(poison)),
            Err(_) => serde_json::from_str(body).map(|one| Self::Delivery(Box::new(one))),
        }
    }

    /// When this message was sent by Hookpost.
    pub fn exhausted_at(&self) -> Timestamp {
        match self {
            Self::Delivery(one) => one.exhausted_at,
            Self::Poison(one) => one.exhausted_at,
        }
    }

    /// Whether somebody redrove this message from the dead-letter queue: SQS then dates it anew.
    /// A send that SQS dates within [`SEND_TOLERANCE_MS`] comes straight from Hookpost.
    pub fn was_redriven(&self, sent_timestamp: Timestamp) -> bool {
        let sent = self.exhausted_at().as_millis();
        sent_timestamp.as_millis() > sent.saturating_add(SEND_TOLERANCE_MS)
    }
}

/// A message older than this has its record read first: the sweeper looks for deliveries that have
/// none after 15 minutes, and may have sent another.
pub const READ_AFTER: Duration = Duration::from_secs(10 * 60);

/// How much later than the sender's clock SQS may date a message that was just sent: more than a
/// send's time-out.
pub const SEND_TOLERANCE_MS: u64 = 5000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_reads_what_it_writes_to_the_byte() {
        let event = EventId::generate(Timestamp::from_millis(1000), [1; 10]);
        let endpoint: EndpointId = "ep_1".parse().unwrap();
        let carrier = Carrier {
            v: VERSION,
            delivery_id: DeliveryId {
                event,
                endpoint: endpoint.clone(),
            },
            tenant: TenantId::default(),
            endpoint_id: endpoint,
            event_id: event,
            event_type: "order.created".parse().unwrap(),
            timestamp: event.time(),
            cycle: 0,
            release: 0,
            sent_at: event.time(),
            resend: false,
            not_before: None,
            place: None,
            payload: Some(RawValue::from_string("{ \"amount\": 42.00 }".into()).unwrap()),
            cloud_event: Some(RawValue::from_string("{ \"id\": \"1\" }".into()).unwrap()),
        };
        let text = serde_json::to_string(&carrier).unwrap();
        let Ok(Message::Deliver(read)) = Message::parse(&text) else {
            panic!("{text}")
        };
        assert_eq!(read.payload.unwrap().get(), "{ \"amount\": 42.00 }");
        assert_eq!(read.cloud_event.unwrap().get(), "{ \"id\": \"1\" }");
        assert_eq!(read.delivery_id, carrier.delivery_id);
    }

    #[test]
    fn what_is_not_ours_is_told_apart() {
        for body in [
            "",
            "hello",
            "{}",
            "[]",
            r#"{"v":1}"#,
            r#"{"v":1,"fan_out":3}"#,
        ] {
            assert!(
                Message::parse(body)
                    .unwrap_err()
                    .contains("not a Hookpost message"),
                "{body}"
            );
        }
        assert!(
            Message::parse(r#"{"v":2}"#)
                .unwrap_err()
                .contains("version 2")
        );
    }

    proptest! {
        #[test]
        fn no_body_panics(body in ".{0,200}") {
            let _ = Message::parse(&body);
            let _ = LastWord::parse(&body);
        }
    }
}
