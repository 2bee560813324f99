//! Networks that callers come from.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::WrongText;

/// A network: an address with the host bits zero, and a prefix length.
///
/// IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2) is IPv4, so `::ffff:10.0.0.0/104` is `10.0.0.0/8`
/// and `::/0` is every IPv6 address but no IPv4 one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cidr {
    network: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// Parses `10.0.0.0/8`, `2001:db8::/32`, or one address.
    ///
    /// # Errors
    ///
    /// A [`CidrError`]; where host bits are set it holds the network that was perhaps meant.
    ///
    /// ```
    /// use postern_core::base::Cidr;
    ///
    /// let network = Cidr::parse("10.0.0.0/8").unwrap();
    /// assert!(network.contains("10.1.2.3".parse().unwrap()));
    /// assert!(network.contains("::ffff:10.1.2.3".parse().unwrap()));
    /// assert!(Cidr::parse("10.0.0.1/8").is_err(), "host bits are set");
    /// ```
    pub fn parse(text: &str) -> Result<Self, CidrError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| CidrError::Invalid)?;
        let bits = width(address);
        let prefix = match prefix {
            Some(text) => parse_prefix(text).filter(|&p| p <= bits),
            None => Some(bits),
        };
        Self::of(address, prefix.ok_or(CidrError::Prefix { bits })?)
    }

    /// Whether the address is in the network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        width(address) == width(self.network) && masked(address, self.prefix) == self.network
    }

    fn of(address: IpAddr, prefix: u8) -> Result<Self, CidrError> {
        let network = masked(address, prefix);
        if network != address {
            return Err(CidrError::HostBits { network, prefix });
        }
        // Host bits are zero, so a mapped address has a prefix of 96 or longer.
        let canonical = address.to_canonical();
        let shorter = width(address).saturating_sub(width(canonical));
        Ok(Self {
            network: canonical,
            prefix: prefix.saturating_sub(shorter),
        })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

/// Several networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CidrSet(Vec<Cidr>);

impl CidrSet {
    /// Makes a set of these networks.
    #[must_use]
    pub const fn new(networks: Vec<Cidr>) -> Self {
        Self(networks)
    }

    /// Whether the address is in one of the networks.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// The networks in the order given.
    #[must_use]
    pub fn networks(&self) -> &[Cidr] {
        &self.0
    }
}

/// Why a text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CidrError {
    /// It is no address.
    Invalid,
    /// The prefix length is no number up to the address's width.
    Prefix {
        /// The width in bits.
        bits: u8,
    },
    /// The address has bits set beyond the prefix.
    HostBits {
        /// The network that holds the address.
        network: IpAddr,
        /// The prefix length.
        prefix: u8,
    },
}

impl fmt::Display for CidrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid => f.write_str("is no network"),
            Self::Prefix { .. } => f.write_str("has no good prefix length"),
            Self::HostBits { .. } => f.write_str("has bits set beyond its prefix"),
        }
    }
}

impl WrongText for CidrError {
    fn remedy(&self) -> Cow<'static, str> {
        match self {
            Self::Invalid => "a network is 10.0.0.0/8 or 2001:db8::/32".into(),
            Self::Prefix { bits } => format!("it is a number from 0 to {bits}").into(),
            Self::HostBits { network, prefix } => {
                format!("the network is {network}/{prefix}").into()
            }
        }
    }
}

impl std::error::Error for CidrError {}

fn parse_prefix(text: &str) -> Option<u8> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    (plain && canonical).then(|| text.parse().ok()).flatten()
}

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The address with every bit after the prefix zero; a prefix longer than the address is all of it.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let spare = u32::from(width(address).saturating_sub(prefix));
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(spare).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(spare).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

/// The bytes of an address; an IPv4-mapped one is its IPv4 address.
#[must_use]
pub fn address(of: IpAddr) -> [u8; 16] {
    match of.to_canonical() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// The bytes of an address's network: /24 of IPv4, /64 of IPv6.
#[must_use]
pub fn network(of: IpAddr) -> [u8; 16] {
    let of = of.to_canonical();
    address(masked(of, if of.is_ipv4() { 24 } else { 64 }))
}

/// The bytes of whom an address stands for when it fails: an IPv4 address, or a /64 of IPv6, which
/// is what one subscriber has.
#[must_use]
pub fn subscriber(of: IpAddr) -> [u8; 16] {
    if of.to_canonical().is_ipv4() {
        address(of)
    } else {
        network(of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_those_of_the_reference() {
        let same = |a: &str, b: &str| network(a.parse().unwrap()) == network(b.parse().unwrap());
        assert!(same("192.0.2.1", "192.0.2.255"));
        assert!(same("192.0.2.1", "::ffff:192.0.2.9"));
        assert!(!same("192.0.2.1", "192.0.3.1"));
        assert!(same("2001:db8::1", "2001:db8::ffff:0:0:1"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
        let who = |a: &str| subscriber(a.parse().unwrap());
        assert_ne!(who("192.0.2.1"), who("192.0.2.2"));
        assert_eq!(who("2001:db8::1"), who("2001:db8::2"));
    }

    const CASES: &[(&str, &str, bool)] = &[
        ("10.0.0.0/8", "10.255.0.1", true),
        ("10.0.0.0/8", "11.0.0.0", false),
        ("10.0.0.0/8", "::ffff:10.1.2.3", true),
        ("::ffff:10.0.0.0/104", "10.1.2.3", true),
        ("::ffff:10.0.0.0/104", "11.1.2.3", false),
        ("0.0.0.0/0", "255.255.255.255", true),
        ("0.0.0.0/0", "::1", false),
        ("::/0", "2001:db8::1", true),
        ("::/0", "10.0.0.1", false),
        ("::/0", "::ffff:10.0.0.1", false),
        ("192.0.2.7", "192.0.2.7", true),
        ("192.0.2.7", "192.0.2.8", false),
        ("2001:db8::/32", "2001:db8:ffff::1", true),
        ("2001:db8::/32", "2001:db9::", false),
        ("fe80::1/128", "fe80::1", true),
    ];

    #[test]
    fn finds_addresses_in_networks_of_their_own_family() {
        for (network, address, inside) in CASES {
            let cidr = Cidr::parse(network).unwrap();
            assert_eq!(
                cidr.contains(address.parse().unwrap()),
                *inside,
                "{network} {address}"
            );
        }
    }

    #[test]
    fn a_mapped_network_is_the_ipv4_network() {
        assert_eq!(
            Cidr::parse("::ffff:10.0.0.0/104").unwrap().to_string(),
            "10.0.0.0/8"
        );
    }

    #[test]
    fn refuses_what_is_no_network_and_says_what_was_meant() {
        const CASES: &[(&str, &str)] = &[
            (
                "10.1.2.3/8",
                "has bits set beyond its prefix; the network is 10.0.0.0/8",
            ),
            (
                "2001:db8::1/32",
                "has bits set beyond its prefix; the network is 2001:db8::/32",
            ),
            (
                "10.0.0.0/33",
                "has no good prefix length; it is a number from 0 to 32",
            ),
            (
                "::/129",
                "has no good prefix length; it is a number from 0 to 128",
            ),
            (
                "10.0.0.0/08",
                "has no good prefix length; it is a number from 0 to 32",
            ),
            (
                "10.0.0.0/+8",
                "has no good prefix length; it is a number from 0 to 32",
            ),
            (
                "10.0.0.0/",
                "has no good prefix length; it is a number from 0 to 32",
            ),
            (
                "10.0.0",
                "is no network; a network is 10.0.0.0/8 or 2001:db8::/32",
            ),
            (
                "010.0.0.0/8",
                "is no network; a network is 10.0.0.0/8 or 2001:db8::/32",
            ),
            (
                "example/8",
                "is no network; a network is 10.0.0.0/8 or 2001:db8::/32",
            ),
        ];
        for (text, error) in CASES {
            let wrong = Cidr::parse(text).unwrap_err();
            assert_eq!(format!("{wrong}; {}", wrong.remedy()), *error, "{text}");
        }
    }
}
