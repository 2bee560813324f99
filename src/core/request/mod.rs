//! What the gate sees of a request, as bytes: nothing is decoded before it is checked.

mod method;
mod path;
mod query;

pub use method::{Method, MethodError};
pub use path::{NormalPath, PathError, split_target};
pub use query::{QueryError, mentions, parameter};

use std::net::IpAddr;

use crate::base::fold;

/// The header fields of a message in the order received, pseudo-headers included.
///
/// Names are as the host gives them (lower case in Envoy); values are bytes and need not be UTF-8.
/// They stay in the one buffer that the host wrote them into, in the form of the proxy-wasm ABI: a
/// count, the sizes of each name and value, then each name and value with a NUL behind it; integers
/// are 32-bit little-endian.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// Empty, or a map whose sizes add up to its length or less.
    bytes: Vec<u8>,
}

/// A field that a decision reads, as every reader of the message finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sole<'a> {
    /// There is none of its kind.
    Absent,
    /// The only one of its kind, under the name itself.
    One(&'a [u8]),
    /// There are several of its kind, or one under another name, which another reader could take for
    /// it.
    Ambiguous,
}

impl<'a> Sole<'a> {
    /// The value of the only one; none where there is none or several.
    #[must_use]
    pub fn one(self) -> Option<&'a [u8]> {
        match self {
            Self::One(value) => Some(value),
            Self::Absent | Self::Ambiguous => None,
        }
    }
}

/// The host's serialised header map does not have the form the ABI gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapMalformed;

const COUNT: usize = 4;
const SIZES: usize = 8;

impl Headers {
    /// Takes the fields as they were received.
    ///
    /// ```
    /// use postern_core::request::{Headers, Sole};
    ///
    /// let fields = [(":path", "/v1"), ("X-Tenant", "a"), ("x_tenant", "b")];
    /// let headers = Headers::new(fields);
    /// assert_eq!(headers.only(":path"), Some(&b"/v1"[..]));
    /// assert_eq!(headers.all("x-tenant").count(), 1);
    /// // Some readers take the one for the other.
    /// assert!(!matches!(headers.sole("x-tenant"), Sole::One(_)));
    /// ```
    pub fn new<N: AsRef<[u8]>, V: AsRef<[u8]>>(fields: impl IntoIterator<Item = (N, V)>) -> Self {
        let as_size = |text: &[u8]| u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes();
        let (mut count, mut sizes, mut texts) = (0_u32, Vec::new(), Vec::new());
        for (name, value) in fields {
            count = count.saturating_add(1);
            for text in [name.as_ref(), value.as_ref()] {
                sizes.extend(as_size(text));
                texts.extend_from_slice(text);
                texts.push(0);
            }
        }
        if count == 0 {
            return Self::default();
        }
        let bytes = [&count.to_le_bytes()[..], &sizes, &texts].concat();
        Self { bytes }
    }

    /// Reads the serialised map of the proxy-wasm ABI.
    ///
    /// # Errors
    /// [`MapMalformed`] where a size points past the end.
    pub fn from_abi(bytes: Vec<u8>) -> Result<Self, MapMalformed> {
        if !bytes.is_empty() {
            check(&bytes).ok_or(MapMalformed)?;
        }
        Ok(Self { bytes })
    }

    /// The serialised map.
    #[must_use]
    pub fn as_abi(&self) -> &[u8] {
        const NONE: [u8; COUNT] = [0; COUNT];
        if self.bytes.is_empty() {
            &NONE
        } else {
            &self.bytes
        }
    }

    /// Every field in the order received.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields().map(|field| (field.name(), field.value()))
    }

    /// Every value of the fields of that name, compared without case.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let name = name.as_bytes();
        // The size tells most apart, and is at hand.
        let is_named = move |field: &RawField<'_>| {
            field.name_size == name.len() && field.name().eq_ignore_ascii_case(name)
        };
        self.fields().filter(is_named).map(|field| field.value())
    }

    /// What every reader finds under that name.
    #[must_use]
    pub fn sole<'a>(&'a self, name: &str) -> Sole<'a> {
        let name = name.as_bytes();
        let mut kin = self
            .fields()
            .filter(|field| field.name_size == name.len() && fold::same_kind(field.name(), name));
        match (kin.next(), kin.next()) {
            (None, _) => Sole::Absent,
            (Some(field), None) if field.name().eq_ignore_ascii_case(name) => {
                Sole::One(field.value())
            }
            _ => Sole::Ambiguous,
        }
    }

    fn fields(&self) -> Fields<'_> {
        let (sizes, texts) = parts(&self.bytes).unwrap_or_default();
        Fields { sizes, texts }
    }

    /// The value of the only field of that name; none where there is no such field or several.
    #[must_use]
    pub fn only<'a>(&'a self, name: &'a str) -> Option<&'a [u8]> {
        let mut values = self.all(name);
        let first = values.next();
        if values.next().is_some() { None } else { first }
    }
}

/// The sizes of a map, and its texts.
fn parts(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (count, rest) = bytes.split_first_chunk::<COUNT>()?;
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    rest.split_at_checked(count.checked_mul(SIZES)?)
}

/// The fields that are left.
struct Fields<'a> {
    sizes: &'a [u8],
    texts: &'a [u8],
}

/// One field, not yet cut out of the texts that begin with it.
struct RawField<'a> {
    texts: &'a [u8],
    name_size: usize,
    value_size: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = RawField<'a>;

    fn next(&mut self) -> Option<RawField<'a>> {
        let (sizes, rest) = self.sizes.split_first_chunk::<SIZES>()?;
        self.sizes = rest;
        let [a, b, c, d, e, f, g, h] = *sizes;
        let field = RawField {
            texts: self.texts,
            name_size: size(u32::from_le_bytes([a, b, c, d])),
            value_size: size(u32::from_le_bytes([e, f, g, h])),
        };
        self.texts = self.texts.get(field.end()..).unwrap_or_default();
        Some(field)
    }
}

impl<'a> RawField<'a> {
    fn value_start(&self) -> usize {
        self.name_size.saturating_add(1)
    }

    fn value_end(&self) -> usize {
        self.value_start().saturating_add(self.value_size)
    }

    fn end(&self) -> usize {
        self.value_end().saturating_add(1)
    }

    fn name(&self) -> &'a [u8] {
        self.texts.get(..self.name_size).unwrap_or_default()
    }

    fn value(&self) -> &'a [u8] {
        let value = self.texts.get(self.value_start()..self.value_end());
        value.unwrap_or_default()
    }
}

// No text is as long as what a number of this size can say.
fn size(size: u32) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

/// Some where every size leads to a NUL.
fn check(bytes: &[u8]) -> Option<()> {
    let (sizes, mut texts) = parts(bytes)?;
    for size in sizes.chunks_exact(COUNT) {
        let size = u32::from_le_bytes(*size.first_chunk()?);
        let (&nul, rest) = texts.get(self::size(size)..)?.split_first()?;
        if nul != 0 {
            return None;
        }
        texts = rest;
    }
    Some(())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn serialised(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut bytes = u32::try_from(fields.len()).unwrap().to_le_bytes().to_vec();
        for (name, value) in fields {
            bytes.extend(u32::try_from(name.len()).unwrap().to_le_bytes());
            bytes.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
        }
        for (name, value) in fields {
            bytes.extend([name, &b"\0"[..], value, &b"\0"[..]].concat());
        }
        bytes
    }

    #[test]
    fn reads_the_map_of_the_abi_with_bytes_that_are_not_utf8() {
        let fields: &[(&[u8], &[u8])] = &[(b":path", b"/"), (b"x", b"\xff\x00\xfe"), (b"x", b"")];
        let headers = Headers::from_abi(serialised(fields)).unwrap();
        assert_eq!(headers.iter().collect::<Vec<_>>(), fields);
        assert_eq!(Headers::new(fields.iter().copied()), headers);
        assert_eq!(headers.as_abi(), serialised(fields));
        assert_eq!(Headers::default().as_abi(), serialised(&[]));
        assert_eq!(headers.only(":path"), Some(&b"/"[..]));
        assert_eq!(
            headers.only("X"),
            None,
            "two fields of one name are not one"
        );
    }

    #[test]
    fn a_field_decides_only_where_it_is_alone_in_its_kind() {
        let cases: &[(&[&str], Sole<'_>)] = &[
            (&[], Sole::Absent),
            (&["x-envy"], Sole::Absent),
            (&["x-env"], Sole::One(b"0")),
            (&["X-Env", "x-envy"], Sole::One(b"0")),
            (&["x_env"], Sole::Ambiguous),
            (&["x-env", "x.env"], Sole::Ambiguous),
            (&["x~env", "x-env"], Sole::Ambiguous),
            (&["x-env", "x-env"], Sole::Ambiguous),
        ];
        for (names, expected) in cases {
            let fields = names.iter().enumerate();
            let headers = Headers::new(fields.map(|(at, name)| (*name, at.to_string())));
            assert_eq!(headers.sole("x-env"), *expected, "{names:?}");
        }
    }

    #[test]
    fn refuses_every_truncation_of_a_map() {
        let whole = serialised(&[(b"a", b"bc"), (b"d", b"")]);
        for end in 1..whole.len() {
            assert_eq!(
                Headers::from_abi(whole[..end].to_vec()),
                Err(MapMalformed),
                "{end}"
            );
        }
    }

    #[test]
    fn refuses_a_count_that_no_buffer_holds() {
        assert_eq!(Headers::from_abi(vec![0xff; 12]), Err(MapMalformed));
    }
}
