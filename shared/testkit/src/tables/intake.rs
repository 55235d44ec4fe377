//! What taking events in needs.

use std::time::Duration;

use hookpost_domain::catalogue::TypeEntry;
use hookpost_domain::endpoint::Endpoint;
use hookpost_domain::event::Event;
use hookpost_domain::matching::EventType;
use hookpost_domain::ports::{
    Claim, EndpointList, Error, EventIntake, EventTypes, IdempotencyKey, IdempotencyKeys, Versions,
};
use hookpost_domain::{EndpointId, EventId, TenantId, Timestamp};

use super::{Tables, bucket_of};

const KEY_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// An item of the `events` table.
enum Item {
    Marker((String, TenantId, u8)),
    Event(Event),
}

impl EventIntake for Tables {
    async fn store_events(&self, events: &[Event]) -> Result<(), Error> {
        let markers = events.iter().map(|event| Item::Marker(bucket_of(event)));
        let events = events.iter().cloned().map(Item::Event);
        self.process
            .call_each(
                "BatchWriteItem events",
                markers.chain(events).collect(),
                |item| {
                    let mut state = self.state();
                    match item {
                        Item::Marker(bucket) => {
                            state.buckets.insert(bucket);
                        }
                        Item::Event(event) => {
                            state.events.insert(event.id, event);
                        }
                    }
                },
            )
            .await
    }
}

impl IdempotencyKeys for Tables {
    async fn claim(
        &self,
        tenant: &TenantId,
        key: &str,
        event: EventId,
        fingerprint: &str,
        now: Timestamp,
    ) -> Result<Claim, Error> {
        let write = || {
            let place = (tenant.clone(), key.to_owned());
            let keys = &mut self.state().keys;
            match keys.get(&place) {
                Some((known, expires)) if *expires >= now => Claim::Known(known.clone()),
                Some(_) | None => {
                    let new = IdempotencyKey {
                        event,
                        fingerprint: fingerprint.to_owned(),
                        sent: false,
                    };
                    keys.insert(place, (new, now.after(KEY_LIFETIME)));
                    Claim::New
                }
            }
        };
        self.process.call("PutItem keys claim", write).await
    }

    async fn take_over(
        &self,
        tenant: &TenantId,
        key: &str,
        old: EventId,
        new: EventId,
        now: Timestamp,
    ) -> Result<EventId, Error> {
        let write = || {
            let place = (tenant.clone(), key.to_owned());
            let mut state = self.state();
            let Some((known, expires)) = state.keys.get_mut(&place) else {
                return new;
            };
            if known.event == old {
                known.event = new;
                *expires = now.after(KEY_LIFETIME);
            }
            known.event
        };
        self.process.call("UpdateItem keys take over", write).await
    }

    async fn claimed(&self, tenant: &TenantId, key: &str) -> Result<Option<IdempotencyKey>, Error> {
        let read = || {
            let place = (tenant.clone(), key.to_owned());
            let known = self.state().keys.get(&place).cloned();
            known.map(|(known, _)| known)
        };
        self.process.call("GetItem keys claim", read).await
    }

    async fn mark_sent(&self, tenant: &TenantId, key: &str, event: EventId) -> Result<(), Error> {
        let write = || {
            let place = (tenant.clone(), key.to_owned());
            match self.state().keys.get_mut(&place) {
                Some((known, _)) if known.event == event => {
                    known.sent = true;
                    Ok(())
                }
                Some(_) | None => Err(Error {
                    call: "UpdateItem keys sent",
                    source: "it is another event's".into(),
                }),
            }
        };
        self.process.call("UpdateItem keys sent", write).await?
    }
}

/// Nobody tells of any type here.
impl EventTypes for Tables {
    async fn event_type(
        &self,
        _tenant: &TenantId,
        _name: &EventType,
    ) -> Result<Option<TypeEntry>, Error> {
        self.process.call("GetItem settings type", || None).await
    }
}

impl EndpointList for Tables {
    async fn versions(&self, _tenant: &TenantId) -> Result<Versions, Error> {
        let read = || self.state().versions;
        self.process.call("GetItem endpoints", read).await
    }

    async fn endpoints(&self, tenant: &TenantId) -> Result<Vec<Endpoint>, Error> {
        let read = || {
            let state = self.state();
            let mine = state.endpoints.values().filter(|one| one.tenant == *tenant);
            mine.cloned().collect()
        };
        self.process.call("Query endpoints", read).await
    }

    async fn endpoint_config(
        &self,
        _tenant: &TenantId,
        id: &EndpointId,
    ) -> Result<Option<Endpoint>, Error> {
        let read = || self.truth.endpoint(id);
        self.process.call("GetItem endpoints config", read).await
    }
}
