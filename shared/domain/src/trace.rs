//! Which request something belongs to, as W3C's Trace Context says it: `traceparent`.
//!
//! An event that nobody gave a trace has its own id for one (the same 32 digits, without hyphens):
//! so every delivery has a trace, and none has to be stored.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::EventId;

/// The header's name.
pub const TRACEPARENT: &str = "traceparent";

/// A trace, and the last span of it that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    trace: u128,
    span: u64,
    flags: u8,
}

impl TraceParent {
    /// Reads a header. `None` for what is none: then whoever sent it is not told, as the standard
    /// has it, and a trace of our own begins.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let version = hex::<2>(parts.next()?)?;
        let trace = u128::from_str_radix(digits::<32>(parts.next()?)?, 16).ok()?;
        let span = hex::<16>(parts.next()?)?;
        let flags = hex::<2>(parts.next()?)?;
        // A version to come may say more behind that.
        let is_known = version != 0xff && (version != 0 || parts.next().is_none());
        (is_known && trace != 0 && span != 0).then_some(Self {
            trace,
            span,
            flags: u8::try_from(flags & 1).unwrap_or_default(),
        })
    }

    /// The trace of an event that was given none. Nobody records it, unless the receiver does.
    pub fn of_event(id: EventId) -> Self {
        Self {
            trace: id.as_u128(),
            span: 1,
            flags: 0,
        }
    }

    /// The same trace, one span on.
    #[must_use]
    pub fn child(self, span: u64) -> Self {
        Self {
            span: span.max(1),
            ..self
        }
    }

    /// The trace's id: 32 hexadecimal digits.
    pub fn trace_id(self) -> String {
        format!("{:032x}", self.trace)
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace, span, flags } = self;
        write!(f, "00-{trace:032x}-{span:016x}-{flags:02x}")
    }
}

impl Serialize for TraceParent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads one of a message: what is none is left out, as no delivery may fail for it.
///
/// # Errors
/// The field is no text.
pub fn lenient<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<TraceParent>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.as_deref().and_then(TraceParent::parse))
}

fn digits<const N: usize>(text: &str) -> Option<&str> {
    let fits = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    (text.len() == N && text.bytes().all(fits)).then_some(text)
}

fn hex<const N: usize>(text: &str) -> Option<u64> {
    u64::from_str_radix(digits::<N>(text)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use proptest::prelude::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_trace_goes_on_with_another_span() {
        let given = TraceParent::parse(GIVEN).unwrap();
        assert_eq!(given.to_string(), GIVEN);
        assert_eq!(given.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let child = given.child(0x1234);
        assert_eq!(
            child.to_string(),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000001234-01"
        );
        assert_eq!(
            given.child(0).to_string().get(36..52),
            Some("0000000000000001")
        );
    }

    #[test]
    fn what_is_no_trace_is_left_out() {
        for wrong in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceParent::parse(wrong), None, "{wrong}");
        }
        // Of a version to come, what is known of it is read.
        let later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-holds";
        assert_eq!(TraceParent::parse(later), TraceParent::parse(GIVEN));
    }

    #[test]
    fn an_event_without_a_trace_is_one() {
        let id = EventId::generate(Timestamp::from_millis(1_795_262_400_000), [7; 10]);
        let trace = TraceParent::of_event(id);
        assert_eq!(trace.trace_id(), id.to_string().replace('-', ""));
        assert_eq!(TraceParent::parse(&trace.to_string()), Some(trace));
    }

    proptest! {
        #[test]
        fn no_header_panics(text in "[0-9a-f-]{0,70}|.{0,70}") {
            if let Some(read) = TraceParent::parse(&text) {
                prop_assert_eq!(TraceParent::parse(&read.to_string()), Some(read));
            }
        }
    }
}
