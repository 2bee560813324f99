//! A public key or shared secret that was found sound, with all that each implementation needs.

use std::fmt;

use jwt_compact::alg::Hs256Key;

use super::{
    Algorithm, AlgorithmSet, Curve,
    ec_key::{self, EcKey},
    rsa_key::RsaKey,
};

/// Why a key is not sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The RSA modulus has this many bits, not 2048 to 8192.
    RsaModulusBits(usize),
    /// The RSA modulus is even.
    RsaModulusEven,
    /// The RSA modulus bears the fingerprint of CVE-2017-15361.
    RsaModulusRoca,
    /// The RSA exponent is not odd, below 65537 (and not an allowed 3), or beyond 33 bits.
    RsaExponent,
    /// A coordinate has not the length of its curve.
    CoordinateLength(Curve),
    /// The point is not on its curve.
    NotOnCurve(Curve),
    /// An Ed25519 key has 32 bytes.
    Ed25519Length,
    /// The Ed25519 key is not in its canonical form.
    Ed25519NotCanonical,
    /// The Ed25519 key is no point of the curve.
    Ed25519Point,
    /// The Ed25519 key is a point of small order, under which any message can be signed.
    Ed25519SmallOrder,
    /// The secret has this many bytes, fewer than the shortest hash.
    SecretTooShort(usize),
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RsaModulusBits(bits) => {
                write!(f, "the RSA modulus has {bits} bits, not 2048 to 8192")
            }
            Self::RsaModulusEven => f.write_str("the RSA modulus is even"),
            Self::RsaModulusRoca => {
                f.write_str("the RSA key was made by a faulty generator (CVE-2017-15361)")
            }
            Self::RsaExponent => f.write_str(
                "the RSA exponent is not an odd number from 65537 to 8589934591, \
                 nor a 3 that the configuration allows",
            ),
            Self::CoordinateLength(curve) => write!(
                f,
                "a coordinate on {} has {} bytes",
                curve.name(),
                curve.coordinate_len()
            ),
            Self::NotOnCurve(curve) => write!(f, "the point is not on {}", curve.name()),
            Self::Ed25519Length => f.write_str("an Ed25519 key has 32 bytes"),
            Self::Ed25519NotCanonical => f.write_str("the Ed25519 key is not in canonical form"),
            Self::Ed25519Point => f.write_str("the Ed25519 key is no point of the curve"),
            Self::Ed25519SmallOrder => f.write_str("the Ed25519 key is a point of small order"),
            Self::SecretTooShort(bytes) => {
                write!(f, "the secret has {bytes} bytes; 32 are needed at least")
            }
        }
    }
}

impl std::error::Error for KeyError {}

/// A public key or shared secret that was found sound.
///
/// It can only be built by a check, so whoever holds one checks nothing. Debug output names its
/// kind and never shows a secret; a secret is wiped when dropped.
#[derive(Clone)]
pub struct VerifyingKey(Material);

/// The numbers of a public key, big-endian, in the one length that each has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicNumbers<'a> {
    /// An RSA key, without leading zeros.
    Rsa {
        /// The modulus.
        modulus: &'a [u8],
        /// The public exponent.
        exponent: &'a [u8],
    },
    /// An ECDSA key; coordinates have the curve's length.
    Ec {
        /// The curve.
        curve: Curve,
        /// The first coordinate.
        x: &'a [u8],
        /// The second coordinate.
        y: &'a [u8],
    },
    /// An Ed25519 key.
    Ed25519 {
        /// The 32 bytes of the key (RFC 8032 section 5.1.5).
        x: &'a [u8],
    },
}

#[derive(Clone)]
pub(super) enum Material {
    Rsa(RsaKey),
    Ec(EcKey),
    Ed25519(Box<ed25519_dalek::VerifyingKey>),
    /// Held in the type of one hash, which wipes itself; the bytes are the same for each.
    Hmac(Box<Hs256Key>),
}

impl VerifyingKey {
    /// Takes an RSA key: modulus and exponent, big-endian.
    ///
    /// # Errors
    ///
    /// The modulus must have 2048 to 8192 bits, be odd and not bear the fingerprint of a known
    /// faulty generator; the exponent must be odd and at least 65537, or 3 where that is allowed.
    pub fn rsa(modulus: &[u8], exponent: &[u8], allow_exponent_3: bool) -> Result<Self, KeyError> {
        RsaKey::new(modulus, exponent, allow_exponent_3).map(|key| Self(Material::Rsa(key)))
    }

    /// Takes an ECDSA key: the coordinates of a point, big-endian, of the curve's exact length.
    ///
    /// # Errors
    ///
    /// The lengths must fit and the point must be on the curve.
    pub fn ec(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        EcKey::new(curve, x, y).map(|key| Self(Material::Ec(key)))
    }

    /// Takes an Ed25519 key of 32 bytes.
    ///
    /// # Errors
    ///
    /// It must be the canonical form of a point that is not of small order.
    pub fn ed25519(x: &[u8]) -> Result<Self, KeyError> {
        ec_key::ed25519(x).map(|key| Self(Material::Ed25519(key.into())))
    }

    /// Takes a secret of HMAC.
    ///
    /// # Errors
    ///
    /// It must be as long as the shortest hash, 32 bytes; it fits only the algorithms whose hash
    /// it is at least as long as (RFC 7518 section 3.2).
    pub fn hmac(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.len() < 32 {
            return Err(KeyError::SecretTooShort(secret.len()));
        }
        Ok(Self(Material::Hmac(Box::new(Hs256Key::new(secret)))))
    }

    /// Every algorithm the key can be used with.
    #[must_use]
    pub fn algorithms(&self) -> AlgorithmSet {
        Algorithm::ALL
            .iter()
            .copied()
            .filter(|algorithm| self.fits(*algorithm))
            .collect()
    }

    /// Whether the key can be used with the algorithm.
    #[must_use]
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm as A;
        match (&self.0, algorithm) {
            (Material::Rsa(_), A::Rs256 | A::Rs384 | A::Rs512)
            | (Material::Rsa(_), A::Ps256 | A::Ps384 | A::Ps512)
            | (Material::Ed25519(_), A::EdDsa) => true,
            (Material::Ec(key), A::Es256) => key.curve() == Curve::P256,
            (Material::Ec(key), A::Es384) => key.curve() == Curve::P384,
            (Material::Ec(key), A::Es512) => key.curve() == Curve::P521,
            (Material::Hmac(secret), A::Hs256) => secret_len(secret) >= 32,
            (Material::Hmac(secret), A::Hs384) => secret_len(secret) >= 48,
            (Material::Hmac(secret), A::Hs512) => secret_len(secret) >= 64,
            _ => false,
        }
    }

    /// Whether the key is a shared secret.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        matches!(self.0, Material::Hmac(_))
    }

    /// How many bits the modulus of an RSA key has, in whole bytes; none where it is another key.
    #[must_use]
    pub fn rsa_bits(&self) -> Option<usize> {
        match &self.0 {
            Material::Rsa(key) => Some(key.modulus().len().saturating_mul(8)),
            _ => None,
        }
    }

    /// The numbers that make the key public; none where it is a secret.
    #[must_use]
    pub fn public_numbers(&self) -> Option<PublicNumbers<'_>> {
        Some(match &self.0 {
            Material::Rsa(key) => PublicNumbers::Rsa {
                modulus: key.modulus(),
                exponent: key.exponent(),
            },
            Material::Ec(key) => {
                let (x, y) = key.coordinates();
                PublicNumbers::Ec {
                    curve: key.curve(),
                    x,
                    y,
                }
            }
            Material::Ed25519(key) => PublicNumbers::Ed25519 { x: key.as_bytes() },
            Material::Hmac(_) => return None,
        })
    }

    pub(super) fn material(&self) -> &Material {
        &self.0
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Material::Rsa(key) => write!(f, "Rsa({} bytes)", key.modulus().len()),
            Material::Ec(key) => write!(f, "Ec({})", key.curve().name()),
            Material::Ed25519(_) => f.write_str("Ed25519"),
            Material::Hmac(_) => f.write_str("Hmac(_)"),
        }
    }
}

fn secret_len(secret: &Hs256Key) -> usize {
    secret.as_ref().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_fits_only_the_hashes_it_is_as_long_as() {
        use Algorithm::{Hs256, Hs384, Hs512};
        const CASES: &[(usize, &[Algorithm])] = &[
            (32, &[Hs256]),
            (47, &[Hs256]),
            (48, &[Hs256, Hs384]),
            (63, &[Hs256, Hs384]),
            (64, &[Hs256, Hs384, Hs512]),
            (200, &[Hs256, Hs384, Hs512]),
        ];
        for (length, expected) in CASES {
            let key = VerifyingKey::hmac(&vec![7; *length]).unwrap();
            assert_eq!(key.algorithms().iter().collect::<Vec<_>>(), *expected);
            assert!(key.is_secret());
        }
        for length in [0, 1, 31] {
            assert_eq!(
                VerifyingKey::hmac(&vec![7; length]).map(|_| ()),
                Err(KeyError::SecretTooShort(length))
            );
        }
    }

    #[test]
    fn debug_output_never_shows_a_secret() {
        let key = VerifyingKey::hmac(b"sesame-sesame-sesame-sesame-sesame").unwrap();
        assert_eq!(format!("{key:?}"), "Hmac(_)");
    }
}
