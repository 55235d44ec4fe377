//! What is due by time: parked deliveries, and those of which nothing has been heard.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use futures::stream::{self, StreamExt};
use hookpost_domain::delivery::{Delivery, Status};
use hookpost_domain::ids::DELIVERY_SHARDS;
use hookpost_domain::ports::{Error, World};
use hookpost_domain::{DeliveryId, Timestamp};

use crate::settle::{Change, MAX_DELAY};
use crate::slots::{Slots, has_lapsed};
use crate::{Queues, Sweeper, Swept, Tables, broken};

/// Parked deliveries that are due this soon are sent now, with a delay, so that they go out when
/// they are due and not up to a minute later.
const AHEAD: Duration = Duration::from_secs(60);
/// Records read at once.
const PAGE: i32 = 100;
/// Dead letters of one page, and endpoints of one page, that are dealt with at once.
const AT_ONCE: usize = 4;

/// What there is to do about a record.
#[derive(Debug, PartialEq, Eq)]
enum Care {
    /// Nothing, or nothing yet.
    Leave,
    /// It goes at this time.
    Release(Timestamp),
    /// It goes, but its place within the rate limit has passed: it needs another.
    Retime,
    /// Its message may be lost.
    Resend,
    /// The dead-letter queue may not know of it.
    Rebury,
}

fn care(delivery: &Delivery, now: Timestamp) -> Care {
    let overdue = delivery.check_at.is_some_and(|check_at| check_at <= now);
    match delivery.status {
        Status::Parked { due } if due <= now.after(AHEAD) => match delivery.slot {
            Some(slot) if has_lapsed(slot, now) => Care::Retime,
            Some(_) | None => Care::Release(due.max(now)),
        },
        Status::InQueue { .. } if overdue => Care::Resend,
        Status::Dead { .. } if overdue => Care::Rebury,
        Status::Parked { .. }
        | Status::InQueue { .. }
        | Status::Dead { .. }
        | Status::Held { .. }
        | Status::Delivered { .. }
        | Status::Cancelled { .. }
        | Status::Deleted { .. } => Care::Leave,
    }
}

/// A delivery that goes in the slot `at`: now if a message can wait for that, otherwise when the
/// sweeper comes by before it.
fn retimed(delivery: &Delivery, at: Timestamp, now: Timestamp) -> Delivery {
    if at.since(now) > MAX_DELAY {
        return delivery.parked(at, Some(at));
    }
    Delivery {
        slot: Some(at),
        ..delivery.released(at)
    }
}

impl<S: Tables, Q: Queues, W: World> Sweeper<S, Q, W> {
    /// Goes through what is due, all shards at once. Whether there was time for all of it.
    pub(crate) async fn sweep_due(
        &self,
        slots: &Slots,
        swept: &mut Swept,
        stop_at: Timestamp,
    ) -> bool {
        let until = self.world.now().after(AHEAD);
        let shards =
            (0..DELIVERY_SHARDS).map(|shard| self.sweep_shard(shard, slots, until, stop_at));
        let mut all = true;
        for (part, complete) in join_all(shards).await {
            swept.add(&part);
            all &= complete;
        }
        all
    }

    /// Goes through a shard once, by pages: what cannot be moved stands in nobody's way.
    async fn sweep_shard(
        &self,
        shard: u8,
        slots: &Slots,
        until: Timestamp,
        stop_at: Timestamp,
    ) -> (Swept, bool) {
        let mut swept = Swept::default();
        let mut after = None;
        loop {
            if self.is_over(stop_at) {
                return (swept, false);
            }
            let page = match self.store.due(shard, until, after, PAGE).await {
                Ok(page) => page,
                Err(error) => {
                    broken("due", &error);
                    return (swept, true);
                }
            };
            let ids: Vec<DeliveryId> = page.found.into_iter().map(|waiting| waiting.id).collect();
            self.sweep_page(&ids, slots, &mut swept).await;
            after = page.next;
            if after.is_none() {
                return (swept, true);
            }
        }
    }

    async fn sweep_page(&self, ids: &[DeliveryId], slots: &Slots, swept: &mut Swept) {
        let deliveries = match self.store.deliveries(ids).await {
            Ok(deliveries) => deliveries,
            Err(error) => return broken("due", &error),
        };
        let now = self.world.now();
        self.note_ages(&deliveries, now);
        let (mut parked, mut silent) = (Vec::new(), Vec::new());
        let (mut late, mut unburied) = (Vec::new(), Vec::new());
        for delivery in deliveries {
            match care(&delivery, now) {
                Care::Leave => {}
                Care::Release(at) => parked.push(Change::new(&delivery, delivery.released(at))),
                Care::Retime => late.push(delivery),
                Care::Resend => silent.push(Change::now(&delivery, delivery.resent(now))),
                Care::Rebury => unburied.push(delivery),
            }
        }
        parked.extend(self.retime(late, slots).await);
        for (changes, count) in [(parked, &mut swept.released), (silent, &mut swept.resent)] {
            let (won, outcome) = self.put_back(changes).await;
            *count += won;
            if let Err(error) = outcome {
                broken("due", &error);
            }
        }
        let mut reburied = stream::iter(unburied)
            .map(|delivery| self.rebury(delivery, now))
            .buffer_unordered(AT_ONCE);
        while let Some(was_ours) = reburied.next().await {
            swept.reburied += u64::from(was_ours);
        }
    }

    /// Finds new slots for deliveries whose own have passed.
    async fn retime(&self, late: Vec<Delivery>, slots: &Slots) -> Vec<Change> {
        let mut by_endpoint = BTreeMap::<_, Vec<Delivery>>::new();
        for delivery in late {
            let endpoint = (delivery.tenant.clone(), delivery.id.endpoint.clone());
            by_endpoint.entry(endpoint).or_default().push(delivery);
        }
        let changes: Vec<Vec<Change>> = stream::iter(by_endpoint.into_values())
            .map(|crowd| self.retime_crowd(crowd, slots))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        changes.into_iter().flatten().collect()
    }

    /// As [`Self::retime`], for the deliveries of one endpoint.
    async fn retime_crowd(&self, mut crowd: Vec<Delivery>, slots: &Slots) -> Vec<Change> {
        crowd.sort_by_key(|delivery| delivery.slot);
        let Some(first) = crowd.first() else {
            return Vec::new();
        };
        let wanted = u32::try_from(crowd.len()).unwrap_or(u32::MAX);
        let taken = self.slots(slots, &first.tenant, &first.id.endpoint, wanted);
        let times = taken.await.unwrap_or_else(|error| {
            // They ask for slots of their own when they are carried out.
            broken("due", &error);
            Vec::new()
        });
        let now = self.world.now();
        let times = times.into_iter().map(Some).chain(std::iter::repeat(None));
        crowd
            .iter()
            .zip(times)
            .map(|(delivery, slot)| {
                let next = match slot {
                    Some(at) => retimed(delivery, at, now),
                    None => Delivery {
                        slot: None,
                        ..delivery.released(now)
                    },
                };
                Change::new(delivery, next)
            })
            .collect()
    }

    /// Sends a dead letter towards the dead-letter queue once more.
    async fn rebury(&self, delivery: Delivery, now: Timestamp) -> bool {
        let outcome: Result<bool, Error> = async {
            let found = self
                .store
                .endpoint(&delivery.tenant, &delivery.id.endpoint)
                .await?;
            let endpoint = found.as_ref().map(|(endpoint, _)| endpoint);
            self.bury(&delivery.resent(now), delivery.version, endpoint)
                .await
        }
        .await;
        outcome.unwrap_or_else(|error| {
            tracing::error!(delivery.id = %delivery.id, error = %error, cause = ?error.source, "a dead letter was not buried");
            false
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookpost_domain::delivery::DeadReason;
    use hookpost_domain::{EndpointId, EventId, TenantId};

    const NOW: Timestamp = Timestamp::from_millis(1_795_262_400_000);

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn delivery() -> Delivery {
        let id = DeliveryId {
            event: EventId::generate(NOW, [1; 10]),
            endpoint: "ep_1".parse::<EndpointId>().unwrap(),
        };
        Delivery::new(id, TenantId::default(), "order.created".parse().unwrap())
    }

    #[test]
    fn what_is_due_within_a_minute_goes_at_its_time() {
        let due = NOW.after(secs(60));
        let parked = delivery().parked(due, Some(due));
        assert_eq!(care(&parked, NOW), Care::Release(due));
        let later = delivery().parked(NOW.after(secs(61)), None);
        assert_eq!(care(&later, NOW), Care::Leave);
        assert_eq!(
            care(&later, NOW.after(secs(100))),
            Care::Release(NOW.after(secs(100)))
        );
    }

    #[test]
    fn what_missed_its_slot_needs_another() {
        let parked = delivery().parked(NOW, Some(NOW));
        assert_eq!(care(&parked, NOW), Care::Release(NOW));
        assert_eq!(care(&parked, NOW.after(secs(2))), Care::Retime);
    }

    #[test]
    fn only_what_was_not_heard_of_is_sent_again() {
        let sent = delivery().kept_back(NOW, None);
        let dead = delivery().dead(DeadReason::Expired, NOW);
        for (record, when_overdue) in [
            (&sent, Care::Resend),
            (&dead, Care::Rebury),
            (&dead.buried(), Care::Leave),
            (&delivery().delivered(NOW), Care::Leave),
            (&delivery().held(false), Care::Leave),
        ] {
            assert_eq!(care(record, NOW), Care::Leave);
            assert_eq!(care(record, NOW.after(secs(15 * 60))), when_overdue);
        }
    }

    #[test]
    fn a_new_slot_is_kept_in_the_queue_or_in_the_table() {
        let late = delivery().parked(NOW, Some(NOW));
        let now = NOW.after(secs(30));
        let soon = now.after(secs(900));
        let released = retimed(&late, soon, now);
        assert_eq!(released.status, Status::InQueue { next_attempt: soon });
        assert_eq!((released.slot, released.release), (Some(soon), 1));
        let far = now.after(secs(901));
        let parked = retimed(&late, far, now);
        assert_eq!(parked.status, Status::Parked { due: far });
        assert_eq!((parked.slot, parked.release), (Some(far), 0));
    }
}
