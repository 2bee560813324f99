//! Reads the section `risk`, and what clients and routes say otherwise, in the units that are kept.
//!
//! Every number is read where it stands, by the rows of the signals and a table of the rest.

use std::mem;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value;

use super::bounds::{bytes, given_span, number_within, whole_number};
use super::finding::Finding;
use super::mistake::Mistake;
use super::place::Place;
use super::quantity::Span;
use super::reader::{Member, Object, read_field, read_object};
use super::risk_actions::actions;
use crate::risk::settings::{Number, Override, Settings};
use crate::risk::signals::Signal;
use crate::risk::signals::field::{DAY, FieldKind, REQUESTS, SignalField, UNIT};

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
pub(super) struct NumbersReading<'a> {
    of: Of,
    /// What counts where nothing is said.
    settings: &'a Settings,
    limited: bool,
    warnings: &'a mut Vec<Finding>,
    level: ScoreLevel,
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
enum ScoreLevel {
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

impl Object for NumbersReading<'_> {
    fn name(&self) -> &'static str {
        "Risk"
    }

    fn members(&self) -> &'static [&'static str] {
        match self.level {
            ScoreLevel::Section => SECTION,
            ScoreLevel::Signals => &Signal::NAMES,
            ScoreLevel::Signal(signal) => signal.fields(),
        }
    }

    fn member(&mut self, index: usize) -> Option<&mut dyn Member> {
        self.field = self.members().get(index)?;
        Some(self)
    }
}

impl Member for NumbersReading<'_> {
    fn fill(&mut self, value: &Value, place: &Place<'_>) {
        match (self.level, self.field) {
            (ScoreLevel::Section, "signals") => self.within(ScoreLevel::Signals, value, place),
            (ScoreLevel::Section, "slots") => self.slots(value, place),
            (ScoreLevel::Section, "actions") => {
                let list = read_field(value, place);
                let actions = actions(&list, place, self.limited, self.warnings);
                self.said.act(actions);
            }
            (ScoreLevel::Section, field) => self.number(of_section(field), value, place),
            (ScoreLevel::Signals, field) => self.signal(field, value, place),
            (ScoreLevel::Signal(signal), field) => {
                if let Some(field) = field_of(signal, field) {
                    self.number((field.part.of(signal), field.kind), value, place);
                }
            }
        }
    }
}

impl<'a> NumbersReading<'a> {
    pub(super) fn new(
        of: Of,
        settings: &'a Settings,
        limited: bool,
        warnings: &'a mut Vec<Finding>,
    ) -> Self {
        Self {
            of,
            settings,
            limited,
            warnings,
            level: ScoreLevel::Section,
            field: "",
            ramp: [None; 2],
            given: None,
            said: Override::default(),
            slots: None,
        }
    }

    /// Reads it all.
    pub(super) fn read(&mut self, value: &Value, place: &Place<'_>) {
        self.within(ScoreLevel::Section, value, place);
    }

    fn within(&mut self, level: ScoreLevel, value: &Value, place: &Place<'_>) {
        let above = mem::replace(&mut self.level, level);
        if let Err(wrong) = read_object(self, value, place) {
            place.wrong(&wrong);
        }
        self.level = above;
    }

    fn slots(&mut self, value: &Value, place: &Place<'_>) {
        if self.of == Of::Document {
            self.slots = whole_number(&read_field(value, place), place, 8..=4 << 20);
        } else {
            place.error(
                Mistake::MisplacedField,
                "is for the whole document",
                "remove it",
            );
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
        self.within(ScoreLevel::Signal(signal), value, place);
        if let (Some(given), [Some(start), Some(full)]) = (self.given, self.ramp)
            && start >= full
        {
            place.member(given).error(Mistake::OutOfRange, "leaves no room from start to full", "full must be above start, and what is not given here is as for the whole document, or the default");
        }
    }

    fn number(&mut self, (number, kind): (Number, FieldKind), value: &Value, place: &Place<'_>) {
        if self.of == Of::Route && !matches!(number, Number::Weight(_)) {
            place.error(
                Mistake::MisplacedField,
                "is the identity's, whatever the route",
                "give it for the whole document or for a client",
            );
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

    fn kept(kind: FieldKind, value: &Value, place: &Place<'_>) -> Option<u64> {
        match kind {
            FieldKind::Seconds(least, most) => seconds(least..=most, value, place),
            FieldKind::Count(most) => whole_number(&read_field(value, place), place, 1..=most),
            FieldKind::Bytes => {
                let bytes = bytes(&read_field(value, place), place, BYTES);
                bytes.map(|bytes| bytes.div_ceil(UNIT))
            }
            FieldKind::Fraction(scale) => {
                let (least, most) = scale.bounds();
                let number = number_within(&read_field(value, place), place, least..=most)?;
                Some(scale.kept(|of| parts(number, of)).into())
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
        place.error(
            Mistake::OutOfRange,
            format_args!("is {span}"),
            "whole seconds are accepted",
        );
    }
    Some(span.as_secs())
}

fn of_section(field: &str) -> (Number, FieldKind) {
    match field {
        "half_life" => (Number::HalfLife, FieldKind::Seconds(1, 7 * DAY)),
        "memory" => (Number::Memory, FieldKind::Seconds(600, 90 * DAY)),
        "learn_every" => (Number::Lesson, FieldKind::Seconds(1, DAY)),
        "baseline" => (Number::Baseline, FieldKind::Seconds(DAY, 365 * DAY)),
        _ => (Number::WarmUp, FieldKind::Count(REQUESTS)),
    }
}

fn field_of(signal: Signal, name: &str) -> Option<&'static SignalField> {
    let mut fields = signal.row().fields.iter();
    fields.find(|field| field.name == name)
}

/// Near the largest that is counted in 32 bits of units.
const BYTES: RangeInclusive<u64> = UNIT..=1000 << 30;

/// A number, given in how many parts of a whole it is wanted.
fn parts(number: f64, of: u32) -> u32 {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and saturates"
    )]
    let parts = (number * f64::from(of)).round_ties_even() as u32;
    parts
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
        assert_eq!(properties(&definitions["Signals"]), sorted(&Signal::NAMES));
        assert_eq!(Signal::NAMES, Signal::ALL.map(Signal::as_str));
        for signal in Signal::ALL {
            let reference = definitions["Signals"]["properties"][signal.as_str()]["$ref"].as_str();
            let name = reference.unwrap().rsplit('/').next().unwrap();
            assert_eq!(
                properties(&definitions[name]),
                sorted(signal.fields()),
                "{name}"
            );
        }
    }
}
