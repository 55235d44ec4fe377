//! The last requests that came, in memory that is bounded twice: by their
//! number and by their bytes.
//!
//! Ids are consecutive and are never given out again, so a reader that asks for
//! what came after an id misses nothing but what has been pushed out.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, Method};

use super::signature::Verdicts;

const WAITING: u16 = 0;
const ABANDONED: u16 = 1;
/// What a request costs beside its text: roughly the structs, the allocations' heads and the slot.
const OVERHEAD_BYTES: usize = 192;

/// A request as it came.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) path: Box<str>,
    pub(super) query: Box<str>,
    pub(super) method: Method,
    /// `name: value` lines: one allocation, whatever the number of headers.
    head: Box<[u8]>,
    pub(super) body: Box<[u8]>,
    /// Microseconds since 1970.
    pub(super) at_us: u64,
    pub(super) verdicts: Verdicts,
    answer: AtomicU16,
}

/// How far the answer to a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// None yet.
    Waiting,
    /// This status.
    Given(u16),
    /// The sender left before there was one.
    Abandoned,
}

impl Received {
    /// Copies a request out of the connection's buffers.
    pub(super) fn copy(
        parts: &http::request::Parts,
        body: &[u8],
        at_us: u64,
        verdicts: Verdicts,
    ) -> Self {
        Self {
            path: parts.uri.path().into(),
            query: parts.uri.query().unwrap_or_default().into(),
            method: parts.method.clone(),
            head: flatten(&parts.headers),
            body: body.into(),
            at_us,
            verdicts,
            answer: AtomicU16::new(WAITING),
        }
    }

    /// The headers in the order in which they came; bytes that are not UTF-8 are replaced.
    pub(super) fn headers(&self) -> impl Iterator<Item = (String, String)> {
        self.head
            .split(|byte| *byte == b'\n')
            .filter_map(|line| {
                let colon = line.iter().position(|byte| *byte == b':')?;
                let (name, value) = line.split_at(colon);
                let value = value.get(2..).unwrap_or_default();
                Some((
                    String::from_utf8_lossy(name),
                    String::from_utf8_lossy(value),
                ))
            })
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
    }

    /// A header's first value.
    pub(super) fn header(&self, wanted: &str) -> Option<String> {
        self.headers()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value)
    }

    pub(super) fn answer(&self) -> Answer {
        match self.answer.load(Ordering::Relaxed) {
            WAITING => Answer::Waiting,
            ABANDONED => Answer::Abandoned,
            status => Answer::Given(status),
        }
    }

    pub(super) fn answered(&self, status: u16) {
        self.answer.store(status, Ordering::Relaxed);
    }

    /// Says that no answer will follow, unless there was one.
    pub(super) fn abandoned(&self) {
        let _already_answered =
            self.answer
                .compare_exchange(WAITING, ABANDONED, Ordering::Relaxed, Ordering::Relaxed);
    }

    fn bytes(&self) -> usize {
        OVERHEAD_BYTES + self.path.len() + self.query.len() + self.head.len() + self.body.len()
    }
}

fn flatten(headers: &HeaderMap) -> Box<[u8]> {
    let bytes = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 3)
        .sum();
    let mut head = Vec::with_capacity(bytes);
    for (name, value) in headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.push(b'\n');
    }
    head.into()
}

/// Which of the recorded requests are wanted, and how many of them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted<'a> {
    /// This path, or one below it.
    pub(super) path: Option<&'a str>,
    /// With this `webhook-id`.
    pub(super) webhook_id: Option<&'a str>,
    /// Those after this id, oldest first; without it the newest.
    pub(super) since: Option<u64>,
    pub(super) limit: usize,
}

/// The recorded requests.
#[derive(Debug)]
pub(super) struct Record {
    max_requests: usize,
    max_bytes: usize,
    ring: Mutex<Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    /// By id, ascending.
    requests: VecDeque<(u64, Arc<Received>)>,
    bytes: usize,
    last_id: u64,
}

impl Record {
    pub(super) fn new(max_requests: usize, max_bytes: usize) -> Self {
        Self {
            max_requests,
            max_bytes,
            ring: Mutex::default(),
        }
    }

    /// Keeps a request, and lets go of the oldest ones where there is no room.
    pub(super) fn push(&self, received: Arc<Received>) {
        let mut pushed_out = Vec::new();
        let mut ring = self.lock();
        ring.bytes += received.bytes();
        ring.last_id += 1;
        let id = ring.last_id;
        ring.requests.push_back((id, received));
        while ring.requests.len() > self.max_requests || ring.bytes > self.max_bytes {
            let Some((_, oldest)) = ring.requests.pop_front() else {
                break;
            };
            ring.bytes -= oldest.bytes();
            pushed_out.push(oldest);
        }
        // What was pushed out is freed after the lock.
        drop(ring);
    }

    /// The wanted requests with their ids, in the order in which they came.
    pub(super) fn select(&self, wanted: Wanted<'_>) -> Vec<(u64, Arc<Received>)> {
        let after = wanted.since.unwrap_or(0);
        let matching = self.after(after).into_iter().filter(|(_, received)| {
            wanted
                .path
                .is_none_or(|path| is_under(&received.path, path))
                && wanted
                    .webhook_id
                    .is_none_or(|id| received.header("webhook-id").as_deref() == Some(id))
        });
        if wanted.since.is_some() {
            return matching.take(wanted.limit).collect();
        }
        let mut newest: Vec<_> = matching.rev().take(wanted.limit).collect();
        newest.reverse();
        newest
    }

    /// The id of the newest request; 0 before the first.
    pub(super) fn last_id(&self) -> u64 {
        self.lock().last_id
    }

    /// Forgets the requests to this path and to those below it, or all. Ids go on from where they were.
    pub(super) fn clear(&self, path: Option<&str>) {
        let mut ring = self.lock();
        ring.requests
            .retain(|(_, received)| path.is_some_and(|path| !is_under(&received.path, path)));
        ring.bytes = ring
            .requests
            .iter()
            .map(|(_, received)| received.bytes())
            .sum();
    }

    fn after(&self, id: u64) -> Vec<(u64, Arc<Received>)> {
        let ring = self.lock();
        let first = ring.requests.partition_point(|(known, _)| *known <= id);
        ring.requests.range(first..).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether `path` is `ancestor` or lies below it.
pub(super) fn is_under(path: &str, ancestor: &str) -> bool {
    path.strip_prefix(ancestor.trim_end_matches('/'))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::super::signature::Judged;
    use super::*;

    fn received(path: &str, body: &[u8]) -> Arc<Received> {
        let request = http::Request::builder()
            .uri(path)
            .header("webhook-id", format!("id of {path}"))
            .header("x-odd", "a: b")
            .body(())
            .unwrap();
        let verdicts = Verdicts {
            standard: Judged::UnknownSecret,
            sha256: Judged::UnknownSecret,
        };
        Arc::new(Received::copy(&request.into_parts().0, body, 7, verdicts))
    }

    fn ids(record: &Record, wanted: Wanted<'_>) -> Vec<u64> {
        let selected = record.select(wanted);
        selected.into_iter().map(|(id, _)| id).collect()
    }

    fn all() -> Wanted<'static> {
        Wanted {
            limit: usize::MAX,
            ..Wanted::default()
        }
    }

    #[test]
    fn the_ring_keeps_the_newest_requests_only() {
        let record = Record::new(3, usize::MAX);
        for _ in 0..10 {
            record.push(received("/success", b"{}"));
        }
        assert_eq!(ids(&record, all()), [8, 9, 10]);
        assert_eq!(record.last_id(), 10);
    }

    #[test]
    fn the_ring_is_bounded_in_bytes() {
        let record = Record::new(1_000, 10_000);
        for _ in 0..100 {
            record.push(received("/success", &[b'x'; 1_000]));
        }
        let kept = ids(&record, all());
        assert!(kept.len() <= 9 && kept.len() >= 7, "{kept:?}");
        assert_eq!(kept.last(), Some(&100));
        record.push(received("/success", &vec![b'x'; 20_000]));
        assert!(ids(&record, all()).is_empty());
    }

    #[test]
    fn a_reader_follows_by_id_and_filters_by_path() {
        let record = Record::new(100, usize::MAX);
        for path in [
            "/success/a",
            "/success/b",
            "/success/a/x",
            "/success/ab",
            "/fail",
        ] {
            record.push(received(path, b""));
        }
        let under_a = Wanted {
            path: Some("/success/a"),
            ..all()
        };
        assert_eq!(ids(&record, under_a), [1, 3]);
        let since = Wanted {
            since: Some(1),
            limit: 2,
            ..all()
        };
        assert_eq!(ids(&record, since), [2, 3]);
        assert_eq!(ids(&record, Wanted { limit: 2, ..all() }), [4, 5]);
        let by_id = Wanted {
            webhook_id: Some("id of /fail"),
            ..all()
        };
        assert_eq!(ids(&record, by_id), [5]);
    }

    #[test]
    fn clearing_a_path_leaves_the_others_with_their_ids() {
        let record = Record::new(100, usize::MAX);
        for path in ["/success/a", "/success/b", "/success/a"] {
            record.push(received(path, b""));
        }
        record.clear(Some("/success/a"));
        assert_eq!(ids(&record, all()), [2]);
        record.clear(None);
        record.push(received("/fail", b""));
        assert_eq!(ids(&record, all()), [4]);
    }

    #[test]
    fn headers_survive_the_copy() {
        let received = received("/success", b"{}");
        assert_eq!(received.header("x-odd").as_deref(), Some("a: b"));
        assert_eq!(received.headers().count(), 2);
        assert_eq!(received.answer(), Answer::Waiting);
        received.answered(200);
        received.abandoned();
        assert_eq!(received.answer(), Answer::Given(200));
    }
}
