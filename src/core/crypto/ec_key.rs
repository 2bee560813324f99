//! What makes an elliptic curve or Ed25519 public key sound: RFC 8725 section 3.4.

use super::KeyError;

/// A curve of ECDSA (RFC 7518 section 6.2.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
}

/// SubjectPublicKeyInfo up to the point (RFC 5480 section 2).
const P256_SPKI: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const P384_SPKI: &[u8] = &[
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
    0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00,
];
const P521_SPKI: &[u8] = &[
    0x30, 0x81, 0x9b, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05,
    0x2b, 0x81, 0x04, 0x00, 0x23, 0x03, 0x81, 0x86, 0x00,
];

impl Curve {
    /// The registered name, as in a JWK's `crv`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    /// The curve of that registered name, compared exactly.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::P256, Self::P384, Self::P521]
            .into_iter()
            .find(|curve| curve.name() == name)
    }

    /// How many bytes a coordinate, and each half of a signature, has.
    #[must_use]
    pub const fn coordinate_len(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    const fn spki_prefix(self) -> &'static [u8] {
        match self {
            Self::P256 => P256_SPKI,
            Self::P384 => P384_SPKI,
            Self::P521 => P521_SPKI,
        }
    }
}

/// A point that was found to lie on its curve, as the pure implementation takes it.
#[derive(Clone)]
pub enum Point {
    P256(Box<p256::ecdsa::VerifyingKey>),
    P384(Box<p384::ecdsa::VerifyingKey>),
    P521(Box<p521::ecdsa::VerifyingKey>),
}

/// An ECDSA public key that was found sound.
#[derive(Clone)]
pub struct EcKey {
    point: Point,
    spki: Box<[u8]>,
}

impl EcKey {
    /// Takes big-endian coordinates of exactly the curve's length (RFC 7518 section 6.2.1.2).
    pub fn new(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        for coordinate in [x, y] {
            if coordinate.len() != curve.coordinate_len() {
                return Err(KeyError::CoordinateLength(curve));
            }
        }
        // SEC 1 section 2.3.3: 4 marks an uncompressed point.
        let sec1 = [&[4], x, y].concat();
        Ok(Self {
            point: on_curve(curve, &sec1).ok_or(KeyError::NotOnCurve(curve))?,
            spki: [curve.spki_prefix(), &sec1].concat().into(),
        })
    }

    /// The key as the pure implementation takes it.
    pub fn point(&self) -> &Point {
        &self.point
    }

    /// The curve the point is on.
    pub fn curve(&self) -> Curve {
        match self.point {
            Point::P256(_) => Curve::P256,
            Point::P384(_) => Curve::P384,
            Point::P521(_) => Curve::P521,
        }
    }

    /// The key as the proxy takes it.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The halves `r` and `s` of a signature that has exactly the curve's length
    /// (RFC 7518 section 3.4).
    pub fn halves<'s>(&self, signature: &'s [u8]) -> Option<(&'s [u8], &'s [u8])> {
        let half = self.curve().coordinate_len();
        let (r, s) = signature.split_at_checked(half)?;
        (s.len() == half).then_some((r, s))
    }

    /// The coordinates, each of the curve's length.
    pub fn coordinates(&self) -> (&[u8], &[u8]) {
        let point = self
            .spki
            .get(self.curve().spki_prefix().len().saturating_add(1)..)
            .unwrap_or_default();
        point
            .split_at_checked(self.curve().coordinate_len())
            .unwrap_or_default()
    }
}

fn on_curve(curve: Curve, sec1: &[u8]) -> Option<Point> {
    Some(match curve {
        Curve::P256 => Point::P256(
            p256::ecdsa::VerifyingKey::from_sec1_bytes(sec1)
                .ok()?
                .into(),
        ),
        Curve::P384 => Point::P384(
            p384::ecdsa::VerifyingKey::from_sec1_bytes(sec1)
                .ok()?
                .into(),
        ),
        Curve::P521 => Point::P521(
            p521::ecdsa::VerifyingKey::from_sec1_bytes(sec1)
                .ok()?
                .into(),
        ),
    })
}

/// Takes the 32 bytes of an Ed25519 public key (RFC 8037 section 2).
///
/// RFC 8032 section 5.1.3 refuses a `y` that is not below the field's prime; dalek reduces it, so
/// one key would have two forms. A point of small order verifies some signature over any message.
pub fn ed25519(x: &[u8]) -> Result<ed25519_dalek::VerifyingKey, KeyError> {
    let bytes = <&[u8; 32]>::try_from(x).map_err(|_| KeyError::Ed25519Length)?;
    if !is_canonical(bytes) {
        return Err(KeyError::Ed25519NotCanonical);
    }
    let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Ed25519Point)?;
    if key.is_weak() {
        return Err(KeyError::Ed25519SmallOrder);
    }
    Ok(key)
}

/// Whether `y` (little-endian, the topmost bit is the sign of `x`) is below 2^255 - 19.
///
/// The other form that is not canonical, a sign on `x = 0`, has `y` of 1 or -1: small order.
fn is_canonical(bytes: &[u8; 32]) -> bool {
    let [low, middle @ .., high] = bytes;
    *low < 0xed || middle.iter().any(|byte| *byte != 0xff) || high & 0x7f != 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The base points, which are on their curves (SEC 2 sections 2.4.2, 2.5.1, 2.6.1).
    fn base_point(curve: Curve) -> (Vec<u8>, Vec<u8>) {
        use p256::elliptic_curve::sec1::ToEncodedPoint;
        let sec1 = match curve {
            Curve::P256 => p256::AffinePoint::GENERATOR
                .to_encoded_point(false)
                .as_bytes()
                .to_vec(),
            Curve::P384 => p384::AffinePoint::GENERATOR
                .to_encoded_point(false)
                .as_bytes()
                .to_vec(),
            Curve::P521 => p521::AffinePoint::GENERATOR
                .to_encoded_point(false)
                .as_bytes()
                .to_vec(),
        };
        let (x, y) = sec1[1..].split_at(curve.coordinate_len());
        (x.to_vec(), y.to_vec())
    }

    #[test]
    fn a_point_must_lie_on_its_curve_and_have_its_length() {
        for curve in [Curve::P256, Curve::P384, Curve::P521] {
            assert_eq!(Curve::from_name(curve.name()), Some(curve));
            let (x, mut y) = base_point(curve);
            let key = EcKey::new(curve, &x, &y).unwrap();
            assert_eq!(key.curve(), curve);
            assert_eq!(key.coordinates(), (x.as_slice(), y.as_slice()));
            let short = EcKey::new(curve, &x[1..], &y).map(|_| ());
            assert_eq!(short, Err(KeyError::CoordinateLength(curve)));
            *y.last_mut().unwrap() ^= 1;
            let off = EcKey::new(curve, &x, &y).map(|_| ());
            assert_eq!(off, Err(KeyError::NotOnCurve(curve)));
            let zero = vec![0; curve.coordinate_len()];
            let infinity = EcKey::new(curve, &zero, &zero).map(|_| ());
            assert_eq!(infinity, Err(KeyError::NotOnCurve(curve)));
        }
    }

    #[test]
    fn a_signature_is_split_only_at_the_exact_length() {
        let (x, y) = base_point(Curve::P521);
        let key = EcKey::new(Curve::P521, &x, &y).unwrap();
        assert!(key.halves(&[0; 132]).is_some());
        for length in [0, 1, 66, 131, 133] {
            assert!(key.halves(&vec![0; length]).is_none(), "{length}");
        }
    }

    #[test]
    fn ed25519_keys_of_small_order_or_not_canonical_are_refused() {
        // RFC 8032 section 7.1, test 1.
        let good = [
            0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64,
            0x07, 0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68,
            0xf7, 0x07, 0x51, 0x1a,
        ];
        assert!(ed25519(&good).is_ok());
        assert_eq!(ed25519(&good[1..]), Err(KeyError::Ed25519Length));

        let mut identity = [0; 32];
        assert_eq!(
            ed25519(&identity),
            Err(KeyError::Ed25519SmallOrder),
            "y = 0"
        );
        identity[0] = 1;
        assert_eq!(
            ed25519(&identity),
            Err(KeyError::Ed25519SmallOrder),
            "y = 1"
        );
        identity[31] = 0x80;
        assert!(ed25519(&identity).is_err(), "y = 1 and a sign");

        let mut above_prime = [0xff; 32];
        above_prime[31] = 0x7f;
        for low in 0xed..=0xff {
            above_prime[0] = low;
            assert_eq!(ed25519(&above_prime), Err(KeyError::Ed25519NotCanonical));
        }
        above_prime[0] = 0xec;
        assert_eq!(
            ed25519(&above_prime),
            Err(KeyError::Ed25519SmallOrder),
            "y = -1"
        );
    }
}
