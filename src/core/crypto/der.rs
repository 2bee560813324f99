//! The few DER values the proxy asks for: a SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) and
//! an ECDSA signature (RFC 3279 section 2.2.3). Only written, never read.

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

/// `AlgorithmIdentifier` of rsaEncryption with its NULL parameter (RFC 3279 section 2.3.1).
const RSA_ENCRYPTION: &[u8] = &[
    SEQUENCE, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
];

/// The SubjectPublicKeyInfo of an RSA key; both numbers big-endian without leading zeros.
pub fn rsa_public_key(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let numbers = [integer(modulus), integer(exponent)].concat();
    let key = element(SEQUENCE, &numbers);
    let bits = element(BIT_STRING, &[&[0], key.as_slice()].concat());
    element(SEQUENCE, &[RSA_ENCRYPTION, &bits].concat())
}

/// How many bytes [`push_ecdsa_signature`] writes for that `r` and `s`.
pub fn ecdsa_signature_len(r: &[u8], s: &[u8]) -> usize {
    let body = integer_len(r).saturating_add(integer_len(s));
    header_len(body).saturating_add(body)
}

/// Appends an ECDSA signature; `r` and `s` are big-endian, leading zeros allowed.
pub fn push_ecdsa_signature(out: &mut Vec<u8>, r: &[u8], s: &[u8]) {
    let body = integer_len(r).saturating_add(integer_len(s));
    push_header(out, SEQUENCE, body);
    push_integer(out, r);
    push_integer(out, s);
}

/// The number without its leading zero bytes.
pub fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn integer(number: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(integer_len(number));
    push_integer(&mut out, number);
    out
}

fn integer_len(number: &[u8]) -> usize {
    let (zero, number) = as_signed(number);
    let body = number.len().saturating_add(usize::from(zero));
    header_len(body).saturating_add(body)
}

fn push_integer(out: &mut Vec<u8>, number: &[u8]) {
    let (zero, number) = as_signed(number);
    push_header(out, INTEGER, number.len().saturating_add(usize::from(zero)));
    if zero {
        out.push(0);
    }
    out.extend_from_slice(number);
}

/// Whether a zero byte must stand before the shortest form, so that it is not read as negative
/// (X.690 section 8.3), and that form.
fn as_signed(number: &[u8]) -> (bool, &[u8]) {
    let number = without_leading_zeros(number);
    (number.first().is_none_or(|byte| *byte >= 0x80), number)
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(header_len(content.len()).saturating_add(content.len()));
    push_header(&mut out, tag, content.len());
    out.extend_from_slice(content);
    out
}

fn header_len(content: usize) -> usize {
    match content {
        0..=0x7f => 2,
        0x80..=0xff => 3,
        _ => 4,
    }
}

/// Appends a tag and a definite length of at most two bytes (X.690 section 8.1.3); the largest
/// content here is an RSA key of 8192 bits, just over a kibibyte.
fn push_header(out: &mut Vec<u8>, tag: u8, content: usize) {
    let [.., high, low] = content.to_be_bytes();
    match content {
        0..=0x7f => out.extend([tag, low]),
        0x80..=0xff => out.extend([tag, 0x81, low]),
        _ => out.extend([tag, 0x82, high, low]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(r: &[u8], s: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        push_ecdsa_signature(&mut out, r, s);
        assert_eq!(out.len(), ecdsa_signature_len(r, s));
        out
    }

    #[test]
    fn signature_numbers_take_their_shortest_unsigned_form() {
        const CASES: &[(&[u8], &[u8], &[u8])] = &[
            (&[1], &[2], &[0x30, 6, 2, 1, 1, 2, 1, 2]),
            (&[0, 0, 1], &[0x7f], &[0x30, 6, 2, 1, 1, 2, 1, 0x7f]),
            (
                &[0x80],
                &[0, 0xff],
                &[0x30, 8, 2, 2, 0, 0x80, 2, 2, 0, 0xff],
            ),
            (&[0], &[0, 0], &[0x30, 6, 2, 1, 0, 2, 1, 0]),
        ];
        for (r, s, expected) in CASES {
            assert_eq!(signature(r, s), *expected);
        }
    }

    #[test]
    fn a_long_signature_takes_the_long_length_form() {
        let out = signature(&[0xff; 66], &[0x7f; 66]);
        assert_eq!(out.get(..5), Some([0x30, 0x81, 137, 2, 67].as_slice()));
        assert_eq!(out.len(), 140);
    }

    #[test]
    fn an_rsa_key_is_a_subject_public_key_info() {
        let out = rsa_public_key(&[0x80; 256], &[1, 0, 1]);
        // The usual opening of a 2048-bit RSA key.
        assert_eq!(
            out.get(..8),
            Some([0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09].as_slice())
        );
        assert_eq!(out.len(), 294);
        assert!(out.ends_with(&[2, 3, 1, 0, 1]));
    }
}
