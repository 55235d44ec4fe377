//! What Hookpost tells of itself: an endpoint was disabled, a breaker opened or closed, deliveries
//! became dead letters, a replay is done.
//!
//! Told as events of types that begin with [`PREFIX`], which nobody else can post, to endpoints
//! that ask for them by name: `*` does not mean them. Guarantees: what is told of an endpoint is
//! never told to its own tenant if the endpoint itself gets such events, so no failure to tell
//! makes more to tell; told again, it is the same event.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::breaker::{Breaker, Health};
use crate::carrier::Exhausted;
use crate::endpoint::{DisabledBy, Endpoint, EndpointState};
use crate::job::Job;
use crate::ports::HoldingNote;
use crate::{EndpointId, EventId, Invalid, TenantId, Timestamp};

/// What the types of such events begin with.
pub const PREFIX: &str = "hookpost.";

/// An hour: what is told again within it is the same event.
const HOUR_MS: u64 = 3_600_000;
/// Dead letters of one endpoint within this time are one note. Looked at once a minute, the notes are
/// one event.
const STRETCH_MS: u64 = 5_000;

/// Something to tell.
#[derive(Debug, Clone, PartialEq)]
pub struct News {
    /// What happened, without [`PREFIX`].
    pub kind: &'static str,
    /// To whose endpoint or job.
    pub tenant: TenantId,
    /// What tells it from all other news of its kind and tenant.
    pub subject: String,
    /// When.
    pub at: Timestamp,
    /// What there is to know.
    pub details: Value,
}

impl News {
    /// The event's type.
    pub fn event_type(&self) -> String {
        format!("{PREFIX}{}", self.kind)
    }

    /// The event's id for whoever it is told to: the same whenever it is told within an hour. What
    /// happened long ago is dated to this hour, so that it is not too old to be delivered.
    pub fn event_id(&self, to: &TenantId, now: Timestamp) -> EventId {
        let this_hour = Timestamp::from_millis(now.as_millis() / HOUR_MS * HOUR_MS);
        let mut hash = Sha256::new();
        for part in [to.as_str(), self.tenant.as_str(), self.kind, &self.subject] {
            hash.update(part);
            // No part holds a zero byte.
            hash.update([0]);
        }
        hash.update(self.at.as_millis().to_be_bytes());
        let mut random = [0; 10];
        for (byte, hashed) in random.iter_mut().zip(hash.finalize()) {
            *byte = hashed;
        }
        EventId::generate(self.at.max(this_hour).min(now), random)
    }

    fn of_endpoint(kind: &'static str, note: &HoldingNote, at: Timestamp, details: Value) -> Self {
        Self {
            kind,
            tenant: note.tenant.clone(),
            subject: note.endpoint.to_string(),
            at,
            details,
        }
    }
}

/// What has been told of an endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// When the breaker opened that was told to be open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Timestamp>,
    /// When it was noted that it is disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<Timestamp>,
}

/// What there is to tell of an endpoint that is noted to be looked after, and what is told then. An
/// endpoint that nobody disabled since it was noted has nothing to tell of that.
pub fn of_endpoint(
    note: &HoldingNote,
    endpoint: &Endpoint,
    health: &Health,
    told: &Told,
) -> (Vec<News>, Told) {
    let mut news = Vec::new();
    let mut next = Told::default();
    let about = |more: Value| {
        let mut details = json!({
            "tenant": endpoint.tenant,
            "endpoint_id": endpoint.id,
            "endpoint_url": endpoint.url.for_logs(),
        });
        if let (Some(details), Value::Object(more)) = (details.as_object_mut(), more) {
            details.extend(more);
        }
        details
    };
    match (&health.breaker, told.opened_at) {
        (Breaker::Open { opened_at, .. }, Some(before)) if *opened_at == before => {
            next.opened_at = Some(before);
        }
        (
            Breaker::Open {
                opened_at,
                next_probe,
                by_hand,
                ..
            },
            _,
        ) => {
            next.opened_at = Some(*opened_at);
            let details = about(json!({
                "opened_at": opened_at,
                "next_probe_at": next_probe,
                "by_hand": by_hand,
                "consecutive_failures": health.failures,
                "failing_since": health.failing_since,
            }));
            news.push(News::of_endpoint(
                "breaker.opened",
                note,
                *opened_at,
                details,
            ));
        }
        (Breaker::Closed, Some(before)) => {
            let details = about(json!({
                "opened_at": before,
                "last_recovery": health.last_recovery,
            }));
            news.push(News::of_endpoint("breaker.closed", note, before, details));
        }
        (Breaker::Closed, None) => {}
    }
    if let EndpointState::Disabled(by) = endpoint.state {
        next.disabled_at = Some(note.noted_at);
        if told.disabled_at != Some(note.noted_at) {
            let reason = match by {
                DisabledBy::Operator => "operator",
                DisabledBy::Gone => "gone",
                DisabledBy::Deployment => "deployment",
            };
            let details = about(json!({ "reason": reason, "disabled_at": endpoint.updated_at }));
            news.push(News::of_endpoint(
                "endpoint.disabled",
                note,
                note.noted_at,
                details,
            ));
        }
    }
    (news, next)
}

/// A job that is done, if it was a replay.
pub fn of_job(job: &Job, now: Timestamp) -> Option<News> {
    use crate::action::Action;
    let is_told = job.action == Action::Replay && !job.dry_run && job.is_over();
    is_told.then(|| News {
        kind: "replay.finished",
        tenant: job.tenant.clone(),
        subject: job.id.clone(),
        at: job.finished_at.unwrap_or(now),
        details: job.shown(now),
    })
}

/// Dead letters of one endpoint, within a minute or so.
#[derive(Debug, Clone, PartialEq)]
pub struct Dead {
    /// Whose.
    pub tenant: TenantId,
    /// Of which endpoint.
    pub endpoint: EndpointId,
    /// How many.
    pub count: u64,
    /// The last of them, in words for people and programs.
    pub last: Value,
    /// When that was noted.
    pub at: Timestamp,
}

impl Dead {
    /// One of them.
    pub fn of(exhausted: &Exhausted) -> Self {
        Self {
            tenant: exhausted.tenant.clone(),
            endpoint: exhausted.endpoint_id.clone(),
            count: 1,
            last: json!({
                "delivery_id": exhausted.delivery_id,
                "event_id": exhausted.event_id,
                "event_type": exhausted.event_type,
                "failure_reason": exhausted.failure_reason,
                "attempts": exhausted.attempts,
            }),
            at: exhausted.exhausted_at,
        }
    }

    /// Adds them up, an entry an endpoint, from the oldest to the newest.
    pub fn sum(all: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut sums: BTreeMap<(TenantId, EndpointId), Self> = BTreeMap::new();
        for dead in all {
            let place = (dead.tenant.clone(), dead.endpoint.clone());
            let count = sums.get(&place).map_or(0, |sum| sum.count) + dead.count;
            sums.insert(place, Self { count, ..dead });
        }
        sums.into_values().collect()
    }

    /// What is told of them; `endpoint` is what they were for, if it is still there.
    pub fn news(&self, endpoint: Option<&Endpoint>) -> News {
        News {
            kind: "dead_letter",
            tenant: self.tenant.clone(),
            subject: self.endpoint.to_string(),
            at: self.at,
            details: json!({
                "tenant": self.tenant,
                "endpoint_id": self.endpoint,
                "endpoint_url": endpoint.map(|endpoint| endpoint.url.for_logs()),
                "count": self.count,
                "last": self.last,
            }),
        }
    }
}

/// Who is told of something that happened to `tenant`, to an endpoint that `is_operational` gets
/// such events itself: the tenant, and the deployment's operator, as far as they listen.
pub fn listeners(
    listening: &[TenantId],
    operator: Option<&TenantId>,
    tenant: &TenantId,
    is_operational: bool,
) -> Vec<TenantId> {
    let listens = |who: &&TenantId| {
        let is_concerned = *who == tenant || Some(*who) == operator;
        is_concerned && !(*who == tenant && is_operational)
    };
    listening.iter().filter(listens).cloned().collect()
}

/// Something that is noted for the next look, under a name of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What it is of.
    pub name: String,
    /// How often it was noted, or how much.
    pub count: u64,
    /// What was noted last.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

const LISTENER: &str = "listener";
const TOLD: &str = "told";
const DEAD: &str = "dead";
const JOB: &str = "job";

impl Note {
    /// That a tenant has an endpoint that gets such events.
    pub fn listener(tenant: &TenantId, now: Timestamp) -> Self {
        Self {
            name: format!("{LISTENER}#{tenant}"),
            count: 1,
            text: String::new(),
            at: now,
        }
    }

    /// What has been told of an endpoint.
    pub fn told(tenant: &TenantId, endpoint: &EndpointId, told: &Told, now: Timestamp) -> Self {
        Self {
            name: format!("{TOLD}#{tenant}#{endpoint}"),
            count: 1,
            text: serde_json::to_string(told).unwrap_or_default(),
            at: now,
        }
    }

    /// Dead letters.
    pub fn dead(dead: &Dead, now: Timestamp) -> Self {
        let stretch = now.as_millis() / STRETCH_MS;
        Self {
            name: format!("{DEAD}#{}#{}#{stretch}", dead.tenant, dead.endpoint),
            count: dead.count,
            text: dead.last.to_string(),
            at: now,
        }
    }

    /// A job that is done.
    pub fn job(job: &Job, now: Timestamp) -> Self {
        Self {
            name: format!("{JOB}#{}#{}", job.tenant, job.id),
            count: 1,
            text: serde_json::to_string(job).unwrap_or_default(),
            at: now,
        }
    }

    /// Whether it stays until it is dropped, however long.
    pub fn is_lasting(&self) -> bool {
        self.name.starts_with(LISTENER)
    }
}

/// All that is noted.
#[derive(Debug, Clone, Default)]
pub struct Board {
    /// Tenants that have an endpoint which gets such events.
    pub listeners: Vec<(TenantId, Note)>,
    /// What has been told, by endpoint.
    pub told: BTreeMap<(TenantId, EndpointId), Told>,
    /// Dead letters of stretches of time that are over.
    pub dead: Vec<(Dead, Note)>,
    /// Jobs that are done.
    pub jobs: Vec<(Job, Note)>,
}

impl Board {
    /// What these notes say at `now`, and those that say nothing.
    pub fn read(notes: Vec<Note>, now: Timestamp) -> (Self, Vec<Note>) {
        let mut board = Self::default();
        let mut unreadable = Vec::new();
        for note in notes {
            if board.add(&note, now).is_none() {
                unreadable.push(note);
            }
        }
        (board, unreadable)
    }

    fn add(&mut self, note: &Note, now: Timestamp) -> Option<()> {
        let (kind, rest) = note.name.split_once('#')?;
        match kind {
            LISTENER => self.listeners.push((rest.parse().ok()?, note.clone())),
            TOLD => {
                let (tenant, endpoint) = rest.split_once('#')?;
                let told = serde_json::from_str(&note.text).ok()?;
                let place = (tenant.parse().ok()?, endpoint.parse().ok()?);
                self.told.insert(place, told);
            }
            DEAD => {
                let mut parts = rest.split('#');
                let dead = Dead {
                    tenant: parts.next()?.parse().ok()?,
                    endpoint: parts.next()?.parse().ok()?,
                    count: note.count,
                    last: serde_json::from_str(&note.text).ok()?,
                    at: note.at,
                };
                let stretch: u64 = parts.next()?.parse().ok()?;
                // Until its time is over, more may come.
                if stretch < now.as_millis() / STRETCH_MS {
                    self.dead.push((dead, note.clone()));
                }
            }
            JOB => {
                let job = serde_json::from_str(&note.text).ok()?;
                self.jobs.push((job, note.clone()));
            }
            _ => return None,
        }
        Some(())
    }

    /// The tenants that listen.
    pub fn listening(&self) -> Vec<TenantId> {
        let tenants = self.listeners.iter();
        tenants.map(|(tenant, _)| tenant.clone()).collect()
    }
}

/// That callers post no such events.
///
/// # Errors
/// The type is one of Hookpost's own.
pub fn check_posted(event_type: &str) -> Result<(), Invalid> {
    if event_type.starts_with(PREFIX) {
        let rule = "must not begin with `hookpost.`: such events are Hookpost's own";
        return Err(Invalid::new("event_type", rule));
    }
    Ok(())
}
