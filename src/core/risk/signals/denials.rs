//! Requests that Postern refused: probing of scopes and routes.

use super::field::{REQUESTS, SHIFT, Scale, shift};
use super::{Row, Signal, measure, words};
use crate::risk::profile::Profile;
use crate::risk::settings::{Number, Settings};

pub(super) const ROW: Row = Row {
    name: "denials",
    doc: "Requests that Postern refused.",
    form: SHIFT,
    fields: &shift(65, Scale::Share, [10, 50], (10, REQUESTS)),
    level: Some(level),
    sentence: Some(sentence),
    held: "its requests were refused, a while ago",
};

/// The share of refused requests in parts of 256, where there are enough of them.
pub fn share(profile: &Profile, settings: &Settings) -> Option<u8> {
    let enough = settings.of(Number::AtLeast(Signal::Denials));
    let [_, _, minute, _] = profile.rate;
    measure::share(profile.refused, minute.now, enough)
}

fn level(profile: &Profile, settings: &Settings) -> u32 {
    let share = share(profile, settings);
    measure::above(Signal::Denials, share, profile.refusals.own, settings)
}

fn sentence(profile: &Profile, settings: &Settings) -> String {
    let share = share(profile, settings);
    words::of_hundred("requests were refused", share, profile.refusals.own)
}
