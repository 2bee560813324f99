//! What several levels are measured by.

use super::Signal;
use crate::risk::arithmetic::{log2, ramp};
use crate::risk::profile::Level;
use crate::risk::settings::{Number, Settings};

/// How much more there is than ever and than a floor, at the scale where it is most.
pub(super) fn excess(levels: &[Level], floor: u16) -> (usize, u16) {
    let excess = |level: &Level| log2(u64::from(level.now)).saturating_sub(level.own.max(floor));
    let scales = levels.iter().map(excess).enumerate();
    scales.max_by_key(|(_, excess)| *excess).unwrap_or_default()
}

/// The logarithm of what a signal stays silent below.
pub(super) fn floor(signal: Signal, settings: &Settings) -> u16 {
    log2(u64::from(settings.of(Number::AtLeast(signal))))
}

/// The strength of a value between where a signal begins and where it is full.
pub(super) fn ranged(signal: Signal, value: u32, settings: &Settings) -> u32 {
    let start = settings.of(Number::Start(signal));
    ramp(value, start, settings.of(Number::Full(signal)))
}

/// The strength of a share above the own usual one.
pub(super) fn above(signal: Signal, share: Option<u8>, own: u8, settings: &Settings) -> u32 {
    let above = share.unwrap_or_default().saturating_sub(own);
    ranged(signal, u32::from(above), settings)
}

/// A share in parts of 256, of a whole in parts of 256 that is enough.
pub(super) fn share(part: u32, whole: u32, enough: u32) -> Option<u8> {
    if whole < enough.saturating_mul(256) {
        return None;
    }
    let share = u64::from(part)
        .saturating_mul(256)
        .checked_div(u64::from(whole))?;
    Some(u8::try_from(share).unwrap_or(u8::MAX))
}
