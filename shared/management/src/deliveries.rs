//! `deliveries`: list, one with every attempt, retry, cancel, forget; where an event stands.

use hookpost_adapters::actions::{self, Acted};
use hookpost_adapters::api::Problem;
use hookpost_adapters::auth::Caller;
use hookpost_domain::action::{Action, Asked};
use hookpost_domain::delivery::{Delivery, DeliveryFilter, Status, StatusName};
use hookpost_domain::matching::EventType;
use hookpost_domain::ports::{Deliveries, DeliveryQueue, Events, IdempotencyKeys, Records, World};
use hookpost_domain::{DeliveryId, EndpointId, EventId, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Management;
use crate::page::{self, Found};
use crate::view::{DeliveryView, EventStatusView};

/// Which deliveries to list. Everything that is given must hold.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeliveryQuery {
    /// How many, 1 to 200; 50 unless given.
    pub limit: Option<usize>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// Those of one event.
    pub event_id: Option<EventId>,
    /// Those to one endpoint.
    #[serde(alias = "subscriber_id")]
    pub endpoint_id: Option<EndpointId>,
    /// `pending`, `retrying`, `parked`, `held`, `delivered`, `dead` (or `failed`), `cancelled`.
    pub status: Option<StatusName>,
    /// Those of events of one type.
    pub event_type: Option<EventType>,
    /// Dead letters that somebody has dealt with, or those that nobody has.
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

/// How to retry.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetryOrder {
    /// Whether to send what was delivered or cancelled once more.
    pub force: bool,
}

/// Which event.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusQuery {
    /// Its id, or the one that its sender gave it.
    pub event_id: String,
}

fn missing() -> Problem {
    Problem::not_found("no delivery has this id")
}

impl DeliveryQuery {
    pub(crate) fn filter(&self) -> DeliveryFilter {
        DeliveryFilter {
            event_id: self.event_id,
            endpoint_id: self.endpoint_id.clone(),
            status: self.status,
            event_type: self.event_type.clone(),
            resolved: self.resolved,
            failure: self.failure.clone(),
            q: self.q.clone(),
            from: self.from,
            to: self.to,
            ..DeliveryFilter::default()
        }
    }
}

impl<W: World> Management<W> {
    /// Deliveries, newest event first.
    ///
    /// # Errors
    /// 422 for a page or a filter that cannot be.
    pub async fn list_deliveries(
        &self,
        caller: &Caller,
        query: DeliveryQuery,
    ) -> Result<Found<DeliveryView>, Problem> {
        let limit = page::limit(query.limit)?;
        let after = query.after.as_deref();
        let after = self.place("deliveries", caller, after).await?;
        let after = after.as_deref().map(page::read_place).transpose()?;
        let listed = self
            .list(&caller.tenant, &query.filter(), after, limit)
            .await?;
        Ok(Found {
            data: listed.deliveries.iter().map(DeliveryView::of).collect(),
            next: self
                .next("deliveries", caller, listed.next.map(|id| id.to_string()))
                .await?,
            scanned: listed.scanned,
        })
    }

    /// A delivery with every attempt.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id.
    pub async fn get_delivery(&self, caller: &Caller, id: &str) -> Result<DeliveryView, Problem> {
        let delivery = self.find_delivery(caller, id).await?;
        Ok(DeliveryView {
            waiting_for: Box::pin(self.waited_for(&delivery)).await?,
            ..DeliveryView::of(&delivery)
        })
    }

    /// Sends a delivery now: what waits goes out at once, what is dead begins a fresh cycle.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id; 409 if it cannot be sent as it stands.
    pub async fn retry_delivery(
        &self,
        caller: &Caller,
        id: &str,
        order: RetryOrder,
    ) -> Result<DeliveryView, Problem> {
        let asked = Asked {
            force: order.force,
            ..Asked::of(Action::Retry)
        };
        let delivery = self.act(caller, id, &asked).await?;
        Ok(DeliveryView::of(&delivery))
    }

    /// Calls a delivery off. A request that is under way may still land: its attempt is logged, and
    /// the delivery stays cancelled.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id; 409 if it is over.
    pub async fn cancel_delivery(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<DeliveryView, Problem> {
        let delivery = self.act(caller, id, &Asked::of(Action::Cancel)).await?;
        Ok(DeliveryView::of(&delivery))
    }

    /// Forgets a delivery that is over: nothing of it is shown any more.
    ///
    /// # Errors
    /// 404 if the tenant has none of this id; 409 if it is not over.
    pub async fn delete_delivery(&self, caller: &Caller, id: &str) -> Result<(), Problem> {
        self.act(caller, id, &Asked::of(Action::Delete)).await?;
        Ok(())
    }

    /// Where an event stands, over all of its deliveries.
    ///
    /// # Errors
    /// 404 if the tenant has no such event.
    pub async fn event_status(
        &self,
        caller: &Caller,
        query: StatusQuery,
    ) -> Result<EventStatusView, Problem> {
        let missing = || Problem::not_found("no event has this id");
        let id = if let Ok(id) = query.event_id.parse::<EventId>() {
            id
        } else {
            // The sender's own id is kept as an idempotency key is.
            let key = format!("id:{}", query.event_id);
            let known = self.store.claimed(&caller.tenant, &key).await?;
            known.ok_or_else(missing)?.event
        };
        let event = self.store.event(&caller.tenant, id).await?;
        let event = event.ok_or_else(missing)?;
        let ids: Vec<DeliveryId> = hookpost_domain::delivery::rest_of(id, &event.endpoints, None);
        let event_type = event.event_type;
        let deliveries = self
            .store
            .deliveries_or_unwritten(&caller.tenant, &ids, |_| Some(event_type.clone()))
            .await?;
        Ok(EventStatusView::of(id, &deliveries))
    }

    /// Does what is asked to a delivery, and gives it as it is then.
    pub(crate) async fn act(
        &self,
        caller: &Caller,
        id: &str,
        asked: &Asked,
    ) -> Result<Delivery, Problem> {
        let delivery = self.find_delivery(caller, id).await?;
        let now = self.world.now();
        let acted = actions::act(&self.store, asked, delivery, now, now).await?;
        // The record knows: should this fail, the sweeper sends what nobody hears of.
        if let Some(message) = acted.message(now) {
            self.queues.send(vec![message]).await?;
        }
        if let Acted::Kept(delivery) = &acted
            && matches!(delivery.status, Status::Cancelled { .. })
        {
            self.count_cancelled(delivery).await;
        }
        match acted {
            Acted::Send(delivery, _) | Acted::Kept(delivery) => {
                tracing::info!(delivery.id = %delivery.id, tenant = %delivery.tenant, action = asked.action.as_str(), status = delivery.status_name(), "acted on a delivery");
                Ok(*delivery)
            }
            Acted::Already(delivery) => Ok(*delivery),
            Acted::Refused(delivery, why) => {
                let status = delivery.status_name();
                Err(Problem::conflict(format!(
                    "this delivery is {status}: {why}"
                )))
            }
            Acted::Gone => Err(missing()),
        }
    }

    /// A delivery that has not been attempted yet has no record: its event tells of it.
    pub(crate) async fn find_delivery(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Delivery, Problem> {
        let id: DeliveryId = id.parse().map_err(|_| missing())?;
        if let Some(delivery) = self.store.delivery(&id).await? {
            let is_there = |delivery: &Delivery| {
                delivery.tenant == caller.tenant
                    && !matches!(delivery.status, Status::Deleted { .. })
            };
            return Some(delivery).filter(is_there).ok_or_else(missing);
        }
        let event = self
            .store
            .event(&caller.tenant, id.event)
            .await?
            .ok_or_else(missing)?;
        if !event.endpoints.contains(&id.endpoint) {
            return Err(missing());
        }
        Ok(Delivery::of(&event, &id.endpoint))
    }
}
