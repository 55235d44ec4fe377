//! What becomes of a delivery when its message arrives, and after a request.
//!
//! The shell carries out what these functions say: it stores the record over the version it was
//! made from, and then takes the step. If the record was changed meanwhile it asks again with the
//! record that won.

use std::time::Duration;

use crate::carrier::Carrier;
use crate::delivery::{
    Attempt, AttemptResult, DeadReason, Delivery, FailureKind, Status, clip_text,
};
use crate::endpoint::{Endpoint, EndpointState};
use crate::retry::RetryPolicy;
use crate::template::Unrendered;
use crate::time::ceil_secs;
use crate::{Timestamp, quota};

/// The longest that a message is kept back in the queue: every message that waits there is in
/// flight, and a queue holds 120,000 of those.
pub const MAX_KEEP_BACK: Duration = Duration::from_secs(900);
/// How long a wait for a rate limit may always be spent in the queue.
const SHORT_RATE_WAIT: Duration = Duration::from_secs(5);
/// How long it may be at most: until the sweeper is sure to come by in time.
const LONG_RATE_WAIT: Duration = Duration::from_secs(75);
/// Most messages that one endpoint's rate limit keeps in flight.
const MAX_WAITING_FOR_RATE: u64 = 1000;
/// A message received this often is carried on by a new one, so that postponements never reach the
/// queue's maxReceiveCount (100), which is for messages that crash the function.
pub const MAX_RECEIVES: u32 = 50;
/// A first attempt that is further off than this is waited for in the table: the sweeper looks that
/// far ahead.
const SHORT_SCHEDULE_WAIT: Duration = Duration::from_secs(60);
/// How long after its time a slot of the rate limit that was kept for a delivery still holds: whole
/// seconds of SQS, and the way through the queue.
const KEPT_SLOT_LIFETIME: Duration = Duration::from_secs(3);

/// How long a message is put off when a call to AWS failed: longer each time, so that no outage
/// takes it to the queue's maxReceiveCount.
pub fn after_an_error(receives: u32, roll: f64) -> Duration {
    let base = Duration::from_secs(10).saturating_mul(2u32.saturating_pow(receives / 4));
    let wait = base
        .min(MAX_KEEP_BACK)
        .mul_f64(0.75 + roll.clamp(0.0, 1.0) / 4.0);
    Duration::from_secs(ceil_secs(wait))
}

/// What to do with the message, once the record is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Delete it.
    Complete,
    /// Leave it in the queue, invisible for this long (whole seconds).
    KeepBack {
        /// How long.
        visible_in: Duration,
    },
    /// Send the delivery's last word to the `exhausted` queue, and delete it.
    Exhaust,
}

/// A record to be stored, and the step after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// The record.
    pub delivery: Delivery,
    /// The step.
    pub step: Step,
}

/// What a message that arrives is worth.
#[derive(Debug, Clone, PartialEq)]
pub enum Arrival {
    /// The delivery is to be carried out.
    Due(Box<Delivery>),
    /// It has been overtaken: delete it.
    Stale,
    /// It is early: keep it back this long (whole seconds).
    Early(Duration),
    /// It is far too early, and nothing is known of its delivery yet: store this record, in which
    /// it is parked, and delete the message.
    Ahead(Box<Delivery>),
    /// Its delivery was given up, and the dead-letter queue may not know yet.
    Unburied(Box<Delivery>),
}

/// Holds a message against its delivery's record, if there is one.
pub fn arrive(
    record: Option<Delivery>,
    carrier: &Carrier,
    patience: Patience,
    now: Timestamp,
) -> Arrival {
    let Some(delivery) = record else {
        let fresh = Delivery::unwritten(carrier);
        return match carrier.not_before {
            Some(at) if at.since(now) > patience.park_after.min(SHORT_SCHEDULE_WAIT) => {
                Arrival::Ahead(Box::new(fresh.parked(at, None)))
            }
            Some(at) if now < at => Arrival::Early(keep_back(at.since(now))),
            Some(_) | None => Arrival::Due(Box::new(fresh)),
        };
    };
    if (carrier.cycle, carrier.release) < (delivery.cycle, delivery.release) {
        return Arrival::Stale;
    }
    match delivery.status {
        Status::InQueue { next_attempt } if now < next_attempt => {
            Arrival::Early(keep_back(next_attempt.since(now)))
        }
        Status::InQueue { .. } => Arrival::Due(Box::new(delivery)),
        Status::Dead { .. } if delivery.check_at.is_some() => Arrival::Unburied(Box::new(delivery)),
        Status::Parked { .. }
        | Status::Held { .. }
        | Status::Delivered { .. }
        | Status::Dead { .. }
        | Status::Cancelled { .. }
        | Status::Deleted { .. } => Arrival::Stale,
    }
}

/// What the deployment says about waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// The longest wait that is spent in the queue; at most [`MAX_KEEP_BACK`].
    pub park_after: Duration,
    /// The longest that a delivery waits from the beginning of its cycle.
    pub max_age: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            park_after: MAX_KEEP_BACK,
            max_age: Duration::from_secs(3 * 24 * 3600),
        }
    }
}

/// What the endpoint's configuration says before any request: `None` if nothing stands in the way
/// but breaker and rate limit.
pub fn admit(
    delivery: &Delivery,
    endpoint: Option<&Endpoint>,
    policy: &RetryPolicy,
    receives: u32,
    patience: Patience,
    now: Timestamp,
) -> Option<Settled> {
    let settled = |delivery, step| Some(Settled { delivery, step });
    let Some(endpoint) = endpoint else {
        return settled(delivery.cancelled(now), Step::Complete);
    };
    match endpoint.state {
        EndpointState::Active => {}
        EndpointState::Paused => return settled(delivery.held(true), Step::Complete),
        EndpointState::Disabled(_) => {
            return settled(
                delivery.dead(DeadReason::EndpointDisabled, now),
                Step::Complete,
            );
        }
    }
    if has_waited_too_long(delivery, endpoint, policy, patience, now) {
        return settled(delivery.dead(DeadReason::Expired, now), Step::Exhaust);
    }
    if receives >= MAX_RECEIVES {
        return settled(delivery.parked(now, delivery.slot), Step::Complete);
    }
    None
}

/// A delivery whose body cannot be made: no retry mends that, and it says nothing about the
/// endpoint's health. Once the template is mended it can be replayed.
pub fn unrendered(delivery: &Delivery, broken: &Unrendered, now: Timestamp) -> Settled {
    let attempt = Attempt {
        number: 0,
        cycle: delivery.cycle,
        at: now,
        latency_ms: 0,
        result: AttemptResult::Failed {
            kind: FailureKind::Template,
            detail: clip_text(&broken.to_string()),
            response: String::new(),
        },
    };
    Settled {
        delivery: delivery
            .with_attempt(attempt)
            .dead(DeadReason::Template, now),
        step: Step::Exhaust,
    }
}

/// Whether a delivery has waited longer than there is patience for: from the beginning of its cycle,
/// or from when its endpoint was last resumed, as no pause counts.
pub fn has_waited_too_long(
    delivery: &Delivery,
    endpoint: &Endpoint,
    policy: &RetryPolicy,
    patience: Patience,
    now: Timestamp,
) -> bool {
    let since = endpoint
        .resumed_at
        .map_or(delivery.since, |resumed| delivery.since.max(resumed));
    now.since(since) > longest_wait(policy, patience)
}

/// How long a delivery may wait from the beginning of its cycle.
pub fn longest_wait(policy: &RetryPolicy, patience: Patience) -> Duration {
    patience.max_age.max(policy.longest().saturating_mul(2))
}

/// A delivery whose endpoint's breaker is open, and not its to probe.
pub fn hold(delivery: &Delivery) -> Settled {
    Settled {
        delivery: delivery.held(false),
        step: Step::Complete,
    }
}

/// A delivery that waits for `until`: in the queue if that is soon, otherwise in the table.
pub fn wait(
    delivery: &Delivery,
    until: Timestamp,
    slot: Option<Timestamp>,
    longest: Duration,
    now: Timestamp,
) -> Settled {
    let visible_in = until.since(now);
    if visible_in > longest.min(MAX_KEEP_BACK) {
        return Settled {
            delivery: delivery.parked(until, slot),
            step: Step::Complete,
        };
    }
    Settled {
        delivery: delivery.kept_back(until, slot),
        step: Step::KeepBack {
            visible_in: keep_back(visible_in),
        },
    }
}

/// The longest wait for a limit of `per_second` that is spent in the queue. What waits there is in
/// flight, so it is bounded by number too; longer waits are spent in the table.
pub fn longest_rate_wait(per_second: u32) -> Duration {
    let by_number = Duration::from_secs(MAX_WAITING_FOR_RATE / u64::from(per_second.max(1)));
    by_number.clamp(SHORT_RATE_WAIT, LONG_RATE_WAIT)
}

/// Whether a slot of the rate limit was kept for this delivery and still holds.
pub fn has_slot(delivery: &Delivery, now: Timestamp) -> bool {
    let lifetime = KEPT_SLOT_LIFETIME.max(quota::SLOT_LIFETIME);
    delivery
        .slot
        .is_some_and(|slot| slot <= now && now <= slot.after(lifetime))
}

/// What the breaker says about a delivery's next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ahead {
    /// Nothing.
    Clear,
    /// It is closed, but as many of the endpoint's retries wait in the queue as may: this one waits
    /// in the table, however short its wait.
    Crowded,
    /// It is open, and this delivery's next request is the probe, not before this time.
    Probe(Timestamp),
    /// It is open, and another one probes.
    Hold,
}

/// All that decides what follows a request, besides the record.
#[derive(Debug, Clone, Copy)]
pub struct Aftermath<'a> {
    /// When to try again, and how often.
    pub policy: &'a RetryPolicy,
    /// Why this failure is the last one whatever the policy says, if it is.
    pub ends: Option<DeadReason>,
    /// How long the answer asks us to wait.
    pub retry_after: Option<Duration>,
    /// What the breaker says.
    pub ahead: Ahead,
    /// How long to wait where.
    pub patience: Patience,
    /// From [0, 1).
    pub roll: f64,
}

/// Whether this delivery, after this failure, will be attempted again; `ends` is why it will not be
/// whatever the policy says.
pub fn will_retry(delivery: &Delivery, policy: &RetryPolicy, ends: Option<DeadReason>) -> bool {
    !delivery.is_final() && ends.is_none() && delivery.attempts + 1 < policy.max_attempts()
}

/// When this delivery is attempted again after this failure, if it is and no breaker says otherwise.
/// `retry_after` is what the answer asks for, `roll` from [0, 1).
pub fn next_attempt(
    delivery: &Delivery,
    policy: &RetryPolicy,
    ends: Option<DeadReason>,
    retry_after: Option<Duration>,
    roll: f64,
    now: Timestamp,
) -> Option<Timestamp> {
    if !will_retry(delivery, policy, ends) {
        return None;
    }
    let backoff = policy.delay_before(delivery.attempts + 2, roll)?;
    Some(now.after(backoff.max(whole(retry_after))))
}

/// Whole seconds of what an answer asks for.
fn whole(retry_after: Option<Duration>) -> Duration {
    retry_after.map_or(Duration::ZERO, |wait| Duration::from_secs(ceil_secs(wait)))
}

/// What follows a request. Never undoes what is final; counts the attempt in its own cycle only.
pub fn settle(
    delivery: &Delivery,
    attempt: Attempt,
    after: &Aftermath<'_>,
    now: Timestamp,
) -> Settled {
    let complete = |delivery| Settled {
        delivery,
        step: Step::Complete,
    };
    let exhaust = |delivery| Settled {
        delivery,
        step: Step::Exhaust,
    };
    let same_cycle = attempt.cycle == delivery.cycle;
    let is_accepted = attempt.failure().is_none();
    let logged = delivery.with_attempt(attempt);
    if delivery.is_final() || !same_cycle {
        return complete(logged);
    }
    if is_accepted {
        return complete(logged.delivered(now));
    }
    if let Some(reason) = after.ends {
        return exhaust(logged.dead(reason, now));
    }
    let Some(backoff) = after.policy.delay_before(logged.attempts + 1, after.roll) else {
        return exhaust(logged.dead(DeadReason::AttemptsExhausted, now));
    };
    if !matches!(delivery.status, Status::InQueue { .. }) {
        // A duplicate's message: the delivery already waits in the table.
        return complete(logged);
    }
    let asked = whole(after.retry_after);
    let due = now.after(backoff.max(asked));
    match after.ahead {
        Ahead::Clear => wait(&logged, due, None, after.patience.park_after, now),
        Ahead::Crowded => complete(logged.parked(due, None)),
        Ahead::Probe(at) => wait(&logged, due.max(at), None, MAX_KEEP_BACK, now),
        // The endpoint has named a time: until then it waits in the table, and only then behind the
        // breaker, which knows nothing of it.
        Ahead::Hold if !asked.is_zero() => complete(logged.parked(now.after(asked), None)),
        Ahead::Hold => hold(&logged),
    }
}

fn keep_back(wait: Duration) -> Duration {
    Duration::from_secs(ceil_secs(wait).max(1)).min(MAX_KEEP_BACK)
}

#[cfg(test)]
mod tests;
