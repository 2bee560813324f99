//! Where callers come from, and what those are told that keep failing.

use std::time::Duration;

use super::bounds::whole_number;
use super::finding::{Finding, Rule};
use super::limit::by_rate;
use super::list::{Empty, text, texts};
use super::mistake::Mistake;
use super::names;
use super::place::Place;
use super::quantity::Rate;
use super::wire::{self, Field};
use crate::base::{Cidr, CidrSet};
use crate::decision::Mode;
use crate::gate::Source;
use crate::limits::{Limit, pressure};
use crate::policy::{Forwarded, Trust};

/// The failures that a source has when nothing is said.
const RATE: Rate = Rate {
    count: 600,
    period: Duration::from_secs(60),
};
const BURST: u64 = 300;

pub(super) fn compile(
    wire: &Field<wire::Source>,
    place: &Place<'_>,
    credential: &str,
    warnings: &mut Vec<Finding>,
) -> Source {
    let Some(wire) = wire.optional(place) else {
        return Source {
            forwarded: None,
            pressure: pressure_of(&Field::Absent, place, warnings),
        };
    };
    let header = text(&wire.header, &place.member("header"), |header| {
        names::public_header(header, credential)
    });
    let trust = trust(&wire.trusted_hops, &wire.trusted_cidrs, place);
    let forwarded = trust.map(|trust| Forwarded {
        header: header.unwrap_or_else(|| "x-forwarded-for".to_owned()),
        trust,
    });
    Source {
        forwarded,
        pressure: pressure_of(&wire.pressure, &place.member("pressure"), warnings),
    }
}

fn trust(hops: &Field<u64>, cidrs: &wire::List<String>, place: &Place<'_>) -> Option<Trust> {
    if !hops.is_absent() && !cidrs.is_absent() {
        place.error(
            Mistake::WrongChoice,
            "has both trusted_hops and trusted_cidrs",
            "give one of the two",
        );
    }
    let listed = !cidrs.is_absent();
    let networks = place.member("trusted_cidrs");
    let networks = texts(cidrs, &networks, Empty::Refused, Cidr::parse);
    let hops = whole_number(hops, &place.member("trusted_hops"), 0..=32);
    let hops = usize::try_from(hops.unwrap_or_default()).unwrap_or_default();
    match (listed, hops) {
        (true, _) => Some(Trust::Networks(CidrSet::new(networks))),
        (false, 0) => None,
        (false, hops) => Some(Trust::Hops(hops)),
    }
}

fn pressure_of(
    wire: &Field<wire::Pressure>,
    place: &Place<'_>,
    warnings: &mut Vec<Finding>,
) -> Option<Limit> {
    let (rate, burst, mode) = match wire.optional(place) {
        Some(wire) => (&wire.rate, &wire.burst, &wire.mode),
        None => (&Field::Absent, &Field::Absent, &Field::Absent),
    };
    let default = rate.is_absent() && burst.is_absent();
    let rate = rate.optional(&place.member("rate")).copied();
    let rate = rate.unwrap_or(RATE);
    let generous = Field::Given(BURST);
    let burst = if default { &generous } else { burst };
    let metered = by_rate(rate, burst, place);
    let mode_place = place.member("mode");
    let mode = match mode.optional(&mode_place) {
        Some(wire::PressureMode::Enforce) | None => Mode::Enforce,
        Some(wire::PressureMode::Observe) => Mode::Observe,
        Some(wire::PressureMode::Off) => {
            warnings.push(Finding::warning(
                Rule::PRESSURE_OFF,
                &mode_place,
                "sources that keep failing can make the gate check signatures for ever",
            ));
            return None;
        }
    };
    let metered = metered?;
    Some(pressure::limit(
        metered.meter,
        metered.count,
        metered.period,
        mode,
    ))
}
