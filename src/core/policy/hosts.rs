//! Hosts: of a request, and as a route names them.
//!
//! A host is compared as it came, case aside, since that is how a proxy chooses its virtual host:
//! `api.example:8443`, `api.example:` and `api.example.` are hosts of their own, although other
//! readers take each for `api.example` (RFC 3986 section 6.2.3, RFC 1034 section 3.1). Those
//! readings are in [`Authority::readings`].

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;

use crate::base::WrongText;

/// The longest host name (RFC 1035 section 2.3.4).
const MAX_HOST_BYTES: usize = 253;
const MAX_LABEL_BYTES: usize = 63;

/// The host of a request with whatever port it came with: lower case, and else as it came.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Authority {
    text: String,
    /// Where the port begins, with its colon.
    port: usize,
}

impl Authority {
    /// Parses an `:authority` or `host` field as it was sent.
    ///
    /// None for what is no host.
    #[must_use]
    pub fn of(authority: &str) -> Option<Self> {
        let port = match authority.rfind(']') {
            Some(end) => end.checked_add(1)?,
            None => authority.find(':').unwrap_or(authority.len()),
        };
        let (name, digits) = authority.split_at_checked(port)?;
        let is_host = is_port(digits) && (is_host_name(name) || ip_literal(name).is_some());
        is_host.then(|| Self {
            text: authority.to_ascii_lowercase(),
            port,
        })
    }

    /// The host as it is compared, with its port.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host without its port; a trailing dot stays.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text.get(..self.port).unwrap_or_default()
    }

    /// The port with its colon; empty where there is none.
    #[must_use]
    pub fn port(&self) -> &str {
        self.text.get(self.port..).unwrap_or_default()
    }

    /// The name where `name:*` fits: with a port, or none, but not an empty one.
    pub(super) fn name_of_any_port(&self) -> Option<&str> {
        (self.port() != ":").then(|| self.name())
    }

    /// What is above the host, nearest first, each as it came and, where `name:*` may fit, without
    /// its port: `b.c:80` and `b.c`, then `c:80` and `c` for `a.b.c:80`.
    pub(super) fn parents(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let dots = self.name().match_indices('.');
        dots.filter_map(|(dot, _)| {
            let below = dot.checked_add(1)?;
            let name = self.name_of_any_port().and_then(|name| name.get(below..));
            Some((self.text.get(below..)?, name))
        })
    }

    /// The host as other readers have it, that drop a trailing dot or the port, read the port as a
    /// number, or an IPv6 address as one; nothing where all read it as it came.
    pub(super) fn readings(&self) -> Vec<Self> {
        let (name, port) = (self.name(), self.port());
        let address = ip_literal(name);
        let bare = address.as_deref().or_else(|| name.strip_suffix('.'));
        let number = match port.trim_start_matches([':', '0']) {
            "" => String::new(),
            digits => format!(":{digits}"),
        };
        let mut readings = Vec::new();
        for name in [name, bare.unwrap_or(name)] {
            for port in [port, &number, ""] {
                let reading = Self {
                    text: format!("{name}{port}"),
                    port: name.len(),
                };
                if reading != *self && !readings.contains(&reading) {
                    readings.push(reading);
                }
            }
        }
        readings
    }
}

/// A host as a route names it: exact, or every name below another; with that port, with none, or
/// with any or none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPattern {
    host: Authority,
    is_below: bool,
    any_port: bool,
}

impl HostPattern {
    /// Parses `api.example`, `*.example`, `10.0.0.1` or `[2001:db8::1]`, with a port such as
    /// `:8443`, or `:*` for any or none. Case does not matter.
    ///
    /// # Errors
    ///
    /// A [`AuthorityError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, AuthorityError> {
        let (rest, is_below) = match text.strip_prefix("*.") {
            Some(parent) => (parent, true),
            None => (text, false),
        };
        let (rest, any_port) = match rest.strip_suffix(":*") {
            Some(name) => (name, true),
            None => (rest, false),
        };
        let host = Authority::of(rest).ok_or_else(|| AuthorityError::of(rest))?;
        if any_port && !host.port().is_empty() {
            return Err(AuthorityError::Port);
        }
        // Nothing is below an address.
        if is_below && host.text.starts_with('[') {
            return Err(AuthorityError::Invalid);
        }
        Ok(Self {
            host,
            is_below,
            any_port,
        })
    }

    /// Whether the pattern names that host.
    #[must_use]
    pub fn matches(&self, host: &Authority) -> bool {
        let named = self.host.as_str();
        let fits = |as_it_came: &str, name: Option<&str>| {
            let text = if self.any_port {
                name
            } else {
                Some(as_it_came)
            };
            text == Some(named)
        };
        if self.is_below {
            return host.parents().any(|(parent, name)| fits(parent, name));
        }
        fits(host.as_str(), host.name_of_any_port())
    }

    /// The host, or what all its hosts are below; without a port where any fits.
    #[must_use]
    pub const fn host(&self) -> &Authority {
        &self.host
    }

    /// Whether it names every host below [`Self::host`], one label or more, instead of that one.
    #[must_use]
    pub const fn is_below(&self) -> bool {
        self.is_below
    }

    /// Whether it names every port, and none.
    #[must_use]
    pub const fn any_port(&self) -> bool {
        self.any_port
    }

    /// A host that it names.
    #[must_use]
    pub fn example(&self) -> String {
        let below = if self.is_below { "x." } else { "" };
        format!("{below}{}", self.host.as_str())
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_below { "*." } else { "" })?;
        f.write_str(self.host.as_str())?;
        f.write_str(if self.any_port { ":*" } else { "" })
    }
}

/// Why a text is no host pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorityError {
    /// It is no host name.
    Invalid,
    /// What follows the host is no port.
    Port,
    /// It has a `*` elsewhere than as the whole first label or the whole port.
    Wildcard,
}

impl AuthorityError {
    /// Why that text, without what may stand around a host, is none.
    fn of(text: &str) -> Self {
        if text.contains('*') {
            return Self::Wildcard;
        }
        match text.rsplit_once(':') {
            Some((name, port)) if Authority::of(name).is_some() && !port.contains('/') => {
                Self::Port
            }
            _ => Self::Invalid,
        }
    }
}

impl fmt::Display for AuthorityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => "is no host",
            Self::Port => "has what is no port",
            Self::Wildcard => "has a * inside",
        })
    }
}

impl WrongText for AuthorityError {
    fn remedy(&self) -> Cow<'static, str> {
        let remedy = match self {
            Self::Invalid => {
                "a host is api.example, *.example, 10.0.0.1 or [2001:db8::1], with a port where it has one"
            }
            Self::Port => "a port is such as :8443, or :* for any port or none",
            Self::Wildcard => {
                "a wildcard is the whole first label, such as *.example, or the whole port, such as api.example:*"
            }
        };
        remedy.into()
    }
}

impl std::error::Error for AuthorityError {}

/// Whether the text after the host is nothing or a port (RFC 3986 section 3.2.3).
fn is_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        Some(digits) => digits.len() <= 5 && digits.bytes().all(|byte| byte.is_ascii_digit()),
        None => text.is_empty(),
    }
}

/// The address in brackets, in the one spelling of RFC 5952.
fn ip_literal(text: &str) -> Option<String> {
    let address = text.strip_prefix('[')?.strip_suffix(']')?;
    let address: Ipv6Addr = address.parse().ok()?;
    Some(format!("[{address}]"))
}

fn is_host_name(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_label =
        |label: &str| matches!(label.len(), 1..=MAX_LABEL_BYTES) && label.bytes().all(fits);
    name.len() <= MAX_HOST_BYTES && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An authority, and its name and port as they are compared.
    const AUTHORITIES: &[(&str, Option<(&str, &str)>)] = &[
        ("api.example", Some(("api.example", ""))),
        ("API.Example", Some(("api.example", ""))),
        ("api.example:8443", Some(("api.example", ":8443"))),
        ("api.example:", Some(("api.example", ":"))),
        ("api.example.", Some(("api.example.", ""))),
        ("api.example.:80", Some(("api.example.", ":80"))),
        ("10.0.0.1:80", Some(("10.0.0.1", ":80"))),
        ("[2001:DB8:0::1]:443", Some(("[2001:db8:0::1]", ":443"))),
        ("[::1]", Some(("[::1]", ""))),
        ("", None),
        (".", None),
        ("a..b", None),
        ("a..", None),
        ("::1", None),
        ("[::1", None),
        ("::1]", None),
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
    fn reads_an_authority_as_it_came_but_for_case() {
        for (authority, expected) in AUTHORITIES {
            let host = Authority::of(authority);
            let read = host.as_ref().map(|host| (host.name(), host.port()));
            assert_eq!(read, *expected, "{authority}");
        }
        assert_eq!(Authority::of(&"a.".repeat(200)), None);
    }

    #[test]
    fn says_how_others_read_a_host() {
        const CASES: &[(&str, &[&str])] = &[
            ("api.example", &[]),
            ("[::1]", &[]),
            ("api.example:80", &["api.example"]),
            ("api.example:", &["api.example"]),
            ("api.example:080", &["api.example:80", "api.example"]),
            ("api.example.", &["api.example"]),
            (
                "api.example.:80",
                &["api.example.", "api.example:80", "api.example"],
            ),
            ("[0:0::1]", &["[::1]"]),
        ];
        for (authority, expected) in CASES {
            let host = Authority::of(authority).unwrap();
            let readings = host.readings();
            let readings: Vec<&str> = readings.iter().map(Authority::as_str).collect();
            assert_eq!(readings, *expected, "{authority}");
        }
    }

    /// A pattern, hosts that it names, and hosts that it does not.
    const PATTERNS: &[(&str, &[&str], &[&str])] = &[
        (
            "api.example",
            &["api.example", "API.Example"],
            &[
                "api.example:80",
                "api.example:",
                "api.example.",
                "x.api.example",
            ],
        ),
        (
            "Api.example:8443",
            &["api.example:8443"],
            &["api.example", "api.example:08443", "api.example.:8443"],
        ),
        (
            "api.example:*",
            &["api.example", "api.example:1"],
            &["api.example:", "api.example.", "api.example.:80"],
        ),
        ("api.example.", &["api.example."], &["api.example"]),
        ("api.example:", &["api.example:"], &["api.example"]),
        (
            "*.Example.com",
            &["a.example.com", "a.b.example.com"],
            &[
                "example.com",
                "badexample.com",
                "a.example.com:80",
                "a.example.com.",
            ],
        ),
        (
            "*.example.com:8443",
            &["a.example.com:8443"],
            &["a.example.com", "a.example.com:1", "example.com:8443"],
        ),
        (
            "*.example.com:*",
            &["a.example.com", "a.b.example.com:8443"],
            &["a.example.com:", "a.example.com.:1", "example.com:8443"],
        ),
        ("[::1]:*", &["[::1]", "[::1]:80"], &["[0::1]", "[::2]"]),
    ];

    #[test]
    fn a_pattern_names_hosts_as_they_came() {
        for (pattern, fits, does_not) in PATTERNS {
            let pattern = HostPattern::parse(pattern).unwrap();
            let matches = |host: &&&str| pattern.matches(&Authority::of(host).unwrap());
            assert_eq!(fits.iter().find(|host| !matches(host)), None, "{pattern}");
            assert_eq!(does_not.iter().find(matches), None, "{pattern}");
            assert!(pattern.matches(&Authority::of(&pattern.example()).unwrap()));
        }
    }

    #[test]
    fn refuses_what_is_no_host_pattern_and_says_why() {
        const CASES: &[(&str, AuthorityError)] = &[
            ("api.example:http", AuthorityError::Port),
            ("api.example:80:*", AuthorityError::Port),
            ("[::1]:123456", AuthorityError::Port),
            ("*", AuthorityError::Wildcard),
            ("a.*.b", AuthorityError::Wildcard),
            ("*a.example", AuthorityError::Wildcard),
            ("api.example:8*", AuthorityError::Wildcard),
            ("", AuthorityError::Invalid),
            ("*.", AuthorityError::Invalid),
            ("*.[::1]", AuthorityError::Invalid),
            ("::1", AuthorityError::Invalid),
            ("https://api.example", AuthorityError::Invalid),
        ];
        for (text, error) in CASES {
            assert_eq!(HostPattern::parse(text), Err(*error), "{text}");
        }
    }
}
