//! Networks that calls may come from.
//!
//! Everything is an IPv6 network here: an IPv4 one is that of its mapped addresses
//! (`::ffff:0:0/96`), so that an address counts the same in whichever form it arrives.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Invalid;

/// Bits before an IPv4 address in its mapped form.
const MAPPED_BITS: u8 = 96;
/// Most networks that one list may have.
const MAX_NETWORKS: usize = 100;

/// One network: an address and how many of its bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    bits: u128,
    prefix: u8,
}

impl Network {
    /// Whether `address` is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        bits_of(address) & mask(self.prefix) == self.bits
    }
}

fn bits_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The first `prefix` bits.
const fn mask(prefix: u8) -> u128 {
    match u128::MAX.checked_shl(128 - prefix as u32) {
        Some(mask) => mask,
        None => 0,
    }
}

impl FromStr for Network {
    type Err = Invalid;

    /// Reads `10.0.0.0/8`, `2001:db8::/32`, or a single address. Bits beyond the prefix do not
    /// count.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || {
            let rule = "must be an address, or a network such as 203.0.113.0/24 or 2001:db8:7::/48";
            Invalid::new("networks", rule)
        };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let (before, most) = match address {
            IpAddr::V4(_) => (MAPPED_BITS, 32),
            IpAddr::V6(_) => (0, 128),
        };
        let prefix = match prefix {
            None => most,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| invalid())?
            }
            Some(_) => return Err(invalid()),
        };
        if prefix > most {
            return Err(invalid());
        }
        let prefix = before + prefix;
        Ok(Self {
            bits: bits_of(address) & mask(prefix),
            prefix,
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = Ipv6Addr::from_bits(self.bits);
        match (
            address.to_ipv4_mapped(),
            self.prefix.checked_sub(MAPPED_BITS),
        ) {
            (Some(v4), Some(prefix)) => write!(f, "{v4}/{prefix}"),
            (Some(_) | None, Some(_) | None) => write!(f, "{address}/{}", self.prefix),
        }
    }
}

impl TryFrom<String> for Network {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

/// Networks that calls may come from; none listed means any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "Vec<Network>", into = "Vec<Network>")]
pub struct Networks(Vec<Network>);

impl Networks {
    /// Whether a call from `address` is let in. One whose address is not known only where no
    /// network is listed.
    pub fn allow(&self, address: Option<IpAddr>) -> bool {
        let listed = |address: IpAddr| self.0.iter().any(|network| network.contains(address));
        self.0.is_empty() || address.is_some_and(listed)
    }

    /// Whether none is listed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<Vec<Network>> for Networks {
    type Error = Invalid;

    fn try_from(networks: Vec<Network>) -> Result<Self, Invalid> {
        if networks.len() > MAX_NETWORKS {
            return Err(Invalid::new("networks", "must be at most 100"));
        }
        Ok(Self(networks))
    }
}

impl From<Networks> for Vec<Network> {
    fn from(networks: Networks) -> Self {
        networks.0
    }
}

impl FromStr for Networks {
    type Err = Invalid;

    /// Reads networks with commas between them.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let named = text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        let networks: Result<Vec<Network>, Invalid> = named.map(str::parse).collect();
        networks?.try_into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    fn v4(address: u32) -> IpAddr {
        Ipv4Addr::from_bits(address).into()
    }

    proptest! {
        /// Against the rule as it is told: the first `prefix` bits are the same.
        #[test]
        fn an_address_is_in_the_networks_that_share_its_first_bits(
            network: u32, prefix in 0..=32u32, flip in 0..32u32, address: u32,
        ) {
            let read: Network = format!("{}/{prefix}", v4(network)).parse().unwrap();
            for address in [address, network, network ^ (1 << flip)] {
                let same = (0..prefix).all(|bit| (network ^ address) >> (31 - bit) & 1 == 0);
                prop_assert_eq!(read.contains(v4(address)), same);
                let mapped = Ipv4Addr::from_bits(address).to_ipv6_mapped();
                prop_assert_eq!(read.contains(mapped.into()), same);
            }
        }

        #[test]
        fn the_same_holds_for_ipv6(network: u128, prefix in 0..=128u32, flip in 0..128u32) {
            let address = |bits| IpAddr::from(Ipv6Addr::from_bits(bits));
            let read: Network = format!("{}/{prefix}", address(network)).parse().unwrap();
            let other = network ^ (1 << flip);
            prop_assert!(read.contains(address(network)));
            prop_assert_eq!(read.contains(address(other)), 127 - flip >= prefix);
        }

        #[test]
        fn a_network_reads_what_it_writes(bits: u128, mapped: bool, prefix in 0..=128u8) {
            let bits = if mapped { bits >> 96 | 0xffff << 32 } else { bits };
            let text = format!("{}/{prefix}", Ipv6Addr::from_bits(bits));
            let network: Network = text.parse().unwrap();
            prop_assert_eq!(network.to_string().parse::<Network>().unwrap(), network);
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "x",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.0/",
            "::/129",
            "10.0.0/8",
            "10.0.0.0/8/8",
            "localhost",
            "10.0.0.0/ 8",
            "fe80::1%eth0",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text:?}");
        }
        assert!("10.0.0.0/8,nonsense".parse::<Networks>().is_err());
        assert!(vec!["::1"; 101].join(",").parse::<Networks>().is_err());
    }

    #[test]
    fn a_list_lets_in_what_any_of_it_holds_and_an_empty_one_lets_in_all() {
        let list: Networks = "10.0.0.0/8, 203.0.113.7,2001:db8::/32,".parse().unwrap();
        let allows = |text: &str| list.allow(text.parse().ok());
        for (address, allowed) in [
            ("10.255.0.1", true),
            ("::ffff:10.1.2.3", true),
            ("203.0.113.7", true),
            ("203.0.113.8", false),
            ("2001:db8:1::1", true),
            ("::1", false),
            ("no address", false),
        ] {
            assert_eq!(allows(address), allowed, "{address}");
        }
        assert!(Networks::default().allow(None));
        assert!(
            "0.0.0.0/0"
                .parse::<Networks>()
                .unwrap()
                .allow("8.8.8.8".parse().ok())
        );
        assert!(
            !"0.0.0.0/0"
                .parse::<Networks>()
                .unwrap()
                .allow("2001::1".parse().ok())
        );
        assert_eq!(
            "10.1.2.3/8".parse::<Network>().unwrap().to_string(),
            "10.0.0.0/8"
        );
    }
}
