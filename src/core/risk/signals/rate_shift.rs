//! Far more requests than the identity's own most: bursts, stuffing.

use super::field::{REQUESTS, SHIFT, Scale, shift};
use super::{Row, Signal, measure, words};
use crate::risk::arithmetic::OCTAVE;
use crate::risk::profile::{Profile, RATE_SCALES};
use crate::risk::settings::Settings;

/// The logarithm of the parts in which requests are counted.
const PARTS: u16 = 8 * OCTAVE;

pub(super) const ROW: Row = Row {
    name: "rate_shift",
    doc: "Far more requests than the identity's own most.",
    form: SHIFT,
    fields: &shift(70, Scale::Times, [300, 800], (10, REQUESTS)),
    level: Some(level),
    sentence: Some(sentence),
    held: "it sent far more requests than ever, a while ago",
};

fn level(profile: &Profile, settings: &Settings) -> u32 {
    if !profile.is_settled() {
        return 0;
    }
    let (_, excess) = excess(profile, settings);
    measure::ranged(Signal::RateShift, u32::from(excess), settings)
}

fn sentence(profile: &Profile, settings: &Settings) -> String {
    let (scale, excess) = excess(profile, settings);
    words::of_times("requests", excess, RATE_SCALES.get(scale), settings)
}

fn excess(profile: &Profile, settings: &Settings) -> (usize, u16) {
    let floor = measure::floor(Signal::RateShift, settings);
    measure::excess(&profile.rate, PARTS.saturating_add(floor))
}
