//! What a limit counts by, made into a counter that nobody without the secret can aim at.

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip128::{Hasher128, SipHasher24};

use super::bucket::Counter;
use crate::base::masked;
use crate::crypto::keyed::Seed;
use crate::jose::ClaimPath;

/// One part of what a limit counts by.
#[derive(Clone, Debug, PartialEq)]
pub enum KeyPart {
    /// The caller's identity.
    Identity,
    /// The issuer of its token.
    Issuer,
    /// The client: a registered one, or one within its issuer.
    Client,
    /// The matched route.
    Route,
    /// The caller's address.
    Source,
    /// The caller's network: /24 of IPv4, /64 of IPv6.
    SourceNetwork,
    /// A claim's value.
    Claim(ClaimPath),
    /// A header field's value.
    Header(String),
}

impl KeyPart {
    /// What the part is, and of what name.
    #[must_use]
    pub fn as_text(&self) -> (&'static str, &str) {
        match self {
            Self::Identity => ("identity", ""),
            Self::Issuer => ("issuer", ""),
            Self::Client => ("client", ""),
            Self::Route => ("route", ""),
            Self::Source => ("source", ""),
            Self::SourceNetwork => ("source_network", ""),
            Self::Claim(claim) => ("claim:", claim.as_str()),
            Self::Header(name) => ("header:", name),
        }
    }
}

/// Where in the table a counter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The bucket's number.
    pub cell: u32,
    /// The counter within it.
    pub counter: Counter,
}

/// Makes a [`Place`] from the parts of a key, each told apart from its neighbours.
pub struct KeyHasher {
    hasher: SipHasher24,
    limit: u32,
}

impl KeyHasher {
    /// Begins a key of the limit with that tag.
    #[must_use]
    pub fn new(secret: &Seed, limit: u32) -> Self {
        let mut hasher = SipHasher24::new_with_key(&secret.0);
        hasher.write_u32(limit);
        Self { hasher, limit }
    }

    /// Adds a part; a part that is not there is none of those that are.
    pub fn part(&mut self, part: Option<&[u8]>) {
        let length = part.and_then(|bytes| u64::try_from(bytes.len()).ok());
        self.hasher
            .write_u64(length.map_or(0, |length| length.saturating_add(1)));
        self.hasher.write(part.unwrap_or_default());
    }

    /// The place among `cells` buckets.
    #[must_use]
    pub fn place(&self, cells: u32) -> Place {
        let hash = self.hasher.finish128();
        let cell = hash.h1.checked_rem(u64::from(cells)).unwrap_or_default();
        Place {
            cell: u32::try_from(cell).unwrap_or_default(),
            counter: Counter {
                limit: self.limit,
                key: hash.h2,
            },
        }
    }
}

/// The tag of a limit: a keyed hash of what it is, never zero.
#[must_use]
pub fn tag(secret: &Seed, definition: &str) -> u32 {
    let mut hasher = SipHasher24::new_with_key(&secret.0);
    hasher.write(b"limit\0");
    hasher.write(definition.as_bytes());
    let folded = hasher.finish128().h1 & u64::from(u32::MAX);
    u32::try_from(folded).unwrap_or(1).max(1)
}

/// The bytes of an address; an IPv4-mapped one is its IPv4 address.
#[must_use]
pub fn address(address: IpAddr) -> [u8; 16] {
    match address.to_canonical() {
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

    const SECRET: Seed = Seed([7; 16]);

    fn place(secret: &Seed, limit: u32, parts: &[Option<&[u8]>]) -> Place {
        let mut hasher = KeyHasher::new(secret, limit);
        parts.iter().for_each(|part| hasher.part(*part));
        hasher.place(4096)
    }

    #[test]
    fn keys_of_other_parts_limits_and_secrets_are_other_counters() {
        let parts: &[&[Option<&[u8]>]] = &[
            &[Some(b"ab"), Some(b"c")],
            &[Some(b"a"), Some(b"bc")],
            &[Some(b"abc"), None],
            &[Some(b"abc"), Some(b"")],
            &[Some(b"abc")],
        ];
        let mut places: Vec<_> = parts.iter().map(|parts| place(&SECRET, 1, parts)).collect();
        places.push(place(&SECRET, 2, parts[0]));
        places.push(place(&Seed([8; 16]), 1, parts[0]));
        for (index, one) in places.iter().enumerate() {
            assert!(!places[..index].contains(one), "{index}");
        }
    }

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
}
