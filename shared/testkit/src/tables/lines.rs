//! The lines before endpoints that asked for order.

use std::collections::{BTreeMap, BTreeSet};

use hookpost_domain::line::{Entry, Line};
use hookpost_domain::ports::{Error, LineEnds, LineNote, LineNotes, LineViews, Lines, Write};
use hookpost_domain::{EndpointId, EventId, TenantId, Timestamp};

use super::{State, Tables, swap};

/// What there is of one line.
#[derive(Debug, Default)]
pub(super) struct Row {
    line: Option<Line>,
    entries: BTreeMap<u64, Entry>,
    front: BTreeSet<EventId>,
}

type Place = (TenantId, EndpointId);

fn place(tenant: &TenantId, endpoint: &EndpointId) -> Place {
    (tenant.clone(), endpoint.clone())
}

impl Row {
    fn line(&self) -> Line {
        self.line.unwrap_or_default()
    }

    /// The first that is not known to be over.
    pub(super) fn first(&self) -> Option<EventId> {
        let line = self.line();
        let entries: Vec<Entry> = self
            .entries
            .range(line.entry..)
            .map(|(_, one)| one.clone())
            .collect();
        let behind = line.waiting(&entries).next().map(|placed| placed.event);
        self.front.first().copied().or(behind)
    }

    /// Every event that joined, in order.
    pub(super) fn order(&self) -> Vec<EventId> {
        let mut seen = BTreeSet::new();
        let all = self.entries.values().flat_map(|entry| &entry.events);
        all.copied().filter(|event| seen.insert(*event)).collect()
    }
}

impl State {
    fn row(&self, tenant: &TenantId, endpoint: &EndpointId) -> Option<&Row> {
        self.rows.get(&place(tenant, endpoint))
    }

    fn row_mut(&mut self, tenant: &TenantId, endpoint: &EndpointId) -> &mut Row {
        self.rows.entry(place(tenant, endpoint)).or_default()
    }
}

impl LineEnds for Tables {
    async fn line_end(&self, tenant: &TenantId, endpoint: &EndpointId) -> Result<u64, Error> {
        let read = || {
            let state = self.state();
            let row = state.row(tenant, endpoint);
            row.map_or(0, |row| {
                let last = row.entries.values().last();
                last.map_or(row.line().head, Entry::end)
            })
        };
        self.process.call("Query deliveries line", read).await
    }

    async fn put_entry(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        entry: &Entry,
        _now: Timestamp,
    ) -> Result<Write<Entry>, Error> {
        let write = || {
            let mut state = self.state();
            let entries = &mut state.row_mut(tenant, endpoint).entries;
            if let Some(other) = entries.get(&entry.place) {
                return Write::Lost(Some(other.clone()));
            }
            let behind = entries.values().last().map_or(entry.place, Entry::end);
            entries.insert(entry.place, entry.clone());
            if behind != entry.place {
                let told = format!("a hole in the line of {endpoint} at {behind}");
                state.violations.push(told);
            }
            Write::Won
        };
        self.process.call("PutItem deliveries entry", write).await
    }
}

impl LineViews for Tables {
    async fn line(&self, tenant: &TenantId, endpoint: &EndpointId) -> Result<Line, Error> {
        let read = || {
            let state = self.state();
            state
                .row(tenant, endpoint)
                .map(Row::line)
                .unwrap_or_default()
        };
        self.process.call("GetItem deliveries line", read).await
    }

    async fn entries(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        from: u64,
        limit: i32,
    ) -> Result<Vec<Entry>, Error> {
        let read = || {
            let state = self.state();
            let row = state.row(tenant, endpoint);
            let entries = row.into_iter().flat_map(|row| row.entries.range(from..));
            let limit = usize::try_from(limit).unwrap_or(1);
            entries
                .take(limit)
                .map(|(_, entry)| entry.clone())
                .collect()
        };
        self.process.call("Query deliveries entries", read).await
    }

    async fn front(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        limit: i32,
    ) -> Result<Vec<EventId>, Error> {
        let read = || {
            let state = self.state();
            let row = state.row(tenant, endpoint);
            let front = row.into_iter().flat_map(|row| &row.front);
            let limit = usize::try_from(limit).unwrap_or(1);
            front.take(limit).copied().collect()
        };
        self.process.call("Query deliveries front", read).await
    }
}

impl Lines for Tables {
    async fn store_line(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        line: &Line,
        over: u64,
        _now: Timestamp,
    ) -> Result<Write<Line>, Error> {
        let write = || {
            let mut state = self.state();
            let row = state.row_mut(tenant, endpoint);
            let mut all: BTreeMap<(), Line> = row.line.map(|line| ((), line)).into_iter().collect();
            let written = swap(&mut all, (), line, over, |line| line.version);
            row.line = all.remove(&());
            written
        };
        self.process.call("PutItem deliveries line", write).await
    }

    async fn put_in_front(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        event: EventId,
    ) -> Result<(), Error> {
        let write = || {
            self.state().row_mut(tenant, endpoint).front.insert(event);
        };
        self.process.call("PutItem deliveries front", write).await
    }

    async fn take_from_front(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        event: EventId,
    ) -> Result<(), Error> {
        let write = || {
            self.state().row_mut(tenant, endpoint).front.remove(&event);
        };
        self.process
            .call("DeleteItem deliveries front", write)
            .await
    }
}

impl LineNotes for Tables {
    async fn lines(&self) -> Result<Vec<LineNote>, Error> {
        let read = || {
            let state = self.state();
            let notes = state.line_notes.iter();
            notes
                .map(|((tenant, endpoint), noted_at)| LineNote {
                    tenant: tenant.clone(),
                    endpoint: endpoint.clone(),
                    noted_at: *noted_at,
                })
                .collect()
        };
        let is_idle = |notes: &Vec<LineNote>| notes.is_empty();
        self.process.look("Query lines", is_idle, read).await
    }

    async fn forget_line(&self, note: &LineNote) -> Result<(), Error> {
        let write = || {
            let place = place(&note.tenant, &note.endpoint);
            let notes = &mut self.state().line_notes;
            if notes.get(&place) == Some(&note.noted_at) {
                notes.remove(&place);
            }
        };
        self.process.call("DeleteItem settings line", write).await
    }
}
