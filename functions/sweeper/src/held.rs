//! What open breakers and pauses hold back.
//!
//! Nothing behind an open breaker is touched, but for one delivery as the probe where the probe's
//! own message was lost. When a breaker closes, or an endpoint is resumed, what waits goes out
//! oldest first and paced: each message with a delay, so that no sweep has to wait.

use std::time::Duration;

use futures::future::try_join_all;
use hookpost_adapters::table::HoldingNote;
use hookpost_domain::delivery::{Delivery, Status};
use hookpost_domain::endpoint::{Endpoint, EndpointState};
use hookpost_domain::ids::DELIVERY_SHARDS;
use hookpost_domain::ports::{Endpoints, Error, World};
use hookpost_domain::{DeliveryId, Timestamp};

use crate::{Sweeper, Swept};

/// Deliveries a second that go to an endpoint that is well again, unless it has a rate limit.
const PACE: u32 = 20;
/// Until the next sweep.
const PERIOD_SECS: u32 = 60;
/// Most deliveries of one endpoint in one sweep.
const MAX_AT_ONCE: usize = 2_000;
/// How long an endpoint has to be quiet before it is forgotten: longer than any instance can still
/// act on an old health, by far.
const QUIET_FOR: Duration = Duration::from_secs(10 * 60);

/// What there is to do about an endpoint.
enum Care {
    /// Nothing: what is held stays held.
    Leave,
    /// One delivery may go, as the probe.
    Probe,
    /// Everything may go, at so many a second.
    LetGo(u32),
}

impl<W: World> Sweeper<W> {
    pub(crate) async fn sweep_held(
        &self,
        swept: &mut Swept,
        stop_at: Timestamp,
    ) -> Result<(), Error> {
        for note in self.store.holding().await? {
            if self.is_over(stop_at) {
                break;
            }
            if let Err(error) = self.look_after(&note, swept).await {
                tracing::error!(endpoint.id = %note.endpoint, error = %error, cause = ?error.source, "not looked after");
            }
        }
        Ok(())
    }

    async fn look_after(&self, note: &HoldingNote, swept: &mut Swept) -> Result<(), Error> {
        let now = self.world.now();
        let care = match self.store.endpoint(&note.tenant, &note.endpoint).await? {
            // Deleted: what is let go ends cancelled.
            None => Care::LetGo(PACE),
            Some((endpoint, _)) if endpoint.state == EndpointState::Paused => Care::Leave,
            Some((_, health)) if health.needs_a_probe(now) => Care::Probe,
            Some((_, health)) if health.is_open() => Care::Leave,
            Some((endpoint, _)) => Care::LetGo(pace(&endpoint)),
        };
        match care {
            Care::Leave => {}
            Care::Probe => swept.probes += self.let_go(note, 1, PACE).await?,
            Care::LetGo(per_second) => {
                let room = (per_second.saturating_mul(PERIOD_SECS) as usize).clamp(1, MAX_AT_ONCE);
                let gone = self.let_go(note, room, per_second).await?;
                swept.let_go += gone;
                if gone == 0 {
                    return self.quiet(note, now).await;
                }
            }
        }
        if note.quiet_since.is_some() {
            self.store.set_quiet(note, None).await?;
        }
        Ok(())
    }

    /// Puts back up to `room` of what is held, oldest first.
    async fn let_go(&self, note: &HoldingNote, room: usize, per_second: u32) -> Result<u64, Error> {
        let limit = i32::try_from(room).unwrap_or(i32::MAX);
        let shards =
            (0..DELIVERY_SHARDS).map(|shard| self.store.held(&note.endpoint, shard, limit));
        let mut held: Vec<_> = try_join_all(shards).await?.into_iter().flatten().collect();
        held.sort_by_key(|waiting| waiting.at);
        held.truncate(room);
        let ids: Vec<DeliveryId> = held.into_iter().map(|waiting| waiting.id).collect();
        let mut gone = 0;
        for chunk in ids.chunks(100) {
            let mut found = self.store.deliveries(chunk).await?;
            found.retain(|delivery| {
                delivery.tenant == note.tenant && matches!(delivery.status, Status::Held { .. })
            });
            found.sort_by(|one, other| one.id.cmp(&other.id));
            let now = self.world.now();
            let released: Vec<(Delivery, Delivery)> = (gone..)
                .zip(found)
                .map(|(place, delivery)| {
                    let wait = Duration::from_millis(place * 1000 / u64::from(per_second.max(1)));
                    let released = delivery.released(now.after(wait));
                    (delivery, released)
                })
                .collect();
            gone += self
                .put_back(released, |delivery| match delivery.status {
                    Status::InQueue { next_attempt } => next_attempt,
                    Status::Parked { .. }
                    | Status::Held { .. }
                    | Status::Dead { .. }
                    | Status::Delivered { .. }
                    | Status::Cancelled { .. } => now,
                })
                .await?;
        }
        Ok(gone)
    }

    async fn quiet(&self, note: &HoldingNote, now: Timestamp) -> Result<(), Error> {
        match note.quiet_since {
            None => self.store.set_quiet(note, Some(now)).await,
            Some(since) if now.since(since) > QUIET_FOR => self.store.forget_holding(note).await,
            Some(_) => Ok(()),
        }
    }
}

fn pace(endpoint: &Endpoint) -> u32 {
    endpoint.rate_limit_per_second.unwrap_or(PACE).min(PACE)
}
