//! Playing a scenario: once to count its calls, then with each fault at each call; or with many
//! faults at once, from a seed.

use std::collections::BTreeSet;
use std::sync::Once;

use hookpost_testkit::faults::CallMade;
use hookpost_testkit::{Fault, Plan};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

use crate::System;

/// Calls of which each item takes effect for itself.
const BATCHES: [&str; 2] = ["SendMessageBatch delivery", "BatchWriteItem events"];

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Run {
    /// What does not hold.
    pub broken: Vec<String>,
    /// The calls that were made.
    pub made: Vec<CallMade>,
    /// Batches of messages that were received.
    pub batches: usize,
    /// What went wrong.
    pub happened: Vec<(usize, &'static str, Fault)>,
}

/// A planned panic is no news.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let told = panic.payload_as_str().unwrap_or_default();
            if !told.starts_with("a planned panic") {
                usual(panic);
            }
        }));
    });
}

/// Plays a scenario once, lets everything come to its end, and holds it against what must hold.
///
/// # Panics
/// There is no runtime to be had, or the scenario panics.
#[expect(clippy::expect_used, reason = "a test that cannot go on fails")]
pub fn play(plan: Plan, scenario: &impl AsyncFn(&System)) -> Run {
    quiet();
    fastrand::seed(plan.seed);
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    LocalSet::new().block_on(&runtime, async {
        let system = System::start(plan);
        scenario(&system).await;
        let broken = system.broken().await;
        Run {
            broken,
            made: system.parts.faults.made(),
            batches: system.parts.faults.batches(),
            happened: system.parts.faults.happened(),
        }
    })
}

/// The calls at which a fault can matter: all but looks that find nothing, and of those the first.
fn points(made: &[CallMade]) -> Vec<(usize, &'static str)> {
    let mut looked = BTreeSet::new();
    let mut points = Vec::new();
    for (nth, call) in made.iter().enumerate() {
        if !call.idle || looked.insert(call.name) {
            points.push((nth, call.name));
        }
    }
    points
}

/// Plays a scenario once without any fault, and then with each fault at each of its calls, and with
/// each batch of messages twice.
///
/// # Panics
/// Something does not hold: with every plan under which it does not.
pub fn each_fault(name: &str, scenario: &impl AsyncFn(&System)) {
    faults_at(name, scenario, |_| true);
}

/// The same, only at those calls that `matters` says of by their number: where there are too many
/// that are alike.
///
/// # Panics
/// Something does not hold: with every plan under which it does not.
#[expect(clippy::panic, reason = "it is how a test fails")]
pub fn faults_at(name: &str, scenario: &impl AsyncFn(&System), matters: impl Fn(usize) -> bool) {
    let clean = play(Plan::default(), scenario);
    assert!(clean.broken.is_empty(), "{name}: {:?}", clean.broken);
    let mut plans = Vec::new();
    let points = points(&clean.made).into_iter();
    for (nth, call) in points.filter(|(nth, _)| matters(*nth)) {
        for fault in Fault::ALL {
            if fault != Fault::Throttled || BATCHES.contains(&call) {
                plans.push((
                    format!("{fault:?} at call {nth}, {call}"),
                    Plan::one(nth, fault),
                ));
            }
        }
    }
    for batch in (0..clean.batches).filter(|nth| matters(*nth)) {
        plans.push((format!("batch {batch} twice"), Plan::one_twice(batch)));
    }
    let runs = plans.len();
    let mut broken = Vec::new();
    for (told, plan) in plans {
        let run = play(plan, scenario);
        if !run.broken.is_empty() {
            broken.push(format!("{told}: {}", run.broken.join("; ")));
        }
    }
    if !broken.is_empty() {
        let count = broken.len();
        panic!(
            "{name}: {count} of {runs} runs broke:\n{}",
            broken.join("\n")
        );
    }
}

/// Plays a scenario with many faults at once, all from `seed`.
pub fn seeded(seed: u64, chance: f64, scenario: &impl AsyncFn(&System)) -> Run {
    let plan = Plan {
        chance,
        kinds: Fault::ALL.to_vec(),
        seed,
        ..Plan::default()
    };
    play(plan, scenario)
}
