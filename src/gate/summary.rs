//! What is kept of a request until its event is written: text, bounded, without the query.

use std::net::{IpAddr, SocketAddr};

use crate::policy::Forwarded;
use crate::reply::is_grpc;
use crate::request::Headers;
use crate::time::Now;

/// The longest path, and the longest other text, that an event carries, in bytes.
const PATH: usize = 1024;
const TEXT: usize = 256;

/// The parts of a request that its event and its reply name.
pub struct Summary {
    pub time: Now,
    /// The caller's address; the port is zero where only the address is known.
    pub source: Option<SocketAddr>,
    /// The address that the connection comes from; none where the host does not say.
    pub peer: Option<IpAddr>,
    pub method: String,
    pub host: String,
    pub path: String,
    pub user_agent: Option<String>,
    pub request_id: Option<String>,
    pub purpose: Option<String>,
    pub grpc: bool,
}

impl Summary {
    pub fn new(headers: &Headers, source: Option<&[u8]>, purpose: Option<&str>, time: Now) -> Self {
        let source = source.and_then(socket_address);
        let mut summary = Self {
            time,
            source,
            // Envoy gives an address that it took from a header the port zero.
            peer: source
                .filter(|source| source.port() != 0)
                .map(|source| source.ip()),
            method: String::new(),
            host: String::new(),
            path: String::new(),
            user_agent: None,
            request_id: None,
            purpose: None,
            grpc: false,
        };
        for (name, value) in headers.iter() {
            summary.note(name, value);
        }
        // Of several none is what the upstream would take for it.
        let purpose = purpose.and_then(|name| headers.only(name));
        summary.purpose = purpose.map(|value| bounded(value, TEXT));
        summary
    }

    /// Takes the caller that trusted proxies name for the source; its port is not known.
    pub fn look_behind(&mut self, forwarded: &Forwarded, headers: &Headers) {
        if let Some(peer) = self.source {
            let caller = forwarded.caller(peer.ip(), headers);
            if caller != peer.ip() {
                self.source = Some(SocketAddr::new(caller, 0));
            }
        }
    }

    fn note(&mut self, name: &[u8], value: &[u8]) {
        match name {
            b":method" => self.method = bounded(value, TEXT),
            b":authority" => self.host = bounded(value, TEXT),
            b":path" => self.path = bounded(without_query(value), PATH),
            b"user-agent" => self.user_agent = Some(bounded(value, TEXT)),
            b"x-request-id" => self.request_id = Some(bounded(value, TEXT)),
            b"content-type" => self.grpc = is_grpc(value),
            _ => {}
        }
    }
}

fn without_query(target: &[u8]) -> &[u8] {
    target
        .split(|byte| matches!(byte, b'?' | b'#'))
        .next()
        .unwrap_or_default()
}

fn bounded(value: &[u8], bytes: usize) -> String {
    let kept = value.get(..bytes).unwrap_or(value);
    match std::str::from_utf8(kept) {
        Ok(text) => text.to_owned(),
        Err(_) => String::from_utf8_lossy(kept).into_owned(),
    }
}

fn socket_address(value: &[u8]) -> Option<SocketAddr> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_no_query_and_no_more_than_the_bounds() {
        let long = "x".repeat(5000);
        let path = format!("/{long}?secret=1");
        let headers = Headers::new([
            (":path", path.as_str()),
            ("user-agent", &long),
            ("x-purpose", "p"),
        ]);
        let summary = Summary::new(
            &headers,
            Some(b"10.0.0.1:80"),
            Some("x-purpose"),
            Now::default(),
        );
        assert_eq!(summary.path.len(), PATH);
        assert!(!summary.path.contains("secret"));
        assert_eq!(summary.user_agent.unwrap().len(), TEXT);
        assert_eq!(summary.purpose.unwrap(), "p");
        assert_eq!(summary.source.unwrap().port(), 80);
    }

    #[test]
    fn sources_are_read_in_both_families_and_nothing_else() {
        assert!(socket_address(b"[2001:db8::1]:443").is_some());
        for other in [&b"/run/pipe.sock"[..], b"10.0.0.1", b"", b"\xff"] {
            assert_eq!(socket_address(other), None);
        }
    }
}
