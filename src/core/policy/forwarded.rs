//! The caller's address where proxies stand before this one: what they say, as far as they are
//! trusted.

use std::net::{IpAddr, SocketAddr};

use crate::base::CidrSet;
use crate::request::Headers;

/// Which proxies are believed about where a request came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarded {
    /// The field in which each proxy adds the address it was called from.
    pub header: String,
    /// Which of them are believed.
    pub trust: Trust,
}

/// Which proxies are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// So many, counted from here.
    Hops(usize),
    /// Those in these networks.
    Networks(CidrSet),
}

impl Forwarded {
    /// The address of the caller, whose connection comes from `peer`.
    ///
    /// The field is read from its end, where the nearest proxy wrote; what stands before the first
    /// address that no trusted proxy wrote is the caller's own invention and never looked at. An
    /// address that cannot be read ends the way: the proxy that wrote it is taken for the caller.
    #[must_use]
    pub fn caller(&self, peer: IpAddr, headers: &Headers) -> IpAddr {
        let values: Vec<&[u8]> = headers.all(&self.header).collect();
        let listed = values
            .iter()
            .rev()
            .flat_map(|value| value.rsplit(|byte| *byte == b','));
        let mut listed = listed.map(address).peekable();
        // Envoy adds the address of its own peer before a filter sees the field.
        let own =
            |first: &Option<IpAddr>| first.map(|a| a.to_canonical()) == Some(peer.to_canonical());
        listed.next_if(own);
        let mut caller = peer;
        let mut hops = 0_usize;
        while self.trusts(caller, hops) {
            let Some(Some(next)) = listed.next() else {
                break;
            };
            caller = next;
            hops = hops.saturating_add(1);
        }
        caller
    }

    fn trusts(&self, proxy: IpAddr, hops: usize) -> bool {
        match &self.trust {
            Trust::Hops(trusted) => hops < *trusted,
            Trust::Networks(networks) => networks.contains(proxy),
        }
    }
}

/// An address, perhaps with a port, as proxies write it.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let unbracketed = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let ip = unbracketed.unwrap_or(text).parse().ok();
    ip.or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Cidr;

    fn caller(trust: &Trust, fields: &[&str]) -> String {
        let forwarded = Forwarded {
            header: "x-forwarded-for".to_owned(),
            trust: trust.clone(),
        };
        let headers = Headers::new(fields.iter().map(|value| ("x-forwarded-for", *value)));
        let peer = "10.0.0.1".parse().unwrap();
        forwarded.caller(peer, &headers).to_string()
    }

    const CASES: &[(usize, &[&str], &str)] = &[
        (1, &[], "10.0.0.1"),
        (1, &["192.0.2.7"], "192.0.2.7"),
        (1, &["192.0.2.7, 10.0.0.1"], "192.0.2.7"),
        (1, &["6.6.6.6, 192.0.2.7, 10.0.0.1"], "192.0.2.7"),
        (1, &["6.6.6.6, 192.0.2.7"], "192.0.2.7"),
        (1, &["6.6.6.6", "192.0.2.7"], "192.0.2.7"),
        (1, &["6.6.6.6, garbage"], "10.0.0.1"),
        (1, &["6.6.6.6, 192.0.2.7, "], "10.0.0.1"),
        (1, &["192.0.2.7:4711"], "192.0.2.7"),
        (1, &["[2001:db8::1]:4711"], "2001:db8::1"),
        (1, &["[2001:db8::1]"], "2001:db8::1"),
        (2, &["192.0.2.7, 10.0.0.2, 10.0.0.1"], "192.0.2.7"),
        (2, &["192.0.2.7"], "192.0.2.7"),
        (2, &["6.6.6.6, 192.0.2.7, 10.0.0.2"], "192.0.2.7"),
    ];

    #[test]
    fn counts_trusted_proxies_from_the_end_of_the_field() {
        for (hops, fields, expected) in CASES {
            assert_eq!(
                caller(&Trust::Hops(*hops), fields),
                *expected,
                "{hops} {fields:?}"
            );
        }
    }

    #[test]
    fn believes_proxies_of_trusted_networks_and_nobody_else() {
        let trusted = |network| Trust::Networks(CidrSet::new(vec![Cidr::parse(network).unwrap()]));
        let ours = trusted("10.0.0.0/8");
        assert_eq!(
            caller(&ours, &["6.6.6.6, 192.0.2.7, 10.0.0.2, 10.0.0.1"]),
            "192.0.2.7"
        );
        assert_eq!(caller(&ours, &["6.6.6.6, 192.0.2.7"]), "192.0.2.7");
        assert_eq!(caller(&ours, &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
        assert_eq!(caller(&ours, &["6.6.6.6, ::ffff:10.0.0.2"]), "6.6.6.6");
        assert_eq!(
            caller(&trusted("172.16.0.0/12"), &["192.0.2.7"]),
            "10.0.0.1"
        );
    }
}
