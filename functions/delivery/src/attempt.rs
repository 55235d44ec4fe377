//! One request, and what it teaches: about the delivery, and about the endpoint.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hookpost_domain::answer::Judged;
use hookpost_domain::breaker::{Breaker, Health, Slot};
use hookpost_domain::delivery::{Attempt, AttemptResult, Delivery};
use hookpost_domain::endpoint::{DisabledBy, Endpoint, EndpointState};
use hookpost_domain::lane::{Lane, Pace, SLOW};
use hookpost_domain::measures::Metric;
use hookpost_domain::outcome::{self, Aftermath, Ahead};
use hookpost_domain::ports::{Answer, Error, Transport, World, Write};
use hookpost_domain::trace::TraceParent;
use hookpost_domain::{Timestamp, request, retry_after};

use crate::book::{Changed, Page};
use crate::received::Received;
use crate::worker::{Posted, Ready, TRIES, chain};
use crate::{Queues, Tables, Verdict, Worker};

/// How long to wait before an attempt is recorded once more. What was sent and is not known will be
/// sent again: that costs more than waiting.
const RECORD_PAUSES: [Duration; 3] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(3),
];

impl<S: Tables, Q: Queues, T: Transport, W: World> Worker<S, Q, T, W> {
    /// Makes the request, and stores what came of it before anything else is done.
    pub(crate) async fn attempt(
        &self,
        ready: Ready<'_>,
        posted: &Posted,
        received: &Received,
    ) -> Result<Verdict, Error> {
        let Ready {
            carrier,
            delivery,
            endpoint,
            page,
            probe,
            body,
            place: _,
        } = ready;
        // Nothing leaves unsigned, whatever went wrong before.
        if !endpoint.has_secrets() {
            return Err(Error {
                call: "signing a request",
                source: "the endpoint's secrets are not there".into(),
            });
        }
        let began = self.world.now();
        let trace = posted.trace(carrier.event_id);
        let mut request = request::sign(
            &endpoint,
            carrier.event_id,
            &carrier.event_type,
            body,
            began,
        );
        // Each attempt is a span of its own.
        request.trace(trace.child(self.world.token()));
        let rules = endpoint.rules();
        let timeout = endpoint.timeout();
        let post = self
            .http
            .post(&endpoint.url, request, timeout, rules.look_into_bodies());
        let answer = self.watch(&page, &endpoint, post).await;
        let judged = rules.judge(answer.result, &answer.body);
        let now = self.world.now();
        let latency = u32::try_from(now.since(began).as_millis()).unwrap_or(u32::MAX);
        let attempt = Attempt {
            number: 0,
            cycle: delivery.cycle,
            at: began,
            latency_ms: latency,
            result: judged.result.clone(),
        };
        // Only what has failed is tried again. Whatever comes of asking, the attempt is recorded.
        if matches!(judged.result, AttemptResult::Failed { .. })
            && let Err(error) = self.policies.ask(&self.store, &endpoint, now).await
        {
            tracing::warn!(endpoint.id = %endpoint.id, error = %chain(&error), "the policies of its event types were not read");
        }
        let deployment = &self.settings.retry;
        let policies = &self.policies;
        let policy = policies.policy(&endpoint, &delivery.event_type, deployment);
        let asked = answer.retry_after.as_deref();
        let retry_after = asked.and_then(|value| retry_after::parse(value, now));
        let roll = self.world.roll();
        let due = outcome::next_attempt(&delivery, &policy, judged.ends, retry_after, roll, now);
        let lesson = Lesson {
            judged: &judged,
            took: now.since(began),
            probe,
            due,
        };
        let ahead = self.learn(&page, &delivery, &endpoint, &lesson, now).await;
        if judged.is_gone()
            && let Err(error) = self.disable(&page, &endpoint, now).await
        {
            // Its next delivery will hear the same.
            tracing::warn!(endpoint.id = %endpoint.id, error = %chain(&error), "it was not disabled");
        }
        let after = Aftermath {
            policy: &policy,
            ends: judged.ends,
            retry_after,
            ahead,
            patience: self.settings.patience,
            roll,
        };
        let mut current = delivery;
        for _ in 0..TRIES {
            let settled = outcome::settle(&current, attempt.clone(), &after, now);
            match self.record(&settled.delivery, current.version).await? {
                Write::Won => {
                    log(&settled.delivery, trace, &endpoint, asked, latency);
                    self.count(&current, &settled.delivery, Some(&attempt), now);
                    self.note_for_feed(&settled.delivery);
                    return self.step(carrier, &settled, Some(posted), received).await;
                }
                Write::Lost(other) => {
                    current = other.unwrap_or_else(|| Delivery::unwritten(carrier));
                }
            }
        }
        Err(Error {
            call: "recording an attempt",
            source: "its record changes all the time".into(),
        })
    }

    /// Stores what came of a request, and again if that fails. Where a write took effect whose
    /// answer was lost, the next one meets it: it has won, unless somebody has moved on from it
    /// meanwhile. Then the attempt is recorded, and the message is held against the record anew.
    async fn record(&self, delivery: &Delivery, over: u64) -> Result<Write<Delivery>, Error> {
        let mut pauses = RECORD_PAUSES.into_iter();
        let mut may_have_won = false;
        loop {
            let error = match self.store.store_delivery(delivery, over).await {
                Ok(Write::Lost(Some(other))) if may_have_won && other == *delivery => {
                    return Ok(Write::Won);
                }
                Ok(Write::Lost(Some(other))) if may_have_won && follows(&other, delivery) => {
                    return Err(Error {
                        call: "recording an attempt",
                        source: "it is recorded, and another has moved on".into(),
                    });
                }
                Ok(written) => return Ok(written),
                Err(error) => error,
            };
            may_have_won = true;
            let Some(pause) = pauses.next() else {
                return Err(error);
            };
            tracing::warn!(delivery.id = %delivery.id, error = %chain(&error), "an attempt is not recorded yet");
            tokio::time::sleep(pause).await;
        }
    }

    /// Waits for an answer. An endpoint that turns out to be slow is noted as such while it still is
    /// waited for, so that others of its deliveries do not come the same way meanwhile.
    async fn watch(
        &self,
        page: &Page,
        endpoint: &Endpoint,
        post: impl Future<Output = Answer>,
    ) -> Answer {
        let mut post = std::pin::pin!(post);
        tokio::select! {
            answer = &mut post => return answer,
            () = tokio::time::sleep(SLOW) => {}
        }
        let overdue = async {
            if page.note(Pace::overdue).await.is_none() {
                return;
            }
            let now = self.world.now();
            let slow = |health: &Health| health.with_lane(None, Lane::Slow, now);
            tracing::info!(endpoint.id = %endpoint.id, "it is slow: its deliveries take the slow lane");
            let noted = page.change(&self.store, &endpoint.tenant, &endpoint.id, now, slow);
            if let Err(error) = noted.await {
                tracing::warn!(endpoint.id = %endpoint.id, error = %chain(&error), "its lane was not noted");
            }
        };
        tokio::join!(post, overdue).0
    }

    /// What the request says about the endpoint's health, and what that means for this delivery. A
    /// health that cannot be written costs a count, not the delivery.
    async fn learn(
        &self,
        page: &Page,
        delivery: &Delivery,
        endpoint: &Endpoint,
        lesson: &Lesson<'_>,
        now: Timestamp,
    ) -> Ahead {
        let Lesson {
            judged,
            took,
            probe,
            due,
        } = *lesson;
        let in_queue = |longest| due.filter(|due| due.since(now) <= longest);
        let books = in_queue(outcome::MAX_KEEP_BACK).map(|_| &delivery.id);
        let waits = in_queue(self.settings.patience.park_after);
        let lane = page.note(|pace, known| pace.over(took, known)).await;
        // What was last decided, and so whether a retry got its place.
        let is_crowded = AtomicBool::new(false);
        let decide = |health: &Health| {
            let next = match judged.result {
                AttemptResult::Accepted(_) => health.after_success(probe, now),
                AttemptResult::Failed { .. } => {
                    let timeout = endpoint.timeout();
                    let failed = health.after_failure(endpoint.breaker, probe, books, timeout, now);
                    match (failed, waits) {
                        (Some(failed), Some(until)) if !failed.is_open() => {
                            let placed = failed.with_place(until, now);
                            is_crowded.store(placed.is_none(), Ordering::Relaxed);
                            placed.or(Some(failed))
                        }
                        (failed, _) => failed,
                    }
                }
            };
            match lane {
                Some(lane) => health.with_lane(next, lane, now),
                None => next,
            }
        };
        let changed = page
            .change(&self.store, &endpoint.tenant, &endpoint.id, now, decide)
            .await;
        let Changed {
            health,
            stands,
            opened,
        } = match changed {
            Ok(changed) => changed,
            Err(error) => {
                tracing::warn!(endpoint.id = %endpoint.id, error = %chain(&error), "its health was not noted");
                return Ahead::Clear;
            }
        };
        if opened {
            self.metrics.count(Metric::BreakersOpened, 1, now);
            tracing::warn!(endpoint.id = %endpoint.id, tenant = %endpoint.tenant, "a breaker opened");
        }
        match &health.breaker {
            // One whose health others write all the time has no place either.
            Breaker::Closed if is_crowded.into_inner() || !stands => Ahead::Crowded,
            Breaker::Closed => Ahead::Clear,
            Breaker::Open {
                next_probe,
                slot: Slot::Booked {
                    delivery: booked, ..
                },
                ..
            } if *booked == delivery.id => {
                tracing::warn!(endpoint.id = %endpoint.id, next_probe = %next_probe, "the breaker is open");
                Ahead::Probe(*next_probe)
            }
            Breaker::Open { .. } => Ahead::Hold,
        }
    }

    /// The endpoint said 410 Gone: nothing more is sent to it until somebody enables it again.
    async fn disable(&self, page: &Page, endpoint: &Endpoint, now: Timestamp) -> Result<(), Error> {
        let mut current = endpoint.clone();
        for _ in 0..TRIES {
            if !matches!(current.state, EndpointState::Active) {
                break;
            }
            let disabled = current.with_state(EndpointState::Disabled(DisabledBy::Gone), now);
            // Before it is: the sweeper tells whoever wants to know of it.
            self.store
                .note_holding(&current.tenant, &current.id, now)
                .await?;
            match self
                .store
                .store_endpoint(&disabled, current.version)
                .await?
            {
                Write::Lost(Some(other)) => current = other,
                Write::Won => {
                    tracing::warn!(endpoint.id = %endpoint.id, "it answered 410 Gone and was disabled");
                    break;
                }
                Write::Lost(None) => break,
            }
        }
        page.forget().await;
        Ok(())
    }
}

/// What a request has taught.
#[derive(Clone, Copy)]
struct Lesson<'a> {
    judged: &'a Judged,
    took: Duration,
    /// Its token, if it was a probe.
    probe: Option<u64>,
    /// When its delivery is attempted again, if it is.
    due: Option<Timestamp>,
}

/// Whether a record was made from another one, after its last attempt.
fn follows(record: &Delivery, earlier: &Delivery) -> bool {
    let last = earlier.log.last();
    last.is_some_and(|last| record.log.contains(last))
}

fn log(
    delivery: &Delivery,
    trace: TraceParent,
    endpoint: &Endpoint,
    retry_after: Option<&str>,
    latency_ms: u32,
) {
    let last = delivery.log.last();
    let number = last.map_or(0, |attempt| attempt.number);
    let Some(failed) = last.filter(|attempt| attempt.failure().is_some()) else {
        tracing::debug!(delivery.id = %delivery.id, trace_id = trace.trace_id(), attempt = number, latency_ms, "delivered");
        return;
    };
    tracing::info!(
        delivery.id = %delivery.id,
        trace_id = trace.trace_id(),
        tenant = %delivery.tenant,
        endpoint.id = %endpoint.id,
        endpoint.url = endpoint.url.for_logs(),
        attempt = number,
        latency_ms,
        failure = failed.describe(),
        retry_after,
        status = delivery.status_name(),
        "an attempt failed"
    );
}
