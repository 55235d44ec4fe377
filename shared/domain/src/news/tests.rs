use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::breaker::Slot;
use crate::endpoint::EndpointDraft;
use crate::signature::Secret;
use crate::target::AllowedTargets;

const NOW: Timestamp = Timestamp::from_millis(1_795_262_430_000);

fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

fn endpoint(event_types: &[&str], state: EndpointState) -> Endpoint {
    let draft: EndpointDraft = serde_json::from_value(json!({
        "url": "https://example.com/hook?key=secret", "event_types": event_types,
    }))
    .unwrap();
    let (id, secret) = ("ep_1".parse().unwrap(), Secret::generate([1; 32]));
    let allowed = AllowedTargets::default();
    let made = draft.create(id, tenant("acme"), secret, &allowed, NOW);
    Endpoint {
        state,
        ..made.unwrap()
    }
}

fn note(noted_at: Timestamp) -> HoldingNote {
    HoldingNote {
        tenant: tenant("acme"),
        endpoint: "ep_1".parse().unwrap(),
        noted_at,
        quiet_since: None,
    }
}

fn open(opened_at: Timestamp) -> Health {
    Health {
        failures: 5,
        breaker: Breaker::Open {
            opened_at,
            pause_seconds: 30,
            next_probe: opened_at.after(Duration::from_secs(30)),
            slot: Slot::Free,
            by_hand: false,
        },
        ..Health::default()
    }
}

fn kinds(news: &[News]) -> Vec<&str> {
    news.iter().map(|one| one.kind).collect()
}

#[test]
fn each_change_is_told_once() {
    let (well, active) = (Health::default(), endpoint(&["*"], EndpointState::Active));
    let gone = endpoint(&["*"], EndpointState::Disabled(DisabledBy::Gone));
    let later = NOW.after(Duration::from_secs(300));
    let mut told = Told::default();
    for (noted_at, endpoint, health, expected) in [
        (NOW, &active, &well, vec![]),
        (NOW, &active, &open(NOW), vec!["breaker.opened"]),
        (NOW, &active, &open(NOW), vec![]),
        (NOW, &active, &well, vec!["breaker.closed"]),
        (NOW, &active, &open(later), vec!["breaker.opened"]),
        // It closed and opened again between two looks.
        (later, &active, &open(NOW), vec!["breaker.opened"]),
        (later, &gone, &open(NOW), vec!["endpoint.disabled"]),
        (later, &gone, &open(NOW), vec![]),
        (later, &active, &well, vec!["breaker.closed"]),
        (NOW, &gone, &well, vec!["endpoint.disabled"]),
    ] {
        let (news, next) = of_endpoint(&note(noted_at), endpoint, health, &told);
        assert_eq!(kinds(&news), expected, "{told:?}");
        let shown = serde_json::to_string(&news.iter().map(|one| &one.details).collect::<Vec<_>>());
        assert!(!shown.unwrap().contains("key=secret"));
        told = next;
    }
}

#[test]
fn an_endpoint_that_is_told_never_makes_news_for_its_own_tenant() {
    let (acme, ops) = (tenant("acme"), tenant("ops"));
    let both = [acme.clone(), ops.clone()];
    let who = |operator: Option<&TenantId>, tenant, is_operational| {
        listeners(&both, operator, tenant, is_operational)
    };
    assert_eq!(who(None, &acme, false), vec![acme.clone()]);
    assert_eq!(who(Some(&ops), &acme, false), both);
    assert_eq!(who(Some(&ops), &acme, true), vec![ops.clone()]);
    assert_eq!(who(Some(&ops), &ops, false), vec![ops.clone()]);
    assert!(who(Some(&ops), &ops, true).is_empty());
    assert!(listeners(&[], Some(&ops), &acme, false).is_empty());
}

#[test]
fn only_who_asks_for_them_by_name_gets_them() {
    let asks = |patterns: &[&str]| {
        let endpoint = endpoint(patterns, EndpointState::Active);
        let news = "hookpost.breaker.opened".parse().unwrap();
        assert_eq!(
            endpoint.is_operational(),
            endpoint.pattern_for(&news).is_some()
        );
        endpoint.is_operational()
    };
    assert!(!asks(&["*"]));
    assert!(!asks(&["order.*", "hook.*"]));
    assert!(asks(&["hookpost.*"]));
    assert!(asks(&["*", "hookpost.breaker.*"]));
    assert!(asks(&["hookpost.breaker.opened"]));
    assert!(check_posted("hookpost.x").is_err());
    assert!(check_posted("hookposts.x").is_ok());
}

#[test]
fn dead_letters_are_added_up_by_endpoint() {
    let dead = |endpoint: &str, last: u32| Dead {
        tenant: tenant("acme"),
        endpoint: endpoint.parse().unwrap(),
        count: 1,
        last: json!(last),
        at: NOW,
    };
    let sums = Dead::sum([dead("a", 1), dead("b", 2), dead("a", 3)]);
    let shown: Vec<_> = sums
        .iter()
        .map(|sum| (sum.endpoint.as_str(), sum.count, sum.last.clone()))
        .collect();
    assert_eq!(shown, [("a", 2, json!(3)), ("b", 1, json!(2))]);
    let note = Note::dead(&sums[0], NOW);
    let (at_once, unreadable) = Board::read(vec![note.clone()], NOW);
    assert!(at_once.dead.is_empty() && unreadable.is_empty());
    let (later, _) = Board::read(vec![note], NOW.after(Duration::from_secs(5)));
    assert_eq!(later.dead[0].0, sums[0]);
}

#[test]
fn notes_read_as_they_were_written_and_others_are_told_apart() {
    let told = Told {
        opened_at: Some(NOW),
        disabled_at: None,
    };
    let endpoint: EndpointId = "ep_1".parse().unwrap();
    let notes = vec![
        Note::listener(&tenant("ops"), NOW),
        Note::told(&tenant("acme"), &endpoint, &told, NOW),
        Note {
            name: "else#x".into(),
            ..Note::listener(&tenant("ops"), NOW)
        },
    ];
    let (board, unreadable) = Board::read(notes, NOW);
    assert_eq!(board.listening(), [tenant("ops")]);
    assert_eq!(board.told[&(tenant("acme"), endpoint)], told);
    assert_eq!(unreadable.len(), 1);
}

proptest! {
    #[test]
    fn the_same_news_is_the_same_event_for_an_hour_and_is_never_old(
        ago in 0_u64..1_000_000_000, again in 0_u64..3_600_000,
    ) {
        let at = Timestamp::from_millis(NOW.as_millis() - ago);
        let news = News {
            kind: "breaker.opened", tenant: tenant("acme"), subject: "ep_1".into(), at,
            details: Value::Null,
        };
        let later = NOW.after(Duration::from_millis(again));
        let (one, other) = (news.event_id(&tenant("a"), NOW), news.event_id(&tenant("a"), later));
        let same_hour = NOW.as_millis() / HOUR_MS == later.as_millis() / HOUR_MS;
        prop_assert!(!same_hour || one == other);
        prop_assert!(later.since(other.time()) <= Duration::from_secs(2 * 3600));
        prop_assert_ne!(one, news.event_id(&tenant("b"), NOW));
    }
}
