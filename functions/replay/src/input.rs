//! The four kinds of payload that the function is invoked with.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use aws_lambda_events::sqs::SqsEvent;
use hookpost_domain::replay::ReplayFilter;
use hookpost_domain::{Invalid, TenantId, ports};
use serde::Deserialize;
use serde_json::Value;

/// Dead letters a second that go back unless somebody says otherwise.
const DEFAULT_RATE: u32 = 50;
/// Most dead letters a second.
const MAX_RATE: u32 = 10_000;

/// What a payload is.
#[derive(Debug)]
pub(crate) enum Input {
    Http(Box<ApiGatewayV2httpRequest>),
    Exhausted(SqsEvent),
    Replay(Order),
    Resume,
}

/// A replay as somebody orders it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    #[serde(default)]
    pub(crate) filter: ReplayFilter,
    #[serde(default)]
    pub(crate) tenant: Option<TenantId>,
    #[serde(default)]
    pub(crate) dry_run: bool,
    #[serde(default)]
    pub(crate) rate_per_second: Option<u32>,
}

impl Order {
    /// # Errors
    /// The field that breaks its rule.
    pub(crate) fn check(&self) -> Result<u32, Invalid> {
        self.filter.check()?;
        let rate = self.rate_per_second.unwrap_or(DEFAULT_RATE);
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
            Ok(Self::Replay(order))
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
}
