//! The checks in the module itself, by `jwt-compact` and the algorithms it carries.

use jwt_compact::{
    Algorithm as Scheme, AlgorithmSignature,
    alg::{Es256, Hs256, Hs256Key, Hs384, Hs384Key, Hs512, Hs512Key, Rsa},
};

use super::{
    Algorithm, Crypto, VerifyingKey,
    carried::{Es384, Es512, StrictEd25519},
    ec_key::{EcKey, Point},
    price::{Checker, Price},
    rsa_key::RsaKey,
    verifying_key::Material,
};

/// Checks signatures in the module itself, for every algorithm.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pure;

impl Crypto for Pure {
    fn verify(
        &self,
        key: &VerifyingKey,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        key.fits(algorithm)
            && match key.material() {
                Material::Rsa(key) => rsa_holds(key, algorithm, message, signature),
                Material::Ec(key) => ecdsa_holds(key, message, signature),
                Material::Ed25519(key) => holds(&StrictEd25519, key, message, signature),
                Material::Hmac(secret) => hmac_holds(secret, algorithm, message, signature),
            }
    }

    fn price(&self, key: &VerifyingKey, algorithm: Algorithm) -> Price {
        Price::of(key, algorithm, Checker::Module)
    }
}

fn rsa_holds(key: &RsaKey, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
    let scheme = match algorithm {
        Algorithm::Rs256 => Rsa::rs256(),
        Algorithm::Rs384 => Rsa::rs384(),
        Algorithm::Rs512 => Rsa::rs512(),
        Algorithm::Ps256 => Rsa::ps256(),
        Algorithm::Ps384 => Rsa::ps384(),
        Algorithm::Ps512 => Rsa::ps512(),
        _ => return false,
    };
    key.takes(signature) && holds(&scheme, key.public(), message, signature)
}

/// The algorithm is the curve's own (RFC 7518 section 3.4): `fits` has seen to that.
fn ecdsa_holds(key: &EcKey, message: &[u8], signature: &[u8]) -> bool {
    match key.point() {
        Point::P256(point) => holds(&Es256, point, message, signature),
        Point::P384(point) => holds(&Es384, point, message, signature),
        Point::P521(point) => holds(&Es512, point, message, signature),
    }
}

fn hmac_holds(secret: &Hs256Key, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
    let bytes: &[u8] = secret.as_ref();
    match algorithm {
        Algorithm::Hs256 => holds(&Hs256, secret, message, signature),
        Algorithm::Hs384 => holds(&Hs384, &Hs384Key::from(bytes), message, signature),
        Algorithm::Hs512 => holds(&Hs512, &Hs512Key::from(bytes), message, signature),
        _ => false,
    }
}

/// Whether the signature has the scheme's length and holds.
///
/// The length comes first: `jwt-compact` leaves that to its caller and its HMAC panics without.
fn holds<S: Scheme>(scheme: &S, key: &S::VerifyingKey, message: &[u8], signature: &[u8]) -> bool {
    let length = <S::Signature as AlgorithmSignature>::LENGTH;
    if length.is_some_and(|length| length.get() != signature.len()) {
        return false;
    }
    S::Signature::try_from_slice(signature)
        .is_ok_and(|signature| scheme.verify_signature(&signature, key, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::{Signer, signers};

    const MESSAGE: &[u8] = b"header.payload";

    #[test]
    fn every_algorithm_takes_its_own_signature_and_no_other() {
        for signer in signers() {
            let (key, signature) = (signer.verifying_key(), signer.sign(MESSAGE));
            for algorithm in Algorithm::ALL {
                let holds = Pure.verify(&key, *algorithm, MESSAGE, &signature);
                assert_eq!(holds, *algorithm == signer.algorithm, "{algorithm:?}");
            }
            assert!(!Pure.verify(&key, signer.algorithm, b"header.Payload", &signature));
        }
    }

    #[test]
    fn a_key_takes_no_signature_of_another_key() {
        for one in signers() {
            let signature = one.sign(MESSAGE);
            for other in signers() {
                let key = other.verifying_key();
                let holds = Pure.verify(&key, one.algorithm, MESSAGE, &signature);
                // The signers of RSA share a key.
                assert_eq!(holds, one.jwk() == other.jwk());
            }
        }
        for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Hs256] {
            let stranger = Signer::for_tests(algorithm).sign(MESSAGE);
            let key = Signer::for_tests(algorithm).verifying_key();
            assert!(!Pure.verify(&key, algorithm, MESSAGE, &stranger));
        }
    }

    #[test]
    fn a_signature_with_any_bit_flipped_does_not_hold() {
        for signer in signers() {
            let (key, mut signature) = (signer.verifying_key(), signer.sign(MESSAGE));
            // Every bit of short signatures; of RSA's, one of each byte is enough.
            let step = if signature.len() == 256 { 8 } else { 3 };
            for bit in (0..signature.len() * 8).step_by(step) {
                signature[bit / 8] ^= 1 << (bit % 8);
                assert!(
                    !Pure.verify(&key, signer.algorithm, MESSAGE, &signature),
                    "{bit}"
                );
                signature[bit / 8] ^= 1 << (bit % 8);
            }
            assert!(Pure.verify(&key, signer.algorithm, MESSAGE, &signature));
        }
    }

    #[test]
    fn a_signature_of_any_other_length_does_not_hold() {
        for signer in signers() {
            let (key, signature) = (signer.verifying_key(), signer.sign(MESSAGE));
            let holds = |bytes: &[u8]| Pure.verify(&key, signer.algorithm, MESSAGE, bytes);
            for length in 0..=300 {
                assert!(!holds(&vec![0; length]));
                assert!(!holds(&vec![0xff; length]));
                let mut changed = signature.clone();
                changed.resize(length, 0);
                assert_eq!(holds(&changed), length == signature.len());
            }
            assert!(!holds(&[&[0], signature.as_slice()].concat()));
        }
    }

    #[test]
    fn a_pss_signature_above_the_modulus_does_not_hold() {
        use crate::crypto::PublicNumbers;
        use crate::signing::signer;
        use rsa::BigUint;
        let signer = signer(Algorithm::Ps256);
        let key = signer.verifying_key();
        let Some(PublicNumbers::Rsa { modulus, .. }) = key.public_numbers() else {
            panic!("not an RSA key");
        };
        // At least one signature in eight has room for the modulus to be added; s + n = s (mod n).
        let unreduced = (0..300).find_map(|_| {
            let signature = BigUint::from_bytes_be(&signer.sign(MESSAGE));
            let sum = (signature + BigUint::from_bytes_be(modulus)).to_bytes_be();
            (sum.len() == modulus.len()).then_some(sum)
        });
        let unreduced = unreduced.expect("some signature leaves room");
        assert!(!Pure.verify(&key, Algorithm::Ps256, MESSAGE, &unreduced));
    }

    #[test]
    fn an_rsa_public_key_cannot_be_used_as_a_secret() {
        let signer = crate::signing::signer(Algorithm::Rs256);
        let key = signer.verifying_key();
        for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
            assert!(!Pure.verify(&key, algorithm, MESSAGE, &[0; 64]));
            assert!(!key.fits(algorithm));
        }
    }
}
