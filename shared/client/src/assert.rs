//! Assertions about what was published.

#![expect(
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "an assertion that does not hold panics"
)]

use std::fmt::Write as _;

use crate::matchers::PayloadMatcher;
use crate::{FakeLog, Sent};

impl FakeLog {
    /// Panics unless an event of this type was published; gives all of them.
    #[track_caller]
    pub fn assert_sent(&self, event_type: &str) -> Vec<Sent> {
        let sent = self.sent_of(event_type);
        let told = || self.told(|_| None);
        assert!(
            !sent.is_empty(),
            "no `{event_type}` was published{}",
            told()
        );
        sent
    }

    /// Panics unless an event of this type with such a payload was published; gives the first.
    #[track_caller]
    pub fn assert_sent_with(&self, event_type: &str, payload: &impl PayloadMatcher) -> Sent {
        let mismatch = |sent: &Sent| {
            let same = sent.event_type == event_type;
            same.then(|| payload.mismatch(&sent.payload)).flatten()
        };
        let mut sent = self.sent_of(event_type).into_iter();
        let Some(found) = sent.find(|sent| payload.mismatch(&sent.payload).is_none()) else {
            let told = self.told(mismatch);
            panic!("no `{event_type}` with the payload that is looked for was published{told}");
        };
        found
    }

    /// Panics unless so many events of this type were published; gives them.
    #[track_caller]
    pub fn assert_sent_times(&self, event_type: &str, times: usize) -> Vec<Sent> {
        let sent = self.sent_of(event_type);
        let count = sent.len();
        let told = || self.told(|_| None);
        assert!(
            count == times,
            "`{event_type}` was published {count} times, not {times}{}",
            told()
        );
        sent
    }

    /// Panics if an event of this type was published.
    #[track_caller]
    pub fn assert_not_sent(&self, event_type: &str) {
        let sent = self.sent_of(event_type);
        let told = || self.told(|_| None);
        assert!(sent.is_empty(), "`{event_type}` was published{}", told());
    }

    /// Panics if anything was published.
    #[track_caller]
    pub fn assert_nothing_sent(&self) {
        let told = || self.told(|_| None);
        assert!(self.sent().is_empty(), "something was published{}", told());
    }

    /// All that was published, for people.
    fn told(&self, note: impl Fn(&Sent) -> Option<String>) -> String {
        let mut text = String::from("; all that was:");
        let sent = self.sent();
        for sent in &sent {
            // Writing to a string does not fail.
            let _written = write!(text, "\n  {} {}", sent.event_type, sent.payload);
            if let Some(note) = note(sent) {
                let _written = write!(text, "\n    {note}");
            }
        }
        if sent.is_empty() {
            text.push_str(" nothing");
        }
        text
    }
}

/// Panics unless such an event was published through a [fake client](crate::Client::fake).
///
/// ```
/// # use hookpost_client::{Client, Event, assert_published, matchers::at};
/// # use serde_json::json;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (client, log) = Client::fake();
/// client.publish(&Event::new("order.created", &json!({ "id": 1, "paid": true }))?).await?;
///
/// assert_published!(log, "order.created");
/// assert_published!(log, "order.created", times = 1);
/// assert_published!(log, "order.created", { "id": 1 });      // at least these fields
/// assert_published!(log, "order.created", at("/id", 1));     // a matcher
/// assert_published!(log, "order.created", |payload: &serde_json::Value| payload["paid"] == true);
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! assert_published {
    ($log:expr, $event_type:expr $(,)?) => {
        $log.assert_sent($event_type)
    };
    ($log:expr, $event_type:expr, times = $times:expr $(,)?) => {
        $log.assert_sent_times($event_type, $times)
    };
    ($log:expr, $event_type:expr, { $($json:tt)* } $(,)?) => {
        $log.assert_sent_with(
            $event_type,
            &$crate::matchers::contains($crate::__serde_json::json!({ $($json)* })),
        )
    };
    ($log:expr, $event_type:expr, $matcher:expr $(,)?) => {
        $log.assert_sent_with($event_type, &$matcher)
    };
}

/// Panics if such an event was published through a [fake client](crate::Client::fake); with a log
/// only, if any was.
#[macro_export]
macro_rules! assert_not_published {
    ($log:expr $(,)?) => {
        $log.assert_nothing_sent()
    };
    ($log:expr, $event_type:expr $(,)?) => {
        $log.assert_not_sent($event_type)
    };
}
