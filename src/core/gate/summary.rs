//! What is kept of a request until its event is written: text, bounded, without the query.

use std::net::{IpAddr, SocketAddr};

use crate::base::Now;
use crate::base::printable::{self, is_printable_ascii};
use crate::decision::is_grpc;
use crate::policy::Forwarded;
use crate::request::Headers;

/// The longest path, and the longest other text, that an event carries, in bytes of the request.
const PATH: usize = 1024;
const TEXT: usize = 256;

/// How much of a longer path stays of its end, behind [`CUT`].
const END: usize = 384;
const CUT: &str = "\u{2026}";

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
    spans: [Option<BytesOf>; TEXTS],
    /// How long the path is; none where all of it is kept.
    pub path_bytes: Option<u64>,
}

type BytesOf = (usize, usize);

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
                b":path" => keep(Text::Path, Some(without_query(value))),
                b"user-agent" => keep(Text::UserAgent, Some(first(value, TEXT))),
                b"x-request-id" => keep(Text::RequestId, Some(first(value, TEXT))),
                b"content-type" => grpc = is_grpc(value),
                _ => {}
            }
        }
        // Of several none is what the upstream would take for it.
        let purpose = purpose.and_then(|name| headers.sole(name).one());
        keep(Text::Purpose, purpose.map(|value| first(value, TEXT)));
        let path = found.get_mut(Text::Path as usize).and_then(Option::as_mut);
        let is_cut = path.as_ref().is_some_and(|path| path.len() > PATH);
        let path_bytes = path
            .as_ref()
            .filter(|_| is_cut)
            .and_then(|path| u64::try_from(path.len()).ok());
        // Nearly every path is kept as it is.
        let shown = path.as_ref().and_then(|path| shorter(path));
        if let (Some(path), Some(shown)) = (path, &shown) {
            *path = shown;
        }
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
            path_bytes,
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

/// A path without its parameters, of which the `;` stays, and without its middle where it is long;
/// none where it has neither. Like the query, parameters may hold what is secret (RFC 3986 section
/// 3.3 has them, and `;jsessionid=` and `;access_token=` are sent).
fn shorter(path: &[u8]) -> Option<Vec<u8>> {
    if path.len() <= PATH && !path.contains(&b';') {
        return None;
    }
    let mut short = Vec::with_capacity(path.len().min(2 * PATH));
    let mut in_parameter = false;
    for byte in path {
        in_parameter &= *byte != b'/';
        if !in_parameter {
            short.push(*byte);
        }
        in_parameter |= *byte == b';';
    }
    if short.len() > PATH {
        let end = short.split_off(short.len().saturating_sub(END));
        short.truncate(PATH.saturating_sub(END));
        short.extend_from_slice(CUT.as_bytes());
        short.extend_from_slice(&end);
    }
    Some(short)
}

fn first(value: &[u8], bytes: usize) -> &[u8] {
    value.get(..bytes).unwrap_or(value)
}

fn append(texts: &mut String, value: &[u8]) -> BytesOf {
    let start = texts.len();
    match std::str::from_utf8(value) {
        Ok(value) if is_printable_ascii(value.as_bytes()) => texts.push_str(value),
        _ => printable::append(texts, value),
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
        let kept = PATH - END - 1;
        let expected = format!("/{}{CUT}{}", &long[..kept], &long[..END]);
        assert_eq!(summary.path(), expected);
        assert_eq!(summary.path_bytes, Some(5001));
        assert!(!summary.path().contains("secret"));
        assert_eq!(summary.user_agent().unwrap().len(), TEXT);
        assert_eq!(summary.purpose(), Some("p"));
        assert_eq!((summary.method(), summary.request_id()), ("", None));
        assert_eq!(summary.source.unwrap().port(), 80);
    }

    #[test]
    fn a_path_that_is_cut_keeps_its_end_and_says_so() {
        let of = |path: String| {
            let headers = Headers::new([(":path", path.as_str())]);
            let summary = Summary::new(&headers, None, None, Now::default());
            (summary.path().to_owned(), summary.path_bytes)
        };
        let whole = format!("/{}", "x".repeat(PATH - 1));
        assert_eq!(of(whole.clone()), (whole.clone(), None));
        let (path, bytes) = of(format!("{whole}/admin/delete?a"));
        assert_eq!(bytes, Some(PATH as u64 + 13));
        assert!(path.starts_with("/xxx") && path.ends_with("xxx/admin/delete"));
        assert_eq!(path.chars().filter(|c| *c == '\u{2026}').count(), 1);
        assert!(path.len() <= PATH + CUT.len());
    }

    #[test]
    fn parameters_of_a_path_are_kept_as_little_as_a_query() {
        for (path, shown) in [
            ("/a;access_token=x", "/a;"),
            ("/a;v=1/b;w;x=y/c?d;e", "/a;/b;/c"),
            ("/;", "/;"),
            (";x", ";"),
        ] {
            let headers = Headers::new([(":path", path)]);
            let summary = Summary::new(&headers, None, None, Now::default());
            assert_eq!(summary.path(), shown);
            assert_eq!(summary.path_bytes, None);
        }
    }

    #[test]
    fn what_is_not_printable_is_escaped_and_moves_nothing_else() {
        let fields: [(&str, &[u8]); 3] = [
            (":path", b"/a\xff\xfeb"),
            (":method", b"GET"),
            ("user-agent", "\u{202e}\u{e9}\u{85}\t".as_bytes()),
        ];
        let summary = Summary::new(&Headers::new(fields), None, None, Now::default());
        assert_eq!(summary.path(), "/a%FF%FEb");
        assert_eq!(summary.method(), "GET");
        assert_eq!(summary.user_agent(), Some("%E2%80%AE\u{e9}%C2%85%09"));
    }

    #[test]
    fn sources_are_read_in_both_families_and_nothing_else() {
        assert!(socket_address(b"[2001:db8::1]:443").is_some());
        for other in [&b"/run/pipe.sock"[..], b"10.0.0.1", b"", b"\xff"] {
            assert_eq!(socket_address(other), None);
        }
    }
}
