//! How a credential is sent.

use std::time::Duration;

use super::bounds::{size, span};
use super::list::text;
use super::names;
use super::place::Place;
use super::wire::{self, Field};
use crate::caller::settings::Tokens;

pub(super) fn compile(wire: &Field<wire::Tokens>, place: &Place<'_>) -> Tokens {
    let default = Tokens::default();
    let Some(wire) = wire.optional(place) else {
        return default;
    };
    let header = text(&wire.header, &place.member("header"), names::token_header);
    let scheme = text(&wire.scheme, &place.member("scheme"), names::scheme);
    let max_bytes = size(&wire.max_bytes, &place.member("max_bytes"), 512..=64 << 10);
    let cache_bytes = size(&wire.cache, &place.member("cache"), 64 << 10..=256 << 20);
    let budget = span(
        &wire.budget,
        &place.member("budget"),
        Duration::from_millis(1)..=Duration::from_millis(100),
        default.budget,
    );
    let marker = wire.marker.optional(&place.member("marker"));
    let share = wire.share.optional(&place.member("share"));
    Tokens {
        header: header.unwrap_or(default.header),
        scheme: scheme.unwrap_or(default.scheme),
        max_bytes: max_bytes.unwrap_or(default.max_bytes),
        budget,
        cache_bytes: cache_bytes.unwrap_or(default.cache_bytes),
        share: share.copied().unwrap_or(default.share),
        marker: marker.copied().unwrap_or(default.marker),
    }
}
