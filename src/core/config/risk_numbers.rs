//! Reads the section `risk`, and what clients and routes say otherwise, in the units that are kept.
//!
//! Every number is read where it stands, by tables of what has which fields.

use std::mem;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value;

use super::bounds::{bytes, given_span, number_within, whole_number};
use super::place::Place;
use super::quantity::Span;
use super::reader::{Member, Object, read_field, read_object};
use super::risk_actions::actions;
use crate::risk::arithmetic::{ONE, log2};
use crate::risk::settings::{Number, Override, Settings, Signal};

/// Who says something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// The document, for all.
    Document,
    /// A client.
    Client,
    /// A route, which says what weighs how much there; what is counted is the identity's.
    Route,
}

/// Reads what is said, as an object of the level that it is at.
pub(super) struct Reading<'a> {
    of: Of,
    /// What counts where nothing is said.
    settings: &'a Settings,
    limited: bool,
    warnings: &'a mut Vec<String>,
    level: Level,
    /// The member that is read.
    field: &'static str,
    /// Where the signal that is read begins and is full; none where an error was noted.
    ramp: [Option<u32>; 2],
    /// Which of the two is said, the latter where both are.
    given: Option<&'static str>,
    /// What is said otherwise than the settings have it.
    pub said: Override,
    /// How many identities are kept.
    pub slots: Option<u64>,
}

#[derive(Clone, Copy)]
enum Level {
    Section,
    Signals,
    Signal(Signal),
}

/// What the fields of a level are.
const SECTION: &[&str] = &[
    "half_life",
    "memory",
    "baseline",
    "learn_every",
    "warm_up",
    "slots",
    "signals",
    "actions",
];
const SIGNALS: &[&str] = &[
    Signal::Spread.as_str(),
    Signal::RateShift.as_str(),
    Signal::VolumeShift.as_str(),
    Signal::Failures.as_str(),
    Signal::Denials.as_str(),
    Signal::NewSource.as_str(),
    Signal::SourceFanout.as_str(),
    Signal::TokenFanout.as_str(),
    Signal::NewRoute.as_str(),
    Signal::OddHour.as_str(),
];
const fn fields(signal: Signal) -> &'static [&'static str] {
    match signal {
        Signal::Spread => &["weight", "distinct", "window", "start", "full"],
        Signal::RateShift
        | Signal::VolumeShift
        | Signal::Failures
        | Signal::Denials
        | Signal::SourceFanout => &["weight", "start", "full", "at_least"],
        Signal::NewSource | Signal::TokenFanout | Signal::NewRoute => &["weight"],
        Signal::OddHour => &["weight", "days"],
    }
}

impl Object for Reading<'_> {
    fn name(&self) -> &'static str {
        "Risk"
    }

    fn members(&self) -> &'static [&'static str] {
        match self.level {
            Level::Section => SECTION,
            Level::Signals => SIGNALS,
            Level::Signal(signal) => fields(signal),
        }
    }

    fn member(&mut self, index: usize) -> Option<&mut dyn Member> {
        self.field = self.members().get(index)?;
        Some(self)
    }
}

impl Member for Reading<'_> {
    fn fill(&mut self, value: &Value, place: &Place<'_>) {
        match (self.level, self.field) {
            (Level::Section, "signals") => self.within(Level::Signals, value, place),
            (Level::Section, "slots") => self.slots(value, place),
            (Level::Section, "actions") => {
                let list = read_field(value, place);
                let actions = actions(&list, place, self.limited, self.warnings);
                self.said.act(actions);
            }
            (Level::Section, field) => self.number(of_section(field), value, place),
            (Level::Signals, field) => self.signal(field, value, place),
            (Level::Signal(signal), field) => self.number(of_signal(signal, field), value, place),
        }
    }
}

impl<'a> Reading<'a> {
    pub(super) fn new(
        of: Of,
        settings: &'a Settings,
        limited: bool,
        warnings: &'a mut Vec<String>,
    ) -> Self {
        Self {
            of,
            settings,
            limited,
            warnings,
            level: Level::Section,
            field: "",
            ramp: [None; 2],
            given: None,
            said: Override::default(),
            slots: None,
        }
    }

    /// Reads it all.
    pub(super) fn read(&mut self, value: &Value, place: &Place<'_>) {
        self.within(Level::Section, value, place);
    }

    fn within(&mut self, level: Level, value: &Value, place: &Place<'_>) {
        let above = mem::replace(&mut self.level, level);
        if let Err(error) = read_object(self, value, place) {
            place.error(error);
        }
        self.level = above;
    }

    fn slots(&mut self, value: &Value, place: &Place<'_>) {
        if self.of == Of::Document {
            self.slots = whole_number(&read_field(value, place), place, 8..=4 << 20);
        } else {
            place.error("is for the whole document; remove it");
        }
    }

    /// What is not said of where it begins and is full is what counts where nothing is.
    fn signal(&mut self, name: &str, value: &Value, place: &Place<'_>) {
        let Some(signal) = Signal::ALL
            .into_iter()
            .find(|signal| signal.as_str() == name)
        else {
            return;
        };
        let ramp = [Number::Start(signal), Number::Full(signal)];
        self.ramp = ramp.map(|number| Some(self.settings.of(number)));
        self.given = None;
        self.within(Level::Signal(signal), value, place);
        if let (Some(given), [Some(start), Some(full)]) = (self.given, self.ramp)
            && start >= full
        {
            place.member(given).error("leaves no room from start to full; full must be above start, and what is not given here is as for the whole document, or the default");
        }
    }

    fn number(&mut self, (number, kind): (Number, Kind), value: &Value, place: &Place<'_>) {
        if self.of == Of::Route && !matches!(number, Number::Weight(_)) {
            place.error("is the identity's, whatever the route; give it for the whole document or for a client");
            return;
        }
        let kept = Self::kept(kind, value, place);
        let kept = kept.and_then(|kept| u32::try_from(kept).ok());
        if let Some(kept) = kept {
            self.said.set(number, kept);
        }
        let [start, full] = &mut self.ramp;
        match number {
            Number::Start(_) => {
                *start = kept;
                self.given.get_or_insert(self.field);
            }
            Number::Full(_) => {
                *full = kept;
                self.given = Some(self.field);
            }
            _ => {}
        }
    }

    fn kept(kind: Kind, value: &Value, place: &Place<'_>) -> Option<u64> {
        match kind {
            Kind::Seconds(least, most) => seconds(least..=most, value, place),
            Kind::Count(most) => whole_number(&read_field(value, place), place, 1..=most),
            Kind::Bytes => {
                let bytes = bytes(&read_field(value, place), place, BYTES);
                bytes.map(|bytes| bytes.div_ceil(UNIT))
            }
            Kind::Fraction(scale) => {
                let number = number_within(&read_field(value, place), place, scale.bounds());
                number.map(|number| scale.kept(number).into())
            }
        }
    }
}

fn seconds(bounds: RangeInclusive<u64>, value: &Value, place: &Place<'_>) -> Option<u64> {
    let (least, most) = bounds.into_inner();
    let bounds = Duration::from_secs(least)..=Duration::from_secs(most);
    let span = given_span(&read_field(value, place), place, bounds)?;
    if span.subsec_nanos() != 0 {
        let span = Span(span);
        place.error(format_args!("is {span}; whole seconds are accepted"));
    }
    Some(span.as_secs())
}

/// How a number is written, and what is accepted.
#[derive(Clone, Copy)]
enum Kind {
    /// A duration of so many seconds.
    Seconds(u64, u64),
    /// A whole number from 1 on.
    Count(u64),
    /// A size.
    Bytes,
    /// A number with a fraction.
    Fraction(Scale),
}

fn of_section(field: &str) -> (Number, Kind) {
    match field {
        "half_life" => (Number::HalfLife, Kind::Seconds(1, 7 * DAY)),
        "memory" => (Number::Memory, Kind::Seconds(600, 90 * DAY)),
        "learn_every" => (Number::Lesson, Kind::Seconds(1, DAY)),
        "baseline" => (Number::Baseline, Kind::Seconds(DAY, 365 * DAY)),
        _ => (Number::WarmUp, Kind::Count(REQUESTS)),
    }
}

fn of_signal(signal: Signal, field: &str) -> (Number, Kind) {
    let scale = match signal {
        Signal::Failures | Signal::Denials => Scale::Share,
        _ => Scale::Times,
    };
    let least = match signal {
        Signal::VolumeShift => Kind::Bytes,
        Signal::SourceFanout => Kind::Count(NETWORKS),
        Signal::OddHour => Kind::Count(DAYS),
        _ => Kind::Count(REQUESTS),
    };
    match field {
        "weight" => (Number::Weight(signal), Kind::Fraction(Scale::Weight)),
        "start" => (Number::Start(signal), Kind::Fraction(scale)),
        "full" => (Number::Full(signal), Kind::Fraction(scale)),
        "window" => (Number::Window, Kind::Seconds(1, DAY)),
        _ => (Number::AtLeast(signal), least),
    }
}

const DAY: u64 = 86_400;
const REQUESTS: u64 = 1_000_000;
/// As many as an identity's state holds.
const NETWORKS: u64 = 64;
const DAYS: u64 = 15;
/// Near the largest that is counted in 32 bits of units.
const BYTES: RangeInclusive<u64> = UNIT..=1000 << 30;
/// In which bytes are counted.
const UNIT: u64 = 256;

/// How a number with a fraction is written and kept.
#[derive(Clone, Copy)]
enum Scale {
    /// What a signal weighs, in parts of [`ONE`].
    Weight,
    /// How many times, as a logarithm in parts of 256.
    Times,
    /// A share, in parts of 256.
    Share,
}

impl Scale {
    const fn bounds(self) -> RangeInclusive<u16> {
        match self {
            Self::Weight | Self::Share => 0..=1,
            Self::Times => 1..=1000,
        }
    }

    fn kept(self, number: f64) -> u32 {
        let parts = |of: u32| {
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "not negative, and saturates"
            )]
            let parts = (number * f64::from(of)).round_ties_even() as u32;
            parts
        };
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

#[cfg(all(test, feature = "schema"))]
mod tests {
    use super::*;

    #[test]
    fn the_schema_has_the_fields_that_are_read() {
        let schema = crate::config::json_schema();
        let properties = |schema: &Value| -> Vec<String> {
            let properties = schema["properties"].as_object().unwrap();
            properties.keys().cloned().collect()
        };
        let sorted = |fields: &[&str]| {
            let mut fields: Vec<String> = fields.iter().map(|&field| field.to_owned()).collect();
            fields.sort();
            fields
        };
        let definitions = &schema["$defs"];
        assert_eq!(properties(&definitions["Risk"]), sorted(SECTION));
        assert_eq!(properties(&definitions["Signals"]), sorted(SIGNALS));
        assert_eq!(sorted(SIGNALS), sorted(&Signal::ALL.map(Signal::as_str)));
        for signal in Signal::ALL {
            let reference = definitions["Signals"]["properties"][signal.as_str()]["$ref"].as_str();
            let name = reference.unwrap().rsplit('/').next().unwrap();
            assert_eq!(
                properties(&definitions[name]),
                sorted(fields(signal)),
                "{name}"
            );
        }
    }
}
