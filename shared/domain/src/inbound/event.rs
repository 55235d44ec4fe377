//! From a webhook to an event.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::to_raw_value;
use sha2::{Digest, Sha256};

use super::kind::{Headers, header_name};
use super::{Kind, Raw, Source};
use crate::event::{CheckedDraft, EventDraft, MAX_PAYLOAD_BYTES};
use crate::json::{Document, Json};
use crate::{Invalid, Timestamp, bus_event, headers};

/// The largest body; one that is not JSON takes a third more when it is kept.
pub const MAX_BODY_BYTES: usize = MAX_PAYLOAD_BYTES;

/// The type of what says nothing of its own.
const UNTYPED: &str = "inbound";

/// Where the type of a source's events comes from. What a type cannot have becomes `_`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct TypeFrom {
    /// All are of this type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed: Option<String>,
    /// It is in this header, such as `X-GitHub-Event`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// It is in this field of the JSON body, such as `type` or `event.name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is written before it, such as `github.`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub prefix: String,
}

impl TypeFrom {
    /// What suits a kind.
    pub(super) fn of(kind: &Kind) -> Self {
        let none = Self::default();
        match kind {
            Kind::Github => Self {
                header: Some("x-github-event".to_owned()),
                prefix: "github.".to_owned(),
                ..none
            },
            Kind::Stripe => Self {
                field: Some("type".to_owned()),
                prefix: "stripe.".to_owned(),
                ..none
            },
            Kind::StandardWebhooks => Self {
                field: Some("type".to_owned()),
                ..none
            },
            Kind::Hmac(_) => Self {
                fixed: Some(UNTYPED.to_owned()),
                ..none
            },
        }
    }

    pub(super) fn check(mut self) -> Result<Self, Invalid> {
        let said = [&self.fixed, &self.header, &self.field];
        if said.iter().filter(|one| one.is_some()).count() != 1 {
            let rule = "must have one of `fixed`, `header` and `field`";
            return Err(Invalid::new("event_type", rule));
        }
        if let Some(header) = &mut self.header {
            *header = header_name(header, "event_type.header")?;
        }
        if self.field.as_ref().is_some_and(|field| field.len() > 256) {
            return Err(Invalid::new(
                "event_type.field",
                "must be at most 256 bytes",
            ));
        }
        if self.fixed.as_deref() == Some("") {
            return Err(Invalid::new("event_type.fixed", "must not be empty"));
        }
        let whole = format!("{}{}", self.prefix, self.fixed.as_deref().unwrap_or("x"));
        EventDraft::check_type(&whole)?;
        Ok(self)
    }

    fn read(&self, header: &Headers<'_>, document: &Document<'_>) -> String {
        let of_field = |field: &String| {
            let place = field.split('.').try_fold(document.root(), Json::get);
            place.and_then(Json::text).map(std::borrow::Cow::into_owned)
        };
        let of_header = |name: &String| header(name).map(str::to_owned);
        let found = self.fixed.clone();
        let found = found.or_else(|| self.header.as_ref().and_then(of_header));
        let found = found.or_else(|| self.field.as_ref().and_then(of_field));
        let found = found.filter(|found| !found.is_empty());
        let name = found.unwrap_or_else(|| UNTYPED.to_owned());
        bus_event::event_type(&format!("{}{name}", self.prefix))
    }
}

/// A webhook whose signature holds.
#[derive(Debug)]
pub struct Webhook {
    /// The event.
    pub event: CheckedDraft,
    /// The idempotency key: the source and the webhook's own id, or a hash of the whole of it.
    pub key: String,
}

impl Source {
    /// The event that a webhook of this source becomes. Its signature has been checked.
    ///
    /// # Errors
    /// The field that breaks its rule: it is too large, or of a type that no event has.
    pub fn event(
        &self,
        header: &Headers<'_>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Webhook, Invalid> {
        let (payload, base64) = Raw::payload(body);
        if payload.get().len() > MAX_PAYLOAD_BYTES {
            let rule = "must be at most 256 KiB, or 192 KiB of what is not JSON";
            return Err(Invalid::new("body", rule));
        }
        let document = Document::of(&payload);
        let event_type = self.event_type.read(header, &document);
        let in_body = || document.root().get("id").and_then(Json::text);
        let id = match self.kind {
            Kind::Stripe => in_body().map(std::borrow::Cow::into_owned),
            Kind::StandardWebhooks | Kind::Github | Kind::Hmac(_) => {
                self.kind.id(header).map(str::to_owned)
            }
        };
        // Whoever names no id sends the same again only by sending the same.
        let id = id
            .filter(|id| !id.is_empty() && id.len() <= 200)
            .unwrap_or_else(|| {
                let hash = Sha256::digest(body);
                hash.iter().fold("sha256:".to_owned(), |mut id, byte| {
                    use std::fmt::Write;
                    // Writing to a string cannot fail.
                    let _ = write!(id, "{byte:02x}");
                    id
                })
            });
        let content_type = header("content-type").filter(|value| headers::is_plain(value));
        let content_type = content_type.unwrap_or("application/octet-stream");
        let mut kept = BTreeMap::from([("content-type".to_owned(), content_type.to_owned())]);
        for name in &self.forward_headers {
            if let Some(value) = header(name).filter(|value| headers::is_plain(value)) {
                kept.insert(name.clone(), value.to_owned());
            }
        }
        let raw = Raw {
            base64,
            headers: kept,
        };
        let attributes = json!({
            "specversion": "1.0",
            "id": id,
            "source": format!("/in/{}", self.id),
            "type": event_type,
            "datacontenttype": content_type,
            "hookpostraw": raw,
        });
        let event = EventDraft {
            id: None,
            event_type,
            payload: payload.clone(),
            tenant: Some(self.tenant.clone()),
            idempotency_key: None,
            deliver_at: None,
            cloud_event: to_raw_value(&attributes).ok(),
        };
        Ok(Webhook {
            event: event.check(now)?,
            key: format!("in:{}:{id}", self.id),
        })
    }
}
