//! Conditions on a request's context.

use super::bounds::nonzero_span;
use super::list::{Empty, elements, text, texts};
use super::mistake::{Mistake, Wrong};
use super::names;
use super::place::Place;
use super::wire::{self, List};
use crate::base::{Cidr, CidrSet};
use crate::policy::when::{
    BodyBytesMax, HeaderCondition, Hours, NumberRange, QueryCondition, QueryValues,
    SourceCondition, TokenAgeMax, Weekday, Weekdays,
};
use crate::policy::{Condition, When};

/// A kind of condition as it is written.
pub(super) struct ConditionForm {
    /// The field that says which kind an entry is.
    pub(super) name: &'static str,
    /// The fields that may go with it.
    pub(super) companions: &'static [&'static str],
    compile: fn(&wire::Condition, &Place<'_>) -> Option<Condition>,
}

/// Every kind.
pub(super) const KINDS: &[ConditionForm] = &[
    ConditionForm {
        name: "query",
        companions: &["in", "min", "max", "required"],
        compile: query,
    },
    ConditionForm {
        name: "header",
        companions: &["in", "required"],
        compile: header,
    },
    ConditionForm {
        name: "source",
        companions: &[],
        compile: source,
    },
    ConditionForm {
        name: "hours",
        companions: &["days"],
        compile: hours,
    },
    ConditionForm {
        name: "body_bytes_max",
        companions: &[],
        compile: body_bytes_max,
    },
    ConditionForm {
        name: "token_age_max",
        companions: &[],
        compile: token_age_max,
    },
];

pub(super) fn compile(list: &List<wire::Condition>, place: &Place<'_>) -> When {
    let entries = elements(list, place, Empty::Refused);
    let conditions = entries.filter_map(|(index, entry)| {
        let place = place.element(index);
        let wire = entry.optional(&place)?;
        (kind(wire, &place)?.compile)(wire, &place)
    });
    When::new(conditions.collect())
}

/// Which condition an entry is; says so where it is none, several, or has fields of another.
fn kind(wire: &wire::Condition, place: &Place<'_>) -> Option<&'static ConditionForm> {
    let given = given(wire);
    let names: Vec<&str> = KINDS.iter().map(|form| form.name).collect();
    let kinds: Vec<_> = KINDS
        .iter()
        .filter(|form| given.contains(&form.name))
        .collect();
    let [kind] = kinds.as_slice() else {
        let found = if kinds.is_empty() {
            "has no condition"
        } else {
            "has several conditions"
        };
        place.error(
            Mistake::WrongChoice,
            found,
            format_args!("each entry has one of: {}", names.join(", ")),
        );
        return None;
    };
    for field in given
        .iter()
        .filter(|field| **field != kind.name && !kind.companions.contains(field))
    {
        let owners = KINDS.iter().filter(|form| form.companions.contains(field));
        let owners: Vec<&str> = owners.map(|form| form.name).collect();
        place.member(field).error(
            Mistake::MisplacedField,
            format_args!("does not go with {}", kind.name),
            format_args!("it goes with {}", owners.join(" or ")),
        );
    }
    Some(kind)
}

/// The names of the fields that are there.
fn given(wire: &wire::Condition) -> Vec<&'static str> {
    let fields = [
        ("query", wire.query.is_absent()),
        ("header", wire.header.is_absent()),
        ("source", wire.source.is_absent()),
        ("hours", wire.hours.is_absent()),
        ("body_bytes_max", wire.body_bytes_max.is_absent()),
        ("token_age_max", wire.token_age_max.is_absent()),
        ("in", wire.one_of.is_absent()),
        ("min", wire.min.is_absent()),
        ("max", wire.max.is_absent()),
        ("required", wire.required.is_absent()),
        ("days", wire.days.is_absent()),
    ];
    fields
        .iter()
        .filter(|(_, absent)| !absent)
        .map(|(name, _)| *name)
        .collect()
}

fn query(wire: &wire::Condition, place: &Place<'_>) -> Option<Condition> {
    let required = wire
        .required
        .optional(&place.member("required"))
        .copied()
        .unwrap_or(true);
    let name = text(&wire.query, &place.member("query"), query_name);
    let ranged = !wire.min.is_absent() || !wire.max.is_absent();
    let listed = !wire.one_of.is_absent();
    let min = wire.min.optional(&place.member("min")).copied();
    let max = wire.max.optional(&place.member("max")).copied();
    let values = values(&wire.one_of, &place.member("in"));
    if listed == ranged {
        let found = if listed {
            "has in beside min or max"
        } else {
            "has no in, min or max"
        };
        place.error(
            Mistake::WrongChoice,
            found,
            "a query has in, or min and max or one of them",
        );
        return None;
    }
    let name = name?;
    let allowed = if listed {
        QueryValues::In(values)
    } else {
        let Some(range) = NumberRange::new(min, max) else {
            place.member("min").error(
                Mistake::OutOfRange,
                "is more than max",
                "at most max is needed",
            );
            return None;
        };
        QueryValues::Range(range)
    };
    Some(Condition::Query(QueryCondition {
        name,
        allowed,
        required,
    }))
}

fn header(wire: &wire::Condition, place: &Place<'_>) -> Option<Condition> {
    let required = wire
        .required
        .optional(&place.member("required"))
        .copied()
        .unwrap_or(true);
    let name = text(&wire.header, &place.member("header"), names::header);
    let place = place.member("in");
    wire.one_of.required(&place, "a list of values")?;
    let values = values(&wire.one_of, &place);
    Some(Condition::Header(HeaderCondition {
        name: name?,
        values,
        required,
    }))
}

fn source(wire: &wire::Condition, place: &Place<'_>) -> Option<Condition> {
    let place = place.member("source");
    let networks = texts(&wire.source, &place, Empty::Refused, Cidr::parse);
    let networks = CidrSet::new(networks);
    Some(Condition::Source(SourceCondition(networks)))
}

fn hours(wire: &wire::Condition, place: &Place<'_>) -> Option<Condition> {
    let days = if wire.days.is_absent() {
        Weekdays::ALL
    } else {
        days(&wire.days, &place.member("days"))
    };
    let place = place.member("hours");
    text(&wire.hours, &place, |window| Hours::parse(window, days)).map(Condition::Hours)
}

fn body_bytes_max(wire: &wire::Condition, place: &Place<'_>) -> Option<Condition> {
    let place = place.member("body_bytes_max");
    let max = wire.body_bytes_max.optional(&place)?.0;
    if max == 0 {
        place.error(Mistake::OutOfRange, "is zero", "at least 1B is needed");
    }
    Some(Condition::BodyBytesMax(BodyBytesMax(max)))
}

fn token_age_max(wire: &wire::Condition, place: &Place<'_>) -> Option<Condition> {
    let max = nonzero_span(&wire.token_age_max, &place.member("token_age_max"))?;
    Some(Condition::TokenAgeMax(TokenAgeMax(max)))
}

fn days(list: &List<wire::Weekday>, place: &Place<'_>) -> Weekdays {
    let mut days = Vec::new();
    for (index, day) in elements(list, place, Empty::Refused) {
        let place = place.element(index);
        let Some(day) = day.optional(&place).copied().map(weekday) else {
            continue;
        };
        if days.contains(&day) {
            place.error(Mistake::Duplicate, "is listed twice", "once is enough");
        }
        days.push(day);
    }
    Weekdays::of(&days)
}

const fn weekday(day: wire::Weekday) -> Weekday {
    match day {
        wire::Weekday::Mon => Weekday::Mon,
        wire::Weekday::Tue => Weekday::Tue,
        wire::Weekday::Wed => Weekday::Wed,
        wire::Weekday::Thu => Weekday::Thu,
        wire::Weekday::Fri => Weekday::Fri,
        wire::Weekday::Sat => Weekday::Sat,
        wire::Weekday::Sun => Weekday::Sun,
    }
}

fn values(list: &List<String>, place: &Place<'_>) -> Vec<String> {
    texts(list, place, Empty::Refused, |text| {
        Ok::<_, Wrong>(text.to_owned())
    })
}

fn query_name(text: &str) -> Result<String, Wrong> {
    if matches!(text.len(), 1..=256) {
        return Ok(text.to_owned());
    }
    Err(Wrong::malformed(
        "is no query parameter's name",
        "it has 1 to 256 bytes",
    ))
}
