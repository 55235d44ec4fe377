//! The real clock and the real dice. The only place that reads them.

use std::time::SystemTime;

use hookpost_domain::Timestamp;
use hookpost_domain::ports::World;

/// The machine's clock and a random number generator per thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealWorld;

impl World for RealWorld {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }

    fn roll(&self) -> f64 {
        fastrand::f64()
    }

    fn token(&self) -> u64 {
        fastrand::u64(..)
    }
}

/// Random bytes for ids. Ids are names, not secrets.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fastrand::fill(&mut bytes);
    bytes
}

/// Random bytes for secrets, from the operating system.
///
/// # Errors
/// The operating system has none to give.
pub fn secret_bytes<const N: usize>() -> Result<[u8; N], std::io::Error> {
    use rustls::crypto::SecureRandom;

    let mut bytes = [0; N];
    let source: &dyn SecureRandom = rustls::crypto::ring::default_provider().secure_random;
    source.fill(&mut bytes).map_err(|_| {
        std::io::Error::other("the operating system's random numbers are not available")
    })?;
    Ok(bytes)
}
