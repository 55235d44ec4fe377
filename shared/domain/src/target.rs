//! Where a request may go.
//!
//! A URL is judged when an endpoint is made, and again when it is dialled: a name can resolve to
//! something else by then. The list of addresses is that of Standard Webhooks' and IANA's special
//! purpose registries: whatever is not the public internet.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::Invalid;

/// The longest URL, in bytes.
pub const MAX_URL_BYTES: usize = 2048;

/// The `host:port` pairs that a deployment lets requests reach over plain HTTP or at a private
/// address. Empty in AWS, the local receiver on a laptop.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedTargets(BTreeSet<(String, u16)>);

impl AllowedTargets {
    /// Whether this host and port are listed.
    pub fn contains(&self, host: &str, port: u16) -> bool {
        self.0.contains(&(host.to_ascii_lowercase(), port))
    }
}

impl FromStr for AllowedTargets {
    type Err = Invalid;

    /// Reads `host:port,host:port`.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let pairs = text
            .split(',')
            .map(str::trim)
            .filter(|pair| !pair.is_empty());
        let parse = |pair: &str| {
            let (host, port) = pair.rsplit_once(':')?;
            Some((host.to_ascii_lowercase(), port.parse().ok()?))
        };
        pairs
            .map(|pair| {
                parse(pair).ok_or_else(|| {
                    Invalid::new(
                        "ALLOWED_TARGETS",
                        "must be a comma-separated list of host:port",
                    )
                })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// A URL that a webhook may be sent to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TargetUrl(Url);

impl TargetUrl {
    /// Judges a URL as somebody wrote it.
    ///
    /// # Errors
    /// Anything but `https` with a public host, unless `allowed` lists its host and port; user
    /// names and passwords (endpoints have a field for them); fragments.
    pub fn parse(text: &str, allowed: &AllowedTargets) -> Result<Self, Invalid> {
        let refuse = |rule: &'static str| Err(Invalid::new("url", rule));
        if text.len() > MAX_URL_BYTES {
            return refuse("must be at most 2048 bytes long");
        }
        let Ok(url) = Url::parse(text) else {
            return refuse("must be a URL such as https://example.com/webhooks");
        };
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("must not hold a user name or password; use `auth` for basic auth");
        }
        if url.fragment().is_some() {
            return refuse("must not have a fragment (`#...`)");
        }
        match verdict(&url, allowed) {
            Verdict::Listed | Verdict::Guarded => Ok(Self(url)),
            Verdict::Refused(rule) => refuse(rule),
        }
    }

    /// The URL itself.
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// Scheme, host, port and path: what may be logged. A query may hold a secret.
    pub fn for_logs(&self) -> String {
        let mut url = self.0.clone();
        url.set_query(None);
        url.into()
    }
}

/// How a URL may be dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The deployment lists this host and port: no further guard.
    Listed,
    /// A public name or address; every address that the name resolves to must be public.
    Guarded,
    /// Not at all, and why.
    Refused(&'static str),
}

/// Judges where `url` points. All spellings of an IPv4 address (decimal, octal, hex, short, with a
/// trailing dot) have become one in the URL parser (WHATWG URL standard).
pub fn verdict(url: &Url, allowed: &AllowedTargets) -> Verdict {
    let Some(host) = url.host() else {
        return Verdict::Refused("must have a host");
    };
    let port = url.port_or_known_default().unwrap_or(0);
    if matches!(url.scheme(), "http" | "https") && allowed.contains(&host.to_string(), port) {
        return Verdict::Listed;
    }
    if url.scheme() != "https" {
        return Verdict::Refused("must be https");
    }
    let address = match host {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            if name.is_empty() || name == "localhost" || name.ends_with(".localhost") {
                return Verdict::Refused("must not point to this machine");
            }
            return Verdict::Guarded;
        }
        Host::Ipv4(address) => IpAddr::V4(address),
        Host::Ipv6(address) => IpAddr::V6(address),
    };
    if is_public(address) {
        Verdict::Guarded
    } else {
        Verdict::Refused("must not point to a private, local or reserved address")
    }
}

/// Whether an address is one of the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let [a, b, c, d, e, f, _, _] = segments;
    let embedded_v4 = match segments {
        // ::ffff:a.b.c.d, and the old ::a.b.c.d (which covers :: and ::1 too).
        [0, 0, 0, 0, 0, 0xffff | 0, hi, lo] => Some((hi, lo)),
        _ => None,
    };
    if let Some((hi, lo)) = embedded_v4 {
        let [o1, o2] = hi.to_be_bytes();
        let [o3, o4] = lo.to_be_bytes();
        return f == 0xffff && is_public_v4(Ipv4Addr::new(o1, o2, o3, o4));
    }
    let refused = (a == 0x2001 && b < 0x200)
        || [a, b, c, d, e, f] == [0, 0, 0, 0, 0xffff, 0]
        || (a == 0x64 && b == 0xff9b && ((c, d, e, f) == (0, 0, 0, 0) || c == 1))
        || (a == 0x100 && (b, c, d) == (0, 0, 0))
        || (a == 0x2001 && b == 0xdb8)
        || a == 0x2002
        || (a == 0x3fff && b < 0x1000)
        || a == 0x5f00
        || (a & 0xfe00) == 0xfc00
        || (a & 0xffc0) == 0xfe80
        || (a & 0xffc0) == 0xfec0
        || (a & 0xff00) == 0xff00;
    !refused
}

#[cfg(test)]
mod spellings;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refused(url: &str) -> bool {
        TargetUrl::parse(url, &AllowedTargets::default()).is_err()
    }

    #[test]
    fn no_spelling_of_a_private_address_passes() {
        for host in [
            "127.0.0.1",
            "127.1",
            "127.0.0.1.",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "0x7f.1",
            "0",
            "localhost",
            "LOCALHOST.",
            "a.localhost",
            "10.1.2.3",
            "169.254.169.254",
            "169.254.100.1:9001",
            "192.168.0.1",
            "172.31.255.255",
            "100.64.0.1",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[fe80::1]",
            "[fd00::1]",
            "[3fff:fff::1]",
            "[5f00::1]",
            "[2001::1]",
            "[::ffff:0:7f00:1]",
            "%31%32%37.0.0.1",
            "１２７.0.0.1",
        ] {
            assert!(refused(&format!("https://{host}/hook")), "{host}");
        }
    }

    #[test]
    fn only_https_without_credentials_or_fragment_passes() {
        for url in [
            "http://example.com/",
            "ftp://example.com/",
            "file:///etc/passwd",
            "https://user@example.com/",
            "https://user:pass@example.com/",
            "https://example.com/#x",
            "https://",
            "example.com",
            "",
        ] {
            assert!(refused(url), "{url}");
        }
        for url in [
            "https://example.com/hook?x=1",
            "https://8.8.8.8:8443/",
            "https://[2606:4700::1111]/",
        ] {
            assert!(!refused(url), "{url}");
        }
    }

    #[test]
    fn a_listed_host_and_port_passes_and_no_other_port_does() {
        let allowed: AllowedTargets = "127.0.0.1:9090, receiver.test:443".parse().unwrap();
        assert!(TargetUrl::parse("http://127.0.0.1:9090/success", &allowed).is_ok());
        assert!(TargetUrl::parse("http://127.1:9090/success", &allowed).is_ok());
        assert!(TargetUrl::parse("https://receiver.test/x", &allowed).is_ok());
        assert!(TargetUrl::parse("http://127.0.0.1:9001/", &allowed).is_err());
        assert!(TargetUrl::parse("ftp://127.0.0.1:9090/", &allowed).is_err());
        assert!("nonsense".parse::<AllowedTargets>().is_err());
    }

    #[test]
    fn logs_show_no_query() {
        let url = TargetUrl::parse("https://example.com/a?token=x", &AllowedTargets::default());
        assert_eq!(url.unwrap().for_logs(), "https://example.com/a");
    }

    proptest! {
        #[test]
        fn a_v4_address_is_judged_alike_when_mapped(bits in any::<u32>()) {
            let v4 = Ipv4Addr::from(bits);
            prop_assert_eq!(is_public(v4.into()), is_public(v4.to_ipv6_mapped().into()));
        }

        #[test]
        fn no_url_text_panics(text in ".{0,60}") {
            let _ = TargetUrl::parse(&text, &AllowedTargets::default());
            let _ = TargetUrl::parse(&format!("https://{text}"), &AllowedTargets::default());
        }
    }
}
