//! Limits, and where they are counted.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::bounds::whole_number;
use super::finding::Finding;
use super::list::{Empty, elements, note_unique, references, required, texts};
use super::mistake::{Mistake, Wrong};
use super::model::mode;
use super::names;
use super::place::Place;
use super::quantity::{Rate, Span};
use super::reader::Wire;
use super::wire::{self, Field, List};
use crate::base::{LimitId, Listed};
use crate::limits::key::KeyPart;
use crate::limits::meter::{HORIZON, Meter, QUOTA_MAX};
use crate::limits::{Cost, Limit, Slots};

/// How many limits a route may have: each is a read and a write of shared data.
const OF_ROUTE: usize = 16;

pub(super) fn counters(wire: &Field<wire::Counters>, place: &Place<'_>) -> Slots {
    let slots = wire
        .optional(place)
        .and_then(|wire| whole_number(&wire.slots, &place.member("slots"), 16..=4 << 20));
    let slots = slots.and_then(|slots| usize::try_from(slots).ok());
    slots.map_or_else(Slots::default, |slots| Slots { slots })
}

/// The limits of a route.
pub(super) fn of_route(
    limits: &List<String>,
    place: &Place<'_>,
    known: Option<&[String]>,
) -> Vec<LimitId> {
    let ids = references(limits, place, known, "limit");
    if ids.len() > OF_ROUTE {
        place.error(
            Mistake::OutOfRange,
            format_args!("has more than {OF_ROUTE} entries"),
            format_args!("at most {OF_ROUTE} are accepted"),
        );
    }
    ids
}

pub(super) fn compile_all(
    limits: &List<wire::Limit>,
    place: &Place<'_>,
    credential: &str,
    warnings: &mut Vec<Finding>,
) -> Listed<LimitId, Limit> {
    let (mut seen, mut compiled) = (BTreeMap::new(), Listed::default());
    for (index, limit) in elements(limits, place, Empty::Refused) {
        let place = place.element(index);
        let Some(limit) = limit.optional(&place) else {
            continue;
        };
        note_unique(&mut seen, &limit.name, &place.member("name"));
        if let Some(limit) = compile(limit, &place, credential, warnings) {
            compiled.push(limit);
        }
    }
    compiled
}

/// None only where an error was noted.
fn compile(
    wire: &wire::Limit,
    place: &Place<'_>,
    credential: &str,
    warnings: &mut Vec<Finding>,
) -> Option<Limit> {
    let name = required(&wire.name, &place.member("name"), "a name", names::name);
    if wire.key.is_absent() {
        place.member("key").error(
            Mistake::MissingField,
            "is missing",
            "a list of what to count by, such as [client], is needed",
        );
    }
    let key = texts(&wire.key, &place.member("key"), Empty::Refused, |part| {
        key_part(part, credential)
    });
    let metered = metered(&wire.rate, &wire.burst, &wire.quota, place);
    let cost = cost(&wire.cost, &place.member("cost"));
    wire.per.optional(&place.member("per"));
    let contention = wire.on_contention.optional(&place.member("on_contention"));
    let failure = wire.on_failure.optional(&place.member("on_failure"));
    let mode = mode(&wire.mode, &place.member("mode"), warnings);
    let Metered {
        meter,
        count,
        period,
    } = metered?;
    check_cost(cost.as_ref(), meter, &place.member("cost"));
    Some(Limit {
        name: name?,
        key,
        meter,
        count,
        period,
        cost: cost?,
        deny_on_contention: !matches!(contention, Some(wire::OnContention::Allow)),
        deny_on_failure: matches!(failure, Some(wire::OnFailure::Deny)),
        mode: mode.unwrap_or_default(),
    })
}

/// What a limit counts by, as it is written.
fn key_part(text: &str, credential: &str) -> Result<KeyPart, Wrong> {
    const EXPECTED: &str = "that is one of: identity, issuer, client, route, source, \
         source_network, claim:NAME, header:NAME";
    Ok(match text {
        "identity" => KeyPart::Identity,
        "issuer" => KeyPart::Issuer,
        "client" => KeyPart::Client,
        "route" => KeyPart::Route,
        "source" => KeyPart::Source,
        "source_network" => KeyPart::SourceNetwork,
        _ => match text.split_once(':') {
            Some(("claim", claim)) => KeyPart::Claim(names::claim_path(claim)?),
            Some(("header", header)) => KeyPart::Header(names::public_header(header, credential)?),
            _ => return Err(Wrong::malformed("is nothing to count by", EXPECTED)),
        },
    })
}

/// How a limit counts, and what it was made of.
pub(super) struct Metered {
    pub meter: Meter,
    pub count: u64,
    pub period: Duration,
}

fn metered(
    rate: &Field<Rate>,
    burst: &Field<u64>,
    quota: &Field<Rate>,
    place: &Place<'_>,
) -> Option<Metered> {
    match (rate.is_absent(), quota.is_absent()) {
        (true, true) => {
            place.error(
                Mistake::WrongChoice,
                "has neither rate nor quota",
                "one of the two is needed",
            );
            None
        }
        (false, false) => {
            place.error(
                Mistake::WrongChoice,
                "has both rate and quota",
                "make two limits of them",
            );
            None
        }
        (false, true) => {
            let rate = rate.optional(&place.member("rate"));
            by_rate(*rate?, burst, place)
        }
        (true, false) => {
            if !burst.is_absent() {
                place.member("burst").error(
                    Mistake::MisplacedField,
                    "does not go with a quota",
                    "remove it",
                );
            }
            let place = place.member("quota");
            by_quota(*quota.optional(&place)?, &place)
        }
    }
}

/// The generic cell rate algorithm at that rate.
pub(super) fn by_rate(rate: Rate, burst: &Field<u64>, place: &Place<'_>) -> Option<Metered> {
    let burst = whole_number(burst, &place.member("burst"), 1..=QUOTA_MAX);
    let burst = burst.unwrap_or(rate.count);
    let period = u64::try_from(rate.period.as_nanos()).unwrap_or(u64::MAX);
    // Rounded up: rather a little slower than faster than asked for.
    let interval = period.div_ceil(rate.count);
    if period < rate.count || rate.count > QUOTA_MAX {
        place.member("rate").error(
            Mistake::OutOfRange,
            "is faster than can be counted",
            "at most 999999999 units, and one in a nanosecond, are accepted",
        );
        return None;
    }
    if burst.saturating_mul(interval) > HORIZON {
        place.error(
            Mistake::OutOfRange,
            "takes longer than 366 days to earn its burst",
            "a smaller burst or a faster rate is needed",
        );
        return None;
    }
    Some(Metered {
        meter: Meter::Rate { interval, burst },
        count: rate.count,
        period: rate.period,
    })
}

fn by_quota(quota: Rate, place: &Place<'_>) -> Option<Metered> {
    let window = quota.period;
    if window.subsec_nanos() != 0 || window > Duration::from_nanos(HORIZON) {
        place.error(
            Mistake::OutOfRange,
            format_args!("has a window of {}", Span(window)),
            "whole seconds, up to 366d, are accepted",
        );
        return None;
    }
    if quota.count > QUOTA_MAX {
        place.error(
            Mistake::OutOfRange,
            "counts more than 999999999",
            "fewer units are needed",
        );
        return None;
    }
    Some(Metered {
        meter: Meter::Quota {
            window: window.as_secs(),
            quota: quota.count,
        },
        count: quota.count,
        period: window,
    })
}

/// None only where an error was noted.
fn cost(field: &Field<Value>, place: &Place<'_>) -> Option<Cost> {
    const EXPECTED: &str = "a number of units, {query, per} or {response_bytes} is needed";
    let Some(value) = field.optional(place) else {
        return Some(Cost::Units(1));
    };
    match value {
        Value::Number(number) => match number.as_u64() {
            Some(units) if units > 0 => Some(Cost::Units(units)),
            _ => {
                place.error(
                    Mistake::OutOfRange,
                    "is no whole number above zero",
                    "one is needed",
                );
                None
            }
        },
        Value::Object(_) => match wire::Cost::read(value, place) {
            Ok(wire) => cost_of(&wire, place),
            Err(wrong) => {
                place.wrong(&wrong);
                None
            }
        },
        _ => {
            place.error(Mistake::WrongType, "is no cost", EXPECTED);
            None
        }
    }
}

fn cost_of(wire: &wire::Cost, place: &Place<'_>) -> Option<Cost> {
    match (wire.query.is_absent(), wire.response_bytes.is_absent()) {
        (false, true) => {
            let name = wire.query.optional(&place.member("query"))?.clone();
            if !matches!(name.len(), 1..=256) {
                place.member("query").error(
                    Mistake::Malformed,
                    "is no name of a parameter",
                    "1 to 256 bytes are needed",
                );
            }
            let per = whole_number(&wire.per, &place.member("per"), 1..=u64::MAX);
            let per = per.unwrap_or(1);
            Some(Cost::Query { name, per })
        }
        (true, false) => {
            if !wire.per.is_absent() {
                place.member("per").error(
                    Mistake::MisplacedField,
                    "goes with query alone",
                    "remove it",
                );
            }
            let bytes = place.member("response_bytes");
            let size = wire.response_bytes.optional(&bytes)?;
            if size.0 == 0 {
                bytes.error(Mistake::OutOfRange, "is zero", "a larger size is needed");
            }
            Some(Cost::ResponseBytes(size.0))
        }
        _ => {
            place.error(
                Mistake::WrongChoice,
                "has not exactly one kind",
                "one of query and response_bytes is needed",
            );
            None
        }
    }
}

fn check_cost(cost: Option<&Cost>, meter: Meter, place: &Place<'_>) {
    let (Meter::Rate { burst: holds, .. } | Meter::Quota { quota: holds, .. }) = meter;
    if let Some(Cost::Units(units)) = cost
        && holds > 0
        && *units > holds
    {
        place.error(
            Mistake::OutOfRange,
            format_args!("is {units}, more than the {holds} that the limit ever holds"),
            "no request would pass",
        );
    }
}
