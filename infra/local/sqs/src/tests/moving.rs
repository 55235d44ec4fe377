use super::*;
use crate::moves::{MoveStatus, MoveTask};

impl Moment {
    /// Sends messages to `source` and gives each up into `dead`.
    fn fail(&mut self, count: usize) {
        for n in 0..count {
            self.send_body("source", &format!("m{n}"));
        }
        for _ in 0..2 {
            let mut left = count;
            while left > 0 {
                left = left.saturating_sub(10);
                self.receive("source", 10);
            }
            self.pass(HOUR);
        }
    }

    fn start(&mut self, to: Option<&str>, per_second: Option<u64>) -> Result<String, SqsError> {
        let to = to.map(queue_arn);
        self.state
            .start_task(&queue_arn("dead"), to.as_deref(), per_second, self.now_ms)
    }

    fn newest(&self) -> MoveTask {
        self.state
            .tasks_of(&queue_arn("dead"), 1)
            .unwrap()
            .remove(0)
    }
}

#[test]
fn a_moved_message_goes_home_as_a_new_one() {
    let mut m = Moment::with_dead_letters(1);
    m.fail(1);
    let before = m.receive("dead", 1).remove(0);
    m.pass(HOUR);
    m.start(None, None).unwrap();
    m.state.advance(m.now_ms, 1000);
    assert_eq!(m.newest().status, MoveStatus::Completed);
    let after = m.receive("source", 1).remove(0);
    assert_eq!(after.body, before.body);
    assert_ne!(after.message_id, before.message_id);
    assert_eq!(after.attributes["SentTimestamp"], m.now_ms.to_string());
    assert_eq!(after.attributes["ApproximateReceiveCount"], "1");
    assert!(!after.attributes.contains_key("DeadLetterQueueSourceArn"));
}

#[test]
fn a_message_sent_straight_to_the_dead_letter_queue_has_no_way_home() {
    let mut m = Moment::with_dead_letters(1);
    m.send_body("dead", "direct");
    m.start(None, None).unwrap();
    m.state.advance(m.now_ms, 1000);
    let task = m.newest();
    assert_eq!(task.status, MoveStatus::Failed);
    assert_eq!(
        task.failure.as_deref(),
        Some("CouldNotDetermineMessageSource")
    );
    assert_eq!(m.numbers("dead"), (1, 0, 0));
    // But it can be sent somewhere by name.
    m.start(Some("source"), None).unwrap();
    m.state.advance(m.now_ms, 1000);
    assert_eq!(m.bodies("source"), ["direct"]);
}

#[test]
fn a_paced_task_keeps_its_rate_and_stops_when_cancelled() {
    let mut m = Moment::with_dead_letters(1);
    m.fail(20);
    let handle = m.start(None, Some(5)).unwrap();
    assert!(matches!(
        m.start(None, None),
        Err(SqsError::UnsupportedOperation(_))
    ));
    m.state.advance(m.now_ms, 1000);
    assert_eq!(m.numbers("source").0, 0);
    for second in 1..=2 {
        m.pass(SECOND);
        m.state.advance(m.now_ms, 1000);
        assert_eq!(m.numbers("source").0, 5 * second);
    }
    assert_eq!(m.state.cancel_task(&handle), Ok(10));
    m.pass(HOUR);
    m.state.advance(m.now_ms, 1000);
    assert_eq!((m.numbers("source").0, m.numbers("dead").0), (10, 10));
    assert_eq!(m.newest().status, MoveStatus::Cancelled);
    assert!(m.state.cancel_task(&handle).is_err());
    m.start(None, None).unwrap();
}

#[test]
fn a_task_leaves_what_is_in_flight_and_what_came_after_its_start() {
    let mut m = Moment::with_dead_letters(1);
    m.fail(3);
    m.receive_for("dead", 1, Some(HOUR));
    m.start(Some("source"), None).unwrap();
    m.send_body("dead", "late");
    m.state.advance(m.now_ms, 1000);
    assert_eq!(m.newest().moved, 2);
    assert_eq!(m.numbers("dead"), (1, 1, 0));
}

#[test]
fn a_task_needs_a_dead_letter_queue_that_exists_and_a_sane_rate() {
    let mut m = Moment::with_dead_letters(1);
    let mut start = |source: &str, rate: Option<u64>| {
        m.state.start_task(&queue_arn(source), None, rate, m.now_ms)
    };
    assert!(matches!(
        start("source", None),
        Err(SqsError::InvalidParameterValue(_))
    ));
    assert!(matches!(
        start("nowhere", None),
        Err(SqsError::ResourceNotFound(_))
    ));
    assert!(start("dead", Some(0)).is_err());
    assert!(start("dead", Some(501)).is_err());
}

#[test]
fn ten_tasks_are_remembered() {
    let mut m = Moment::with_dead_letters(1);
    for _ in 0..15 {
        m.start(None, None).unwrap();
        m.state.advance(m.now_ms, 1000);
        m.pass(SECOND);
    }
    let tasks = m.state.tasks_of(&queue_arn("dead"), 10).unwrap();
    assert_eq!(tasks.len(), 10);
    assert!(tasks[0].started_ms > tasks[9].started_ms);
}
