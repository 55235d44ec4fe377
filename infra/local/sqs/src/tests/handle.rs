use std::sync::{Arc, Mutex};

use super::*;
use crate::api::ReceiveOptions;
use crate::clock::{Clock, ManualClock, SystemClock};
use crate::handle::Sqs;
use crate::hooks::{CallReport, Hooks};

fn on_a_manual_clock() -> (Sqs, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(1_700_000_000_000));
    (Sqs::new(Arc::clone(&clock) as Arc<dyn Clock>), clock)
}

fn waiting() -> ReceiveOptions {
    ReceiveOptions {
        wait: Duration::from_secs(20),
        ..ReceiveOptions::default()
    }
}

/// Starts long polls, and lets them fall asleep.
async fn pollers(sqs: &Sqs, count: usize) -> Vec<tokio::task::JoinHandle<Vec<ReceivedMessage>>> {
    let mut pollers = Vec::new();
    for _ in 0..count {
        let sqs = sqs.clone();
        pollers.push(tokio::spawn(async move {
            sqs.receive("q", waiting()).await.unwrap()
        }));
    }
    settle().await;
    pollers
}

/// On the one thread of a test, lets every other task run until it waits.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_long_poll_wakes_on_a_send() {
    let (sqs, _clock) = on_a_manual_clock();
    sqs.create_queue("q", &map(&[])).unwrap();
    let poller = pollers(&sqs, 1).await.remove(0);
    sqs.send("q", body_only("a")).unwrap();
    assert_eq!(&*poller.await.unwrap()[0].body, "a");
}

#[tokio::test]
async fn a_long_poll_wakes_when_a_visibility_timeout_ends() {
    let (sqs, clock) = on_a_manual_clock();
    sqs.create_queue("q", &map(&[("VisibilityTimeout", "10")]))
        .unwrap();
    sqs.send("q", body_only("a")).unwrap();
    let held = sqs.receive("q", ReceiveOptions::default()).await.unwrap();
    let poller = pollers(&sqs, 1).await.remove(0);
    sqs.change_visibility("q", &held[0].receipt_handle, Duration::from_secs(2))
        .unwrap();
    settle().await;
    clock.advance(Duration::from_millis(1999));
    settle().await;
    assert!(!poller.is_finished());
    clock.advance(Duration::from_millis(1));
    let again = poller.await.unwrap();
    assert_eq!(again[0].attributes["ApproximateReceiveCount"], "2");
}

#[tokio::test]
async fn an_empty_long_poll_ends_when_its_time_is_up() {
    let (sqs, clock) = on_a_manual_clock();
    sqs.create_queue("q", &map(&[])).unwrap();
    let poller = pollers(&sqs, 1).await.remove(0);
    clock.advance(Duration::from_secs(20));
    assert!(poller.await.unwrap().is_empty());
}

#[tokio::test]
async fn no_message_waits_beside_a_sleeping_poller() {
    let (sqs, clock) = on_a_manual_clock();
    sqs.create_queue("q", &map(&[])).unwrap();
    for n in 0..30 {
        sqs.send("q", delayed(&n.to_string(), 5)).unwrap();
    }
    let pollers = pollers(&sqs, 3).await;
    clock.advance(Duration::from_secs(5));
    for poller in pollers {
        assert_eq!(poller.await.unwrap().len(), 10);
    }
}

#[tokio::test]
async fn pollers_of_a_locked_group_sleep() {
    let (sqs, _clock) = on_a_manual_clock();
    let attributes = map(&[("FifoQueue", "true"), ("ContentBasedDeduplication", "true")]);
    sqs.create_queue("q.fifo", &attributes).unwrap();
    sqs.send("q.fifo", in_group("1", "g")).unwrap();
    sqs.receive("q.fifo", ReceiveOptions::default())
        .await
        .unwrap();
    sqs.send("q.fifo", in_group("2", "g")).unwrap();
    let blocked = {
        let sqs = sqs.clone();
        tokio::spawn(async move { sqs.receive("q.fifo", waiting()).await })
    };
    settle().await;
    assert!(!blocked.is_finished());
    blocked.abort();
}

#[tokio::test]
async fn deleting_a_queue_ends_the_polls_on_it() {
    let (sqs, _clock) = on_a_manual_clock();
    sqs.create_queue("q", &map(&[])).unwrap();
    let poller = {
        let sqs = sqs.clone();
        tokio::spawn(async move { sqs.receive("q", waiting()).await })
    };
    settle().await;
    sqs.delete_queue("q").unwrap();
    assert_eq!(poller.await.unwrap(), Err(SqsError::QueueDoesNotExist));
}

#[tokio::test]
async fn a_skipped_system_clock_ends_waits_at_once() {
    let clock = Arc::new(SystemClock::new());
    let sqs = Sqs::new(Arc::clone(&clock) as Arc<dyn Clock>);
    sqs.create_queue("q", &map(&[])).unwrap();
    sqs.send("q", delayed("a", 900)).unwrap();
    let poller = pollers(&sqs, 1).await.remove(0);
    clock.skip(Duration::from_secs(900));
    assert_eq!(poller.await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_move_task_runs_by_itself() {
    let (sqs, clock) = on_a_manual_clock();
    sqs.create_queue("dead", &map(&[])).unwrap();
    sqs.create_queue("q", &map(&[("RedrivePolicy", &redrive("dead", 1))]))
        .unwrap();
    sqs.send("q", body_only("a")).unwrap();
    for _ in 0..2 {
        sqs.receive("q", ReceiveOptions::default()).await.unwrap();
        clock.advance(Duration::from_secs(30));
    }
    assert_eq!(sqs.queue_counts("dead").unwrap().visible, 1);
    let poller = pollers(&sqs, 1).await.remove(0);
    sqs.run(|state, now_ms| state.start_task(&queue_arn("dead"), None, None, now_ms))
        .unwrap();
    assert_eq!(&*poller.await.unwrap()[0].body, "a");
}

#[tokio::test]
async fn queues_outlive_a_restart_with_everything_where_it_was() {
    let folder = std::env::temp_dir().join(format!("local-sqs-{}", fastrand::u64(..)));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("queues.json");
    let (sqs, clock) = on_a_manual_clock();
    assert!(!sqs.load(&path).await.unwrap());
    let attributes = map(&[("FifoQueue", "true"), ("VisibilityTimeout", "60")]);
    sqs.create_queue("q.fifo", &attributes).unwrap();
    sqs.create_queue("q", &map(&[("VisibilityTimeout", "60")]))
        .unwrap();
    for n in 0..3 {
        sqs.send("q", in_group(&n.to_string(), "g")).unwrap();
    }
    sqs.send("q", delayed("late", 900)).unwrap();
    let held = sqs
        .receive(
            "q",
            ReceiveOptions {
                max: 1,
                ..ReceiveOptions::default()
            },
        )
        .await
        .unwrap();
    let mut unique = in_group("once", "g");
    unique.deduplication_id = Some("id".to_owned());
    let first = sqs.send("q.fifo", unique.clone()).unwrap();
    let before = sqs.queues();
    assert!(sqs.save_if_changed(&path).await.unwrap());
    assert!(!sqs.save_if_changed(&path).await.unwrap());

    let restarted = Sqs::new(Arc::clone(&clock) as Arc<dyn Clock>);
    assert!(restarted.load(&path).await.unwrap());
    assert_eq!(restarted.queues(), before);
    assert_eq!(
        restarted.send("q.fifo", unique).unwrap().message_id,
        first.message_id
    );
    let handles = [held[0].receipt_handle.clone()];
    assert_eq!(restarted.delete_batch("q", &handles).unwrap(), [Ok(())]);
    assert_eq!(
        restarted
            .receive("q", ReceiveOptions::default())
            .await
            .unwrap()
            .len(),
        2
    );
    let poller = pollers(&restarted, 1).await.remove(0);
    clock.advance(Duration::from_secs(60));
    settle().await;
    assert!(poller.await.unwrap().len() == 2);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn the_observer_sees_what_each_call_would_have_cost() {
    let seen: Arc<Mutex<Vec<(String, CallReport)>>> = Arc::default();
    let hooks = Hooks {
        observer: Some({
            let seen = Arc::clone(&seen);
            Arc::new(move |call, report| {
                let entry = (call.operation.clone(), report.clone());
                seen.lock().unwrap().push(entry);
            })
        }),
        ..Hooks::default()
    };
    let sqs = Sqs::with_hooks(Arc::new(SystemClock::new()), hooks);
    sqs.create_queue("q", &map(&[])).unwrap();
    sqs.send("q", in_group(&"x".repeat(65_537), "g")).unwrap();
    let received = sqs.receive("q", ReceiveOptions::default()).await.unwrap();
    sqs.delete_batch("q", &vec![received[0].receipt_handle.clone(); 11])
        .unwrap();
    let seen = seen.lock().unwrap();
    let summary: Vec<_> = seen
        .iter()
        .map(|(operation, r)| (operation.as_str(), r.entries, r.grouped, r.billed_requests))
        .collect();
    assert_eq!(
        summary,
        [
            ("SendMessage", 1, 1, 2),
            ("ReceiveMessage", 1, 0, 2),
            ("DeleteMessageBatch", 10, 0, 1),
            ("DeleteMessageBatch", 1, 0, 1),
        ]
    );
}
