//! What checking a signature costs, by algorithm, size and where it is done, and how much of that a
//! request may have.
//!
//! The prices are CPU time in microseconds, measured on Envoy 1.40 (V8) with 220 tokens that nobody
//! had seen, each with a signature of full size that does not hold, over as many that name no issuer;
//! a good signature costs the same. Another machine is faster or slower by some factor, all of them
//! alike; what counts is how many ordinary checks one is worth.
//!
//! | algorithm | in the proxy | in the module |
//! | --- | --- | --- |
//! | RS and PS, 2048 bits | 60 (RS alone) | 700 |
//! | RS and PS, 4096 bits | 160 | 2,900 |
//! | RS and PS, 8192 bits | 270 | 10,900 |
//! | ES256 | 80 | 1,000 |
//! | ES384 | 530 | 5,500 |
//! | ES512 | 1,250 | 5,500 |
//! | EdDSA | | 140 |
//! | HS | | 10 |

use std::time::Duration;

use super::verifying_key::Material;
use super::{Algorithm, VerifyingKey};

/// What one ordinary check costs at most, wherever it is done: one of RSA with 2048 bits, of ES256, or
/// of Ed25519.
pub const ORDINARY: Duration = Duration::from_micros(1_000);

/// Where a signature is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checker {
    /// In the proxy's own code.
    Proxy,
    /// In the module.
    Module,
}

/// What one check costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// How much time.
    pub time: Duration,
    /// Whose.
    pub place: Checker,
}

impl Price {
    /// Of what is not checked.
    pub const NOTHING: Self = Self {
        time: Duration::ZERO,
        place: Checker::Proxy,
    };

    /// Of a check with that key and algorithm.
    #[must_use]
    pub fn of(key: &VerifyingKey, algorithm: Algorithm, place: Checker) -> Self {
        let micros = match (key.material(), algorithm, place) {
            (Material::Rsa(key), _, _) => rsa(key.modulus().len(), place),
            (Material::Ec(_), Algorithm::Es256, Checker::Proxy) => 80,
            (Material::Ec(_), Algorithm::Es256, Checker::Module) => 1_000,
            (Material::Ec(_), Algorithm::Es384, Checker::Proxy) => 530,
            (Material::Ec(_), _, Checker::Proxy) => 1_250,
            (Material::Ec(_), _, Checker::Module) => 5_500,
            (Material::Ed25519(_), ..) => 140,
            (Material::Hmac(_), ..) => 10,
        };
        Self {
            time: Duration::from_micros(micros),
            place,
        }
    }
}

/// A multiplication takes the square of the length, and the exponent is short: so does a check.
fn rsa(modulus_bytes: usize, place: Checker) -> u64 {
    let bytes = u64::try_from(modulus_bytes).unwrap_or(u64::MAX);
    // In squares of 2048 bits.
    let times = |micros: u64| micros.saturating_mul(bytes.saturating_mul(bytes)) >> 16;
    match place {
        Checker::Proxy => times(20).saturating_add(40),
        Checker::Module => times(700),
    }
}

/// What the signatures of one request may cost, and what they have cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    budget: Duration,
    spent: Duration,
    checks: u64,
}

impl Work {
    /// None yet, within a budget.
    #[must_use]
    pub const fn within(budget: Duration) -> Self {
        Self {
            budget,
            spent: Duration::ZERO,
            checks: 0,
        }
    }

    /// None yet, and room for any: where nobody waits for the answer.
    #[must_use]
    pub const fn ample() -> Self {
        Self::within(Duration::MAX)
    }

    /// Takes the price of one more check, if it may be made: the first one whatever it costs, since
    /// the configuration has taken the key, and any other within the budget.
    #[must_use]
    pub fn take(&mut self, price: Price) -> bool {
        let spent = self.spent.saturating_add(price.time);
        if self.checks > 0 && spent > self.budget {
            return false;
        }
        self.spent = spent;
        self.checks = self.checks.saturating_add(1);
        true
    }

    /// What the checks have cost.
    #[must_use]
    pub const fn spent(self) -> Duration {
        self.spent
    }

    /// How many there were.
    #[must_use]
    pub const fn checks(self) -> u64 {
        self.checks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::signers;

    fn rsa_of(bits: usize, place: Checker) -> u64 {
        rsa(bits / 8, place)
    }

    #[test]
    fn a_check_costs_the_square_of_the_modulus() {
        let module = [2048, 3072, 4096, 8192].map(|bits| rsa_of(bits, Checker::Module));
        assert_eq!(module, [700, 1_575, 2_800, 11_200]);
        let proxy = [2048, 4096, 8192].map(|bits| rsa_of(bits, Checker::Proxy));
        assert_eq!(proxy, [60, 120, 360]);
    }

    #[test]
    fn the_module_is_dearer_than_the_proxy_and_nothing_is_free() {
        for signer in signers() {
            let key = signer.verifying_key();
            let [proxy, module] = [Checker::Proxy, Checker::Module]
                .map(|place| Price::of(&key, signer.algorithm, place).time);
            assert!(
                Duration::ZERO < proxy && proxy <= module,
                "{:?}",
                signer.algorithm
            );
        }
    }

    #[test]
    fn the_first_check_is_made_whatever_it_costs_and_others_within_the_budget() {
        let of = |micros| Price {
            time: Duration::from_micros(micros),
            place: Checker::Module,
        };
        let mut work = Work::within(Duration::from_micros(2_000));
        assert!(work.take(of(1_000)) && work.take(of(1_000)));
        assert!(!work.take(of(1)));
        assert_eq!((work.spent(), work.checks()), (Duration::from_millis(2), 2));
        let mut work = Work::within(Duration::from_micros(2_000));
        assert!(work.take(of(11_200)) && !work.take(of(10)));
        assert_eq!(work.spent(), Duration::from_micros(11_200));
    }
}
