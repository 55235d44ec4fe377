//! The live feed: what a batch has attempted is handed over at its end, if anybody watches.
//!
//! Guarantees: while nobody watches, a process asks once in [`ASK_EVERY`] at most, however much it
//! delivers and for however many tenants; a handover neither fails a delivery nor holds up the
//! batch for longer than [`WITHIN`]; what is not handed over is counted and told with what is.

use std::collections::{BTreeMap, HashMap};
use std::mem::take;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookpost_domain::delivery::Delivery;
use hookpost_domain::live::{ASK_EVERY, Handover, MAX_HANDED, Pace, Shown};
use hookpost_domain::ports::{Feed, Watched};
use hookpost_domain::{TenantId, Timestamp};

use crate::worker::chain;

/// How long asking and handing over may take, after everything else of the batch is done.
const WITHIN: Duration = Duration::from_secs(1);
/// Tenants that a process remembers; beyond that it starts anew.
const MAX_TENANTS: usize = 1_000;

/// What this process has to show, and what it knows of who watches.
#[derive(Debug, Default)]
pub(crate) struct Playbill {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    noted: BTreeMap<TenantId, Handover>,
    /// When it was asked about a tenant, or about any at all, and until when they are watched.
    known: HashMap<Option<TenantId>, (Timestamp, Timestamp)>,
    /// Attempts that were not handed over, of tenants that are watched.
    left_out: HashMap<TenantId, u32>,
    pace: Pace,
}

impl Playbill {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the last attempt of a delivery, as it was just recorded.
    pub(crate) fn note(&self, delivery: &Delivery) {
        let Some(shown) = Shown::last_of(delivery) else {
            return;
        };
        let mut state = self.state();
        let handover = state
            .noted
            .entry(delivery.tenant.clone())
            .or_insert_with(|| Handover {
                tenant: delivery.tenant.clone(),
                attempts: Vec::new(),
                left_out: 0,
            });
        if handover.attempts.len() < MAX_HANDED {
            handover.attempts.push(shown);
        } else {
            handover.left_out += 1;
        }
    }

    /// Hands over what was noted of tenants that are watched, and forgets the rest.
    pub(crate) async fn show(&self, store: &impl Watched, feed: &impl Feed, now: Timestamp) {
        let noted = take(&mut self.state().noted);
        let handing_over = async {
            if noted.is_empty() || !self.is_watched(store, None, now).await {
                return;
            }
            for (tenant, handover) in noted {
                if self.is_watched(store, Some(&tenant), now).await {
                    self.hand_over(feed, handover, now).await;
                }
            }
        };
        if tokio::time::timeout(WITHIN, handing_over).await.is_err() {
            tracing::warn!("there was no time to show what was attempted");
        }
    }

    async fn hand_over(&self, feed: &impl Feed, mut handover: Handover, now: Timestamp) {
        {
            let mut state = self.state();
            let before = state.left_out.remove(&handover.tenant).unwrap_or_default();
            handover.left_out = handover.left_out.saturating_add(before);
            if !state.pace.admits(now) {
                let skipped = u32::try_from(handover.attempts.len()).unwrap_or(u32::MAX);
                let left_out = handover.left_out.saturating_add(skipped);
                if state.left_out.len() >= MAX_TENANTS {
                    state.left_out.clear();
                }
                state.left_out.insert(handover.tenant, left_out);
                return;
            }
        }
        if let Err(error) = feed.hand_over(&handover).await {
            tracing::warn!(tenant = %handover.tenant, error = %chain(&error), "what was attempted is not shown");
        }
    }

    /// Whether somebody watches a tenant, or any at all, as far as is known or can be found out. If
    /// it cannot, nobody does, until it is time to ask again.
    async fn is_watched(
        &self,
        store: &impl Watched,
        tenant: Option<&TenantId>,
        now: Timestamp,
    ) -> bool {
        let tenant = tenant.cloned();
        let known = self.state().known.get(&tenant).copied();
        if let Some((asked, until)) = known
            && now.since(asked) < ASK_EVERY
        {
            return now < until;
        }
        let note = |until: Timestamp| {
            let mut state = self.state();
            if state.known.len() >= MAX_TENANTS {
                state.known.clear();
            }
            state.known.insert(tenant.clone(), (now, until));
        };
        // Noted before it is asked: an answer that does not come must not be waited for again.
        note(Timestamp::default());
        match store.watched_until(tenant.as_ref()).await {
            Ok(until) => {
                let until = until.unwrap_or_default();
                note(until);
                now < until
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), "it is not known whether anybody watches");
                false
            }
        }
    }
}
