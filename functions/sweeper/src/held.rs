//! What open breakers and pauses hold back.
//!
//! Behind an open breaker nothing moves but what has waited too long, which is given up, and one
//! delivery as the probe where the probe's own message was lost. When a breaker closes, or an
//! endpoint is resumed, what waits goes out oldest first and paced: each message with a delay, so
//! that no sweep has to wait.

use std::ops::Range;
use std::time::Duration;

use futures::future::try_join_all;
use futures::stream::{self, StreamExt};
use hookpost_domain::breaker::Health;
use hookpost_domain::counters::Counters;
use hookpost_domain::delivery::{DeadReason, Delivery, Status};
use hookpost_domain::endpoint::{Endpoint, EndpointState};
use hookpost_domain::ids::DELIVERY_SHARDS;
use hookpost_domain::outcome::{self, Patience};
use hookpost_domain::ports::{Error, HoldingNote, World};
use hookpost_domain::retry::RetryPolicy;
use hookpost_domain::{DeliveryId, Timestamp};

use crate::settle::Change;
use crate::{Queues, Sweeper, Swept, Tables, before};

/// Deliveries a second that go to an endpoint that is well again, unless it has a rate limit.
const PACE: u32 = 20;
/// Deliveries a second that go to an endpoint that gets no requests: deleted, or disabled.
const PACE_OF_THE_GONE: u32 = 100;
/// Until the next sweep.
const PERIOD: Duration = Duration::from_secs(60);
/// Most deliveries of one endpoint in one sweep.
const MAX_AT_ONCE: usize = 2_000;
/// Most deliveries of one endpoint that are given up in one sweep.
const MAX_EXPIRED: u64 = 500;
/// Records read at once.
const PAGE: i32 = 100;
/// Endpoints that are looked after at once.
const ENDPOINTS_AT_ONCE: usize = 8;
/// Dead letters of one endpoint that are buried at once.
const BURIALS_AT_ONCE: usize = 8;
/// How long an endpoint has to be quiet before it is forgotten: longer than any instance can still
/// act on an old health, by far.
const QUIET_FOR: Duration = Duration::from_secs(10 * 60);

/// What there is to do about an endpoint.
#[derive(Debug, PartialEq, Eq)]
enum Care {
    /// Nothing: what is held stays held, however long.
    Leave,
    /// Its breaker is open: what has waited too long is given up.
    Expire,
    /// That, and one delivery may go, as the probe.
    Probe,
    /// Everything may go, at so many a second.
    LetGo(u32),
}

fn care(found: Option<(&Endpoint, &Health)>, now: Timestamp) -> Care {
    // Deleted: what is let go ends cancelled.
    let Some((endpoint, health)) = found else {
        return Care::LetGo(PACE_OF_THE_GONE);
    };
    match endpoint.state {
        EndpointState::Paused => Care::Leave,
        EndpointState::Disabled(_) => Care::LetGo(PACE_OF_THE_GONE),
        EndpointState::Active if health.needs_a_probe(now) => Care::Probe,
        EndpointState::Active if health.is_open() => Care::Expire,
        EndpointState::Active => {
            Care::LetGo(endpoint.rate_limit_per_second.unwrap_or(PACE).min(PACE))
        }
    }
}

/// Whether a delivery has waited too long. What a pause held back has its wait counted anew.
fn has_expired(
    delivery: &Delivery,
    endpoint: &Endpoint,
    policy: &RetryPolicy,
    patience: Patience,
    now: Timestamp,
) -> bool {
    delivery.status == Status::Held { paused: false }
        && outcome::has_waited_too_long(delivery, endpoint, policy, patience, now)
}

/// The shard that is looked through for what has waited too long: another one each minute.
fn shard_of_the_minute(now: Timestamp) -> u8 {
    u8::try_from(now.as_secs() / 60 % u64::from(DELIVERY_SHARDS)).unwrap_or_default()
}

impl<S: Tables, Q: Queues, W: World> Sweeper<S, Q, W> {
    pub(crate) async fn sweep_held(
        &self,
        swept: &mut Swept,
        stop_at: Timestamp,
    ) -> Result<(), Error> {
        let mut notes = self.store.holding().await?;
        // If there is not time for all of them, it is not always the same that wait.
        if let Some(start) = self.world.token().checked_rem(notes.len() as u64) {
            notes.rotate_left(usize::try_from(start).unwrap_or_default());
        }
        let mut parts = stream::iter(notes)
            .map(|note| self.look_after_note(note, stop_at))
            .buffer_unordered(ENDPOINTS_AT_ONCE);
        while let Some(part) = parts.next().await {
            swept.add(&part);
        }
        Ok(())
    }

    async fn look_after_note(&self, note: HoldingNote, stop_at: Timestamp) -> Swept {
        let mut swept = Swept::default();
        if self.is_over(stop_at) {
            return swept;
        }
        if let Err(error) = self.look_after(&note, &mut swept, stop_at).await {
            tracing::error!(endpoint.id = %note.endpoint, error = %error, cause = ?error.source, "not looked after");
        }
        swept
    }

    async fn look_after(
        &self,
        note: &HoldingNote,
        swept: &mut Swept,
        stop_at: Timestamp,
    ) -> Result<(), Error> {
        let now = self.world.now();
        let found = self.store.endpoint(&note.tenant, &note.endpoint).await?;
        let known = found.as_ref().map(|(endpoint, health)| (endpoint, health));
        match (care(known, now), known) {
            (Care::Probe, Some((endpoint, _))) => {
                // What has waited too long would die as the probe, and not knock.
                let all = 0..DELIVERY_SHARDS;
                self.expire(note, endpoint, all, swept, stop_at).await?;
                let probes = &mut swept.probes;
                self.let_go(note, 1, PACE, probes, stop_at).await?;
            }
            (Care::Expire, Some((endpoint, _))) => {
                let shard = shard_of_the_minute(now);
                let one = shard..shard + 1;
                self.expire(note, endpoint, one, swept, stop_at).await?;
            }
            (Care::LetGo(per_second), _) => {
                let a_period = u64::from(per_second).saturating_mul(PERIOD.as_secs());
                let room = usize::try_from(a_period)
                    .unwrap_or(MAX_AT_ONCE)
                    .clamp(1, MAX_AT_ONCE);
                let let_go = &mut swept.let_go;
                let is_quiet = self.let_go(note, room, per_second, let_go, stop_at).await?;
                if is_quiet {
                    return self.quiet(note, now).await;
                }
            }
            (Care::Leave | Care::Probe | Care::Expire, _) => {}
        }
        if note.quiet_since.is_some() {
            self.store.set_quiet(note, None).await?;
        }
        Ok(())
    }

    /// Puts back up to `room` of what is held, oldest first, and counts them. Whether nothing is
    /// held.
    async fn let_go(
        &self,
        note: &HoldingNote,
        room: usize,
        per_second: u32,
        gone: &mut u64,
        stop_at: Timestamp,
    ) -> Result<bool, Error> {
        let limit = i32::try_from(room).unwrap_or(i32::MAX);
        let ever = Timestamp::from_millis(u64::MAX);
        let shards = (0..DELIVERY_SHARDS)
            .map(|shard| self.store.held(&note.endpoint, shard, ever, None, limit));
        let pages = try_join_all(shards).await?;
        let mut held: Vec<_> = pages.into_iter().flat_map(|page| page.found).collect();
        held.sort_by_key(|waiting| waiting.at);
        held.truncate(room);
        let ids: Vec<DeliveryId> = held.into_iter().map(|waiting| waiting.id).collect();
        let mut place = 0;
        for chunk in ids.chunks(100) {
            if self.is_over(stop_at) {
                break;
            }
            let mut found = self.store.deliveries(chunk).await?;
            found.retain(|delivery| {
                delivery.tenant == note.tenant && matches!(delivery.status, Status::Held { .. })
            });
            found.sort_by(|one, other| one.id.cmp(&other.id));
            let now = self.world.now();
            self.note_ages(&found, now);
            let mut changes = Vec::with_capacity(found.len());
            for delivery in found {
                let wait = Duration::from_millis(place * 1000 / u64::from(per_second.max(1)));
                changes.push(Change::new(&delivery, delivery.released(now.after(wait))));
                place += 1;
            }
            let (won, outcome) = self.put_back(changes).await;
            *gone += won;
            outcome?;
        }
        Ok(ids.is_empty())
    }

    /// Gives up what has waited too long behind an open breaker, in these shards.
    async fn expire(
        &self,
        note: &HoldingNote,
        endpoint: &Endpoint,
        shards: Range<u8>,
        swept: &mut Swept,
        stop_at: Timestamp,
    ) -> Result<(), Error> {
        let patience = self.config.patience;
        let now = self.world.now();
        let own = endpoint.retry.as_ref();
        let longest = own.map(|policy| outcome::longest_wait(policy, patience));
        let until = before(now, longest.unwrap_or(patience.max_age));
        let mut retries = None;
        let mut given_up = 0;
        for shard in shards {
            let mut after = None;
            while given_up < MAX_EXPIRED && !self.is_over(stop_at) {
                let page = self
                    .store
                    .held(&note.endpoint, shard, until, after, PAGE)
                    .await?;
                let ids: Vec<DeliveryId> =
                    page.found.into_iter().map(|waiting| waiting.id).collect();
                let mut found = self.store.deliveries(&ids).await?;
                found.retain(|delivery| delivery.tenant == note.tenant);
                if own.is_none() && retries.is_none() && !found.is_empty() {
                    retries = Some(self.store.retries(&note.tenant).await?);
                }
                let of_type = |delivery: &Delivery| retries.as_ref()?.of(&delivery.event_type);
                found.retain(|delivery| {
                    let policy = own.or_else(|| of_type(delivery));
                    let policy = policy.unwrap_or(&self.config.retry);
                    has_expired(delivery, endpoint, policy, patience, now)
                });
                let mut burials = stream::iter(found)
                    .map(|delivery| self.give_up(delivery, endpoint, now))
                    .buffer_unordered(BURIALS_AT_ONCE);
                while let Some(was_ours) = burials.next().await {
                    given_up += u64::from(was_ours);
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        swept.expired += given_up;
        Ok(())
    }

    async fn give_up(&self, delivery: Delivery, endpoint: &Endpoint, now: Timestamp) -> bool {
        let dead = delivery.dead(DeadReason::Expired, now);
        let buried = self.bury(&dead, delivery.version, Some(endpoint)).await;
        if matches!(buried, Ok(true)) {
            let counts = Counters::of_write(&delivery, &dead, None);
            self.tally.note(
                &dead.tenant,
                Some(&dead.id.endpoint),
                &dead.event_type,
                counts,
                now,
            );
            self.metrics.note(now, |measures| {
                measures.note_write(&delivery, &dead, None, &counts, now);
            });
        }
        buried.unwrap_or_else(|error| {
            tracing::error!(delivery.id = %delivery.id, error = %error, cause = ?error.source, "a delivery was not given up");
            false
        })
    }

    async fn quiet(&self, note: &HoldingNote, now: Timestamp) -> Result<(), Error> {
        match note.quiet_since {
            None => self.store.set_quiet(note, Some(now)).await,
            Some(since) if now.since(since) > QUIET_FOR => self.store.forget_holding(note).await,
            Some(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookpost_domain::breaker::{Breaker, Slot};
    use hookpost_domain::endpoint::DisabledBy;
    use hookpost_domain::{EventId, TenantId};

    const NOW: Timestamp = Timestamp::from_millis(1_795_262_400_000);

    fn endpoint(state: EndpointState, rate: Option<u32>) -> Endpoint {
        serde_json::from_value(serde_json::json!({
            "id": "ep_1",
            "tenant": "default",
            "url": "https://example.com/",
            "event_types": ["*"],
            "signing_keys": [],
            "rate_limit_per_second": rate,
            "state": state,
            "created_at": NOW,
            "updated_at": NOW,
            "version": 1,
        }))
        .unwrap()
    }

    fn open(next_probe: Timestamp) -> Health {
        let breaker = Breaker::Open {
            opened_at: NOW,
            pause_seconds: 30,
            next_probe,
            slot: Slot::Free,
            by_hand: false,
        };
        Health {
            breaker,
            ..Health::default()
        }
    }

    #[test]
    fn an_open_breaker_holds_and_a_closed_one_lets_go_at_the_limit() {
        let active = endpoint(EndpointState::Active, None);
        let later = NOW.after(Duration::from_secs(1));
        assert_eq!(care(Some((&active, &open(NOW))), NOW), Care::Probe);
        assert_eq!(care(Some((&active, &open(later))), NOW), Care::Expire);
        let closed = Health::default();
        assert_eq!(care(Some((&active, &closed)), NOW), Care::LetGo(PACE));
        let limited = endpoint(EndpointState::Active, Some(3));
        assert_eq!(care(Some((&limited, &closed)), NOW), Care::LetGo(3));
    }

    #[test]
    fn a_pause_holds_and_the_disabled_and_deleted_let_go_whatever_the_breaker_says() {
        let paused = endpoint(EndpointState::Paused, None);
        let disabled = endpoint(EndpointState::Disabled(DisabledBy::Gone), None);
        for health in [open(NOW), Health::default()] {
            assert_eq!(care(Some((&paused, &health)), NOW), Care::Leave);
            assert_eq!(
                care(Some((&disabled, &health)), NOW),
                Care::LetGo(PACE_OF_THE_GONE)
            );
        }
        assert_eq!(care(None, NOW), Care::LetGo(PACE_OF_THE_GONE));
    }

    #[test]
    fn what_a_breaker_holds_expires_and_what_a_pause_holds_does_not() {
        let id = DeliveryId {
            event: EventId::generate(NOW, [1; 10]),
            endpoint: "ep_1".parse().unwrap(),
        };
        let fresh = Delivery::new(id, TenantId::default(), "order.created".parse().unwrap());
        let (policy, patience) = (RetryPolicy::default(), Patience::default());
        let longest = outcome::longest_wait(&policy, patience);
        assert_eq!(longest, patience.max_age);
        let then = NOW.after(longest);
        let too_late = then.after(Duration::from_millis(1));
        let endpoint = endpoint(EndpointState::Active, None);
        let has_expired =
            |delivery: &Delivery, now| has_expired(delivery, &endpoint, &policy, patience, now);
        assert!(!has_expired(&fresh.held(false), then));
        assert!(has_expired(&fresh.held(false), too_late));
        assert!(!has_expired(&fresh.held(true), too_late));
        // A replayed one is as old as its cycle.
        let replayed = fresh.replayed(then).held(false);
        assert!(!has_expired(&replayed, too_late));
    }

    #[test]
    fn a_long_schedule_may_take_twice_its_time() {
        let policy = RetryPolicy::preset("standard").unwrap();
        let patience = Patience {
            max_age: Duration::ZERO,
            ..Patience::default()
        };
        assert_eq!(
            outcome::longest_wait(&policy, patience),
            policy.longest() * 2
        );
    }

    #[test]
    fn every_shard_has_its_minute() {
        let minute = |n: u64| NOW.after(Duration::from_secs(60 * n));
        let shards: std::collections::HashSet<u8> =
            (0..16).map(|n| shard_of_the_minute(minute(n))).collect();
        assert_eq!(shards.len(), usize::from(DELIVERY_SHARDS));
    }
}
