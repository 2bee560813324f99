//! Which of the proxy's signature checks may be believed: those that take a good signature and
//! refuse a bad one.

mod vectors;

use super::{Algorithm, AlgorithmSet, Curve, ForeignCall, VerifyingKey, host};

/// The algorithms that the proxy was seen to check rightly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KnownAnswers(AlgorithmSet);

impl KnownAnswers {
    /// Asks the proxy for one good and one bad signature of each algorithm that it could check.
    ///
    /// An algorithm counts only where the good one passes and the bad one, the same signature
    /// over another message, fails. A proxy that lacks the function proves nothing.
    #[must_use]
    pub fn probe(call: &ForeignCall<'_>) -> Self {
        let proven = answers()
            .into_iter()
            .flatten()
            .filter(|answer| answer.is_given_by(call))
            .map(|answer| answer.algorithm)
            .collect();
        Self(proven)
    }

    /// Whether the proxy may be asked for the algorithm.
    #[must_use]
    pub const fn contains(self, algorithm: Algorithm) -> bool {
        self.0.contains(algorithm)
    }

    /// Every algorithm that the proxy may be asked for.
    #[must_use]
    pub const fn algorithms(self) -> AlgorithmSet {
        self.0
    }
}

/// A signature that must hold over one message, and must not over another.
struct KnownAnswer {
    algorithm: Algorithm,
    key: VerifyingKey,
    signature: &'static [u8],
}

impl KnownAnswer {
    fn is_given_by(&self, call: &ForeignCall<'_>) -> bool {
        let holds =
            |message| host::proxy_holds(call, &self.key, self.algorithm, message, self.signature);
        holds(vectors::MESSAGE) && !holds(vectors::OTHER_MESSAGE)
    }
}

/// A vector that could not be built would prove nothing; the tests see to it that each can.
fn answers() -> [Option<KnownAnswer>; 6] {
    use vectors::{ES256, ES384, ES512, P256_X, P256_Y, P384_X, P384_Y, P521_X, P521_Y};
    use vectors::{RS256, RS384, RS512, RSA_MODULUS};
    let rsa = VerifyingKey::rsa(RSA_MODULUS, &[1, 0, 1], false).ok();
    let ec = |curve, x, y| VerifyingKey::ec(curve, x, y).ok();
    let answer = |algorithm, key: Option<VerifyingKey>, signature| {
        Some(KnownAnswer {
            algorithm,
            key: key?,
            signature,
        })
    };
    [
        answer(Algorithm::Rs256, rsa.clone(), RS256),
        answer(Algorithm::Rs384, rsa.clone(), RS384),
        answer(Algorithm::Rs512, rsa, RS512),
        answer(Algorithm::Es256, ec(Curve::P256, P256_X, P256_Y), ES256),
        answer(Algorithm::Es384, ec(Curve::P384, P384_X, P384_Y), ES384),
        answer(Algorithm::Es512, ec(Curve::P521, P521_X, P521_Y), ES512),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{Crypto, Pure, test_proxy::verify_signature};

    #[test]
    fn the_answers_are_right() {
        for answer in answers() {
            let answer = answer.expect("a vector makes a sound key");
            let holds =
                |message| Pure.verify(&answer.key, answer.algorithm, message, answer.signature);
            assert!(holds(vectors::MESSAGE), "{:?}", answer.algorithm);
            assert!(!holds(vectors::OTHER_MESSAGE), "{:?}", answer.algorithm);
        }
    }

    #[test]
    fn a_proxy_that_checks_rightly_is_believed_for_rsa_and_ecdsa() {
        let names: Vec<_> = KnownAnswers::probe(&verify_signature)
            .algorithms()
            .iter()
            .map(Algorithm::name)
            .collect();
        assert_eq!(
            names,
            ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]
        );
    }

    #[test]
    fn a_proxy_that_says_the_same_to_everything_is_believed_for_nothing() {
        const ANSWERS: &[Option<&[u8]>] = &[None, Some(&[]), Some(&[8, 1]), Some(&[8, 0])];
        for answer in ANSWERS {
            let known = KnownAnswers::probe(&|_| answer.map(<[u8]>::to_vec));
            assert_eq!(known, KnownAnswers::default());
            assert!(known.algorithms().is_empty());
        }
    }

    #[test]
    fn a_proxy_is_believed_only_for_the_algorithms_it_gets_right() {
        let sha256_only = |arguments: &[u8]| {
            if arguments.windows(6).any(|window| window == b"sha256") {
                verify_signature(arguments)
            } else {
                Some(vec![8, 1])
            }
        };
        let known = KnownAnswers::probe(&sha256_only);
        for algorithm in Algorithm::ALL {
            let expected = matches!(algorithm, Algorithm::Rs256 | Algorithm::Es256);
            assert_eq!(known.contains(*algorithm), expected, "{algorithm:?}");
        }
    }
}
