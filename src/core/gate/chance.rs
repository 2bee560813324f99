//! Numbers that need only be spread, not secret.

use std::cell::Cell;

/// A generator of numbers: Steele, Lea and Flood, "Fast splittable pseudorandom number generators"
/// (2014), `SplitMix64`.
pub struct Chance(Cell<u64>);

impl Chance {
    /// A generator that starts from this number.
    pub fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    /// The next number.
    pub fn next(&self) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut mixed = self.0.get();
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Whether this time is one of a share from 0 to 1.
    pub fn falls_within(&self, share: f64) -> bool {
        if share >= 1.0 {
            return true;
        }
        // 53 bits, the precision of a double.
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
        let unit = (self.next() >> 11) as f64 / 9_007_199_254_740_992.0;
        unit < share
    }
}
