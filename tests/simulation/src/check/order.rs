//! What an endpoint that asked for order has to see.

use std::collections::{BTreeMap, BTreeSet};

use hookpost_domain::delivery::{Delivery, Status};
use hookpost_domain::line::OnDeadLetter;
use hookpost_domain::{DeliveryId, EndpointId, EventId, TenantId};

use crate::System;

impl System {
    /// Every line: whoever was answered first stands first, and no request is made while anything
    /// before it is not over.
    pub(super) fn every_line_is_kept(&self, broken: &mut Vec<String>) {
        for endpoint in self.parts.truth.endpoints() {
            if let Some(on_dead_letter) = endpoint.ordered {
                let order = self.parts.truth.order(&TenantId::default(), &endpoint.id);
                self.answers_are_in_order(&endpoint.id, &order, broken);
                self.requests_are_in_order(&endpoint.id, on_dead_letter, &order, broken);
            }
        }
    }

    fn answers_are_in_order(&self, id: &EndpointId, order: &[EventId], broken: &mut Vec<String>) {
        let places: BTreeMap<EventId, usize> = (0..).zip(order).map(|(at, id)| (*id, at)).collect();
        let mut answered = BTreeSet::new();
        let mut last = 0;
        // A repeat is answered with what was answered before.
        let promised = self.promised();
        for event in promised.iter().filter(|event| answered.insert(**event)) {
            match places.get(event) {
                Some(place) if *place < last => {
                    broken.push(format!(
                        "{event} was answered late, and stands early at {id}"
                    ));
                }
                Some(place) => last = *place,
                None => broken.push(format!("{event} is not in the line of {id}")),
            }
        }
    }

    fn requests_are_in_order(
        &self,
        id: &EndpointId,
        on_dead_letter: OnDeadLetter,
        order: &[EventId],
        broken: &mut Vec<String>,
    ) {
        // A line that skips dead letters goes on without them: when those come, if they do, is for
        // whoever replays them to say.
        let kept_its_place = |record: &Delivery| {
            matches!(record.status, Status::Delivered { .. })
                && (on_dead_letter == OnDeadLetter::Block || record.cycle == 0)
        };
        let mut begun = BTreeMap::<EventId, usize>::new();
        let mut accepted = BTreeMap::<EventId, usize>::new();
        let requests = self.requests().into_iter();
        for (nth, request) in requests.filter(|one| one.endpoint == *id).enumerate() {
            begun.entry(request.event).or_insert(nth);
            if (200..300).contains(&request.status) {
                accepted.entry(request.event).or_insert(nth);
            }
        }
        let mut last: Option<(EventId, usize)> = None;
        for event in order {
            if let (Some(first), Some((before, end))) = (begun.get(event), last)
                && *first < end
            {
                broken.push(format!("{event} went to {id} before {before} was over"));
            }
            let delivery = DeliveryId {
                event: *event,
                endpoint: id.clone(),
            };
            let record = self.parts.truth.record(&delivery);
            if record.as_ref().is_some_and(kept_its_place)
                && let Some(end) = accepted.get(event)
                && last.is_none_or(|(_, latest)| latest < *end)
            {
                last = Some((*event, *end));
            }
        }
    }
}
