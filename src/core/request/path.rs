//! A request path in the one reading that every reader shares, or a refusal.

use std::fmt;

/// The longest path, in bytes as sent.
pub const MAX_PATH_BYTES: usize = 8 * 1024;
/// The most segments of a path.
pub const MAX_SEGMENTS: usize = 256;

/// A path that can be read in one way only, decoded.
///
/// No segment holds a `/` (an encoded one is refused), so the decoded path splits at `/` into
/// exactly the segments that were sent. `/a` and `/a/` differ: the latter ends in an empty segment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NormalPath {
    decoded: String,
    /// As it was sent; none where that is the same.
    sent: Option<String>,
}

impl NormalPath {
    /// Parses the path of a request target, without its query, as it was sent.
    ///
    /// `*` (RFC 9112 section 3.2.4, OPTIONS) is a path without segments that no template matches.
    /// The authority-form of CONNECT is no path and is refused.
    ///
    /// # Errors
    ///
    /// A [`PathError`] where two readers could read the path differently; nothing is repaired.
    ///
    /// ```
    /// use postern_core::request::NormalPath;
    ///
    /// let path = NormalPath::parse(b"/v1/orders/a%20b").unwrap();
    /// assert_eq!(path.as_str(), "/v1/orders/a b");
    /// for two_readings in [&b"/v1/%2e%2e/admin"[..], b"/v1/a%2Fb", b"/v1//orders"] {
    ///     assert!(NormalPath::parse(two_readings).is_err());
    /// }
    /// ```
    pub fn parse(raw: &[u8]) -> Result<Self, PathError> {
        if raw == b"*" {
            return Ok(Self {
                decoded: "*".to_owned(),
                sent: None,
            });
        }
        if raw.len() > MAX_PATH_BYTES {
            return Err(PathError::TooLong { bytes: raw.len() });
        }
        if raw.first() != Some(&b'/') {
            return Err(PathError::NotAbsolute);
        }
        let decoded = decode(raw)?;
        refuse_double_encoding(&decoded)?;
        refuse_segments(&decoded)?;
        let is_encoded = raw.len() != decoded.len();
        let sent = || String::from_utf8(raw.to_vec()).map_err(|_| PathError::NotUtf8);
        let sent = is_encoded.then(sent).transpose()?;
        Ok(Self { decoded, sent })
    }

    /// The decoded segments from the left; none for `*`.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.decoded
            .strip_prefix('/')
            .into_iter()
            .flat_map(|rest| rest.split('/'))
    }

    /// The decoded path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.decoded
    }

    /// The path as it was sent.
    #[must_use]
    pub fn as_sent(&self) -> &str {
        self.sent.as_deref().unwrap_or(&self.decoded)
    }

    /// The decoded path as readers have it that drop path parameters (`;` and what follows,
    /// RFC 3986 section 3.3), after they decode or before; nothing where there are no parameters.
    ///
    /// Servlet containers drop them before they route, most others do not.
    pub fn without_parameters(&self) -> impl Iterator<Item = String> {
        let has_any = |path: &str| path.contains(';');
        let after = has_any(&self.decoded).then(|| without_parameters(&self.decoded));
        let sent = self.sent.as_deref().filter(|sent| has_any(sent));
        let before = sent.and_then(|sent| decode(without_parameters(sent).as_bytes()).ok());
        after.into_iter().chain(before)
    }
}

fn without_parameters(path: &str) -> String {
    let bare: Vec<&str> = path.split('/').map(bare).collect();
    bare.join("/")
}

/// Splits a request target at the first `?` into the path and the query.
#[must_use]
pub fn split_target(raw: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut parts = raw.splitn(2, |&byte| byte == b'?');
    (parts.next().unwrap_or_default(), parts.next())
}

/// Why a path is refused: how two readers could read it differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// It does not start with `/`.
    NotAbsolute,
    /// It is longer than 8 KiB.
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// It has more than 256 segments.
    TooManySegments,
    /// It holds a `#`, which ends the path for some readers, or a `?`, which begins a query.
    Fragment,
    /// It holds a backslash, sent or encoded, which some readers take for a `/`.
    Backslash,
    /// It holds an encoded `/`.
    EncodedSlash,
    /// It holds a control character or NUL, sent or encoded, or a space that is not encoded.
    Control,
    /// A `%` is not followed by two hexadecimal digits.
    InvalidEncoding,
    /// What is left after decoding once is still percent-encoded: another reader that decodes
    /// twice sees another path.
    DoubleEncoding,
    /// The bytes are not UTF-8, overlong forms included.
    NotUtf8,
    /// A segment is `.` or `..`, alone or before a `;`.
    DotSegment,
    /// A segment other than the last is empty, alone or before a `;`.
    EmptySegment,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAbsolute => "the path does not start with /",
            Self::TooLong { bytes } => {
                return write!(f, "the path is {bytes} bytes long, over {MAX_PATH_BYTES}");
            }
            Self::TooManySegments => "the path has more than 256 segments",
            Self::Fragment => "the path holds a # or ?",
            Self::Backslash => "the path holds a backslash",
            Self::EncodedSlash => "the path holds an encoded /",
            Self::Control => "the path holds a control character or a space",
            Self::InvalidEncoding => "the path holds a % without two hexadecimal digits",
            Self::DoubleEncoding => "the path is percent-encoded twice",
            Self::NotUtf8 => "the path is not UTF-8",
            Self::DotSegment => "the path holds a dot segment",
            Self::EmptySegment => "the path holds an empty segment",
        })
    }
}

impl std::error::Error for PathError {}

/// Decodes `%xx` once (RFC 3986 section 2.1), refusing the bytes that readers disagree on.
fn decode(raw: &[u8]) -> Result<String, PathError> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter().copied();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => match percent_byte(bytes.next(), bytes.next()) {
                Some(b'/') => return Err(PathError::EncodedSlash),
                Some(byte) => byte,
                None => return Err(PathError::InvalidEncoding),
            },
            b'#' | b'?' => return Err(PathError::Fragment),
            b' ' => return Err(PathError::Control),
            byte => byte,
        });
    }
    let decoded = String::from_utf8(decoded).map_err(|_| PathError::NotUtf8)?;
    match decoded.chars().find(|&c| c == '\\' || c.is_control()) {
        Some('\\') => Err(PathError::Backslash),
        Some(_) => Err(PathError::Control),
        None => Ok(decoded),
    }
}

/// The byte of two hexadecimal digits.
pub(super) fn percent_byte(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    let value = digit(high)?.checked_mul(16)?.checked_add(digit(low)?)?;
    u8::try_from(value).ok()
}

/// Refuses `%252f` and its kind. Any encoded byte counts, not only `/`, `\`, `.` and NUL: a reader
/// that decodes twice would take `/%2561dmin` for `/admin` while the route table saw `/%61dmin`.
fn refuse_double_encoding(decoded: &str) -> Result<(), PathError> {
    let still_encoded = decoded.as_bytes().windows(3).any(|window| match window {
        [b'%', high, low] => high.is_ascii_hexdigit() && low.is_ascii_hexdigit(),
        _ => false,
    });
    if still_encoded {
        return Err(PathError::DoubleEncoding);
    }
    Ok(())
}

fn refuse_segments(decoded: &str) -> Result<(), PathError> {
    let mut segments = decoded.split('/').skip(1).peekable();
    let mut count = 0_usize;
    while let Some(segment) = segments.next() {
        count = count.saturating_add(1);
        match bare(segment) {
            "." | ".." => return Err(PathError::DotSegment),
            "" if segments.peek().is_some() => return Err(PathError::EmptySegment),
            _ => {}
        }
    }
    if count > MAX_SEGMENTS {
        return Err(PathError::TooManySegments);
    }
    Ok(())
}

/// The segment without its parameters: `..;x` is `..` to a servlet container.
fn bare(segment: &str) -> &str {
    segment.split(';').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: &[(&str, &[&str])] = &[
        ("/", &[""]),
        ("/a", &["a"]),
        ("/a/", &["a", ""]),
        ("/v1/orders/42", &["v1", "orders", "42"]),
        ("/%61%2Db", &["a-b"]),
        ("/caf%C3%A9", &["café"]),
        ("/café", &["café"]),
        ("/a%20b", &["a b"]),
        ("/a+b", &["a+b"]),
        ("/100%25", &["100%"]),
        ("/100%25x", &["100%x"]),
        ("/...", &["..."]),
        ("/.well-known/x", &[".well-known", "x"]),
        ("/a..b", &["a..b"]),
        ("/a%3Fb%23c", &["a?b#c"]),
        ("/a;v=1/b", &["a;v=1", "b"]),
        ("/a;..", &["a;.."]),
        ("*", &[]),
    ];

    const REFUSED: &[(&[u8], PathError)] = &[
        (b"", PathError::NotAbsolute),
        (b"a", PathError::NotAbsolute),
        (b"**", PathError::NotAbsolute),
        (b"api.example:443", PathError::NotAbsolute),
        (b"http://api.example/a", PathError::NotAbsolute),
        (b"%2fa", PathError::NotAbsolute),
        (b"/a%2fb", PathError::EncodedSlash),
        (b"/a%2Fb", PathError::EncodedSlash),
        (b"/a%5cb", PathError::Backslash),
        (b"/a\\b", PathError::Backslash),
        (b"/a%00b", PathError::Control),
        (b"/a\0b", PathError::Control),
        (b"/a%0d%0ab", PathError::Control),
        (b"/a\nb", PathError::Control),
        (b"/a%7fb", PathError::Control),
        (b"/a%C2%85b", PathError::Control),
        (b"/a b", PathError::Control),
        (b"/.", PathError::DotSegment),
        (b"/..", PathError::DotSegment),
        (b"/a/./b", PathError::DotSegment),
        (b"/a/../b", PathError::DotSegment),
        (b"/a/%2e%2e/b", PathError::DotSegment),
        (b"/a/%2E./b", PathError::DotSegment),
        (b"/a/..;/b", PathError::DotSegment),
        (b"/a/..;x=1/b", PathError::DotSegment),
        (b"/a/.%3bx/b", PathError::DotSegment),
        (b"//", PathError::EmptySegment),
        (b"//a", PathError::EmptySegment),
        (b"/a//b", PathError::EmptySegment),
        (b"/a//", PathError::EmptySegment),
        (b"/a/;x/b", PathError::EmptySegment),
        (b"/a%", PathError::InvalidEncoding),
        (b"/a%2", PathError::InvalidEncoding),
        (b"/a%zz", PathError::InvalidEncoding),
        (b"/a%+1", PathError::InvalidEncoding),
        (b"/a%u002f", PathError::InvalidEncoding),
        (b"/a%252fb", PathError::DoubleEncoding),
        (b"/%252e%252e/b", PathError::DoubleEncoding),
        (b"/a%25%35cb", PathError::DoubleEncoding),
        (b"/a%2500", PathError::DoubleEncoding),
        (b"/a%25252fb", PathError::DoubleEncoding),
        (b"/%2561dmin", PathError::DoubleEncoding),
        (b"/%c0%ae%c0%ae/", PathError::NotUtf8),
        (b"/%c0%af", PathError::NotUtf8),
        (b"/%e0%80%af", PathError::NotUtf8),
        (b"/%ff", PathError::NotUtf8),
        (b"/\xff", PathError::NotUtf8),
        (b"/%ed%a0%80", PathError::NotUtf8),
        (b"/a#b", PathError::Fragment),
        (b"/a?b", PathError::Fragment),
    ];

    #[test]
    fn reads_a_path_that_has_one_reading() {
        for (raw, segments) in READ {
            let path = NormalPath::parse(raw.as_bytes()).unwrap();
            assert_eq!(path.segments().collect::<Vec<_>>(), *segments, "{raw}");
        }
    }

    #[test]
    fn refuses_a_path_that_two_readers_could_read_differently() {
        for (raw, error) in REFUSED {
            assert_eq!(
                NormalPath::parse(raw),
                Err(*error),
                "{}",
                raw.escape_ascii()
            );
        }
    }

    #[test]
    fn bounds_bytes_and_segments() {
        let long = vec![b'a'; MAX_PATH_BYTES];
        let long = [b"/", long.as_slice()].concat();
        assert_eq!(
            NormalPath::parse(&long),
            Err(PathError::TooLong { bytes: 8193 })
        );
        assert!(NormalPath::parse("/a".repeat(256).as_bytes()).is_ok());
        assert_eq!(
            NormalPath::parse("/a".repeat(257).as_bytes()),
            Err(PathError::TooManySegments)
        );
    }

    #[test]
    fn splits_a_target_at_the_first_question_mark() {
        assert_eq!(split_target(b"/a"), (&b"/a"[..], None));
        assert_eq!(split_target(b"/a?"), (&b"/a"[..], Some(&b""[..])));
        assert_eq!(split_target(b"/a?b?c"), (&b"/a"[..], Some(&b"b?c"[..])));
    }

    #[test]
    fn drops_parameters_as_a_servlet_container_does() {
        let path = NormalPath::parse(b"/a;v=1/b;w").unwrap();
        assert_eq!(path.without_parameters().collect::<Vec<_>>(), ["/a/b"]);
        let path = NormalPath::parse(b"/a").unwrap();
        assert_eq!(path.without_parameters().count(), 0);
        let path = NormalPath::parse(b"/a;v/b%3Bw;x").unwrap();
        let readings: Vec<String> = path.without_parameters().collect();
        assert_eq!(readings, ["/a/b", "/a/b;w"]);
    }

    #[test]
    fn keeps_what_was_sent() {
        for raw in ["/a", "/caf%C3%A9", "/%61", "*"] {
            assert_eq!(NormalPath::parse(raw.as_bytes()).unwrap().as_sent(), raw);
        }
    }
}
