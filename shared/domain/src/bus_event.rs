//! Events of an EventBridge bus as events of ours.
//!
//! | EventBridge | here |
//! | --- | --- |
//! | `detail-type` | the event's type; each run of what a type cannot hold becomes one `_` |
//! | `detail` | the payload as it was written |
//! | `id` | the caller's own id: what drops repeats |
//! | the place that the deployment names, or nothing | the tenant |

use std::str::FromStr;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::EventDraft;
use crate::json::{Document, Json};
use crate::matching::{EventType, MAX_EVENT_TYPE_BYTES};
use crate::{Invalid, TenantId};

/// Whose the events of a bus are: one tenant's, or of the one that each says at a place of its own,
/// written as `$.detail.account_id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantOf {
    /// All are this one's.
    All(TenantId),
    /// The names of the fields that lead to it.
    At(Vec<String>),
}

impl Default for TenantOf {
    fn default() -> Self {
        Self::All(TenantId::default())
    }
}

impl FromStr for TenantOf {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let Some(path) = text.strip_prefix("$.") else {
            return text.parse().map(Self::All);
        };
        let names: Vec<String> = path.split('.').map(str::to_owned).collect();
        if names.iter().any(String::is_empty) {
            let rule = "must be a tenant, or a path such as `$.detail.account_id`";
            return Err(Invalid::new("tenant", rule));
        }
        Ok(Self::At(names))
    }
}

impl TenantOf {
    fn of(&self, event: &RawValue) -> Result<TenantId, Invalid> {
        let names = match self {
            Self::All(tenant) => return Ok(tenant.clone()),
            Self::At(names) => names,
        };
        let document = Document::of(event);
        let place = names
            .iter()
            .try_fold(document.root(), |place, name| place.get(name));
        let text = place.and_then(Json::text);
        let tenant = text.and_then(|text| text.parse().ok());
        tenant.ok_or_else(|| {
            let rule = "must hold the tenant: 1 to 64 letters, digits, `_` or `-`";
            Invalid::new(names.join("."), rule)
        })
    }
}

/// An event of a bus as one of ours.
///
/// # Errors
/// The field that breaks its rule.
pub fn draft(event: &RawValue, tenant: &TenantOf) -> Result<EventDraft, Invalid> {
    #[derive(Deserialize)]
    struct BusEvent {
        id: String,
        #[serde(rename = "detail-type")]
        detail_type: String,
        detail: Box<RawValue>,
    }
    let read: BusEvent = serde_json::from_str(event.get()).map_err(|error| {
        Invalid::new("body", format!("must be an event of EventBridge: {error}"))
    })?;
    Ok(EventDraft {
        id: Some(read.id),
        event_type: event_type(&read.detail_type),
        payload: read.detail,
        tenant: Some(tenant.of(event)?),
        idempotency_key: None,
        deliver_at: None,
        cloud_event: None,
    })
}

/// `EC2 Instance State-change Notification` as `EC2_Instance_State-change_Notification`.
pub(crate) fn event_type(detail_type: &str) -> String {
    let mut name = String::with_capacity(detail_type.len());
    for letter in detail_type.chars() {
        if EventType::may_hold(letter) {
            name.push(letter);
        } else if !name.ends_with('_') {
            name.push('_');
        }
    }
    // All of it is ASCII.
    name.truncate(MAX_EVENT_TYPE_BYTES);
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(event: &str, tenant: &str) -> Result<EventDraft, Invalid> {
        let event = RawValue::from_string(event.to_owned()).unwrap();
        draft(&event, &tenant.parse().unwrap())
    }

    #[test]
    fn an_event_keeps_its_detail_to_the_byte_and_its_id() {
        let event = r#"{"version":"0","id":"i-1","detail-type":"Order Placed","source":"shop",
            "detail":{ "total": 1.10, "who": {"tenant": "acme"} }}"#;
        let draft = read(event, "$.detail.who.tenant").unwrap();
        assert_eq!(draft.event_type, "Order_Placed");
        assert_eq!(draft.id.as_deref(), Some("i-1"));
        assert_eq!(
            draft.payload.get(),
            r#"{ "total": 1.10, "who": {"tenant": "acme"} }"#
        );
        assert_eq!(draft.tenant.unwrap().as_str(), "acme");
        assert_eq!(read(event, "all").unwrap().tenant.unwrap().as_str(), "all");
        let refused = read(event, "$.detail.total").unwrap_err();
        assert_eq!(refused.field, "detail.total");
        assert!(read(event, "$.nothing.here").is_err());
    }

    #[test]
    fn a_tenant_or_a_path_is_told_from_what_is_neither() {
        for bad in ["", "$.", "$.a..b", "$", "a.b", "$a"] {
            assert!(bad.parse::<TenantOf>().is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_detail_type_but_an_empty_one_becomes_a_type(text in "\\PC{1,200}") {
            let name = event_type(&text);
            prop_assert!(name.parse::<EventType>().is_ok(), "{name:?}");
        }
    }
}
