//! Many different resources.

use super::field::{
    DAY, FieldForm, FieldKind, FieldPart, REQUESTS, Scale, SignalField, full, start, weight,
};
use super::measure::{floor, ranged};
use super::{Row, Signal};
use crate::risk::arithmetic::{OCTAVE, ramp};
use crate::risk::profile::Profile;
use crate::risk::settings::Settings;
use crate::risk::sketch::log_of;

/// log2 of ten.
const TENFOLD: u16 = 850;
const TWO_OCTAVES: u16 = 2 * OCTAVE;

pub(super) const ROW: Row = Row {
    name: "spread",
    doc: "Many different resources: scraping, hoarding.",
    form: FieldForm {
        name: "Spread",
        doc: "A signal of many different resources.",
    },
    fields: &[
        weight(60),
        SignalField {
            name: "distinct",
            doc: "How many different resources are many for an identity without a past.",
            part: FieldPart::AtLeast,
            kind: FieldKind::Count(REQUESTS),
            default: 500,
        },
        SignalField {
            name: "window",
            doc: "In how long they are counted, 1s to 1d.",
            part: FieldPart::Window,
            kind: FieldKind::Seconds(1, DAY),
            default: 600,
        },
        start(Scale::Times, 300),
        full(Scale::Times, 1200),
    ],
    level: Some(level),
    sentence: Some(sentence),
    held: "it used far more different resources, a while ago",
};

// Without a past, half of it at `distinct`, and the whole at four times as many.
fn level(profile: &Profile, settings: &Settings) -> u32 {
    let many = floor(Signal::Spread, settings);
    let found = log_of(profile.resources.estimate());
    if profile.knows_resources() {
        let base = profile.resources_own.max(many.saturating_sub(TENFOLD));
        let excess = found.saturating_sub(base);
        return ranged(Signal::Spread, u32::from(excess), settings);
    }
    let (start, full) = (
        many.saturating_sub(TWO_OCTAVES),
        many.saturating_add(TWO_OCTAVES),
    );
    ramp(u32::from(found), u32::from(start), u32::from(full))
}

fn sentence(profile: &Profile, _: &Settings) -> String {
    let found = profile.resources.estimate();
    if !profile.knows_resources() {
        return format!("about {found} different resources, and it is not known yet");
    }
    format!("about {found} different resources, far more than ever in a window")
}
