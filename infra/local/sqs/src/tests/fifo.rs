use super::*;

fn fifo(attributes: &[(&str, &str)]) -> Moment {
    let attributes = [&[("FifoQueue", "true")], attributes].concat();
    Moment::with_queue("q.fifo", &attributes)
}

fn numbered(body: &str, group: &str, id: &str) -> NewMessage {
    NewMessage {
        deduplication_id: Some(id.to_owned()),
        ..in_group(body, group)
    }
}

impl Moment {
    fn put(&mut self, body: &str, group: &str) {
        self.send("q.fifo", numbered(body, group, body)).unwrap();
    }
}

#[test]
fn a_group_in_flight_is_locked_until_all_of_it_is_back_or_gone() {
    let mut m = fifo(&[("VisibilityTimeout", "30")]);
    for body in ["a1", "a2", "a3"] {
        m.put(body, "a");
    }
    m.put("b1", "b");
    let first = m.receive("q.fifo", 2);
    assert_eq!([&*first[0].body, &*first[1].body], ["a1", "a2"]);
    assert_eq!(m.bodies("q.fifo"), ["b1"]);
    assert!(m.bodies("q.fifo").is_empty());
    m.delete("q.fifo", &first[0].receipt_handle).unwrap();
    assert!(m.bodies("q.fifo").is_empty());
    m.hide("q.fifo", &first[1].receipt_handle, 0).unwrap();
    assert_eq!(m.bodies("q.fifo"), ["a2", "a3"]);
}

#[test]
fn after_a_timeout_a_group_goes_on_where_it_was() {
    let mut m = fifo(&[("VisibilityTimeout", "30")]);
    for body in ["a1", "a2"] {
        m.put(body, "a");
    }
    m.receive("q.fifo", 1);
    m.pass(30 * SECOND - 1);
    assert!(m.bodies("q.fifo").is_empty());
    m.pass(1);
    assert_eq!(m.bodies("q.fifo"), ["a1", "a2"]);
}

#[test]
fn a_late_delete_is_refused_as_the_message_may_be_anyones() {
    let mut m = fifo(&[("VisibilityTimeout", "30")]);
    m.put("a1", "a");
    let handle = m.receive("q.fifo", 1).remove(0).receipt_handle;
    m.pass(30 * SECOND);
    assert!(m.delete("q.fifo", &handle).is_err());
    assert_eq!(m.numbers("q.fifo"), (1, 0, 0));
}

#[test]
fn a_deduplication_id_counts_for_five_minutes_even_after_the_delete() {
    let mut m = fifo(&[]);
    let first = m.send("q.fifo", numbered("a", "g", "id")).unwrap();
    let handle = m.receive("q.fifo", 1).remove(0).receipt_handle;
    m.delete("q.fifo", &handle).unwrap();
    m.pass(300 * SECOND - 1);
    let again = m.send("q.fifo", numbered("b", "g", "id")).unwrap();
    assert_eq!(again.message_id, first.message_id);
    assert_eq!(again.sequence_number, first.sequence_number);
    assert_eq!(m.numbers("q.fifo"), (0, 0, 0));
    m.pass(1);
    let new = m.send("q.fifo", numbered("c", "g", "id")).unwrap();
    assert_ne!(new.message_id, first.message_id);
    assert_eq!(m.bodies("q.fifo"), ["c"]);
}

#[test]
fn content_is_its_own_deduplication_id_where_the_queue_says_so() {
    let mut m = fifo(&[("ContentBasedDeduplication", "true")]);
    m.send("q.fifo", in_group("same", "a")).unwrap();
    m.send("q.fifo", in_group("same", "b")).unwrap();
    m.send("q.fifo", in_group("other", "a")).unwrap();
    assert_eq!(m.numbers("q.fifo"), (2, 0, 0));
    let received = m.receive("q.fifo", 1);
    assert_eq!(received[0].attributes["MessageDeduplicationId"].len(), 64);
}

#[test]
fn deduplication_within_groups_lets_another_group_use_the_id() {
    let mut m = fifo(&[
        ("DeduplicationScope", "messageGroup"),
        ("FifoThroughputLimit", "perMessageGroupId"),
    ]);
    m.send("q.fifo", numbered("x", "a", "id")).unwrap();
    m.send("q.fifo", numbered("y", "b", "id")).unwrap();
    m.send("q.fifo", numbered("z", "a", "id")).unwrap();
    assert_eq!(m.numbers("q.fifo"), (2, 0, 0));
}

#[test]
fn a_fifo_message_needs_a_group_and_an_id_and_takes_no_delay() {
    let mut m = fifo(&[]);
    assert_eq!(
        m.send("q.fifo", body_only("a")),
        Err(SqsError::MissingParameter("MessageGroupId"))
    );
    assert!(m.send("q.fifo", in_group("a", "g")).is_err());
    let late = NewMessage {
        delay: Some(Duration::from_secs(1)),
        ..numbered("a", "g", "id")
    };
    assert!(m.send("q.fifo", late).is_err());
}

#[test]
fn groups_take_turns_and_sequence_numbers_grow() {
    let mut m = fifo(&[]);
    for group in ["a", "b", "c"] {
        for n in 1..=2 {
            m.put(&format!("{group}{n}"), group);
        }
    }
    let heads: Vec<_> = (0..3).flat_map(|_| m.receive("q.fifo", 1)).collect();
    let bodies: Vec<_> = heads.iter().map(|one| &*one.body).collect();
    assert_eq!(bodies, ["a1", "b1", "c1"]);
    let numbers: Vec<_> = heads
        .iter()
        .map(|one| &one.attributes["SequenceNumber"])
        .collect();
    assert!(numbers.is_sorted() && numbers[0].len() == 20);
}
