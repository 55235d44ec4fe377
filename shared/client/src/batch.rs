//! Many events in few calls.

use serde::Deserialize;

use crate::{Accepted, Event, Problem};

/// Most events in one call.
const MAX_EVENTS: usize = 100;
/// Most bytes in one call: 2.5 MiB is what the API takes.
const MAX_BYTES: usize = 2_621_440;

const HEAD: &[u8] = br#"{"events":["#;
const TAIL: &[u8] = b"]}";

/// The body of one call.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) body: Vec<u8>,
    /// How many events are in it.
    pub(crate) events: usize,
}

/// As few calls as the events fit in, in their order. An event that is too large for any has one of
/// its own, and the API says so.
pub(crate) fn calls(events: &[Event]) -> Result<Vec<Call>, serde_json::Error> {
    let mut calls: Vec<Call> = Vec::new();
    for event in events {
        let event = serde_json::to_vec(&event.posted_in_batch())?;
        let fits = |call: &&mut Call| {
            let bytes = call.body.len() + 1 + event.len() + TAIL.len();
            call.events < MAX_EVENTS && bytes <= MAX_BYTES
        };
        if let Some(call) = calls.last_mut().filter(fits) {
            call.body.push(b',');
            call.body.extend(event);
            call.events += 1;
        } else {
            let body = [HEAD, &event].concat();
            calls.push(Call { body, events: 1 });
        }
    }
    for call in &mut calls {
        call.body.extend(TAIL);
    }
    Ok(calls)
}

/// The answer to one call.
#[derive(Debug, Deserialize)]
pub(crate) struct BatchAnswer {
    results: Vec<BatchResult>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum BatchResult {
    Rejected { problem: Problem },
    Accepted(Accepted),
}

impl BatchAnswer {
    /// A result for each of the events of the call.
    pub(crate) fn results(self, events: usize) -> impl Iterator<Item = Result<Accepted, Problem>> {
        let missing = || Problem::new(502, "unreadable", "the answer has no result for this event");
        self.results
            .into_iter()
            .map(|result| match result {
                BatchResult::Rejected { problem } => Err(problem),
                BatchResult::Accepted(accepted) => Ok(accepted),
            })
            .chain(std::iter::repeat_with(move || Err(missing())))
            .take(events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn event(bytes: usize) -> Event {
        Event::new("a.b", &"x".repeat(bytes)).unwrap()
    }

    fn sizes(events: &[Event]) -> Vec<usize> {
        let calls = calls(events).unwrap();
        for call in &calls {
            let body: Value = serde_json::from_slice(&call.body).unwrap();
            assert_eq!(body["events"].as_array().unwrap().len(), call.events);
        }
        calls.iter().map(|call| call.events).collect()
    }

    #[test]
    fn calls_are_as_few_as_the_limits_allow() {
        assert!(sizes(&[]).is_empty());
        assert_eq!(sizes(&vec![event(1); 250]), [100, 100, 50]);
        assert_eq!(sizes(&vec![event(1_000_000); 3]), [2, 1]);
        assert_eq!(sizes(&[event(1), event(3_000_000), event(1)]), [1, 1, 1]);
    }

    #[test]
    fn each_event_brings_its_key() {
        let events = [event(1), event(2).id("o-2")];
        let body: Value = serde_json::from_slice(&calls(&events).unwrap()[0].body).unwrap();
        assert_eq!(body["events"][0]["idempotency_key"], json!(events[0].key()));
        assert_eq!(body["events"][1]["idempotency_key"], Value::Null);
    }

    #[test]
    fn each_event_has_a_result_of_its_own() {
        let answer = json!({ "accepted": 1, "rejected": 1, "results": [
            { "index": 0, "status": 202, "id": "e", "event_type": "a", "tenant": "t",
              "timestamp": "2026-11-21T12:00:00Z", "delivery_count": 0, "deliveries": [] },
            { "index": 1, "status": 422, "problem": Problem::new(422, "invalid", "no") },
        ]});
        let answer: BatchAnswer = serde_json::from_value(answer).unwrap();
        let results: Vec<_> = answer.results(3).collect();
        assert_eq!(results[0].as_ref().unwrap().id, "e");
        assert_eq!(results[1].as_ref().unwrap_err().name(), "invalid");
        assert_eq!(results[2].as_ref().unwrap_err().status, 502);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn no_event_is_left_out_and_no_call_too_large(sizes in prop::collection::vec(0usize..400_000, 0..30)) {
            let events: Vec<Event> = sizes.into_iter().map(event).collect();
            let calls = calls(&events).unwrap();
            prop_assert_eq!(calls.iter().map(|call| call.events).sum::<usize>(), events.len());
            for call in calls {
                prop_assert!(call.events <= MAX_EVENTS && call.body.len() <= MAX_BYTES);
            }
        }
    }
}
