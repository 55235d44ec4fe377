//! What Hookpost tells of itself, to endpoints that ask for it.
//!
//! Whatever changes leaves a note, and here the notes are looked at once a minute: nothing on the
//! way of a delivery has to know who listens, and a storm is one event an endpoint and minute. An
//! event is stored and sent before it is noted as told, so that a sweep that breaks off tells it
//! again, as the same event.

use std::collections::HashMap;
use std::time::Duration;

use hookpost_domain::carrier::Carrier;
use hookpost_domain::counters::Counters;
use hookpost_domain::endpoint::Endpoint;
use hookpost_domain::event::{Event, Payload};
use hookpost_domain::matching::EventType;
use hookpost_domain::news::{self, Board, Dead, News, Note};
use hookpost_domain::ports::{Error, HoldingNote, Outgoing, World};
use hookpost_domain::{TenantId, Timestamp};
use serde_json::value::to_raw_value;

use crate::{Queues, Sweeper, Swept, Tables};

/// Most endpoints of a tenant that are told.
const MOST: usize = 100;
/// How long a tenant is believed to listen that has no such endpoint: one is noted before it is
/// stored.
const BELIEVED_FOR: Duration = Duration::from_secs(600);

/// Who is told.
struct Audience {
    listening: Vec<TenantId>,
    operator: Option<TenantId>,
    /// Their endpoints that ask for it, as far as they were needed.
    endpoints: HashMap<TenantId, Vec<Endpoint>>,
}

impl Audience {
    fn of(&self, tenant: &TenantId, is_operational: bool) -> Vec<TenantId> {
        news::listeners(
            &self.listening,
            self.operator.as_ref(),
            tenant,
            is_operational,
        )
    }
}

impl<S: Tables, Q: Queues, W: World> Sweeper<S, Q, W> {
    pub(crate) async fn tell(&self, swept: &mut Swept, stop_at: Timestamp) -> Result<(), Error> {
        let now = self.world.now();
        let (board, unreadable) = Board::read(self.store.notes().await?, now);
        for note in &unreadable {
            tracing::error!(
                note.name,
                "a note that says nothing to this version is left alone"
            );
        }
        let mut audience = Audience {
            listening: board.listening(),
            operator: self.config.operations_tenant.clone(),
            endpoints: HashMap::new(),
        };
        if !audience.listening.is_empty() {
            for note in self.store.holding().await? {
                if self.is_over(stop_at) {
                    return Ok(());
                }
                let told = self.tell_of_endpoint(&note, &board, &mut audience, swept);
                if let Err(error) = told.await {
                    untold(&note.tenant, &error);
                }
            }
        }
        for dead in Dead::sum(board.dead.iter().map(|(dead, _)| dead.clone())) {
            let endpoint = self.store.endpoint_config(&dead.tenant, &dead.endpoint);
            let told = async {
                let endpoint = endpoint.await?;
                let is_operational = endpoint.as_ref().is_some_and(Endpoint::is_operational);
                let to = audience.of(&dead.tenant, is_operational);
                let news = dead.news(endpoint.as_ref());
                self.tell_all(&news, &to, &mut audience, swept).await?;
                for (part, note) in &board.dead {
                    if (&part.tenant, &part.endpoint) == (&dead.tenant, &dead.endpoint) {
                        self.store.drop_note(note).await?;
                    }
                }
                Ok(())
            };
            if let Err(error) = told.await {
                untold(&dead.tenant, &error);
            }
            if self.is_over(stop_at) {
                return Ok(());
            }
        }
        for (job, note) in &board.jobs {
            let told = async {
                if let Some(news) = news::of_job(job, now) {
                    let to = audience.of(&job.tenant, false);
                    self.tell_all(&news, &to, &mut audience, swept).await?;
                }
                self.store.drop_note(note).await
            };
            if let Err(error) = told.await {
                untold(&job.tenant, &error);
            }
        }
        self.forget_deaf(&board, &audience, now).await
    }

    async fn tell_of_endpoint(
        &self,
        note: &HoldingNote,
        board: &Board,
        audience: &mut Audience,
        swept: &mut Swept,
    ) -> Result<(), Error> {
        if audience.of(&note.tenant, false).is_empty() {
            return Ok(());
        }
        let found = self.store.endpoint(&note.tenant, &note.endpoint).await?;
        let Some((endpoint, health)) = found else {
            return Ok(());
        };
        let place = (note.tenant.clone(), note.endpoint.clone());
        let told = board.told.get(&place).cloned().unwrap_or_default();
        let (all, next) = news::of_endpoint(note, &endpoint, &health, &told);
        let to = audience.of(&note.tenant, endpoint.is_operational());
        for news in &all {
            self.tell_all(news, &to, audience, swept).await?;
        }
        if next != told {
            let now = self.world.now();
            let note = Note::told(&note.tenant, &note.endpoint, &next, now);
            self.store.note(&note).await?;
        }
        Ok(())
    }

    async fn tell_all(
        &self,
        news: &News,
        to: &[TenantId],
        audience: &mut Audience,
        swept: &mut Swept,
    ) -> Result<(), Error> {
        for tenant in to {
            if !audience.endpoints.contains_key(tenant) {
                let mut endpoints = self.store.endpoints(tenant).await?;
                endpoints.retain(Endpoint::is_operational);
                audience.endpoints.insert(tenant.clone(), endpoints);
            }
            let endpoints = audience.endpoints.get(tenant);
            let endpoints = endpoints.map_or(&[][..], Vec::as_slice);
            swept.told += u64::from(self.tell_one(news, tenant, endpoints).await?);
        }
        Ok(())
    }

    /// Whether there was anybody to tell it to.
    async fn tell_one(
        &self,
        news: &News,
        to: &TenantId,
        endpoints: &[Endpoint],
    ) -> Result<bool, Error> {
        let now = self.world.now();
        let broken = |source: Box<dyn std::error::Error + Send + Sync>| Error {
            call: "writing an event about itself",
            source,
        };
        let event_type: EventType = news
            .event_type()
            .parse()
            .map_err(|error: hookpost_domain::Invalid| broken(error.into()))?;
        let json = to_raw_value(&news.details).map_err(|error| broken(error.into()))?;
        let payload = Payload::new(&json);
        let wants = |endpoint: &&Endpoint| endpoint.wants(&event_type, &payload);
        let wanting: Vec<&Endpoint> = endpoints.iter().filter(wants).take(MOST).collect();
        if wanting.is_empty() {
            return Ok(false);
        }
        let event = Event {
            id: news.event_id(to, now),
            tenant: to.clone(),
            event_type: event_type.clone(),
            payload: json.clone(),
            alias: None,
            endpoints: wanting.iter().map(|one| one.id.clone()).collect(),
            deliver_at: None,
            cloud_event: None,
            traceparent: None,
        };
        let stored = std::slice::from_ref(&event);
        self.store.store_events(stored).await?;
        let longest = self.config.patience.park_after;
        let message = |endpoint: &&Endpoint| {
            let policy = endpoint.retry.as_ref().unwrap_or(&self.config.retry);
            let first = policy.first_delay(self.world.roll());
            // It may have been told before: then its record says so.
            let (carrier, delay) = Carrier::first(&event, &endpoint.id, first, longest, true, now);
            (Outgoing::Deliver(Box::new(carrier)), delay)
        };
        self.queues
            .send(wanting.iter().map(message).collect())
            .await?;
        self.tally
            .note(to, None, &event_type, Counters::of_event(), now);
        Ok(true)
    }

    /// Tenants whose last such endpoint has gone are asked no more.
    async fn forget_deaf(
        &self,
        board: &Board,
        audience: &Audience,
        now: Timestamp,
    ) -> Result<(), Error> {
        for (tenant, note) in &board.listeners {
            let is_deaf = audience.endpoints.get(tenant).is_some_and(Vec::is_empty);
            if is_deaf && now.since(note.at) > BELIEVED_FOR {
                self.store.drop_note(note).await?;
            }
        }
        Ok(())
    }
}

fn untold(tenant: &TenantId, error: &Error) {
    tracing::error!(%tenant, %error, cause = ?error.source, "not told yet");
}
