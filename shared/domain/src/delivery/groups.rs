//! Dead letters by what failed where: what somebody who is called at night looks at first.
//!
//! Guarantees: every dead letter that is added is counted in exactly one group; what a group's
//! `failure` and endpoint name in a [`DeliveryFilter`](super::DeliveryFilter) means at least all of
//! the group.

use std::collections::BTreeMap;

use super::{Attempt, Delivery, Status};
use crate::{DeliveryId, EndpointId, Timestamp};

/// Dead letters to one endpoint that failed alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadGroup {
    /// To which endpoint.
    pub endpoint: EndpointId,
    /// The last failure, or why they were given up: as a filter's `failure` names it.
    pub failure: String,
    /// How many.
    pub count: usize,
    /// When the oldest one's event was accepted.
    pub oldest: Timestamp,
    /// When the newest one's event was accepted.
    pub newest: Timestamp,
    /// The newest one.
    pub example: DeliveryId,
    /// Why the newest one was given up, in words.
    pub reason: String,
}

/// Groups in the making.
#[derive(Debug, Clone, Default)]
pub struct DeadGroups(BTreeMap<(EndpointId, String), DeadGroup>);

impl DeadGroups {
    /// Counts a delivery, if it is a dead letter.
    pub fn add(&mut self, delivery: &Delivery) {
        let Some(failure) = delivery.failure_name() else {
            return;
        };
        let at = delivery.id.event.time();
        let endpoint = delivery.id.endpoint.clone();
        let group = self
            .0
            .entry((endpoint.clone(), failure.clone()))
            .or_insert_with(|| DeadGroup {
                endpoint,
                failure,
                count: 0,
                oldest: at,
                newest: at,
                example: delivery.id.clone(),
                reason: delivery.failure_reason(),
            });
        group.count += 1;
        group.oldest = group.oldest.min(at);
        if at > group.newest {
            group.newest = at;
            group.example = delivery.id.clone();
            group.reason = delivery.failure_reason();
        }
    }

    /// The groups, the largest first, and of equal ones the one that grew last.
    pub fn largest_first(self) -> Vec<DeadGroup> {
        let mut groups: Vec<DeadGroup> = self.0.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse((group.count, group.newest)));
        groups
    }
}

impl Delivery {
    /// Why it was given up, as a filter's `failure` names it: the last failure where attempts were
    /// what ended it, and otherwise the reason. Nothing of what was not given up.
    pub fn failure_name(&self) -> Option<String> {
        use super::DeadReason;
        let Status::Dead { reason, .. } = self.status else {
            return None;
        };
        Some(match reason {
            DeadReason::AttemptsExhausted
            | DeadReason::NotRetried
            | DeadReason::Gone
            | DeadReason::Template => self
                .last_failure()
                .and_then(Attempt::failure)
                .map_or_else(|| reason.as_str().to_owned(), |kind| kind.to_string()),
            DeadReason::Expired | DeadReason::EndpointDisabled | DeadReason::EventMissing => {
                reason.as_str().to_owned()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{AttemptResult, DeadReason, DeliveryFilter, FailureKind};
    use super::*;
    use crate::{EventId, TenantId};

    const REASONS: [DeadReason; 7] = [
        DeadReason::AttemptsExhausted,
        DeadReason::NotRetried,
        DeadReason::Gone,
        DeadReason::Template,
        DeadReason::Expired,
        DeadReason::EndpointDisabled,
        DeadReason::EventMissing,
    ];
    const KINDS: [FailureKind; 4] = [
        FailureKind::Http(503),
        FailureKind::Http(500),
        FailureKind::Timeout,
        FailureKind::Dns,
    ];

    fn delivery(at: u64, endpoint: usize, kind: Option<usize>, reason: Option<usize>) -> Delivery {
        let at = Timestamp::from_millis(1_795_262_400_000 + at);
        let id = DeliveryId {
            event: EventId::generate(at, [1; 10]),
            endpoint: format!("ep_{endpoint}").parse().unwrap(),
        };
        let new = Delivery::new(id, TenantId::default(), "order.created".parse().unwrap());
        let failed = match kind {
            None => new,
            Some(kind) => new.with_attempt(Attempt {
                number: 1,
                cycle: 0,
                at,
                latency_ms: 1,
                result: AttemptResult::Failed {
                    kind: KINDS[kind],
                    detail: String::new(),
                    response: String::new(),
                },
            }),
        };
        reason.map_or(failed.clone(), |reason| failed.dead(REASONS[reason], at))
    }

    prop_compose! {
        fn any_delivery()(
            at in 0u64..1000,
            endpoint in 0usize..3,
            kind in prop::option::of(0..KINDS.len()),
            reason in prop::option::weighted(0.9, 0..REASONS.len()),
        ) -> Delivery {
            delivery(at, endpoint, kind, reason)
        }
    }

    proptest! {
        #[test]
        fn every_dead_letter_is_in_one_group_whose_names_mean_it(
            deliveries in prop::collection::vec(any_delivery(), 0..40),
        ) {
            let mut groups = DeadGroups::default();
            for delivery in &deliveries {
                groups.add(delivery);
            }
            let groups = groups.largest_first();
            let dead = || deliveries.iter().filter(|one| matches!(one.status, Status::Dead { .. }));
            let counted: usize = groups.iter().map(|group| group.count).sum();
            prop_assert_eq!(counted, dead().count());
            prop_assert!(groups.is_sorted_by(|one, other| one.count >= other.count));
            for group in &groups {
                let filter = DeliveryFilter {
                    endpoint_id: Some(group.endpoint.clone()),
                    failure: Some(group.failure.clone()),
                    resolved: Some(false),
                    ..DeliveryFilter::default()
                };
                prop_assert!(filter.check().is_ok());
                let mine = |one: &&Delivery| {
                    one.id.endpoint == group.endpoint
                        && one.failure_name().as_deref() == Some(&*group.failure)
                };
                let mine: Vec<&Delivery> = dead().filter(mine).collect();
                prop_assert_eq!(mine.len(), group.count);
                prop_assert!(mine.iter().all(|one| filter.matches(one)));
                let times = || mine.iter().map(|one| one.id.event.time());
                prop_assert_eq!(times().min(), Some(group.oldest));
                prop_assert_eq!(times().max(), Some(group.newest));
                prop_assert!(mine.iter().any(|one| one.id == group.example));
            }
        }
    }
}
