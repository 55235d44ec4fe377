//! A receiver on a bare socket: it does to a connection what an HTTP server cannot be made to do.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Bytes that `/long` and `/endless-head` would send if they were let.
pub(crate) const WITHOUT_END: usize = 512 * 1024 * 1024;

/// The receiver. The first part of a path says what it does:
///
/// | path | |
/// | --- | --- |
/// | `/close` | reads the request and closes the connection |
/// | `/abort` | closes it with the request half read, which resets it |
/// | `/garbage` | answers in another protocol |
/// | `/long` | 500, and half a gigabyte of two-byte characters |
/// | `/binary` | 500, and bytes that are no text |
/// | `/drip` | 500, and a byte every 50 ms without end |
/// | `/slow-head` | a byte of a header every 50 ms without end |
/// | `/endless-head` | half a gigabyte of headers |
/// | `/hints` | 103, and then 200 |
#[derive(Debug)]
pub(crate) struct Plain {
    /// Where it is.
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    paths: Mutex<Vec<String>>,
    sent: AtomicU64,
}

impl Plain {
    pub(super) fn start() -> Self {
        let listener = super::listen();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                // A sender that leaves early is what the tests are about.
                std::thread::spawn(move || drop(serve(&state, connection)));
            }
        });
        Self { address, state }
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How often this very path was asked for.
    pub(crate) fn requests(&self, path: &str) -> usize {
        let paths = self.state.paths.lock().unwrap();
        paths.iter().filter(|asked| *asked == path).count()
    }

    /// Bytes that were sent by `/long` and `/endless-head`.
    pub(crate) fn sent(&self) -> u64 {
        self.state.sent.load(Ordering::Relaxed)
    }
}

/// The next line of a head, without its end; byte by byte, so that nothing beyond it is read.
fn line(connection: &mut TcpStream) -> std::io::Result<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let mut byte = [0];
        connection.read_exact(&mut byte)?;
        line.push(byte[0]);
    }
    line.truncate(line.len() - 2);
    Ok(String::from_utf8(line).unwrap())
}

fn serve(state: &State, mut connection: TcpStream) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    let first = line(&mut connection)?;
    let path = first.split(' ').nth(1).unwrap().to_owned();
    state.paths.lock().unwrap().push(path.clone());
    if path.starts_with("/abort") {
        return Ok(());
    }
    let mut length = 0;
    loop {
        let header = line(&mut connection)?.to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
    }
    connection.read_exact(&mut vec![0; length])?;
    play(state, &path, &mut connection)
}

fn play(state: &State, path: &str, connection: &mut TcpStream) -> std::io::Result<()> {
    let failed = "HTTP/1.1 500 Internal Server Error\r\n";
    match path.split('/').nth(1).unwrap() {
        "close" => Ok(()),
        "garbage" => connection.write_all(b"SSH-2.0-OpenSSH_9.9\r\n"),
        "long" => {
            let head = format!("{failed}content-length: {WITHOUT_END}\r\n\r\n");
            connection.write_all(head.as_bytes())?;
            pour(state, connection, "\u{e9}".repeat(32 * 1024).as_bytes())
        }
        "binary" => {
            let body: Vec<u8> = (0..=255).cycle().take(1000).collect();
            let head = format!("{failed}content-length: {}\r\n\r\n", body.len());
            connection.write_all(head.as_bytes())?;
            connection.write_all(&body)
        }
        "drip" => {
            let head = format!("{failed}content-length: 1000000\r\n\r\n");
            connection.write_all(head.as_bytes())?;
            drip(connection)
        }
        "slow-head" => {
            connection.write_all(b"HTTP/1.1 200 OK\r\nx-never-ending: ")?;
            drip(connection)
        }
        "endless-head" => {
            connection.write_all(b"HTTP/1.1 200 OK\r\n")?;
            pour(state, connection, "x-more: of this\r\n".repeat(4096).as_bytes())
        }
        "hints" => connection.write_all(
            b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        ),
        other => panic!("nobody taught this receiver /{other}"),
    }
}

fn pour(state: &State, connection: &mut TcpStream, chunk: &[u8]) -> std::io::Result<()> {
    for _ in 0..WITHOUT_END / chunk.len() {
        connection.write_all(chunk)?;
        state.sent.fetch_add(chunk.len() as u64, Ordering::Relaxed);
    }
    Ok(())
}

fn drip(connection: &mut TcpStream) -> std::io::Result<()> {
    loop {
        connection.write_all(b".")?;
        std::thread::sleep(Duration::from_millis(50));
    }
}
