use super::*;

#[test]
fn after_max_receives_the_next_receive_moves_the_message_to_the_dead_letter_queue() {
    let mut m = Moment::with_dead_letters(3);
    let id = m.send_body("source", "poison");
    let sent_ms = m.now_ms;
    for _ in 0..3 {
        assert_eq!(m.bodies("source"), ["poison"]);
        m.pass(HOUR);
    }
    assert_eq!(m.numbers("source"), (1, 0, 0));
    assert!(m.bodies("source").is_empty());
    assert_eq!(m.numbers("source"), (0, 0, 0));
    let dead = m.receive("dead", 1).remove(0);
    assert_eq!(dead.message_id, id);
    assert_eq!(dead.attributes["SentTimestamp"], sent_ms.to_string());
    assert_eq!(
        dead.attributes["DeadLetterQueueSourceArn"],
        queue_arn("source")
    );
    assert_eq!(dead.attributes["ApproximateReceiveCount"], "4");
}

#[test]
fn a_poison_message_costs_the_good_ones_no_place_in_the_receive() {
    let mut m = Moment::with_dead_letters(1);
    for n in 0..20 {
        m.send_body("source", &format!("poison {n}"));
    }
    assert_eq!(m.receive("source", 10).len(), 10);
    assert_eq!(m.receive("source", 10).len(), 10);
    m.pass(HOUR);
    for n in 0..10 {
        m.send_body("source", &format!("good {n}"));
    }
    let bodies = m.bodies("source");
    assert!(bodies.len() == 10 && bodies.iter().all(|body| body.starts_with("good")));
    assert_eq!(m.numbers("dead").0, 20);
}

#[test]
fn without_its_dead_letter_queue_a_message_stays_receivable() {
    let mut m = Moment::with_dead_letters(1);
    m.send_body("source", "a");
    m.state.delete_queue("dead").unwrap();
    for _ in 0..5 {
        assert_eq!(m.bodies("source"), ["a"]);
        m.pass(HOUR);
    }
}

#[test]
fn a_dead_letter_queue_with_a_redrive_policy_counts_its_own_receives() {
    let mut m = Moment::with_queue("last", &[]);
    m.create("dead", &[("RedrivePolicy", &redrive("last", 1))]);
    m.create("source", &[("RedrivePolicy", &redrive("dead", 2))]);
    m.send_body("source", "a");
    for _ in 0..3 {
        m.receive("source", 1);
        m.pass(HOUR);
    }
    assert_eq!(m.bodies("dead"), ["a"]);
    m.pass(HOUR);
    assert!(m.bodies("dead").is_empty());
    assert_eq!(m.bodies("last"), ["a"]);
}

#[test]
fn retention_in_the_dead_letter_queue_counts_from_the_first_sending() {
    let mut m = Moment::with_queue("dead", &[("MessageRetentionPeriod", "7200")]);
    m.create("source", &[("RedrivePolicy", &redrive("dead", 1))]);
    m.send_body("source", "a");
    m.receive("source", 1);
    m.pass(HOUR);
    m.receive("source", 1);
    assert_eq!(m.numbers("dead"), (1, 0, 0));
    m.pass(HOUR);
    assert_eq!(m.numbers("dead"), (0, 0, 0));
}

#[test]
fn a_dead_letter_queue_must_exist_be_of_the_same_type_and_permit_the_source() {
    let mut m = Moment::with_queue("dead.fifo", &[("FifoQueue", "true")]);
    let only = format!(
        r#"{{"redrivePermission":"byQueue","sourceQueueArns":["{}"]}}"#,
        queue_arn("friend")
    );
    m.create("dead", &[("RedriveAllowPolicy", &only)]);
    let mut refused = |name: &str, target: &str| {
        m.try_create(name, &[("RedrivePolicy", &redrive(target, 5))])
            .is_err()
    };
    assert!(refused("a", "nowhere"));
    assert!(refused("a", "a"));
    assert!(refused("a", "dead.fifo"));
    assert!(refused("stranger", "dead"));
    assert!(!refused("friend", "dead"));
}
