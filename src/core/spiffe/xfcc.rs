//! The `x-forwarded-client-cert` field, as Envoy writes it: what proxies before this one say of
//! the certificates that their callers presented.
//!
//! ```text
//! xfcc    = element *( "," element )
//! element = *( SP / HTAB ) *( "By=" bare ";" ) "Hash=" bare
//!           [ ";Cert=" quoted ] [ ";Chain=" quoted ] [ ";Subject=" quoted ]
//!           *( ";URI=" bare ) *( ";DNS=" bare )
//! quoted  = <"> *( "\" any / any but <"> and "\" ) <">
//! bare    = *( any visible character of ASCII but "," ";" "=" "\" <"> )
//! ```
//!
//! Envoy quotes `Subject`, `Cert` and `Chain` and nothing else, and writes the pairs in that order.
//! It escapes nothing in the bare `URI` and `DNS`: whoever can have a certificate signed with any
//! name it likes can write pairs and whole elements. So nothing is read by its place alone:
//!
//! - How many elements there are is configured ([`Chain`]): a `,` in a name makes one too many.
//! - The order is fixed and few keys may be there twice: a `;` in a name makes pairs that are out
//!   of it, or a second URI, which no X.509-SVID has.
//! - What is quoted where Envoy does not, or is not where it does, is not read at all.
//! - Where there are several elements, those that are not about the caller are about proxies, which
//!   the configuration names.
//!
//! One thing is not seen: a URI that ends in `;DNS=` and a name reads as what is before it. The
//! trust domain is then still the certificate's own.

use std::borrow::Cow;

use super::{SpiffeId, SvidError, XfccError, x509_svid};
use crate::base::digest_from_hex;

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
    pub hash: [u8; 32],
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
}

/// What a field looks like where it was not tampered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// How many elements it has: one for each proxy that writes its own.
    pub elements: usize,
    /// Which of them is about the caller.
    pub which: Which,
}

impl Default for Chain {
    /// One proxy, which overwrites what callers send.
    fn default() -> Self {
        Self {
            elements: 1,
            which: Which::default(),
        }
    }
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

    /// The element about the caller; none where all are about the certificate of that SHA-256, which
    /// is a proxy's own.
    ///
    /// # Errors
    ///
    /// [`XfccError::Elements`] where there are more than `chain` says, or fewer: then a name in a
    /// certificate may have made some of them.
    pub fn caller(
        &self,
        chain: Chain,
        proxys: Option<&[u8; 32]>,
    ) -> Result<Option<&Element<'f>>, XfccError> {
        let mut callers = self
            .elements()
            .filter(|element| proxys.is_none_or(|proxys| element.hash != *proxys));
        let caller = match chain.which {
            Which::First => callers.next(),
            Which::Last => callers.next_back(),
        };
        let found = self.elements().count();
        if caller.is_some() && found != chain.elements {
            let expected = chain.elements;
            return Err(XfccError::Elements { found, expected });
        }
        Ok(caller)
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

/// The keys, in the order in which Envoy writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum PairKey {
    By,
    Hash,
    Cert,
    Chain,
    Subject,
    Uri,
    Dns,
}

impl PairKey {
    fn of(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "by" => Self::By,
            "hash" => Self::Hash,
            "cert" => Self::Cert,
            "chain" => Self::Chain,
            "subject" => Self::Subject,
            "uri" => Self::Uri,
            "dns" => Self::Dns,
            _ => return None,
        })
    }

    const fn name(self) -> &'static str {
        match self {
            Self::By => "By",
            Self::Hash => "Hash",
            Self::Cert => "Cert",
            Self::Chain => "Chain",
            Self::Subject => "Subject",
            Self::Uri => "URI",
            Self::Dns => "DNS",
        }
    }

    /// Whether its value is quoted, whatever it is.
    const fn is_quoted(self) -> bool {
        matches!(self, Self::Cert | Self::Chain | Self::Subject)
    }

    /// Whether an element may have it more than once: a certificate may have several names.
    const fn may_repeat(self) -> bool {
        matches!(self, Self::By | Self::Uri | Self::Dns)
    }

    /// Checks that it may stand behind another one.
    fn check_behind(self, before: Option<Self>, at: usize) -> Result<(), XfccError> {
        match before {
            Some(before) if before > self => Err(XfccError::Order(self.name(), at)),
            Some(before) if before == self && !self.may_repeat() => {
                Err(XfccError::Twice(self.name(), at))
            }
            _ => Ok(()),
        }
    }
}

impl<'f> Element<'f> {
    /// Reads one element, and says whether another one must follow.
    fn parse(input: &mut Input<'f>) -> Result<(Self, bool), XfccError> {
        input.skip_blanks();
        let (begin, written) = (input.at, input.left());
        let mut element = Self::default();
        let (mut before, mut has_hash) = (None, false);
        for _ in 0..MAX_PAIRS {
            let at = input.at;
            let name = input.key()?;
            let key = PairKey::of(name).ok_or(XfccError::Unknown(at))?;
            key.check_behind(before, at)?;
            let value = input.value(key)?;
            element.put(key, value, at)?;
            has_hash |= key == PairKey::Hash;
            before = Some(key);
            let length = written.len().saturating_sub(input.left().len());
            element.text = written.get(..length).unwrap_or_default();
            match input.next() {
                Some(b';') => {}
                _ if !has_hash => return Err(XfccError::NoHash(begin)),
                // After a value there is one of the two, or the end.
                more => return Ok((element, more.is_some())),
            }
        }
        Err(XfccError::TooManyPairs(input.at))
    }

    fn put(&mut self, key: PairKey, value: Cow<'f, str>, at: usize) -> Result<(), XfccError> {
        match key {
            PairKey::By => self.by.push(value),
            PairKey::Uri => self.uris.push(value),
            PairKey::Dns => self.dns.push(value),
            PairKey::Cert => self.cert = Some(value),
            PairKey::Chain => self.chain = Some(value),
            PairKey::Subject => self.subject = Some(value),
            PairKey::Hash => {
                self.hash = digest_from_hex(value.as_bytes()).ok_or(XfccError::Hash(at))?;
            }
        }
        Ok(())
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
    fn value(&mut self, key: PairKey) -> Result<Cow<'f, str>, XfccError> {
        if !key.is_quoted() {
            return self.bare().map(Cow::Borrowed);
        }
        if !self.left().starts_with('"') {
            return Err(XfccError::Unquoted(key.name(), self.at));
        }
        self.quoted()
    }

    fn bare(&mut self) -> Result<&'f str, XfccError> {
        let is_plain = |character: char| {
            character.is_ascii_graphic() && !matches!(character, ',' | ';' | '=' | '"' | '\\')
        };
        let bare = self.take_while(is_plain);
        match self.left().bytes().next() {
            None | Some(b',' | b';') => Ok(bare),
            Some(_) => Err(XfccError::Bare(self.at)),
        }
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
    use crate::decision::Reason;
    use crate::spiffe::SpiffeIdError;

    const DIGEST: &str = "468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688";
    const SVID: &str = "spiffe://prod.example/ns/a/sa/b";

    fn parsed(field: &str) -> Xfcc<'_> {
        Xfcc::parse(field.as_bytes()).unwrap_or_else(|error| panic!("{field}: {error}"))
    }

    fn error(field: &str) -> XfccError {
        let error = Xfcc::parse(field.as_bytes()).unwrap_err();
        assert_eq!(error.reason(), Reason::SvidInvalid);
        error
    }

    /// An element that has nothing but a hash, made of that byte, and what is behind it.
    fn hashed(byte: u8, rest: &str) -> String {
        let hash = format!("{byte:02x}").repeat(32);
        format!("Hash={hash}{rest}")
    }

    fn only<'x, 'f>(xfcc: &'x Xfcc<'f>) -> &'x Element<'f> {
        xfcc.caller(Chain::default(), None).unwrap().unwrap()
    }

    #[test]
    fn what_envoy_writes_is_read() {
        // Subject, URI and DNS as Envoy 1.40 wrote them for a certificate with each twice.
        let field = format!(
            r#"By=spiffe://prod.example/edge;Hash={DIGEST};Cert="-----BEGIN%20CERTIFICATE-----%0AMII%3D";Subject="CN=a\\b,O=Acme\, \"Inc\"";URI={SVID};URI=spiffe://other.example/x;DNS=a.example;DNS=b.example"#
        );
        let xfcc = parsed(&field);
        let element = only(&xfcc);
        assert_eq!(element.by, ["spiffe://prod.example/edge"]);
        assert_eq!(element.hash[..2], [0x46, 0x8e]);
        assert_eq!(
            element.cert.as_deref(),
            Some("-----BEGIN%20CERTIFICATE-----%0AMII%3D")
        );
        assert_eq!(element.chain, None);
        assert_eq!(element.subject.as_deref(), Some(r#"CN=a\b,O=Acme, "Inc""#));
        assert_eq!(element.uris, [SVID, "spiffe://other.example/x"]);
        assert_eq!(element.dns, ["a.example", "b.example"]);
        assert_eq!(svid_of(element), Err(SvidError::SeveralUris(2)));
        assert_eq!(xfcc.elements().count(), 1);
        // Of a certificate without names, and by a proxy whose certificate has two.
        let bare = format!(r#"By=a;By=b;Hash={DIGEST};Chain="";Subject="";URI="#);
        assert_eq!(only(&parsed(&bare)).by, ["a", "b"]);
        let in_other_case = format!("hASH={DIGEST};uRi=a;dnS=b");
        assert_eq!(only(&parsed(&in_other_case)).dns, ["b"]);
    }

    #[test]
    fn the_configured_element_of_the_configured_number_is_the_callers() {
        let field = ["a", "b", "c"].map(|name| hashed(name.as_bytes()[0], &format!(";URI={name}")));
        let field = format!("{},{}, \t{}", field[0], field[1], field[2]);
        let xfcc = parsed(&field);
        let caller = |elements, which, own: Option<u8>| {
            let own = own.map(|byte| [byte; 32]);
            let caller = xfcc.caller(Chain { elements, which }, own.as_ref());
            caller.map(|element| element.map(|element| element.uris[0].to_string()))
        };
        let found = |name: &str| Ok(Some(name.to_owned()));
        assert_eq!(caller(3, Which::First, None), found("a"));
        assert_eq!(caller(3, Which::Last, None), found("c"));
        assert_eq!(caller(3, Which::Last, Some(b'c')), found("b"));
        assert_eq!(caller(3, Which::First, Some(b'a')), found("b"));
        for expected in [1, 2, 4] {
            for own in [None, Some(b'a'), Some(b'c'), Some(b'x')] {
                let refused = XfccError::Elements { found: 3, expected };
                assert_eq!(caller(expected, Which::Last, own), Err(refused));
                assert_eq!(caller(expected, Which::First, own), Err(refused));
            }
        }
    }

    #[test]
    fn what_is_said_of_the_proxy_alone_is_about_nobody() {
        let own = hashed(1, "");
        for elements in [1, 2] {
            let chain = Chain {
                elements,
                ..Chain::default()
            };
            for field in [own.clone(), format!("{own},{own}")] {
                assert_eq!(parsed(&field).caller(chain, Some(&[1; 32])), Ok(None));
            }
        }
    }

    #[test]
    fn an_element_names_a_workload_by_exactly_one_uri() {
        let cases: &[(&str, SvidError)] = &[
            ("", SvidError::NoUri),
            (";URI=", SvidError::NoUri),
            (";URI=;DNS=a", SvidError::NoUri),
            (";URI=;URI=", SvidError::SeveralUris(2)),
            (";URI=;URI=spiffe://a/b", SvidError::SeveralUris(2)),
            (
                ";URI=spiffe://a/b;uri=spiffe://a/b",
                SvidError::SeveralUris(2),
            ),
            (";URI=https://a/b?c", SvidError::Uri(SpiffeIdError::Scheme)),
        ];
        for (rest, expected) in cases {
            let field = hashed(1, rest);
            let xfcc = parsed(&field);
            assert_eq!(svid_of(only(&xfcc)), Err(expected.clone()), "{field}");
        }
        let itself = hashed(1, ";URI=spiffe://a");
        let itself = svid_of(only(&parsed(&itself)));
        assert!(matches!(itself, Err(SvidError::NoPath(_))));
    }

    #[test]
    fn what_is_malformed_anywhere_is_not_read() {
        use XfccError as E;
        // What stands behind a hash, whose pair has 69 bytes.
        let cases: &[(&str, E)] = &[
            (",", E::Empty(70)),
            (",,", E::Empty(70)),
            (", ,Hash=", E::Empty(71)),
            (";", E::Empty(70)),
            (";;DNS=b", E::Empty(70)),
            (";=a", E::Empty(70)),
            (";URI", E::Key(70)),
            (";URI;DNS=a", E::Key(70)),
            (";DNS,By=b", E::Key(70)),
            (";U RI=a", E::Key(70)),
            (";URI =a", E::Key(70)),
            ("; DNS=b", E::Key(70)),
            (";\"URI\"=a", E::Key(70)),
            (";é=a", E::Key(70)),
            (";Subject=\"", E::Unterminated(78)),
            (";Subject=\"a", E::Unterminated(78)),
            (";Subject=\"a\\\"", E::Unterminated(78)),
            (";Subject=\"a\\", E::Unterminated(78)),
            (";Subject=\"a;URI=b,URI=c", E::Unterminated(78)),
            (";Subject=\"a\"b", E::AfterQuote(81)),
            (";Subject=\"a\" ;URI=b", E::AfterQuote(81)),
            (";Subject=\"a\"\"b\"", E::AfterQuote(81)),
            (";Subject=\"a\";subject=\"a\"", E::Twice("Subject", 82)),
            (";Cert=\"a\";Cert=\"b\"", E::Twice("Cert", 79)),
            (";Chain=\"a\";Chain=\"b\"", E::Twice("Chain", 80)),
            (";Subject=a", E::Unquoted("Subject", 78)),
            (";Subject=", E::Unquoted("Subject", 78)),
            (";Cert=a", E::Unquoted("Cert", 75)),
            (";Chain=a", E::Unquoted("Chain", 76)),
            (";URI=\"a\"", E::Bare(74)),
            (";URI=\"a,URI=b\"", E::Bare(74)),
            (";URI=a\"b\"", E::Bare(75)),
            (";URI=a\"", E::Bare(75)),
            (";URI=a\\", E::Bare(75)),
            (";URI=a=", E::Bare(75)),
            (";URI= a", E::Bare(74)),
            (";URI=a ,", E::Bare(75)),
            (";URI=a\t", E::Bare(75)),
            (";URI=aé", E::Bare(75)),
            (";DNS=\"a\"", E::Bare(74)),
            (";By=a", E::Order("By", 70)),
            (";Chain=\"\";Cert=\"\"", E::Order("Cert", 79)),
            (";URI=a;Subject=\"\"", E::Order("Subject", 76)),
            (";DNS=a;URI=b", E::Order("URI", 76)),
            (";URI=a;Hash=b", E::Order("Hash", 76)),
            (";Hash=a", E::Twice("Hash", 70)),
            (";x=a", E::Unknown(70)),
            (";Email=a", E::Unknown(70)),
            (",URI=a", E::NoHash(70)),
            (", By=a;URI=a", E::NoHash(71)),
            (";URI=a\r\nx", E::NotText(75)),
            (";URI=a\u{85}", E::NotText(75)),
            (";URI=a\0", E::NotText(75)),
        ];
        for (rest, expected) in cases {
            let field = hashed(1, rest);
            assert_eq!(error(&field), *expected, "{field:?}");
            for spoiled in [
                format!("{},{field}", hashed(2, "")),
                format!("{field},{}", hashed(2, "")),
            ] {
                assert!(Xfcc::parse(spoiled.as_bytes()).is_err(), "{spoiled}");
            }
        }
        for (field, expected) in [
            ("", E::Empty(0)),
            ("  ", E::Empty(2)),
            (",", E::Empty(0)),
            (";", E::Empty(0)),
            ("=a", E::Empty(0)),
            ("URI", E::Key(0)),
            ("Hash=", E::Hash(0)),
            ("By=a;Hash=00", E::Hash(5)),
            ("URI=a", E::NoHash(0)),
            ("Subject=\"\"", E::NoHash(0)),
        ] {
            assert_eq!(error(field), expected, "{field:?}");
        }
        let bytes = Xfcc::parse(b"URI=a\xff");
        assert_eq!(bytes, Err(E::NotText(5)));
    }

    #[test]
    fn everything_is_bounded() {
        let elements = |count: usize| vec![hashed(1, ""); count].join(",");
        assert_eq!(parsed(&elements(16)).elements().count(), 16);
        assert_eq!(error(&elements(17)), XfccError::TooManyElements);
        let pairs = |count: usize| hashed(1, &";URI=a".repeat(count));
        assert_eq!(only(&parsed(&pairs(255))).uris.len(), 255);
        assert_eq!(error(&pairs(256)), XfccError::TooManyPairs(70 + 255 * 6));
        let long = |bytes: usize| hashed(1, &format!(";URI={}", "a".repeat(bytes - 74)));
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

        /// What Envoy writes of a certificate with those names.
        fn written(uris: &[String], dns: &[String]) -> String {
            let mut field = format!("By=spiffe://prod.example/edge;Hash={DIGEST};Subject=\"\"");
            for uri in uris {
                field.push_str(";URI=");
                field.push_str(uri);
            }
            for name in dns {
                field.push_str(";DNS=");
                field.push_str(name);
            }
            field
        }

        proptest! {
            #[test]
            fn quoted_values_come_back_as_they_were(
                subjects in prop::collection::vec("([ -~]|é|😀|\t|[,;=\"\\\\]){0,12}", 1..16),
            ) {
                let written: Vec<String> = subjects
                    .iter()
                    .map(|subject| hashed(1, &format!(";Subject={}", quote(subject))))
                    .collect();
                let field = written.join(",");
                let read: Vec<String> = parsed(&field)
                    .elements()
                    .filter_map(|element| element.subject.as_ref().map(ToString::to_string))
                    .collect();
                prop_assert_eq!(read, subjects);
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
                    let _ = xfcc.caller(Chain::default(), None);
                }
            }

            /// Whatever names an authority signs: what is read as the one URI is what the first
            /// URI is, or begins with, and never what another name wrote.
            #[test]
            fn no_name_speaks_for_another(
                uris in prop::collection::vec(
                    "(spiffe://partner\\.example/x)?([,;\"\\\\= ]?((URI|DNS|Hash|By|Subject|x)=)?(\"|spiffe://prod\\.example/a|468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688)?){0,3}",
                    0..3,
                ),
                dns in prop::collection::vec(
                    "a?([,;\"\\\\= ]?((URI|DNS|Hash|By|Subject|x)=)?(\"|spiffe://prod\\.example/a)?){0,3}",
                    0..3,
                ),
            ) {
                let field = written(&uris, &dns);
                let xfcc = Xfcc::parse(field.as_bytes());
                if let Ok(Ok(Some(element))) = xfcc.map(|xfcc| {
                    xfcc.caller(Chain::default(), None).map(|element| element.cloned())
                }) && let [uri] = element.uris.as_slice()
                {
                    prop_assert!(uris.first().is_some_and(|first| first.starts_with(uri.as_ref())));
                }
            }
        }
    }
}
