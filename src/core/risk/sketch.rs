//! How many different things there were, in a few bytes and whatever their order.
//!
//! Adding is idempotent and commutative, so that it does not matter which worker sees what first.

use super::arithmetic::{OCTAVE, log2};

const REGISTERS: u64 = 64;
/// The largest rank that four bits hold.
const RANK: u32 = 15;
/// ln 2 times the registers, in parts of 256: from binary logarithms to linear counting.
const LINEAR: u64 = 11_357;

/// How many different hashes were added: `HyperLogLog` with 64 registers of four bits, which is off
/// by an eighth or so, up to a million.
///
/// Flajolet, Fusy, Gandouet, Meunier: `HyperLogLog`: the analysis of a near-optimal cardinality
/// estimation algorithm, `AofA` 2007; small counts by linear counting, as there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Distinct([u8; 32]);

impl Distinct {
    /// What was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// What to store.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// Adds a hash, whose bits must be as good as random.
    pub fn add(&mut self, hash: u64) {
        let rank = (hash >> 6).trailing_zeros().saturating_add(1).min(RANK);
        let rank = u8::try_from(rank).unwrap_or(15);
        let pair = usize::try_from((hash & 63) >> 1).unwrap_or_default();
        let Some(pair) = self.0.get_mut(pair) else {
            return;
        };
        let (low, high) = (*pair & 15, *pair >> 4);
        *pair = if hash & 1 == 0 {
            (high << 4) | low.max(rank)
        } else {
            (high.max(rank) << 4) | low
        };
    }

    /// About how many different hashes were added.
    #[must_use]
    pub fn estimate(&self) -> u32 {
        let (mut sum, mut empty) = (0_u64, 0_u64);
        for pair in self.0 {
            for rank in [pair & 15, pair >> 4] {
                sum = sum.saturating_add((1 << RANK) >> rank);
                empty = empty.saturating_add(u64::from(rank == 0));
            }
        }
        // 0.709 times the registers squared, over the sum of 2^-rank.
        let raw = (2904_u64 << RANK).checked_div(sum).unwrap_or(u64::MAX);
        let estimate = if raw <= 160 && empty > 0 {
            linear(empty)
        } else {
            raw
        };
        u32::try_from(estimate).unwrap_or(u32::MAX)
    }
}

/// About how many different things set the bits of one word, each of them one.
///
/// Linear counting: Whang, Vander-Zanden, Taylor: A linear-time probabilistic counting algorithm
/// for database applications, TODS 15(2), 1990.
#[must_use]
pub fn count(bits: u64) -> u32 {
    let empty = u64::from(bits.count_zeros());
    // With no bit left there may be any number; what is said then is what half a bit would say.
    let counted = if empty == 0 { 310 } else { linear(empty) };
    u32::try_from(counted).unwrap_or(u32::MAX)
}

/// `64 ln(64 / empty)`, to the nearest.
fn linear(empty: u64) -> u64 {
    let octaves = log2(REGISTERS).saturating_sub(log2(empty));
    let scaled = u64::from(octaves).saturating_mul(LINEAR);
    // Both factors are in parts of 256.
    scaled.saturating_add(1 << 15) >> 16
}

/// The logarithm of a count, as peaks are kept.
#[must_use]
pub fn log_of(count: u32) -> u16 {
    log2(u64::from(count))
}

const _: () = assert!(OCTAVE == 256);

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(value: u64) -> u64 {
        // SplitMix64.
        let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    #[test]
    fn estimates_are_near_the_truth_for_few_and_for_many() {
        assert_eq!(Distinct::default().estimate(), 0);
        for many in [
            1_u64, 3, 10, 50, 100, 300, 500, 2000, 10_000, 50_000, 300_000,
        ] {
            let mut total = 0;
            for round in 0..10_u64 {
                let mut distinct = Distinct::default();
                (0..many).for_each(|value| distinct.add(hash(value.wrapping_add(round << 40))));
                total += distinct.estimate();
            }
            let (mean, truth) = (f64::from(total) / 10.0, many as f64);
            assert!((mean - truth).abs() <= truth * 0.15 + 0.5, "{many}: {mean}");
        }
    }

    #[test]
    fn adding_again_or_in_another_order_changes_nothing() {
        let mut one = Distinct::default();
        let mut other = Distinct::default();
        (0..500).for_each(|value| one.add(hash(value)));
        (0..500).rev().for_each(|value| {
            other.add(hash(value));
            other.add(hash(value));
        });
        assert_eq!(one, other);
        assert_eq!(Distinct::from_bytes(one.to_bytes()), one);
    }

    #[test]
    fn bits_say_how_many_set_them() {
        assert_eq!(count(0), 0);
        assert_eq!(count(1), 1);
        assert_eq!(count(0b111), 3);
        assert!((40..=50).contains(&count(u64::MAX >> 32)));
        assert!(count(u64::MAX >> 1) > 200);
        assert_eq!(count(u64::MAX), 310);
    }
}
