//! The JWS signature algorithms, and sets of them.

use std::fmt;

/// A JWS signature algorithm (RFC 7518 section 3.1, RFC 8037 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// EdDSA on Ed25519.
    EdDsa,
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

impl Algorithm {
    /// Every algorithm, asymmetric first.
    pub const ALL: &'static [Self] = &[
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
    ];

    /// The registered name, as in a token's `alg`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    /// The algorithm of that registered name, compared exactly.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|algorithm| algorithm.name() == name)
    }

    /// Whether the key is a shared secret.
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }
}

/// A set of algorithms.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct AlgorithmSet(u16);

impl AlgorithmSet {
    /// The set with nothing in it.
    pub const EMPTY: Self = Self(0);

    /// Every algorithm whose key is public.
    #[must_use]
    pub fn asymmetric() -> Self {
        Self::all_that(|algorithm| !algorithm.is_symmetric())
    }

    /// Every algorithm whose key is a shared secret.
    #[must_use]
    pub fn symmetric() -> Self {
        Self::all_that(Algorithm::is_symmetric)
    }

    /// Whether the algorithm is in the set.
    #[must_use]
    pub const fn contains(self, algorithm: Algorithm) -> bool {
        self.0 & bit(algorithm) != 0
    }

    /// The set as a number that no other set has.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether nothing is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The set with the algorithm added.
    #[must_use]
    pub const fn with(self, algorithm: Algorithm) -> Self {
        Self(self.0 | bit(algorithm))
    }

    /// The algorithms that are in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The algorithms in the set, asymmetric first.
    pub fn iter(self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ALL
            .iter()
            .copied()
            .filter(move |algorithm| self.contains(*algorithm))
    }

    fn all_that(wanted: fn(Algorithm) -> bool) -> Self {
        Algorithm::ALL
            .iter()
            .copied()
            .filter(|algorithm| wanted(*algorithm))
            .collect()
    }
}

impl FromIterator<Algorithm> for AlgorithmSet {
    fn from_iter<I: IntoIterator<Item = Algorithm>>(algorithms: I) -> Self {
        algorithms.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Debug for AlgorithmSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.iter().map(Algorithm::name))
            .finish()
    }
}

const fn bit(algorithm: Algorithm) -> u16 {
    1_u16.wrapping_shl(algorithm as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_is_found_by_its_own_name_only() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(algorithm.name()), Some(*algorithm));
            assert_eq!(Algorithm::from_name(&algorithm.name().to_lowercase()), None);
        }
        assert_eq!(Algorithm::from_name("none"), None);
    }

    #[test]
    fn a_set_holds_exactly_what_was_put_in() {
        for one in Algorithm::ALL {
            let set = AlgorithmSet::from_iter([*one]);
            assert!(!set.is_empty());
            assert_eq!(set.iter().collect::<Vec<_>>(), [*one]);
            for other in Algorithm::ALL {
                assert_eq!(set.contains(*other), one == other);
            }
        }
        assert!(AlgorithmSet::EMPTY.is_empty());
    }

    #[test]
    fn symmetric_and_asymmetric_share_nothing_and_leave_nothing_out() {
        let (public, secret) = (AlgorithmSet::asymmetric(), AlgorithmSet::symmetric());
        assert!(public.intersection(secret).is_empty());
        assert_eq!(
            public.iter().chain(secret.iter()).count(),
            Algorithm::ALL.len()
        );
        assert_eq!(format!("{secret:?}"), r#"{"HS256", "HS384", "HS512"}"#);
    }
}
