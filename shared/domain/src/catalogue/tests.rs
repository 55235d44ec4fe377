use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::Invalid;
use crate::retry::{Backoff, Jitter};

const NOW: Timestamp = Timestamp::from_millis(1_795_262_400_000);

fn policy(attempts: u32) -> RetryPolicy {
    let backoff = Backoff::Exponential {
        first: 1.0,
        factor: 2.0,
        max: 300.0,
        attempts,
    };
    RetryPolicy::new(backoff, Jitter::Ratio(0.1)).unwrap()
}

fn rules(policies: &[(&[&str], u32)]) -> Rules {
    let mut rules = Rules::default();
    for (nth, (events, attempts)) in policies.iter().enumerate() {
        let rule = PolicyRule {
            events: events.iter().map(|event| event.parse().unwrap()).collect(),
            retry: policy(*attempts),
        };
        rules = rules.with_policy(format!("p{nth}"), rule).unwrap();
    }
    rules
}

fn attempts(rules: &Rules, event_type: &str) -> Option<u32> {
    let retries = rules.retries();
    // As it is stored.
    let stored = serde_json::to_string(&retries).unwrap();
    assert_eq!(serde_json::from_str::<Retries>(&stored).unwrap(), retries);
    let found = retries.of(&event_type.parse().unwrap());
    found.map(RetryPolicy::max_attempts)
}

fn draft(value: Value) -> Result<TypeEntry, Invalid> {
    serde_json::from_value::<EventTypeDraft>(value)
        .unwrap()
        .check(NOW)
}

#[test]
fn the_closest_policy_counts_and_a_types_own_before_all() {
    let known = rules(&[
        (&["*"], 1),
        (&["order.*", "user.created"], 2),
        (&["order.item.*"], 3),
        (&["order.item.added"], 4),
    ]);
    assert_eq!(attempts(&known, "other"), Some(1));
    assert_eq!(attempts(&known, "order.created"), Some(2));
    assert_eq!(attempts(&known, "user.created"), Some(2));
    assert_eq!(attempts(&known, "order.item.removed"), Some(3));
    assert_eq!(attempts(&known, "order.item.added"), Some(4));
    let entry = draft(json!({ "name": "order.item.added", "retry": { "max_attempts": 5 } }));
    let (known, _) = known.with_types(vec![entry.unwrap()]).unwrap();
    assert_eq!(attempts(&known, "order.item.added"), Some(5));
    let known = known.without_type(&"order.item.added".parse().unwrap());
    assert_eq!(attempts(&known, "order.item.added"), Some(4));
    assert_eq!(
        attempts(&known.without_policy("p3"), "order.item.added"),
        Some(3)
    );
    assert_eq!(attempts(&Rules::default(), "any"), None);
}

proptest! {
    #[test]
    fn no_order_of_policies_changes_which_counts(
        stems in proptest::collection::btree_set("[ab](\\.[ab]){0,2}", 1..6),
        event in "[ab](\\.[ab]){0,3}",
    ) {
        let patterns: Vec<String> = stems.iter().flat_map(|stem| [stem.clone(), format!("{stem}.*")]).collect();
        let listed = |patterns: &[String]| {
            let mut rules = Rules::default();
            for (nth, pattern) in patterns.iter().enumerate() {
                let rule = PolicyRule { events: vec![pattern.parse().unwrap()], retry: policy(u32::try_from(pattern.len()).unwrap()) };
                rules = rules.with_policy(format!("p{nth:02}"), rule).unwrap();
            }
            attempts(&rules, &event)
        };
        let backwards: Vec<String> = patterns.iter().rev().cloned().collect();
        prop_assert_eq!(listed(&patterns), listed(&backwards));
    }
}

#[test]
fn a_pattern_belongs_to_one_policy() {
    let known = rules(&[(&["order.*"], 2)]);
    let rule = |pattern: &str| PolicyRule {
        events: vec![pattern.parse().unwrap()],
        retry: policy(3),
    };
    let refused = known
        .with_policy("other".into(), rule("order.*"))
        .unwrap_err();
    assert_eq!(refused.field, "events");
    assert!(refused.rule.contains("`p0`"), "{refused}");
    assert!(known.with_policy("p0".into(), rule("order.*")).is_ok());
}

#[test]
fn every_change_is_one_version_on_and_reads_back() {
    let entry =
        draft(json!({ "name": "order.created", "retry": "standard", "schema": {} })).unwrap();
    let first = rules(&[(&["*"], 2)]);
    let (second, _) = first.with_types(vec![entry]).unwrap();
    assert_eq!((first.version, second.version), (1, 2));
    assert_eq!(second.types[&"order.created".parse().unwrap()].version, 2);
    let stored = serde_json::to_string(&second).unwrap();
    assert_eq!(serde_json::from_str::<Rules>(&stored).unwrap(), second);
}

#[test]
fn what_is_told_anew_stays_as_old_as_it_is() {
    let first = draft(json!({ "name": "a" })).unwrap();
    let later = TypeEntry {
        created_at: NOW.after(std::time::Duration::from_secs(5)),
        ..first.clone()
    };
    let (known, _) = Rules::default().with_types(vec![first]).unwrap();
    let (_, entries) = known.with_types(vec![later]).unwrap();
    assert_eq!(entries[0].created_at, NOW);
}

#[test]
fn an_entry_that_breaks_a_rule_is_refused_by_its_field() {
    let field = |value: Value| draft(value).unwrap_err().field.into_owned();
    assert_eq!(field(json!({})), "name");
    assert_eq!(field(json!({ "name": "a b" })), "name");
    assert_eq!(
        field(json!({ "name": "a", "group": "x".repeat(101) })),
        "group"
    );
    assert_eq!(
        field(json!({ "name": "a", "schema": { "pattern": "x" } })),
        "schema.pattern"
    );
    assert_eq!(
        field(json!({ "name": "a", "retry": { "max_attempts": 0 } })),
        "retry.max_attempts"
    );
    let schema = json!({ "properties": { "n": { "type": "number" } } });
    assert_eq!(
        field(json!({ "name": "a", "schema": schema, "example": { "n": "1" } })),
        "example.n"
    );
    let import = json!({ "event_types": [{ "name": "a" }, { "name": "a" }] });
    let import: ImportDraft = serde_json::from_value(import).unwrap();
    assert_eq!(import.check(NOW).unwrap_err().field, "event_types[1].name");
}

#[test]
fn a_catalogue_is_bounded() {
    let entry = |nth: usize, description: usize| {
        draft(json!({ "name": format!("type.{nth}"), "description": "d".repeat(description) }))
            .unwrap()
    };
    let many: Vec<TypeEntry> = (0..=MAX_TYPES).map(|nth| entry(nth, 0)).collect();
    assert!(Rules::default().with_types(many.clone()).is_err());
    let (full, _) = Rules::default().with_types(many[1..].to_vec()).unwrap();
    assert!(
        full.with_types(vec![entry(3, 100)]).is_ok(),
        "one that is known may change"
    );
    let long: Vec<TypeEntry> = (0..MAX_TYPES)
        .map(|nth| {
            let example = "x".repeat(30_000);
            draft(json!({ "name": format!("type.{nth}"), "example": example })).unwrap()
        })
        .collect();
    assert!(Rules::default().with_types(long[..30].to_vec()).is_ok());
    assert!(Rules::default().with_types(long[..40].to_vec()).is_err());
}

/// Seed 001's `config/retry.yaml`, as JSON.
#[test]
fn retry_policies_are_written_as_in_the_wished_for_configuration() {
    let import: ImportDraft = serde_json::from_value(json!({
        "event_retry_policies": {
            "critical": {
                "events": ["payment.success", "payment.failed"],
                "retry_policy": { "initial_delay": 0.5, "max_delay": 600.0, "max_attempts": 8 },
            },
        },
    }))
    .unwrap();
    let (name, rule) = import.check(NOW).unwrap().policies.remove(0);
    let known = Rules::default().with_policy(name, rule).unwrap();
    assert_eq!(attempts(&known, "payment.failed"), Some(8));
    assert_eq!(attempts(&known, "payment.refunded"), None);
}
