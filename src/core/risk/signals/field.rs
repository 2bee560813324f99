//! What can be said of a signal: how it is written, what is accepted, and in which unit it is kept.

use super::Signal;
use crate::risk::arithmetic::{ONE, log2};
use crate::risk::settings::Number;

/// What the published schema calls the fields of one signal, or of several together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldForm {
    /// Its name.
    pub name: &'static str,
    /// What it is, as a sentence.
    pub doc: &'static str,
}

/// A field of a signal.
#[derive(Clone, Copy, Debug)]
pub struct SignalField {
    /// Its name.
    pub name: &'static str,
    /// What it means, as a sentence.
    pub doc: &'static str,
    /// Which number of the signal it is.
    pub part: FieldPart,
    /// How it is written, and what is accepted.
    pub kind: FieldKind,
    /// What counts where nothing is said, as it is written: hundredths of a number with a fraction,
    /// seconds, bytes.
    pub default: u32,
}

/// A number of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldPart {
    /// What it weighs.
    Weight,
    /// Where it begins.
    Start,
    /// Where it is full.
    Full,
    /// Below what it stays silent.
    AtLeast,
    /// In how long it is counted.
    Window,
}

impl FieldPart {
    /// Where the settings have it.
    #[must_use]
    pub const fn of(self, signal: Signal) -> Number {
        match self {
            Self::Weight => Number::Weight(signal),
            Self::Start => Number::Start(signal),
            Self::Full => Number::Full(signal),
            Self::AtLeast => Number::AtLeast(signal),
            Self::Window => Number::Window,
        }
    }
}

/// How a number is written, and what is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// A duration of so many seconds.
    Seconds(u64, u64),
    /// A whole number from 1 on.
    Count(u64),
    /// A size.
    Bytes,
    /// A number with a fraction.
    Fraction(Scale),
}

/// How a number with a fraction is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// What a signal weighs, in parts of [`ONE`].
    Weight,
    /// How many times, as a logarithm in parts of 256.
    Times,
    /// A share, in parts of 256.
    Share,
}

/// A day in seconds.
pub const DAY: u64 = 86_400;
/// The most requests that anything begins at.
pub const REQUESTS: u64 = 1_000_000;
/// In how many bytes volume is counted.
pub const UNIT: u64 = 256;

impl SignalField {
    /// The default, in the unit in which the settings have it.
    #[must_use]
    pub fn kept(&self) -> u32 {
        match self.kind {
            FieldKind::Seconds(..) | FieldKind::Count(_) => self.default,
            FieldKind::Bytes => {
                let units = u64::from(self.default).div_ceil(UNIT);
                u32::try_from(units).unwrap_or(u32::MAX)
            }
            FieldKind::Fraction(scale) => scale.kept(|of| hundredths(of, self.default)),
        }
    }
}

impl Scale {
    /// The least and the most that are accepted.
    #[must_use]
    pub const fn bounds(self) -> (u16, u16) {
        match self {
            Self::Weight | Self::Share => (0, 1),
            Self::Times => (1, 1000),
        }
    }

    /// A number as it is kept, given in how many parts of a whole it can be had.
    pub fn kept(self, parts: impl Fn(u32) -> u32) -> u32 {
        match self {
            Self::Weight => parts(ONE),
            Self::Share => parts(256),
            Self::Times => {
                let [times, once] = [parts(ONE), ONE].map(|parts| log2(parts.into()));
                times.saturating_sub(once).into()
            }
        }
    }
}

/// To the nearest, as what is written is read.
fn hundredths(of: u32, many: u32) -> u32 {
    let parts = u64::from(of).saturating_mul(many.into());
    u32::try_from(parts.saturating_add(50) / 100).unwrap_or(u32::MAX)
}

pub(super) const fn weight(default: u32) -> SignalField {
    SignalField {
        name: "weight",
        doc: "What it weighs; 0 turns it off.",
        part: FieldPart::Weight,
        kind: FieldKind::Fraction(Scale::Weight),
        default,
    }
}

pub(super) const fn start(scale: Scale, default: u32) -> SignalField {
    SignalField {
        name: "start",
        doc: "Where it begins: times the identity's own most.",
        part: FieldPart::Start,
        kind: FieldKind::Fraction(scale),
        default,
    }
}

pub(super) const fn full(scale: Scale, default: u32) -> SignalField {
    SignalField {
        name: "full",
        doc: "Where it is full, above `start`.",
        part: FieldPart::Full,
        kind: FieldKind::Fraction(scale),
        default,
    }
}

/// A signal that is there or is not.
pub(super) const OCCURRENCE: FieldForm = FieldForm {
    name: "Occurrence",
    doc: "A signal that is there or is not.",
};

/// A signal of how far something is from what is usual.
pub(super) const SHIFT: FieldForm = FieldForm {
    name: "Shift",
    doc: "A signal of how far something is from what is usual.",
};

/// The fields of a shift: of its numbers, `start` and `full` in hundredths.
pub(super) const fn shift(
    weight: u32,
    scale: Scale,
    [start, full]: [u32; 2],
    (at_least, most): (u32, u64),
) -> [SignalField; 4] {
    let start = SignalField {
        doc: "Where it begins: times the identity's own most; of failures and denials, a share above its own usual one.",
        ..self::start(scale, start)
    };
    let at_least = SignalField {
        name: "at_least",
        doc: "Below how many it stays silent: requests, or networks of source_fanout.",
        part: FieldPart::AtLeast,
        kind: FieldKind::Count(most),
        default: at_least,
    };
    [
        self::weight(weight),
        start,
        self::full(scale, full),
        at_least,
    ]
}

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "when it is compiled"
)]
pub(super) const fn names<const N: usize>(fields: &[SignalField]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut index = 0;
    while index < N {
        names[index] = fields[index].name;
        index += 1;
    }
    names
}
