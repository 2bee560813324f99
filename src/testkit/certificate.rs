//! Certificates for tests: any extensions, around a body and a signature that nobody verified.

use crate::signing;

const SEQUENCE: u8 = 0x30;

/// The DER of an element.
pub fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = match body.len() {
        short @ 0..=0x7f => vec![u8::try_from(short).unwrap()],
        long => {
            let bytes = long.to_be_bytes();
            let bytes: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
            [&[0x80 | u8::try_from(bytes.len()).unwrap()], &bytes[..]].concat()
        }
    };
    [&[tag], &length[..], &body].concat()
}

/// An extension: the last byte of its id below `id-ce`, and its value.
pub fn extension(id: u8, critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if critical { &[1, 1, 0xff][..] } else { &[] };
    element(
        SEQUENCE,
        &[&[6, 3, 0x55, 0x1d, id], critical, &element(4, &[value])],
    )
}

/// A subject alternative name of these URIs.
pub fn uris(uris: &[&str]) -> Vec<u8> {
    let names: Vec<Vec<u8>> = uris
        .iter()
        .map(|uri| element(0x86, &[uri.as_bytes()]))
        .collect();
    names_of(&names)
}

/// A subject alternative name of these names.
pub fn names_of(names: &[Vec<u8>]) -> Vec<u8> {
    extension(17, false, &element(SEQUENCE, &[&names.concat()]))
}

/// Basic constraints.
pub fn authority(is: bool) -> Vec<u8> {
    let flag = if is { &[1, 1, 0xff][..] } else { &[] };
    extension(19, true, &element(SEQUENCE, &[flag]))
}

/// A key usage of these bits, counted from the left.
pub fn key_usage(bits: &[u8]) -> Vec<u8> {
    let byte = bits.iter().fold(0, |byte, bit| byte | 0x80 >> bit);
    extension(15, true, &element(3, &[&[0, byte]]))
}

/// The DER of a certificate with these extensions.
pub fn der(extensions: &[Vec<u8>]) -> Vec<u8> {
    let algorithm = element(SEQUENCE, &[&[6, 8, 42, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]]);
    let (begin, end) = (b"260101000000Z", b"360101000000Z");
    let validity = [element(0x17, &[begin]), element(0x17, &[end])].concat();
    let bits = element(3, &[&[0, 4, 1, 2, 3]]);
    let body = element(
        SEQUENCE,
        &[
            &element(0xa0, &[&[2, 1, 2]]),
            &[2, 1, 7],
            &algorithm,
            &element(SEQUENCE, &[]),
            &element(SEQUENCE, &[&validity]),
            &element(SEQUENCE, &[]),
            &element(SEQUENCE, &[&algorithm, &bits]),
            &element(0xa3, &[&element(SEQUENCE, &[&extensions.concat()])]),
        ],
    );
    element(SEQUENCE, &[&body, &algorithm, &bits])
}

/// The same as PEM, as hosts give it.
pub fn pem(der: &[u8]) -> Vec<u8> {
    signing::pem("CERTIFICATE", der).into_bytes()
}

/// The certificate of a workload.
pub fn workload(uri: &str) -> Vec<u8> {
    pem(&der(&[uris(&[uri]), authority(false), key_usage(&[0])]))
}
