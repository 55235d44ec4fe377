//! Records and events by something else than one id.

use hookpost_domain::delivery::{Delivery, due_key, held_key, status_key};
use hookpost_domain::event::{Bucket, Event, EventOutline, hour_of};
use hookpost_domain::job::Job;
use hookpost_domain::news::Note;
use hookpost_domain::ports::{
    Cursors, DeliveryPage, Error, EventHistory, EventTimes, EventWalk, HoldingNote, HoldingNotes,
    Jobs, Notes, OutlinePage, RecordIndex, RecordPage, Records, Waiting, WaitingPage, WaitingRef,
    Write,
};
use hookpost_domain::{DeliveryId, EndpointId, EventId, TenantId, Timestamp};

use super::{RETENTION, State, Tables, bucket_of, swap};

/// Events on one page.
const OUTLINES: usize = 100;

fn outline(event: &Event) -> EventOutline {
    EventOutline {
        id: event.id,
        tenant: event.tenant.clone(),
        event_type: event.event_type.clone(),
        endpoints: event.endpoints.clone(),
        expires_at: event.due().after(RETENTION),
        deliver_at: event.deliver_at,
        alias: event.alias.clone(),
    }
}

fn limit_of(limit: i32) -> usize {
    usize::try_from(limit).unwrap_or(1)
}

fn page_of_waiting(
    state: &State,
    key: &str,
    until: Timestamp,
    after: Option<&WaitingRef>,
    limit: i32,
) -> WaitingPage {
    let is_after = |at: &Timestamp, id: &DeliveryId| {
        after.is_none_or(|after| (at, id) > (&after.at, &after.id))
    };
    let places = state.by_wait.get(key).into_iter().flatten();
    let found: Vec<WaitingRef> = places
        .filter(|(at, id)| *at <= until && is_after(at, id))
        .take(limit_of(limit))
        .map(|(at, id)| WaitingRef {
            id: id.clone(),
            at: *at,
        })
        .collect();
    let full = found.len() == limit_of(limit);
    WaitingPage {
        next: found.last().filter(|_| full).cloned(),
        found,
    }
}

impl Records for Tables {
    async fn deliveries(&self, ids: &[DeliveryId]) -> Result<Vec<Delivery>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let read = || {
            let state = self.state();
            let found = ids.iter().filter_map(|id| state.deliveries.get(id));
            found.cloned().collect()
        };
        self.process.call("BatchGetItem deliveries", read).await
    }
}

impl Waiting for Tables {
    async fn due(
        &self,
        shard: u8,
        until: Timestamp,
        after: Option<WaitingRef>,
        limit: i32,
    ) -> Result<WaitingPage, Error> {
        let read = || page_of_waiting(&self.state(), &due_key(shard), until, after.as_ref(), limit);
        let is_idle = |page: &WaitingPage| page.found.is_empty();
        self.process.look("Query due", is_idle, read).await
    }

    async fn held(
        &self,
        endpoint: &EndpointId,
        shard: u8,
        until: Timestamp,
        after: Option<WaitingRef>,
        limit: i32,
    ) -> Result<WaitingPage, Error> {
        let key = held_key(endpoint, shard);
        let read = || page_of_waiting(&self.state(), &key, until, after.as_ref(), limit);
        let is_idle = |page: &WaitingPage| page.found.is_empty();
        self.process.look("Query held", is_idle, read).await
    }
}

impl RecordIndex for Tables {
    async fn by_status(
        &self,
        tenant: &TenantId,
        status: &str,
        shard: u8,
        after: Option<&DeliveryId>,
        range: (Option<Timestamp>, Option<Timestamp>),
        _newest: bool,
        limit: i32,
    ) -> Result<DeliveryPage, Error> {
        let key = status_key(tenant, status, shard);
        let read = || {
            let state = self.state();
            let places = state.by_status.get(&key).into_iter().flatten();
            let ids: Vec<DeliveryId> = places
                .filter(|id| is_within(id.event, range))
                .filter(|id| after.is_none_or(|after| *id > after))
                .take(limit_of(limit))
                .cloned()
                .collect();
            let full = ids.len() == limit_of(limit);
            DeliveryPage {
                next: ids.last().filter(|_| full).cloned(),
                ids,
            }
        };
        let is_idle = |page: &DeliveryPage| page.ids.is_empty();
        self.process.look("Query by-status", is_idle, read).await
    }

    async fn of_endpoint(
        &self,
        endpoint: &EndpointId,
        shard: u8,
        after: Option<EventId>,
        range: (Option<Timestamp>, Option<Timestamp>),
        _newest: bool,
        limit: i32,
    ) -> Result<RecordPage, Error> {
        let read = || {
            let state = self.state();
            let found: Vec<Delivery> = state
                .deliveries
                .values()
                .filter(|one| one.id.endpoint == *endpoint)
                .filter(|one| one.id.event.delivery_shard() == shard)
                .filter(|one| is_within(one.id.event, range))
                .filter(|one| after.is_none_or(|after| one.id.event > after))
                .take(limit_of(limit))
                .cloned()
                .collect();
            let full = found.len() == limit_of(limit);
            RecordPage {
                next: found.last().filter(|_| full).map(|one| one.id.event),
                found,
            }
        };
        let is_idle = |page: &RecordPage| page.found.is_empty();
        self.process.look("Query deliveries", is_idle, read).await
    }
}

fn is_within(event: EventId, (from, to): (Option<Timestamp>, Option<Timestamp>)) -> bool {
    from.is_none_or(|from| event.time() >= from) && to.is_none_or(|to| event.time() < to)
}

impl EventHistory for Tables {
    async fn events_back(
        &self,
        tenant: &TenantId,
        upto: Option<EventId>,
        from: Option<Timestamp>,
        limit: usize,
    ) -> Result<EventWalk, Error> {
        let read = || {
            let state = self.state();
            let mine = state.events.values().rev();
            let mut mine = mine
                .filter(|event| event.tenant == *tenant)
                .filter(|event| upto.is_none_or(|upto| event.id <= upto))
                .filter(|event| from.is_none_or(|from| event.accepted_at() >= from));
            let found: Vec<_> = mine.by_ref().take(limit).map(outline).collect();
            EventWalk {
                found,
                more: mine.next().is_some(),
            }
        };
        self.process.call("Query events back", read).await
    }
}

impl EventTimes for Tables {
    async fn buckets_of_hour(&self, hour: &str) -> Result<Vec<Bucket>, Error> {
        let read = || -> Vec<Bucket> {
            let state = self.state();
            let here = state.buckets.iter().filter(|(other, ..)| other == hour);
            here.map(|(hour, tenant, shard)| Bucket {
                tenant: tenant.clone(),
                hour: hour.clone(),
                shard: *shard,
            })
            .collect()
        };
        let is_idle = |buckets: &Vec<Bucket>| buckets.is_empty();
        self.process
            .look("Query events of an hour", is_idle, read)
            .await
    }

    async fn outlines_between(
        &self,
        bucket: &Bucket,
        from: Timestamp,
        to: Timestamp,
        after: Option<EventId>,
    ) -> Result<OutlinePage, Error> {
        let place = (bucket.hour.clone(), bucket.tenant.clone(), bucket.shard);
        let read = || {
            let state = self.state();
            let range = EventId::floor(from)..EventId::floor(to);
            let found: Vec<EventOutline> = state
                .events
                .range(range)
                .map(|(_, event)| event)
                .filter(|event| bucket_of(event) == place && hour_of(from) <= place.0)
                .filter(|event| after.is_none_or(|after| event.id > after))
                .take(OUTLINES)
                .map(outline)
                .collect();
            let full = found.len() == OUTLINES;
            OutlinePage {
                next: found.last().filter(|_| full).map(|event| event.id),
                found,
            }
        };
        let is_idle = |page: &OutlinePage| page.found.is_empty();
        self.process
            .look("Query events of a bucket", is_idle, read)
            .await
    }
}

impl HoldingNotes for Tables {
    async fn holding(&self) -> Result<Vec<HoldingNote>, Error> {
        let read = || self.state().holding.values().cloned().collect();
        let is_idle = |notes: &Vec<HoldingNote>| notes.is_empty();
        self.process.look("Query holding", is_idle, read).await
    }

    async fn set_quiet(&self, note: &HoldingNote, since: Option<Timestamp>) -> Result<(), Error> {
        let write = || {
            let place = (note.tenant.clone(), note.endpoint.clone());
            let mut state = self.state();
            let noted = state.holding.get_mut(&place);
            if let Some(noted) = noted.filter(|noted| noted.noted_at == note.noted_at) {
                noted.quiet_since = since;
            }
        };
        self.process.call("UpdateItem settings", write).await
    }

    async fn forget_holding(&self, note: &HoldingNote) -> Result<(), Error> {
        let write = || {
            let place = (note.tenant.clone(), note.endpoint.clone());
            let mut state = self.state();
            let noted = state.holding.get(&place);
            if noted.is_some_and(|noted| noted.noted_at == note.noted_at) {
                state.holding.remove(&place);
            }
        };
        self.process.call("DeleteItem settings", write).await
    }
}

impl Notes for Tables {
    async fn notes(&self) -> Result<Vec<Note>, Error> {
        let read = || self.state().notes.values().cloned().collect();
        let is_idle = |notes: &Vec<Note>| notes.is_empty();
        self.process.look("Query news", is_idle, read).await
    }

    async fn note(&self, note: &Note) -> Result<(), Error> {
        let write = || self.truth.note(note);
        self.process.call("UpdateItem settings news", write).await
    }

    async fn drop_note(&self, note: &Note) -> Result<(), Error> {
        let write = || {
            let mut state = self.state();
            if state.notes.get(&note.name) == Some(note) {
                state.notes.remove(&note.name);
            }
        };
        self.process.call("DeleteItem settings news", write).await
    }
}

impl Cursors for Tables {
    async fn cursor(&self, name: &str) -> Result<Option<Timestamp>, Error> {
        let read = || self.state().cursors.get(name).copied();
        self.process.call("GetItem settings cursor", read).await
    }

    async fn set_cursor(&self, name: &str, at: Timestamp) -> Result<(), Error> {
        let write = || {
            self.state().cursors.insert(name.to_owned(), at);
        };
        self.process.call("PutItem settings cursor", write).await
    }
}

impl Jobs for Tables {
    async fn job(&self, tenant: &TenantId, id: &str) -> Result<Option<Job>, Error> {
        let place = (tenant.clone(), id.to_owned());
        let read = || self.state().jobs.get(&place).cloned();
        self.process.call("GetItem settings job", read).await
    }

    async fn store_job(&self, job: &Job, over: u64) -> Result<Write<Job>, Error> {
        let place = (job.tenant.clone(), job.id.clone());
        if over == 0 && !job.is_over() {
            let list = || {
                self.state().open_jobs.insert(place.clone());
            };
            self.process.call("PutItem settings open", list).await?;
        }
        let write = || {
            let jobs = &mut self.state().jobs;
            swap(jobs, place, job, over, |job| job.version)
        };
        let written = self.process.call("PutItem settings job", write).await?;
        if written == Write::Won && job.is_over() {
            self.close_job(&job.tenant, &job.id).await?;
        }
        Ok(written)
    }

    async fn close_job(&self, tenant: &TenantId, id: &str) -> Result<(), Error> {
        let place = (tenant.clone(), id.to_owned());
        let write = || {
            self.state().open_jobs.remove(&place);
        };
        self.process.call("DeleteItem settings open", write).await
    }

    async fn open_jobs(&self) -> Result<Vec<(TenantId, String)>, Error> {
        let read = || self.state().open_jobs.iter().cloned().collect();
        self.process.call("Query settings open", read).await
    }
}
