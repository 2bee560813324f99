//! Logarithms, fading and ramps in whole numbers, so that every host comes to the same score.

/// One octave, in the unit of [`log2`].
pub const OCTAVE: u16 = 256;

/// One, in the unit of signals, weights and ramps.
pub const ONE: u32 = 65_536;

/// 2^-(1/2), 2^-(1/4), 2^-(1/8) … in parts of 2^32.
const ROOTS: [u64; 16] = [
    3_037_000_500,
    3_611_622_603,
    3_938_502_376,
    4_112_874_773,
    4_202_935_003,
    4_248_701_965,
    4_271_771_996,
    4_283_353_945,
    4_289_156_690,
    4_292_061_010,
    4_293_513_907,
    4_294_240_540,
    4_294_603_903,
    4_294_785_595,
    4_294_876_445,
    4_294_921_870,
];

/// The binary logarithm in parts of 256, rounded down; zero for zero and one.
#[must_use]
pub fn log2(value: u64) -> u16 {
    let Some(whole) = value.checked_ilog2() else {
        return 0;
    };
    // The mantissa from 1 up to 2, in parts of 2^31: each squaring says one bit of the fraction.
    let mut mantissa = match whole.checked_sub(31) {
        Some(spare) => value >> spare,
        None => value << 31_u32.saturating_sub(whole),
    };
    let mut log = whole;
    for _ in 0..8 {
        mantissa = mantissa.saturating_mul(mantissa) >> 31;
        let bit = u32::from(mantissa >= 1 << 32);
        mantissa >>= bit;
        log = (log << 1) | bit;
    }
    u16::try_from(log).unwrap_or(u16::MAX)
}

/// What time leaves of a quantity that halves every half-life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fade(u64);

impl Fade {
    /// What is left after `elapsed`; both are in seconds, and no half-life is shorter than one.
    #[must_use]
    pub fn over(elapsed: u32, half_life: u32) -> Self {
        let half_life = half_life.max(1);
        let halvings = elapsed.checked_div(half_life).unwrap_or_default();
        let rest = u64::from(elapsed.checked_rem(half_life).unwrap_or_default());
        let rest = (rest << 16)
            .checked_div(u64::from(half_life))
            .unwrap_or_default();
        let mut left = 1_u64 << 32;
        for (root, bit) in ROOTS.iter().zip((0..16).rev()) {
            if rest & (1 << bit) != 0 {
                left = left.saturating_mul(*root) >> 32;
            }
        }
        Self(left.checked_shr(halvings).unwrap_or_default())
    }

    /// What is left of that much, rounded down.
    #[must_use]
    pub fn of(self, value: u32) -> u32 {
        let left = u64::from(value).saturating_mul(self.0) >> 32;
        u32::try_from(left).unwrap_or(u32::MAX)
    }
}

/// From zero at `start` to [`ONE`] at `full`, straight in between; a step where there is no between.
#[must_use]
pub fn ramp(value: u32, start: u32, full: u32) -> u32 {
    if value >= full {
        return ONE;
    }
    let (above, width) = (value.saturating_sub(start), full.saturating_sub(start));
    let share = u64::from(above)
        .saturating_mul(u64::from(ONE))
        .checked_div(u64::from(width));
    u32::try_from(share.unwrap_or_default()).unwrap_or(ONE)
}

/// The product of two numbers in parts of [`ONE`], rounded down.
#[must_use]
pub fn times(one: u32, other: u32) -> u32 {
    let product = u64::from(one).saturating_mul(u64::from(other)) >> 16;
    u32::try_from(product).unwrap_or(u32::MAX)
}

/// Raises an own most to another by so much of the difference, in parts of [`ONE`].
pub fn raise(own: &mut u16, most: u16, lesson: u32) {
    let above = u32::from(most.saturating_sub(*own));
    let learned = times(above, lesson);
    *own = own.saturating_add(u16::try_from(learned).unwrap_or_default());
}

/// How many windows of that length begin after one second and up to a later one.
#[must_use]
pub fn windows(seen: u32, now: u32, length: u32) -> u32 {
    let window = |second: u32| second.checked_div(length).unwrap_or_default();
    window(now).saturating_sub(window(seen))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_those_of_floating_point_rounded_down() {
        for value in (1..5000).chain([u64::from(u32::MAX), u64::MAX, 1 << 40]) {
            let float = (value as f64).log2() * 256.0;
            let whole = f64::from(log2(value));
            assert!(whole <= float + 0.01 && whole > float - 1.01, "{value}");
        }
        assert_eq!((log2(0), log2(1), log2(2), log2(1024)), (0, 0, 256, 2560));
    }

    #[test]
    fn half_is_left_after_a_half_life_and_nothing_in_the_end() {
        for half_life in [1, 7, 60, 600, 86_400] {
            assert_eq!(Fade::over(0, half_life).of(u32::MAX), u32::MAX);
            assert_eq!(Fade::over(half_life, half_life).of(1 << 20), 1 << 19);
            for elapsed in (0..half_life * 3).step_by((half_life / 7).max(1) as usize) {
                let float = 1e9 * (-f64::from(elapsed) / f64::from(half_life)).exp2();
                let whole = f64::from(Fade::over(elapsed, half_life).of(1_000_000_000));
                assert!(
                    (whole - float).abs() < 1e9 / 30_000.0,
                    "{elapsed} of {half_life}"
                );
            }
            assert_eq!(
                Fade::over(u32::MAX, half_life).of(1 << 16),
                0,
                "{half_life}"
            );
        }
        assert_eq!(Fade::over(5, 0), Fade::over(5, 1));
    }

    #[test]
    fn ramps_are_straight_and_steps_where_there_is_no_room() {
        assert_eq!(ramp(2, 3, 5), 0);
        assert_eq!(ramp(3, 3, 5), 0);
        assert_eq!(ramp(4, 3, 5), ONE / 2);
        assert_eq!(ramp(5, 3, 5), ONE);
        assert_eq!(ramp(4, 5, 5), 0);
        assert_eq!(ramp(5, 5, 5), ONE);
        assert_eq!(ramp(5, 9, 5), ONE);
        assert_eq!(ramp(0, u32::MAX, u32::MAX), 0);
    }
}
