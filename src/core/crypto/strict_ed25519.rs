//! Ed25519 as `verify_strict` judges it, without decompressing `R`.

use ed25519_dalek::{Signature, VerifyingKey, ed25519::signature::Verifier};

/// Whether the signature holds and its `R` is not of small order.
///
/// Both of dalek's checks compute `R` anew and compare its canonical form with the one sent.
/// `verify_strict` decompresses the one sent too, a tenth of its work, to find out its order; but an
/// `R` that passed the comparison is of small order just where it is one of eight known forms.
pub fn holds(key: &VerifyingKey, message: &[u8], signature: &Signature) -> bool {
    !key.is_weak() && !is_small_order(signature.r_bytes()) && key.verify(message, signature).is_ok()
}

/// Whether this is the canonical form of one of the eight points whose order divides 8, or such a
/// form with the sign that is no point's.
fn is_small_order(point: &[u8; 32]) -> bool {
    let mut y = *point;
    let [.., high] = &mut y;
    *high &= 0x7f;
    Y_OF_SMALL_ORDER.contains(&&y)
}

/// The `y` of those points, little-endian: 0 and two square roots of two signs each, 1 and -1 of one.
const Y_OF_SMALL_ORDER: [&[u8; 32]; 5] = [
    &[0; 32],
    b"\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    b"\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\
      \xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05",
    b"\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\
      \x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a",
    b"\xec\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\
      \xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use ed25519_dalek::{Signer, SigningKey};

    const MESSAGE: &[u8] = b"header.payload";

    fn signer() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    #[test]
    fn the_known_forms_are_of_eight_points_of_small_order() {
        let mut points = BTreeSet::new();
        for y in Y_OF_SMALL_ORDER {
            for sign in [0, 0x80] {
                let mut form = *y;
                form[31] |= sign;
                let key = VerifyingKey::from_bytes(&form).unwrap();
                assert!(key.is_weak(), "{form:02x?}");
                assert!(is_small_order(&form));
                points.insert(key.to_edwards().compress().to_bytes());
            }
        }
        assert_eq!(points.len(), 8);
    }

    #[test]
    fn an_r_of_small_order_does_not_hold_though_the_equation_does() {
        // R = 0 and s = SHA-512(R || A || M) a, so that s B = R + SHA-512(R || A || M) A.
        let s = b"\x15\x9e\xdd\xf0\x9c\xd8\x73\xa3\xd0\xcb\xdb\x7a\xc9\xf1\x67\xf5\
            \xf6\x43\x35\x4b\x2f\x84\xac\x51\xa9\x77\x73\xa1\xa8\xdc\x37\x0e";
        let signature = Signature::from_components(*Y_OF_SMALL_ORDER[1], *s);
        let key = signer().verifying_key();
        assert!(key.verify(MESSAGE, &signature).is_ok());
        assert!(key.verify_strict(MESSAGE, &signature).is_err());
        assert!(!holds(&key, MESSAGE, &signature));
    }

    #[test]
    fn every_signature_is_judged_as_dalek_does() {
        let key = signer().verifying_key();
        let good = signer().sign(MESSAGE).to_bytes();
        for bit in 0..512 {
            let mut bytes = good;
            bytes[bit / 8] ^= 1 << (bit % 8);
            for bytes in [good, bytes] {
                let signature = Signature::from_bytes(&bytes);
                let strict = key.verify_strict(MESSAGE, &signature).is_ok();
                assert_eq!(holds(&key, MESSAGE, &signature), strict, "{bit}");
            }
        }
    }
}
