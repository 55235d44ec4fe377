//! HTTPS receivers: one that is to be trusted, and some that are not.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion, version};

/// A receiver that answers every request with 200, if it comes to that.
#[derive(Debug)]
pub(crate) struct Server {
    /// Where it is.
    pub(crate) address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU32,
    requests: AtomicU32,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Secure {
    /// The certificate of the authority, PEM.
    pub(crate) authority: String,
    /// By the authority, for 127.0.0.1.
    pub(crate) trusted: Server,
    /// The same, with nothing newer than TLS 1.2.
    pub(crate) tls12: Server,
    /// By itself.
    pub(crate) self_signed: Server,
    /// By the authority, until years ago.
    pub(crate) expired: Server,
    /// By the authority, for another name.
    pub(crate) misnamed: Server,
    /// It speaks TLS 1.1.
    pub(crate) tls11: Server,
    /// It speaks no TLS.
    pub(crate) plaintext: Server,
}

impl Secure {
    pub(super) fn start() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, "Test Authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();

        let here = || CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let by_authority = |params: &CertificateParams, versions| {
            let key = KeyPair::generate().unwrap();
            let certificate = params.signed_by(&key, &authority).unwrap();
            Server::tls(&certificate, &key, versions)
        };
        let mut long_ago = here();
        long_ago.not_before = date_time_ymd(2019, 1, 1);
        long_ago.not_after = date_time_ymd(2020, 1, 1);
        let elsewhere = CertificateParams::new(["elsewhere.example".to_owned()]).unwrap();
        let own_key = KeyPair::generate().unwrap();
        Self {
            authority: authority.pem(),
            trusted: by_authority(&here(), &[&version::TLS13, &version::TLS12]),
            tls12: by_authority(&here(), &[&version::TLS12]),
            self_signed: Server::tls(
                &here().self_signed(&own_key).unwrap(),
                &own_key,
                &[&version::TLS13],
            ),
            expired: by_authority(&long_ago, &[&version::TLS13]),
            misnamed: by_authority(&elsewhere, &[&version::TLS13]),
            tls11: Server::start(hello_of_tls11),
            plaintext: Server::start(answer),
        }
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        let all = [
            &self.trusted,
            &self.tls12,
            &self.self_signed,
            &self.expired,
            &self.misnamed,
            &self.tls11,
            &self.plaintext,
        ];
        all.into_iter().map(|server| server.address)
    }
}

impl Server {
    fn start(
        serve: impl Fn(&mut TcpStream, &Counts) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = super::listen();
        let address = listener.local_addr().unwrap();
        let counts = Arc::new(Counts::default());
        let shared = Arc::clone(&counts);
        let serve = Arc::new(serve);
        std::thread::spawn(move || {
            for mut connection in listener.incoming().flatten() {
                let (serve, counts) = (Arc::clone(&serve), Arc::clone(&shared));
                counts.connections.fetch_add(1, Ordering::Relaxed);
                // A sender that hangs up is what the tests are about.
                std::thread::spawn(move || drop(serve(&mut connection, &counts)));
            }
        });
        Self { address, counts }
    }

    fn tls(
        certificate: &rcgen::Certificate,
        key: &KeyPair,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        Self::start(move |connection, counts| {
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            answer(&mut StreamOwned::new(session, connection), counts)
        })
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    /// How often somebody connected.
    pub(crate) fn connections(&self) -> u32 {
        self.counts.connections.load(Ordering::Relaxed)
    }

    /// How many requests could be read.
    pub(crate) fn requests(&self) -> u32 {
        self.counts.requests.load(Ordering::Relaxed)
    }
}

fn answer<C: Read + Write>(connection: &mut C, counts: &Counts) -> std::io::Result<()> {
    let mut seen = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let read = connection.read(&mut chunk)?;
        if read == 0 {
            return Ok(());
        }
        seen.extend_from_slice(&chunk[..read]);
        // The body ends with the JSON object; what it says does not matter here.
        if seen.starts_with(b"POST ") && seen.ends_with(b"}") {
            break;
        }
        if !seen.starts_with(b"POST ") {
            return connection.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        }
    }
    counts.requests.fetch_add(1, Ordering::Relaxed);
    connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
    connection.flush()
}

/// Reads the client's hello, and agrees to TLS 1.1.
fn hello_of_tls11(connection: &mut TcpStream, _: &Counts) -> std::io::Result<()> {
    let mut head = [0; 5];
    connection.read_exact(&mut head)?;
    let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
    connection.read_exact(&mut vec![0; length])?;
    let mut hello = vec![3, 2];
    hello.extend([7; 32]);
    // No session id; TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA; no compression.
    hello.extend([0, 0xc0, 0x13, 0]);
    let mut record = vec![22, 3, 2, 0, u8::try_from(hello.len() + 4).unwrap()];
    record.extend([2, 0, 0, u8::try_from(hello.len()).unwrap()]);
    record.extend(hello);
    connection.write_all(&record)?;
    // What the client says to that.
    connection.read_to_end(&mut Vec::new()).map(drop)
}
