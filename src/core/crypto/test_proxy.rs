//! Envoy's `verify_signature` for tests: reads what it is given with other people's readers of
//! protobuf fields, keys and signatures, and takes what BoringSSL would take.

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rsa::{
    Pkcs1v15Sign,
    pkcs8::{DecodePublicKey, spki::SubjectPublicKeyInfoRef},
};
use sha2::{Digest, Sha256, Sha384, Sha512};

/// Answers one call; none where the arguments can't be read.
pub fn verify_signature(arguments: &[u8]) -> Option<Vec<u8>> {
    let [hash_function, public_key, signature, text] = fields(arguments)?;
    let digest = match hash_function {
        b"sha256" => Sha256::digest(text).to_vec(),
        b"sha384" => Sha384::digest(text).to_vec(),
        b"sha512" => Sha512::digest(text).to_vec(),
        _ => return Some(failure("unknown hash function")),
    };
    let spki = SubjectPublicKeyInfoRef::try_from(public_key).ok()?;
    let holds = match spki.algorithm.oid.to_string().as_str() {
        "1.2.840.113549.1.1.1" => rsa_holds(public_key, hash_function, &digest, signature),
        "1.2.840.10045.2.1" => ecdsa_holds(&spki, &digest, signature),
        _ => false,
    };
    Some(if holds {
        vec![8, 1]
    } else {
        failure("verification failed")
    })
}

/// `{bool result = 1, string error = 2}` with `result` false, which proto3 leaves out.
fn failure(error: &str) -> Vec<u8> {
    [
        &[0x12, u8::try_from(error.len()).unwrap()],
        error.as_bytes(),
    ]
    .concat()
}

/// The length-delimited fields 1 to 4, each once and in order.
fn fields(mut bytes: &[u8]) -> Option<[&[u8]; 4]> {
    let mut fields = [[].as_slice(); 4];
    for (number, field) in (1..).zip(&mut fields) {
        let (key, rest) = bytes.split_first()?;
        assert_eq!(*key, number << 3 | 2);
        let varint = rest.iter().position(|byte| byte & 0x80 == 0)? + 1;
        let length = rest[..varint]
            .iter()
            .rev()
            .fold(0, |length, byte| length << 7 | usize::from(byte & 0x7f));
        (*field, bytes) = rest[varint..].split_at_checked(length)?;
    }
    assert!(bytes.is_empty());
    Some(fields)
}

fn rsa_holds(public_key: &[u8], hash_function: &[u8], digest: &[u8], signature: &[u8]) -> bool {
    let key = rsa::RsaPublicKey::from_public_key_der(public_key).unwrap();
    let scheme = match hash_function {
        b"sha256" => Pkcs1v15Sign::new::<Sha256>(),
        b"sha384" => Pkcs1v15Sign::new::<Sha384>(),
        _ => Pkcs1v15Sign::new::<Sha512>(),
    };
    key.verify(scheme, digest, signature).is_ok()
}

fn ecdsa_holds(spki: &SubjectPublicKeyInfoRef<'_>, digest: &[u8], signature: &[u8]) -> bool {
    let point = spki.subject_public_key.raw_bytes();
    macro_rules! holds {
        ($curve:ident) => {{
            let key = $curve::ecdsa::VerifyingKey::from_sec1_bytes(point).unwrap();
            $curve::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify_prehash(digest, &signature).is_ok())
        }};
    }
    match spki
        .algorithm
        .parameters_oid()
        .unwrap()
        .to_string()
        .as_str()
    {
        "1.2.840.10045.3.1.7" => holds!(p256),
        "1.3.132.0.34" => holds!(p384),
        "1.3.132.0.35" => holds!(p521),
        other => panic!("unknown curve {other}"),
    }
}
