//! Receivers that mean harm, against the real client.
//!
//! Whatever comes back, a request ends within its time-out and a second, little more than
//! [`MAX_BODY_BYTES`] is read of it, and what is kept of it is text of a few hundred bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use proptest::prelude::*;
use tokio::time::Instant;

use super::*;

const TIMEOUT: Duration = Duration::from_millis(400);
/// Two cores may be busy with other tests.
const SLACK: Duration = Duration::from_secs(3);
/// What the kernel takes in on both sides although nobody reads it.
const KERNEL_BYTES: u64 = 24 * 1024 * 1024;

/// A receiver that plays the same to each connection.
struct Hostile {
    port: u16,
    connections: Arc<AtomicUsize>,
    written: Arc<AtomicU64>,
}

/// What it writes, and counts.
struct Out {
    stream: TcpStream,
    written: Arc<AtomicU64>,
}

impl Out {
    /// `false` once nobody takes it any more.
    fn write(&mut self, bytes: &[u8]) -> bool {
        let whole = self.stream.write_all(bytes).is_ok();
        self.written
            .fetch_add(bytes.len() as u64, Ordering::Relaxed);
        whole
    }

    fn write_for_ever(&mut self, bytes: &[u8]) {
        while self.write(bytes) {}
    }

    fn drip_for_ever(&mut self, bytes: &[u8]) {
        while self.write(bytes) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Until the other side goes.
    fn hold(&mut self) {
        let mut rest = [0; 1024];
        while self.stream.read(&mut rest).is_ok_and(|read| read > 0) {}
    }
}

impl Hostile {
    fn playing(play: impl Fn(&mut Out) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let hostile = Self {
            port: listener.local_addr().unwrap().port(),
            connections: Arc::default(),
            written: Arc::default(),
        };
        let (connections, written) = (
            Arc::clone(&hostile.connections),
            Arc::clone(&hostile.written),
        );
        let play = Arc::new(play);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                connections.fetch_add(1, Ordering::Relaxed);
                let (play, written) = (Arc::clone(&play), Arc::clone(&written));
                std::thread::spawn(move || {
                    let mut request = [0; 4096];
                    let mut stream = stream;
                    // The request is short, and has come as a whole.
                    let _request = stream.read(&mut request);
                    play(&mut Out { stream, written });
                });
            }
        });
        hostile
    }

    /// Answers with these bytes, and closes.
    fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::playing(move |out| {
            out.write(&bytes);
            let _closed = out.stream.shutdown(Shutdown::Write);
            out.hold();
        })
    }

    fn client(&self) -> Http {
        let allowed = format!("127.0.0.1:{}", self.port);
        let config = Config::parse(|name| match name {
            "ALLOWED_TARGETS" => Some(allowed.clone()),
            name if name.ends_with("_TABLE") || name.ends_with("_QUEUE_URL") => Some("x".into()),
            _ => None,
        });
        Http::new(&config.unwrap()).unwrap()
    }

    /// Sends one request, and holds what holds for every answer.
    fn post(&self, with_body: bool) -> Answer {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(self.post_with(&self.client(), with_body))
    }

    async fn post_with(&self, client: &Http, with_body: bool) -> Answer {
        let url = format!("http://127.0.0.1:{}/hook", self.port);
        let url = TargetUrl::parse(&url, &client.allowed).unwrap();
        let request = SignedRequest {
            body: b"{}".to_vec(),
            headers: Vec::new(),
        };
        let began = Instant::now();
        let answer = client.post(&url, request, TIMEOUT, with_body).await;
        let took = began.elapsed();
        assert!(
            took < TIMEOUT + DRAIN_TIMEOUT + SLACK,
            "{took:?}: {answer:?}"
        );
        let kept = answer.body.len();
        assert!(kept <= MAX_BODY_BYTES, "{kept} bytes kept");
        if let AttemptResult::Failed {
            detail, response, ..
        } = &answer.result
        {
            assert!(detail.len() <= 1024, "{detail}");
            assert!(response.len() <= 256, "{response}");
        }
        answer
    }

    /// Holds that little more was taken than the kernel takes by itself.
    fn was_left(&self) {
        let written = self.written.load(Ordering::Relaxed);
        assert!(written < KERNEL_BYTES, "{written} bytes taken");
    }
}

fn status(answer: &Answer) -> Option<u16> {
    match &answer.result {
        AttemptResult::Accepted(status)
        | AttemptResult::Failed {
            kind: FailureKind::Http(status),
            ..
        } => Some(*status),
        AttemptResult::Failed { .. } => None,
    }
}

fn kind(answer: &Answer) -> FailureKind {
    match &answer.result {
        AttemptResult::Failed { kind, .. } => *kind,
        AttemptResult::Accepted(status) => panic!("accepted with {status}"),
    }
}

#[test]
fn of_a_huge_answer_no_more_than_its_beginning_is_read() {
    for (head, wanted) in [
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 1099511627776\r\n\r\n",
            200,
        ),
        (
            "HTTP/1.1 500 Bad\r\ncontent-length: 9223372036854775807\r\n\r\n",
            500,
        ),
        ("HTTP/1.1 503 Bad\r\n\r\n", 503),
    ] {
        for with_body in [false, true] {
            let hostile = Hostile::playing(move |out| {
                out.write(head.as_bytes());
                out.write_for_ever(&vec![b'x'; 64 * 1024]);
            });
            assert_eq!(status(&hostile.post(with_body)), Some(wanted), "{head}");
            hostile.was_left();
        }
    }
}

#[test]
fn endless_chunks_are_left_at_the_bound_or_the_time_out() {
    for chunk in [
        "1\r\nx\r\n",
        "1;ext=\"yyyyyyyyyyyyyyyyyyyyyyyyyyyyy\"\r\nx\r\n",
    ] {
        let hostile = Hostile::playing(move |out| {
            out.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            out.write_for_ever(chunk.repeat(1000).as_bytes());
        });
        assert_eq!(status(&hostile.post(false)), Some(200));
        hostile.was_left();
    }
    // What frames no byte of a body is thrown away as it comes, so only the time bounds it.
    for never_ending in ["1;", "0000000000000000", "0\r\ntrailer: ", "0\r\na: b\r\n"] {
        let hostile = Hostile::playing(move |out| {
            out.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            out.write(never_ending.as_bytes());
            out.write_for_ever(never_ending.repeat(1000).as_bytes());
        });
        // The status is known, whatever follows.
        assert_eq!(status(&hostile.post(false)), Some(200), "{never_ending}");
        hostile.post(true);
    }
}

#[test]
fn a_body_that_drips_ends_with_the_time_out() {
    let hostile = Hostile::playing(|out| {
        out.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n");
        out.drip_for_ever(b"x");
    });
    assert_eq!(status(&hostile.post(false)), Some(200));
    assert_eq!(kind(&hostile.post(true)), FailureKind::Timeout);
}

#[test]
fn a_head_that_drips_or_never_comes_ends_with_the_time_out() {
    let dripping = Hostile::playing(|out| out.drip_for_ever(b"HTTP/1.1 200 OK\r\nx: y\r\n"));
    assert!(status(&dripping.post(false)).is_none());
    let letters = Hostile::playing(|out| {
        out.write(b"HTTP/1.1 200 ");
        out.drip_for_ever(b"O");
    });
    assert_eq!(kind(&letters.post(false)), FailureKind::Timeout);
    let silent = Hostile::playing(Out::hold);
    assert_eq!(kind(&silent.post(false)), FailureKind::Timeout);
}

#[test]
fn endless_headers_are_given_up_early() {
    for header in [
        "a: b\r\n",
        "x",
        "x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
        " \r\n",
    ] {
        let hostile = Hostile::playing(move |out| {
            out.write(b"HTTP/1.1 200 OK\r\n");
            out.write_for_ever(header.repeat(2000).as_bytes());
        });
        assert_eq!(
            kind(&hostile.post(false)),
            FailureKind::Protocol,
            "{header}"
        );
        hostile.was_left();
    }
}

#[test]
fn a_flood_of_interim_answers_ends_with_the_time_out() {
    for interim in [
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n",
    ] {
        // As fast as it goes is more than a buffer in so many milliseconds, so it is paced.
        let hostile = Hostile::playing(move |out| {
            let many = interim.repeat(500);
            while out.write(many.as_bytes()) {
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        assert_eq!(
            kind(&hostile.post(false)),
            FailureKind::Timeout,
            "{interim}"
        );
    }
}

#[test]
fn a_connection_that_breaks_is_a_failure_and_nothing_else() {
    // Closed with the request unread, which resets it.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let resetting = Hostile {
        port: listener.local_addr().unwrap().port(),
        connections: Arc::default(),
        written: Arc::default(),
    };
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut one = [0];
            let _peeked = stream.peek(&mut one);
        }
    });
    assert_eq!(kind(&resetting.post(false)), FailureKind::Reset);
    for cut in [
        "",
        "H",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5",
    ] {
        let kind = kind(&Hostile::answering(cut).post(false));
        let wanted = [FailureKind::Reset, FailureKind::Protocol];
        assert!(wanted.contains(&kind), "{cut:?}: {kind:?}");
    }
}

#[test]
fn a_wrong_length_neither_hangs_nor_speaks_for_the_next_answer() {
    let short = Hostile::answering("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nok");
    assert_eq!(status(&short.post(false)), Some(200));
    assert_eq!(kind(&short.post(true)), FailureKind::Reset);
    for head in [
        "content-length: -1",
        "content-length: 99999999999999999999999",
        "content-length: 2\r\ncontent-length: 3",
        "content-length: 0x2",
    ] {
        let answer = Hostile::answering(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\nok"));
        assert_eq!(kind(&answer.post(false)), FailureKind::Protocol, "{head}");
    }
    // The rest must not be taken for the answer to the next request.
    let smuggling = Hostile::playing(|out| {
        out.write(b"HTTP/1.1 500 Bad\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        out.hold();
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = smuggling.client();
        for _ in 0..3 {
            let answer = smuggling.post_with(&client, false).await;
            assert_eq!(status(&answer), Some(500));
        }
    });
}

#[test]
fn nothing_is_unpacked_and_bytes_that_are_no_text_are_kept_as_text() {
    let bomb = bomb();
    let head = format!(
        "HTTP/1.1 500 Bad\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        bomb.len()
    );
    let answer = Hostile::answering([head.as_bytes(), &bomb].concat()).post(true);
    assert_eq!(answer.body, bomb);
    let odd = b"HTTP/1.1 400 \xff\xfe\r\nx: \xc3\x28\x80\r\nretry-after: \xff\r\n\r\n\xff\xfe\0\xc3\x28\xed\xa0\x80 caf\xe9";
    let answer = Hostile::answering(&odd[..]).post(false);
    assert_eq!(status(&answer), Some(400));
    assert_eq!(answer.retry_after, None);
}

#[test]
fn what_is_not_http_or_points_elsewhere_is_not_followed() {
    for other in [
        "SSH-2.0-OpenSSH_9.6\r\n",
        "\u{15}\u{3}\u{1}\0\u{2}\u{2}\u{46}",
        "ok",
        "HTTP/3 200\r\n\r\n",
    ] {
        let answer = Hostile::answering(other).post(false);
        assert!(status(&answer).is_none(), "{other:?}: {answer:?}");
    }
    for code in [301, 302, 303, 307, 308] {
        let head = format!(
            "HTTP/1.1 {code} Elsewhere\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n"
        );
        let hostile = Hostile::answering(head);
        assert_eq!(status(&hostile.post(false)), Some(code));
        assert_eq!(hostile.connections.load(Ordering::Relaxed), 1);
    }
}

/// 58 KiB that gzip unpacks to 9 MB of zeros: one zero, and then again and again "258 bytes as the
/// one before", in the fixed code of RFC 1951.
fn bomb() -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut bits = vec![1, 1, 0];
    bits.extend([0, 0, 1, 1, 0, 0, 0, 0]);
    while bits.len() < 58 * 1024 * 8 {
        bits.extend([1, 1, 0, 0, 0, 1, 0, 1]);
        bits.extend([0; 5]);
    }
    for byte in bits.chunks(8) {
        bytes.push(byte.iter().rev().fold(0_u8, |sum, bit| sum << 1 | bit));
    }
    bytes
}

/// Something that begins as an answer does, and goes on as it likes.
fn any_answer() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        5 => "HTTP/1\\.[019] [1-5][0-9]{2}( [A-Za-z ]{0,9})?\r\n",
        1 => "(HTTP|http|HTTP/2) ?[0-9.]{0,4} [0-9a-f]{0,5}\r?\n",
    ];
    let header = prop_oneof![
        "(content-length|Content-Length): ?[0-9+-]{0,3}\r\n",
        "transfer-encoding: (chunked|gzip, chunked|identity|chunked, x)\r\n",
        "(connection|upgrade|trailer|te): (close|keep-alive|upgrade|h2c|x)\r\n",
        "content-encoding: (gzip|br|deflate|zstd|x)\r\n",
        "retry-after: .{0,20}\r\n",
        "[a-z: ]{0,12}[:]? ?[ -~]{0,20}\r?\n",
    ];
    let body = prop_oneof![
        "([0-9a-f]{1,2}(;[a-z=]{0,4})?\r\n[a-z]{0,20}\r\n){0,4}(0\r\n\r\n)?"
            .prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..200),
        Just(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
    ];
    let headers = proptest::collection::vec(header, 0..6);
    (first, headers, "(\r\n|\n|)", body).prop_map(|(first, headers, blank, body)| {
        let head = format!("{first}{}{blank}", headers.concat());
        [head.into_bytes(), body].concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.div_ceil(4), ..ProptestConfig::default() })]

    #[test]
    fn no_answer_panics_or_passes_its_bounds(answer in any_answer(), with_body in any::<bool>()) {
        let told = Hostile::answering(answer).post(with_body);
        if let AttemptResult::Accepted(status) = told.result {
            prop_assert!((200..300).contains(&status));
        }
    }
}
