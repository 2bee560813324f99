//! What goes on to the upstream.

use serde_json::Value;

use super::finding::{Finding, Rule};
use super::list::{Empty, texts};
use super::mistake::{Mistake, Wrong};
use super::place::Place;
use super::reader::Wire;
use super::wire::{self, Field};
use crate::gate::{METHOD_PARAMETER, OVERRIDES, Upstream};

pub(super) fn compile(
    wire: &Field<wire::Upstream>,
    place: &Place<'_>,
    warnings: &mut Vec<Finding>,
) -> Upstream {
    let place_of_overrides = place.member("overrides");
    let kept = wire.optional(place).and_then(|wire| {
        let value = wire.overrides.optional(&place_of_overrides)?;
        kept(value, &place_of_overrides)
    });
    let kept = kept.unwrap_or_default();
    if !kept.is_empty() {
        warnings.push(Finding::warning(
            Rule::KEPT_OVERRIDES,
            &place_of_overrides,
            "an upstream may be told another method or path than was decided about",
        ));
    }
    Upstream { kept }
}

fn all() -> impl Iterator<Item = &'static str> {
    OVERRIDES.iter().copied().chain([METHOD_PARAMETER])
}

/// None only where an error was noted.
fn kept(value: &Value, place: &Place<'_>) -> Option<Vec<&'static str>> {
    if value.is_object() {
        let wire = wire::KeptOverrides::read(value, place);
        let wire = wire.map_err(|wrong| place.wrong(&wrong)).ok()?;
        let place = place.member("keep");
        wire.keep.required(&place, "a list of what is kept")?;
        return Some(texts(&wire.keep, &place, Empty::Refused, |name| {
            all().find(|known| *known == name).ok_or_else(|| {
                let names: Vec<&str> = all().collect();
                let remedy = format!("they are: {}", names.join(", "));
                Wrong::new(Mistake::UnknownWord, "is none of them", remedy)
            })
        }));
    }
    match wire::Overrides::read(value, place) {
        Ok(wire::Overrides::Remove) => Some(Vec::new()),
        Ok(wire::Overrides::Keep) => Some(all().collect()),
        Err(wrong) => {
            place.wrong(&wrong.or("names such as {keep: [x-forwarded-prefix]}"));
            None
        }
    }
}
