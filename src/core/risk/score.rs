//! From what is known of an identity to a number from 0 to 100.
//!
//! Each signal is a strength `s` from 0 to 1, each has a weight `w`, and the score is
//!
//! ```text
//! 100 · (1 − Π (1 − w·s))
//! ```
//!
//! the noisy-OR of independent causes (Pearl: Probabilistic Reasoning in Intelligent Systems, 1988,
//! section 4.3.2): one weak signal stays weak, several add up, no order plays a part, and a signal
//! that grows never lowers the score.

use super::arithmetic::{OCTAVE, ONE, log2, ramp, times};
use super::profile::{Profile, SET_BACK};
use super::settings::{Number, SIGNALS, Settings, Signal};
use super::sketch::{count, log_of};

/// What every signal is, in parts of [`ONE`], in the order of [`Signal::ALL`].
pub type Signals = [u32; SIGNALS];

/// The logarithm of the parts in which requests are counted.
const PARTS: u16 = 8 * OCTAVE;
/// log2 of ten.
const TENFOLD: u16 = 850;

/// The score as a share, in parts of [`ONE`].
#[must_use]
pub fn combined(signals: &Signals, settings: &Settings) -> u32 {
    let mut quiet = ONE;
    for (signal, strength) in Signal::ALL.into_iter().zip(signals) {
        let weight = settings.of(Number::Weight(signal)).min(ONE);
        let part = times(weight, (*strength).min(ONE));
        quiet = times(quiet, ONE.saturating_sub(part));
    }
    ONE.saturating_sub(quiet)
}

/// The score, from 0 to 100, to the nearest.
#[must_use]
pub fn score(signals: &Signals, settings: &Settings) -> u8 {
    let hundredths = combined(signals, settings).saturating_mul(100);
    let rounded = hundredths.saturating_add(ONE / 2) >> 16;
    u8::try_from(rounded).unwrap_or(100)
}

/// The signals that levels give, as of the last second seen; events are held by the profile.
#[must_use]
pub fn levels(profile: &Profile, settings: &Settings) -> Signals {
    let mut signals = [0; SIGNALS];
    if profile.flags & SET_BACK != 0 {
        return signals;
    }
    let own = profile.is_settled();
    let mut put = |signal: Signal, strength: u32| {
        if let Some(place) = signals.get_mut(signal as usize) {
            *place = strength;
        }
    };
    put(Signal::Spread, spread(profile, settings));
    if own {
        put(Signal::RateShift, rate_shift(profile, settings));
        put(Signal::VolumeShift, volume_shift(profile, settings));
        put(Signal::SourceFanout, source_fanout(profile, settings));
    }
    let above =
        |share: Option<u8>, own: u8| u32::from(share.unwrap_or_default().saturating_sub(own));
    let failures = above(failures(profile, settings), profile.failures.own);
    put(
        Signal::Failures,
        ranged(Signal::Failures, failures, settings),
    );
    let refusals = above(refusals(profile, settings), profile.refusals.own);
    put(Signal::Denials, ranged(Signal::Denials, refusals, settings));
    signals
}

/// The share of failed requests in parts of 256, where there are enough of them.
pub(super) fn failures(profile: &Profile, settings: &Settings) -> Option<u8> {
    let enough = settings.of(Number::AtLeast(Signal::Failures));
    share(profile.failed, profile.ended, enough)
}

/// The share of refused requests in parts of 256, where there are enough of them.
pub(super) fn refusals(profile: &Profile, settings: &Settings) -> Option<u8> {
    let enough = settings.of(Number::AtLeast(Signal::Denials));
    let [_, _, minute, _] = profile.rate;
    share(profile.refused, minute.now, enough)
}

/// How much more requests there are than ever, at the scale where it is most.
pub(super) fn rate_excess(profile: &Profile, settings: &Settings) -> (usize, u16) {
    let floor = PARTS.saturating_add(floor(Signal::RateShift, settings));
    let excess = |level: &super::profile::Level| {
        log2(u64::from(level.now)).saturating_sub(level.own.max(floor))
    };
    let scales = profile.rate.iter().map(excess).enumerate();
    scales.max_by_key(|(_, excess)| *excess).unwrap_or_default()
}

/// How much more bytes there are than ever, at the scale where it is most.
pub(super) fn volume_excess(profile: &Profile, settings: &Settings) -> (usize, u16) {
    let floor = floor(Signal::VolumeShift, settings);
    let excess = |level: &super::profile::Level| {
        log2(u64::from(level.now)).saturating_sub(level.own.max(floor))
    };
    let scales = profile.volume.iter().map(excess).enumerate();
    scales.max_by_key(|(_, excess)| *excess).unwrap_or_default()
}

fn rate_shift(profile: &Profile, settings: &Settings) -> u32 {
    let (_, excess) = rate_excess(profile, settings);
    ranged(Signal::RateShift, u32::from(excess), settings)
}

fn volume_shift(profile: &Profile, settings: &Settings) -> u32 {
    let (_, excess) = volume_excess(profile, settings);
    ranged(Signal::VolumeShift, u32::from(excess), settings)
}

fn source_fanout(profile: &Profile, settings: &Settings) -> u32 {
    let base = profile
        .around_own
        .max(floor(Signal::SourceFanout, settings));
    let excess = log_of(count(profile.around)).saturating_sub(base);
    ranged(Signal::SourceFanout, u32::from(excess), settings)
}

// Without a past, half of it at `distinct`, and the whole at four times as many.
fn spread(profile: &Profile, settings: &Settings) -> u32 {
    let many = floor(Signal::Spread, settings);
    let found = log_of(profile.resources.estimate());
    if profile.knows_resources() {
        let base = profile.resources_own.max(many.saturating_sub(TENFOLD));
        let excess = found.saturating_sub(base);
        return ranged(Signal::Spread, u32::from(excess), settings);
    }
    const TWO_OCTAVES: u16 = 2 * OCTAVE;
    let (start, full) = (
        many.saturating_sub(TWO_OCTAVES),
        many.saturating_add(TWO_OCTAVES),
    );
    ramp(u32::from(found), u32::from(start), u32::from(full))
}

fn floor(signal: Signal, settings: &Settings) -> u16 {
    log2(u64::from(settings.of(Number::AtLeast(signal))))
}

fn ranged(signal: Signal, value: u32, settings: &Settings) -> u32 {
    let start = settings.of(Number::Start(signal));
    ramp(value, start, settings.of(Number::Full(signal)))
}

fn share(part: u32, whole: u32, enough: u32) -> Option<u8> {
    if whole < enough.saturating_mul(256) {
        return None;
    }
    let share = u64::from(part)
        .saturating_mul(256)
        .checked_div(u64::from(whole))?;
    Some(u8::try_from(share).unwrap_or(u8::MAX))
}
