use super::*;

#[test]
fn a_received_message_is_hidden_until_its_timeout_and_not_a_moment_longer() {
    let mut m = Moment::with_queue("q", &[("VisibilityTimeout", "43200")]);
    m.send_body("q", "a");
    assert_eq!(m.bodies("q"), ["a"]);
    m.pass(12 * HOUR - 1);
    assert_eq!(m.numbers("q"), (0, 1, 0));
    assert!(m.bodies("q").is_empty());
    m.pass(1);
    let again = m.receive("q", 1);
    assert_eq!(again[0].attributes["ApproximateReceiveCount"], "2");
}

#[test]
fn a_timeout_can_be_moved_to_twelve_hours_after_the_receive_and_no_further() {
    let mut m = Moment::with_queue("q", &[]);
    m.send_body("q", "a");
    let handle = m.receive("q", 1).remove(0).receipt_handle;
    m.hide("q", &handle, 12 * HOUR).unwrap();
    m.pass(11 * HOUR);
    assert!(m.hide("q", &handle, HOUR + SECOND).is_err());
    m.hide("q", &handle, HOUR).unwrap();
    m.pass(HOUR - 1);
    assert!(m.bodies("q").is_empty());
    m.pass(1);
    assert_eq!(m.bodies("q"), ["a"]);
}

#[test]
fn a_new_timeout_holds_for_this_receive_only() {
    let mut m = Moment::with_queue("q", &[("VisibilityTimeout", "30")]);
    m.send_body("q", "a");
    let handle = m.receive("q", 1).remove(0).receipt_handle;
    m.hide("q", &handle, HOUR).unwrap();
    m.pass(HOUR);
    assert_eq!(m.bodies("q"), ["a"]);
    m.pass(30 * SECOND);
    assert_eq!(m.bodies("q"), ["a"]);
}

#[test]
fn a_message_whose_timeout_is_zero_is_handed_out_once_a_receive() {
    let mut m = Moment::with_queue("q", &[]);
    m.send_body("q", "a");
    assert_eq!(m.receive_for("q", 10, Some(0)).len(), 1);
    assert_eq!(m.numbers("q"), (1, 0, 0));
    assert_eq!(m.receive_for("q", 10, Some(0)).len(), 1);
}

#[test]
fn a_delayed_message_is_not_in_flight_and_comes_on_time() {
    let mut m = Moment::with_queue("q", &[("DelaySeconds", "60")]);
    m.send_body("q", "queue's delay");
    m.send("q", delayed("none", 0)).unwrap();
    m.send("q", delayed("longest", 900)).unwrap();
    assert_eq!(m.bodies("q"), ["none"]);
    assert_eq!(m.numbers("q"), (0, 1, 2));
    m.pass(30 * SECOND - 1);
    assert!(m.bodies("q").is_empty());
    m.pass(30 * SECOND + 1);
    let got = m.bodies("q");
    assert!(got.contains(&"queue's delay".to_owned()) && got.contains(&"none".to_owned()));
    m.pass(900 * SECOND);
    assert!(m.bodies("q").contains(&"longest".to_owned()));
}

#[test]
fn only_the_latest_receipt_deletes() {
    let mut m = Moment::with_queue("q", &[("VisibilityTimeout", "1")]);
    m.send_body("q", "a");
    let first = m.receive("q", 1).remove(0).receipt_handle;
    m.pass(SECOND);
    let second = m.receive("q", 1).remove(0).receipt_handle;
    m.delete("q", &first).unwrap();
    assert_eq!(m.numbers("q"), (0, 1, 0));
    assert!(m.hide("q", &first, 0).is_err());
    m.delete("q", &second).unwrap();
    assert_eq!(m.numbers("q"), (0, 0, 0));
    m.delete("q", &second).unwrap();
}

#[test]
fn an_expired_receipt_deletes_while_nobody_received_again() {
    let mut m = Moment::with_queue("q", &[("VisibilityTimeout", "1")]);
    m.send_body("q", "a");
    let handle = m.receive("q", 1).remove(0).receipt_handle;
    m.pass(HOUR);
    assert_eq!(
        m.hide("q", &handle, SECOND),
        Err(SqsError::MessageNotInflight)
    );
    m.delete("q", &handle).unwrap();
    assert_eq!(m.numbers("q"), (0, 0, 0));
}

#[test]
fn a_receipt_of_another_queue_is_refused() {
    let mut m = Moment::with_queue("q", &[]);
    m.create("other", &[]);
    m.send_body("q", "a");
    let handle = m.receive("q", 1).remove(0).receipt_handle;
    assert!(matches!(
        m.delete("other", &handle),
        Err(SqsError::ReceiptHandleIsInvalid(_))
    ));
}

#[test]
fn retention_counts_from_the_sending_and_takes_what_is_in_flight_too() {
    let mut m = Moment::with_queue("q", &[("MessageRetentionPeriod", "3600")]);
    m.send_body("q", "held");
    m.receive_for("q", 1, Some(2 * HOUR));
    m.pass(HOUR / 2);
    m.send_body("q", "later");
    assert_eq!(m.counts("q").oldest_age_ms, Some(HOUR / 2));
    m.pass(HOUR / 2);
    assert_eq!(m.numbers("q"), (1, 0, 0));
    m.pass(HOUR / 2);
    assert_eq!(m.numbers("q"), (0, 0, 0));
    assert_eq!(m.counts("q").oldest_age_ms, None);
}

#[test]
fn a_purge_empties_the_queue_once_a_minute() {
    let mut m = Moment::with_queue("q", &[]);
    m.send_body("q", "visible");
    m.send_body("q", "held");
    m.receive("q", 1);
    m.send("q", delayed("delayed", 60)).unwrap();
    m.state.purge("q", m.now_ms).unwrap();
    assert_eq!(m.numbers("q"), (0, 0, 0));
    m.pass(60 * SECOND - 1);
    assert!(m.state.purge("q", m.now_ms).is_err());
    m.pass(1);
    m.state.purge("q", m.now_ms).unwrap();
    m.send_body("q", "after");
    assert_eq!(m.bodies("q"), ["after"]);
}

#[test]
fn a_noisy_group_does_not_starve_the_others() {
    let mut m = Moment::with_queue("q", &[]);
    for n in 0..1000 {
        m.send("q", in_group(&format!("noisy {n}"), "noisy"))
            .unwrap();
    }
    // More than 30 in flight, and all of what is in flight.
    for _ in 0..4 {
        m.receive("q", 10);
    }
    for n in 0..5 {
        m.send("q", in_group(&format!("quiet {n}"), "quiet"))
            .unwrap();
    }
    let next = m.bodies("q");
    let quiet = next.iter().filter(|body| body.starts_with("quiet")).count();
    assert_eq!(quiet, 5, "{next:?}");
    assert_eq!(next.len(), 10);
}

#[test]
fn a_standard_queue_takes_a_group_and_refuses_a_deduplication_id() {
    let mut m = Moment::with_queue("q", &[]);
    m.send("q", in_group("a", "tenant")).unwrap();
    assert_eq!(m.receive("q", 1)[0].attributes["MessageGroupId"], "tenant");
    let with_id = NewMessage {
        deduplication_id: Some("d".to_owned()),
        ..body_only("b")
    };
    assert!(m.send("q", with_id).is_err());
}

#[test]
fn a_queue_that_is_full_in_flight_refuses_short_polls_and_leaves_long_ones_empty() {
    let mut m = Moment::with_queue("q", &[("VisibilityTimeout", "43200")]);
    for _ in 0..120_001 {
        m.send_body("q", "a");
    }
    let mut received = 0;
    while received < 120_000 {
        received += m.receive("q", 10).len();
    }
    assert_eq!(m.numbers("q"), (1, 120_000, 0));
    let mut ask = ReceiveAsk {
        max: 10,
        visibility_ms: None,
        long_poll: false,
    };
    let short = m.state.receive("q", ask, m.now_ms);
    assert!(matches!(short, Err(SqsError::OverLimit(_))));
    ask.long_poll = true;
    assert!(m.state.receive("q", ask, m.now_ms).unwrap().is_empty());
}

#[test]
fn a_message_larger_than_the_queue_allows_is_refused() {
    let mut m = Moment::with_queue("q", &[("MaximumMessageSize", "1024")]);
    m.send_body("q", &"x".repeat(1024));
    assert!(m.send("q", body_only(&"x".repeat(1025))).is_err());
}

#[test]
fn the_same_queue_again_is_fine_and_another_under_its_name_is_not() {
    let mut m = Moment::with_queue("q", &[("VisibilityTimeout", "10")]);
    m.create("q", &[("VisibilityTimeout", "10")]);
    m.create("q", &[]);
    assert_eq!(
        m.try_create("q", &[("VisibilityTimeout", "11")]),
        Err(SqsError::QueueNameExists("VisibilityTimeout".to_owned()))
    );
}
