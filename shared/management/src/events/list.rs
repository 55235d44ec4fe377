//! Events, newest first. What a call costs is bounded whatever is stored: a filter that finds little
//! answers a short page, and its `next` says where to go on.

use hookpost_adapters::api::Problem;
use hookpost_adapters::auth::Caller;
use hookpost_domain::event::EventOutline;
use hookpost_domain::matching::EventPattern;
use hookpost_domain::ports::{EventHistory, Events, IdempotencyKeys, World};
use hookpost_domain::{EventId, Invalid, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Management;
use crate::page::{self, Page};
use crate::view::EventSummary;

/// What its places are signed as.
const LIST: &str = "events";
/// Events that one call looks at, and walks that it makes at most.
const MAX_LOOKED_AT: usize = 2_000;
const MAX_WALKS: usize = 10;
/// Events that are looked at together where a filter leaves most of them out.
const FILTERED: usize = 200;
/// The longest that a caller's own id can be.
const MAX_ALIAS: usize = 255;

/// Which events to list.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EventQuery {
    /// How many, 1 to 200; 50 unless given.
    pub limit: Option<usize>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// A type, `order.*`, or `*`.
    #[serde(alias = "type")]
    #[schemars(with = "Option<String>")]
    pub event_type: Option<EventPattern>,
    /// Accepted at this time or later.
    pub from: Option<Timestamp>,
    /// Accepted before this time.
    pub to: Option<Timestamp>,
    /// The caller's own id, in the 24 hours that it is known: the only event that has it.
    pub alias: Option<String>,
}

impl<W: World> Management<W> {
    /// Events, newest first.
    ///
    /// # Errors
    /// 422 for a page that cannot be.
    pub async fn list_events(
        &self,
        caller: &Caller,
        query: EventQuery,
    ) -> Result<Page<EventSummary>, Problem> {
        let limit = page::limit(query.limit)?;
        if let Some(alias) = &query.alias {
            return self.event_by_alias(caller, alias).await;
        }
        let after = query.after.as_deref();
        let after = self.place(LIST, caller, after).await?;
        let after = after.map(|after| after.parse::<EventId>());
        let after = after.transpose().map_err(|_| page::unknown_place())?;
        let end = query.to.map(EventId::floor);
        // Everything from this one on has been looked at.
        let mut seen = match (after, end) {
            (Some(after), Some(end)) => Some(after.min(end)),
            (after, end) => after.or(end),
        };
        let pattern = query.event_type.unwrap_or(EventPattern::All);
        let now = self.world.now();
        let wanted =
            |event: &EventOutline| pattern.matches(&event.event_type) && now < event.expires_at;
        let mut data = Vec::with_capacity(limit);
        let (mut more, mut looked_at) = (true, 0);
        for _ in 0..MAX_WALKS {
            let left = limit - data.len();
            if left == 0 || !more || looked_at >= MAX_LOOKED_AT {
                break;
            }
            let ask = if pattern == EventPattern::All {
                left
            } else {
                FILTERED
            };
            let upto = seen.map(EventId::just_before);
            let tenant = &caller.tenant;
            let walk = self
                .store
                .events_back(tenant, upto, query.from, ask)
                .await?;
            more = walk.more && !walk.found.is_empty();
            for event in walk.found {
                if data.len() == limit {
                    more = true;
                    break;
                }
                looked_at += 1;
                seen = Some(event.id);
                if wanted(&event) {
                    data.push(EventSummary::from(event));
                }
            }
        }
        let next = seen.filter(|_| more).map(|id| id.to_string());
        Ok(Page {
            data,
            next: self.next(LIST, caller, next).await?,
        })
    }

    async fn event_by_alias(
        &self,
        caller: &Caller,
        alias: &str,
    ) -> Result<Page<EventSummary>, Problem> {
        if !(1..=MAX_ALIAS).contains(&alias.len()) {
            let rule = "must be 1 to 255 bytes of text";
            return Err(Problem::invalid(&Invalid::new("alias", rule)));
        }
        let tenant = &caller.tenant;
        let known = self.store.claimed(tenant, &format!("id:{alias}")).await?;
        let event = match known {
            Some(known) => self.store.event(tenant, known.event).await?,
            None => None,
        };
        Ok(Page {
            data: event.into_iter().map(EventSummary::from).collect(),
            next: None,
        })
    }
}
