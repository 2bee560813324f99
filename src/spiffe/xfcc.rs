//! The `x-forwarded-client-cert` field, as Envoy writes it: what proxies before this one say of
//! the certificates that their callers presented.
//!
//! ```text
//! xfcc    = element *( "," element )
//! element = *( SP / HTAB ) pair *( ";" pair )
//! pair    = key "=" ( quoted / bare )
//! quoted  = <"> *( "\" any / any but <"> and "\" ) <">
//! bare    = *( any but "," ";" <"> )
//! ```
//!
//! Envoy quotes `Subject`, `Cert` and `Chain` and nothing else. It does not escape a `,` or `;` in
//! the bare `URI`: whoever can have a certificate signed with any URI it likes can write whole
//! elements. So the field is worth as much as the proxy that wrote the element *and* the authority
//! that it accepts certificates from.

use std::borrow::Cow;

use super::{SpiffeId, SvidError, XfccError, x509_svid};
use crate::proof::digest_from_hex;

pub(super) const MAX_BYTES: usize = 32 * 1024;
pub(super) const MAX_ELEMENTS: usize = 16;
pub(super) const MAX_PAIRS: usize = 256;

/// What a whole field says: one element for each proxy, the nearest one last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Xfcc<'f> {
    first: Element<'f>,
    others: Vec<Element<'f>>,
}

/// What one proxy says of the certificate that its caller presented.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element<'f> {
    /// The element as it was written.
    pub text: &'f str,
    /// The URI SANs of the proxy's own certificate.
    pub by: Vec<Cow<'f, str>>,
    /// The SHA-256 of the caller's certificate.
    pub hash: Option<[u8; 32]>,
    /// The caller's certificate: PEM, percent-encoded.
    pub cert: Option<Cow<'f, str>>,
    /// The caller's chain: PEM, percent-encoded.
    pub chain: Option<Cow<'f, str>>,
    /// The subject of the caller's certificate.
    pub subject: Option<Cow<'f, str>>,
    /// The URI SANs of the caller's certificate; Envoy writes one that is empty where there are
    /// none.
    pub uris: Vec<Cow<'f, str>>,
    /// The DNS SANs of the caller's certificate.
    pub dns: Vec<Cow<'f, str>>,
    /// How many pairs have another key.
    pub unknown: usize,
}

/// Which element of a field is the one to believe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// What the first proxy says: of the caller that all others forward for.
    First,
    /// What the last proxy says: of its own caller.
    #[default]
    Last,
}

impl<'f> Xfcc<'f> {
    /// Reads a field, or all fields of that name joined with commas.
    ///
    /// # Errors
    ///
    /// An [`XfccError`] for whatever is not in the form above, in any element: a field that could
    /// be read in two ways is not read at all.
    pub fn parse(field: &'f [u8]) -> Result<Self, XfccError> {
        if field.len() > MAX_BYTES {
            return Err(XfccError::TooLarge(field.len()));
        }
        let mut input = Input::new(field)?;
        let (first, mut more) = Element::parse(&mut input)?;
        let mut others = Vec::new();
        while more {
            if others.len() >= MAX_ELEMENTS.saturating_sub(1) {
                return Err(XfccError::TooManyElements);
            }
            let (element, another) = Element::parse(&mut input)?;
            others.push(element);
            more = another;
        }
        Ok(Self { first, others })
    }

    /// The element to believe.
    #[must_use]
    pub fn element(&self, which: Which) -> &Element<'f> {
        match which {
            Which::First => &self.first,
            Which::Last => self.others.last().unwrap_or(&self.first),
        }
    }

    /// The element to believe, but for those about the certificate of that SHA-256.
    #[must_use]
    pub fn element_beside(&self, which: Which, other: Option<&[u8; 32]>) -> Option<&Element<'f>> {
        let mut elements = self
            .elements()
            .filter(|element| other.is_none() || element.hash.as_ref() != other);
        match which {
            Which::First => elements.next(),
            Which::Last => elements.next_back(),
        }
    }

    /// Every element, the first proxy's first.
    pub fn elements(&self) -> impl DoubleEndedIterator<Item = &Element<'f>> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

/// Reads the SPIFFE ID of the caller that an element is about.
///
/// # Errors
///
/// As [`x509_svid`].
pub fn svid_of(element: &Element<'_>) -> Result<SpiffeId, SvidError> {
    match element.uris.as_slice() {
        [uri] if uri.is_empty() => Err(SvidError::NoUri),
        uris => x509_svid(uris.iter().map(AsRef::as_ref)),
    }
}

impl<'f> Element<'f> {
    /// Reads one element, and says whether another one must follow.
    fn parse(input: &mut Input<'f>) -> Result<(Self, bool), XfccError> {
        input.skip_blanks();
        let written = input.left();
        let mut element = Self::default();
        for _ in 0..MAX_PAIRS {
            let at = input.at;
            let key = input.key()?;
            let value = input.value()?;
            element.put(key, value, at)?;
            let length = written.len().saturating_sub(input.left().len());
            element.text = written.get(..length).unwrap_or_default();
            match input.next() {
                Some(b';') => {}
                // After a value there is one of the two, or the end.
                more => return Ok((element, more.is_some())),
            }
        }
        Err(XfccError::TooManyPairs(input.at))
    }

    fn put(&mut self, key: &str, value: Cow<'f, str>, at: usize) -> Result<(), XfccError> {
        match key.to_ascii_lowercase().as_str() {
            "by" => self.by.push(value),
            "uri" => self.uris.push(value),
            "dns" => self.dns.push(value),
            "cert" => once(&mut self.cert, value, "Cert", at)?,
            "chain" => once(&mut self.chain, value, "Chain", at)?,
            "subject" => once(&mut self.subject, value, "Subject", at)?,
            "hash" => {
                let digest = digest_from_hex(value.as_bytes()).ok_or(XfccError::Hash(at))?;
                once(&mut self.hash, digest, "Hash", at)?;
            }
            _ => self.unknown = self.unknown.saturating_add(1),
        }
        Ok(())
    }
}

fn once<T>(place: &mut Option<T>, value: T, key: &'static str, at: usize) -> Result<(), XfccError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(XfccError::Twice(key, at)),
    }
}

/// A field, and how far it has been read: always to the beginning of a character.
struct Input<'f> {
    text: &'f str,
    at: usize,
}

impl<'f> Input<'f> {
    fn new(field: &'f [u8]) -> Result<Self, XfccError> {
        let text =
            std::str::from_utf8(field).map_err(|error| XfccError::NotText(error.valid_up_to()))?;
        let is_control = |character: char| character.is_control() && character != '\t';
        match text.find(is_control) {
            Some(at) => Err(XfccError::NotText(at)),
            None => Ok(Self { text, at: 0 }),
        }
    }

    fn left(&self) -> &'f str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Takes as much as that, which ends where a character begins.
    fn take(&mut self, bytes: usize) -> &'f str {
        let taken = self.left().get(..bytes).unwrap_or_default();
        self.at = self.at.saturating_add(taken.len());
        taken
    }

    /// Takes one byte of ASCII.
    fn next(&mut self) -> Option<u8> {
        self.take(1).bytes().next()
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'f str {
        let left = self.left();
        self.take(
            left.find(|character| !wanted(character))
                .unwrap_or(left.len()),
        )
    }

    fn skip_blanks(&mut self) {
        self.take_while(|character| matches!(character, ' ' | '\t'));
    }

    /// Takes a key and the `=` behind it.
    fn key(&mut self) -> Result<&'f str, XfccError> {
        let at = self.at;
        let is_key =
            |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
        let key = self.take_while(is_key);
        match (key, self.left().bytes().next()) {
            ("", None | Some(b'=' | b',' | b';')) => Err(XfccError::Empty(at)),
            ("", _) => Err(XfccError::Key(at)),
            (_, Some(b'=')) => {
                self.take(1);
                Ok(key)
            }
            _ => Err(XfccError::Key(at)),
        }
    }

    /// Takes a value; `;`, `,` or the end is behind it.
    fn value(&mut self) -> Result<Cow<'f, str>, XfccError> {
        if self.left().starts_with('"') {
            return self.quoted();
        }
        let bare = self.take_while(|character| !matches!(character, ',' | ';' | '"'));
        if self.left().starts_with('"') {
            return Err(XfccError::StrayQuote(self.at));
        }
        Ok(Cow::Borrowed(bare))
    }

    fn quoted(&mut self) -> Result<Cow<'f, str>, XfccError> {
        let unterminated = XfccError::Unterminated(self.at);
        self.take(1);
        let mut value = Cow::Borrowed("");
        loop {
            let plain = self.take_while(|character| !matches!(character, '"' | '\\'));
            append(&mut value, plain);
            match self.next() {
                Some(b'"') => break,
                Some(_) => {
                    let escaped = self.left().chars().next().ok_or(unterminated)?;
                    append(&mut value, self.take(escaped.len_utf8()));
                }
                None => return Err(unterminated),
            }
        }
        match self.left().bytes().next() {
            None | Some(b',' | b';') => Ok(value),
            Some(_) => Err(XfccError::AfterQuote(self.at)),
        }
    }
}

/// Copies only where a value is not one piece of the field.
fn append<'f>(value: &mut Cow<'f, str>, piece: &'f str) {
    if value.is_empty() {
        *value = Cow::Borrowed(piece);
    } else if !piece.is_empty() {
        value.to_mut().push_str(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decision::Reason, spiffe::SpiffeIdError};

    const DIGEST: &str = "468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688";
    const SVID: &str = "spiffe://prod.example/ns/a/sa/b";

    fn parsed(field: &str) -> Xfcc<'_> {
        Xfcc::parse(field.as_bytes()).unwrap()
    }

    fn error(field: &str) -> XfccError {
        let error = Xfcc::parse(field.as_bytes()).unwrap_err();
        assert_eq!(error.reason(), Reason::SvidInvalid);
        error
    }

    #[test]
    fn what_envoy_writes_is_read() {
        // Subject, URI and DNS as Envoy 1.40 wrote them for a certificate with each twice.
        let field = format!(
            r#"By=spiffe://prod.example/edge;Hash={DIGEST};Cert="-----BEGIN%20CERTIFICATE-----%0AMII%3D";Subject="CN=a\\b,O=Acme\, \"Inc\"";URI={SVID};URI=spiffe://other.example/x;DNS=a.example;DNS=b.example"#
        );
        let xfcc = parsed(&field);
        let element = xfcc.element(Which::Last);
        assert_eq!(element.by, ["spiffe://prod.example/edge"]);
        assert_eq!(
            element.hash.map(|hash| hash[..2].to_vec()),
            Some(vec![0x46, 0x8e])
        );
        assert_eq!(
            element.cert.as_deref(),
            Some("-----BEGIN%20CERTIFICATE-----%0AMII%3D")
        );
        assert_eq!(element.chain, None);
        assert_eq!(element.subject.as_deref(), Some(r#"CN=a\b,O=Acme, "Inc""#));
        assert_eq!(element.uris, [SVID, "spiffe://other.example/x"]);
        assert_eq!(element.dns, ["a.example", "b.example"]);
        assert_eq!(element.unknown, 0);
        assert_eq!(svid_of(element), Err(SvidError::SeveralUris(2)));
        assert_eq!(xfcc.elements().count(), 1);
    }

    #[test]
    fn the_configured_element_is_chosen() {
        let field = format!("URI=spiffe://a/1,URI=spiffe://a/2, \tBy=x;uri={SVID}");
        let xfcc = parsed(&field);
        let of = |which| svid_of(xfcc.element(which)).unwrap().to_string();
        assert_eq!(
            (of(Which::First), of(Which::Last)),
            ("spiffe://a/1".to_owned(), SVID.to_owned())
        );
        assert_eq!(xfcc.elements().count(), 3);
        let alone = parsed("URI=spiffe://a/1");
        assert_eq!(alone.element(Which::First), alone.element(Which::Last));
        assert_eq!(Which::default(), Which::Last);
    }

    #[test]
    fn keys_are_read_without_case_and_unknown_ones_are_counted() {
        let xfcc = parsed(r#"uRi=a;dnS=b;SUBJECT="c";X-new_1=d;x="e,f;g""#);
        let element = xfcc.element(Which::Last);
        assert_eq!(
            (element.uris.len(), element.dns.len(), element.unknown),
            (1, 1, 2)
        );
        assert_eq!(element.subject.as_deref(), Some("c"));
    }

    #[test]
    fn an_element_names_a_workload_by_exactly_one_uri() {
        let cases: &[(&str, SvidError)] = &[
            ("By=spiffe://prod.example/edge", SvidError::NoUri),
            ("URI=", SvidError::NoUri),
            ("URI=\"\";DNS=a", SvidError::NoUri),
            ("URI=;URI=", SvidError::SeveralUris(2)),
            ("URI=;URI=spiffe://a/b", SvidError::SeveralUris(2)),
            (
                "URI=spiffe://a/b;URI=spiffe://a/b",
                SvidError::SeveralUris(2),
            ),
            ("URI=https://a/b?c=d", SvidError::Uri(SpiffeIdError::Scheme)),
            ("URI= spiffe://a/b", SvidError::Uri(SpiffeIdError::Scheme)),
            (
                "URI=spiffe://a/b ",
                SvidError::Uri(SpiffeIdError::SegmentCharacter {
                    segment: 0,
                    character: ' ',
                }),
            ),
        ];
        for (field, expected) in cases {
            let xfcc = parsed(field);
            assert_eq!(
                svid_of(xfcc.element(Which::Last)),
                Err(expected.clone()),
                "{field}"
            );
        }
        let itself = svid_of(parsed("URI=spiffe://a").element(Which::Last));
        assert!(matches!(itself, Err(SvidError::NoPath(_))));
    }

    #[test]
    fn what_is_malformed_anywhere_is_not_read() {
        use XfccError as E;
        let cases: &[(&str, E)] = &[
            ("", E::Empty(0)),
            ("  ", E::Empty(2)),
            (",", E::Empty(0)),
            ("URI=a,", E::Empty(6)),
            ("URI=a,,URI=b", E::Empty(6)),
            ("URI=a, ,URI=b", E::Empty(7)),
            (";", E::Empty(0)),
            ("URI=a;", E::Empty(6)),
            ("URI=a;;DNS=b", E::Empty(6)),
            ("=a", E::Empty(0)),
            ("URI", E::Key(0)),
            ("URI;DNS=a", E::Key(0)),
            ("URI=a;DNS,By=b", E::Key(6)),
            ("U RI=a", E::Key(0)),
            ("URI =a", E::Key(0)),
            ("URI=a; DNS=b", E::Key(6)),
            ("\"URI\"=a", E::Key(0)),
            ("é=a", E::Key(0)),
            ("Subject=\"", E::Unterminated(8)),
            ("Subject=\"a", E::Unterminated(8)),
            ("Subject=\"a\\\"", E::Unterminated(8)),
            ("Subject=\"a\\", E::Unterminated(8)),
            ("Subject=\"a;URI=b,URI=c", E::Unterminated(8)),
            ("URI=a\"b\"", E::StrayQuote(5)),
            ("URI=a\"", E::StrayQuote(5)),
            ("Subject=\"a\"b", E::AfterQuote(11)),
            ("Subject=\"a\" ;URI=b", E::AfterQuote(11)),
            ("Subject=\"a\"\"b\"", E::AfterQuote(11)),
            ("Subject=\"a\";subject=\"a\"", E::Twice("Subject", 12)),
            ("Cert=a;Cert=b", E::Twice("Cert", 7)),
            ("Chain=a;Chain=b", E::Twice("Chain", 8)),
            ("Hash=", E::Hash(0)),
            ("URI=a;Hash=00", E::Hash(6)),
            ("URI=a\r\nx", E::NotText(5)),
            ("URI=a\u{85}", E::NotText(5)),
            ("URI=a\0", E::NotText(5)),
        ];
        for (field, expected) in cases {
            assert_eq!(error(field), *expected, "{field:?}");
            if !matches!(expected, E::Empty(_) | E::Unterminated(_) | E::NotText(_)) {
                let behind = format!("URI=spiffe://a/b,{field}");
                assert!(Xfcc::parse(behind.as_bytes()).is_err());
                let before = format!("{field},URI=spiffe://a/b");
                assert!(Xfcc::parse(before.as_bytes()).is_err());
            }
        }
        let twice = format!("Hash={DIGEST};Hash={DIGEST}");
        assert_eq!(error(&twice), E::Twice("Hash", 70));
        let bytes = Xfcc::parse(b"URI=a\xff");
        assert_eq!(bytes, Err(E::NotText(5)));
    }

    #[test]
    fn everything_is_bounded() {
        let elements = |count: usize| vec!["URI=a"; count].join(",");
        assert_eq!(parsed(&elements(16)).elements().count(), 16);
        assert_eq!(error(&elements(17)), XfccError::TooManyElements);
        let pairs = |count: usize| vec!["URI=a"; count].join(";");
        assert_eq!(parsed(&pairs(256)).element(Which::Last).uris.len(), 256);
        assert_eq!(error(&pairs(257)), XfccError::TooManyPairs(256 * 6));
        let long = |bytes: usize| format!("URI={}", "a".repeat(bytes - 4));
        assert!(Xfcc::parse(long(32 * 1024).as_bytes()).is_ok());
        assert_eq!(
            error(&long(32 * 1024 + 1)),
            XfccError::TooLarge(32 * 1024 + 1)
        );
    }

    #[cfg(not(target_family = "wasm"))]
    mod properties {
        use super::*;
        use proptest::prelude::*;

        fn quote(value: &str) -> String {
            format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
        }

        proptest! {
            #[test]
            fn quoted_values_come_back_as_they_were(
                elements in prop::collection::vec(
                    prop::collection::vec("([ -~]|é|😀|\t|[,;=\"\\\\]){0,12}", 1..5), 1..16,
                ),
            ) {
                let written: Vec<String> = elements
                    .iter()
                    .map(|uris| {
                        let pairs = uris.iter().map(|uri| format!("URI={}", quote(uri)));
                        pairs.collect::<Vec<_>>().join(";")
                    })
                    .collect();
                let field = written.join(",");
                let read: Vec<Vec<String>> = parsed(&field)
                    .elements()
                    .map(|element| element.uris.iter().map(ToString::to_string).collect())
                    .collect();
                prop_assert_eq!(read, elements);
            }

            #[test]
            fn no_bytes_make_it_panic(bytes: Vec<u8>) {
                let _ = Xfcc::parse(&bytes);
            }

            #[test]
            fn nothing_that_looks_like_a_field_makes_it_panic(
                field in "((By|Hash|URI|Subject|dns|x)?[=;,\"\\\\ aé]{0,3}){0,12}",
            ) {
                if let Ok(xfcc) = Xfcc::parse(field.as_bytes()) {
                    let _ = svid_of(xfcc.element(Which::First));
                }
            }

            #[test]
            fn whatever_is_read_has_no_second_reading_by_cutting(
                field in "((URI|DNS|x)=[a=:/é ]{0,5}[;,]?){1,8}",
            ) {
                // Without quotes, cutting at commas, semicolons and the first = is all there is.
                let cut: Option<Vec<Vec<&str>>> = field
                    .split(',')
                    .map(|element| {
                        let pairs: Option<Vec<(&str, &str)>> = element
                            .trim_start_matches([' ', '\t'])
                            .split(';')
                            .map(|pair| pair.split_once('='))
                            .collect();
                        Some(pairs?.into_iter().filter(|(key, _)| *key == "URI").map(|(_, uri)| uri).collect())
                    })
                    .collect();
                if let Ok(xfcc) = Xfcc::parse(field.as_bytes()) {
                    let read: Vec<Vec<&str>> = xfcc
                        .elements()
                        .map(|element| element.uris.iter().map(AsRef::as_ref).collect())
                        .collect();
                    prop_assert_eq!(Some(read), cut);
                }
            }
        }
    }
}
