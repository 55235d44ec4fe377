//! The state machine of a function's instances, without processes.

use super::*;
use crate::permissions::{Permissions, Policy};

fn function(max_instances: usize) -> Function {
    let declared = template::Function {
        logical_id: "F".to_owned(),
        name: "f".to_owned(),
        arn: "arn:f".to_owned(),
        binary: "f".to_owned(),
        timeout: Duration::from_secs(3),
        memory_mb: 128,
        environment: BTreeMap::new(),
        policy: Policy::default(),
        routes: Vec::new(),
        sources: Vec::new(),
        schedules: Vec::new(),
    };
    let setting = HostSetting {
        binaries: "/nowhere".into(),
        max_instances,
        idle: Duration::from_secs(60),
        authority: String::new(),
        environment: BTreeMap::new(),
        external: BTreeMap::new(),
        permissions: Permissions::default(),
    };
    Function::new(&declared, &setting)
}

fn job() -> (Job, oneshot::Receiver<Outcome>) {
    Job::new(Bytes::from_static(b"{}"))
}

fn work(next: Option<Next>) -> Work {
    match next {
        Some(Next::Now(work)) => work,
        Some(Next::Later(mut work)) => work.try_recv().unwrap(),
        None => panic!("no such instance"),
    }
}

fn gets_nothing(next: Option<Next>) -> bool {
    let Some(Next::Later(mut work)) = next else {
        return false;
    };
    work.try_recv().is_err()
}

#[test]
fn the_first_invocation_starts_an_instance_and_the_next_reuses_it() {
    let function = function(5);
    let (first, mut first_outcome) = job();
    let slot = function.submit(first).unwrap();
    let work = work(function.next(slot.id));
    assert!(function.answer(slot.id, &work.request_id, Outcome::Answered(Bytes::new())));
    assert!(matches!(first_outcome.try_recv(), Ok(Outcome::Answered(_))));

    let Some(Next::Later(mut waiting)) = function.next(slot.id) else {
        panic!("there is no work yet")
    };
    assert!(function.submit(job().0).is_none());
    assert!(waiting.try_recv().is_ok());
    assert_eq!(function.stats().spawns, 1);
}

#[test]
fn as_many_instances_start_as_invocations_wait_up_to_the_limit() {
    let function = function(2);
    assert!(function.submit(job().0).is_some());
    assert!(function.submit(job().0).is_some());
    assert!(function.submit(job().0).is_none());
    assert_eq!((function.alive(), function.busy()), (2, 3));
}

#[test]
fn a_crash_fails_its_invocation_only() {
    let function = function(2);
    let (crashing, mut crashed) = job();
    let (other, mut untouched) = job();
    let slot = function.submit(crashing).unwrap();
    let _other_slot = function.submit(other);
    let _work = work(function.next(slot.id));
    assert!(function.ended(slot.id, "signal: 9", None).is_none());
    let Ok(Outcome::Failed(document)) = crashed.try_recv() else {
        panic!("the crash is its failure")
    };
    assert!(String::from_utf8_lossy(&document).contains("signal: 9"));
    assert!(untouched.try_recv().is_err());
}

#[test]
fn a_binary_that_cannot_start_fails_one_invocation_a_start() {
    let function = function(2);
    let (only, mut outcome) = job();
    let slot = function.submit(only).unwrap();
    function.init_failed(slot.id, Bytes::from_static(b"bad config"));
    assert!(function.ended(slot.id, "exit status: 1", None).is_none());
    let Ok(Outcome::Failed(document)) = outcome.try_recv() else {
        panic!("it failed")
    };
    assert_eq!(document, "bad config");
}

#[test]
fn what_runs_past_the_time_out_fails_and_its_late_answer_is_refused() {
    let function = function(1);
    let (slow, mut outcome) = job();
    let slot = function.submit(slow).unwrap();
    let work = work(function.next(slot.id));
    let later = clock::monotonic() + Duration::from_secs(4);
    assert_eq!(function.enforce(later, Duration::from_secs(60)).len(), 1);
    assert!(matches!(outcome.try_recv(), Ok(Outcome::Failed(_))));
    assert!(!function.answer(slot.id, &work.request_id, Outcome::Answered(Bytes::new())));
    assert!(gets_nothing(function.next(slot.id)));
    assert_eq!(function.stats().timeouts, 1);
}

#[test]
fn an_instance_whose_connection_broke_gets_no_work() {
    let function = function(2);
    let slot = function.submit(job().0).unwrap();
    let first = work(function.next(slot.id));
    function.answer(slot.id, &first.request_id, Outcome::Answered(Bytes::new()));
    drop(function.next(slot.id));
    assert!(
        function.submit(job().0).is_some(),
        "another instance is started"
    );
}

#[test]
fn idle_instances_end() {
    let function = function(1);
    let slot = function.submit(job().0).unwrap();
    let first = work(function.next(slot.id));
    function.answer(slot.id, &first.request_id, Outcome::Answered(Bytes::new()));
    let _waiting = function.next(slot.id);
    let later = clock::monotonic() + Duration::from_secs(61);
    assert!(function.enforce(later, Duration::from_secs(60)).is_empty());
    assert!(gets_nothing(function.next(slot.id)), "it is ending");
}
