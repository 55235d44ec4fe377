//! The four kinds of payload that the function is invoked with.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use aws_lambda_events::sqs::SqsEvent;
use hookpost_domain::action::Action;
use hookpost_domain::delivery::DeliveryFilter;
use hookpost_domain::{Invalid, TenantId, ports};
use serde::Deserialize;
use serde_json::Value;

/// Deliveries a second that are sent unless somebody says otherwise.
const DEFAULT_RATE: u32 = 50;
/// Records a second that are changed where nothing is sent.
const DEFAULT_WRITE_RATE: u32 = 500;
/// Most deliveries a second.
const MAX_RATE: u32 = 10_000;
/// The longest note, in bytes.
const MAX_NOTE_BYTES: usize = 1024;

/// What a payload is.
#[derive(Debug)]
pub(crate) enum Input {
    Http(Box<ApiGatewayV2httpRequest>),
    Exhausted(SqsEvent),
    Replay(Box<Order>),
    Resume,
}

/// A job as somebody orders it: a replay, unless it says what else.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    #[serde(default)]
    pub(crate) action: Option<Action>,
    #[serde(default)]
    pub(crate) note: String,
    #[serde(default)]
    pub(crate) filter: DeliveryFilter,
    #[serde(default)]
    pub(crate) tenant: Option<TenantId>,
    #[serde(default)]
    pub(crate) dry_run: bool,
    #[serde(default)]
    pub(crate) rate_per_second: Option<u32>,
}

impl Order {
    pub(crate) fn action(&self) -> Action {
        self.action.unwrap_or(Action::Replay)
    }

    /// # Errors
    /// The field that breaks its rule.
    pub(crate) fn check(&self) -> Result<u32, Invalid> {
        let action = self.action();
        action.check(&self.filter)?;
        if self.note.len() > MAX_NOTE_BYTES {
            return Err(Invalid::new("note", "must be at most 1024 bytes"));
        }
        let default = if action.sends() {
            DEFAULT_RATE
        } else {
            DEFAULT_WRITE_RATE
        };
        let rate = self.rate_per_second.unwrap_or(default);
        if !(1..=MAX_RATE).contains(&rate) {
            return Err(Invalid::new(
                "rate_per_second",
                "must be between 1 and 10000",
            ));
        }
        Ok(rate)
    }
}

/// Why a payload was not carried out. The Lambda console shows the text.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is none of the kinds.
    #[error(
        "the payload is none that this function knows: an API Gateway call, an SQS batch, {{\"resume\": true}}, \
         or {{\"replay\": {{\"filter\": {{\"all\": true}}}}}} (see events/replay)"
    )]
    Unknown,
    /// It is of a kind, but cannot be read.
    #[error("the payload cannot be read: {0}")]
    Shape(#[from] serde_json::Error),
    /// What it asks for is not valid.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// AWS did not do its part.
    #[error(transparent)]
    Unavailable(#[from] ports::Error),
}

impl Input {
    pub(crate) fn read(mut payload: Value) -> Result<Self, Unreadable> {
        if payload.get("Records").is_some() {
            Ok(Self::Exhausted(serde_json::from_value(payload)?))
        } else if payload.get("requestContext").is_some() {
            Ok(Self::Http(Box::new(serde_json::from_value(payload)?)))
        } else if let Some(order) = payload.get_mut("replay") {
            let order: Order = serde_json::from_value(order.take())?;
            order.check()?;
            Ok(Self::Replay(Box::new(order)))
        } else if payload.get("resume").is_some() {
            Ok(Self::Resume)
        } else {
            Err(Unreadable::Unknown)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_replay_says_what_it_means() {
        let read = |payload| Input::read(payload).map_err(|error| error.to_string());
        assert!(matches!(
            read(json!({"replay": {"filter": {"all": true}}})),
            Ok(Input::Replay(_))
        ));
        assert!(matches!(read(json!({"resume": true})), Ok(Input::Resume)));
        for (payload, told) in [
            (json!({}), "none that this function knows"),
            (json!({"replay": {}}), "which dead letters"),
            (
                json!({"replay": {"filter": {"all": true, "event_type": "a"}}}),
                "mixed",
            ),
            (
                json!({"replay": {"filter": {"everything": true}}}),
                "unknown field `everything`",
            ),
            (
                json!({"replay": {"filter": {"all": true}, "rate_per_second": 0}}),
                "rate_per_second",
            ),
        ] {
            let error = read(payload).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn an_action_goes_with_what_it_can_be_done_to() {
        for (order, told) in [
            (json!({"action": "cancel", "filter": {"all": true}}), None),
            (
                json!({"action": "delete", "filter": {"status": "delivered"}}),
                None,
            ),
            (
                json!({"action": "cancel", "filter": {"status": "dead"}}),
                Some("filter.status"),
            ),
            (
                json!({"action": "burn", "filter": {"all": true}}),
                Some("unknown variant"),
            ),
            (
                json!({"action": "resolve", "filter": {"resolved": true}}),
                Some("filter.resolved"),
            ),
        ] {
            let read = Input::read(json!({ "replay": order }));
            let error = read.err().map(|error| error.to_string());
            match (error, told) {
                (None, None) => {}
                (Some(error), Some(told)) => assert!(error.contains(told), "{error}"),
                other => panic!("{other:?}"),
            }
        }
    }
}
