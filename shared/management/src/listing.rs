//! Deliveries of a filter, newest event first: by the cheapest way that there is, and never more
//! than a bounded amount at once. What there is no index for is looked through, and where to go on
//! is told.

use futures::future::try_join_all;
use hookpost_adapters::api::Problem;
use hookpost_domain::delivery::{Delivery, DeliveryFilter, Way, rest_of};
use hookpost_domain::ids::DELIVERY_SHARDS;
use hookpost_domain::merge::{self, Shard};
use hookpost_domain::ports::{
    EndpointList, Error, EventHistory, Events, RecordIndex, Records, World,
};
use hookpost_domain::{DeliveryId, EndpointId, EventId, TenantId};

use crate::Management;
use crate::page;

/// Deliveries that are looked at for one page.
const MAX_SCANNED: usize = 1_000;
/// Reads of one page, however little each finds.
const MAX_ROUNDS: usize = 20;
/// Events, or an event's deliveries, that are read at once.
const MIN_READ: usize = 10;
const MAX_READ: usize = 100;

/// What was found of a list.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) deliveries: Vec<Delivery>,
    /// Where to go on, if there may be more.
    pub(crate) next: Option<DeliveryId>,
    pub(crate) scanned: usize,
}

/// A part of the way.
#[derive(Debug, Default)]
struct Segment {
    /// What was come by, in order; without a delivery where there is nothing to say.
    seen: Vec<(DeliveryId, Option<Delivery>)>,
    /// The last place that was looked at, if that is further than the last one seen.
    place: Option<DeliveryId>,
    more: bool,
}

impl Segment {
    fn of(ids: Vec<DeliveryId>, found: Vec<Delivery>, more: bool) -> Self {
        let mut found: Vec<Option<Delivery>> = found.into_iter().map(Some).collect();
        let seen = ids
            .into_iter()
            .map(|id| {
                let here = |one: &&mut Option<Delivery>| one.as_ref().is_some_and(|d| d.id == id);
                let delivery = found.iter_mut().find(here).and_then(Option::take);
                (id, delivery)
            })
            .collect();
        Self {
            seen,
            place: None,
            more,
        }
    }
}

/// What each shard is asked for: some more than its share, as they are not alike.
fn share(wanted: usize) -> i32 {
    i32::try_from(wanted / 8 + 4).unwrap_or(i32::MAX)
}

impl<W: World> Management<W> {
    /// Up to `limit` deliveries that the filter means, after the place `after`.
    pub(crate) async fn list(
        &self,
        tenant: &TenantId,
        filter: &DeliveryFilter,
        after: Option<DeliveryId>,
        limit: usize,
    ) -> Result<Listed, Problem> {
        filter
            .check_values()
            .map_err(|invalid| Problem::invalid(&invalid))?;
        if let Some(place) = &after {
            let at = place.event.time();
            let is_before = filter.from.is_some_and(|from| at < from);
            if is_before || filter.to.is_some_and(|to| at > to) {
                return Err(page::unknown_place());
            }
        }
        let way = self.allowed_way(tenant, filter).await?;
        let mut listed = Listed {
            deliveries: Vec::with_capacity(limit),
            next: after,
            scanned: 0,
        };
        for _ in 0..MAX_ROUNDS {
            let wanted = limit - listed.deliveries.len();
            let segment = self
                .segment(tenant, filter, &way, listed.next.as_ref(), wanted)
                .await?;
            let all = segment.seen.len();
            for (nth, (id, delivery)) in segment.seen.into_iter().enumerate() {
                listed.next = Some(id);
                listed.scanned += 1;
                let mine =
                    |delivery: &Delivery| delivery.tenant == *tenant && filter.matches(delivery);
                listed.deliveries.extend(delivery.filter(mine));
                if listed.deliveries.len() == limit {
                    if nth + 1 == all && !segment.more {
                        listed.next = None;
                    }
                    return Ok(listed);
                }
            }
            if !segment.more {
                listed.next = None;
                return Ok(listed);
            }
            if segment.place.is_some() {
                listed.next = segment.place;
            }
            if listed.scanned >= MAX_SCANNED {
                break;
            }
        }
        Ok(listed)
    }

    /// The filter's way. An endpoint's records are found without its tenant's name: only whose it
    /// is goes that way, so that not even their number is told to others.
    async fn allowed_way(
        &self,
        tenant: &TenantId,
        filter: &DeliveryFilter,
    ) -> Result<Way, Problem> {
        let way = filter.way();
        let Way::Endpoint(endpoint) = &way else {
            return Ok(way);
        };
        let is_mine = self
            .store
            .endpoint_config(tenant, endpoint)
            .await?
            .is_some();
        Ok(if is_mine { way } else { Way::Events })
    }

    async fn segment(
        &self,
        tenant: &TenantId,
        filter: &DeliveryFilter,
        way: &Way,
        after: Option<&DeliveryId>,
        wanted: usize,
    ) -> Result<Segment, Error> {
        match way {
            Way::Event(event) => self.of_event(tenant, filter, *event, after).await,
            Way::Endpoint(endpoint) => self.of_endpoint(filter, endpoint, after, wanted).await,
            Way::Index(name) => self.of_index(tenant, filter, name, after, wanted).await,
            Way::Events | Way::Ids => self.of_events(tenant, filter, after, wanted).await,
        }
    }

    async fn of_event(
        &self,
        tenant: &TenantId,
        filter: &DeliveryFilter,
        event: EventId,
        after: Option<&DeliveryId>,
    ) -> Result<Segment, Error> {
        let Some(event) = self.store.event(tenant, event).await? else {
            return Ok(Segment::default());
        };
        let mut ids = rest_of(event.id, &event.endpoints, after);
        ids.retain(|id| filter.could_match(id));
        let more = ids.len() > MAX_READ;
        ids.truncate(MAX_READ);
        let event_type = event.event_type;
        let found = self
            .store
            .deliveries_or_unwritten(tenant, &ids, |_| Some(event_type.clone()))
            .await?;
        Ok(Segment::of(ids, found, more))
    }

    async fn of_endpoint(
        &self,
        filter: &DeliveryFilter,
        endpoint: &EndpointId,
        after: Option<&DeliveryId>,
        wanted: usize,
    ) -> Result<Segment, Error> {
        let range = (filter.from, filter.to);
        let after = after.map(|id| id.event);
        let reads = (0..DELIVERY_SHARDS).map(|shard| async move {
            let page = self
                .store
                .of_endpoint(endpoint, shard, after, range, true, share(wanted))
                .await?;
            Ok::<_, Error>(Shard {
                items: page.found,
                read_to: page.next,
            })
        });
        let shards = try_join_all(reads).await?;
        let merged = merge::newest_first(shards, |delivery| delivery.id.event);
        let seen = merged.items.into_iter();
        Ok(Segment {
            seen: seen.map(|found| (found.id.clone(), Some(found))).collect(),
            place: None,
            more: merged.more,
        })
    }

    /// An event's deliveries are all in one shard, so that one of them is a place in every shard:
    /// in its own the index knows its neighbours of the same event apart, and in the others the
    /// event is a time between two.
    async fn of_index(
        &self,
        tenant: &TenantId,
        filter: &DeliveryFilter,
        name: &str,
        after: Option<&DeliveryId>,
        wanted: usize,
    ) -> Result<Segment, Error> {
        let range = (filter.from, filter.to);
        // Where the ids tell already that few are meant, more of them are read at once.
        let wanted = if filter.endpoint_id.is_some() {
            wanted.max(MAX_READ)
        } else {
            wanted
        };
        let reads = (0..DELIVERY_SHARDS).map(|shard| async move {
            let page = self
                .store
                .by_status(tenant, name, shard, after, range, true, share(wanted))
                .await?;
            Ok::<_, Error>(Shard {
                items: page.ids,
                read_to: page.next.map(|id| id.event),
            })
        });
        let merged = merge::newest_first(try_join_all(reads).await?, |id| id.event);
        let worth: Vec<DeliveryId> = merged
            .items
            .iter()
            .filter(|id| filter.could_match(id))
            .cloned()
            .collect();
        // An index is behind its table: what has no such status any more is left out.
        let found = self.store.deliveries_or_unwritten(tenant, &worth, |_| None);
        Ok(Segment::of(merged.items, found.await?, merged.more))
    }

    async fn of_events(
        &self,
        tenant: &TenantId,
        filter: &DeliveryFilter,
        after: Option<&DeliveryId>,
        wanted: usize,
    ) -> Result<Segment, Error> {
        let upto = match (after, filter.to) {
            (Some(after), _) => Some(after.event),
            (None, to) => to.map(EventId::floor),
        };
        let events = wanted.clamp(MIN_READ, MAX_READ);
        let walk = self
            .store
            .events_back(tenant, upto, filter.from, events)
            .await?;
        let all = walk
            .found
            .iter()
            .flat_map(|event| rest_of(event.id, &event.endpoints, after));
        let (ids, _): (Vec<DeliveryId>, Vec<DeliveryId>) =
            all.partition(|id| filter.could_match(id));
        let event_type = |event: EventId| {
            let of_event = walk.found.iter().find(|outline| outline.id == event);
            of_event
                .filter(|outline| {
                    filter
                        .event_type
                        .as_ref()
                        .is_none_or(|wanted| *wanted == outline.event_type)
                })
                .map(|outline| outline.event_type.clone())
        };
        // The event tells its type: the records of others need not be read.
        let ids: Vec<DeliveryId> = ids
            .into_iter()
            .filter(|id| event_type(id.event).is_some())
            .take(MAX_SCANNED)
            .collect();
        let cut = ids.len() == MAX_SCANNED;
        let found = self
            .store
            .deliveries_or_unwritten(tenant, &ids, event_type)
            .await?;
        let mut segment = Segment::of(ids, found, walk.more || cut);
        if !cut {
            // All of an event that matched no endpoint has been looked at too.
            let nobody = || "-".parse::<EndpointId>().ok();
            segment.place = walk.found.last().and_then(|last| {
                let endpoint = last.endpoints.last().cloned().or_else(nobody)?;
                Some(DeliveryId {
                    event: last.id,
                    endpoint,
                })
            });
        }
        Ok(segment)
    }
}
