//! How a credential is sent.

use std::time::Duration;

use super::bounds::{size, span};
use super::list::text;
use super::names;
use super::place::Place;
use super::wire::{self, Field};

/// How a credential is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// The header, in lower case.
    pub header: String,
    /// The scheme before the token, compared without case.
    pub scheme: String,
    /// The longest token in bytes.
    pub max_bytes: usize,
    /// How much CPU time the signatures of a request may take beyond the first.
    pub budget: Duration,
    /// How many bytes a worker keeps of verified tokens.
    pub cache_bytes: usize,
    /// Whether workers take over what others have verified.
    pub share: bool,
    /// Whether the upstream gets a field in place of a credential that was taken away, so that caches
    /// on the way see that there was one.
    pub marker: bool,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            header: "authorization".to_owned(),
            scheme: "Bearer".to_owned(),
            max_bytes: 8192,
            budget: Duration::from_millis(2),
            cache_bytes: 4 << 20,
            share: false,
            marker: false,
        }
    }
}

impl Tokens {
    pub(super) fn compile(wire: &Field<wire::Tokens>, place: &Place<'_>) -> Self {
        let default = Self::default();
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
        Self {
            header: header.unwrap_or(default.header),
            scheme: scheme.unwrap_or(default.scheme),
            max_bytes: max_bytes.unwrap_or(default.max_bytes),
            budget,
            cache_bytes: cache_bytes.unwrap_or(default.cache_bytes),
            share: share.copied().unwrap_or(default.share),
            marker: marker.copied().unwrap_or(default.marker),
        }
    }
}
