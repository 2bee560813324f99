//! What a limit counts by, made into a counter that nobody without the secret can aim at.

use super::bucket::Counter;
use crate::crypto::keyed::PartHasher;
use crate::jose::ClaimPath;
use crate::shared::CellPlace;

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
pub struct Slot {
    /// The bucket's number.
    pub cell: u32,
    /// The counter within it.
    pub counter: Counter,
}

impl Slot {
    /// The slot of the limit with that tag for a key, among `cells` buckets.
    #[must_use]
    pub fn of(limit: u32, key: &PartHasher, cells: u32) -> Self {
        let CellPlace { cell, key } = CellPlace::of(key.finish(), cells);
        let counter = Counter { limit, key };
        Self { cell, counter }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::keyed::Seed;

    #[test]
    fn counters_are_where_running_proxies_have_them() {
        let seed = Seed([7; 16]);
        let limit = seed.tag("per-client\nrate");
        let mut key = PartHasher::new(&seed, limit);
        key.part(Some(b"corp/batch-7"));
        key.part(None);
        let expected = Slot {
            cell: 846,
            counter: Counter {
                limit: 3_364_454_329,
                key: 14_895_586_105_857_072_190,
            },
        };
        assert_eq!(Slot::of(limit, &key, 4096), expected);
    }
}
