//! Far more bytes in responses than the identity's own most: bulk export.

use super::field::{FieldForm, FieldKind, FieldPart, Scale, SignalField, full, start, weight};
use super::{Row, Signal, measure, words};
use crate::risk::profile::{Profile, VOLUME_SCALES};
use crate::risk::settings::Settings;

pub(super) const ROW: Row = Row {
    name: "volume_shift",
    doc: "Far more bytes in responses than the identity's own most.",
    form: FieldForm {
        name: "VolumeShift",
        doc: "A signal of far more bytes than usual.",
    },
    fields: &[
        weight(60),
        start(Scale::Times, 300),
        full(Scale::Times, 1200),
        SignalField {
            name: "at_least",
            doc: "Below how many bytes it stays silent, from 256B to 1000GiB, rounded up to a multiple of 256.",
            part: FieldPart::AtLeast,
            kind: FieldKind::Bytes,
            default: 1 << 20,
        },
    ],
    level: Some(level),
    sentence: Some(sentence),
    held: "it was sent far more bytes than ever, a while ago",
};

fn level(profile: &Profile, settings: &Settings) -> u32 {
    if !profile.is_settled() {
        return 0;
    }
    let (_, excess) = excess(profile, settings);
    measure::ranged(Signal::VolumeShift, u32::from(excess), settings)
}

fn sentence(profile: &Profile, settings: &Settings) -> String {
    let (scale, excess) = excess(profile, settings);
    words::of_times("response bytes", excess, VOLUME_SCALES.get(scale), settings)
}

fn excess(profile: &Profile, settings: &Settings) -> (usize, u16) {
    let floor = measure::floor(Signal::VolumeShift, settings);
    measure::excess(&profile.volume, floor)
}
