//! What makes an RSA public key sound: RFC 7518 section 3.3 and RFC 8725 section 3.5.

use rsa::{BigUint, RsaPublicKey};

use super::{KeyError, der};

/// The smallest modulus in bits (RFC 7518 section 3.3).
const MIN_BITS: usize = 2048;
/// The largest modulus in bits; beyond it a check costs an attacker less than it costs us.
const MAX_BITS: usize = 8192;
/// The smallest public exponent (FIPS 186-5 section 5.1).
const MIN_EXPONENT: u64 = 65_537;

/// An RSA public key that was found sound.
#[derive(Clone)]
pub struct RsaKey {
    public: RsaPublicKey,
    modulus: Box<[u8]>,
    exponent: Box<[u8]>,
    spki: Box<[u8]>,
}

impl RsaKey {
    /// Takes the modulus and exponent as big-endian numbers, leading zeros allowed.
    ///
    /// RFC 7518 section 6.3.1.1 has producers leave leading zeros out and says that some do not;
    /// the number is the same.
    pub fn new(modulus: &[u8], exponent: &[u8], allow_exponent_3: bool) -> Result<Self, KeyError> {
        let modulus = der::without_leading_zeros(modulus);
        let exponent = der::without_leading_zeros(exponent);
        check_modulus(modulus)?;
        check_exponent(exponent, allow_exponent_3)?;
        let public = RsaPublicKey::new_with_max_size(
            BigUint::from_bytes_be(modulus),
            BigUint::from_bytes_be(exponent),
            MAX_BITS,
        )
        .map_err(|_| KeyError::RsaExponent)?;
        Ok(Self {
            public,
            modulus: modulus.into(),
            exponent: exponent.into(),
            spki: der::rsa_public_key(modulus, exponent).into(),
        })
    }

    /// The key as the pure implementation takes it.
    pub fn public(&self) -> &RsaPublicKey {
        &self.public
    }

    /// The key as the proxy takes it.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The modulus, big-endian without leading zeros.
    pub fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    /// The public exponent, big-endian without leading zeros.
    pub fn exponent(&self) -> &[u8] {
        &self.exponent
    }

    /// Whether the signature is as long as the modulus and, as a number, below it.
    ///
    /// RFC 8017 section 8.1.2 step 1 and section 5.2.2 step 1. The `rsa` crate skips the second
    /// for PSS, which would give one signature several forms.
    pub fn takes(&self, signature: &[u8]) -> bool {
        signature.len() == self.modulus.len() && *signature < *self.modulus
    }
}

fn check_modulus(modulus: &[u8]) -> Result<(), KeyError> {
    let bits = BigUint::from_bytes_be(modulus).bits();
    if !(MIN_BITS..=MAX_BITS).contains(&bits) {
        return Err(KeyError::RsaModulusBits(bits));
    }
    if modulus.last().is_none_or(|byte| byte & 1 == 0) {
        return Err(KeyError::RsaModulusEven);
    }
    if is_roca(modulus) {
        return Err(KeyError::RsaModulusRoca);
    }
    Ok(())
}

fn check_exponent(exponent: &[u8], allow_3: bool) -> Result<(), KeyError> {
    let padding = 8_usize
        .checked_sub(exponent.len())
        .ok_or(KeyError::RsaExponent)?;
    let number = std::iter::repeat_n(0, padding)
        .chain(exponent.iter().copied())
        .fold(0_u64, |number, byte| number << 8 | u64::from(byte));
    let odd = number & 1 == 1;
    if odd && (number >= MIN_EXPONENT || (number == 3 && allow_3)) {
        Ok(())
    } else {
        Err(KeyError::RsaExponent)
    }
}

/// The primes of the ROCA fingerprint: the odd ones up to 167.
const ROCA_PRIMES: &[u32] = &[
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// Whether the modulus bears the fingerprint of CVE-2017-15361, whose private key can be computed.
///
/// Such a modulus is a power of 65537 modulo every small prime (Nemec et al., "The Return of
/// Coppersmith's Attack", section 2.1); a sound one is with a chance below 2^-27.
fn is_roca(modulus: &[u8]) -> bool {
    ROCA_PRIMES
        .iter()
        .all(|prime| is_power_of_65537(remainder(modulus, *prime), *prime))
}

fn remainder(number: &[u8], prime: u32) -> u32 {
    number.iter().fold(0, |rest, byte| {
        (rest << 8 | u32::from(*byte))
            .checked_rem(prime)
            .unwrap_or(0)
    })
}

fn is_power_of_65537(rest: u32, prime: u32) -> bool {
    let times = |power: &u32| power.wrapping_mul(65_537).checked_rem(prime);
    // The powers repeat after fewer steps than the prime is large.
    std::iter::successors(Some(1), times)
        .take(usize::try_from(prime).unwrap_or(0))
        .any(|power| power == rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(modulus: &[u8], exponent: &[u8], allow_3: bool) -> Result<(), KeyError> {
        RsaKey::new(modulus, exponent, allow_3).map(|_| ())
    }

    /// An odd number of that many bits, of no small fingerprint.
    fn odd(bits: usize) -> Vec<u8> {
        let mut number = vec![0xa7; bits.div_ceil(8)];
        let spare = number.len() * 8 - bits;
        number[0] = 0xff >> spare;
        number
    }

    #[test]
    fn modulus_has_from_2048_to_8192_bits() {
        const CASES: &[(usize, Result<(), KeyError>)] = &[
            (1024, Err(KeyError::RsaModulusBits(1024))),
            (2047, Err(KeyError::RsaModulusBits(2047))),
            (2048, Ok(())),
            (2049, Ok(())),
            (4096, Ok(())),
            (8192, Ok(())),
            (8193, Err(KeyError::RsaModulusBits(8193))),
        ];
        for (bits, expected) in CASES {
            assert_eq!(key(&odd(*bits), &[1, 0, 1], false), *expected, "{bits}");
        }
        assert_eq!(
            key(&[], &[1, 0, 1], false),
            Err(KeyError::RsaModulusBits(0))
        );
    }

    #[test]
    fn an_even_modulus_is_refused() {
        let mut even = odd(2048);
        even[255] = 0xfe;
        assert_eq!(key(&even, &[1, 0, 1], false), Err(KeyError::RsaModulusEven));
    }

    #[test]
    fn exponent_is_odd_and_at_least_65537_unless_3_is_allowed() {
        const CASES: &[(&[u8], bool, bool)] = &[
            (&[1, 0, 1], false, true),
            (&[0, 1, 0, 1], false, true),
            (&[1, 0, 3], false, true),
            (&[1, 0xff, 0xff, 0xff, 0xff], false, true),
            (&[], false, false),
            (&[0], true, false),
            (&[1], true, false),
            (&[2], true, false),
            (&[3], false, false),
            (&[3], true, true),
            (&[5], true, false),
            (&[17], true, false),
            (&[0xff, 0xff], true, false),
            (&[1, 0, 2], true, false),
            // BoringSSL and the rsa crate stop at 33 bits.
            (&[2, 0, 0, 0, 1], true, false),
            (&[1; 8], true, false),
            (&[1; 9], true, false),
        ];
        for (exponent, allow_3, sound) in CASES {
            let expected = if *sound {
                Ok(())
            } else {
                Err(KeyError::RsaExponent)
            };
            assert_eq!(
                key(&odd(2048), exponent, *allow_3),
                expected,
                "{exponent:?}"
            );
        }
    }

    #[test]
    fn a_power_of_65537_modulo_every_small_prime_is_refused() {
        // 65537^128 has 2049 bits and is its own fingerprint.
        let power = (0..128).fold(BigUint::from(1_u32), |power, _| {
            power * BigUint::from(65_537_u32)
        });
        assert_eq!(
            key(&power.to_bytes_be(), &[1, 0, 1], false),
            Err(KeyError::RsaModulusRoca)
        );
    }

    #[test]
    fn a_signature_is_as_long_as_the_modulus_and_below_it() {
        let key = RsaKey::new(&odd(2048), &[1, 0, 1], false).unwrap();
        assert!(key.takes(&[0; 256]));
        assert!(!key.takes(&[0; 255]));
        assert!(!key.takes(&[0; 257]));
        assert!(!key.takes(&odd(2048)));
        assert!(!key.takes(&[0xff; 256]));
    }
}
