//! What is asked: a request as it arrived, read once.

use std::net::IpAddr;

use crate::proof::Connection;
use crate::request::{Headers, RequestView, split_target};

/// The most bytes of a body that a step can ask for.
pub const BODY_BYTES: usize = 64 * 1024;

/// What the proxy keeps of a request's body by now.
#[derive(Clone, Copy, Debug, Default)]
pub enum KeptBody<'a> {
    /// Nothing that was read.
    #[default]
    Unread,
    /// How it begins; there is more.
    Start(&'a [u8]),
    /// All of it.
    Whole(&'a [u8]),
}

/// A request's body, as a step sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestBody<'a> {
    /// There is none.
    Empty,
    /// This is all of it.
    Whole(&'a [u8]),
    /// It has more bytes than the step asked for.
    TooLong,
}

/// Of the body, so many bytes and one more have to be read first, or all if it has fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread(pub usize);

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
    /// What there is of the body by now.
    pub kept: KeptBody<'a>,
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
            kept: KeptBody::Unread,
            source,
            peer,
            connection,
            upstream,
        }
    }

    /// The body, of which a step can use `most` bytes ([`BODY_BYTES`] at most).
    ///
    /// # Errors
    ///
    /// It was not read that far: with `?` the step asks for it, and the request is held and decided
    /// anew when it is there.
    pub fn body(&self, most: usize) -> Result<RequestBody<'a>, Unread> {
        let most = most.min(BODY_BYTES);
        let is_other = |bytes: &[u8]| self.body_bytes.is_some_and(|n| n != size(bytes.len()));
        match self.kept {
            // A proxy that gives another body than it announced has not given it.
            KeptBody::Whole(bytes) if is_other(bytes) => Err(Unread(most)),
            KeptBody::Whole([]) => Ok(RequestBody::Empty),
            KeptBody::Whole(bytes) if bytes.len() <= most => Ok(RequestBody::Whole(bytes)),
            KeptBody::Whole(_) => Ok(RequestBody::TooLong),
            KeptBody::Start(bytes) if bytes.len() > most => Ok(RequestBody::TooLong),
            _ if self.body_bytes.is_some_and(|n| n > size(most)) => Ok(RequestBody::TooLong),
            KeptBody::Unread | KeptBody::Start(_) => Err(Unread(most)),
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

fn size(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn text(value: Option<&[u8]>) -> &str {
    value
        .and_then(|value| std::str::from_utf8(value).ok())
        .unwrap_or_default()
}
