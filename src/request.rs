//! What the gate sees of a request, as bytes: nothing is decoded before it is checked.

use std::net::IpAddr;
use std::ops::Range;

/// The header fields of a message in the order received, pseudo-headers included.
///
/// Names are as the host gives them (lower case in Envoy); values are bytes and need not be UTF-8.
/// All fields share one buffer, which is the one the host wrote them into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    bytes: Vec<u8>,
    fields: Vec<Field>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    name: Range<usize>,
    value: Range<usize>,
}

/// The host's serialised header map does not have the form the ABI gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapMalformed;

impl Headers {
    /// Takes the fields as they were received.
    pub fn new<N: AsRef<[u8]>, V: AsRef<[u8]>>(fields: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut headers = Self::default();
        for (name, value) in fields {
            headers.push(name.as_ref(), value.as_ref());
        }
        headers
    }

    /// Reads the serialised map of the proxy-wasm ABI: a count, the sizes of each name and value,
    /// then each name and value with a NUL behind it; integers are 32-bit little-endian.
    ///
    /// # Errors
    /// [`MapMalformed`] where a size points past the end.
    pub fn from_abi(bytes: Vec<u8>) -> Result<Self, MapMalformed> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let fields = abi_fields(&bytes).ok_or(MapMalformed)?;
        Ok(Self { bytes, fields })
    }

    /// Every field in the order received.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields
            .iter()
            .map(|field| (self.slice(&field.name), self.slice(&field.value)))
    }

    /// Every value of the fields of that name, compared without case.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, v)| v)
    }

    /// The value of the only field of that name; none where there is no such field or several.
    #[must_use]
    pub fn only<'a>(&'a self, name: &'a str) -> Option<&'a [u8]> {
        let mut values = self.all(name);
        let first = values.next();
        if values.next().is_some() { None } else { first }
    }

    fn push(&mut self, name: &[u8], value: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name);
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.fields.push(Field {
            name: start..middle,
            value: middle..self.bytes.len(),
        });
    }

    fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }
}

fn abi_fields(bytes: &[u8]) -> Option<Vec<Field>> {
    let count = usize::try_from(abi_u32(bytes, 0)?).ok()?;
    let sizes_end = count.checked_mul(8)?.checked_add(4)?;
    let sizes = bytes.get(4..sizes_end)?;
    let mut at = sizes_end;
    let mut fields = Vec::with_capacity(count);
    for pair in sizes.chunks_exact(8) {
        let name = abi_text(bytes, &mut at, abi_u32(pair, 0)?)?;
        let value = abi_text(bytes, &mut at, abi_u32(pair, 4)?)?;
        fields.push(Field { name, value });
    }
    Some(fields)
}

fn abi_u32(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(four.try_into().ok()?))
}

fn abi_text(bytes: &[u8], at: &mut usize, size: u32) -> Option<Range<usize>> {
    let start = *at;
    let end = start.checked_add(usize::try_from(size).ok()?)?;
    if bytes.get(end) != Some(&0) {
        return None;
    }
    *at = end.checked_add(1)?;
    Some(start..end)
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
        assert_eq!(headers.only(":path"), Some(&b"/"[..]));
        assert_eq!(
            headers.only("X"),
            None,
            "two fields of one name are not one"
        );
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
