//! The checks in the module itself, by `jwt-compact` and the algorithms it carries.

use jwt_compact::{
    Algorithm as Scheme, AlgorithmSignature,
    alg::{Es256, Hs256, Hs256Key, Hs384, Hs384Key, Hs512, Hs512Key, Rsa},
};

use super::{
    Algorithm, Crypto, VerifyingKey,
    carried::{Es384, Es512, StrictEd25519},
    ec_key::{EcKey, Point},
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
