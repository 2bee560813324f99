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
    pub grpc: bool,
    /// The texts, one behind the other, in one piece of memory.
    texts: String,
    /// Where in `texts` each is that was there.
    spans: [Option<Span>; TEXTS],
}

type Span = (usize, usize);

/// The texts that are kept.
#[derive(Clone, Copy)]
enum Text {
    Method,
    Host,
    Path,
    UserAgent,
    RequestId,
    Purpose,
}

const TEXTS: usize = 6;

impl Summary {
    pub fn new(headers: &Headers, source: Option<&[u8]>, purpose: Option<&str>, time: Now) -> Self {
        let source = source.and_then(socket_address);
        let mut found: [Option<&[u8]>; TEXTS] = [None; TEXTS];
        let mut keep = |text: Text, value| {
            if let Some(place) = found.get_mut(text as usize) {
                *place = value;
            }
        };
        let mut grpc = false;
        for (name, value) in headers.iter() {
            match name {
                b":method" => keep(Text::Method, Some(first(value, TEXT))),
                b":authority" => keep(Text::Host, Some(first(value, TEXT))),
                b":path" => keep(Text::Path, Some(first(without_query(value), PATH))),
                b"user-agent" => keep(Text::UserAgent, Some(first(value, TEXT))),
                b"x-request-id" => keep(Text::RequestId, Some(first(value, TEXT))),
                b"content-type" => grpc = is_grpc(value),
                _ => {}
            }
        }
        // Of several none is what the upstream would take for it.
        let purpose = purpose.and_then(|name| headers.sole(name).one());
        keep(Text::Purpose, purpose.map(|value| first(value, TEXT)));
        let bytes = found.iter().flatten().map(|value| value.len()).sum();
        let mut texts = String::with_capacity(bytes);
        let spans = found.map(|value| value.map(|value| append(&mut texts, value)));
        Self {
            time,
            source,
            // Envoy gives an address that it took from a header the port zero.
            peer: source
                .filter(|source| source.port() != 0)
                .map(|source| source.ip()),
            grpc,
            texts,
            spans,
        }
    }

    pub fn method(&self) -> &str {
        self.text(Text::Method).unwrap_or_default()
    }

    pub fn host(&self) -> &str {
        self.text(Text::Host).unwrap_or_default()
    }

    pub fn path(&self) -> &str {
        self.text(Text::Path).unwrap_or_default()
    }

    pub fn user_agent(&self) -> Option<&str> {
        self.text(Text::UserAgent)
    }

    pub fn request_id(&self) -> Option<&str> {
        self.text(Text::RequestId)
    }

    pub fn purpose(&self) -> Option<&str> {
        self.text(Text::Purpose)
    }

    fn text(&self, text: Text) -> Option<&str> {
        let (start, end) = (*self.spans.get(text as usize)?)?;
        self.texts.get(start..end)
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
}

fn without_query(target: &[u8]) -> &[u8] {
    target
        .split(|byte| matches!(byte, b'?' | b'#'))
        .next()
        .unwrap_or_default()
}

fn first(value: &[u8], bytes: usize) -> &[u8] {
    value.get(..bytes).unwrap_or(value)
}

fn append(texts: &mut String, value: &[u8]) -> Span {
    let start = texts.len();
    match std::str::from_utf8(value) {
        Ok(value) => texts.push_str(value),
        Err(_) => texts.push_str(&String::from_utf8_lossy(value)),
    }
    (start, texts.len())
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
        assert_eq!(summary.path().len(), PATH);
        assert!(!summary.path().contains("secret"));
        assert_eq!(summary.user_agent().unwrap().len(), TEXT);
        assert_eq!(summary.purpose(), Some("p"));
        assert_eq!((summary.method(), summary.request_id()), ("", None));
        assert_eq!(summary.source.unwrap().port(), 80);
    }

    #[test]
    fn what_is_not_utf8_is_replaced_and_moves_nothing_else() {
        let fields: [(&str, &[u8]); 3] = [
            (":path", b"/a\xff\xfeb"),
            (":method", b"GET"),
            ("user-agent", b"\xe2\x82"),
        ];
        let summary = Summary::new(&Headers::new(fields), None, None, Now::default());
        assert_eq!(summary.path(), "/a\u{fffd}\u{fffd}b");
        assert_eq!(summary.method(), "GET");
        assert_eq!(summary.user_agent(), Some("\u{fffd}"));
    }

    #[test]
    fn sources_are_read_in_both_families_and_nothing_else() {
        assert!(socket_address(b"[2001:db8::1]:443").is_some());
        for other in [&b"/run/pipe.sock"[..], b"10.0.0.1", b"", b"\xff"] {
            assert_eq!(socket_address(other), None);
        }
    }
}
