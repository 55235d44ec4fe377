use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::access::{SigningKey, Token, TokenFault};
use crate::{DeliveryId, EventId, TenantId, Timestamp};

const NOW: Timestamp = Timestamp::from_millis(1_795_262_400_000);

fn shown(endpoint: u8, event_type: &str, outcome: Outcome, attempt: u32) -> Shown {
    let event: EventId = "019ab3c0-7e00-7000-8000-000000000001".parse().unwrap();
    let endpoint_id: crate::EndpointId = format!("ep_{endpoint}").parse().unwrap();
    Shown {
        at: NOW,
        delivery_id: DeliveryId {
            event,
            endpoint: endpoint_id.clone(),
        },
        event_id: event,
        endpoint_id,
        event_type: event_type.parse().unwrap(),
        attempt,
        outcome,
        status_code: Some(200),
        failure: None,
        latency_ms: 12,
    }
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Delivered),
        Just(Outcome::Retrying),
        Just(Outcome::Dead),
        Just(Outcome::Cancelled)
    ]
}

fn any_shown() -> impl Strategy<Value = Shown> {
    let event_type = prop_oneof![
        Just("order.created".to_owned()),
        Just("user.x".to_owned()),
        Just("a".repeat(128))
    ];
    (0..4u8, event_type, any_outcome(), 1..9u32).prop_map(
        |(endpoint, event_type, outcome, attempt)| shown(endpoint, &event_type, outcome, attempt),
    )
}

fn any_filter() -> impl Strategy<Value = LiveFilter> {
    let endpoints = proptest::collection::vec(0..4u8, 0..3);
    let patterns = proptest::sample::subsequence(vec!["order.*", "user.x", "*"], 0..3);
    let outcomes = proptest::collection::vec(any_outcome(), 0..3);
    (endpoints, patterns, outcomes).prop_map(|(endpoints, patterns, outcomes)| LiveFilter {
        endpoint_ids: endpoints
            .iter()
            .map(|endpoint| format!("ep_{endpoint}").parse().unwrap())
            .collect(),
        event_types: patterns.iter().map(|one| one.parse().unwrap()).collect(),
        outcomes,
    })
}

fn connection(nth: usize) -> ConnectionId {
    format!("c{nth}=").parse().unwrap()
}

fn attempts_of(frame: &Frame) -> (Vec<Shown>, u64) {
    let json: serde_json::Value = serde_json::from_str(&frame.text).unwrap();
    assert_eq!(json["type"], "attempts");
    let attempts = serde_json::from_value(json["attempts"].clone()).unwrap();
    (attempts, json["left_out"].as_u64().unwrap())
}

proptest! {
    #[test]
    fn a_frame_has_what_passes_and_counts_the_rest(
        attempts in proptest::collection::vec(any_shown(), 0..=MAX_HANDED),
        filter in any_filter(),
        left_out in 0..5u32,
    ) {
        let tenant: TenantId = "acme".parse().unwrap();
        let watch = Watch::default().joined(&connection(0), filter.clone(), NOW).unwrap();
        let handover = Handover { tenant, attempts: attempts.clone(), left_out };
        let passing: Vec<Shown> = attempts.iter().filter(|one| filter.passes(one)).cloned().collect();
        let sent = frames(&watch, &handover, NOW);
        if passing.is_empty() && left_out == 0 {
            prop_assert!(sent.is_empty());
        } else {
            prop_assert_eq!(sent.len(), 1);
            prop_assert!(sent[0].text.len() <= MAX_FRAME_BYTES);
            let (seen, told) = attempts_of(&sent[0]);
            prop_assert_eq!(&seen[..], &passing[..seen.len()]);
            prop_assert_eq!(told, u64::from(left_out) + (passing.len() - seen.len()) as u64);
        }
    }

    #[test]
    fn nobody_is_sent_anything_after_their_time(ms in 0..200_000u64) {
        let watch = Watch::default().joined(&connection(0), LiveFilter::default(), NOW).unwrap();
        let later = NOW.after(Duration::from_millis(ms));
        let attempts = vec![shown(1, "a", Outcome::Dead, 1)];
        let handover = Handover { tenant: TenantId::default(), attempts, left_out: 0 };
        let is_sent = !frames(&watch, &handover, later).is_empty();
        prop_assert_eq!(is_sent, later < NOW.after(WATCH_LIFETIME));
    }

    #[test]
    fn whoever_comes_and_goes_no_more_than_may_watch(
        steps in proptest::collection::vec((0..40usize, any::<bool>(), 0..30_000u64), 0..120)
    ) {
        let mut watch = Watch::default();
        let mut now = NOW;
        for (nth, joins, passes) in steps {
            now = now.after(Duration::from_millis(passes));
            if joins {
                if let Ok(joined) = watch.joined(&connection(nth), LiveFilter::default(), now) {
                    prop_assert_eq!(joined.version, watch.version + 1);
                    prop_assert_eq!(joined.until(), Some(now.after(WATCH_LIFETIME)));
                    watch = joined;
                } else {
                    let others = watch.watchers.iter().filter(|one| one.until > now);
                    prop_assert_eq!(others.count(), MAX_WATCHERS);
                }
            } else if let Some(left) = watch.left(&[connection(nth)], now) {
                watch = left;
                prop_assert!(watch.watchers.iter().all(|one| one.connection != connection(nth)));
            }
            let ids: BTreeSet<&str> = watch.watchers.iter().map(|one| one.connection.as_str()).collect();
            prop_assert_eq!(ids.len(), watch.watchers.len(), "somebody is there twice");
            prop_assert!(ids.len() <= MAX_WATCHERS);
        }
    }

    #[test]
    fn a_process_hands_over_no_more_than_its_pace(gaps in proptest::collection::vec(0..600u64, 1..300)) {
        let mut pace = Pace::default();
        let mut now = NOW;
        let mut admitted = Vec::new();
        for gap in gaps {
            now = now.after(Duration::from_millis(gap));
            if pace.admits(now) {
                admitted.push(now);
            }
        }
        for (nth, from) in admitted.iter().enumerate() {
            for (other, to) in admitted.iter().enumerate().skip(nth) {
                let most = 20 + to.since(*from).as_millis() / 250 + 1;
                prop_assert!(((other - nth) as u128) < most);
            }
        }
    }

    #[test]
    fn a_ticket_is_good_for_its_time_and_for_nothing_else(bytes: [u8; 32], ms in 0..120_000u64) {
        let key = SigningKey::new(bytes);
        let ticket = Ticket { tenant: "acme".parse().unwrap(), expires_at: NOW.after(TICKET_LIFETIME) };
        let text = ticket.sign(&key);
        let now = NOW.after(Duration::from_millis(ms));
        let read = Ticket::verify(&text, &key, now);
        if now < ticket.expires_at {
            prop_assert_eq!(read, Ok(ticket));
        } else {
            prop_assert_eq!(read, Err(TokenFault::Expired));
        }
        prop_assert_eq!(Token::verify(&text, &key, NOW), Err(TokenFault::NoToken));
        let posing = text.replacen("hl_", "ht_", 1);
        prop_assert_eq!(Token::verify(&posing, &key, NOW), Err(TokenFault::Forged));
    }

    #[test]
    fn no_text_breaks_the_reader_of_tickets(text in "(hl_)?\\PC{0,40}[.]?\\PC{0,40}") {
        let key = SigningKey::new([1; 32]);
        prop_assert!(Ticket::verify(&text, &key, NOW).is_err());
    }
}

#[test]
fn a_filter_that_names_too_much_is_refused() {
    let filter = LiveFilter {
        outcomes: vec![Outcome::Dead; 11],
        ..LiveFilter::default()
    };
    assert_eq!(filter.bounded().unwrap_err().field, "filter.outcomes");
    let read = serde_json::from_str::<LiveFilter>(r#"{"endpoints":[]}"#);
    assert!(read.is_err(), "a misspelt part must not show everything");
}

#[test]
fn a_process_after_a_quiet_time_hands_over_twenty_at_once() {
    let mut pace = Pace::default();
    let at_once = (0..100).filter(|_| pace.admits(NOW)).count();
    assert_eq!(at_once, 20);
    assert!(pace.admits(NOW.after(Duration::from_millis(250))));
}
