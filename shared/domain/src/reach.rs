//! Whether an event reaches an endpoint, and why.

use crate::endpoint::{Endpoint, EndpointState};
use crate::event::Payload;
use crate::filter::Unmet;
use crate::matching::{EventPattern, EventType};

/// What an event means to an endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Reach {
    /// The pattern that its type matches.
    pub pattern: Option<EventPattern>,
    /// What of the filter does not hold.
    pub unmet: Vec<Unmet>,
    /// What would become of it.
    pub fate: Fate,
}

/// What becomes of an event at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is sent.
    Sent,
    /// It waits until the endpoint is resumed.
    Held,
    /// It becomes a dead letter: the endpoint is disabled.
    Dead,
    /// Nothing: the endpoint does not want it.
    NotWanted,
}

impl Fate {
    /// The name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Held => "held",
            Self::Dead => "dead_letter",
            Self::NotWanted => "not_wanted",
        }
    }
}

/// What an event of this type with this payload means to `endpoint`.
pub fn reach(endpoint: &Endpoint, event_type: &EventType, payload: &Payload<'_>) -> Reach {
    let pattern = endpoint.pattern_for(event_type).cloned();
    let unmet = endpoint
        .filter
        .as_ref()
        .map(|filter| filter.unmet(payload.document()))
        .unwrap_or_default();
    let fate = match endpoint.state {
        _ if !endpoint.wants(event_type, payload) => Fate::NotWanted,
        EndpointState::Active => Fate::Sent,
        EndpointState::Paused => Fate::Held,
        EndpointState::Disabled(_) => Fate::Dead,
    };
    Reach {
        pattern,
        unmet,
        fate,
    }
}

impl Reach {
    /// Why, in a sentence.
    pub fn reason(&self) -> String {
        let Some(pattern) = &self.pattern else {
            return "none of its event_types matches the type".to_owned();
        };
        if let Some(unmet) = self.unmet.first() {
            return format!(
                "its filter wants {} at {}, and there is {}",
                unmet.wants, unmet.path, unmet.found
            );
        }
        let then = match self.fate {
            Fate::Sent | Fate::NotWanted => "",
            Fate::Held => ", and it is paused: the delivery would wait",
            Fate::Dead => ", and it is disabled: the delivery would become a dead letter",
        };
        format!("the type matches {pattern} and the filter, if any, holds{then}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::EndpointDraft;
    use crate::signature::Secret;
    use crate::target::AllowedTargets;
    use crate::{EndpointId, TenantId, Timestamp};
    use serde_json::value::RawValue;

    fn endpoint(json: &str) -> Endpoint {
        let draft: EndpointDraft = serde_json::from_str(json).unwrap();
        let (now, secret) = (Timestamp::default(), Secret::generate([1; 32]));
        let id = EndpointId::generate(now, [1; 10]);
        draft
            .create(
                id,
                TenantId::default(),
                secret,
                &AllowedTargets::default(),
                now,
            )
            .unwrap()
    }

    #[test]
    fn what_is_told_is_what_is_done() {
        let fields = r#""url":"https://a.example/","filter":{"data":{"a":[{"numeric":[">",1]}]}}"#;
        let data = |json: &str| RawValue::from_string(json.to_owned()).unwrap();
        for (more, event_type, payload, fate, reason) in [
            (
                r#","event_types":["a.*"]"#,
                "a.b",
                r#"{"a":2}"#,
                Fate::Sent,
                "matches a.*",
            ),
            (
                r#","event_types":["a.*"]"#,
                "b",
                r#"{"a":2}"#,
                Fate::NotWanted,
                "event_types",
            ),
            (
                r#","event_types":["*"]"#,
                "b",
                r#"{"a":1}"#,
                Fate::NotWanted,
                "at data.a, and there is 1",
            ),
            (
                r#","event_types":["*"],"paused":true"#,
                "b",
                r#"{"a":2}"#,
                Fate::Held,
                "paused",
            ),
            (
                r#","event_types":["*"],"active":false"#,
                "b",
                r#"{"a":2}"#,
                Fate::Dead,
                "disabled",
            ),
        ] {
            let endpoint = endpoint(&format!("{{{fields}{more}}}"));
            let event_type = event_type.parse().unwrap();
            let data = data(payload);
            let payload = Payload::new(&data);
            let reach = reach(&endpoint, &event_type, &payload);
            assert_eq!(reach.fate, fate, "{more}");
            assert!(reach.reason().contains(reason), "{}", reach.reason());
            assert_eq!(
                endpoint.wants(&event_type, &payload),
                fate != Fate::NotWanted
            );
        }
    }
}
