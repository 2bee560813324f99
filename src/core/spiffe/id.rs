//! SPIFFE IDs and trust domains (SPIFFE-ID sections 2.1 to 2.4).

use std::{borrow::Borrow, fmt};

/// What every SPIFFE ID begins with.
pub(super) const SCHEME: &str = "spiffe://";

const MAX_BYTES: usize = 2048;
const MAX_TRUST_DOMAIN_BYTES: usize = 255;

/// The name of a trust domain, such as `prod.example`.
///
/// It borrows as `str`, so a map by trust domain can be asked with a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrustDomain(Box<str>);

/// The identity of a workload, or (without a path) of a trust domain itself.
///
/// There is one form for each identity, so equal texts are equal identities and the others are
/// not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SpiffeId {
    trust_domain: TrustDomain,
    text: Box<str>,
}

/// Why a text is no SPIFFE ID. Segments are counted from zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpiffeIdError {
    /// It has this many bytes; 2048 are the most.
    TooLong(usize),
    /// It does not begin with `spiffe://` in lower case.
    Scheme,
    /// There is no trust domain.
    TrustDomainEmpty,
    /// The trust domain has this many bytes; 255 are the most.
    TrustDomainTooLong(usize),
    /// The trust domain holds this character: an upper-case letter, the mark of a port, a user, a
    /// query or a fragment, a percent sign, or something else that has no place there.
    TrustDomainCharacter(char),
    /// The path ends with a slash.
    TrailingSlash,
    /// This segment is empty.
    SegmentEmpty(usize),
    /// This segment is `.` or `..`.
    SegmentDots(usize),
    /// A segment holds a character that has no place in a path.
    SegmentCharacter {
        /// The segment.
        segment: usize,
        /// The character.
        character: char,
    },
}

impl TrustDomain {
    /// Reads a name without scheme and path.
    ///
    /// # Errors
    ///
    /// It must be 1 to 255 lower-case letters, digits, dots, dashes and underscores. Upper case is
    /// refused, not folded: two spellings of one name are one too many.
    pub fn parse(name: &str) -> Result<Self, SpiffeIdError> {
        check_trust_domain(name)?;
        Ok(Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SpiffeId {
    /// Reads a SPIFFE ID.
    ///
    /// # Errors
    ///
    /// A [`SpiffeIdError`] for whatever is not in the one form that there is; nothing is repaired.
    ///
    /// ```
    /// use postern_core::spiffe::SpiffeId;
    ///
    /// let id = SpiffeId::parse("spiffe://prod.example/ns/pay/sa/batch").unwrap();
    /// assert_eq!(id.trust_domain().as_str(), "prod.example");
    /// assert_eq!(id.segments().last(), Some("batch"));
    /// assert!(SpiffeId::parse("spiffe://Prod.example/ns/pay").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, SpiffeIdError> {
        let (trust_domain, path) = split(text)?;
        let trust_domain = TrustDomain::parse(trust_domain)?;
        for (index, segment) in segments(path).enumerate() {
            check_segment(index, segment)?;
        }
        Ok(Self {
            trust_domain,
            text: text.into(),
        })
    }

    /// The whole ID.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The trust domain it belongs to.
    #[must_use]
    pub const fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The path with its first slash, such as `/ns/pay/sa/batch`; empty for a trust domain itself.
    #[must_use]
    pub fn path(&self) -> &str {
        let path_at = SCHEME.len().saturating_add(self.trust_domain.0.len());
        self.text.get(path_at..).unwrap_or_default()
    }

    /// The segments of the path, each of at least one character; none for a trust domain itself.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        segments(self.path().strip_prefix('/'))
    }
}

/// The trust domain, and the path without its first slash where there is one; neither is checked.
pub(super) fn split(text: &str) -> Result<(&str, Option<&str>), SpiffeIdError> {
    if text.len() > MAX_BYTES {
        return Err(SpiffeIdError::TooLong(text.len()));
    }
    let rest = text.strip_prefix(SCHEME).ok_or(SpiffeIdError::Scheme)?;
    match rest.split_once('/') {
        // With nothing before the slash it is the trust domain that is missing.
        Some((trust_domain, path)) if path.is_empty() || path.ends_with('/') => {
            check_trust_domain(trust_domain)?;
            Err(SpiffeIdError::TrailingSlash)
        }
        Some((trust_domain, path)) => Ok((trust_domain, Some(path))),
        None => Ok((rest, None)),
    }
}

/// The segments of a path without its first slash.
pub(super) fn segments(path: Option<&str>) -> impl Iterator<Item = &str> {
    path.into_iter().flat_map(|path| path.split('/'))
}

/// Checks one segment.
pub(super) fn check_segment(index: usize, segment: &str) -> Result<(), SpiffeIdError> {
    match segment {
        "" => Err(SpiffeIdError::SegmentEmpty(index)),
        "." | ".." => Err(SpiffeIdError::SegmentDots(index)),
        _ => match segment.chars().find(|character| !is_path(*character)) {
            Some(character) => Err(SpiffeIdError::SegmentCharacter {
                segment: index,
                character,
            }),
            None => Ok(()),
        },
    }
}

fn check_trust_domain(name: &str) -> Result<(), SpiffeIdError> {
    if name.is_empty() {
        return Err(SpiffeIdError::TrustDomainEmpty);
    }
    if name.len() > MAX_TRUST_DOMAIN_BYTES {
        return Err(SpiffeIdError::TrustDomainTooLong(name.len()));
    }
    match name.chars().find(|character| !is_trust_domain(*character)) {
        Some(character) => Err(SpiffeIdError::TrustDomainCharacter(character)),
        None => Ok(()),
    }
}

const fn is_trust_domain(character: char) -> bool {
    matches!(character, 'a'..='z' | '0'..='9' | '.' | '-' | '_')
}

const fn is_path(character: char) -> bool {
    is_trust_domain(character) || character.is_ascii_uppercase()
}

impl Borrow<str> for TrustDomain {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for SpiffeIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(bytes) => {
                write!(f, "has {bytes} bytes; at most {MAX_BYTES} are accepted")
            }
            Self::Scheme => f.write_str("does not begin with spiffe:// in lower case"),
            Self::TrustDomainEmpty => f.write_str("has no trust domain"),
            Self::TrustDomainTooLong(bytes) => write!(
                f,
                "has a trust domain of {bytes} bytes; at most {MAX_TRUST_DOMAIN_BYTES} are accepted"
            ),
            Self::TrustDomainCharacter(character) => write!(
                f,
                "has the character '{}' in its trust domain; lower-case letters, digits, dots, dashes and underscores are accepted",
                character.escape_default()
            ),
            Self::TrailingSlash => f.write_str("ends with a slash"),
            Self::SegmentEmpty(segment) => write!(f, "has an empty path segment {segment}"),
            Self::SegmentDots(segment) => {
                write!(f, "has the path segment {segment} of dots alone")
            }
            Self::SegmentCharacter { segment, character } => write!(
                f,
                "has the character '{}' in its path segment {segment}; letters, digits, dots, dashes and underscores are accepted",
                character.escape_default()
            ),
        }
    }
}

impl std::error::Error for SpiffeIdError {}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "spiffe://prod.example/ns/a-b/sa/r_1";

    /// For each position of the template, how many of the 128 ASCII bytes may stand there: one in
    /// the scheme, 39 for a trust domain, 65 for a path, and one more where a slash may stand.
    const ACCEPTED: &[(&str, usize)] = &[
        ("spiffe://", 1),
        ("p", 39),
        ("rod.exampl", 40),
        ("e", 39),
        ("/", 40),
        ("ns", 65),
        ("/", 66),
        ("a", 65),
        ("-", 66),
        ("b", 65),
        ("/", 66),
        ("sa", 65),
        ("/", 66),
        ("r", 65),
        ("_", 66),
        ("1", 65),
    ];

    const OTHERS: &[char] = &[
        '\u{80}', 'é', 'ａ', '\u{2024}', '\u{2215}', '\u{202e}', '😀',
    ];

    /// Where a reader is that goes from byte to byte; written apart from the parser, which cuts.
    #[derive(Clone, Copy)]
    enum Reader {
        Scheme(usize),
        DomainStart,
        Domain(usize),
        SegmentStart,
        OneDot,
        TwoDots,
        Segment,
        Refused,
    }

    fn step(reader: Reader, byte: u8) -> Reader {
        const DOMAIN: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789._-";
        const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let domain = DOMAIN.contains(&byte);
        let path = domain || UPPER.contains(&byte);
        match (reader, byte) {
            (Reader::Scheme(8), b'/') => Reader::DomainStart,
            (Reader::Scheme(at), _) if SCHEME.as_bytes()[at] == byte => Reader::Scheme(at + 1),
            (Reader::DomainStart, _) if domain => Reader::Domain(1),
            (Reader::Domain(_) | Reader::Segment, b'/') => Reader::SegmentStart,
            (Reader::Domain(length), _) if domain && length < 255 => Reader::Domain(length + 1),
            (Reader::SegmentStart, b'.') => Reader::OneDot,
            (Reader::OneDot, b'.') => Reader::TwoDots,
            (Reader::SegmentStart | Reader::OneDot | Reader::TwoDots | Reader::Segment, _)
                if path =>
            {
                Reader::Segment
            }
            _ => Reader::Refused,
        }
    }

    fn is_id(text: &str) -> bool {
        let end = text.bytes().fold(Reader::Scheme(0), step);
        text.len() <= 2048 && matches!(end, Reader::Domain(_) | Reader::Segment)
    }

    #[track_caller]
    fn agree(text: &str) -> bool {
        let parsed = SpiffeId::parse(text);
        assert_eq!(parsed.is_ok(), is_id(text), "{text:?}: {parsed:?}");
        if let Ok(id) = &parsed {
            let path: String = id.segments().map(|segment| format!("/{segment}")).collect();
            assert_eq!(id.as_str(), text);
            assert_eq!(path, id.path());
            assert_eq!(format!("spiffe://{}{path}", id.trust_domain()), text);
        }
        parsed.is_ok()
    }

    fn with(position: usize, character: char, kept_from: usize) -> String {
        let (before, after) = (&TEMPLATE[..position], &TEMPLATE[kept_from..]);
        format!("{before}{character}{after}")
    }

    #[test]
    fn every_ascii_byte_in_every_position_is_taken_or_refused_as_the_standard_has_it() {
        let expected = ACCEPTED
            .iter()
            .flat_map(|(text, count)| vec![*count; text.len()]);
        let spelled: String = ACCEPTED.iter().map(|(text, _)| *text).collect();
        assert_eq!(spelled, TEMPLATE);
        for (position, expected) in expected.enumerate() {
            let accepted = (0..128_u8)
                .filter(|byte| agree(&with(position, char::from(*byte), position + 1)))
                .count();
            assert_eq!(accepted, expected, "position {position}");
        }
    }

    #[test]
    fn every_ascii_byte_put_in_anywhere_is_taken_or_refused_as_the_standard_has_it() {
        for position in 0..=TEMPLATE.len() {
            for byte in 0..128_u8 {
                agree(&with(position, char::from(byte), position));
            }
        }
    }

    #[test]
    fn no_other_character_is_taken_anywhere() {
        for position in 0..=TEMPLATE.len() {
            for character in OTHERS {
                assert!(!agree(&with(position, *character, position)));
            }
        }
    }

    #[test]
    fn an_error_says_what_is_wrong_and_where() {
        use SpiffeIdError as E;
        let cases: &[(&str, E)] = &[
            ("", E::Scheme),
            ("spiffe:/prod.example/a", E::Scheme),
            ("SPIFFE://prod.example/a", E::Scheme),
            ("Spiffe://prod.example/a", E::Scheme),
            (" spiffe://prod.example/a", E::Scheme),
            ("https://prod.example/a", E::Scheme),
            ("spiffe://", E::TrustDomainEmpty),
            ("spiffe:///", E::TrustDomainEmpty),
            ("spiffe:///a", E::TrustDomainEmpty),
            ("spiffe://Prod.example/a", E::TrustDomainCharacter('P')),
            ("spiffe://prod.example:443/a", E::TrustDomainCharacter(':')),
            ("spiffe://me@prod.example/a", E::TrustDomainCharacter('@')),
            ("spiffe://prod%2eexample/a", E::TrustDomainCharacter('%')),
            ("spiffe://prod.example?a", E::TrustDomainCharacter('?')),
            ("spiffe://prod.example#a", E::TrustDomainCharacter('#')),
            ("spiffe://[::1]/a", E::TrustDomainCharacter('[')),
            ("spiffe://prod.example/", E::TrailingSlash),
            ("spiffe://prod.example/a/", E::TrailingSlash),
            ("spiffe://prod.example//a", E::SegmentEmpty(0)),
            ("spiffe://prod.example/a//b", E::SegmentEmpty(1)),
            ("spiffe://prod.example/./a", E::SegmentDots(0)),
            ("spiffe://prod.example/a/..", E::SegmentDots(1)),
        ];
        for (text, expected) in cases {
            assert_eq!(SpiffeId::parse(text), Err(expected.clone()), "{text}");
        }
        for character in ['%', '?', '#', '*', '~', '\n', 'é'] {
            let error = SpiffeId::parse(&format!("spiffe://prod.example/a/b{character}c"));
            let expected = E::SegmentCharacter {
                segment: 1,
                character,
            };
            assert_eq!(error, Err(expected.clone()));
            assert!(expected.to_string().is_ascii() && !expected.to_string().contains('\n'));
        }
    }

    #[test]
    fn dots_dashes_and_numbers_are_names_like_any_other() {
        for text in [
            "spiffe://a",
            "spiffe://...",
            "spiffe://127.0.0.1/a",
            "spiffe://-_./-",
            "spiffe://a/...",
            "spiffe://a/.b/..c/d.",
            "spiffe://a/A/0/_",
        ] {
            assert!(agree(text));
        }
        let domain = SpiffeId::parse("spiffe://prod.example").unwrap();
        assert_eq!((domain.path(), domain.segments().count()), ("", 0));
    }

    #[test]
    fn lengths_are_bounded() {
        let id = |domain: usize, path: usize| {
            format!("spiffe://{}/{}", "d".repeat(domain), "p".repeat(path))
        };
        assert!(agree(&id(255, 1)));
        let error = SpiffeId::parse(&id(256, 1));
        assert_eq!(error, Err(SpiffeIdError::TrustDomainTooLong(256)));
        assert!(agree(&id(1, 2037)));
        let error = SpiffeId::parse(&id(1, 2038));
        assert_eq!(error, Err(SpiffeIdError::TooLong(2049)));
    }

    #[cfg(not(target_family = "wasm"))]
    proptest::proptest! {
        #[test]
        fn any_text_is_taken_or_refused_as_a_reader_of_bytes_does(text in "spiffe://[a-zA._/-]{0,12}\\PC{0,2}") {
            agree(&text);
        }
    }
}
