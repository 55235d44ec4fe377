//! No spelling of an address that is not public passes the guard.
//!
//! The spellings are made from an address and not found by chance: decimal, octal, hexadecimal and
//! short forms, digits and dots that IDNA maps to ASCII, escapes, and IPv4 within IPv6. That each
//! is one is shown by those of public addresses, which pass and mean the address.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

/// A network that is not the public internet, and how many of its bits are fixed.
const NOT_PUBLIC: [(u32, u32); 14] = [
    (0x0000_0000, 8),
    (0x0a00_0000, 8),
    (0x6440_0000, 10),
    (0x7f00_0000, 8),
    (0xa9fe_0000, 16),
    (0xac10_0000, 12),
    (0xc000_0000, 24),
    (0xc000_0200, 24),
    (0xc0a8_0000, 16),
    (0xc612_0000, 15),
    (0xc633_6400, 24),
    (0xcb00_7100, 24),
    (0xe000_0000, 4),
    (0xf000_0000, 4),
];

fn not_public() -> impl Strategy<Value = Ipv4Addr> {
    (proptest::sample::select(&NOT_PUBLIC[..]), any::<u32>())
        .prop_map(|((network, bits), host)| Ipv4Addr::from(network | (host & (u32::MAX >> bits))))
}

/// How one number of an address is written.
fn number(value: u32, how: u8) -> String {
    match how % 6 {
        0 | 1 => value.to_string(),
        2 => format!("0{value:o}"),
        3 => format!("0x{value:x}"),
        4 => format!("0X{value:08X}"),
        _ => format!("000{value:o}"),
    }
}

/// An IPv4 address as one to four numbers, as `inet_aton` reads them.
fn v4_text(address: Ipv4Addr, parts: usize, how: [u8; 4]) -> String {
    let bytes = address.octets();
    let (single, rest) = bytes.split_at(parts - 1);
    let rest = rest
        .iter()
        .fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
    let numbers = single
        .iter()
        .map(|byte| u32::from(*byte))
        .chain([rest])
        .zip(how);
    let numbers: Vec<_> = numbers.map(|(value, how)| number(value, how)).collect();
    numbers.join(".")
}

/// Letters that a browser takes for the same: escapes, full-width forms, other dots.
fn disguised(text: &str, how: &[u8]) -> String {
    let mut out = String::new();
    for (at, letter) in text.chars().enumerate() {
        match how.get(at).map(|how| how % 5) {
            Some(1) => write!(out, "%{:02x}", u32::from(letter)).unwrap(),
            Some(2) if letter == '.' => out.push('\u{3002}'),
            Some(2) => out.push(char::from_u32(u32::from(letter) + 0xfee0).unwrap()),
            Some(3) => out.push(letter.to_ascii_uppercase()),
            _ => out.push(letter),
        }
    }
    out
}

fn any_v4_text(
    address: impl Strategy<Value = Ipv4Addr>,
) -> impl Strategy<Value = (Ipv4Addr, String)> {
    let looks = proptest::collection::vec(any::<u8>(), 0..40);
    (address, 1_usize..=4, any::<[u8; 4]>(), looks, any::<bool>()).prop_map(
        |(address, parts, how, looks, dotted)| {
            let text = disguised(&v4_text(address, parts, how), &looks);
            (address, format!("{text}{}", if dotted { "." } else { "" }))
        },
    )
}

/// IPv6 addresses that lead to this IPv4 address, by a mapping or a translator.
fn v6_texts(address: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = address.octets();
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    vec![
        format!("[::ffff:{address}]"),
        format!("[::ffff:{high:x}:{low:x}]"),
        format!("[0:0:0:0:0:FFFF:{high:04X}:{low:04X}]"),
        format!("[0000:0000:0000:0000:0000:ffff:{address}]"),
        format!("[::{address}]"),
        format!("[::ffff:0:{address}]"),
        format!("[64:ff9b::{address}]"),
        format!("[64:ff9b:1::{address}]"),
        format!("[2002:{high:x}:{low:x}::1]"),
    ]
}

fn passes(url: &str) -> Option<String> {
    let target = TargetUrl::parse(url, &AllowedTargets::default()).ok()?;
    target.as_url().host_str().map(str::to_owned)
}

proptest! {
    #[test]
    fn no_spelling_of_an_address_that_is_not_public_passes(
        (address, text) in any_v4_text(not_public()),
        scheme in "https|HTTPS|hTTps",
        slashes in r"//|/|///|\\\\|/\\",
        user in "(|user@|user:@|:x@|example[.]com@|8[.]8[.]8[.]8@)",
        port in "(|:|:443|:0443|:8443|:9001)",
        path in r"(|/|/x|\?x=1|/\.\./x|\\x|/@8[.]8[.]8[.]8)",
    ) {
        let mut hosts = v6_texts(address);
        hosts.push(text);
        for host in hosts {
            let url = format!("{scheme}:{slashes}{user}{host}{port}{path}");
            prop_assert_eq!(passes(&url), None, "{}", url);
        }
    }

    #[test]
    fn the_spellings_are_spellings((address, text) in any_v4_text(any::<u32>().prop_map(Ipv4Addr::from))) {
        let host = passes(&format!("https://{text}/x"));
        let wanted = is_public_v4(address).then(|| address.to_string());
        prop_assert_eq!(host, wanted, "{}", text);
    }

    #[test]
    fn no_spelling_of_this_machine_passes(looks in proptest::collection::vec(any::<u8>(), 0..9), under in "(|a[.]|a[.]b[.])", dots in "[.]{0,1}") {
        let url = format!("https://{under}{}{dots}/x", disguised("localhost", &looks));
        prop_assert_eq!(passes(&url), None, "{}", url);
    }

    /// What is stored, or comes with a redirect that somebody might come to follow, is judged by
    /// the URL as it was read, and reading what was printed changes nothing.
    #[test]
    fn a_url_that_passes_is_the_same_when_it_is_read_again(host in "[a-z0-9.\\-\u{e9}\u{df}\u{3002}%]{1,20}", rest in "[a-z/?&=%.;@:\\\\ ]{0,20}") {
        if let Ok(target) = TargetUrl::parse(&format!("https://{host}/{rest}"), &AllowedTargets::default()) {
            let printed = target.as_url().as_str();
            let again = TargetUrl::parse(printed, &AllowedTargets::default());
            prop_assert_eq!(again.as_ref(), Ok(&target), "{}", printed);
        }
    }
}
