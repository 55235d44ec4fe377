use super::*;

/// Were any operation to look at every message, this would take hours.
#[test]
fn a_hundred_thousand_messages_go_through_every_place() {
    const COUNT: usize = 100_000;
    let mut m = Moment::with_queue("dead", &[]);
    m.create(
        "source",
        &[
            ("RedrivePolicy", &redrive("dead", 2)),
            ("DelaySeconds", "900"),
        ],
    );
    for n in 0..COUNT {
        let group = format!("tenant-{}", n % 1000);
        m.send("source", in_group(&format!("m{n}"), &group))
            .unwrap();
    }
    assert_eq!(m.numbers("source"), (0, 0, COUNT));
    m.pass(900 * SECOND);
    for _ in 0..2 {
        let mut held = 0;
        while held < COUNT {
            let received = m.receive("source", 10);
            assert_eq!(received.len(), 10);
            held += received.len();
            for one in received {
                m.hide("source", &one.receipt_handle, 6 * HOUR).unwrap();
            }
        }
        assert_eq!(m.numbers("source"), (0, COUNT, 0));
        m.pass(6 * HOUR);
    }
    assert!(m.receive("source", 10).is_empty());
    assert_eq!(m.numbers("dead"), (COUNT, 0, 0));
    m.state
        .start_task(&queue_arn("dead"), None, None, m.now_ms)
        .unwrap();
    while m.numbers("dead").0 > 0 {
        m.state.advance(m.now_ms, 1000);
    }
    let mut deleted = 0;
    while deleted < COUNT {
        for one in m.receive("source", 10) {
            m.delete("source", &one.receipt_handle).unwrap();
            deleted += 1;
        }
    }
    assert_eq!(m.numbers("source"), (0, 0, 0));
}
