//! What a refused caller is told.

use super::list::text;
use super::names;
use super::place::Place;
use super::wire::{self, Field};
use crate::decision::Detail;

/// What a refused caller is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Responses {
    /// The `realm` of challenges: can be quoted without escapes.
    pub realm: Option<String>,
    /// The `resource_metadata` of challenges (RFC 9728): can be quoted without escapes.
    pub resource_metadata: Option<String>,
    /// How much a reply says.
    pub detail: Detail,
    /// Whether allowed responses carry `RateLimit` fields.
    pub rate_fields: bool,
}

impl Responses {
    pub(super) fn compile(wire: &Field<wire::Responses>, place: &Place<'_>) -> Self {
        let Some(wire) = wire.optional(place) else {
            return Self::default();
        };
        let metadata = place.member("resource_metadata");
        Self {
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
}
