//! What is done about a score.

use serde_json::Value;

use super::bounds::whole_number;
use super::finding::{Finding, Rule};
use super::list::{Empty, elements};
use super::mistake::Mistake;
use super::place::Place;
use super::reader::Wire;
use super::wire::{self, Field, List};
use crate::risk::settings::{Action, Deed};

/// By how much a throttled request costs more where that is not said.
const FACTOR: u32 = 4;

/// A list is all there is: it adds nothing to another.
pub(super) fn actions(
    list: &List<Value>,
    place: &Place<'_>,
    limited: bool,
    warnings: &mut Vec<Finding>,
) -> Vec<Action> {
    let mut actions: Vec<Action> = Vec::new();
    for (index, field) in elements(list, place, Empty::Allowed) {
        let place = place.element(index);
        let Some(action) = action(field, &place) else {
            continue;
        };
        if actions.iter().any(|other| other.at == action.at) {
            let place = place.member("at");
            place.error(
                Mistake::Duplicate,
                "is that of another action as well",
                "each needs its own",
            );
        }
        if matches!(action.deed, Deed::Throttle(_)) && !limited {
            warnings.push(Finding::warning(
                Rule::IDLE_THROTTLE,
                &place,
                "throttle makes requests cost their limits more, and there are no limits",
            ));
        }
        actions.push(action);
    }
    actions
}

/// None only where an error was noted.
fn action(field: &Field<Value>, place: &Place<'_>) -> Option<Action> {
    let wire = wire::RiskAction::read(field.optional(place)?, place);
    let wire = wire.map_err(|wrong| place.wrong(&wrong)).ok()?;
    let at = place.member("at");
    let score = wire.at.required(&at, "a score from 1 to 100");
    let score = score.and_then(|_| whole_number(&wire.at, &at, 1..=100));
    let deed = deed(&wire, place);
    Some(Action {
        at: u8::try_from(score?).ok()?,
        deed: deed?,
    })
}

fn deed(wire: &wire::RiskAction, place: &Place<'_>) -> Option<Deed> {
    let factor = place.member("factor");
    let deed = wire
        .deed
        .required(&place.member("do"), "one of tag, throttle, deny")?;
    let deed = match deed {
        wire::RiskDeed::Tag => Deed::Tag,
        wire::RiskDeed::Deny => Deed::Deny,
        wire::RiskDeed::Throttle => {
            let factor = whole_number(&wire.factor, &factor, 2..=1000);
            let factor = factor.and_then(|factor| u32::try_from(factor).ok());
            return Some(Deed::Throttle(factor.unwrap_or(FACTOR)));
        }
    };
    if !wire.factor.is_absent() {
        factor.error(
            Mistake::MisplacedField,
            "goes with throttle alone",
            "remove it",
        );
    }
    Some(deed)
}
