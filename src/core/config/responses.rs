//! What a refused caller is told.

use super::list::text;
use super::names;
use super::place::Place;
use super::wire::{self, Field};
use crate::decision::{Detail, Responses};

pub(super) fn compile(wire: &Field<wire::Responses>, place: &Place<'_>) -> Responses {
    let Some(wire) = wire.optional(place) else {
        return Responses::default();
    };
    let metadata = place.member("resource_metadata");
    Responses {
        realm: text(&wire.realm, &place.member("realm"), names::quotable),
        resource_metadata: text(&wire.resource_metadata, &metadata, names::url),
        detail: match wire.detail.optional(&place.member("detail")) {
            Some(wire::Detail::Full) => Detail::Full,
            Some(wire::Detail::Reason) | None => Detail::Reason,
        },
        rate_fields: wire
            .rate_fields
            .optional(&place.member("rate_fields"))
            .copied()
            .unwrap_or_default(),
    }
}
