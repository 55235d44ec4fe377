//! Which headers an endpoint may add to its requests.

use crate::Invalid;

/// Most headers of its own that an endpoint may have.
pub const MAX_HEADERS: usize = 20;
/// The longest value of such a header, in bytes.
pub const MAX_VALUE_BYTES: usize = 1024;

/// Names that Hookpost or the HTTP layer sets, and that would forge or smuggle if an endpoint
/// could.
const RESERVED: [&str; 14] = [
    "host",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "proxy-authorization",
    "proxy-connection",
    "traceparent",
];

/// Whether a header may have this value: no control characters, as CR and LF would smuggle a second
/// header, and not too long.
pub fn is_plain(value: &str) -> bool {
    let plain = |b: u8| (0x20..0x7f).contains(&b) || b == b'\t';
    value.len() <= MAX_VALUE_BYTES && value.bytes().all(plain)
}

/// Checks one header that an endpoint wants on its requests.
///
/// # Errors
/// A name that is not an HTTP token, a reserved one, or a value with control characters (CR and LF
/// would smuggle a second header).
pub fn check(name: &str, value: &str) -> Result<(), Invalid> {
    let field = || format!("headers.{}", name.escape_debug());
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(token) {
        return Err(Invalid::new(
            field(),
            "must have a name of 1 to 64 letters, digits or `-`",
        ));
    }
    let lower = name.to_ascii_lowercase();
    if RESERVED.contains(&lower.as_str())
        || lower.starts_with("webhook-")
        || lower.starts_with("x-webhook-")
    {
        return Err(Invalid::new(
            field(),
            "is set by Hookpost and cannot be set by an endpoint",
        ));
    }
    if !is_plain(value) {
        return Err(Invalid::new(
            field(),
            "must have a value of at most 1024 printable ASCII characters, without line breaks",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_would_smuggle_or_forge_are_refused() {
        for name in [
            "Host",
            "content-length",
            "Webhook-Id",
            "X-Webhook-Signature",
            "a b",
            "a:",
            "",
            "é",
        ] {
            assert!(check(name, "v").is_err(), "{name:?}");
        }
        for value in ["a\r\nX: y", "a\nb", "\0", "é"] {
            assert!(check("X-Ok", value).is_err(), "{value:?}");
        }
        assert!(check("X-Api-Key", "abc 123").is_ok());
        assert!(check("User-Agent", "Servio-Webhook/1.0").is_ok());
    }
}
