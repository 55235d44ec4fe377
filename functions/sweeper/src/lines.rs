//! The lines before endpoints that asked for order: one in which something waits that no message
//! will come for is woken.

use std::time::Duration;

use futures::stream::{self, StreamExt};
use hookpost_domain::delivery::Delivery;
use hookpost_domain::line::{Line, OnDeadLetter, Turn, Wake, turn};
use hookpost_domain::ports::{Error, LineNote, World};
use hookpost_domain::{DeliveryId, EventId, Timestamp};

use crate::{Queues, Sweeper, Swept, Tables};

/// Lines that are looked at at once.
const LINES_AT_ONCE: usize = 8;
/// How long ago a line has to have been noted for it to be forgotten: it is noted before its
/// endpoint is stored.
const NOTED_BEFORE: Duration = Duration::from_secs(10 * 60);

/// Whether a line has to be woken, by the record of the first that waits in it. What is in the
/// queue, in the table or held is looked after as every other delivery is.
fn needs_a_wake(record: Option<&Delivery>, on_dead_letter: OnDeadLetter) -> bool {
    match turn(record, on_dead_letter) {
        Turn::Go => record.is_none(),
        Turn::Over => true,
        Turn::Waits | Turn::Blocked => false,
    }
}

impl<S: Tables, Q: Queues, W: World> Sweeper<S, Q, W> {
    pub(crate) async fn sweep_lines(
        &self,
        swept: &mut Swept,
        stop_at: Timestamp,
    ) -> Result<(), Error> {
        if !self.queues.keeps_order() {
            return Ok(());
        }
        let mut notes = self.store.lines().await?;
        // If there is not time for all of them, it is not always the same that wait.
        if let Some(start) = self.world.token().checked_rem(notes.len() as u64) {
            notes.rotate_left(usize::try_from(start).unwrap_or_default());
        }
        let mut looks = stream::iter(notes)
            .map(|note| async move {
                if self.is_over(stop_at) {
                    return false;
                }
                self.look_at_line(&note).await.unwrap_or_else(|error| {
                    tracing::error!(endpoint.id = %note.endpoint, error = %error, cause = ?error.source, "its line is not looked after");
                    false
                })
            })
            .buffer_unordered(LINES_AT_ONCE);
        while let Some(was_woken) = looks.next().await {
            swept.woken += u64::from(was_woken);
        }
        Ok(())
    }

    /// Wakes a line if that is needed, and forgets one that is no more. Whether it was woken.
    async fn look_at_line(&self, note: &LineNote) -> Result<bool, Error> {
        let now = self.world.now();
        let (tenant, id) = (&note.tenant, &note.endpoint);
        let line = self.store.line(tenant, id).await?;
        if line.is_taken(now) {
            return Ok(false);
        }
        let found = self.store.endpoint(tenant, id).await?;
        let ordered = found.and_then(|(endpoint, _)| endpoint.ordered);
        let Some(event) = self.first_in_line(note, &line).await? else {
            if ordered.is_none() && now.since(note.noted_at) > NOTED_BEFORE {
                self.store.forget_line(note).await?;
            }
            return Ok(false);
        };
        let first = DeliveryId {
            event,
            endpoint: id.clone(),
        };
        let record = self.store.delivery(&first).await?;
        if !needs_a_wake(record.as_ref(), ordered.unwrap_or_default()) {
            return Ok(false);
        }
        self.queues.wake(&[Wake::of(tenant, id, now)]).await?;
        Ok(true)
    }

    async fn first_in_line(&self, note: &LineNote, line: &Line) -> Result<Option<EventId>, Error> {
        let (tenant, id) = (&note.tenant, &note.endpoint);
        if let Some(first) = self.store.front(tenant, id, 1).await?.first() {
            return Ok(Some(*first));
        }
        let entries = self.store.entries(tenant, id, line.entry, 2).await?;
        let first = line.waiting(&entries).next();
        Ok(first.map(|placed| placed.event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookpost_domain::TenantId;
    use hookpost_domain::delivery::DeadReason;

    const NOW: Timestamp = Timestamp::from_millis(1_795_262_400_000);

    #[test]
    fn a_line_is_woken_when_nobody_else_will_come_for_its_first() {
        let id = DeliveryId {
            event: EventId::generate(NOW, [1; 10]),
            endpoint: "ep_1".parse().unwrap(),
        };
        let fresh = Delivery::new(id, TenantId::default(), "order.created".parse().unwrap());
        let dead = fresh.dead(DeadReason::AttemptsExhausted, NOW);
        let (skip, block) = (OnDeadLetter::Skip, OnDeadLetter::Block);
        assert!(needs_a_wake(None, skip));
        assert!(needs_a_wake(Some(&fresh.delivered(NOW)), block));
        assert!(needs_a_wake(Some(&dead), skip));
        assert!(!needs_a_wake(Some(&dead), block));
        for waiting in [
            fresh.kept_back(NOW, None),
            fresh.parked(NOW, None),
            fresh.held(true),
        ] {
            assert!(!needs_a_wake(Some(&waiting), skip), "{waiting:?}");
        }
    }
}
