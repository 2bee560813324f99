//! What answers say of limits: the `RateLimit` and `RateLimit-Policy` fields of
//! draft-ietf-httpapi-ratelimit-headers.

use std::time::Duration;

/// What the fields say of the limits of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateFields {
    /// `RateLimit-Policy`: what the limits are.
    pub policy: String,
    /// `RateLimit`: what is left of them.
    pub state: String,
}

/// Whole seconds, rounded up: whoever waits that long has waited long enough.
#[must_use]
pub fn whole_seconds(duration: Duration) -> u64 {
    let more = u64::from(duration.subsec_nanos() > 0);
    duration.as_secs().saturating_add(more)
}

/// Whole milliseconds, rounded up.
#[must_use]
pub fn whole_millis(duration: Duration) -> u64 {
    let millis = duration.as_nanos().div_ceil(1_000_000);
    u64::try_from(millis).unwrap_or(u64::MAX)
}
