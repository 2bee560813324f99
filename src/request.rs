//! What the gate sees of a request, as bytes: nothing is decoded before it is checked.

use std::net::IpAddr;

/// The header fields of a message in the order received, pseudo-headers included.
///
/// Names are as the host gives them (lower case in Envoy); values are bytes and need not be UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    fields: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Headers {
    /// Takes the fields as they were received.
    #[must_use]
    pub fn new(fields: Vec<(Vec<u8>, Vec<u8>)>) -> Self {
        Self { fields }
    }

    /// Every field in the order received.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields
            .iter()
            .map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// Every value of the fields of that name, compared without case.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, v)| v)
    }

    /// The value of the only field of that name; none where there is no such field or several.
    #[must_use]
    pub fn only<'a>(&'a self, name: &'a str) -> Option<&'a [u8]> {
        let mut values = self.all(name);
        let first = values.next();
        if values.next().is_some() { None } else { first }
    }
}

/// A request as the route policy sees it.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'a> {
    /// The method; CONNECT for HTTP/2 extended CONNECT.
    pub method: &'a str,
    /// The `:authority` or `host` as sent, with any port.
    pub authority: &'a str,
    /// The query without `?`; none where there is no `?`.
    pub query: Option<&'a str>,
    /// All header fields.
    pub headers: &'a Headers,
    /// The caller's address; none where the host does not say.
    pub source: Option<IpAddr>,
    /// How many body bytes the request declares (`content-length`) or, later, has sent so far.
    pub body_bytes: Option<u64>,
}
