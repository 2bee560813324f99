//! The numbers of how callers are judged, in the units that they are kept in.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::bounds::{bytes, given_span, number_within, whole_number};
use super::place::Place;
use super::quantity::Span;
use super::wire::{self, Field};
use crate::risk::arithmetic::{ONE, log2};
use crate::risk::settings::{Number, Override, Settings, Signal};

/// Whose numbers they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// The whole document's, or a client's.
    Identities,
    /// A route's, which has no say in what an identity's past is made of.
    Route,
}

/// What is said otherwise than the settings have it.
pub(super) fn numbers(
    wire: &wire::Risk,
    place: &Place<'_>,
    of: Of,
    settings: &Settings,
) -> Override {
    let mut reading = Reading {
        settings,
        of,
        said: Override::default(),
    };
    reading.all(wire, place);
    reading.said
}

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
const REQUESTS: u64 = 1_000_000;
/// As many as an identity's state holds.
const NETWORKS: u64 = 64;
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

/// Reads the numbers that are said, each where it stands.
struct Reading<'a> {
    /// What counts where nothing is said.
    settings: &'a Settings,
    of: Of,
    said: Override,
}

impl Reading<'_> {
    fn all(&mut self, wire: &wire::Risk, place: &Place<'_>) {
        let half_life = place.member("half_life");
        self.span(Number::HalfLife, &wire.half_life, &half_life, 1..=7 * DAY);
        let memory = place.member("memory");
        self.span(Number::Memory, &wire.memory, &memory, 600..=90 * DAY);
        let baseline = place.member("baseline");
        self.span(Number::Baseline, &wire.baseline, &baseline, DAY..=365 * DAY);
        let warm_up = place.member("warm_up");
        self.count(Number::WarmUp, &wire.warm_up, &warm_up, REQUESTS);
        let signals = place.member("signals");
        if let Some(wire) = wire.signals.optional(&signals) {
            self.occurrences(wire, &signals);
            self.shifts(wire, &signals);
            self.spread(&wire.spread, &signals);
            self.volume_shift(&wire.volume_shift, &signals);
        }
    }

    fn occurrences(&mut self, wire: &wire::Signals, place: &Place<'_>) {
        for (signal, field) in [
            (Signal::NewSource, &wire.new_source),
            (Signal::TokenFanout, &wire.token_fanout),
            (Signal::NewRoute, &wire.new_route),
        ] {
            let place = place.member(signal.as_str());
            if let Some(wire) = field.optional(&place) {
                self.weight(signal, &wire.weight, &place);
            }
        }
        let place = place.member(Signal::OddHour.as_str());
        if let Some(wire) = wire.odd_hour.optional(&place) {
            self.weight(Signal::OddHour, &wire.weight, &place);
            let days = place.member("days");
            self.count(Number::AtLeast(Signal::OddHour), &wire.days, &days, 15);
        }
    }

    fn shifts(&mut self, wire: &wire::Signals, place: &Place<'_>) {
        use Scale::{Share, Times};
        for (signal, field, scale, most) in [
            (Signal::RateShift, &wire.rate_shift, Times, REQUESTS),
            (Signal::Failures, &wire.failures, Share, REQUESTS),
            (Signal::Denials, &wire.denials, Share, REQUESTS),
            (Signal::SourceFanout, &wire.source_fanout, Times, NETWORKS),
        ] {
            let place = place.member(signal.as_str());
            if let Some(wire) = field.optional(&place) {
                self.weight(signal, &wire.weight, &place);
                self.ramp(signal, &wire.start, &wire.full, &place, scale);
                let at_least = place.member("at_least");
                self.count(Number::AtLeast(signal), &wire.at_least, &at_least, most);
            }
        }
    }

    fn spread(&mut self, field: &Field<wire::Spread>, place: &Place<'_>) {
        const SPREAD: Signal = Signal::Spread;
        let place = place.member(SPREAD.as_str());
        let Some(wire) = field.optional(&place) else {
            return;
        };
        self.weight(SPREAD, &wire.weight, &place);
        let distinct = place.member("distinct");
        self.count(Number::AtLeast(SPREAD), &wire.distinct, &distinct, REQUESTS);
        let window = place.member("window");
        self.span(Number::Window, &wire.window, &window, 60..=DAY);
        self.ramp(SPREAD, &wire.start, &wire.full, &place, Scale::Times);
    }

    fn volume_shift(&mut self, field: &Field<wire::VolumeShift>, place: &Place<'_>) {
        const VOLUME: Signal = Signal::VolumeShift;
        let place = place.member(VOLUME.as_str());
        let Some(wire) = field.optional(&place) else {
            return;
        };
        self.weight(VOLUME, &wire.weight, &place);
        self.ramp(VOLUME, &wire.start, &wire.full, &place, Scale::Times);
        let bytes = bytes(&wire.at_least, &place.member("at_least"), BYTES);
        let units = bytes.map(|bytes| bytes.div_ceil(UNIT));
        self.say(Number::AtLeast(VOLUME), units);
    }

    /// All durations are the identity's, whose past is one for all routes.
    fn span(
        &mut self,
        number: Number,
        field: &Field<Span>,
        place: &Place<'_>,
        seconds: RangeInclusive<u64>,
    ) {
        if self.of == Of::Route && !field.is_absent() {
            place.error("is the identity's, whatever the route; give it for the whole document or for a client");
            return;
        }
        let (least, most) = seconds.into_inner();
        let bounds = Duration::from_secs(least)..=Duration::from_secs(most);
        let span = given_span(field, place, bounds);
        if let Some(span) = span.filter(|span| span.subsec_nanos() != 0) {
            let span = Span(span);
            place.error(format_args!("is {span}; whole seconds are accepted"));
        }
        self.say(number, span.map(|span| span.as_secs()));
    }

    fn count(&mut self, number: Number, field: &Field<u64>, place: &Place<'_>, most: u64) {
        let count = whole_number(field, place, 1..=most);
        self.say(number, count);
    }

    fn weight(&mut self, signal: Signal, field: &Field<f64>, place: &Place<'_>) {
        let place = place.member("weight");
        self.fraction(Number::Weight(signal), field, &place, Scale::Weight);
    }

    /// What is not said here is what counts where nothing is.
    fn ramp(
        &mut self,
        signal: Signal,
        start: &Field<f64>,
        full: &Field<f64>,
        place: &Place<'_>,
        scale: Scale,
    ) {
        let (start_place, full_place) = (place.member("start"), place.member("full"));
        let given = match (start.is_absent(), full.is_absent()) {
            (true, true) => return,
            (_, false) => &full_place,
            (false, true) => &start_place,
        };
        let start = self.fraction(Number::Start(signal), start, &start_place, scale);
        let full = self.fraction(Number::Full(signal), full, &full_place, scale);
        if start.zip(full).is_some_and(|(start, full)| start >= full) {
            given.error("leaves no room from start to full; full must be above start, and what is not given here is as for the whole document, or the default");
        }
    }

    /// What counts now; none where an error was noted.
    fn fraction(
        &mut self,
        number: Number,
        field: &Field<f64>,
        place: &Place<'_>,
        scale: Scale,
    ) -> Option<u32> {
        if field.is_absent() {
            return Some(self.settings.of(number));
        }
        let kept = scale.kept(number_within(field, place, scale.bounds())?);
        self.say(number, Some(kept.into()));
        Some(kept)
    }

    fn say(&mut self, number: Number, value: Option<u64>) {
        if let Some(value) = value {
            let value = u32::try_from(value).unwrap_or(u32::MAX);
            self.said.set(number, value);
        }
    }
}
