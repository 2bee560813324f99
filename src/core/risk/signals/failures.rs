//! Responses that are errors: probing, stuffing.

use super::field::{REQUESTS, SHIFT, Scale, shift};
use super::{Row, Signal, measure, words};
use crate::risk::profile::Profile;
use crate::risk::settings::{Number, Settings};

pub(super) const ROW: Row = Row {
    name: "failures",
    doc: "Responses that are errors.",
    form: SHIFT,
    fields: &shift(40, Scale::Share, [20, 60], (20, REQUESTS)),
    level: Some(level),
    sentence: Some(sentence),
    held: "its requests failed, a while ago",
};

/// The share of failed requests in parts of 256, where there are enough of them.
pub fn share(profile: &Profile, settings: &Settings) -> Option<u8> {
    let enough = settings.of(Number::AtLeast(Signal::Failures));
    measure::share(profile.failed, profile.ended, enough)
}

fn level(profile: &Profile, settings: &Settings) -> u32 {
    let share = share(profile, settings);
    measure::above(Signal::Failures, share, profile.failures.own, settings)
}

fn sentence(profile: &Profile, settings: &Settings) -> String {
    let share = share(profile, settings);
    words::of_hundred("answers were errors", share, profile.failures.own)
}
