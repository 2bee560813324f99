//! Hosts: of a request, and as a route names them.

use std::fmt;
use std::net::Ipv6Addr;

/// The longest host name (RFC 1035 section 2.3.4).
const MAX_HOST_BYTES: usize = 253;
const MAX_LABEL_BYTES: usize = 63;

/// The host of a request: lower case, without port, without the root's trailing dot.
///
/// `api.example.` and `api.example` name the same host (RFC 1034 section 3.1), so they are one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host(String);

impl Host {
    /// Parses an `:authority` or `host` field as it was sent.
    ///
    /// None for what is no host.
    #[must_use]
    pub fn of_authority(authority: &str) -> Option<Self> {
        if let Some(rest) = authority.strip_prefix('[') {
            let (address, port) = rest.split_once(']')?;
            return is_port(port).then(|| ip_literal(address)).flatten();
        }
        let (name, port) = match authority.find(':') {
            Some(at) => (authority.get(..at)?, authority.get(at..)?),
            None => (authority, ""),
        };
        is_port(port).then(|| host_name(name)).flatten()
    }

    /// The host as it is compared; an IPv6 address is in brackets.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parents of a name, nearest first: `b.c`, then `c` for `a.b.c`.
    pub(super) fn parents(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(self.0.as_str()), |name| {
            name.split_once('.').map(|(_, parent)| parent)
        })
        .skip(1)
    }
}

/// A host as a route names it: exact, or every name below another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// This host.
    Exact(Host),
    /// Every host below this one, one label or more: `*.example.com`.
    Below(Host),
}

impl HostPattern {
    /// Parses `api.example`, `*.example`, `10.0.0.1` or `[2001:db8::1]`; case and a trailing dot
    /// do not matter.
    ///
    /// # Errors
    ///
    /// A [`HostError`] for anything else, a port included.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        if let Some(parent) = text.strip_prefix("*.") {
            return host_name(parent).map(Self::Below).ok_or(HostError::Invalid);
        }
        if let Some(host) = host_name(text) {
            return Ok(Self::Exact(host));
        }
        match Host::of_authority(text) {
            Some(host) if text.ends_with(']') => Ok(Self::Exact(host)),
            Some(_) => Err(HostError::Port),
            None if text.contains('*') => Err(HostError::Wildcard),
            None => Err(HostError::Invalid),
        }
    }

    /// Whether the pattern names that host.
    #[must_use]
    pub fn matches(&self, host: &Host) -> bool {
        match self {
            Self::Exact(exact) => exact == host,
            Self::Below(parent) => host.parents().any(|name| name == parent.as_str()),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => f.write_str(host.as_str()),
            Self::Below(parent) => write!(f, "*.{}", parent.as_str()),
        }
    }
}

/// Why a text is no host pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostError {
    /// It is no host name.
    Invalid,
    /// It has a port.
    Port,
    /// It has a `*` elsewhere than as the whole first label.
    Wildcard,
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => {
                "is no host; a host is api.example, *.example, 10.0.0.1 or [2001:db8::1]"
            }
            Self::Port => "has a port; hosts are compared without, so leave it out",
            Self::Wildcard => {
                "has a * inside; a wildcard is the whole first label, such as *.example"
            }
        })
    }
}

impl std::error::Error for HostError {}

/// Whether the text after the host is nothing or a port (RFC 3986 section 3.2.3).
fn is_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        Some(digits) => digits.len() <= 5 && digits.bytes().all(|byte| byte.is_ascii_digit()),
        None => text.is_empty(),
    }
}

fn ip_literal(address: &str) -> Option<Host> {
    let address: Ipv6Addr = address.parse().ok()?;
    Some(Host(format!("[{address}]")))
}

fn host_name(text: &str) -> Option<Host> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_label =
        |label: &str| matches!(label.len(), 1..=MAX_LABEL_BYTES) && label.bytes().all(fits);
    (name.len() <= MAX_HOST_BYTES && name.split('.').all(is_label))
        .then(|| Host(name.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTHORITIES: &[(&str, Option<&str>)] = &[
        ("api.example", Some("api.example")),
        ("API.Example", Some("api.example")),
        ("api.example:8443", Some("api.example")),
        ("api.example:", Some("api.example")),
        ("api.example.", Some("api.example")),
        ("api.example.:80", Some("api.example")),
        ("10.0.0.1:80", Some("10.0.0.1")),
        ("[2001:DB8:0::1]:443", Some("[2001:db8::1]")),
        ("[::1]", Some("[::1]")),
        ("", None),
        (".", None),
        ("a..b", None),
        ("::1", None),
        ("[::1", None),
        ("[::1]x", None),
        ("[example]", None),
        ("user@api.example", None),
        ("api.example:80:80", None),
        ("api.example:http", None),
        ("api.example:123456", None),
        ("api.example,evil.example", None),
        ("api example", None),
        ("ünï.example", None),
    ];

    #[test]
    fn reads_an_authority_without_port_case_and_trailing_dot() {
        for (authority, host) in AUTHORITIES {
            let read = Host::of_authority(authority);
            assert_eq!(read.as_ref().map(Host::as_str), *host, "{authority}");
        }
        assert_eq!(Host::of_authority(&"a.".repeat(200)), None);
    }

    #[test]
    fn a_wildcard_names_hosts_below_and_not_the_parent() {
        let pattern = HostPattern::parse("*.Example.com").unwrap();
        for (host, fits) in [
            ("a.example.com", true),
            ("a.b.example.com", true),
            ("example.com", false),
            ("badexample.com", false),
        ] {
            let host = Host::of_authority(host).unwrap();
            assert_eq!(pattern.matches(&host), fits, "{host:?}");
        }
    }

    #[test]
    fn refuses_what_is_no_host_pattern_and_says_why() {
        const CASES: &[(&str, HostError)] = &[
            ("api.example:80", HostError::Port),
            ("[::1]:80", HostError::Port),
            ("*", HostError::Wildcard),
            ("a.*.b", HostError::Wildcard),
            ("*a.example", HostError::Wildcard),
            ("", HostError::Invalid),
            ("*.", HostError::Invalid),
            ("::1", HostError::Invalid),
            ("https://api.example", HostError::Invalid),
        ];
        for (text, error) in CASES {
            assert_eq!(HostPattern::parse(text), Err(*error), "{text}");
        }
    }
}
