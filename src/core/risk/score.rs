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

use super::arithmetic::{ONE, times};
use super::profile::{Profile, SET_BACK};
use super::settings::{Number, Settings};
use super::signals::{SIGNALS, Signal};

/// What every signal is, in parts of [`ONE`], in the order of [`Signal::ALL`].
pub type Signals = [u32; SIGNALS];

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

/// The signals that levels give, as of the last second seen; occurrences are held by the profile.
#[must_use]
pub fn levels(profile: &Profile, settings: &Settings) -> Signals {
    if profile.flags & SET_BACK != 0 {
        return [0; SIGNALS];
    }
    Signal::ALL.map(|signal| {
        let level = signal.row().level;
        level.map_or(0, |level| level(profile, settings))
    })
}
