//! What is asked: a request as it arrived, read once.

use std::net::IpAddr;

use crate::proof::Connection;
use crate::request::{Headers, RequestView, split_target};

/// A request as it arrived.
///
/// Nothing is checked yet: that is what the steps are for. What would be asked of the proxy is asked
/// only where a step needs it.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// All header fields, pseudo-headers included.
    pub headers: &'a Headers,
    /// The method; empty where there is none, or none that can be read.
    pub method: &'a str,
    /// The host, with any port; no host where it cannot be read, which is not the same as none.
    pub authority: &'a str,
    /// The path as it was sent, without its query.
    pub path: &'a [u8],
    /// The query as it was sent; none where there is no `?`.
    pub query: Option<&'a [u8]>,
    /// How many bytes of body it declares.
    pub body_bytes: Option<u64>,
    /// The caller's address; none where the host does not say.
    pub source: Option<IpAddr>,
    /// The address that the connection comes from: the caller's, or a proxy's.
    pub peer: Option<IpAddr>,
    /// What can be asked about the connection.
    pub connection: &'a dyn Connection,
    /// Says which of its clusters the proxy has chosen; none where it has chosen none.
    pub upstream: &'a dyn Fn() -> Option<Vec<u8>>,
}

impl<'a> Request<'a> {
    /// Reads the fields of a request; the rest is what the proxy says of it.
    #[must_use]
    pub fn read(
        headers: &'a Headers,
        source: Option<IpAddr>,
        peer: Option<IpAddr>,
        connection: &'a dyn Connection,
        upstream: &'a dyn Fn() -> Option<Vec<u8>>,
    ) -> Self {
        let (path, query) = split_target(headers.only(":path").unwrap_or_default());
        Self {
            headers,
            method: text(headers.only(":method")),
            authority: authority(headers),
            path,
            query,
            body_bytes: text(headers.only("content-length")).parse().ok(),
            source,
            peer,
            connection,
            upstream,
        }
    }

    /// The request as policy and limits see it, with the query that was read.
    pub(super) fn view(&self, query: Option<&'a str>) -> RequestView<'a> {
        RequestView {
            method: self.method,
            authority: self.authority,
            query,
            headers: self.headers,
            source: self.source,
            body_bytes: self.body_bytes,
        }
    }
}

// Several, or one that is not UTF-8, are no host, which is not the same as none.
fn authority(headers: &Headers) -> &str {
    const UNREADABLE: &str = "\u{fffd}";
    let mut values = headers.all(":authority");
    match (values.next(), values.next()) {
        (None, _) => "",
        (Some(only), None) => std::str::from_utf8(only).unwrap_or(UNREADABLE),
        (Some(_), Some(_)) => UNREADABLE,
    }
}

fn text(value: Option<&[u8]>) -> &str {
    value
        .and_then(|value| std::str::from_utf8(value).ok())
        .unwrap_or_default()
}
