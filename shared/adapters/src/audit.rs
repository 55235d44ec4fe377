//! Writes the audit log.
//!
//! Guarantees: what changes something has its entry in the table before it begins, or is not done
//! at all; if the second write, which says what came of it, fails, the entry stays as `begun` and
//! the line is in the logs. Refused calls write at most thirty entries a minute and process; how
//! many were left out stands in the next.

use std::sync::{Mutex, PoisonError};

use hookpost_domain::access::Actor;
use hookpost_domain::audit::{Entry, Outcome, Refusals};
use hookpost_domain::ids::AuditId;
use hookpost_domain::ports::Error;
use hookpost_domain::{TenantId, Timestamp};

use crate::Config;
use crate::api::Call;
use crate::table::Store;
use crate::world::random_bytes;

/// The log, as one process writes it.
#[derive(Debug, Default)]
pub struct AuditLog {
    refusals: Mutex<Refusals>,
}

/// The entry of something that is being done.
#[derive(Debug)]
#[must_use = "what came of it has to be noted"]
pub struct Trail {
    entry: Entry,
    until: Timestamp,
}

/// The entry of what nobody calls for over HTTP, before anything has come of it.
pub(crate) fn entry_without_call(
    actor: &Actor,
    action: &str,
    tenant: &TenantId,
    request_id: &str,
    now: Timestamp,
) -> Entry {
    Entry {
        id: AuditId::generate(now, random_bytes()),
        tenant: Some(tenant.clone()),
        actor: actor.to_string(),
        action: action.to_owned(),
        method: String::new(),
        resource: action.to_owned(),
        source_ip: String::new(),
        request_id: request_id.to_owned(),
        outcome: Outcome::Begun,
        status: None,
        left_out: 0,
    }
}

/// An entry of a call, before anything came of it.
pub fn entry_of(
    call: &Call,
    action: &str,
    actor: &Actor,
    tenant: Option<&TenantId>,
    now: Timestamp,
) -> Entry {
    let below = call.path.strip_prefix("/api/v1").unwrap_or(&call.path);
    Entry {
        id: AuditId::generate(now, random_bytes()),
        tenant: tenant.cloned(),
        actor: actor.to_string(),
        action: action.to_owned(),
        method: call.method.clone(),
        resource: below.trim_matches('/').to_owned(),
        source_ip: call.source_ip.clone(),
        request_id: call.request_id.clone(),
        outcome: Outcome::Begun,
        status: None,
        left_out: 0,
    }
    .clipped()
}

impl AuditLog {
    /// Notes that something is about to be done.
    ///
    /// # Errors
    /// It could not be noted, and must not be done.
    pub async fn begin(
        &self,
        store: &Store,
        config: &Config,
        entry: Entry,
    ) -> Result<Trail, Error> {
        let until = entry.id.time().after(config.audit_retention);
        store.store_audit(&entry, until).await?;
        Ok(Trail { entry, until })
    }

    /// Notes that a call was refused with `status`. One too many is only counted.
    pub async fn refused(&self, store: &Store, config: &Config, entry: Entry, status: u16) {
        let now = entry.id.time();
        let noted = {
            let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
            refusals.note(now)
        };
        let Some(left_out) = noted else {
            return;
        };
        let entry = Entry {
            outcome: Outcome::Refused,
            status: Some(status),
            left_out,
            ..entry
        };
        let until = now.after(config.audit_retention);
        if let Err(error) = store.store_audit(&entry, until).await {
            lament(&entry, &error);
        }
    }
}

impl Trail {
    /// Notes what came of it, and what it made, if it made something.
    pub async fn end(self, store: &Store, status: u16, made: Option<&str>) {
        let Self { mut entry, until } = self;
        entry.outcome = Outcome::of(status);
        entry.status = Some(status);
        if let Some(made) = made {
            let below = made.strip_prefix("/api/v1").unwrap_or(made);
            below.trim_matches('/').clone_into(&mut entry.resource);
        }
        if let Err(error) = store.store_audit(&entry, until).await {
            lament(&entry, &error);
        }
    }
}

/// The logs have it, if the table has not.
fn lament(entry: &Entry, error: &Error) {
    tracing::error!(
        audit.id = %entry.id, audit.actor = entry.actor, audit.action = entry.action,
        audit.resource = entry.resource, audit.outcome = %entry.outcome, error = %error.source,
        "an entry of the audit log was not written"
    );
}
