//! The deliveries that a job has to look at, page by page, each in the order of the way in which it
//! is found.

use std::time::Duration;

use hookpost_domain::action::Action;
use hookpost_domain::delivery::{Delivery, Way, rest_of};
use hookpost_domain::ids::DELIVERY_SHARDS;
use hookpost_domain::job::Job;
use hookpost_domain::matching::EventType;
use hookpost_domain::ports::{Error, World};
use hookpost_domain::{DeliveryId, EndpointId, EventId, Timestamp};

use crate::{Queues, Replayer, Tables};

/// Deliveries read at once.
const PAGE: usize = 100;
/// Events read at once.
const EVENTS: usize = 50;
/// How long a delivery can be without a record: then the sweeper gives it one, and some more.
const UNWRITTEN_FOR: Duration = Duration::from_secs(7 * 3600);

/// Some deliveries to look at.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Which, in order.
    pub(crate) ids: Vec<DeliveryId>,
    /// Those of them that there is anything to say of.
    pub(crate) found: Vec<Delivery>,
    /// Where to go on in this shard.
    pub(crate) next: Option<DeliveryId>,
}

/// How many shards a way has.
pub(crate) fn shards(way: &Way) -> u8 {
    match way {
        Way::Ids | Way::Endpoint(_) | Way::Index(_) => DELIVERY_SHARDS,
        Way::Event(_) | Way::Events => 1,
    }
}

impl<S: Tables, Q: Queues, W: World> Replayer<S, Q, W> {
    /// The next deliveries to look at.
    pub(crate) async fn page(&self, job: &Job, way: &Way) -> Result<Page, Error> {
        match way {
            Way::Ids => self.page_of_ids(job).await,
            Way::Event(event) => self.page_of_event(job, *event).await,
            Way::Endpoint(endpoint) => self.page_of_endpoint(job, endpoint).await,
            Way::Index(name) => self.page_of_index(job, name).await,
            Way::Events => self.page_of_events(job).await,
        }
    }

    async fn page_of_ids(&self, job: &Job) -> Result<Page, Error> {
        let of_shard = |id: &&DeliveryId| id.event.delivery_shard() == job.shard;
        let mut ids: Vec<_> = job
            .filter
            .delivery_ids
            .iter()
            .filter(of_shard)
            .cloned()
            .collect();
        ids.sort();
        ids.dedup();
        ids.retain(|id| job.after.as_ref().is_none_or(|after| id > after));
        let mut found = self.store.deliveries(&ids).await?;
        if job.action == Action::Cancel {
            for id in &ids {
                if found.iter().any(|delivery| delivery.id == *id) {
                    continue;
                }
                let event = self.store.event(&job.tenant, id.event).await?;
                found.extend(
                    event
                        .filter(|event| event.endpoints.contains(&id.endpoint))
                        .map(|event| Delivery::of(&event, &id.endpoint)),
                );
            }
        }
        Ok(Page {
            ids,
            found,
            next: None,
        })
    }

    async fn page_of_event(&self, job: &Job, event: EventId) -> Result<Page, Error> {
        let Some(event) = self.store.event(&job.tenant, event).await? else {
            return Ok(Page::default());
        };
        let ids = rest_of(event.id, &event.endpoints, job.after.as_ref());
        let event_type = event.event_type;
        let found = self
            .store
            .deliveries_or_unwritten(&job.tenant, &ids, |_| Some(event_type.clone()))
            .await?;
        Ok(Page {
            ids,
            found,
            next: None,
        })
    }

    async fn page_of_endpoint(&self, job: &Job, endpoint: &EndpointId) -> Result<Page, Error> {
        let after = job.after.as_ref().map(|id| id.event);
        let range = (job.filter.from, job.filter.to);
        let page = self
            .store
            .of_endpoint(endpoint, job.shard, after, range, false, page_limit())
            .await?;
        let here = |event| DeliveryId {
            event,
            endpoint: endpoint.clone(),
        };
        Ok(Page {
            ids: page
                .found
                .iter()
                .map(|delivery| delivery.id.clone())
                .collect(),
            found: page.found,
            next: page.next.map(here),
        })
    }

    async fn page_of_index(&self, job: &Job, name: &str) -> Result<Page, Error> {
        let range = (job.filter.from, job.filter.to);
        let page = self
            .store
            .by_status(
                &job.tenant,
                name,
                job.shard,
                job.after.as_ref(),
                range,
                false,
                page_limit(),
            )
            .await?;
        // The id tells most of what is not meant: its record need not be read.
        let worth: Vec<DeliveryId> = page
            .ids
            .iter()
            .filter(|id| job.filter.could_match(id))
            .cloned()
            .collect();
        Ok(Page {
            found: self.store.deliveries(&worth).await?,
            ids: page.ids,
            next: page.next,
        })
    }

    /// Newest event first, and only those that the job can mean.
    async fn page_of_events(&self, job: &Job) -> Result<Page, Error> {
        let before = job.filter.to.unwrap_or(job.created_at).min(job.created_at);
        let newest = EventId::floor(before.after(Duration::from_millis(1)));
        let upto = job.after.as_ref().map_or(newest, |after| after.event);
        let from = if job.action == Action::Cancel {
            let oldest = before_by(job.created_at, UNWRITTEN_FOR);
            Some(job.filter.from.unwrap_or_default().max(oldest))
        } else {
            job.filter.from
        };
        let walk = self
            .store
            .events_back(&job.tenant, Some(upto), from, EVENTS)
            .await?;
        let mut page = Page::default();
        let event_type = |event: EventId| -> Option<EventType> {
            let of_event = walk.found.iter().find(|outline| outline.id == event);
            of_event.map(|outline| outline.event_type.clone())
        };
        for outline in &walk.found {
            page.ids
                .extend(rest_of(outline.id, &outline.endpoints, job.after.as_ref()));
        }
        let worth: Vec<DeliveryId> = page
            .ids
            .iter()
            .filter(|id| job.filter.could_match(id))
            .cloned()
            .collect();
        page.found = self
            .store
            .deliveries_or_unwritten(&job.tenant, &worth, event_type)
            .await?;
        // An event that matched no endpoint has no delivery to go on from.
        let nobody = || "-".parse::<EndpointId>().ok();
        page.next = walk.found.last().filter(|_| walk.more).and_then(|last| {
            let endpoint = last.endpoints.last().cloned().or_else(nobody)?;
            Some(DeliveryId {
                event: last.id,
                endpoint,
            })
        });
        Ok(page)
    }
}

fn page_limit() -> i32 {
    i32::try_from(PAGE).unwrap_or(i32::MAX)
}

/// `span` before `time`.
fn before_by(time: Timestamp, span: Duration) -> Timestamp {
    let ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_millis(time.as_millis().saturating_sub(ms))
}
