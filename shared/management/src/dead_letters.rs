//! `dead-letters`: deliveries that were given up, newest event first.

use hookpost_adapters::api::Problem;
use hookpost_adapters::auth::Caller;
use hookpost_domain::action::{Action, Asked};
use hookpost_domain::delivery::{DeadGroups, Delivery, DeliveryFilter, Status};
use hookpost_domain::matching::EventType;
use hookpost_domain::ports::World;
use hookpost_domain::{EndpointId, EventId, Invalid, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Management;
use crate::page::{self, Found};
use crate::view::{DeadLetterGroupView, DeadLetterGroupsView, DeadLetterView};

/// The longest note, in bytes.
const MAX_NOTE_BYTES: usize = 1024;
/// Dead letters that are counted in groups at once, and those that are looked at for it: a call
/// costs at most the reads of so many.
const MAX_GROUPED: usize = 2_000;
const MAX_LOOKED_AT: usize = 5_000;
const MAX_LISTS: usize = 25;

/// Which dead letters to list. Everything that is given must hold.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeadLetterQuery {
    /// How many, 1 to 200; 50 unless given.
    pub limit: Option<usize>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// Those of one event.
    pub event_id: Option<EventId>,
    /// Those of one endpoint.
    #[serde(alias = "subscriber_id")]
    pub endpoint_id: Option<EndpointId>,
    /// Those of events of one type.
    pub event_type: Option<EventType>,
    /// Those that somebody has dealt with; unless given, those that nobody has.
    pub resolved: Option<bool>,
    /// The last failure, `timeout`, `http_503`, `http_5xx`; or why it was given up, `expired`.
    #[serde(alias = "failure_kind", alias = "failure_reason")]
    pub failure: Option<String>,
    /// Text in the words of a failure, or in the answer.
    pub q: Option<String>,
    /// Those of events accepted at or after this time.
    pub from: Option<Timestamp>,
    /// Those of events accepted before this time.
    pub to: Option<Timestamp>,
}

/// Which dead letters to count in groups. Everything that is given must hold.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeadLetterGroupQuery {
    /// The `next` of the answer before.
    pub after: Option<String>,
    /// Those of one event.
    pub event_id: Option<EventId>,
    /// Those of one endpoint.
    #[serde(alias = "subscriber_id")]
    pub endpoint_id: Option<EndpointId>,
    /// Those of events of one type.
    pub event_type: Option<EventType>,
    /// Those that somebody has dealt with; unless given, those that nobody has.
    pub resolved: Option<bool>,
    /// The last failure, `timeout`, `http_503`, `http_5xx`; or why it was given up, `expired`.
    #[serde(alias = "failure_kind", alias = "failure_reason")]
    pub failure: Option<String>,
    /// Text in the words of a failure, or in the answer.
    pub q: Option<String>,
    /// Those of events accepted at or after this time.
    pub from: Option<Timestamp>,
    /// Those of events accepted before this time.
    pub to: Option<Timestamp>,
}

/// How a dead letter was dealt with.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResolveOrder {
    /// What to remember of it, at most 1024 bytes.
    pub note: String,
}

impl<W: World> Management<W> {
    /// Dead letters, newest event first.
    ///
    /// # Errors
    /// 422 for a page or a filter that cannot be.
    pub async fn list_dead_letters(
        &self,
        caller: &Caller,
        query: DeadLetterQuery,
    ) -> Result<Found<DeadLetterView>, Problem> {
        let limit = page::limit(query.limit)?;
        let after = query.after.as_deref();
        let after = self.place("dead-letters", caller, after).await?;
        let after = after.as_deref().map(page::read_place).transpose()?;
        let filter = DeliveryFilter {
            event_id: query.event_id,
            endpoint_id: query.endpoint_id,
            event_type: query.event_type,
            resolved: Some(query.resolved.unwrap_or(false)),
            failure: query.failure,
            q: query.q,
            from: query.from,
            to: query.to,
            ..DeliveryFilter::default()
        };
        let listed = self.list(&caller.tenant, &filter, after, limit).await?;
        Ok(Found {
            data: listed.deliveries.iter().map(DeadLetterView::of).collect(),
            next: self
                .next("dead-letters", caller, listed.next.map(|id| id.to_string()))
                .await?,
            scanned: listed.scanned,
        })
    }

    /// How many dead letters there are of each endpoint and failure: the newest ones, as far as one
    /// call looks back.
    ///
    /// # Errors
    /// 422 for a place or a filter that cannot be.
    pub async fn group_dead_letters(
        &self,
        caller: &Caller,
        query: DeadLetterGroupQuery,
    ) -> Result<DeadLetterGroupsView, Problem> {
        const PLACES: &str = "dead-letter-groups";
        let after = self.place(PLACES, caller, query.after.as_deref()).await?;
        let mut place = after.as_deref().map(page::read_place).transpose()?;
        let filter = DeliveryFilter {
            event_id: query.event_id,
            endpoint_id: query.endpoint_id,
            event_type: query.event_type,
            resolved: Some(query.resolved.unwrap_or(false)),
            failure: query.failure,
            q: query.q,
            from: query.from,
            to: query.to,
            ..DeliveryFilter::default()
        };
        let mut groups = DeadGroups::default();
        let (mut counted, mut looked_at) = (0, 0);
        for _ in 0..MAX_LISTS {
            let listed = self
                .list(&caller.tenant, &filter, place, page::MAX_LIMIT)
                .await?;
            listed
                .deliveries
                .iter()
                .for_each(|delivery| groups.add(delivery));
            counted += listed.deliveries.len();
            looked_at += listed.scanned;
            place = listed.next;
            if place.is_none() || counted >= MAX_GROUPED || looked_at >= MAX_LOOKED_AT {
                break;
            }
        }
        let groups = groups.largest_first().into_iter();
        Ok(DeadLetterGroupsView {
            data: groups.map(DeadLetterGroupView::of).collect(),
            complete: place.is_none(),
            counted,
            looked_back_to: place.as_ref().map(|place| place.event.time()),
            next: self
                .next(PLACES, caller, place.map(|id| id.to_string()))
                .await?,
        })
    }

    /// A dead letter by its delivery's id.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id.
    pub async fn get_dead_letter(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<DeadLetterView, Problem> {
        let delivery = self.find_dead_letter(caller, id).await?;
        Ok(DeadLetterView::of(&delivery))
    }

    /// Marks a dead letter as dealt with: no replay by filter means it, and no list shows it that
    /// does not ask for such.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id; 409 if it was replayed meanwhile.
    pub async fn resolve_dead_letter(
        &self,
        caller: &Caller,
        id: &str,
        order: ResolveOrder,
    ) -> Result<DeadLetterView, Problem> {
        if order.note.len() > MAX_NOTE_BYTES {
            let rule = "must be at most 1024 bytes";
            return Err(Problem::invalid(&Invalid::new("note", rule)));
        }
        self.find_dead_letter(caller, id).await?;
        let asked = Asked {
            by: caller.actor.to_string(),
            note: order.note,
            ..Asked::of(Action::Resolve)
        };
        let delivery = self.act(caller, id, &asked).await?;
        Ok(DeadLetterView::of(&delivery))
    }

    /// Forgets a dead letter: a message of it that somebody redrives is dropped.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id; 409 if it was replayed meanwhile.
    pub async fn delete_dead_letter(&self, caller: &Caller, id: &str) -> Result<(), Problem> {
        self.find_dead_letter(caller, id).await?;
        self.delete_delivery(caller, id).await
    }

    async fn find_dead_letter(&self, caller: &Caller, id: &str) -> Result<Delivery, Problem> {
        let missing = || Problem::not_found("no dead letter has this id");
        let delivery = match self.find_delivery(caller, id).await {
            Err(problem) if problem.status == 404 => return Err(missing()),
            found => found?,
        };
        if matches!(delivery.status, Status::Dead { .. }) {
            Ok(delivery)
        } else {
            Err(missing())
        }
    }
}
